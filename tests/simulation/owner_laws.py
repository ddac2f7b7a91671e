"""What must hold of liquidity that people move: in the books once, as it moved at the operator.

Judged by what the owner did there on one side and the model's rows on the other. Pools hold what
was put in, less what was taken out, less what payments cost them. Nothing is ever mended.
"""

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from engine.desk.proposals import Kind, spelled
from engine.ledger.chart import Account, read_account
from engine.ledger.chart import Kind as AccountKind
from engine.ledger.entries import Manual
from engine.ledger.plans import Plan
from engine.ledger.postings import held_minor
from engine.payments.facts import read_terms
from engine.payments.lifecycle import State
from engine.payments.statements.lines import Side
from tests.simulation.owner import Errand, Owner

if TYPE_CHECKING:
    from tests.simulation.world import World

BOOKED_AS = {
    Kind.TOP_UP: Manual.TOPPED_UP,
    Kind.WITHDRAWAL: Manual.WITHDRAWN,
    Kind.REBALANCE: Manual.REBALANCED,
}
SEEN = set(BOOKED_AS.values())
POOLS = (
    AccountKind.POOL_AVAIL, AccountKind.POOL_RESERVED, AccountKind.POOL_HELD,
    AccountKind.WITHDRAWAL_HELD,
)  # fmt: skip
IN_FLIGHT = (AccountKind.PAYOUT_IN_FLIGHT, AccountKind.RETURNED)


class Carried(msgspec.Struct):
    """What a row says of what booked it."""

    proposal: str
    reference: str | None = None


class OwnerLaws:
    """Watches one world."""

    def __init__(self, world: "World", owner: Owner, put_in: Counter[str]) -> None:
        """`put_in`: what the pools began with, by currency, in minor units."""
        self._world = world
        self._owner = owner
        self._put_in = put_in
        world.model.watchers.append(self._on_plan)

    # After every commit.

    def _on_plan(self, plan: Plan) -> None:
        if plan.state in SEEN:
            self._world.happened[Manual(plan.state).name] += 1
            self._check_seen(plan)
        elif plan.state == Manual.WITHDRAWAL_CANCELLED:
            self._world.happened["WITHDRAWAL_CANCELLED"] += 1
            if any(e.proposal == plan.payment and e.has_moved for e in self._owner.errands):
                self._broken("cancelled what has left", proposal=plan.payment)

    def _check_seen(self, plan: Plan) -> None:
        """Only what has moved, as it moved, and once."""
        word = spelled(msgspec.json.decode(plan.facts or "{}", type=Carried).reference or "")
        errand = next((e for e in self._owner.errands if spelled(e.seen_as) == word), None)
        if errand is None or not errand.has_moved or BOOKED_AS[errand.kind] != plan.state:
            self._broken("booked what nobody moved", proposal=plan.payment, reference=word)
            return
        if len(self._rows_of(errand)) > 1:
            self._broken("moved once and booked twice", errand=errand.number)
        if self._floats(plan) != self._moved(errand):
            self._broken("booked otherwise than it moved", errand=errand.number)

    def _floats(self, plan: Plan) -> dict[str, int]:
        """What a row does to our wallets, by operator."""
        out: Counter[str] = Counter()
        names = {port.facts.code: name for name, port in self._world.operators.items()}
        for debit, credit, minor in plan.transfers:
            for number, sign in ((debit, 1), (credit, -1)):
                account = read_account(number)
                if account.kind is AccountKind.FLOAT:
                    out[names[account.owner]] += sign * minor
        return dict(out)

    def _moved(self, errand: Errand) -> dict[str, int]:
        return {
            step.operator: errand.minor if step.side is Side.IN else -errand.minor
            for step in errand.steps
        }

    def _rows_of(self, errand: Errand) -> list[tuple[str, int]]:
        """By which proposals it is booked, and when."""
        word = spelled(errand.seen_as)
        return [
            (id_, row.at_ms)
            for id_, path in self._world.model.journal.items()
            for row in path
            if row.state in SEEN
            and spelled(msgspec.json.decode(row.facts or "{}", type=Carried).reference or "")
            == word
        ]

    # Beside statements.

    def proven(self, before_ms: float) -> set[tuple[str, str]]:
        """Operators and receipts of what was booked by then as moved by people."""
        return {
            (step.operator, step.receipt)
            for errand in self._owner.errands
            if errand.has_moved and any(at <= before_ms for _, at in self._rows_of(errand))
            for step in errand.steps
        }

    # Once the world is quiet.

    def check_end(self) -> None:
        """All that moved is booked, nothing waits, and the pools hold what they should."""
        for errand in self._owner.errands:
            if len(self._rows_of(errand)) != errand.has_moved:
                self._broken("moved and not booked", errand=errand.number, kind=errand.kind)
        for name, port in self._world.operators.items():
            facts = port.facts
            held = Account(1, facts.currency, AccountKind.WITHDRAWAL_HELD, facts.code).number
            if self._world.model.balances.get(held, 0):
                self._broken("a withdrawal is held for ever", operator=name)
        self._check_pools()

    def _check_pools(self) -> None:
        expected, found = Counter(self._put_in), Counter[str]()
        for errand in self._owner.errands:
            for step in errand.steps:
                currency = self._world.operators[step.operator].facts.currency
                expected[currency] += errand.minor if step.side is Side.IN else -errand.minor
        for payment, row in self._world.model.payments.items():
            if row.customer is not None:
                currency, minor = self._cost_of(payment, State(row.state))
                expected[currency] -= minor
        for number, minor in self._world.model.balances.items():
            account = read_account(number)
            if account.kind in (*POOLS, *IN_FLIGHT):
                found[account.currency] += minor
        for currency in {*expected, *found}:
            if expected[currency] != found[currency]:
                self._broken(
                    "the pools are not what was put in", currency=currency,
                    expected=expected[currency], found=found[currency],
                )  # fmt: skip

    def _cost_of(self, payment: str, state: State) -> tuple[str, int]:
        """What a payment took from the pools for good: by its state, or by its rows where its
        operators said one thing and then another."""
        model = self._world.model
        path = model.journal[payment]
        terms = read_terms(str(path[model.payments[payment].terms - 1].facts))
        currency = terms.quote.receives.currency
        if payment not in self._world.laws.turned:
            return currency, held_minor(terms.quote) if state is State.PAID else 0
        minor = 0
        for row in path:
            for debit, credit, amount in row.transfers:
                for number, sign in ((debit, 1), (credit, -1)):
                    if read_account(number).kind in (*POOLS, *IN_FLIGHT):
                        minor += sign * amount
        return currency, minor

    def _broken(self, law: str, **details: object) -> None:
        self._world.laws.broken(law, **details)

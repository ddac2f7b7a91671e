"""What must hold between the statements, SUSPENSE and the payments: at once, and in the end.

Judged by the model's books on one side and the operators' own ledgers on the other; how the engine
pairs lines with attempts is not known here. Nothing is ever mended.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.ledger.chart import Account, Kind, natural
from engine.ledger.entries import Manual
from engine.ledger.plans import Plan
from engine.payments.facts import Ending, read_step
from engine.payments.lifecycle import TERMINAL, State
from engine.payments.statements.cases import CONTRADICTION, MISSING_HERE, MISSING_THERE
from engine.payments.statements.importing import AGED_DAYS
from engine.payments.statements.judged import Class
from engine.payments.statements.lines import Side
from engine.ports import Direction
from tests.simulation.clerk import DAY, Clerk, Entry
from tests.simulation.laws import steps_of
from tests.simulation.model import START, Model
from tests.simulation.paper_terms import AGEING_DAYS, day_at

if TYPE_CHECKING:
    from tests.simulation.world import World

CLOCKS_APART = 1300.0
"""So many seconds one process's clock may be ahead of another's, and a little."""
BACK = ":back"
Receipt = tuple[str, str]
"""Operator, and its own number of a movement."""


class PaperLaws:
    """Watches one world."""

    def __init__(self, world: "World", clerk: Clerk) -> None:
        self._world = world
        self._clerk = clerk
        world.model.watchers.append(self._on_plan)

    @property
    def _model(self) -> Model:
        return self._world.model

    def _broken(self, law: str, **details: object) -> None:
        self._world.laws.broken(law, **details)

    # After every commit.

    def _on_plan(self, plan: Plan) -> None:
        if plan.version != 0:
            return
        if plan.state == Manual.SUSPENDED:
            self._check_once(plan)
        if plan.key is None:
            return
        if plan.state == Manual.SUSPENDED:
            self._world.happened["put aside"] += 1
            self._on_suspended(plan, plan.key)
        elif plan.state == Manual.UNSUSPENDED:
            self._world.happened["taken back"] += 1
            self._on_taken_back(plan, plan.key)

    def _check_once(self, plan: Plan) -> None:
        """One receipt lies there once in one amount, under whatever key: by what the rows say."""
        minor, lies = self._into_suspense(plan.transfers), 0
        for path in self._model.journal.values():
            row = path[0]
            if row.facts != plan.facts:
                continue
            if row.state == Manual.SUSPENDED:
                lies += self._into_suspense(row.transfers) == minor
            elif row.state == Manual.UNSUSPENDED:
                turned = [(credit, debit, amount) for debit, credit, amount in row.transfers]
                lies -= self._into_suspense(turned) == minor
        if lies > 1:
            self._broken("suspended one receipt twice", key=plan.key, minor=minor)

    def _on_suspended(self, plan: Plan, key: str) -> None:
        """Only what an operator lists, once it has aged, and all of it."""
        day = self._clerk.listed.get(key)
        is_told = self._may_be_told(key)
        if day is None and not is_told:
            self._broken("suspended what nobody lists", key=key)
            return
        now = self._world.loop.time() + CLOCKS_APART
        if not is_told and day is not None and (day_at(now) - day).days < AGEING_DAYS:
            self._broken("suspended before its time", key=key)
        if self._into_suspense(plan.transfers) != int(key.rpartition(":")[2]):
            self._broken("suspended another amount", key=key)
        if any(e.fits(key) and e.side is not Side.IN for e in self._clerk.entries):
            self._broken("suspended what went out", key=key)
        receipt = key.rpartition(":")[0]
        others = [k for k in self._suspended() if k != key and k.rpartition(":")[0] == receipt]
        if others:
            self._broken("suspended one movement in two amounts", key=key, others=others)

    def _on_taken_back(self, plan: Plan, key: str) -> None:
        """Only what lies there, and all of it."""
        there = self._model.keys.get((1, key.removesuffix(BACK)))
        if not key.endswith(BACK) or there is None:
            self._broken("taken back what was never suspended", key=key)
            return
        transfers = self._model.journal[there[0]][0].transfers
        if sorted((d, c, m) for c, d, m in plan.transfers) != sorted(transfers):
            self._broken("taken back otherwise than it was suspended", key=key)

    def _may_be_told(self, key: str) -> bool:
        """Whether it is money beside a collection, which is put aside as soon as it is told of."""
        if self._world.payers is None:
            return False
        if self._world.payers.announced.is_told(key):
            return True
        entry = self._owner(key)
        return entry is not None and (entry.is_collection or entry.receipt.startswith("P"))

    def _into_suspense(self, transfers: Iterable[tuple[int, int, int]]) -> int:
        return sum(minor for _, credit, minor in transfers if _kind(credit) is Kind.SUSPENSE)

    # After every comparison.

    def compared(self, began: float) -> None:
        """A comparison that saw all of it leaves nothing both in SUSPENSE and with its payment."""
        before_ms = (START + began - CLOCKS_APART) * 1000
        oldest = day_at(began - (AGED_DAYS - 1) * DAY)
        proven, strays = self._proven(before_ms), self._world.stray_staff
        left = strays.left() if strays is not None else set()  # people hear that it is a payment's
        for key, at_ms in self._suspended().items():
            if key in left:
                continue
            entry = self._owner(key)
            if entry is None or (entry.operator, entry.receipt) not in proven or at_ms > before_ms:
                continue
            taken_in = self._clerk.accepted.get(key)
            if taken_in is None or taken_in > began or self._clerk.listed[key] < oldest:
                continue
            self._broken("counted twice after a comparison", key=key, attempt=entry.attempt_id)

    # Once the world is quiet.

    def check_end(self) -> None:
        """Every movement that was listed is counted once, and as it was."""
        suspended = self._suspended()
        proven = self._proven(float("inf"))
        for entry in self._clerk.entries:
            if entry.side is Side.IN and (entry.is_collection or entry.attempt_id is None):
                self._check_entry(entry, suspended, proven)
        self._check_suspense(suspended)
        self._check_floats()
        self._check_cases()

    def _check_entry(self, entry: Entry, suspended: dict[str, int], proven: set[Receipt]) -> None:
        is_booked = (entry.operator, entry.receipt) in proven
        is_aside = entry.key in suspended or self._is_told_aside(entry, suspended)
        if is_booked and is_aside:
            self._broken("counted twice", key=entry.key, attempt=entry.attempt_id)
        if is_booked or is_aside or entry.key not in self._clerk.accepted:
            return
        row = self._model.attempts.get(entry.attempt_id or "")
        if row is not None and self._is_excused(row.payment):
            return
        if self._is_peoples(entry):
            return
        self._broken("listed and counted nowhere", key=entry.key, attempt=entry.attempt_id)

    def _is_told_aside(self, entry: Entry, suspended: dict[str, int]) -> bool:
        """Whether a notice about this very collection is put aside, in whatever amount."""
        payers = self._world.payers
        fits = [key for key in suspended if entry.fits(key)]
        return payers is not None and any(payers.announced.is_told(key) for key in fits)

    def _is_peoples(self, entry: Entry) -> bool:
        """Whether people are called for its line, which names a payment and says something else, or
        is listed in two amounts.
        """
        lines = {
            id_ for id_, row in self._model.papers.lines.items()
            if (row.line.operator, row.line.receipt) == (entry.operator, entry.receipt)
        }  # fmt: skip
        kinds = {CONTRADICTION, Class.AMOUNT_DIFFERS.name}
        if len(lines) > 1:
            kinds.add(MISSING_HERE)
        return any(kind in kinds and hash_ in lines for _, kind, hash_ in self._model.cases)

    def _check_suspense(self, suspended: dict[str, int]) -> None:
        """What lies there by its entries is what its accounts say."""
        expected: Counter[str] = Counter()
        strays = self._world.stray_staff
        left = strays.left() if strays is not None else set()
        for key in suspended.keys() - left:
            _, operator, _, minor = key.split(":")
            expected[operator] += int(minor)
        for name, port in self._world.operators.items():
            facts = port.facts
            number = Account(1, facts.currency, Kind.SUSPENSE, facts.code).number
            found = natural(number, self._model.balances.get(number, 0))
            if found != expected[name]:
                self._broken("SUSPENSE is not its entries", operator=name, found=found)

    def _check_floats(self) -> None:
        """What each payment did to each FLOAT is what the operator's ledger says it did there."""
        moved: dict[str, Counter[int]] = {}
        rows = self._world.laws.rows
        for entry in self._clerk.entries:
            if entry.attempt_id is not None:
                code = self._world.operators[entry.operator].facts.code
                payment = rows[entry.attempt_id].payment
                moved.setdefault(payment, Counter())[code] += entry.effect_minor
        for payment, row in self._model.payments.items():
            if row.customer is None or State(row.state) not in TERMINAL:
                continue
            if self._is_excused(payment) or not self._knows_all(payment):
                continue
            if payment in self._world.laws.paid_in:  # what the operator keeps of it is in no book
                continue
            booked: Counter[int] = Counter()
            for step in self._model.journal[payment]:
                for debit, credit, minor in step.transfers:
                    for number, sign in ((debit, 1), (credit, -1)):
                        if _kind(number) is Kind.FLOAT:
                            booked[_operator(number)] += sign * minor
            wanted = moved.get(payment, Counter())
            if {k: v for k, v in booked.items() if v} != {k: v for k, v in wanted.items() if v}:
                self._broken(
                    "a FLOAT is not what the ledger says", payment=payment, booked=dict(booked),
                    moved=dict(wanted),
                )  # fmt: skip

    def _check_cases(self) -> None:
        """Nobody is called any more for what a line has explained."""
        listed = {
            e.attempt_id for e in self._clerk.entries
            if e.is_collection and e.key in self._clerk.accepted
        }  # fmt: skip
        for (subject, kind, hash_), row in self._model.cases.items():
            if row.closed_ms is not None:
                continue
            if kind == MISSING_THERE and hash_ in listed and not self._is_excused(subject):
                self._broken("called for what is listed", attempt=hash_, detail=row.detail)
            line = self._model.papers.lines.get(subject) if kind == MISSING_HERE else None
            if line is not None and line.kind == Class.MATCHED:
                self._broken("called for what is explained", line=subject, detail=row.detail)

    # What the books say.

    def _suspended(self) -> dict[str, int]:
        """Keys of what lies in SUSPENSE, and since when in epoch milliseconds."""
        keys = self._model.keys
        return {
            key: self._model.journal[payment][0].at_ms
            for (tenant, key), (payment, _) in keys.items()
            if key.startswith("statement:")
            and not key.endswith(BACK)
            and (tenant, key + BACK) not in keys
        }

    def _proven(self, before_ms: float) -> set[Receipt]:
        """What collected payments by then, by what was proven last of each collection."""
        names = {port.facts.code: name for name, port in self._world.operators.items()}
        found: dict[str, Receipt | None] = {}
        for path in self._model.journal.values():
            for row in steps_of(path):
                if row.at_ms > before_ms:
                    continue
                step = read_step(str(row.facts))
                if not isinstance(step, Ending):
                    continue
                attempt = self._model.attempts[step.attempt_id]
                if attempt.direction == Direction.COLLECT:
                    receipt = names[attempt.operator], step.receipt or ""
                    found[step.attempt_id] = receipt if step.succeeded else None
        proven = {receipt for receipt in found.values() if receipt is not None}
        owner = self._world.owner_laws
        return proven if owner is None else proven | owner.proven(before_ms)

    def _owner(self, key: str) -> Entry | None:
        return next((e for e in self._clerk.entries if e.key == key), None)

    def _is_excused(self, payment: str) -> bool:
        laws = self._world.laws
        return payment in laws.turned or laws.is_excused(payment)

    def _knows_all(self, payment: str) -> bool:
        """Whether no order for it was forgotten by a restore."""
        laws = self._world.laws
        return all(id_ in self._model.attempts for id_ in laws.of_payment(payment))


def _kind(number: int) -> Kind:
    return Kind(number >> 24 & 0xFF)


def _operator(number: int) -> int:
    return number & 0xFFFFFF

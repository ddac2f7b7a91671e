"""What must hold of windows that are closed, and of what the chain settles.

Each obligation is in one window at a time, and the chain moves it once; a closed window takes out
of the books what its payments come to, and moves their net; what is final in the books is so on the
chain, and what the chain has done is booked once and never turned round.
"""

from collections import Counter, defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from engine.ledger.chart import Account, Kind, read_account
from engine.ledger.entries import Manual
from engine.ledger.plans import NOTE, Plan
from engine.money import CURRENCIES
from engine.payments.settlement.obligation_store import Owed
from engine.payments.settlement.state import OVER, BatchState
from engine.ports import Settlement
from tests.simulation.chain import POOL_MINOR, SimulatedChain
from tests.simulation.settle_rows import OwedKey

if TYPE_CHECKING:
    from tests.simulation.world import World

USD_MIDS = {"KES": Fraction("0.0077"), "UGX": Fraction("0.00027")}
"""Major units of the asset for one of each."""


class Held(NamedTuple):
    """An obligation as it stood when a window took it."""

    key: OwedKey
    source: str
    minor: int


class SettleLaws:
    """Watches one world."""

    def __init__(self, world: "World", chain: SimulatedChain) -> None:
        self._world = world
        self._chain = chain
        self._held: defaultdict[str, list[Held]] = defaultdict(list)  # by batch
        self._settled: dict[OwedKey, str] = {}  # by which batch, on the chain
        self._done: dict[str, Settlement] = {}
        self._final: set[str] = set()
        chain.on_done = self._on_done
        world.model.watchers.append(self._on_plan)

    # Windows.

    def on_marked(self, batch: str, key: OwedKey, owed: Owed) -> None:
        """A window took an obligation."""
        before = self._world.model.settle.of.get(key)
        if before is not None:
            self._broken("in two windows", payment=key[0], batches=[before[0], batch])
        if key in self._settled:
            self._broken("settled before, and in a window again", payment=key[0], batch=batch)
        self._held[batch].append(Held(key, owed.source, owed.minor))

    # The books.

    def _on_plan(self, plan: Plan) -> None:
        if plan.version == NOTE:
            return
        match plan.state:
            case Manual.SETTLEMENT_CLOSED:
                self._check_closed(plan)
            case Manual.SETTLEMENT_REOPENED:
                self._world.happened["window reopened"] += 1
                if plan.payment in self._done:
                    self._broken("turned round, and the chain has moved it", batch=plan.payment)
            case Manual.SETTLEMENT_FINAL:
                self._world.happened["window settled"] += 1
                if plan.payment not in self._done:
                    self._broken("final, and the chain has moved nothing", batch=plan.payment)
                if plan.payment in self._final:
                    self._broken("booked twice as final", batch=plan.payment)
                self._final.add(plan.payment)

    def _check_closed(self, plan: Plan) -> None:
        """What its payments come to, on each account, and their net."""
        self._world.happened["window closed"] += 1
        wanted: Counter[int] = Counter()
        for held in self._held[plan.payment]:
            wanted[held.key[2]] += held.minor
        taken: Counter[int] = Counter()
        net = 0
        for debit, credit, minor in plan.transfers:
            for account, sign in ((debit, 1), (credit, -1)):
                match read_account(account).kind:
                    case Kind.INTERPOOL:
                        taken[account] += sign * minor
                    case Kind.CHAIN_IN_FLIGHT:
                        net -= sign * minor
        if taken != {a: m for a, m in wanted.items() if m}:
            self._broken("a window is not the sum of its payments", batch=plan.payment)
        if net != self._net(plan.payment):
            self._broken("a window moves another net than its payments'", batch=plan.payment)

    def _net(self, batch: str) -> int:
        """What one owes the other, whoever it is, in minor units of the asset."""
        total, first = Fraction(0), self._held[batch][0].source
        for held in self._held[batch]:
            currency = read_account(held.key[2]).currency
            unit = Fraction(10) ** (6 - CURRENCIES[currency].decimals)
            worth = held.minor * USD_MIDS[currency] * unit
            total += worth if held.source == first else -worth
        return int(abs(total))

    # The chain.

    def _on_done(self, done: Settlement) -> None:
        batch = done.terms.batch_id.hex()
        self._done[batch] = done
        if len(done.approvals) < 2:
            self._broken("moved by the word of one", batch=batch)
        for held in self._held[batch]:
            other = self._settled.setdefault(held.key, batch)
            if other != batch:
                self._broken("settled twice", payment=held.key[0], batches=[other, batch])
        if done.terms.payment_count != len(self._held[batch]):
            self._broken("the chain counts other payments", batch=batch)
        if sum(done.terms.debits) != self._net(batch):
            self._broken("the chain moves another net", batch=batch)

    # Once the world is quiet.

    def unfinished(self) -> list[str]:
        """Windows that are not over, and not parked with somebody called for them."""
        rows = self._world.model.settle
        return [
            id_
            for id_, batch in rows.batches.items()
            if batch.state not in OVER
            and not (batch.state is BatchState.PARKED and self._world.model.open_kinds(id_))
        ]

    def check_end(self) -> None:
        """Books and chain agree, and every window is over or parked on somebody's desk."""
        if unfinished := self.unfinished():
            rows = self._world.model.settle
            row = rows.batches[unfinished[0]]
            errand = rows.errands.get(unfinished[0])
            self._broken(
                "a window never ends", batch=unfinished[0],
                state=row.state.name, errand=errand and errand.state.name,
            )  # fmt: skip
        for batch in self._done:
            if batch not in self._final and not self._world.model.open_kinds(batch):
                self._broken("moved on the chain, and not in the books", batch=batch)
        self._check_treasury()

    def _check_treasury(self) -> None:
        model, names = self._world.model, self._chain.truth.totals
        codes = {name: port.facts.code for name, port in self._world.operators.items()}
        pools: Counter[int] = Counter()
        moved: Counter[int] = Counter()
        for corridor, totals in names.items():
            for name, total in zip(corridor.split(":"), totals, strict=True):
                pools[codes[name]] += total - POOL_MINOR
        for code in codes.values():
            number = Account(1, "USDC", Kind.CHAIN_TREASURY, code).number
            moved[code] = -model.balances.get(number, 0)
        unbooked = [b for b in self._done if b not in self._final]
        if not unbooked and any(pools[code] != moved[code] for code in codes.values()):
            self._broken("the pools are not what the books say", pools=pools, books=moved)

    def _broken(self, law: str, **details: object) -> None:
        self._world.laws.broken(law, **details)

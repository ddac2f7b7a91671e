"""Who settles what operators owe each other: workers that sweep, over a chain of this world's own.

The story of settlement is the engine's own, from closing a window to booking it; disputes and the
file of settlement that changes are left out. Without a restore: after one people compare first.
"""

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import asyncpg

from engine.errors import CappError
from engine.fx.rates import Rate, RateBook
from engine.payments.settlement.approving import Approving
from engine.payments.settlement.closing import Closing
from engine.payments.settlement.disputes import Disputes
from engine.payments.settlement.gathering import Gathering
from engine.payments.settlement.posting import Book
from engine.payments.settlement.receipts import Receipts
from engine.payments.settlement.rules import Asset, Corridor, Rules, Window
from engine.payments.settlement.settling import Settling
from engine.payments.settlement.standing import Standings
from engine.payments.settlement.submitting import Submitting
from tests.simulation.chain import SimulatedChain
from tests.simulation.loop import Handle
from tests.simulation.model import START
from tests.simulation.owing import OwedPool
from tests.simulation.papers import Turns
from tests.simulation.settle_laws import USD_MIDS, SettleLaws
from tests.simulation.settle_table import (
    ClosingPool,
    ModelBatches,
    ModelBooking,
    ModelErrands,
    ModelObligations,
    NobodyDisputes,
)

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

WORKERS = ("worker-1", "worker-2")
PAIRS = ("mpesa_ke:mtn_ug", "airtel_ug:mpesa_ke")
APPROVERS = ("key 0", "key 1", "key 2")
SALT_KEY = bytes(32)
HOUR = 3600.0


class DollarRates(RateBook):
    """What the asset is worth never moves here."""

    texts: ClassVar[dict[str, str]] = {"KES": "0.0077", "UGX": "0.00027"}

    def __init__(self) -> None:
        """Needs no database."""

    def rate(self, base: str, quote: str) -> Rate:
        assert quote == "USD" and base in USD_MIDS
        return Rate(base, quote, Decimal(self.texts[base]), START * 1000, START * 1000)


class Settlers:
    """The settlement of one world."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        weather = world.options.chain_weather
        if world.options.stirred:
            weather.stir(chance)
        self.rules = Rules(
            Asset("USDC", "USD"),
            Window(
                seconds=chance.choice((60, 600, 3600)), payments=chance.choice((2, 5, 1000)),
                exposure_minor=10**12,
                single_above_minor=chance.choice((10**12, 10**8)),
            ),
            chance.choice((60, 300, 3600)),
            tuple(
                Corridor(pair, tuple(pair.split(":")), APPROVERS, 2)  # type: ignore[arg-type]
                for pair in PAIRS
            ),
        )  # fmt: skip
        self.chain = SimulatedChain(world, chance, weather, PAIRS, 2)
        self.laws = SettleLaws(world, self.chain)
        self._closing_turns = Turns(world.loop)
        self._sweeps_at: Handle | None = None
        self._codes = {name: port.facts.code for name, port in world.operators.items()}

    def begin(self) -> None:
        """Somebody sweeps, from the start."""
        self.chain.begin()
        self._sweep_in(1.0)

    @property
    def is_busy(self) -> bool:
        """Whether a window is not over, or waits to be closed."""
        rows = self._world.model
        return bool(self.laws.unfinished()) or rows.owed.rows.keys() != rows.settle.of.keys()

    def forget_turns(self) -> None:
        """The database has fallen."""
        self._closing_turns.forget()

    def calm(self) -> None:
        """The chain says what is so from now on."""
        self.chain.calm()

    # When they sweep.

    def _sweep_in(self, seconds: float) -> None:
        self._sweeps_at = self._world.loop.outside(seconds, self._sweep)

    def _sweep(self) -> None:
        """The real worker does so every few seconds; here while there is anything to do."""
        for _ in range(self._chance.choice((1, 1, 1, 2))):
            machine = self._world.machines[self._chance.choice(WORKERS)]
            if machine.process.alive:
                self._world.loop.spawn(self._swept(machine), machine.process)
        pauses: tuple[float, ...] = (5.0, 20.0, 60.0) if self.is_busy else (600.0, HOUR)
        if self._world.is_calm:
            pauses = (60.0, 600.0)
        self._sweep_in(self._chance.choice(pauses))

    async def _swept(self, machine: "Machine") -> None:
        try:
            await machine.settling.sweep()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, CappError):
            self._world.trace("sweep failed", machine.name, "settling")

    # The making of it.

    def settling(self, machine: "Machine") -> Settling:
        """As `engine/payments/settlement/room.py` makes it, over the model."""
        world, wire, clock, ids = self._world, machine.wire, machine.clock, machine._ids
        model, rules, chain = world.model, self.rules, self.chain
        names = {code: name for name, code in self._codes.items()}
        assert world.owing is not None
        owed_pool: OwedPool = world.owing.pool(wire)
        obligations = ModelObligations(model, wire, owed_pool, names)
        obligations.laws = self.laws
        batches, errands = ModelBatches(model, wire), ModelErrands(model, wire)
        booking = ModelBooking(model, wire, machine.committer)
        book, disputes_kept = Book(1, rules.asset.code), NobodyDisputes()
        pool: Any = ClosingPool(model, wire, self._closing_turns)
        rail: Any = chain
        closing = Closing(
            pool, 1, obligations, batches, DollarRates(), rules, salt_key=SALT_KEY, clock=clock,
            ids=ids,
        )  # fmt: skip
        approving = Approving(
            batches, obligations, rail, rail, rules, salt_key=SALT_KEY, clock=clock
        )
        receipts = Receipts(obligations, batches, salt_key=SALT_KEY)
        submitting = Submitting(errands, batches, rail, clock=clock, ids=ids)
        disputes = Disputes(
            disputes_kept, batches, errands, submitting, receipts, booking, rail, rules, book,
            self._codes, clock=clock, ids=ids,
        )  # fmt: skip
        standings = QuietStandings(
            obligations, batches, errands, disputes_kept, closing, booking, rail, rules, book,
            self._codes, clock,
        )  # fmt: skip
        return Settling(
            Gathering(obligations, batches, names, clock), closing, approving, submitting,
            disputes, standings, batches, errands, booking, rail, rules, book, self._codes, clock,
        )  # fmt: skip


class QuietStandings(Standings):
    """Whether books and pools agree the laws say: nobody endowed the pools in these books."""

    async def check(self) -> Sequence[str]:  # type: ignore[override]
        return ()

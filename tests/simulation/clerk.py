"""Operators' daily statements of a simulated world, and whoever takes them in.

What a statement lists is what moved in the operator's own ledger. It may come late, early, twice,
lack lines at first, list one with the day after or with both days, name it by a word that nobody
here knows, or tell a wrong amount or number until it is corrected. In the end each day's file is
whole. Money of strangers comes too. Honest in one thing: no line is of money that did not move.
"""

import asyncio
import random
from copy import copy
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from engine.clock import AttemptId
from engine.errors import Unreadable
from engine.ledger.plans import Plan
from engine.money import Money
from engine.payments.facts import read_terms
from engine.payments.statements.importing import Report
from engine.payments.statements.lines import ONE_DAY, Line, Side
from engine.payments.statements.neutral import write_statement
from engine.ports import Direction
from tests.simulation.model import START
from tests.simulation.operators import BY_HAND, Job, Move, SimulatedOperator
from tests.simulation.paper_terms import AGEING_DAYS, FIRST_DAY, day_at, end_of

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.pay_in_returns import Back
    from tests.simulation.payers import Sent
    from tests.simulation.world import World

HOUR = 3600.0
DAY = 24 * HOUR
AGED_EVERY = 6 * HOUR
TRIED_AGAIN_SECONDS = 600.0
OPENING_MINOR = {"mpesa_ke": 60_000_000, "mtn_ug": 15_000_000, "airtel_ug": 0}
REFUSED = "refused"


@dataclass
class Entry:
    """A line of an operator's ledger as its statements will list it."""

    number: int
    operator: str
    at: float  # virtual seconds
    side: Side
    amount: Money
    fee_minor: int
    receipt: str
    reference: str | None
    msisdn: str
    attempt_id: AttemptId | None  # whose money it is; None for a stranger's
    is_collection: bool
    day: date  # that lists it
    is_late: bool = False  # not in the first file of its day
    is_doubled: bool = False
    also_next_day: bool = False
    wrong_minor: int | None = None  # what the first file of its day says
    wrong_msisdn: str | None = None

    @property
    def key(self) -> str:
        """Under which its money would lie in SUSPENSE, by the contract."""
        return f"statement:{self.operator}:{self.receipt}:{self.amount.minor}"

    def fits(self, key: str) -> bool:
        """Whether the key is this line's, in whatever amount."""
        return key.rpartition(":")[0] == self.key.rpartition(":")[0]

    @property
    def effect_minor(self) -> int:
        """What it does to our wallet."""
        if self.side is Side.IN:
            return self.amount.minor - self.fee_minor
        return -self.amount.minor - self.fee_minor


class Handed(NamedTuple):
    """A file that was handed over. `keys`: of its lines that brought money, as in SUSPENSE."""

    operator: str
    day: date
    body: bytes
    keys: frozenset[str]
    is_last: bool


@dataclass
class Costs:
    """What an operator keeps or charges for a payment, as both sides have agreed."""

    collection_minor: int
    payout_minor: int


class Clerk:
    """Everybody's statements of one world; what was handed over no restore takes away."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self.weather = copy(world.options.papers)
        if world.options.stirred:
            self.weather.stir(chance)
        self._tells_balance = {name: chance.random() < 0.8 for name in OPENING_MINOR}
        self._newest_first = {name: chance.random() < 0.2 for name in OPENING_MINOR}
        self.is_slow = self._happens("slow_news")
        if self.is_slow:
            self._slow_down()
        self.entries: list[Entry] = []
        self._costs: dict[str, Costs] = {}
        self.listed: dict[str, date] = {}  # by key: the first day of a file that was handed over
        self.accepted: dict[str, float] = {}  # by key: since when it is taken in
        self.handed: list[Handed] = []
        self._done: set[tuple[str, date]] = set()  # whose last file was taken in, or refused
        self._taking = 0
        self._quiet_since = 0.0  # no comparison has changed anything since

    def _slow_down(self) -> None:
        """A world in which statements come before anybody knows how a collection went."""
        weather = self._world.weather
        weather.answer_lost = max(weather.answer_lost, 0.3)
        weather.callback_late = max(weather.callback_late, 0.5)
        self.weather.unnamed = max(self.weather.unnamed, 0.5)
        for port in self._world.operators.values():
            port.habits = port.habits._replace(needs_reference=True)

    def begin(self) -> None:
        """The first day begins, and comparisons are made now and then."""
        for port in self._world.operators.values():
            self._watch(port)
        self._world.model.watchers.append(self._on_plan)
        self._plan_day(FIRST_DAY)
        self._world.loop.outside(AGED_EVERY * self._chance.random(), self._age_later)

    @property
    def is_busy(self) -> bool:
        """Whether a statement is still to come that lists what moved, or to be compared in time."""
        if self._taking:
            return True
        if not self.entries:
            return False
        last = max(entry.day for entry in self.entries) + ONE_DAY
        needed = {(e.operator, e.day + n * ONE_DAY) for e in self.entries for n in (0, 1)}
        over = end_of(last) + AGEING_DAYS * DAY
        return not needed <= self._done or self._quiet_since < over

    def restored(self) -> None:
        """The database has forgotten files: all that were ever handed over are taken in again."""
        self.accepted.clear()
        self._done.clear()
        self._quiet_since = 0.0
        for handed in self.handed:
            self._spawn_take(handed)

    # What moves.

    def _watch(self, port: SimulatedOperator) -> None:
        inner = port.on_move

        def on_move(operator: SimulatedOperator, job: Job, move: Move) -> None:
            inner(operator, job, move)
            self._enter(operator, job, move)

        port.on_move = on_move

    def _on_plan(self, plan: Plan) -> None:
        if plan.version == 0 and plan.customer is not None:
            quote = read_terms(str(plan.facts)).quote
            self._costs[plan.payment] = Costs(
                quote.collection_cost_minor, quote.payout_cost_minor_max
            )

    def _enter(self, operator: SimulatedOperator, job: Job, move: Move) -> None:
        order, receipt = job.order, operator.receipt_of(job)
        row = self._world.laws.rows[move.attempt_id]
        # What goes back by a payout is none to its payment, and costs nothing here.
        direction, costs = Direction(row.direction), self._costs[row.payment]
        side = Side.IN if direction is Direction.COLLECT else Side.OUT
        fee_minor, reference = 0, self._name_of(job)
        if move.sign < 0:
            side = Side.OUT if side is Side.IN else Side.IN
            receipt, reference = f"U{receipt}", receipt
        elif direction is Direction.COLLECT:
            fee_minor = costs.collection_minor
        elif direction is Direction.DISBURSE:
            fee_minor = costs.payout_minor
        self._add(
            operator.facts.name, side, order.amount, fee_minor, receipt, reference,
            str(order.msisdn), move.attempt_id,
            is_collection=direction is Direction.COLLECT and move.sign > 0,
        )  # fmt: skip

    def enter_sent(self, operator: str, sent: "Sent") -> None:
        """Somebody sent it by themselves; what they typed stands in the line."""
        self._add(
            operator, Side.IN, sent.amount, 0, sent.receipt, sent.reference or None, sent.msisdn,
            None, is_collection=False,
        )  # fmt: skip

    def enter_back(self, operator: str, back: "Back") -> None:
        """It went back to whoever had sent it; the line names what it undoes, mostly."""
        sent = back.sent
        reference = None if self._happens("unnamed") else sent.receipt
        self._add(
            operator, Side.OUT, sent.amount, 0, back.receipt, reference, sent.msisdn, None,
            is_collection=False,
        )  # fmt: skip

    def enter_moved(
        self, operator: str, side: Side, amount: Money, receipt: str, reference: str | None
    ) -> None:
        """The owner of the liquidity moved it into our wallet there, or out of it."""
        self._add(operator, side, amount, 0, receipt, reference, "", None, is_collection=False)

    def _name_of(self, job: Job) -> str | None:
        """How a line names what was ordered: some operators keep our words, some their own."""
        if self._happens("unnamed"):
            return self._chance.choice((None, f"own-{len(self.entries)}", "0"))
        order = job.order
        if job.reference.startswith(BY_HAND):
            return order.code
        return self._chance.choice((order.attempt_id, order.code, job.reference))

    def _add(
        self, operator: str, side: Side, amount: Money, fee_minor: int, receipt: str,
        reference: str | None, msisdn: str, attempt_id: AttemptId | None, *, is_collection: bool,
    ) -> None:  # fmt: skip
        now = self._world.loop.time()
        day = day_at(now)
        entry = Entry(
            len(self.entries), operator, now, side, amount, fee_minor, receipt, reference, msisdn,
            attempt_id, is_collection, day,
        )  # fmt: skip
        if self._happens("listed_next_day"):
            entry.day = day + ONE_DAY
        elif self._happens("listed_both_days"):
            entry.also_next_day = True
        entry.is_late = self._happens("left_out_at_first")
        entry.is_doubled = self._happens("line_doubled")
        if self._happens("wrong_amount"):
            unit = self._world.operators[operator].facts.unit_minor
            entry.wrong_minor = amount.minor + unit * self._chance.randint(1, 50)
        if self._happens("wrong_number"):
            entry.wrong_msisdn = msisdn[:-3] + f"{self._chance.randrange(1000):03d}"
        self.entries.append(entry)
        self._world.trace("listed", operator, entry.day, receipt, reference, amount.minor)

    def _stranger_pays(self) -> None:
        """Somebody sends us money by mistake."""
        names = [n for n, port in self._world.operators.items() if port.facts.can_collect]
        name = self._chance.choice(names)
        facts = self._world.operators[name].facts
        amount = Money(facts.unit_minor * self._chance.randint(50, 5_000), facts.currency)
        reference = self._chance.choice((None, "JOHN", "rent", "0712000000"))
        self._add(
            name, Side.IN, amount, 0, f"S{len(self.entries)}", reference, "", None,
            is_collection=False,
        )  # fmt: skip

    # Days and their files.

    def _plan_day(self, day: date) -> None:
        """When the files of a day will come, and that of the next day."""
        loop, ends, chance = self._world.loop, end_of(day), self._chance
        wait = ends - loop.time()
        if not self._world.is_calm and self._happens("stranger_pays"):
            loop.outside(max(chance.uniform(0.0, wait), 0.0), self._stranger_pays)
        for name in sorted(self._world.operators):
            if self._happens("file_early"):
                early = max(wait - chance.uniform(1.0, 10.0) * HOUR, 1.0)
                loop.outside(early, self._hand_over, name, day, False)
            first = wait + chance.uniform(0.1, 6.0) * HOUR
            if self._happens("file_late"):
                first += chance.uniform(0.0, 3.0) * DAY
            loop.outside(first, self._hand_over, name, day, False)
            loop.outside(first + chance.uniform(0.5, 30.0) * HOUR, self._hand_over, name, day, True)
        loop.outside(wait, self._plan_day, day + ONE_DAY)

    def _hand_over(self, name: str, day: date, is_last: bool) -> None:
        """A file of the day as the operator has it now; the last one is whole."""
        lines = self._lines(name, day, is_last=is_last)
        keys = frozenset(key_of(line) for line in lines if line.side is Side.IN)
        for key in keys:
            self.listed[key] = min(self.listed.get(key, day), day)
        if self._newest_first[name]:
            lines.reverse()
        handed = Handed(name, day, write_statement(lines), keys, is_last)
        self.handed.append(handed)
        self._spawn_take(handed)
        if self._happens("file_twice"):
            self._spawn_take(handed)

    def _lines(self, name: str, day: date, *, is_last: bool) -> list[Line]:
        balance, found = OPENING_MINOR[name], []
        listed = [e for e in self.entries if e.operator == name and e.day <= day]
        for entry in sorted(listed, key=lambda e: (e.day, e.at, e.number)):
            balance += entry.effect_minor
            again = entry.also_next_day and entry.day + ONE_DAY == day
            if (entry.day != day and not again) or (entry.is_late and not is_last):
                continue
            line = self._line(entry, day, balance, is_last=is_last)
            found += [line, line] if entry.is_doubled else [line]
        return found

    def _line(self, entry: Entry, day: date, balance: int, *, is_last: bool) -> Line:
        minor, msisdn = entry.amount.minor, entry.msisdn
        if not is_last and entry.day == day:
            minor = entry.wrong_minor or minor
            msisdn = entry.wrong_msisdn or msisdn
        return Line(
            operator=entry.operator, day=day, receipt=entry.receipt, reference=entry.reference,
            side=entry.side, amount=Money(minor, entry.amount.currency), fee_minor=entry.fee_minor,
            counterparty=msisdn or None, completed_ms=int((START + entry.at) * 1000),
            balance_minor=balance if self._tells_balance[entry.operator] else None, raw_hash="",
        )  # fmt: skip

    # Whoever takes them in.

    def _spawn_take(self, handed: Handed) -> None:
        self._taking += 1
        self._world.loop.spawn(self._take(handed))

    async def _take(self, handed: Handed) -> None:
        """Until somebody has heard that it was taken in, or refused."""
        world = self._world

        async def take(machine: "Machine") -> Report | str:
            try:
                return await machine.statements.take_in(
                    handed.operator, handed.day, handed.body, by="amina"
                )
            except Unreadable as error:
                world.trace("refused", handed.operator, handed.day, error)
                return REFUSED

        while True:
            restored = world.restored
            said = await world.served(take, self._chance, tries=3)
            if said is not None:
                break
            await asyncio.sleep(TRIED_AGAIN_SECONDS)
        self._taking -= 1
        if restored is not world.restored:
            return  # it is taken in again
        if isinstance(said, Report):
            counts = {kind.name: n for kind, n in sorted(said.counts.items())}
            world.trace("statement", handed.operator, handed.day, counts, said.drift_minor)
            for kind, n in said.counts.items():
                world.happened[f"line {kind.name}"] += n
            for key in handed.keys:
                self.accepted.setdefault(key, world.loop.time())
        if handed.is_last:
            self._done.add((handed.operator, handed.day))
        self._quiet_since = 0.0

    def _age_later(self) -> None:
        self._world.loop.spawn(self._age())
        self._world.loop.outside(AGED_EVERY, self._age_later)

    async def _age(self) -> None:
        """As the worker does it now and then."""

        async def age(machine: "Machine") -> int:
            return await machine.statements.age()

        world, began, restored = self._world, self._world.loop.time(), self._world.restored
        changed = await world.served(age, self._chance, tries=1)
        world.trace("compared", changed)
        if changed is None or restored is not world.restored:
            return
        self._quiet_since = began if not changed else 0.0
        world.happened["compared"] += 1
        world.paper_laws.compared(began)

    def _happens(self, name: str) -> bool:
        odds = getattr(self.weather, name)
        if not odds or self._chance.random() >= odds:
            return False
        self._world.happened[name] += 1
        return True


def key_of(line: Line) -> str:
    """Under which its money would lie in SUSPENSE, by the contract."""
    return f"statement:{line.operator}:{line.receipt}:{line.amount.minor}"

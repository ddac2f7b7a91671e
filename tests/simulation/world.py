"""A world of several processes, two operators, a gateway and impatient customers, from one seed.

First everything goes wrong that can; then the world turns honest and quiet, and every payment must
come to its end. The engine is real; what is around it is not.
"""

import asyncio
import hashlib
import logging
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import product
from typing import Any, NamedTuple, TypeVar

import asyncpg
import msgspec

from engine.clock import AttemptId, Clock, PaymentId, epoch_of, first_id_at
from engine.desk.booking import Booker
from engine.desk.store import ProposalStore
from engine.errors import (
    CappError,
    CustomerMistake,
    Impossible,
    NoWayNow,
    OurFault,
    StaffMistake,
)
from engine.fx.quotes import Quote
from engine.fx.rates import RateBook
from engine.ledger.chart import GUARDED, Account, Kind, Route, read_account, route_accounts
from engine.ledger.plans import CREATE, Plan, Verdict, Verdicted
from engine.ledger.postings import top_up
from engine.memory import end_if_refused
from engine.money import Money
from engine.outbox import Outbox
from engine.payments.evidence import Source, body_hash
from engine.payments.facts import Ruling
from engine.payments.payins.collected import Collected
from engine.payments.payins.store import PayInStore
from engine.payments.request_store import RequestStore
from engine.payments.statements.moves import Moves
from engine.payments.statements.store import StatementStore
from engine.payments.statements.suspense import Suspense
from engine.payments.store import PaymentStore
from engine.payments.views import Confirmed
from engine.ports import Callback, Order, Sms
from engine.restored import NEVER, Restored
from tests.numbering import directory_of
from tests.simulation.askers import Askers, ModelRequests
from tests.simulation.chain import ChainWeather
from tests.simulation.clerk import Clerk
from tests.simulation.client_laws import ClientLaws
from tests.simulation.client_weather import ClientWeather
from tests.simulation.clients import Clients
from tests.simulation.fees_kept import FeesKept
from tests.simulation.gateway import SimulatedGateway
from tests.simulation.hook_change_laws import HookChangeLaws
from tests.simulation.hook_laws import HookLaws
from tests.simulation.hook_owners import HookOwners
from tests.simulation.hook_weather import HookWeather
from tests.simulation.laws import Laws
from tests.simulation.loop import (
    CURRENT,
    Deadlock,
    Handle,
    Process,
    SimulatedLoop,
    fail,
    give,
    make_loop,
)
from tests.simulation.machine import LEASE_SECONDS, Books, FixedRates, Machine, Parts
from tests.simulation.model import START, Model
from tests.simulation.moving_rates import Market, MovingRates
from tests.simulation.odd_answers import OddAnswers
from tests.simulation.operators import Habits, Job, SimulatedOperator, all_jobs
from tests.simulation.owing import Owing
from tests.simulation.owner import Owner
from tests.simulation.owner_laws import OwnerLaws
from tests.simulation.paper_balances import TENANT, ModelBalances, NobodyMoves, SuspensePool
from tests.simulation.paper_cases import ModelCases
from tests.simulation.paper_laws import PaperLaws
from tests.simulation.paper_terms import TERMS
from tests.simulation.paper_weather import PaperWeather
from tests.simulation.papers import ModelOurs, ModelStatements, NobodyPaysIn, Turns
from tests.simulation.pay_in_returns import ReturningOperator
from tests.simulation.pay_in_table import ModelCollected, ModelPayIns, PayInTable
from tests.simulation.payers import Payers, PayInOperator
from tests.simulation.people import PEOPLE, Person
from tests.simulation.ported import Ported
from tests.simulation.proposal_table import ModelBooker, ModelProposals
from tests.simulation.receivers import Receivers
from tests.simulation.request_table import RequestTable
from tests.simulation.settlers import Settlers
from tests.simulation.sim_changes import SimChanges
from tests.simulation.staff import Staff
from tests.simulation.stray_staff import StrayStaff
from tests.simulation.surfaces import ModelOutbox, ModelStore, WiredCommitter
from tests.simulation.telling import Telling
from tests.simulation.weather import Weather
from tests.simulation.wire import Wire
from tests.unit.payments.examples import MPESA, MTN

T = TypeVar("T")

HOUR = 3600.0
DAY = 24 * HOUR
QUIET_DAYS_MAX = 10
QUIET_DAYS_WITH_PAPERS = 18
PATIENT_DAYS = 10
CALLBACK_LATE_DAYS = 5
MACHINES = ("web-1", "web-2", "worker-1", "worker-2")
STEPS_MAX = 3_000_000
REST_SECONDS_MIN = 1.0
PATIENCE_SECONDS = 10.0
TOO_LATE: Any = object()
LINES_MAX = 40
ALSO = (
    "statements",
    "requests",
    "pay_ins",
    "strays",
    "liquidity",
    "portals",
    "clients",
    "odd_answers",
    "webhooks",
    "ported",
    "owing",
    "sims",
    "subscriptions",
    "settlement",
    "fees_kept",
)
"""What worlds may have beside payments, by its name in the options."""
AIRTEL = msgspec.structs.replace(
    MTN, code=3, name="airtel_ug", collect_minor_max=0, reaches=("mtn_ug",)
)
"""Nobody pays from there; payees at the other operator can be paid by it."""
OPERATORS = (MPESA, MTN, AIRTEL)
ENDOWED = (("KES", MPESA.code, 60_000_000), ("UGX", MTN.code, 15_000_000))
"""Currency, operator and minor units that the pools begin with."""


class Broken(AssertionError):
    """A law was broken; says the seed, what happened, and the command that shows it again."""


@dataclass(frozen=True)
class Options:
    """What a world is like. `crash_at`: kill the named machine before that step of its own."""

    payments: int = 20
    span_seconds: float | None = None
    weather: Weather = field(default_factory=Weather)
    papers: PaperWeather = field(default_factory=PaperWeather)
    client_weather: ClientWeather = field(default_factory=ClientWeather)
    hook_weather: HookWeather = field(default_factory=HookWeather)
    stirred: bool = True  # the seed makes the weather its own
    crash_at: tuple[str, int] | None = None
    statements: bool = False  # operators' statements come, and are compared
    requests: bool = False  # people ask each other for money
    pay_ins: bool = False  # money comes by itself; statements as well
    strays: bool = False  # people send it back or to its payment; it comes by itself as well
    liquidity: bool = False  # people move what the pools are filled with
    portals: bool = False  # people look there before they rule on a payout that came back
    clients: bool = False  # businesses ask for prices, set liquidity aside and send; rates move
    odd_answers: bool = False  # operators speak of other amounts and currencies than were ordered
    settlement: bool = False  # and settled on a chain; nothing is restored then
    chain_weather: ChainWeather = field(default_factory=ChainWeather)
    owing: bool = False  # what operators owe each other is gathered
    sims: bool = False  # payers' SIMs are changed; who tells of it says anything
    fees_kept: bool = False  # corridors keep the fee of what is given back, by turns
    ported: bool = False  # numbers move to other operators; whose they are is looked up
    webhooks: bool = False  # businesses are told of their payments; clients as well
    subscriptions: bool = False  # and rotate, pause, remove and replace what they subscribed
    trace: bool = False


class Result(NamedTuple):
    """What a world came to."""

    seed: int
    payments: int
    steps: int
    checks: int
    digest: str
    states: dict[str, int]
    cases: int
    deaths: int
    happened: dict[str, int]  # what went wrong, by its name in the weather, and how often


class Alarm:
    """Wakes one resting worker as soon as anything is due by its clock, and not before."""

    def __init__(
        self, loop: SimulatedLoop, next_due: Callable[[], int | None], clock: Clock, late: float
    ) -> None:
        """`late`: so many seconds after it was due."""
        self._loop = loop
        self._next_due = next_due
        self._clock = clock
        self._late = late
        self._not_before = loop.time() + REST_SECONDS_MIN
        self._timer: Handle | None = None
        self.due: float = math.inf
        self.rung: asyncio.Future[None] = loop.create_future()
        self.set()

    def set(self) -> None:
        """Anew, by whatever is due now and whatever time it is."""
        self.due = math.inf
        if self._timer is not None:
            self._timer.cancel()
        if (due := self._next_due()) is not None:
            self.move(due)

    def move(self, due: int) -> None:
        """Something is due at that time, sooner than all that was before (`due`)."""
        self.due = due
        if self._timer is not None:
            self._timer.cancel()
        now = self._loop.time()
        wait = due - self._clock.epoch() + self._late
        self._timer = self._loop.outside(max(wait, self._not_before - now), self._ring)

    def _ring(self) -> None:
        due = self._next_due()
        if due is not None and due <= self._clock.epoch():
            give(self.rung, None)
        else:  # done meanwhile, or put off
            self.set()


class World:
    """Everything there is, for one seed."""

    may_restore = True

    def __init__(self, seed: int, options: Options | None = None) -> None:
        self.seed = seed
        options = options or Options()
        if options.subscriptions:
            options = replace(options, webhooks=True)
        if options.settlement:
            self.may_restore = False
            weather = copy(options.chain_weather)
            options = replace(options, owing=True, chain_weather=weather)
        self.options = options
        chances = {
            name: random.Random(f"{seed}:{name}")
            for name in (
                "order",
                "ids",
                "wire",
                "operators",
                "sms",
                "people",
                "hazards",
                "rests",
                "staff",
                "weather",
                "papers",
                "asking",
                "paying",
                "strays",
                "owner",
                "clients",
                "odd",
                "hooks",
                "ported",
                "owing",
                "sims",
                "owners",
                "chain",
            )
        }
        self.restored = NEVER
        self.lists: dict[str, int] = {}
        self.loop = make_loop(chances["order"])
        self.id_chance = chances["ids"]
        self.wire_chance = chances["wire"]
        self._people = chances["people"]
        self._hazards = chances["hazards"]
        self._rests = chances["rests"]
        self.weather = self._weather(chances["weather"])
        self.happened: Counter[str] = Counter()
        self.model = Model()
        self.operators = self._operators(chances["operators"], chances["weather"])
        facts = {name: port.facts for name, port in self.operators.items()}
        self.directory = directory_of(facts)
        self.gateway = SimulatedGateway(
            loop=self.loop, chance=chances["sms"], weather=self.weather, happened=self.happened
        )
        self.laws = Laws(self.model, self.operators, on_breach=self.loop.stop)
        self.gateway.on_sms = self._on_sms
        self.model.watchers.append(self._note_plan)
        self.model.on_deadline = self._on_deadline
        self.breakers_open: set[str] = set()
        self.day_limit_minor = chances["weather"].choice((None, None, 20_000_000, 400_000))
        self.is_calm = False
        self.staff = Staff(self, chances["staff"])
        self.turns = Turns(self.loop)
        self.clerk: Clerk | None = None
        if options.statements or options.pay_ins or options.strays:
            self._bring_papers(chances["papers"])
        self.pay_in_table = PayInTable(self.model)
        self.payers: Payers | None = None
        if options.pay_ins or options.strays:
            self.payers = Payers(self, chances["paying"])
            self.laws.is_paid_in = self.payers.is_of
        self.request_table = RequestTable(self.model)
        self.askers: Askers | None = None
        if options.requests:
            self.askers = Askers(self, chances["asking"], self.request_table)
        self._bring_desk(chances["strays"], chances["owner"])
        self._bring_clients(chances["clients"])
        if options.odd_answers:
            OddAnswers(self, chances["odd"])
        self.hook_owners: HookOwners | None = None
        if options.webhooks:
            self._bring_receivers(chances["hooks"], chances["owners"])
        self.owing = Owing(self, chances["owing"]) if options.owing else None
        self.settlers = Settlers(self, chances["chain"]) if options.settlement else None
        self.ported = Ported(self, chances["ported"]) if options.ported else None
        self.sim_changes = SimChanges(self, chances["sims"]) if options.sims else None
        self.fees_kept = FeesKept(self) if options.fees_kept else None
        self._down_until = 0.0
        self.deaths = 0
        self.machines: dict[str, Machine] = {}
        self._wires: list[Wire] = []
        self._alarms: dict[str, Alarm] = {}
        self._is_down = False
        self._busy = 0
        self._acknowledged: list[str] = []
        self._told: list[str] = []
        self._quiet_days = QUIET_DAYS_MAX if self.clerk is None else QUIET_DAYS_WITH_PAPERS
        self._quiet_until = math.inf
        self.span = options.span_seconds or chances["weather"].choice((300.0, 2 * HOUR, 2 * DAY))
        self._late_seconds_max = 2.0 if self.span < HOUR else self.span / 100
        self.loop.on_death = self._on_death

    # The parts, also for the machines.

    def wire(self) -> Wire:
        wire = Wire(self.loop, self.wire_chance, self.weather, self.happened)
        wire.is_cut = self._is_down
        self._wires.append(wire)
        return wire

    def committer(self, wire: Wire, clock: Clock) -> WiredCommitter:
        return WiredCommitter(self.model, wire, clock)

    def store(self, wire: Wire) -> PaymentStore:
        return ModelStore(self.model, wire, self.directory, self.restored)

    def outbox(self, wire: Wire, clock: Clock) -> Outbox:
        return ModelOutbox(
            self.model, wire, clock, lease_seconds=LEASE_SECONDS,
            tell=partial(self.trace, "outbox"), restored=self.restored,
        )  # fmt: skip

    def proposals(self, wire: Wire) -> ProposalStore:
        return ModelProposals(self.model, wire)

    def booker(self, parts: Parts) -> Booker:
        return ModelBooker(self.model, parts.wire, parts.committer, TENANT)

    def moves(self, parts: Parts, kept: StatementStore) -> Moves:
        """Where nobody moves any liquidity nobody asks what was moved."""
        if self.owner is None:
            return NobodyMoves()
        return Moves(self.proposals(parts.wire), kept)

    def requests(self, wire: Wire) -> RequestStore:
        return ModelRequests(self.request_table, wire)

    def books(self, parts: Parts) -> Books:
        """What a comparison reads and writes through."""
        kept = ModelStatements(self.model, parts.wire, self.turns)
        cases = ModelCases(self.model, parts.wire, TENANT)
        ours = ModelOurs(self.model, parts.wire, parts.store)
        moves = self.moves(parts, kept)
        return Books(
            kept,
            cases,
            ours,
            ModelBalances(self.model, parts.wire, cases, ours, TERMS, parts.clock, moves),
            Suspense(SuspensePool(self.model, parts.wire), 1, parts.committer, parts.ids),
            NobodyPaysIn() if self.payers is None else self.pay_ins(parts),
            moves,
        )

    def rates(self) -> RateBook:
        """Where there are no businesses rates never move."""
        rates = FixedRates() if self.clients is None else MovingRates(self._market)
        if self.fees_kept is not None:
            rates.is_fee_refunded = self.fees_kept.is_refunded
        return rates

    def pay_ins(self, parts: Parts) -> PayInStore:
        return ModelPayIns(self.pay_in_table, self.model, parts.wire, parts.clock, parts.ids)

    def collected(self, parts: Parts) -> Collected:
        return ModelCollected(self.model, parts.wire)

    def told(self, job: Job) -> str:
        """What people read in a portal of a movement: where statements come, as those list it."""
        return job.reference if self.clerk is None else SimulatedOperator.receipt_of(job)

    def attests(self) -> bool:
        """Whether anybody looks at a portal for what is unknown; some wait long for statements."""
        if self.clerk is None or not self.clerk.is_slow:
            return True
        return self.is_calm and self.loop.time() > self._quiet_until - PATIENT_DAYS * DAY

    @staticmethod
    def route(payer_operator: str, payout_operator: str) -> Route:
        codes = {facts.name: (facts.currency, facts.code) for facts in OPERATORS}
        return route_accounts(1, source=codes[payer_operator], destination=codes[payout_operator])

    async def rest(self, machine: Machine) -> None:
        """Until something is due by that machine's clock, or was a while ago.

        The real worker looks every second. A look that finds nothing changes nothing, so there is
        none here: whatever gets a deadline moves the alarm (`Model.on_deadline`).
        """
        late = self._lateness()
        alarm = Alarm(self.loop, self.next_due, machine.clock, late)
        self._alarms[machine.name] = alarm
        await alarm.rung

    def next_due(self) -> int | None:
        """Epoch seconds of the next lease or deadline that runs out."""
        return self.model.next_due()

    def _lateness(self) -> float:
        """Seconds after which a look comes: some workers are at once there, others nearly never."""
        if self.is_calm or self._rests.random() < 0.5:
            return 0.0
        return self._rests.uniform(0.0, self._late_seconds_max)

    def _on_deadline(self, due: int) -> None:
        for alarm in self._alarms.values():
            if due < alarm.due:
                alarm.move(due)

    def _set_clock(self, machine: Machine, offset: float) -> None:
        """By another clock something else may be due."""
        machine.clock.offset = offset
        if (alarm := self._alarms.get(machine.name)) is not None:
            alarm.set()

    def _on_sms(self, message: Sms) -> None:
        self.laws.on_sms(message)
        if self.askers is not None:
            self.askers.on_sms(message)

    def trace(self, *words: object) -> None:
        """One line of the story; its digest is what two runs of a seed must share."""
        if words[0] == "outbox":
            self.happened["outbox " + str(words[1])] += 1
        line = f"{self.loop.time():.6f} " + " ".join(map(str, words))
        if self.options.trace:
            print(line)  # noqa: T201 - asked for on the command line
        self._told.append(line)

    # The story.

    def run(self) -> Result:
        """Live through it. Raises Broken at the first breach."""
        self.open_books()
        for name in MACHINES:
            self._start(name)
        for _ in range(self.options.payments):
            self._busy += 1
            when = self._people.random() * self.span
            self.loop.outside(when, self._spawn, self._customer)
        self._begin_hazards()
        self._await_restore()
        for people in self._around():
            people.begin()
        self._open_desk()
        self.loop.outside(self.span + 10 * 60.0, self._grow_calm)
        with _listening(self.laws):
            try:
                if not self.loop.run(STEPS_MAX):
                    self.laws.broken("the world never grows quiet", steps=self.loop.steps)
            except Deadlock as error:
                self.laws.broken(str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, the seed shows it again
                self.laws.broken(f"{type(error).__name__}: {error}")
            if self.laws.breach is None:
                self.check_end()
            self.loop.close()
        if self.laws.breach is not None:
            raise Broken(self._obituary(self.laws.breach))
        digest = hashlib.blake2b("\n".join(self._told).encode(), digest_size=12).hexdigest()
        return Result(
            self.seed, self.options.payments, self.loop.steps, self.laws.checks,
            digest, dict(self.laws.states), len(self.model.cases), self.deaths,
            dict(self.happened),
        )  # fmt: skip

    def _obituary(self, breach: str) -> str:
        """The breach, how to see it again, and what was told of the payment it is about."""
        about = set(re.findall(r"[0-9a-f]{32}", breach))
        about |= {row.payment for id_, row in self.model.attempts.items() if id_ in about}
        about |= {id_ for id_, row in self.model.attempts.items() if row.payment in about}
        lines = [line for line in self._told if not about or any(id_ in line for id_ in about)]
        story = "\n".join(lines[-LINES_MAX:])
        return f"seed {self.seed}: {breach}\nagain: {self._command()}\n{story}"

    def _command(self) -> str:
        """What shows this world again. A weather of a test's own is only in the test."""
        words = [f"make simulate SEED={self.seed} TRACE=1"]
        if self.options.payments != Options.payments:
            words.append(f"PAYMENTS={self.options.payments}")
        also = [name for name in ALSO if getattr(self.options, name)]
        if also:
            words.append(f"WITH={','.join(also)}")
        if self.options.weather != Weather() or not self.options.stirred:
            words.append("(in the weather of the test)")
        return " ".join(words)

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.loop.spawn(work())

    # Machines.

    def _start(self, name: str) -> None:
        if self.loop.time() < self._down_until:
            self.loop.outside(self._down_until - self.loop.time(), self._start, name)
            return
        machine = Machine(self, name)
        self.machines[name] = machine
        if not self.is_calm:
            machine.clock.offset = self._skew()
            if self.weather.death_per_step:
                lifetime = self._hazards.expovariate(self.weather.death_per_step)
                machine.process.dies_at_step = 1 + int(lifetime)
        if (
            self.options.crash_at is not None
            and self.options.crash_at[0] == name
            and not self.deaths
        ):
            machine.process.dies_at_step = self.options.crash_at[1]
        self.trace("start", name)
        if is_worker(name):
            work = self.loop.spawn(machine.work(), machine.process)
            work.add_done_callback(self._worker_ended)

    def _worker_ended(self, work: asyncio.Task[None]) -> None:
        self.laws.broken("a worker stopped working", error=repr(work.exception()))

    def _skew(self) -> float:
        if self.weather.clock_jump_per_hour == 0 or self._hazards.random() < 0.7:
            return 0.0
        most = self.weather.clock_off_seconds_max
        return self._hazards.uniform(-most, most)

    def _on_death(self, process: Process) -> None:
        self.deaths += 1
        self.happened["death"] += 1
        if any(not task.done() for task in process.tasks[is_worker(process.name) :]):
            self.happened["death_at_work"] += 1
        self.trace("death", process.name, process.steps)
        self.loop.outside(self._hazards.uniform(0.1, 90.0), self._start, process.name)

    # What goes wrong around them.

    def _begin_hazards(self) -> None:
        weather = self.weather
        for name, odds_per_hour, strike in (
            ("freeze", weather.freeze_per_minute * 60, self._freeze),
            ("clock_jump", weather.clock_jump_per_hour, self._jump_clock),
            ("restart", weather.restart_per_hour, self._restart),
            ("database_down", weather.database_down_per_hour, self._fell_database),
            ("outage", weather.outage_per_hour, self._fell_operator),
            ("breaker_open", weather.outage_per_hour, self._open_breaker),
            ("listed", weather.listed_per_hour, self._list_somebody),
            ("replay", 0.05, self._replay),
        ):
            if odds_per_hour:
                self._strike_later(name, odds_per_hour, strike)

    def _strike_later(self, name: str, per_hour: float, strike: Callable[[], None]) -> None:
        def struck() -> None:
            if not self.is_calm:
                self.happened[name] += 1
                strike()
                self._strike_later(name, per_hour, strike)

        self.loop.outside(self._hazards.expovariate(per_hour / HOUR), struck)

    def _any_machine(self) -> Machine:
        return self.machines[self._hazards.choice(MACHINES)]

    def _freeze(self) -> None:
        """A machine stands still: it is slow, not dead, and knows nothing of it."""
        machine = self._any_machine()
        seconds = self._hazards.choice((1.0, 5.0, 40.0, 70.0, 130.0, 1000.0, 1900.0))
        seconds = min(seconds, self.weather.freeze_seconds_max)
        machine.process.frozen_until = self.loop.time() + seconds
        self.trace("freeze", machine.name, seconds)

    def _jump_clock(self) -> None:
        machine = self._any_machine()
        self._set_clock(machine, self._skew())
        self.trace("clock", machine.name, f"{machine.clock.offset:.0f}")

    def _restart(self) -> None:
        machine = self._any_machine()
        self.trace("stop", machine.name)

        async def stop() -> None:
            await machine.stop()
            self.loop.kill(machine.process)

        if machine.process.alive:
            self.loop.spawn(stop(), machine.process)

    def _fell_database(self) -> None:
        self._set_database(down=True)
        seconds = self._hazards.uniform(0.0, self.weather.database_down_seconds_max)
        self.loop.outside(seconds, self._raise_database)

    def _raise_database(self) -> None:
        self._set_database(down=False)

    def _set_database(self, *, down: bool) -> None:
        self.trace("database", "down" if down else "up")
        self._is_down = down
        if down:
            self.turns.forget()
            if self.options.webhooks:
                self.hook_turns.forget()
            if self.owing is not None:
                self.owing.forget_turns()
            if self.settlers is not None:
                self.settlers.forget_turns()
        for wire in self._wires:
            wire.is_cut = down

    def _fell_operator(self) -> None:
        name = self._hazards.choice(sorted(self.operators))
        self.operators[name].is_out = True
        self.trace("outage", name)
        self.loop.outside(self._hazards.uniform(10.0, 2 * HOUR), self._raise_operator, name)

    def _raise_operator(self, name: str) -> None:
        self.operators[name].is_out = False

    def _open_breaker(self) -> None:
        name = self._hazards.choice(sorted(self.operators))
        self.breakers_open.add(name)
        self.trace("breaker", name)
        self.loop.outside(self._hazards.uniform(10.0, HOUR), self.breakers_open.discard, name)

    def _replay(self) -> None:
        self.trace("replay")
        self.operators[self._hazards.choice(sorted(self.operators))].replay()

    def _list_somebody(self) -> None:
        """A sanctions list has changed; whoever is on it is paid once people have looked."""
        person = self._hazards.choice(PEOPLE)
        self.lists[person.customer.msisdn] = len(self.lists) + 1
        self.trace("listed", person.customer.msisdn)

    # The database is lost, and what is left is of a moment ago.

    def _await_restore(self) -> None:
        """Once in a while, in some worlds; long enough before the quiet."""
        if self.may_restore and self._hazards.random() < self.weather.restored:
            most = min(self.weather.lost_seconds_max, self.span / 2)
            when = self._hazards.uniform(0.0, self.span)
            lost = self._hazards.choice((1.0, 10.0, 60.0, most, most * self._hazards.random()))
            self.loop.outside(when, self._back_up, lost)

    def _back_up(self, lost_seconds: float) -> None:
        self.loop.outside(lost_seconds, self._restore, self.model.copy())

    def _restore(self, backup: Model) -> None:
        """Everybody is stopped, the rows are of before, and the world outside went on."""
        if self.is_calm:
            return
        self.happened["restored"] += 1
        down_seconds = self._hazards.choice((5.0, 60.0, HOUR * self._hazards.random()))
        self._down_until = self.loop.time() + down_seconds
        for wire in self._wires:
            wire.is_cut = True
        self._wires.clear()
        for machine in self.machines.values():
            self.loop.kill(machine.process)
        self.model.restore(backup)
        self.laws.forget()
        newest = max(map(epoch_of, [*self.model.payments, *self.model.outbox]), default=0.0)
        self.restored = Restored(max(START + self._down_until, newest + 0.001))
        self.staff.restored()
        self.turns.forget()
        for people in (
            self.clerk, self.stray_staff, self.owner, self.clients, self.client_laws, self.owing
        ):  # fmt: skip
            if people is not None:
                people.restored()
        if self.options.webhooks:
            self.hook_laws.restored()
            self.hook_changes.restored()
            self.hook_turns.forget()
            self.telling.restored()
        if self.sim_changes is not None:
            self.sim_changes.laws.restored()
        self.trace("restored", len(self.laws.lost), f"{self.restored.at:.3f}")

    # The world grows quiet.

    def _grow_calm(self) -> None:
        self.trace("calm")
        self.is_calm = True
        self.weather.calm()
        if self.options.webhooks:
            self.hook_weather.calm()
        if self.settlers is not None:
            self.settlers.calm()
        self.breakers_open.clear()
        self._set_database(down=False)
        for machine in self.machines.values():
            self._set_clock(machine, 0.0)
            machine.process.frozen_until = 0.0
            if self.options.crash_at is None:
                machine.process.dies_at_step = 0
        for operator in self.operators.values():
            operator.is_out = False
            operator.settle()
        self.lists.clear()
        self._quiet_until = self.loop.time() + self._quiet_days * DAY
        self.loop.outside(HOUR, self._look)

    def _look(self) -> None:
        """Whether all has come to its end. News that turns things around may take nine days."""
        open_jobs = any(job.outcome is None for job in all_jobs(self.operators))
        waits = self._busy or open_jobs or self.intents() or self.laws.unsettled()
        waits = waits or self.staff.is_busy
        waits = waits or any(people.is_busy for people in self._around())
        if not waits and not (self.laws.turned and self.loop.time() < self._quiet_until):
            self.loop.stop()
        elif self.loop.time() >= self._quiet_until:
            if unsettled := self.laws.unsettled():
                row = self.model.payments[unsettled[0]]
                self.laws.broken(
                    "a payment never ends", payment=unsettled[0], state=row.state, due=row.due
                )
            self.loop.stop()
        else:
            self._check_that_nothing_is_overdue()
            self.loop.outside(HOUR, self._look)

    def _around(
        self,
    ) -> list[
        Clerk
        | Payers
        | Askers
        | StrayStaff
        | Owner
        | Clients
        | Receivers
        | Ported
        | Owing
        | SimChanges
        | HookOwners
        | Settlers
    ]:
        """Whoever else there is in this world."""
        all_ = (
            self.clerk, self.payers, self.askers, self.stray_staff, self.owner, self.clients,
            self.receivers if self.options.webhooks else None, self.ported, self.owing,
            self.sim_changes, self.hook_owners, self.settlers,
        )  # fmt: skip
        return [people for people in all_ if people is not None]

    def _check_that_nothing_is_overdue(self) -> None:
        """In a quiet world a worker comes within the hour to whatever is due."""
        due = self.next_due()
        if due is not None and due + HOUR < START + self.loop.time():
            self.laws.broken("nobody came to what was due", due=due)

    # People at the desk.

    def _open_desk(self) -> None:
        """Somebody looks every few hours at what waits for people, or sooner in a brief world."""
        self.loop.spawn(self.staff.visit())
        longest = 6 * HOUR if self.is_calm else min(6 * HOUR, self.span / 3)
        self.loop.outside(self._hazards.uniform(longest / 6, longest), self._open_desk)

    def any_machine(self, chance: random.Random) -> Machine:
        return self.machines[chance.choice(MACHINES)]

    # Customers.

    async def _customer(self) -> None:
        """Somebody sends money, and presses as people press."""
        chance = self._people
        try:
            payer, payee = chance.sample(PEOPLE, 2)
            while payer.customer.country == payee.customer.country:
                payee = chance.choice(PEOPLE)
            quote = await self._quoted(payer, payee)
            if quote is None:
                return
            key = f"key-{quote.quote_id}"
            if self._happens("hesitates"):
                await asyncio.sleep(chance.uniform(60.0, 300.0))
            presses = [self._confirmed(payer, quote, key)]
            if self._happens("double_press"):
                presses.append(self._confirmed(payer, quote, key))
            if self._happens("other_body"):
                other = await self._quoted(payer, payee)
                if other is not None:
                    presses.append(self._confirmed(payer, other, key))
            restored = self.restored
            answers = [a for a in await asyncio.gather(*presses) if a is not None]
            if restored is self.restored:  # else what was acknowledged may be lost
                self.acknowledge(key, [answer.payment_id for answer in answers])
                if answers and self._happens("cancels"):
                    await self._cancel(answers[0].payment_id)
        except Exception as error:  # noqa: BLE001 - a world without customers keeps every law
            self.laws.broken(f"nobody foresaw {type(error).__name__}: {error}")
        finally:
            self._busy -= 1

    def acknowledge(self, key: str, payments: list[PaymentId]) -> None:
        """Somebody was told that these were taken on."""
        if len(set(payments)) > 1:
            self.laws.broken("one key, two payments", key=key)
        for payment_id in payments:
            self._acknowledged.append(payment_id)
            if payment_id not in self.model.payments:
                self.laws.broken("acknowledged and not stored", payment=payment_id)

    async def _cancel(self, payment_id: PaymentId) -> None:
        """The payer thinks better of it, and is told whether that came in time."""
        await asyncio.sleep(self._people.uniform(0.0, 6.0))
        ruling = Ruling("the payer")

        async def cancel(machine: Machine) -> bool:
            return await machine.rulings.cancel(payment_id, ruling)

        restored = self.restored
        is_cancelled = await self.served(cancel, self._people)
        self.trace("cancelled", payment_id, is_cancelled)
        if is_cancelled and restored is self.restored:
            self.laws.told_cancelled(payment_id)

    def _happens(self, name: str) -> bool:
        if self._people.random() >= getattr(self.weather, name):
            return False
        self.happened[name] += 1
        return True

    async def _quoted(self, payer: Person, payee: Person) -> Quote | None:
        major = self._people.choice((150, 500, 1_000, 15_000)) * self._people.randint(1, 3)
        currency = "KES" if payer.customer.country == "KE" else "UGX"
        minor = major * 100 if currency == "KES" else major * 30

        async def quote(machine: Machine) -> Quote:
            return await machine.payments.selling.quote(
                payer=payer.customer, network=payer.network, payee=payee.customer.msisdn,
                amount=Money(minor, currency),
            )  # fmt: skip

        return await self.served(quote, self._people)

    async def _confirmed(self, payer: Person, quote: Quote, key: str) -> Confirmed | None:
        async def confirm(machine: Machine) -> Confirmed:
            return await machine.payments.confirming.confirm(
                payer=payer.customer, quote=quote, key=key
            )

        return await self.served(confirm, self._people)

    async def served(
        self,
        ask: Callable[[Machine], Coroutine[Any, Any, T]],
        chance: random.Random,
        *,
        tries: int = 6,
    ) -> T | None:
        """The answer of any process; who hears nothing asks again, a few times."""
        for _ in range(tries):
            machine = self.any_machine(chance)
            try:
                return await self.request(machine, ask)
            except (CustomerMistake, NoWayNow, StaffMistake):
                return None
            except OurFault as error:
                if "CONFLICT" in str(error):
                    return None
            except (OSError, TimeoutError, CappError):
                pass
            await asyncio.sleep(chance.uniform(1.0, 20.0))
        return None

    async def request(
        self,
        machine: Machine,
        ask: Callable[[Machine], Coroutine[Any, Any, T]],
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> T:
        """Run it in the process; a dead or frozen one never answers."""
        if not machine.process.alive:
            raise ConnectionRefusedError(machine.name)
        work = ask(machine)
        answer: asyncio.Future[T] = self.loop.create_future()

        async def serve() -> None:
            try:
                result = await work
            except Exception as error:  # noqa: BLE001 - it is the reply
                end_if_refused(error)  # as every door of ours
                fail(answer, error)
            else:
                give(answer, result)

        # No error of its own: it would hold on to what waits here, and that to it.
        patience = self.loop.outside(patience_seconds, give, answer, TOO_LATE)
        self.loop.spawn(serve(), machine.process)
        try:
            if (said := await answer) is TOO_LATE:
                raise TimeoutError(machine.name)
        finally:
            patience.cancel()
        return said

    # Callbacks.

    def _deliver(
        self, operator: SimulatedOperator, attempt_id: AttemptId, callback: Callback, tries: int = 0
    ) -> None:
        self.loop.spawn(self._delivered(operator, attempt_id, callback, tries))

    async def _delivered(
        self, operator: SimulatedOperator, attempt_id: AttemptId, callback: Callback, tries: int
    ) -> None:
        machine, restored = self.any_machine(self._people), self.restored
        try:
            await self.request(machine, lambda door: door.receive(attempt_id, callback))
        except (OSError, TimeoutError, CappError, LookupError) as error:
            self.trace("callback not taken", operator.facts.name, attempt_id, type(error).__name__)
            if operator.habits.redelivers and tries < 5:
                again = (operator, attempt_id, callback, tries + 1)
                self.loop.outside(10.0 * 4**tries, self._deliver, *again)
            return
        self.trace("callback", operator.facts.name, attempt_id, callback.finding.outcome)
        source = Source.QUERY if callback.answers_query else Source.CALLBACK
        if restored is not self.restored:
            return
        if (attempt_id, body_hash(source, callback.redacted)) not in self.model.evidence:
            self.laws.broken("acknowledged and not kept", attempt=attempt_id)

    # The making of it.

    def _bring_papers(self, chance: random.Random) -> None:
        """Operators' statements, laws about them, and news that comes later than they do."""
        self.clerk = Clerk(self, chance)
        self.paper_laws = PaperLaws(self, self.clerk)
        for port in self.operators.values():
            port.callback_late_max = CALLBACK_LATE_DAYS * DAY

    def _weather(self, chance: random.Random) -> Weather:
        weather = copy(self.options.weather)
        if self.options.stirred:
            weather.stir(chance)
        return weather

    def _operators(
        self, chance: random.Random, kind: random.Random
    ) -> dict[str, SimulatedOperator]:
        out = {}
        for facts in OPERATORS:
            changed = msgspec.structs.replace(
                facts,
                can_refund=kind.random() < 0.75,
                collect_repeat_is_safe=kind.random() < 0.5,
                disburse_repeat_is_safe=(is_safe := kind.random() < 0.7),
                refund_repeat_is_safe=is_safe,
            )
            habits = Habits(
                needs_reference=kind.random() < 0.5,
                answers_by_callback=kind.random() < 0.4,
                redelivers=kind.random() < 0.5,
            )
            kind_of = self._kind_of_operator()
            out[facts.name] = kind_of(
                changed, habits, loop=self.loop, chance=chance, weather=self.weather,
                deliver=self._deliver, happened=self.happened,
            )  # fmt: skip
            out[facts.name].on_fate = self._note_order
        return out

    def _kind_of_operator(self) -> type[SimulatedOperator]:
        if self.options.strays:
            return ReturningOperator
        return PayInOperator if self.options.pay_ins else SimulatedOperator

    def _bring_desk(self, strays: random.Random, owner: random.Random) -> None:
        """People who decide about stray money and about liquidity, and laws about both."""
        self.laws.looks_at_returned = self.options.portals
        self.stray_staff: StrayStaff | None = None
        if self.options.strays and self.payers is not None:
            self.stray_staff = StrayStaff(self, strays)
            self.payers.is_assigned = self.stray_staff.is_assigned
        self.owner: Owner | None = None
        self.owner_laws: OwnerLaws | None = None
        if self.options.liquidity:
            self.owner = Owner(self, owner)
            put_in = Counter({currency: minor for currency, _, minor in ENDOWED})
            self.owner_laws = OwnerLaws(self, self.owner, put_in)

    def _bring_clients(self, chance: random.Random) -> None:
        """Businesses, laws about what they ask for, and rates that move."""
        self.client_weather = copy(self.options.client_weather)
        if self.options.stirred:
            self.client_weather.stir(chance)
        self._market = Market(self, chance)
        self.clients: Clients | None = None
        self.client_laws: ClientLaws | None = None
        if self.options.clients or self.options.webhooks:
            self.clients = Clients(self, chance)
            self.client_laws = ClientLaws(self, self.clients)

    def _bring_receivers(self, chance: random.Random, owners: random.Random) -> None:
        """Endpoints of businesses, who look after them, and laws about what they are told."""
        self.hook_weather = copy(self.options.hook_weather)
        if self.options.stirred:
            self.hook_weather.stir(chance)
        self.hook_chance = chance
        self.hook_turns = Turns(self.loop)
        self.receivers = Receivers(self, chance)
        self.hook_laws = self.receivers.laws = HookLaws(self, self.receivers)
        self.hook_changes = HookChangeLaws(self)
        if self.options.subscriptions:
            self.hook_owners = HookOwners(self, owners, self.receivers)
        self.telling = Telling(self, chance)

    def open_books(self) -> None:
        """The accounts of both corridors, and liquidity at both operators."""
        for number in self.accounts():
            self.model.open(number, guarded=read_account(number).kind in GUARDED)
        for n, plan in enumerate(endowments()):
            verdict = self.endow(plan, START * 1000 + n).verdict
            assert verdict is Verdict.APPLIED, verdict

    def endow(self, plan: Plan, at_ms: int) -> Verdicted:
        return self.model.commit([plan], at_ms)[0]

    def accounts(self) -> set[int]:
        numbers = {number for route in routes() for number in route}
        if self.clerk is not None:
            numbers |= {
                Account(1, facts.currency, kind, facts.code).number
                for facts in OPERATORS
                for kind in (Kind.FLOAT, Kind.OPERATOR_COST, Kind.SUSPENSE)
            }
        if self.options.strays or self.options.liquidity:
            numbers |= {
                Account(1, facts.currency, kind, facts.code).number
                for facts in OPERATORS
                for kind in (Kind.FLOAT, Kind.RETURN_HELD, Kind.WITHDRAWAL_HELD)
            }
        return numbers

    def intents(self) -> list[str]:
        """What is still to be carried out."""
        return list(self.model.outbox)

    def check_end(self) -> None:
        """What must hold once it is quiet."""
        self.laws.check_all(self._acknowledged)
        if self.clerk is not None:
            self.paper_laws.check_end()
        if self.askers is not None:
            self.askers.check_end()
        if self.stray_staff is not None:
            self.stray_staff.check_end()
        if self.owner_laws is not None:
            self.owner_laws.check_end()
        if self.client_laws is not None:
            self.client_laws.check_end()
        if self.options.webhooks:
            self.hook_laws.check_end()
        if self.owing is not None:
            self.owing.check_end()
        if self.settlers is not None:
            self.settlers.laws.check_end()

    def _note_order(self, operator: SimulatedOperator, order: Order, fate: str) -> None:
        process = CURRENT.get()
        who = process.name if process else "nobody"
        self.trace("order", who, operator.facts.name, order.direction.name, order.attempt_id, fate)

    def _note_plan(self, plan: Plan) -> None:
        self.trace("plan", plan.payment, plan.version, plan.state, plan.begins, plan.ends)


def is_worker(name: str) -> bool:
    """Whether that machine sweeps; its first task is to do so until it dies."""
    return name.startswith("worker")


def routes() -> list[Route]:
    """The accounts of both corridors, by every way there is and back."""
    kenya = [(f.currency, f.code) for f in OPERATORS if f.currency == "KES"]
    uganda = [(f.currency, f.code) for f in OPERATORS if f.currency == "UGX"]
    ends = [*product(kenya, uganda), *product(uganda, kenya)]
    return [route_accounts(1, source=source, destination=there) for source, there in ends]


def endowments() -> list[Plan]:
    """Liquidity at both operators: enough for most, not for all."""
    out = []
    first = int(first_id_at(datetime.fromtimestamp(START, UTC)), 16)
    for n, (currency, code, minor) in enumerate(ENDOWED, 1):
        float_ = Account(1, currency, Kind.FLOAT, code).number
        pool = Account(1, currency, Kind.POOL_AVAIL).number
        transfers = top_up(float_, pool, minor)
        id_ = f"{first + n:032x}"
        out.append(Plan(id_, CREATE, 1, 100, key=f"float {n}", transfers=transfers))
    return out


EXPECTED = (CappError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class _Listener(logging.Handler):
    """An error that the engine logs with its cause and that nobody foresaw is a breach."""

    def __init__(self, laws: Laws) -> None:
        super().__init__(logging.ERROR)
        self._laws = laws

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and (isinstance(error, Impossible) or not isinstance(error, EXPECTED)):
            self._laws.broken(f"nobody foresaw {type(error).__name__}: {error}")


@contextmanager
def _listening(laws: Laws) -> Iterator[None]:
    log = logging.getLogger("engine")
    before = log.level, log.propagate
    listener = _Listener(laws)
    log.addHandler(listener)
    log.setLevel(logging.ERROR)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(listener)
        log.level, log.propagate = before[0], before[1]
        log.setLevel(before[0])

"""One process of a simulated world: the real engine, wired to the model and to simulated companies.

It is what `channels/wiring.py`, `channels/worker.py` and `channels/operators.py` make of the
engine, without HTTP.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple

import asyncpg
import msgspec

from channels.wiring import MENUS
from engine.clock import AttemptId, Clock, Ids
from engine.customers.customers import Customer
from engine.decisions import Decision
from engine.decisions import Kind as About
from engine.desk.booking import Booker
from engine.desk.desk import Desk
from engine.desk.movements import Movements
from engine.dispatch import Dispatcher
from engine.errors import CappError, NoWayNow
from engine.fx.quotes import Corridor, Quote
from engine.fx.rates import Rate, RateBook
from engine.hooks.courier import Courier
from engine.hooks.hooks import Hooks
from engine.hooks.journal import JournalReader
from engine.hooks.secret import SecretKeys
from engine.ledger.committer import Committer
from engine.ledger.plans import Spend
from engine.memory import end_if_refused
from engine.messages.gateways import Gateway, Gateways
from engine.messages.letters import Letters
from engine.messages.planning import Writer
from engine.messages.sender import Messages
from engine.money import CURRENCIES, Money
from engine.msisdn import Msisdn
from engine.payments.approvals import Approvals, Look
from engine.payments.attested import Attested
from engine.payments.debts import Debts
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.paid_before import PaidOut
from engine.payments.patience import Patience
from engine.payments.payins.owners import Owners
from engine.payments.payins.payins import PayIns
from engine.payments.payins.returns import PayInReturns
from engine.payments.payins.strays import Strays
from engine.payments.payins.watch import PayInWatch
from engine.payments.payment import Payment
from engine.payments.planning import Timing
from engine.payments.policy import HOLD, Clearance
from engine.payments.pricing import Price
from engine.payments.ranking import Ranking
from engine.payments.reconciliation import Reconciler
from engine.payments.requests import RequestRules, Requests
from engine.payments.router import Router
from engine.payments.routing import Ways
from engine.payments.rulings import Rulings
from engine.payments.schedule import Schedule
from engine.payments.service import Payments
from engine.payments.settlement.gathering import Gathering
from engine.payments.settlement.settling import Settling
from engine.payments.statements.balances import BalanceBook
from engine.payments.statements.cases import StatementCases
from engine.payments.statements.consequences import Consequences
from engine.payments.statements.fees import FeeBook
from engine.payments.statements.importing import Statements
from engine.payments.statements.moves import Moves
from engine.payments.statements.ours import OursReader
from engine.payments.statements.pay_ins import PaidIns, nobody_paid_in, nobody_returns
from engine.payments.statements.store import StatementStore
from engine.payments.statements.suspense import Suspense
from engine.payments.stepping import Heard
from engine.payments.store import PaymentStore
from engine.ports import Callback, PaidIn
from engine.texts import Texts
from tests.simulation.client_door import ClientDoor
from tests.simulation.gateway import NobodyIsQuiet
from tests.simulation.hook_table import TENANT, ModelHookQueue, ModelHookStore, ModelJournalPool
from tests.simulation.loop import Process
from tests.simulation.model import START
from tests.simulation.paper_terms import TERMS
from tests.simulation.sim_clearing import SimClearing, unseen_of
from tests.simulation.wire import Wire
from tests.unit.payments.examples import KE_UG, UG_KE

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASE_SECONDS = 60
TIMING = Timing(lease=LEASE_SECONDS)
CORRIDORS = {
    ("mpesa_ke", "mtn_ug"): KE_UG,
    ("mtn_ug", "mpesa_ke"): UG_KE,
    ("mpesa_ke", "airtel_ug"): msgspec.structs.replace(KE_UG, payee_operator="airtel_ug"),
}
PAYOUT_COST_MINOR = {name: corridor.payout_cost_minor for (_, name), corridor in CORRIDORS.items()}
MIDS = {("KES", "UGX"): Decimal("28.45"), ("UGX", "KES"): Decimal("0.03515")}
DAY = 24 * 3600
OPEN_SECONDS = 2 * 3600
RULES = RequestRules(open_seconds=OPEN_SECONDS, unpaid_most=2, recent_most=4, again_seconds=600)
QUEUE_SECONDS = 30


class ProcessClock(Clock):
    """A wall clock that may be wrong by `offset` seconds; time itself is the loop's."""

    def __init__(self, world: "World") -> None:
        self._time = world.loop.time
        self.offset = 0.0

    def epoch(self) -> float:
        return START + self._time() + self.offset


class FixedRates(RateBook):
    """Rates that never move and are never stale."""

    def __init__(self) -> None:
        """Needs no database."""
        self.is_fee_refunded: Callable[[], bool] = lambda: True

    def corridor(self, payer_operator: str, payee_operator: str) -> Corridor:
        try:
            found = CORRIDORS[payer_operator, payee_operator]
        except KeyError:
            raise NoWayNow("no_way.corridor") from None
        if self.is_fee_refunded():
            return found
        return msgspec.structs.replace(found, fee_is_refunded=False)

    def rate(self, base: str, quote: str) -> Rate:
        return Rate(base, quote, MIDS[base, quote], START * 1000, START * 1000)


class WorldPolicy:
    """Limits by customer and day; payouts wait while the world says that an operator is down."""

    def __init__(self, world: "World", clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self.clearing: SimClearing | None = None

    async def clear(
        self, payer: Customer, quote: Quote, told: str = "", *, expected: str = ""
    ) -> Clearance:
        decision = None
        if self.clearing is not None:
            decision = self.clearing.ask_ahead(quote.payer_operator, payer.msisdn)
        limit = self._world.day_limit_minor
        if limit is None:
            return Clearance(decision)
        now = self._clock.now()
        day, month = int(self._clock.epoch()) // DAY, now.year * 100 + now.month
        currency = CURRENCIES[quote.amount.currency].numeric
        return Clearance(
            decision,
            Spend(payer.customer_id, currency, day, month, quote.amount.minor, limit, 10 * limit),
        )

    def check_amount(self, payer: Customer, amount: Money) -> None:
        """Any amount will do."""

    async def clear_again(self, payment: Payment) -> Decision | None:
        if self.clearing is not None:
            return await self.clearing.clear_again(payment)
        version = self._world.lists.get(payment.quote.payee)
        before = payment.facts.clearance
        if version is None or (before is not None and before.inputs.get("list") == version):
            return None
        return Decision(About.COMPLIANCE, HOLD, "a name", {"list": version})

    def may_pay(self, operator: str) -> bool:
        return operator not in self._world.breakers_open

    async def take_turn(self, operator: str, minor: int) -> bool:
        return self.may_pay(operator)


class AnyWay(Router):
    """Every way there is, in an order of chance."""

    def __init__(self, world: "World") -> None:
        """Needs no health and no pools."""
        self._chance = world.id_chance

    def choose(self, ways: Ways, amount: Money, price: Price, *, from_pool: bool = True) -> Ranking:
        names = [facts.name for facts in ways.payouts]
        self._chance.shuffle(names)
        cost_minor = PAYOUT_COST_MINOR[ways.payee.name]
        return Chosen(tuple(names), cost_minor)  # type: ignore[return-value] # as a quote needs it


class Parts(NamedTuple):
    """What a process has that a comparison is made of."""

    wire: Wire
    store: PaymentStore
    committer: Committer
    clock: Clock
    ids: Ids


class Books(NamedTuple):
    """What a comparison reads and writes through."""

    kept: StatementStore
    cases: StatementCases
    ours: OursReader
    balances: BalanceBook
    suspense: Suspense
    pay_ins: PaidIns
    moves: Moves


class Chosen(NamedTuple):
    """What a quote takes from a ranking."""

    ways: tuple[str, ...]
    payout_cost_minor_max: int
    way_costs: tuple[int, ...] = ()
    decision: None = None


@cache
def _letters() -> Letters:
    return Letters(Writer(Texts.load(MENUS / "texts")), tenant=1, shortcode="*384*96#")


class Machine:
    """One process, from its start to its death."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.process = Process(name)
        self.clock = ProcessClock(world)
        self._ids = ids = Ids(self.clock, world.id_chance.randbytes)
        self.wire = wire = world.wire()
        directory = world.directory
        self.committer = committer = world.committer(wire, self.clock)
        self.store = world.store(wire)
        self.outbox = world.outbox(wire, self.clock)
        policy = WorldPolicy(world, self.clock)
        if world.sim_changes is not None:
            policy.clearing = world.sim_changes.clearing(self)
            committer.on_submit = world.sim_changes.laws.on_submit
        self._clearing = policy.clearing
        self.dispatcher = Dispatcher(
            operators=world.operators,
            messages=Messages(
                gateways=Gateways([Gateway("simulated", world.gateway)], clock=self.clock),
                outbox=self.outbox,
                opt_outs=NobodyIsQuiet(),
                letters=_letters(),
                clock=self.clock,
                draw=lambda: 0.5,
            ),
            outbox=self.outbox,
            store=self.store,
            clock=self.clock,
            callback_url=_address,
            patience=Patience(),
        )
        self.payments = Payments(
            tenant=1,
            committer=committer,
            store=self.store,
            rates=world.rates(),
            directory=directory,
            language_of=_language_of,
            clock=self.clock,
            ids=ids,
            timing=TIMING,
            policy=policy,
            hear=self.dispatcher.hear,
            router=AnyWay(world),
            wallets=world.ported.wallets(self) if world.ported is not None else None,
            restored=world.restored,
        )
        self.dispatcher.payments = self.payments
        if world.payers is not None:
            self.payments.late_news.hear_money = self._hear_money
        self.rulings = Rulings(
            stepper=self.payments.stepper,
            sequel=self.payments.sequel,
            store=self.store,
            policy=policy,
            withhold=self.outbox.withhold,
            clock=self.clock,
            restored=world.restored,
        )
        self.reconciler = Reconciler(
            store=self.store,
            outbox=self.outbox,
            payments=self.payments,
            ask=self.dispatcher.ask,
            clock=self.clock,
            schedule=Schedule(),
            also={
                **self.rulings.looks_after(TIMING.reminder),
                State.PAYOUT_QUEUED: self._look_at_queued,
            },
            restored=world.restored,
        )

    @cached_property
    def desk(self) -> Desk:
        """What people ask for and agree on, and whoever carries it out."""
        store, rulings, directory = self.store, self.rulings, self.world.directory
        approvals = Approvals(
            rulings=rulings, store=store, directory=directory,
            wallet_of=self.payments.selling.wallet_of, look=self._look,
        )  # fmt: skip
        attested = Attested(payments=self.payments, store=store, outbox=self.outbox)
        debts = Debts(rulings=rulings, store=store, directory=directory)
        paid_out = PaidOut(
            rulings=rulings, store=store, directory=directory,
            wallet_of=self.payments.selling.wallet_of,
        )  # fmt: skip
        return Desk(
            store=self.world.proposals(self.wire),
            executors={
                **approvals.executors(), **attested.executors(), **debts.executors(),
                **paid_out.executors(), **self._movements.executors(),
                **(self.returns.executors() if self.world.payers is not None else {}),
            },
            checks=self._movements.checks(),
            clock=self.clock,
            ids=self._ids,
            ahead=self._ahead,
        )  # fmt: skip

    @property
    def _look(self) -> Look | None:
        """Where SIMs are changed people are to have seen all that holds it."""
        if self._clearing is None:
            return None
        return unseen_of(self.world, self, self._clearing).look

    async def _ahead(self) -> float:
        """The database's clock is the loop's."""
        return self.clock.offset

    @property
    def _parts(self) -> Parts:
        return Parts(self.wire, self.store, self.committer, self.clock, self._ids)

    @cached_property
    def pay_in_watch(self) -> PayInWatch:
        """Whoever looks after pay-ins, and their ways back."""
        kept = self.world.pay_ins(self._parts)
        return PayInWatch(kept, self.pay_ins, self.owners, self.returns)

    @cached_property
    def _strays(self) -> Strays:
        operators = self.world.operators
        return Strays(
            tenant=1, suspense=self.world.books(self._parts).suspense, payments=self.store,
            operators={name: port.facts for name, port in operators.items()}, clock=self.clock,
        )  # fmt: skip

    @cached_property
    def owners(self) -> Owners:
        """Which of it is a payment's own collection."""
        return Owners(
            collected=self.world.collected(self._parts), store=self.world.pay_ins(self._parts),
            strays=self._strays, payments=self.store, clock=self.clock,
        )  # fmt: skip

    @cached_property
    def pay_ins(self) -> PayIns:
        """Money that comes by itself, as `channels/payins.py` makes it."""
        return PayIns(
            store=self.world.pay_ins(self._parts), payments=self.store,
            stepper=self.payments.stepper, sequel=self.payments.sequel,
            strays=self._strays, owners=self.owners, operators=self.world.operators,
            clock=self.clock, address=_address,
        )  # fmt: skip

    @cached_property
    def returns(self) -> PayInReturns:
        """What two people agree on about those."""
        return PayInReturns(
            pay_ins=self.pay_ins, store=self.world.pay_ins(self._parts), strays=self._strays,
            owners=self.owners, payments=self.store, booker=self._booker,
            proposals=self.world.proposals(self.wire),
            operators=self.world.operators, address=_address, clock=self.clock,
        )  # fmt: skip

    @cached_property
    def _booker(self) -> Booker:
        return self.world.booker(self._parts)

    @cached_property
    def _movements(self) -> Movements:
        facts = {name: port.facts for name, port in self.world.operators.items()}
        return Movements(self._booker, self.world.proposals(self.wire), facts)

    async def hear_pay_in(self, operator: str, paid: PaidIn) -> None:
        """A notice, as its door takes it: stored, and then answered whatever comes of it."""
        pay_in = await self.pay_ins.hear(operator, paid)
        try:
            await self.pay_ins.look(pay_in.id, may_call=False)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, CappError):
            self.world.trace("looked at again later", paid.receipt)

    @cached_property
    def statements(self) -> Statements:
        """Operators' statements beside our books, as `channels/statements.py` makes it."""
        books = self.world.books(self._parts)
        return Statements(
            tenant=1,
            operators={name: port.facts for name, port in self.world.operators.items()},
            terms=TERMS,
            store=books.kept,
            cases=books.cases,
            ours=books.ours,
            consequences=Consequences(
                books.kept, books.cases, self.payments, books.suspense, books.pay_ins, TERMS,
                self.clock, (self.store, self.outbox),
                self.returns.hear_return if self.world.payers is not None else nobody_returns,
            ),
            balances=books.balances,
            pay_ins=books.pay_ins,
            moves=books.moves,
            fees=FeeBook(self.world.proposals(self.wire), books.kept, books.cases, 1),
            clock=self.clock,
            hear_owners=self.owners.hear if self.world.payers is not None else nobody_paid_in,
        )  # fmt: skip

    @cached_property
    def clients(self) -> ClientDoor:
        """The API for businesses."""
        return ClientDoor(self, self.committer)

    @cached_property
    def gathering(self) -> Gathering:
        """What operators owe each other."""
        assert self.world.owing is not None
        return self.world.owing.gathering(self)

    @cached_property
    def settling(self) -> Settling:
        """Windows, from their closing to the books."""
        assert self.world.settlers is not None
        return self.world.settlers.settling(self)

    @cached_property
    def hooks(self) -> Hooks:
        """Subscriptions of businesses and of staff."""
        return Hooks(
            store=self._hook_store, keys=self._hook_keys,
            fault_in=self.world.receivers.fault_in, clock=self.clock,
        )  # fmt: skip

    @cached_property
    def _hook_store(self) -> ModelHookStore:
        store = ModelHookStore(self.world.model, self.wire)
        store.changes = self.world.hook_changes
        return store

    @cached_property
    def _hook_keys(self) -> SecretKeys:
        return SecretKeys({1: bytes(32)}, self.world.hook_chance.randbytes)

    @cached_property
    def _courier(self) -> Courier:
        world, wire = self.world, self.wire
        return Courier(
            queue=ModelHookQueue(world.model, wire, world.telling.wake),
            store=self._hook_store, keys=self._hook_keys, port=world.receivers,
            clock=self.clock, draw=world.hook_chance.random,
            note=lambda how: world.happened.update([f"hook {how}"]),
        )  # fmt: skip

    @cached_property
    def _journal(self) -> JournalReader:
        world = self.world
        pool = ModelJournalPool(world.model, self.wire, world.hook_turns, world.telling.wake)
        return JournalReader(pool, TENANT, self.clock, self._ids)

    async def read_journal(self) -> None:
        """As a worker does every second."""
        await self._swept("events", self._journal.sweep)

    async def tell_businesses(self) -> None:
        """Likewise; what it sets off goes on behind it."""
        await self._swept("webhooks", self._courier.sweep)

    async def _swept(self, what: str, sweep: Callable[[], Awaitable[int]]) -> None:
        try:
            await sweep()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, CappError):
            self.world.trace("sweep failed", self.name, what)

    @cached_property
    def requests(self) -> Requests:
        """Who asks whom for money, as `channels/wiring.py` makes it."""
        return Requests(
            store=self.world.requests(self.wire), selling=self.payments.selling,
            directory=self.world.directory, language_of=_language_of, clock=self.clock,
            ids=self._ids, rules=RULES,
        )  # fmt: skip

    async def work(self) -> None:
        """Sweep for ever, like the worker; between two sweeps until something may be due."""
        while True:
            for sweep in (self.dispatcher.sweep, self.reconciler.sweep):
                try:
                    await sweep(100)
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, CappError):
                    self.world.trace("sweep failed", self.name)
                except MemoryError as error:
                    end_if_refused(error)
                    raise
            await self.world.rest(self)

    async def _hear_money(self, operator: str, paid: PaidIn, proven: bool) -> None:
        await self.pay_ins.hear_stray(operator, paid, proven)

    async def receive(self, attempt_id: AttemptId, callback: Callback) -> None:
        """One callback, as the door for operators takes it. An error is no acknowledgement."""
        source = Source.QUERY if callback.answers_query else Source.CALLBACK
        finding = callback.finding
        heard = await self.payments.apply_finding(attempt_id, finding, source, callback.redacted)
        if heard is Heard.UNKNOWN:
            raise LookupError(attempt_id)
        if heard is Heard.NEEDS_PROOF:
            found = await self.store.attempt(attempt_id)
            if found is None:
                return
            if finding.provider_reference is not None:
                await self.payments.adopt_reference(found, finding.provider_reference)
            self.dispatcher.prove(found.payment, attempt_id, found.direction)

    async def _look_at_queued(self, payment: Payment) -> None:
        """As the engine does, and three times as seldom."""
        if not await self.rulings.order_payout(payment):
            await self.store.set_due(payment, int(self.clock.epoch()) + QUEUE_SECONDS)

    def go_on(self) -> None:
        """It stores again."""
        self.committer.is_stuck = False

    async def stop(self) -> None:
        """Leave in good order: calls under way are finished, what waits is left to the others."""
        await self.reconciler.stop()
        await self.dispatcher.stop()
        if "_courier" in self.__dict__:
            await self._courier.stop()


def _address(code: int, attempt_id: AttemptId) -> str:
    return f"http://127.0.0.1/{code}/{attempt_id}"


async def _language_of(_: Msisdn) -> str:
    return "sw"

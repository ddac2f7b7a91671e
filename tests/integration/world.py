"""The engine on a real Postgres, with operators and a gateway that do as a test tells them.

Time is the test's: nothing is dispatched, swept or asked before the test says so.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec

from channels.commands.seed import Seeds, read_seeds, seed
from channels.core import Deciders, Known, Outside, build_core
from channels.one_database import with_restore
from channels.privacy import give_keys, plan_sealer
from channels.settings import Settings, read_settings
from channels.wiring import MENUS
from engine.clock import AttemptId, Clock, CustomerId, Ids, PaymentId
from engine.customers.customers import Customer
from engine.database import connect, open_pool
from engine.decisions import Decision
from engine.dispatch import Dispatcher
from engine.errors import CappError, Unreadable
from engine.fx.quotes import Quote
from engine.fx.rates import RateBook
from engine.ledger.books import Books, open_accounts
from engine.ledger.chart import Account, Kind
from engine.ledger.committer import Committer
from engine.ledger.plans import Intent
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.payments.policy import Clearance
from engine.payments.portability_store import PortabilityStore
from engine.payments.reconciliation import Reconciler
from engine.payments.routing import Directory
from engine.payments.rulings import Rulings
from engine.payments.service import Payments
from engine.payments.stepping import Hear, Heard
from engine.payments.store import PaymentStore
from engine.payments.wallets import Wallets
from engine.ports import (
    Accepted,
    Callback,
    Finding,
    OperatorFacts,
    OperatorPort,
    Order,
    Outcome,
    Reason,
    Sms,
    SmsAccepted,
    SmsCallback,
    SmsMessage,
    SmsReport,
)
from engine.texts import Texts
from engine.which_database import Restores
from tests.numbering import directory_of
from tests.unit.payments.examples import MPESA, MTN, PAYEE, PAYER

SEEDS = Path(__file__).parent.parent.parent / "simulator" / "seed.yaml"
SUCCEEDED = Finding(Outcome.SUCCEEDED, "ok", receipt="R1")
FAILED = Finding(Outcome.FAILED, "1032", reason=Reason.DECLINED)
PENDING = Finding(Outcome.PENDING, "odd")


HOUR = timedelta(hours=1)


class TestClock(Clock):
    """Stands still until it is moved. Starts now, because partitions are made around today."""

    __test__ = False

    def __init__(self) -> None:
        self._epoch = self._start = Clock().epoch()

    def start_over(self) -> None:
        """Back to where it stood at first, for a world that several tests share."""
        self._epoch = self._start

    def epoch(self) -> float:
        return self._epoch

    def pass_(self, seconds: float) -> None:
        self._epoch += seconds

    def begin_a_month(self) -> None:
        """On behind the turn of a month that ends within the hour: partitions, chains and sums are
        by the month, and what is looked at together is to stand in one."""
        if (self.now() + HOUR).month != self.now().month:
            self.pass_(HOUR.total_seconds())


@dataclass
class ScriptedOperator:
    """An operator that answers each order with the next of `answers` (then accepts)."""

    facts: OperatorFacts
    answers: list[Exception | Accepted] = field(default_factory=list)
    findings: list[Exception | Finding] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    questions: list[Order] = field(default_factory=list)
    takes: Callable[[], None] = lambda: None  # what happens while it answers an order
    may_answer: asyncio.Event | None = None  # what it waits for before it answers one

    async def collect(self, order: Order) -> Accepted:
        self.orders.append(order)
        self.takes()
        if self.may_answer is not None:
            await self.may_answer.wait()
        answer = self.answers.pop(0) if self.answers else Accepted(f"ref-{order.attempt_id}")
        if isinstance(answer, Exception):
            raise answer
        return answer

    disburse = collect
    refund = collect

    async def query(self, order: Order) -> Finding:
        self.questions.append(order)
        finding = self.findings.pop(0) if self.findings else PENDING
        if isinstance(finding, Exception):
            raise finding
        return finding

    def read_callback(self, kind: str, body: bytes) -> Callback:
        raise Unreadable(self.facts.name, f"{kind} {len(body)}")

    async def aclose(self) -> None:
        """Nothing is open."""


@dataclass
class ScriptedSms:
    """A gateway that keeps what it is given."""

    sent: list[Sms] = field(default_factory=list)
    answers: list[Exception] = field(default_factory=list)

    async def send(self, message: Sms) -> SmsAccepted:
        if self.answers:
            raise self.answers.pop(0)
        self.sent.append(message)
        return SmsAccepted(f"m-{message.intent_id}")

    def read_report(self, callback: SmsCallback) -> SmsReport:
        raise Unreadable("sms", str(len(callback.body)))

    def read_message(self, callback: SmsCallback) -> SmsMessage:
        raise Unreadable("sms", str(len(callback.body)))

    async def aclose(self) -> None:
        """Nothing is open."""


@dataclass
class ScriptedPolicy:
    """Lets everything pass, save what a test has put in its way."""

    clearance: Clearance = Clearance()  # noqa: RUF009 - it never changes
    refusal: CappError | None = None
    changed: Decision | None = None
    asks: Callable[[Payment], Awaitable[Decision | None]] | None = None  # instead of the script
    closed: set[str] = field(default_factory=set)
    permits: int = 0

    def check_amount(self, payer: Customer, amount: Money) -> None:
        """Any amount will do."""

    async def clear(
        self, payer: Customer, quote: Quote, told: str = "", *, expected: str = ""
    ) -> Clearance:
        if self.refusal is not None:
            raise self.refusal
        return self.clearance

    async def clear_again(self, payment: Payment) -> Decision | None:
        return self.changed if self.asks is None else await self.asks(payment)

    def may_pay(self, operator: str) -> bool:
        return operator not in self.closed

    async def take_turn(self, operator: str, minor: int) -> bool:
        self.permits -= 1
        return self.permits >= 0


class EndedSweeps:
    """Sweeps of which nothing is left when they return: what they began is waited for."""

    def __init__(self, reconciler: Reconciler) -> None:
        self.begun_by = reconciler

    async def sweep(self, most: int = 100) -> int:
        """As `Reconciler.sweep`."""
        found = await self.begun_by.sweep(most)
        await self.begun_by.idle()
        return found


@dataclass
class World:
    """One process's engine, and the outside that the test plays."""

    clock: TestClock
    pool: Any
    payments: Payments
    rulings: Rulings
    policy: "ScriptedPolicy"
    directory: Directory
    store: PaymentStore
    dispatcher: Dispatcher
    reconciler: EndedSweeps
    committer: Committer
    books: Books
    mpesa: ScriptedOperator
    mtn: ScriptedOperator
    other: ScriptedOperator  # can pay into the same wallets as mtn, and takes no collections
    sms: ScriptedSms
    heard: list[tuple[Payment, tuple[Intent, ...]]]
    dispatching: bool = True

    async def quote(self, shillings: int = 1000) -> Quote:
        return await self.payments.selling.quote(
            payer=CUSTOMER, network="63902", payee=PAYEE, amount=Money(shillings * 100, "KES")
        )

    async def confirm(
        self, key: str | None = None, shillings: int = 1000, *, quote: Quote | None = None
    ) -> PaymentId:
        quote = quote or await self.quote(shillings)
        key = key or quote.quote_id
        confirmed = await self.payments.confirming.confirm(payer=CUSTOMER, quote=quote, key=key)
        return confirmed.payment_id

    async def payment(self, payment_id: PaymentId) -> Payment:
        found = await self.store.payment(payment_id)
        assert found is not None
        return found

    async def state(self, payment_id: PaymentId) -> State:
        return (await self.payment(payment_id)).state

    async def live(self, payment_id: PaymentId) -> AttemptId:
        live = (await self.payment(payment_id)).live
        assert live is not None
        return live

    async def tell(
        self, attempt_id: AttemptId, finding: Finding, source: Source = Source.CALLBACK
    ) -> Heard:
        body = msgspec.json.encode(finding, enc_hook=str).decode()
        return await self.payments.apply_finding(attempt_id, finding, source, body)

    async def dispatched(self) -> None:
        """Let everything that was handed to the dispatcher come to its end."""
        await self.dispatcher.idle()

    async def cases(self) -> list[str]:
        return [
            r["kind"] for r in await self.pool.fetch("select kind from case_file order by kind")
        ]

    async def balance(self, account: str, currency: str) -> int:
        for line in await self.books.trial_balance():
            if (line.name, line.currency) == (account, currency):
                return line.minor
        raise KeyError(account)


CUSTOMER = Customer(CustomerId("c" * 32), PAYER, "KE", "en", 0)
ENVIRONMENT = {
    "REDIS_URL": "redis://unused",
    "CAPP_PUBLIC_URL": "http://127.0.0.1",
    "CAPP_PIN_KEYS": "1:" + "00" * 32,
    "CAPP_CALLBACK_KEYS": "00" * 32,
    "CAPP_SESSION_KEY": "00" * 32,
    "CAPP_GATEWAY_TOKEN": "0" * 32,
    "CAPP_COLLECT_DELAY_SECONDS": "0",
}


OTHER = msgspec.structs.replace(MTN, code=3, name="other_ug")


SEEDED = "_seeded"
"""In the name of a database that was copied from one with the seeds of a world."""
FACTS = {"mpesa_ke": MPESA, "mtn_ug": MTN, "other_ug": OTHER}


async def seed_world(database_url: str) -> None:
    """What every world begins with, stored for those that are opened on copies."""
    await seed(settings_for(database_url), _seeds(), FACTS, Clock())
    pool = await open_pool(database_url)
    await _open_other(pool)
    await pool.close()


async def _open_other(pool: Any) -> None:
    async with pool.acquire() as connection:
        await open_accounts(
            connection,
            [Account(1, "UGX", kind, 3) for kind in (Kind.FLOAT, Kind.PAYOUT_IN_FLIGHT)],
        )


def settings_for(database_url: str, **environment: str) -> Settings:
    return read_settings({**ENVIRONMENT, "DATABASE_URL": database_url, **environment})


@cache
def _texts() -> Texts:
    """Reading them takes longer than most tests."""
    return Texts.load(MENUS / "texts")


@cache
def _seeds() -> Seeds:
    return read_seeds(SEEDS)


@asynccontextmanager
async def open_world(
    database_url: str,
    *,
    clock: TestClock | None = None,
    seeded: bool = True,
    payer: OperatorFacts = MPESA,
    also: Mapping[str, ScriptedOperator] | None = None,
    gateway: ScriptedSms | None = None,
    **environment: str,
) -> AsyncIterator[World]:
    """A process's engine. Two of them on one database are two processes.

    `payer` are the facts of who collects; `also` are further operators, without accounts.
    """
    clock = clock or TestClock()
    mpesa, mtn, sms = ScriptedOperator(payer), ScriptedOperator(MTN), gateway or ScriptedSms()
    other = ScriptedOperator(OTHER)
    is_bare = seeded and SEEDED not in database_url
    if is_bare:
        await seed(settings_for(database_url), _seeds(), FACTS, clock)
    operators: dict[str, OperatorPort] = {
        "mpesa_ke": mpesa, "mtn_ug": mtn, "other_ug": other, **(also or {}),
    }  # fmt: skip
    outside = Outside(operators, {"scripted": sms}, clock, Ids(clock), draw=lambda: 0.0)
    directory = directory_of({name: port.facts for name, port in operators.items()})
    settings = settings_for(database_url, **environment)
    pool = await open_pool(settings.database_url)
    await give_keys(settings, pool)
    async with pool.acquire() as connection:
        restores = Restores(1, clock, promoted_has_all=settings.promoted_has_all)
        settings = with_restore(settings, await restores.notice(connection))
    if is_bare:
        await _open_other(pool)
    committer = Committer(partial(connect, settings.database_url), clock, seal=plan_sealer(pool))
    await committer.start()
    rates = RateBook(1, clock, stale_after_seconds=86_400)
    await rates.refresh(pool)
    heard: list[tuple[Payment, tuple[Intent, ...]]] = []
    policy = ScriptedPolicy()
    world: World

    async def language_of(_: Msisdn) -> str:
        return "sw"

    def overhear(dispatch: Hear) -> Hear:
        def hear(payment: Payment, intents: tuple[Intent, ...]) -> None:
            heard.append((payment, intents))
            if world.dispatching:
                dispatch(payment, intents)

        return hear

    core = build_core(
        settings,
        outside,
        Known(directory, _texts(), rates),
        Deciders(
            policy,
            language_of,
            wallets=Wallets(directory, PortabilityStore(pool, 1, clock, outside.ids)),
        ),
        pool=pool,
        committer=committer,
        overhear=overhear,
    )
    books = Books(pool, 1, {port.facts.code: name for name, port in operators.items()})
    world = World(
        clock, pool, core.payments, core.rulings, policy, directory, core.store, core.dispatcher,
        EndedSweeps(core.reconciler), committer, books, mpesa, mtn, other, sms, heard,
    )  # fmt: skip
    try:
        yield world
    finally:
        await core.reconciler.stop()
        await core.dispatcher.stop()
        await committer.stop()
        await pool.close()

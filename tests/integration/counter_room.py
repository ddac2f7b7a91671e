"""The counter of payments on a real Postgres: two people who send, ask, cancel and complain."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from engine.clock import CustomerId, Ids, PaymentId
from engine.compliance.compliance import Compliance
from engine.compliance.history import HistoryStore
from engine.compliance.lists.store import ListStore
from engine.compliance.policy import read_policy
from engine.compliance.profiles import Profiles
from engine.compliance.screening import Screener
from engine.customers.customers import Customer
from engine.fx.quotes import Quote
from engine.fx.rates import RateBook
from engine.money import Money
from engine.msisdn import Msisdn
from engine.outbox import Outbox
from engine.payments.clearing import Clearing
from engine.payments.counter import Counter
from engine.payments.notices import MESSAGE, Message, read_message
from engine.payments.past_store import PastStore
from engine.payments.planning import Timing
from engine.payments.request_store import RequestStore
from engine.payments.requests import RequestRules, Requests
from engine.payments.rulings import Rulings
from engine.payments.service import Payments
from engine.payments.store import PaymentStore
from engine.payments.views import MoneyRequest
from tests.integration.books import assert_books
from tests.integration.world import CUSTOMER, SUCCEEDED, World, open_world
from tests.unit.payments.examples import PAYEE

POLICY = read_policy()
KES, UGX = "KES", "UGX"
SAFARICOM, MTN_UGANDA = "63902", "64110"
AMINA = CUSTOMER  # in Kenya, +254712000001
BRIAN = Customer(CustomerId("b" * 32), PAYEE, "UG", "sw", 1)
STRANGER = Customer(CustomerId("d" * 32), Msisdn("+254712000009"), "KE", "en", 0)


@dataclass
class Counted:
    """A pool that counts the statements that go through it."""

    pool: Any
    statements: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.pool, name)

        def counted(sql: str, *arguments: Any) -> Any:
            self.statements.append(sql)
            return method(sql, *arguments)

        return counted if name in ("fetch", "fetchrow", "fetchval", "execute") else method


@dataclass
class CounterRoom:
    """A world and its counter. `payments` is the counter's own, on a pool that counts."""

    world: World
    counter: Counter
    requests: Requests
    payments: Payments
    counted: Counted

    async def sent(self, shillings: int = 1000, payee: Msisdn = PAYEE) -> PaymentId:
        """Amina sends money; the order is not carried out yet."""
        quote = await self.counter.quote(
            payer=AMINA, network=SAFARICOM, payee=payee, amount=Money(shillings * 100, KES)
        )
        self.world.clock.pass_(0.002)  # ids of one millisecond have no order
        confirmed = await self.counter.confirm(payer=AMINA, quote=quote, key=quote.quote_id)
        return confirmed.payment_id

    async def arrived(self, shillings: int = 1000, payee: Msisdn = PAYEE) -> PaymentId:
        payment_id = await self.sent(shillings, payee)
        await self.arrive(payment_id)
        return payment_id

    async def arrive(self, payment_id: PaymentId) -> None:
        """The money is collected and paid out."""
        for _ in range(2):
            await self.world.dispatched()
            await self.world.tell(await self.world.live(payment_id), SUCCEEDED)
        await self.world.dispatched()

    async def code(self, payment_id: PaymentId) -> str:
        return (await self.world.payment(payment_id)).code

    async def ask(
        self, shillings: int = 28_000, *, key: str = "k1", payer: Msisdn = AMINA.msisdn
    ) -> str:
        """Brian asks for Uganda shillings."""
        self.world.clock.pass_(0.002)
        asked = await self.counter.ask(BRIAN, MTN_UGANDA, payer, Money(shillings, UGX), key=key)
        return asked.code

    async def quoted(self, code: str) -> Quote:
        return await self.counter.quote_request(AMINA, SAFARICOM, code)

    async def pay(self, code: str, *, key: str = "p1") -> PaymentId:
        """Amina approves: the payment is taken on, nothing is collected yet."""
        quote = await self.quoted(code)
        confirmed = await self.counter.confirm(payer=AMINA, quote=quote, key=key)
        return confirmed.payment_id

    async def state(self, code: str) -> str:
        found = await self.counter.requests_by(BRIAN.customer_id, 100)
        return next(request.state for request in found if request.code == code)

    async def asked_of_amina(self) -> list[MoneyRequest]:
        return await self.counter.requests_to(AMINA.msisdn)

    async def messages(self) -> list[Message]:
        rows = await self.world.pool.fetch(
            "select payload from outbox where kind = $1 order by id", MESSAGE
        )
        return [read_message(row["payload"]) for row in rows]


async def language_of(msisdn: Msisdn) -> str:
    return "sw" if msisdn == BRIAN.msisdn else "en"


@asynccontextmanager
async def open_room(
    database_url: str, rules: RequestRules | None = None
) -> AsyncIterator[CounterRoom]:
    """The books are right when it is left."""
    async with open_world(database_url) as world:
        yield await furnish(world, rules or RequestRules())
        await assert_books(world.pool)


async def furnish(world: World, rules: RequestRules = RequestRules()) -> CounterRoom:  # noqa: B008
    """The counter of a world that is open; `rules` never change."""
    counted = Counted(world.pool)
    clock, ids = world.clock, Ids(world.clock)
    store = PaymentStore(counted, world.directory)
    rates = RateBook(1, clock, stale_after_seconds=30 * 86_400)
    await rates.refresh(world.pool)

    def hear(payment: Any, intents: Any) -> None:
        if world.dispatching:
            world.dispatcher.hear(payment, intents)

    payments = Payments(
        tenant=1, committer=world.committer, store=store, rates=rates, directory=world.directory,
        language_of=language_of, clock=clock, ids=ids, timing=Timing(collect_delay=0),
        policy=world.policy, hear=hear,
    )  # fmt: skip
    rulings = Rulings(
        stepper=payments.stepper, sequel=payments.sequel, store=store, policy=world.policy,
        withhold=Outbox(world.pool, clock, lease_seconds=60).withhold, clock=clock,
    )  # fmt: skip
    requests = Requests(
        store=RequestStore(counted, 1), selling=payments.selling, directory=world.directory,
        language_of=language_of, clock=clock, ids=ids, rules=rules,
    )  # fmt: skip
    screener = Screener(ListStore(world.pool, 1, smaller_percent_min=80), POLICY.screening, clock)
    compliance = Compliance(
        policy=POLICY, screener=screener, history=HistoryStore(world.pool, 1),
        profiles=Profiles(world.pool, 1),
    )  # fmt: skip
    counter = Counter(
        tenant=1, selling=payments.selling, confirming=payments.confirming, rulings=rulings,
        requests=requests, past=PastStore(counted, 1, store, world.directory), store=store,
        limits_now=Clearing(compliance, clock).limits_now, clock=clock,
    )  # fmt: skip
    return CounterRoom(world, counter, requests, payments, counted)

"""The lives that the commit's bench drives through the real `Payments`, and where they begin."""

import asyncio
import time
from collections.abc import Coroutine
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from engine.clock import AttemptId, Clock, Ids, IntentId, PaymentId
from engine.customers.customers import Customer
from engine.database import connect, open_pool
from engine.fx.quotes import Corridor, Quote
from engine.fx.rates import RateBook
from engine.ledger.chart import route_accounts
from engine.ledger.committer import Committer
from engine.ledger.plans import Intent, Spend, note
from engine.money import Money
from engine.msisdn import Msisdn, Prefixes
from engine.outbox import Outbox, SmsEnding
from engine.payments.evidence import Source
from engine.payments.notices import SMS, read_notice
from engine.payments.payment import Payment
from engine.payments.planning import Timing
from engine.payments.policy import Clearance
from engine.payments.pricing import price
from engine.payments.routing import Directory
from engine.payments.service import Payments
from engine.payments.stepping import Heard
from engine.payments.store import Attempted, PaymentStore
from engine.ports import Direction, Finding, OperatorFacts, Outcome
from tests.bench.table import (
    Void,
)

TENANT = 1
POOL_MINOR = 10**15
TOPPED_UP = 100
_LIMIT = 10**9
KENYA = OperatorFacts(
    1, "mpesa_ke", "KE", "KES", 100, 100, _LIMIT, 1_000, _LIMIT, False, True, True, _LIMIT
)
UGANDA = OperatorFacts(2, "mtn_ug", "UG", "UGX", 1, 1, _LIMIT, 1, _LIMIT, True, True, True, _LIMIT)
CORRIDOR = Corridor(
    payer_operator=KENYA.name, payee_operator=UGANDA.name, spread_bp=150, fee_minor=1_000,
    fee_bp=100, amount_minor_min=100, amount_minor_max=_LIMIT, collection_cost_bp=0,
    payout_cost_minor=0,
)  # fmt: skip
ROUTE = route_accounts(TENANT, source=("KES", KENYA.code), destination=("UGX", UGANDA.code))
FOUND = Finding(Outcome.SUCCEEDED, "0", receipt="NLJ7RT61SV")
ATTEMPTS = (Direction.COLLECT, Direction.DISBURSE)
_CALLBACK, _ADVANCED = Source.CALLBACK, Heard.ADVANCED


def new_quote(ids: Ids, payer: Msisdn, payee: Msisdn) -> Quote:
    """A price as `Payments.quote` makes it, good for the whole run."""
    amount, mid = Money(100_000, "KES"), Decimal("28.45")
    priced = price(amount, mid, CORRIDOR, KENYA, UGANDA)
    return Quote(
        quote_id=ids.hex(), payer=payer, payee=payee, payer_operator=KENYA.name,
        payee_operator=UGANDA.name, amount=amount, fee=priced.fee, receives=priced.receives,
        rate=priced.rate, mid=f"{mid:f}", spread_minor=priced.spread_minor,
        rounding_minor=priced.rounding_minor, value_at_mid_minor=priced.value_at_mid_minor,
        collection_cost_minor=priced.collection_cost_minor, payout_cost_minor_max=0,
        payer_language="en", payee_language="en", expires_at=int(Clock().epoch()) + 3600,
    )  # fmt: skip


def callback_body(attempt_id: str) -> str:
    """As long as what the adapters keep of an operator's callback."""
    return (
        '{"Body":{"stkCallback":{"MerchantRequestID":"29115-34620561-1","CheckoutRequestID":'
        f'"{attempt_id}","ResultCode":0,"ResultDesc":"The service request is processed '
        'successfully.","CallbackMetadata":{"Item":[{"Name":"Amount","Value":1020.0},'
        '{"Name":"MpesaReceiptNumber","Value":"NLJ7RT61SV"}]}}}}'
    )


class Counting:
    """A policy that counts every payment against limits that nobody reaches here."""

    def check_amount(self, payer: Customer, amount: Money) -> None:
        """Any amount will do."""

    async def clear(
        self, payer: Customer, quote: Quote, told: str = "", *, expected: str = ""
    ) -> Clearance:
        return Clearance(
            spend=Spend(payer.customer_id, 404, 20_000, 202_611, quote.amount.minor, 2**60, 2**60)
        )

    async def clear_again(self, payment: Payment) -> None:
        return None

    def may_pay(self, operator: str) -> bool:
        return True

    async def take_turn(self, operator: str, minor: int) -> bool:
        return True


class Remembered(PaymentStore):
    """A store that already knows the payments of this process: no reads of its own."""

    def __init__(self, pool: Any, directory: Directory) -> None:
        super().__init__(pool, directory)
        self._by_attempt_id: dict[str, Attempted] = {}

    def remember(self, payment: Payment) -> None:
        """Have its live attempt found, once."""
        direction = payment.live_direction
        if payment.live is not None and direction is not None:
            operator = payment.operator_of(direction)
            self._by_attempt_id[payment.live] = Attempted(
                payment.live, direction, operator, payment
            )

    async def attempt(self, attempt_id: AttemptId) -> Attempted | None:
        return self._by_attempt_id.pop(attempt_id)


class Lives:
    """The payments of one driving process, lived one way."""

    def __init__(
        self,
        way: str,
        pool: Any,
        committer: Committer,
        clock: Clock,
        ids: Ids,
        policy: Counting | None = None,
    ) -> None:
        directory = Directory({f.name: f for f in (KENYA, UGANDA)}, Prefixes({}), {})
        self._remembered = Remembered(pool, directory) if way in ("commit", "unheld") else None
        self._dispatches = way == "dispatch"
        self._committer = committer
        self._ids = ids
        self._heard: dict[str, tuple[Payment, tuple[Intent, ...]]] = {}
        self._outbox = Outbox(pool, clock, lease_seconds=60)
        self._unstruck: list[str] = []
        self._is_striking = False
        self._endings: set[asyncio.Future[Any]] = set()
        self._payments = Payments(
            tenant=TENANT,
            committer=committer,
            store=self._remembered or PaymentStore(pool, directory),
            rates=RateBook(TENANT, clock, stale_after_seconds=3600),
            directory=directory,
            language_of=_english,
            clock=clock,
            ids=ids,
            timing=Timing(),
            policy=policy or Counting(),
            hear=self._hear,
        )
        self.steps: list[float] = []
        self.lived = 0

    async def live(self, payer: Customer, priced: Quote, key: str = "") -> None:
        """One payment from confirmed to paid, under this key or one of its own.

        Raises Void when a step is not taken.
        """
        now = time.perf_counter
        quote = msgspec.structs.replace(priced, quote_id=self._ids.hex())
        began = now()
        confirmed = await self._payments.confirming.confirm(
            payer=payer, quote=quote, key=key or quote.quote_id
        )
        self.steps.append(now() - began)
        for _ in ATTEMPTS:
            payment, _ = self._heard.pop(confirmed.payment_id)
            assert payment.live is not None
            if self._dispatches:
                await self._order(payment, payment.live)
            began = now()
            heard = await self._payments.apply_finding(
                payment.live, FOUND, _CALLBACK, callback_body(payment.live)
            )
            self.steps.append(now() - began)
            if heard is not _ADVANCED:
                raise Void(f"{payment.state.name} heard of its success and was {heard}")
        self._end_receipts(*self._heard.pop(confirmed.payment_id))
        self.lived += 1

    async def settled(self) -> None:
        """Wait until the receipts' intents are struck off."""
        while self._endings:
            await asyncio.gather(*self._endings)

    def _hear(self, payment: Payment, intents: tuple[Intent, ...]) -> None:
        self._heard[payment.payment_id] = payment, intents
        if self._remembered is not None:
            self._remembered.remember(payment)

    async def _order(self, payment: Payment, attempt_id: AttemptId) -> None:
        """What the dispatcher stores around an operator call."""
        if not await self._outbox.claim(attempt_id):
            raise Void("an intent was not there to be claimed")
        await self._payments.record_accepted(payment, attempt_id, f"ws_CO_{attempt_id}")

    def _end_receipts(self, payment: Payment, intents: tuple[Intent, ...]) -> None:
        """Nobody waits for receipts: the next payment is begun meanwhile."""
        if self._dispatches:
            for intent in intents:
                self._behind(self._send(payment, intent))
            return
        self._unstruck += [intent.id for intent in intents]
        if not self._is_striking:
            self._is_striking = True
            self._behind(self._strike(payment.payment_id))

    def _behind(self, work: Coroutine[Any, Any, None]) -> None:
        ending = asyncio.ensure_future(work)
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def _send(self, payment: Payment, intent: Intent) -> None:
        assert intent.kind == SMS
        if not await self._outbox.claim(intent.id):
            raise Void("a receipt was not there to be claimed")
        template = read_notice(intent.payload or "").template
        await self._outbox.end_sms(
            SmsEnding(IntentId(intent.id), payment.payment_id, TENANT, template, "sent", intent.id)
        )

    async def _strike(self, payment_id: PaymentId) -> None:
        """Many at once, as `Outbox.end_sms` does; what comes meanwhile goes with the next."""
        while self._unstruck:
            done, self._unstruck = tuple(self._unstruck), []
            await self._committer.submit_until_known(note(payment_id, TENANT, done=done))
        self._is_striking = False


async def live_one(url: str) -> None:
    """One payment with all that the dispatcher writes, for those who copy it. Raises Void."""
    clock = Clock()
    ids = Ids(clock)
    committer = Committer(partial(connect, url), clock, writers=1)
    await committer.start()
    pool = await open_pool(url, size=2)
    payer = Customer(ids.customer(), Msisdn("+254700000000"), "KE", "en", 0)
    lives = Lives("dispatch", pool, committer, clock, ids)
    await lives.live(payer, new_quote(ids, payer.msisdn, Msisdn("+256700000000")))
    await lives.settled()
    await committer.stop()
    await pool.close()


async def _english(_: Msisdn) -> str:
    return "en"

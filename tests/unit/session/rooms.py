"""The rooms a session asks, in memory: customers and payments that follow the real ones' rules.

Also used by the session's property and integration tests and by the bench of turns.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from engine.clock import Clock, CustomerId, Ids, PaymentId
from engine.customers.customers import Customer, PinVerdict
from engine.customers.store import ATTEMPTS_MAX, Customers
from engine.errors import CustomerMistake, NoWayNow
from engine.fx.quotes import Quote
from engine.money import Money
from engine.msisdn import Msisdn, country_of
from engine.payments.views import Confirmed, PaymentSummary
from engine.ports import Reply, Turn
from engine.session.actions import Actions
from engine.session.check import load_menu
from engine.session.networks import Networks
from engine.session.session import Seal, Session, unpack
from engine.session.store import Records
from engine.session.turn import TurnTaker
from engine.texts import Texts

QUOTE_SECONDS = 120
OPERATORS = {"KE": "mpesa_ke", "UG": "mtn_ug"}
AMOUNT_MAX = {"KES": 25_000_000, "UGX": 10_000_000}


class FakeClock(Clock):
    """Stands still until it is moved."""

    def __init__(self, epoch: float = 1_790_000_000.0) -> None:
        self.seconds = epoch

    def epoch(self) -> float:
        return self.seconds


class MemoryCustomers:
    """Customers and their PINs; three wrong ones lock for half an hour."""

    def __init__(self, ids: Ids, clock: Clock) -> None:
        self._ids = ids
        self._clock = clock
        self.known: dict[Msisdn, Customer] = {}
        self.pins: dict[CustomerId, str] = {}
        self.failures: dict[CustomerId, int] = {}
        self.locked: dict[CustomerId, datetime] = {}

    async def find(self, msisdn: Msisdn) -> Customer | None:
        return self.known.get(msisdn)

    async def register(self, msisdn: Msisdn, country: str, language: str, pin: str) -> Customer:
        self.refuse_weak(pin, msisdn)
        if msisdn not in self.known:
            customer = Customer(self._ids.customer(), msisdn, country, language, 0)
            self.known[msisdn] = customer
            self.pins[customer.customer_id] = pin
        return self.known[msisdn]

    def refuse_weak(self, pin: str, msisdn: Msisdn) -> None:
        Customers.refuse_weak(pin, msisdn)

    async def set_language(self, customer_id: CustomerId, language: str) -> None:
        for msisdn, customer in self.known.items():
            if customer.customer_id == customer_id:
                self.known[msisdn] = Customer(
                    customer_id, msisdn, customer.country, language, customer.tier
                )

    async def check_pin(self, customer: Customer, pin: str) -> PinVerdict:
        who = customer.customer_id
        if self.locked.get(who, datetime.min.replace(tzinfo=UTC)) > self._clock.now():
            return PinVerdict(right=False, left=0, locked_until=self.locked[who])
        if self.pins[who] == pin:
            self.failures[who] = 0
            return PinVerdict(right=True, left=ATTEMPTS_MAX)
        self.failures[who] = self.failures.get(who, 0) + 1
        left = ATTEMPTS_MAX - self.failures[who]
        if left == 0:
            self.failures[who] = 0
            self.locked[who] = self._clock.now() + timedelta(minutes=30)
            return PinVerdict(right=False, left=0, locked_until=self.locked[who])
        return PinVerdict(right=False, left=left)


class MemoryPayments:
    """Prices at one fixed rate; confirms once per key. `delay` seconds are taken by every call."""

    def __init__(self, ids: Ids, clock: Clock) -> None:
        self._ids = ids
        self._clock = clock
        self.confirmed: dict[str, Confirmed] = {}
        self.summaries: dict[CustomerId, PaymentSummary] = {}
        self.delay = 0.0
        self.failure: Exception | None = None

    def payer_operator(self, payer: Msisdn, network: str) -> str | None:
        return OPERATORS.get(country_of(payer) or "")

    def check_payee(self, *, payer: Customer, network: str, payee: Msisdn) -> None:
        if payee == payer.msisdn:
            raise CustomerMistake("mistake.own_number")
        if country_of(payee) is None:
            raise CustomerMistake("mistake.operator_unknown")
        if country_of(payee) == payer.country:
            raise NoWayNow("no_way.corridor")

    async def quote(self, *, payer: Customer, network: str, payee: Msisdn, amount: Money) -> Quote:
        await self._pause()
        country = country_of(payee)
        if country is None:
            raise CustomerMistake("mistake.operator_unknown")
        if country == payer.country:
            raise NoWayNow("no_way.corridor")
        if amount.minor > AMOUNT_MAX[amount.currency]:
            maximum = Money(AMOUNT_MAX[amount.currency], amount.currency)
            raise CustomerMistake("mistake.amount_max", maximum=maximum)
        return self._price(payer, payee, amount, country)

    def _price(self, payer: Customer, payee: Msisdn, amount: Money, country: str) -> Quote:
        target, rate = ("UGX", "27.1234") if country == "UG" else ("KES", "0.03")
        minor = amount.minor * 271_234 // 1_000_000 if target == "UGX" else amount.minor * 3
        return Quote(
            quote_id=self._ids.hex(),
            payer=payer.msisdn,
            payee=payee,
            payer_operator=OPERATORS[payer.country],
            payee_operator=OPERATORS[country],
            amount=amount,
            fee=Money(amount.minor // 100, amount.currency),
            receives=Money(minor, target),
            rate=rate,
            mid="28.10",
            spread_minor=1_000,
            rounding_minor=1,
            value_at_mid_minor=minor,
            collection_cost_minor=0,
            payout_cost_minor_max=500,
            payer_language=payer.language,
            payee_language=payer.language,
            expires_at=int(self._clock.epoch()) + QUOTE_SECONDS,
        )

    async def confirm(self, *, payer: Customer, quote: Quote, key: str) -> Confirmed:
        await self._pause()
        if earlier := self.confirmed.get(key):
            return Confirmed(earlier.payment_id, earlier.code, fresh=False)
        if quote.expires_at <= self._clock.epoch():
            raise CustomerMistake("mistake.quote_expired")
        code = f"CAPP{len(self.confirmed) + 1:06d}"
        self.confirmed[key] = Confirmed(PaymentId(self._ids.hex()), code, fresh=True)
        self.summaries[payer.customer_id] = PaymentSummary(
            code, "collecting", quote.amount, quote.receives, quote.payee,
            self._clock.now(), incoming=False,
        )  # fmt: skip
        return self.confirmed[key]

    async def last_payment(self, customer_id: CustomerId) -> PaymentSummary | None:
        await self._pause()
        return self.summaries.get(customer_id)

    async def _pause(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self.delay:
            await asyncio.sleep(self.delay)


class MemoryRecords:
    """Sessions in a dictionary, saved under the same condition as in Redis."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], bytes] = {}
        self.ttl_seconds = 0

    async def load(self, msisdn: Msisdn, session_id: str) -> bytes | None:
        return self.records.get((msisdn, session_id))

    async def save(
        self, msisdn: Msisdn, session_id: str, *, expected: bytes, record: bytes, ttl_seconds: int
    ) -> bytes | None:
        now = self.records.get((msisdn, session_id))
        if now and now != record and not (expected and now.startswith(expected)):
            return now
        self.records[msisdn, session_id] = record
        self.ttl_seconds = ttl_seconds
        return None


MENUS = Path(__file__).parents[3] / "menus"
TEXTS = Texts.load(MENUS / "texts")
NETWORKS = Networks.load(MENUS / "networks.yaml")
MENU = load_menu(MENUS, TEXTS, NETWORKS)
SHORTCODE = "*384*96#"
PAYER = Msisdn("+254712000001")
PIN = "4826"


class House:
    """A turn taker with its rooms in memory, and a phone to press keys on.

    One that `shares` another's rooms is a second process beside it.
    """

    def __init__(
        self,
        records: Records | None = None,
        networks: Networks = NETWORKS,
        shares: "House | None" = None,
    ) -> None:
        self.clock: FakeClock = shares.clock if shares else FakeClock()
        ids = Ids(self.clock)
        self.seal = Seal(b"k" * 32)
        self.records = MemoryRecords()
        self.customers: MemoryCustomers = (
            shares.customers if shares else MemoryCustomers(ids, self.clock)
        )
        self.payments: MemoryPayments = (
            shares.payments if shares else MemoryPayments(ids, self.clock)
        )
        self.turns = TurnTaker(
            menu=MENU,
            texts=TEXTS,
            networks=networks,
            store=records or self.records,
            actions=Actions(customers=self.customers, payments=self.payments, seal=self.seal),
            seal=self.seal,
            ids=ids,
            shortcodes=[SHORTCODE],
        )

    async def registered(self, language: str = "en") -> "House":
        await self.customers.register(PAYER, "KE", language, PIN)
        return self

    async def take(self, text: str, session_id: str = "s1", **fields: Any) -> Reply:
        turn = Turn(session_id, PAYER, "63902", SHORTCODE, text, cumulative=True)
        return await self.turns.take(msgspec.structs.replace(turn, **fields))

    async def press(self, *inputs: str, session_id: str = "s1") -> Reply:
        """Dial, then press one input after the other; the last reply."""
        reply = await self.take("", session_id)
        for count in range(1, len(inputs) + 1):
            reply = await self.take("*".join(inputs[:count]), session_id)
        return reply

    def session(self, session_id: str = "s1") -> Session:
        found = unpack(self.records.records[PAYER, session_id])
        assert found is not None
        return found

"""The rooms a session asks, in memory: customers and payments that follow the real ones' rules.

Also used by the session's property and integration tests and by the bench of turns.
"""

import asyncio
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from engine.clock import Clock, CustomerId, Ids, PaymentId
from engine.customers.customers import Customer, PinVerdict, Recipient
from engine.customers.store import ATTEMPTS_MAX, Customers, is_network_code
from engine.errors import CustomerMistake, NoWayNow
from engine.fx.quotes import Quote
from engine.menu.bundle import Bundle, read_bundle, version_of
from engine.menu.check import load_menu
from engine.menu.networks import Network, Networks
from engine.money import CURRENCY_OF_COUNTRY, Money
from engine.msisdn import Msisdn, country_of
from engine.payments.views import (
    Asked,
    Confirmed,
    LimitsLeft,
    MoneyRequest,
    PaymentSummary,
    RecentPayee,
)
from engine.ports import Reply, Turn
from engine.session.actions import build_verbs
from engine.session.drops import Drops
from engine.session.editions import Binder, Edition, Editions, RedisShelf
from engine.session.names import OperatorNames
from engine.session.press import Verb
from engine.session.render import Renderer
from engine.session.rooms import Words
from engine.session.sealing import RecordSeal
from engine.session.session import Seal, Session, pack, unpack
from engine.session.steps import LateWork, Steps
from engine.session.store import Pointer, Records
from engine.session.turn import TurnTaker
from engine.texts import Texts

QUOTE_SECONDS = 120
RECIPIENTS_MAX = 10
RECORD_SEAL = RecordSeal([b"k" * 32])
"""Of the stores that a `House` lives in."""
OPERATORS = {"KE": "mpesa_ke", "UG": "mtn_ug"}
AMOUNT_MAX = {"KES": 25_000_000, "UGX": 10_000_000, "USD": 190_000}


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
        self.saved: dict[CustomerId, dict[Msisdn, str]] = {}
        self.resets: set[CustomerId] = set()
        self.noted: list[str] = []
        self.guessed: dict[CustomerId, tuple[str, str]] = {}
        self.pin_delay = 0.0
        self.pin_failure: Exception | None = None

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
                self.known[msisdn] = msgspec.structs.replace(customer, language=language)

    async def note_network(self, customer: Customer, network: str) -> None:
        if network != customer.network and is_network_code(network):
            self.noted.append(network)
            self.known[customer.msisdn] = msgspec.structs.replace(
                self.known[customer.msisdn], network=network
            )

    async def change_pin(self, customer: Customer, pin: str) -> None:
        self.refuse_weak(pin, customer.msisdn)
        self.pins[customer.customer_id] = pin

    async def ask_pin_reset(self, customer: Customer) -> None:
        self.resets.add(customer.customer_id)

    def allow_reset(self, msisdn: Msisdn) -> None:
        """What two people of the staff do."""
        assert self.known[msisdn].customer_id in self.resets
        self.known[msisdn] = msgspec.structs.replace(self.known[msisdn], may_reset_pin=True)

    async def reset_pin(self, customer: Customer, pin: str) -> None:
        if not self.known[customer.msisdn].may_reset_pin:
            raise CustomerMistake("mistake.reset_over")
        self.known[customer.msisdn] = msgspec.structs.replace(
            self.known[customer.msisdn], may_reset_pin=False
        )
        self.pins[customer.customer_id] = pin
        self.locked.pop(customer.customer_id, None)

    async def recipients(self, customer_id: CustomerId) -> list[Recipient]:
        saved = self.saved.get(customer_id, {})
        return sorted((Recipient(m, n) for m, n in saved.items()), key=lambda r: r.name)

    async def save_recipient(self, customer_id: CustomerId, msisdn: Msisdn, name: str) -> None:
        saved = self.saved.setdefault(customer_id, {})
        if len(saved) >= RECIPIENTS_MAX and msisdn not in saved:
            raise CustomerMistake("mistake.recipients_full")
        saved[msisdn] = name

    async def remove_recipient(self, customer_id: CustomerId, msisdn: Msisdn) -> None:
        self.saved.get(customer_id, {}).pop(msisdn, None)

    async def check_pin(self, customer: Customer, pin: str, turn: str = "") -> PinVerdict:
        who = customer.customer_id
        if self.pin_delay:
            await asyncio.sleep(self.pin_delay)
        if self.pin_failure is not None:
            raise self.pin_failure
        if self.locked.get(who, datetime.min.replace(tzinfo=UTC)) > self._clock.now():
            return PinVerdict(right=False, left=0, locked_until=self.locked[who])
        if self.pins[who] == pin:
            self.failures[who] = 0
            return PinVerdict(right=True, left=ATTEMPTS_MAX)
        guess, before = (turn, pin), self.guessed.get(who)
        self.guessed[who] = guess
        self.failures[who] = self.failures.get(who, 0) + (not turn or guess != before)
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
        self.fee_is_refunded = True
        self.by_link: set[str] = set()  # operators whose payers get a page instead of a prompt
        self.currencies: dict[str, str] = {}  # of operators whose wallets hold other money
        self.unprompted: set[str] = set()  # operators that ask their payers nothing
        self.histories: dict[CustomerId, list[PaymentSummary]] = {}
        self.requests: dict[str, tuple[Msisdn, MoneyRequest]] = {}
        # Of requests: those that are answered are no longer among them.
        self._numbers = itertools.count(1)
        self.reported: list[str] = []
        self.reasons: list[str] = []
        self.own_requests: dict[CustomerId, list[MoneyRequest]] = {}
        self.keys: list[str] = []
        self.told: list[str] = []  # with each confirm, of the payee
        self.limits = (1_900_000, 3_900_000, 5_000_000)
        """Minor units for one payment, left today, left this month."""
        self.wallets: dict[str, list[str]] = {}
        """Country -> operators that can be paid into there."""
        self.unserved: set[str] = set()
        """Networks whose wallets nobody collects from."""
        self.delay = 0.0
        self.commit_delay = 0.0
        self.given_up: set[str] = set()  # keys under which nothing is taken on any more
        """Seconds from when a payment has its id to when it stands in the books."""
        self.failure: Exception | None = None

    def payer_operator(self, payer: Msisdn, network: str) -> str | None:
        return None if network in self.unserved else OPERATORS.get(country_of(payer) or "")

    def payer_currency(self, payer: Msisdn, network: str) -> str | None:
        country = country_of(payer) or ""
        return self.currencies.get(OPERATORS.get(country, "")) or CURRENCY_OF_COUNTRY.get(country)

    async def check_payee(self, *, payer: Customer, network: str, payee: Msisdn) -> None:
        if payee == payer.msisdn:
            raise CustomerMistake("mistake.own_number")
        if country_of(payee) is None:
            raise CustomerMistake("mistake.operator_unknown")
        if country_of(payee) == payer.country:
            raise NoWayNow("no_way.corridor")

    def payable_wallets(self, *, payer: Customer, network: str, payee: Msisdn) -> list[str]:
        return self.wallets.get(country_of(payee) or "", [])

    async def quote(
        self,
        *,
        payer: Customer,
        network: str,
        payee: Msisdn,
        amount: Money,
        wallet: str | None = None,
    ) -> Quote:
        await self._pause()
        country = country_of(payee)
        if country is None:
            raise CustomerMistake("mistake.operator_unknown")
        if country == payer.country:
            raise NoWayNow("no_way.corridor")
        if amount.minor > AMOUNT_MAX[amount.currency]:
            maximum = Money(AMOUNT_MAX[amount.currency], amount.currency)
            raise CustomerMistake("mistake.amount_max", maximum=maximum)
        quote = self._price(payer, payee, amount, country)
        return quote if wallet is None else msgspec.structs.replace(quote, payee_operator=wallet)

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
            fee_is_refunded=self.fee_is_refunded,
        )

    async def confirm(
        self, *, payer: Customer, quote: Quote, key: str, by_pin: bool = False, told: str = ""
    ) -> Confirmed:
        await self._pause()
        self.keys.append(key)
        self.told.append(told)
        if earlier := self.confirmed.get(key):
            return msgspec.structs.replace(earlier, fresh=False)
        if quote.expires_at <= self._clock.epoch():
            raise CustomerMistake("mistake.quote_expired")
        if quote.payer_operator in self.unprompted and not by_pin:
            raise NoWayNow("session.dial_instead")
        code = f"CAPP{len(self.confirmed) + 1:06d}"
        by_link = quote.payer_operator in self.by_link
        made_at = self._clock.now()
        if self.commit_delay:
            await asyncio.sleep(self.commit_delay)
        if key in self.given_up:
            raise NoWayNow("session.over")
        if quote.request and quote.request not in self.requests:
            raise CustomerMistake("mistake.request_gone")
        self.confirmed[key] = Confirmed(
            PaymentId(self._ids.hex()), code, fresh=True, by_link=by_link,
            prompted=quote.payer_operator not in self.unprompted,
        )  # fmt: skip
        summary = PaymentSummary(
            code, "collecting", quote.amount, quote.receives, quote.payee,
            made_at, incoming=False, may_cancel=True, by_link=by_link,
            prompted=self.confirmed[key].prompted, fee=quote.fee,
        )  # fmt: skip
        self.histories.setdefault(payer.customer_id, []).insert(0, summary)
        if quote.request:
            del self.requests[quote.request]
        return self.confirmed[key]

    async def code_of_key(self, key: str) -> str | None:
        known = self.confirmed.get(key)
        return known.code if known else None

    async def give_up(self, keys: Sequence[str]) -> str | None:
        taken = [self.confirmed[key].code for key in keys if key in self.confirmed]
        self.given_up |= {*keys} - {*self.confirmed}
        return max(taken, default=None)

    def turn_out(self, customer_id: CustomerId, state: str) -> None:
        """The customer's newest payment comes to a state."""
        history = self.histories[customer_id]
        history[0] = msgspec.structs.replace(history[0], state=state, may_cancel=False)

    async def recent_payments(
        self, customer_id: CustomerId, msisdn: Msisdn, most: int = 10
    ) -> list[PaymentSummary]:
        await self._pause()
        return self.histories.get(customer_id, [])[:most]

    async def recent_payees(self, customer_id: CustomerId, most: int = 5) -> list[RecentPayee]:
        last: dict[Msisdn, Money | None] = {}
        for summary in self.histories.get(customer_id, []):
            if not summary.incoming:
                is_over = summary.state in OVER
                last.setdefault(summary.payee, summary.amount if is_over else None)
        return [RecentPayee(msisdn, amount) for msisdn, amount in last.items()][:most]

    async def payment_by_code(self, customer: Customer, code: str) -> PaymentSummary | None:
        await self._pause()
        history = self.histories.get(customer.customer_id, [])
        return next((summary for summary in history if summary.code == code), None)

    async def confirmed_with_code(
        self, customer_id: CustomerId, code: str, since: datetime
    ) -> PaymentSummary | None:
        await self._pause()
        history = self.histories.get(customer_id, [])
        return next((s for s in history if s.code == code and s.at >= since), None)

    async def confirmed_since(
        self, customer_id: CustomerId, since: datetime
    ) -> PaymentSummary | None:
        history = self.histories.get(customer_id, [])
        return history[0] if history and history[0].at >= since else None

    async def cancel(self, customer: Customer, code: str, *, key: str) -> PaymentSummary:
        await self._pause()
        self.keys.append(key)
        history = self.histories[customer.customer_id]
        index = next(i for i, summary in enumerate(history) if summary.code == code)
        if history[index].state == "cancelled":
            return history[index]
        if not history[index].may_cancel:
            raise NoWayNow("no_way.sent")
        history[index] = msgspec.structs.replace(
            history[index], state="cancelled", may_cancel=False
        )
        return history[index]

    async def report_problem(self, customer: Customer, code: str, reason: str) -> str:
        self.reasons.append(reason)
        if code not in self.reported:
            self.reported.append(code)
        return f"C{self.reported.index(code) + 1}"

    async def limits_of(self, customer: Customer, currency: str) -> LimitsLeft:
        return LimitsLeft(0, *(Money(minor, currency) for minor in self.limits))

    async def check_payer(self, requester: Customer, network: str, payer: Msisdn) -> None:
        await self._pause()
        await self.check_payee(payer=requester, network=network, payee=payer)

    async def check_request(
        self, requester: Customer, network: str, payer: Msisdn, amount: Money
    ) -> None:
        await self._pause()
        if amount.minor > AMOUNT_MAX[amount.currency]:
            maximum = Money(AMOUNT_MAX[amount.currency], amount.currency)
            raise CustomerMistake("mistake.amount_max", maximum=maximum)

    async def ask(
        self, requester: Customer, network: str, payer: Msisdn, amount: Money, *, key: str
    ) -> Asked:
        await self._pause()
        self.keys.append(key)
        for known, (_, request) in self.requests.items():
            if request.state == key:
                return Asked(known)
        code = f"ASK{next(self._numbers):07d}"
        request = MoneyRequest(code, requester.msisdn, amount, self._clock.now(), key)
        self.requests[code] = (payer, request)
        own = msgspec.structs.replace(request, state="open", payer=payer)
        self.own_requests.setdefault(requester.customer_id, []).insert(0, own)
        return Asked(code)

    async def requests_to(self, msisdn: Msisdn, most: int = 10) -> list[MoneyRequest]:
        found = [request for payer, request in self.requests.values() if payer == msisdn]
        return [msgspec.structs.replace(request, state="open") for request in found][:most]

    async def requests_by(self, customer_id: CustomerId, most: int = 10) -> list[MoneyRequest]:
        return self.own_requests.get(customer_id, [])[:most]

    async def decline(self, payer: Customer, code: str) -> None:
        self.requests.pop(code, None)

    async def quote_request(self, payer: Customer, network: str, code: str) -> Quote:
        await self._pause()
        if code not in self.requests:
            raise CustomerMistake("mistake.request_gone")
        request = self.requests[code][1]
        country = country_of(request.requester) or ""
        minor = request.amount.minor * (1_000_000 if country == "UG" else 1)
        source = "KES" if country == "UG" else "UGX"
        amount = Money(minor // 271_234 + 1 if country == "UG" else minor // 3 + 1, source)
        quote = self._price(payer, request.requester, amount, country)
        return msgspec.structs.replace(quote, request=code)

    async def _pause(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self.delay:
            await asyncio.sleep(self.delay)


class MemoryNames:
    """An operator that tells who holds a wallet: the names it was given, None for the others."""

    def __init__(self) -> None:
        self.told: dict[Msisdn, str] = {}
        self.asked: list[Msisdn] = []
        self.delay = 0.0
        self.failure: Exception | None = None

    async def name_of(self, msisdn: Msisdn) -> str | None:
        self.asked.append(msisdn)
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.failure is not None:
            raise self.failure
        return self.told.get(msisdn)


class MemoryRecords:
    """Sessions in a dictionary, saved under the same condition as in Redis."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], bytes] = {}
        self.pointers: dict[str, str] = {}
        self.ttl_seconds = 0

    async def load(self, msisdn: Msisdn, session_id: str) -> bytes | None:
        return self.records.get((msisdn, session_id))

    async def last(self, msisdn: Msisdn) -> bytes | None:
        return self.records.get((msisdn, self.pointers.get(msisdn, "")))

    async def save(
        self,
        msisdn: Msisdn,
        session_id: str,
        *,
        expected: bytes,
        record: bytes,
        ttl_seconds: int,
        pointer: Pointer,
    ) -> bytes | None:
        now = self.records.get((msisdn, session_id))
        if now and now != record and not (expected and now.startswith(expected)):
            return now
        self.records[msisdn, session_id] = record
        self.ttl_seconds = ttl_seconds
        if pointer is Pointer.POINT:
            self.pointers[msisdn] = session_id
        elif pointer is Pointer.CLEAR and self.pointers.get(msisdn) == session_id:
            del self.pointers[msisdn]
        return None


class MemoryRedis:
    """The few commands that statistics and the shelf of editions use."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    async def execute(self, *command: bytes | str | int | float) -> Any:
        name, key, *rest = command
        match name:
            case "SET":
                self.values[str(key)] = rest[0]
            case "GET":
                return self.values.get(str(key))
            case "HINCRBY":
                counts = self.values.setdefault(str(key), {})
                counts[rest[0]] = counts.get(rest[0], 0) + rest[1]
                return counts[rest[0]]
            case "HGETALL":
                counts = self.values.get(str(key), {})
                return [part for f, n in counts.items() for part in (f.encode(), str(n).encode())]
            case "EXPIRE":
                return 1
            case _:
                raise AssertionError(f"no {name!r} here")
        return None


def _with_deadline(network: Network, seconds: float) -> Network:
    return msgspec.structs.replace(network, deadline_seconds=seconds)


MENUS = Path(__file__).parents[3] / "menus"
BUNDLE = read_bundle(MENUS)
TEXTS = Texts.load(MENUS / "texts")
NETWORKS = Networks.load(MENUS / "networks.yaml")


class PatientNetworks(Networks):
    """The same where no turn comes too late, however little a machine gives it. In a hurry only
    while a test says so: then after a moment."""

    is_hurried = False

    def __init__(self) -> None:
        listed = {code: _with_deadline(each, 120.0) for code, each in NETWORKS._listed.items()}
        super().__init__(_with_deadline(NETWORKS.of(""), 120.0), listed)

    def of(self, code: str) -> Network:
        network = super().of(code)
        return _with_deadline(network, 1.05) if self.is_hurried else network


MENU = load_menu(MENUS, TEXTS, NETWORKS)
VERSION = version_of(BUNDLE)
SHORTCODE = "*384*96#"
PAYER = Msisdn("+254712000001")
PIN = "4826"
LONG_SECONDS = 1000.0
OVER = {"paid", "refunded", "collect_failed", "expired", "cancelled"}

_RENDERER = Renderer(MENU, TEXTS)


class QuickBinder(Binder):
    """Binds the shipped menus without reading them again: every test has a house of its own."""

    def __init__(self, house: "House", networks: Networks) -> None:
        super().__init__(house.build_verbs, house.late)
        self._networks = networks

    def bind(self, bundle: Bundle) -> Edition:
        if bundle is not BUNDLE:
            return super().bind(bundle)
        steps = Steps(MENU, TEXTS, self._build_verbs(TEXTS), self._late)
        return Edition(VERSION, MENU, TEXTS, self._networks, steps, _RENDERER)


class House:
    """A turn taker with its rooms in memory, and a phone to press keys on.

    One that `shares` another's rooms is a second process beside it.
    """

    def __init__(
        self,
        records: Records | None = None,
        networks: Networks | None = None,
        shares: "House | None" = None,
        bundle: Bundle = BUNDLE,
        keys: Sequence[bytes] = (b"k" * 32,),
    ) -> None:
        self.clock: FakeClock = shares.clock if shares else FakeClock()
        ids = Ids(self.clock)
        self.seal = Seal(*keys)
        self.records: MemoryRecords = shares.records if shares else MemoryRecords()
        self.redis: MemoryRedis = shares.redis if shares else MemoryRedis()
        self.customers: MemoryCustomers = (
            shares.customers if shares else MemoryCustomers(ids, self.clock)
        )
        self.payments: MemoryPayments = (
            shares.payments if shares else MemoryPayments(ids, self.clock)
        )
        self.names: MemoryNames = shares.names if shares else MemoryNames()
        self.operator_names = OperatorNames(
            dict.fromkeys([*OPERATORS.values(), "airtel_ug"], self.names)
        )
        self.late: LateWork = LateWork()
        self.begun: list[Msisdn] = []
        self.sessions_max = 1_000_000
        self.drops = Drops(self.redis, 1)
        self.networks = PatientNetworks()
        self.editions = Editions(
            bundle, QuickBinder(self, networks or self.networks), RedisShelf(self.redis)
        )
        self.turns = TurnTaker(
            editions=self.editions,
            late=self.late,
            store=records or self.records,
            drops=self.drops,
            seal=self.seal,
            ids=ids,
            clock=self.clock,
            shortcodes=[SHORTCODE],
            may_begin=self.may_begin,
        )

    async def may_begin(self, msisdn: Msisdn) -> bool:
        self.begun.append(msisdn)
        return len(self.begun) <= self.sessions_max

    def build_verbs(self, words: Words) -> Mapping[str, Verb]:
        return build_verbs(
            customers=self.customers,
            payments=self.payments,
            names=self.operator_names,
            seal=self.seal,
            words=words,
        )

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """What begins within and takes long is not waited for: its answer is that it takes longer.

        `LONG_SECONDS` are long enough, and `leap` lets them pass.
        """
        self.networks.is_hurried = True
        try:
            yield
        finally:
            self.networks.is_hurried = False

    async def taken_on(self) -> None:
        """Until the payments have heard of one more, however it is stored."""
        heard = len(self.payments.keys)
        while len(self.payments.keys) == heard:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)

    async def registered(self, language: str = "en") -> "House":
        await self.customers.register(PAYER, "KE", language, PIN)
        return self

    async def take(self, text: str, session_id: str = "s1", **fields: Any) -> Reply:
        turn = Turn(session_id, PAYER, "63902", SHORTCODE, text, cumulative=True)
        return await self.turns.take(msgspec.structs.replace(turn, **fields))

    async def press(self, *inputs: str, session_id: str = "s1", **fields: Any) -> Reply:
        """Dial, then press one input after the other; the last reply."""
        reply = await self.take("", session_id, **fields)
        for count in range(1, len(inputs) + 1):
            reply = await self.take("*".join(inputs[:count]), session_id, **fields)
        return reply

    def replace(self, session_id: str, **fields: Any) -> None:
        """Change a stored session behind everybody's back."""
        changed = msgspec.structs.replace(self.session(session_id), **fields)
        self.records.records[PAYER, session_id] = pack(changed)

    def session(self, session_id: str = "s1", msisdn: Msisdn = PAYER) -> Session:
        found = unpack(self.records.records[msisdn, session_id])
        assert found is not None
        return found

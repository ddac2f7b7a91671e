"""Messages in, on a real Postgres and Redis, through the doors gateways knock at."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from channels.sms import SmsMessages, SmsReports
from channels.wiring import MENUS
from engine.clock import CustomerId, Ids, PaymentId
from engine.customers.customers import Customer
from engine.database import open_pool
from engine.errors import CustomerMistake, NoWayNow
from engine.fx.quotes import Quote
from engine.inbox.answers import Answers
from engine.inbox.guard import (
    DAY_MAX,
    ECHO_SECONDS,
    LEASE_SECONDS,
    MINUTE_MAX,
    Admission,
    Guard,
    phone_key,
)
from engine.inbox.inbox import Inbox
from engine.inbox.memory import AGREED_SECONDS, JOURNEY_SECONDS, Memory
from engine.inbox.store import KEPT_SECONDS, InboxStore
from engine.ledger.plans import Intent
from engine.messages.letters import Answer
from engine.messages.quiet import OptOuts
from engine.money import CURRENCY_OF_COUNTRY, Money
from engine.msisdn import Msisdn
from engine.outbox import Outbox
from engine.payments.views import Confirmed, LimitsLeft, PaymentSummary
from engine.ports import Reply, SmsMessage, Turn
from engine.session.names import NAME_SECONDS
from engine.session.pipeline import open_pipeline
from engine.texts import Texts
from providers.africastalking import AfricasTalkingSms
from providers.twilio import TwilioSms, signature
from tests.holds import holds
from tests.integration.world import TestClock
from tests.providers.subjects import TWILIO_SID, at_settings, twilio_settings
from tests.unit.payments.examples import PAYEE, PAYER, quote
from tests.unit.session.rooms import RECORD_SEAL

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXTS = Texts.load(MENUS / "texts")
TOKEN, PUBLIC = "t" * 32, "https://pay.example.org"
TOKENS = ("n" * 32, TOKEN)  # while it is changed
CODE = "7KQ2M4XW9D"
PIN = "4831"
STRANGER = Msisdn("+254733000009")
SENT = PaymentSummary(
    CODE, "paid", Money(100_000, "KES"), Money(28_023, "UGX"), PAYEE,
    datetime(2026, 11, 2, 12, 4, tzinfo=UTC), incoming=False, fee=Money(2_000, "KES"),
)  # fmt: skip


@dataclass
class Rooms:
    """Customers, payments and journeys, as the answers see them."""

    clock: TestClock
    languages: dict[Msisdn, str] = field(default_factory=lambda: {PAYER: "en"})
    keys: list[str] = field(default_factory=list)
    given_up: set[str] = field(default_factory=set)
    turns: list[Turn] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    refusal: Exception | None = None
    summary: PaymentSummary | None = SENT
    is_sent: bool = False
    country: str = "KE"
    wallet_currency: str | None = None
    unprompted: tuple[str, ...] = ()
    left: tuple[int, int, int] = (7_000_000, 5_000_000, 9_000_000)  # at once, a day, a month
    quote_id: str = "9" * 32
    holder: str = ""
    fee_is_refunded: bool = True
    told: list[str] = field(default_factory=list)  # with each confirm, of the payee
    commit_seconds: float = 0.0
    confirming: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: int = 0
    looked_up: list[tuple[str, Msisdn, float]] = field(default_factory=list)

    async def of(self, operator: str, msisdn: Msisdn, due: float) -> str:
        self.looked_up.append((operator, msisdn, due))
        return self.holder

    async def find(self, msisdn: Msisdn) -> Customer | None:
        language = self.languages.get(msisdn)
        found = Customer(CustomerId("c" * 32), msisdn, self.country, language or "", 0)
        return found if language else None

    async def set_language(self, customer_id: CustomerId, language: str) -> None:
        self.languages[PAYER] = language

    async def quote(self, *, payer: Customer, network: str, payee: Msisdn, amount: Money) -> Quote:
        if self.refusal is not None:
            raise self.refusal
        priced = quote(expires_at=int(self.clock.epoch()) + 120)
        return msgspec.structs.replace(
            priced, quote_id=self.quote_id, payer=payer.msisdn, payee=payee, amount=amount,
            fee=Money(priced.fee.minor, amount.currency), fee_is_refunded=self.fee_is_refunded,
        )  # fmt: skip

    def payer_currency(self, payer: Msisdn, network: str) -> str | None:
        return self.wallet_currency or CURRENCY_OF_COUNTRY.get(self.country)

    def must_be_prompted(self, operator: str) -> None:
        if operator in self.unprompted:
            raise NoWayNow("session.dial_instead")

    async def confirm(
        self, *, payer: Customer, quote: Quote, key: str, told: str = ""
    ) -> Confirmed:
        self.told.append(told)
        if self.refusal is not None:
            raise self.refusal
        if key not in self.keys:
            if self.clock.epoch() >= quote.expires_at:
                raise CustomerMistake("mistake.quote_expired")
            self.must_be_prompted(quote.payer_operator)
        self.confirming.set()
        await asyncio.sleep(self.commit_seconds)
        if key in self.given_up:
            raise NoWayNow("session.over")
        self.keys.append(key)
        if len(self.keys) == 1:
            self.summary = msgspec.structs.replace(SENT, state="collecting")
        return Confirmed(PaymentId("1" * 32), CODE, fresh=len(self.keys) == 1)

    async def give_up(self, keys: Sequence[str]) -> str | None:
        self.given_up |= {*keys} - {*self.keys}
        return CODE if {*keys} & {*self.keys} else None

    async def cancel(self, customer: Customer, code: str, *, key: str) -> PaymentSummary:
        assert code == CODE
        if self.is_sent:
            raise NoWayNow("no_way.sent")
        self.cancelled += 1
        self.summary = msgspec.structs.replace(SENT, state="cancelled")
        return self.summary

    async def confirmed_since(
        self, customer_id: CustomerId, since: datetime
    ) -> PaymentSummary | None:
        return self.summary if self.summary and self.summary.at >= since else None

    async def recent_payments(
        self, customer_id: CustomerId, msisdn: Msisdn, most: int = 10
    ) -> list[PaymentSummary]:
        return [self.summary] if self.summary else []

    async def payment_by_code(self, customer: Customer, code: str) -> PaymentSummary | None:
        return self.summary if self.summary and code == self.summary.code else None

    async def limits_of(self, customer: Customer, currency: str) -> LimitsLeft:
        return LimitsLeft(0, *(Money(minor, currency) for minor in self.left))

    async def take(self, turn: Turn) -> Reply:
        self.turns.append(turn)
        return self.replies.pop(0) if self.replies else Reply("1. Send money", ends=False)


class House:
    """One process: its doors, and everything behind them that is real."""

    def __init__(self, pool: Any, redis: Any, clock: TestClock, rooms: Rooms) -> None:
        self.pool, self.clock, self.rooms = pool, clock, rooms
        self.sent: list[Intent] = []
        ids = Ids(clock)
        self.store = InboxStore(pool, 1, clock, ids, lease_seconds=60)
        answers = Answers(
            texts=TEXTS,
            customers=rooms,
            payments=rooms,
            journeys=rooms,
            opt_outs=OptOuts(pool, 1, clock),
            memory=Memory(redis, 1, RECORD_SEAL),
            names=rooms,
            clock=clock,
            shortcode="*384*96#",
            monotonic=lambda: 100.0,
        )
        self.inbox = Inbox(
            guard=Guard(redis, 1, b"k" * 32),
            store=self.store,
            answers=answers,
            ids=ids,
            send=self.sent.append,
        )
        self._number = 0

    async def say(self, text: str, sender: Msisdn = PAYER, *, id_: str = "") -> str | None:
        """What this message is answered with; its sender waits a while between two."""
        self._number += 1
        before = len(self.sent)
        taken = SmsMessage(id_ or f"in-{self._number}", sender, text)
        assert await self.inbox.take("africastalking", taken)
        new = self.sent[before:]
        assert len(new) <= 1
        return msgspec.json.decode(new[0].payload or "", type=Answer).text if new else None

    async def stored(self) -> str:
        """All that the inbox left in the database, as text."""
        rows = await self.pool.fetch(
            "select t::text from sms_inbound t union all select t::text from outbox t"
            " union all select t::text from sms_opt_out t"
        )
        return "\n".join(row[0] for row in rows)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_pool(shared_database_url: str) -> AsyncIterator[Any]:
    opened = await open_pool(shared_database_url)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def pool(shared_pool: Any) -> Any:
    """As if nobody had ever written to us."""
    for table in ("outbox", "sms_inbound", "sms_opt_out", "sms_report"):
        await shared_pool.execute(f"delete from {table}")
    return shared_pool


@pytest_asyncio.fixture(loop_scope="module")
async def redis(redis_url: str) -> AsyncIterator[Any]:
    pipeline = open_pipeline(redis_url, timeout_seconds=30)
    yield pipeline
    await pipeline.aclose()


@pytest.fixture
def house(pool: Any, redis: Any, clock: TestClock) -> House:
    return House(pool, redis, clock, Rooms(clock))


async def test_a_fee_that_is_not_given_back_is_told_with_the_price(house: House) -> None:
    house.rooms.fee_is_refunded = False
    priced = await house.say("SEND 500 +256772000002")
    assert priced is not None
    assert "gets UGX 28,023. Fee KES 20, not refunded. You pay KES 520." in priced


async def test_a_payment_is_priced_then_confirmed_then_asked_about(house: House) -> None:
    assert await house.say("send 500 0772 000 002") is not None
    priced = await house.say("SEND 500 +256772000002")
    assert priced is not None
    assert "+256772000002 gets UGX 28,023. Fee KES 20." in priced
    assert "Reply YES" in priced
    assert "PIN" not in priced  # whoever pays on a page is asked for none
    confirmed = await house.say("yes")
    assert confirmed is not None
    assert confirmed.startswith(f"{CODE} started. M-PESA now asks for your PIN")
    assert house.rooms.keys == [f"sms:{'9' * 32}"]
    assert await house.say(f"STATUS {CODE.lower()}") == (
        f"{CODE} 02/11/26 15:04: KES 1,000 to +256772000002, fee KES 20. Waiting for your PIN."
    )


async def test_a_price_says_whose_wallet_it_is_where_its_operator_tells(house: House) -> None:
    house.rooms.holder = "Nakato Prossy"
    priced = await house.say("SEND 500 +256772000002")
    assert priced is not None
    assert priced.startswith("Nakato Prossy +256772000002 gets UGX")
    ((operator, msisdn, due),) = house.rooms.looked_up
    assert (operator, msisdn) == ("mtn_ug", PAYEE)
    assert 100.0 + NAME_SECONDS < due < 100.0 + 2 * NAME_SECONDS  # it has all of its own time
    house.rooms.holder = ""
    assert (await house.say("SEND 600 +256772000002") or "").startswith("+256772000002 gets UGX")


async def test_a_yes_hears_the_whole_name_that_came_with_its_price_and_no_other(
    house: House, redis: Any
) -> None:
    house.rooms.holder = "Nakato Prossy Mary"
    await house.say("SEND 500 +256772000002")
    (key,) = await redis.execute("KEYS", "capp:sms:*:told:*")
    assert 0 < await redis.execute("TTL", key) <= 120  # as long as somebody may agree to it
    await house.say("YES")
    house.rooms.quote_id, house.rooms.holder = "8" * 32, ""
    await pass_time(house, redis, ECHO_SECONDS + 1)
    await house.say("SEND 600 +256772000002")
    await house.say("YES")
    assert house.rooms.told == ["Nakato Prossy Mary", ""]
    assert "Mary" not in await house.stored()


async def test_a_name_that_somebody_changed_in_redis_is_none(house: House, redis: Any) -> None:
    house.rooms.holder = "Nakato Prossy Mary"
    await house.say("SEND 500 +256772000002")
    (key,) = await redis.execute("KEYS", "capp:sms:*:told:*")
    kept = await redis.execute("GET", key)
    await redis.execute("SET", key, kept.replace(b"Mary", b"Anne"), "EX", 90)
    await house.say("YES")
    assert house.rooms.told == [""]


async def test_a_price_that_somebody_changed_in_redis_is_none(house: House, redis: Any) -> None:
    await house.say("SEND 500 +256772000002")
    (key,) = await redis.execute("KEYS", "capp:sms:*:quote")
    kept = await redis.execute("GET", key)
    assert b"+256772000002" in kept
    changed = kept.replace(b"+256772000002", b"+256772000666")
    await redis.execute("SET", key, changed, "EX", 900)
    assert (await house.say("YES") or "").startswith("There is nothing to confirm")
    assert house.rooms.keys == []


async def test_a_refused_price_asks_nobody_for_a_name(house: House) -> None:
    house.rooms.refusal = NoWayNow("no_way.corridor")
    await house.say("SEND 500 +256772000002")
    assert house.rooms.looked_up == []


async def test_who_has_a_wallet_in_dollars_sends_dollars(house: House) -> None:
    house.rooms.wallet_currency = "USD"
    priced = await house.say("SEND 20 +256772000002")
    assert "You pay USD 40." in (priced or "")
    assert "USD" in (await house.say("BAL") or "")


async def test_whose_country_has_no_money_of_ours_is_told(house: House) -> None:
    house.rooms.country = "FR"
    for text in ("SEND 500 +256772000002", "BAL"):
        assert (await house.say(text) or "").startswith("CAPP does not serve your network")


async def test_who_gets_no_prompt_is_told_to_dial_and_charged_nothing(house: House) -> None:
    """A sender's number is easily forged: without a prompt nobody would ask its owner."""
    assert "Reply YES" in (await house.say("SEND 500 +256772000002") or "")
    house.rooms.unprompted = ("mpesa_ke",)
    told = await house.say("SEND 700 +256772000002")
    assert told == "A PIN never belongs into an SMS. Dial *384*96# to do this."
    assert len(house.rooms.looked_up) == 1
    # Nor is it charged by a price of before.
    assert await house.say("YES") == told
    assert house.rooms.keys == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "collecting"}, "Waiting for your PIN"),
        ({"state": "collecting", "by_link": True}, "Waiting for you to pay"),
        ({"state": "collecting", "prompted": False}, "Charging your wallet"),
        ({"by_link": True, "prompted": False}, "Delivered"),
    ],
)
async def test_a_status_says_what_a_payment_waits_for(
    house: House, fields: dict[str, Any], words: str
) -> None:
    house.rooms.summary = msgspec.structs.replace(SENT, **fields)
    assert (await house.say("STATUS") or "").endswith(f" {words}.")


@pytest.mark.parametrize(("country", "time"), [("NG", "13:04"), ("CI", "12:04"), ("ZM", "14:04")])
async def test_a_status_is_told_on_the_clock_of_whoever_reads_it(
    house: House, country: str, time: str
) -> None:
    house.rooms.country = country
    assert f"02/11/26 {time}" in (await house.say("STATUS") or "")


async def test_who_was_paid_is_told_by_whom(house: House) -> None:
    house.rooms.summary = msgspec.structs.replace(SENT, incoming=True, payer=STRANGER)
    assert await house.say("STATUS") == (
        f"{CODE} 02/11/26 15:04: you get UGX 28,023 from {STRANGER}. Delivered."
    )


async def test_who_has_no_payment_is_not_told_to_ask_what_was_just_asked(house: House) -> None:
    house.rooms.summary = None
    assert await house.say("STATUS") == "You have no payments yet"


async def test_however_often_yes_comes_it_is_one_payment(house: House) -> None:
    await house.say("SEND 500 +256772000002")
    answers = [await house.say(word) for word in ("YES", "yes!", "NDIYO")]
    assert len(set(answers)) == 1
    assert set(house.rooms.keys) == {f"sms:{'9' * 32}"}


async def test_no_forgets_the_price(house: House) -> None:
    await house.say("SEND 500 +256772000002")
    assert await house.say("NO") == "Cancelled. Nothing was charged."
    assert (await house.say("YES") or "").startswith("There is nothing to confirm")
    assert house.rooms.keys == []


CANCELLED = f"{CODE} Cancelled. Nothing was charged."
TOO_LATE = "Too late to cancel. Your operator has been asked already."


@pytest.mark.parametrize(
    ("is_sent", "said"), [(False, [None, CANCELLED]), (True, [TOO_LATE, TOO_LATE])]
)
@pytest.mark.parametrize("seconds", [1, 300, 11 * 3600])
async def test_no_behind_a_yes_is_about_the_payment(
    house: House, redis: Any, is_sent: bool, said: list[str | None], seconds: int
) -> None:
    """The commit that cancels tells the payer so itself: once, in the same words."""
    house.rooms.is_sent = is_sent
    await house.say("SEND 500 +256772000002")
    await house.say("YES")
    await pass_time(house, redis, seconds)
    assert [await house.say("NO"), await house.say("no!")] == said


async def test_yes_and_no_of_one_moment_do_not_cross(
    house: House, pool: Any, redis_url: str
) -> None:
    """NO hears of the payment that YES is about to make, in whichever process."""
    await house.say("SEND 500 +256772000002")
    house.rooms.commit_seconds = 0.15
    other_redis = open_pipeline(redis_url, timeout_seconds=30)
    other = House(pool, other_redis, house.clock, house.rooms)
    yes = asyncio.create_task(house.say("YES", id_="y"))
    await house.rooms.confirming.wait()
    assert await other.say("NO", id_="n") is None
    assert (await yes or "").startswith(f"{CODE} started.")
    assert house.rooms.cancelled == 1
    await other_redis.aclose()


async def test_no_behind_a_yes_that_cannot_be_stored_for_long_is_kept(
    house: House, pool: Any, redis: Any, redis_url: str
) -> None:
    """Postgres stored nothing; the YES outlasted its claim on the phone. Who was told that nothing
    was charged paid when it did.
    """
    await house.say("SEND 500 +256772000002")
    house.rooms.commit_seconds = 0.5
    other_redis = open_pipeline(redis_url, timeout_seconds=30)
    other = House(pool, other_redis, house.clock, house.rooms)
    yes = asyncio.create_task(house.say("YES", id_="y"))
    await house.rooms.confirming.wait()
    await redis.execute("DEL", f"capp:sms:{{1:{PAYER}}}:claim")
    assert await other.say("NO", id_="n") == "Cancelled. Nothing was charged."
    assert (await yes or "").startswith("There is nothing to confirm")
    assert house.rooms.keys == []
    await other_redis.aclose()


async def test_a_price_that_is_asked_for_during_a_yes_is_not_lost(
    house: House, pool: Any, redis_url: str
) -> None:
    await house.say("SEND 500 +256772000002")
    house.rooms.quote_id = "8" * 32
    other_redis = open_pipeline(redis_url, timeout_seconds=30)
    other = House(pool, other_redis, house.clock, house.rooms)
    said = await asyncio.gather(house.say("YES", id_="y"), other.say("SEND 7 0700000002", id_="s"))
    assert all(said)
    house.rooms.keys.clear()
    await house.say("NDIYO", id_="z")
    assert house.rooms.keys == [f"sms:{'8' * 32}"]
    await other_redis.aclose()


async def test_who_is_kept_waiting_too_long_by_the_message_before_comes_again(
    house: House, redis: Any
) -> None:
    claim = f"capp:sms:{{1:{PAYER}}}:claim"
    await redis.execute("SET", claim, "another", "EX", 30)
    message = SmsMessage("m1", PAYER, "BAL")
    assert not await house.inbox.take("twilio", message)
    assert await redis.execute("GET", f"capp:sms:{{1:{PAYER}}}:minute") is None
    await redis.execute("DEL", claim)
    assert await house.inbox.take("twilio", message)
    assert await redis.execute("GET", claim) is None


async def test_a_yes_that_comes_again_after_a_flush_hears_of_its_payment(
    house: House, redis: Any
) -> None:
    await house.say("SEND 500 +256772000002")
    assert not await is_answered_without_writing(house, redis, "YES", id_="in-yes")
    await redis.execute("FLUSHALL")
    assert (await house.say("NDIYO") or "").startswith("There is nothing to confirm. For a price")
    long_ago = house.clock.now() - timedelta(seconds=AGREED_SECONDS + 1)
    house.rooms.summary = msgspec.structs.replace(SENT, at=long_ago)
    assert (await house.say("OUI") or "").startswith("There is nothing to confirm. For a price")
    hours_ago = house.clock.now() - timedelta(seconds=AGREED_SECONDS - 1)
    house.rooms.summary = msgspec.structs.replace(SENT, state="collecting", at=hours_ago)
    for word, id_ in (("YES", "in-yes"), ("NO", "")):
        said = await house.say(word, id_=id_) or ""
        assert said.startswith(f"There is nothing to confirm now. Your last payment: {CODE} ")
        assert said.endswith(": KES 1,000 to +256772000002. Waiting for your PIN.")
    assert len(house.rooms.keys) == 1


async def test_yes_behind_what_was_cancelled_does_not_tell_that_it_started(house: House) -> None:
    await house.say("SEND 500 +256772000002")
    await house.say("YES")
    await house.say("NO")
    assert (await house.say("NDIYO") or "").endswith(
        "KES 1,000 to +256772000002, fee KES 20. Cancelled."
    )


async def test_a_yes_that_comes_again_late_is_answered_as_it_was(house: House, redis: Any) -> None:
    """Carried out, then Postgres was away: the gateway was told 503 and offers it again."""
    await house.say("SEND 500 +256772000002")
    assert not await is_answered_without_writing(house, redis, "YES", id_="in-yes")
    for seconds, id_ in ((130, ""), (10, "in-yes"), (11 * 3600, "")):
        await pass_time(house, redis, seconds)
        assert (await house.say("YES", id_=id_) or "").startswith(f"{CODE} started.")
    assert set(house.rooms.keys) == {f"sms:{'9' * 32}"}


@pytest.mark.parametrize("state", ["paid", "refunded", "refund_due", "payout_queued", "on_hold"])
async def test_a_yes_behind_what_went_on_promises_no_prompt(
    house: House, redis: Any, state: str
) -> None:
    await house.say("SEND 500 +256772000002")
    await house.say("YES")
    house.rooms.summary = msgspec.structs.replace(SENT, state=state)
    await pass_time(house, redis, 3 * 3600)
    said = await house.say("YES") or ""
    assert said.startswith(CODE)
    assert "asks for your PIN" not in said


@pytest.mark.parametrize("state", ["expired", "collect_failed", "paid"])
async def test_a_no_behind_what_is_over_hears_how_it_ended(house: House, state: str) -> None:
    await house.say("SEND 500 +256772000002")
    await house.say("YES")
    house.rooms.is_sent = True  # it can be cancelled no more
    house.rooms.summary = msgspec.structs.replace(SENT, state=state)
    said = await house.say("NO") or ""
    assert said.startswith(CODE)
    assert "Too late" not in said


async def test_a_yes_that_comes_again_does_not_bring_its_price_back(
    house: House, redis: Any
) -> None:
    """NO is about the price that was shown last, and YES agrees to that."""
    await house.say("SEND 500 +256772000002")
    assert not await is_answered_without_writing(house, redis, "YES", id_="in-yes")
    house.rooms.quote_id = "8" * 32
    await house.say("SEND 700 +256772000002")
    await house.say("YES", id_="in-yes")
    assert await house.say("NO") == "Cancelled. Nothing was charged."
    house.rooms.quote_id = "7" * 32
    await house.say("SEND 700 to +256772000002")
    await house.say("NDIYO")
    assert house.rooms.keys[-1] == f"sms:{'7' * 32}"


async def test_a_yes_that_comes_again_agrees_to_no_later_price(house: House, redis: Any) -> None:
    await house.say("SEND 500 +256772000002")
    assert not await is_answered_without_writing(house, redis, "YES", id_="in-yes")
    await pass_time(house, redis, 300)
    house.rooms.quote_id = "8" * 32
    await house.say("SEND 700 +256772000002")
    assert (await house.say("YES", id_="in-yes") or "").startswith(f"{CODE} started.")
    assert set(house.rooms.keys) == {f"sms:{'9' * 32}"}


BEFORE: dict[str, tuple[str, ...]] = {
    "nothing was asked": (),
    "a price is over": ("SEND 500 +256772000002",),
    "a price was paid": ("SEND 500 +256772000002", "YES"),
    "a journey is walked": ("MENU",),
}


@pytest.mark.parametrize("word", ["YES", "NO"])
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE.keys())
async def test_a_word_that_comes_again_is_about_no_price_that_was_shown_since(
    house: House, redis: Any, before: tuple[str, ...], word: str
) -> None:
    """Answered, but Postgres was away, so the gateway offers it again behind another order."""
    house.rooms.replies += [Reply("Whom?", ends=False), Reply("Bye", ends=True), Reply("Bye", True)]
    house.rooms.is_sent = True  # what was paid before can be cancelled no more
    for text in before:
        await house.say(text)
    await pass_time(house, redis, 200)
    agreed = len(house.rooms.keys)
    assert not await is_answered_without_writing(house, redis, word, id_="in-word")
    tried = len(house.rooms.keys)
    house.rooms.quote_id = "8" * 32
    await house.say("SEND 700 +256772000003")
    await house.say(word, id_="in-word")
    new = f"sms:{'8' * 32}"
    assert new not in house.rooms.keys
    assert len(house.rooms.keys) - tried <= tried - agreed
    await house.say("NDIYO")
    assert house.rooms.keys[-1] == new  # the price was not forgotten either


async def test_a_no_that_cancelled_is_not_answered_either_when_it_comes_again(
    house: House, redis: Any
) -> None:
    await house.say("SEND 500 +256772000002")
    await house.say("YES")
    assert not await is_answered_without_writing(house, redis, "NO", id_="in-no")
    assert await house.say("NO", id_="in-no") is None
    assert await house.say("no!") == f"{CODE} Cancelled. Nothing was charged."


async def test_a_digit_that_met_no_journey_is_pressed_in_none_that_was_opened_since(
    house: House, redis: Any
) -> None:
    house.rooms.replies += [Reply("1. Pay", ends=False)]
    assert not await is_answered_without_writing(house, redis, "1", id_="in-one")
    await house.say("MENU")
    await house.say("1", id_="in-one")
    assert [turn.opens for turn in house.rooms.turns] == [True]


async def test_a_no_that_comes_again_cancels_nothing_that_was_agreed_to_since(
    house: House, redis: Any
) -> None:
    await house.say("SEND 500 +256772000002")
    assert not await is_answered_without_writing(house, redis, "NO", id_="in-no")
    house.rooms.quote_id = "8" * 32
    await house.say("SEND 700 +256772000003")
    await house.say("YES")
    assert await house.say("NO", id_="in-no") == "Cancelled. Nothing was charged."  # the first
    assert house.rooms.cancelled == 0
    assert await house.say("no!") is None
    assert house.rooms.cancelled == 1


async def test_a_no_that_comes_again_leaves_a_newer_price_alone(house: House, redis: Any) -> None:
    await house.say("SEND 500 +256772000002")
    assert not await is_answered_without_writing(house, redis, "NO", id_="in-no")
    house.rooms.quote_id = "8" * 32
    await house.say("SEND 700 +256772000003")
    await house.say("NO", id_="in-no")
    await house.say("YES")
    assert house.rooms.keys == [f"sms:{'8' * 32}"]


async def test_an_order_that_comes_again_behind_another_brings_no_price_back(
    house: House, redis: Any
) -> None:
    """YES is about the order that was written last, not about the one that was repeated last."""
    assert not await is_answered_without_writing(
        house, redis, "SEND 500 +256772000002", id_="in-send"
    )
    house.rooms.quote_id = "8" * 32
    assert "Reply YES" in (await house.say("SEND 700 +256772000003") or "")
    house.rooms.quote_id = "7" * 32
    assert await house.say("SEND 500 +256772000002", id_="in-send") is None
    await house.say("YES")
    assert house.rooms.keys == [f"sms:{'8' * 32}"]


async def test_an_order_that_nobody_followed_is_priced_when_it_comes_again(
    house: House, redis: Any
) -> None:
    for _ in range(2):
        assert not await is_answered_without_writing(
            house, redis, "SEND 500 +256772000002", id_="in-send"
        )
    assert "Reply YES" in (await house.say("SEND 500 +256772000002", id_="in-send") or "")


async def test_a_price_nobody_agreed_to_in_time_is_over(house: House, redis: Any) -> None:
    await house.say("SEND 500 +256772000002")
    await pass_time(house, redis, 130)
    for word in ("YES", "NO"):
        assert (await house.say(word) or "").startswith("There is nothing to confirm")
    assert house.rooms.keys == []


async def test_no_behind_a_refused_yes_is_said_of_the_price_while_that_lasts(
    house: House, redis: Any
) -> None:
    """A price outlives its time where a YES came in time; what is over is not cancelled."""
    for seconds, begins in ((1, "Cancelled. Nothing was charged."), (130, "There is nothing")):
        house.rooms.refusal = None
        await house.say("SEND 500 +256772000002")
        house.rooms.refusal = NoWayNow("no_way.float")
        assert (await house.say("YES") or "").startswith("We cannot pay out this amount")
        await pass_time(house, redis, seconds)
        assert (await house.say("NO") or "").startswith(begins)
        await pass_time(house, redis, 10)
    assert house.rooms.keys == []


async def is_answered_without_writing(house: House, redis: Any, text: str, *, id_: str) -> bool:
    """It is carried out, and what it is to be answered with cannot be kept."""
    lost = House(Away(house.pool), redis, house.clock, house.rooms)
    return await lost.inbox.take("africastalking", SmsMessage(id_, PAYER, text))


class Away:
    """A Postgres that reads and does not write."""

    def __init__(self, pool: Any) -> None:
        self.fetchval = pool.fetchval
        self.seals = pool.seals

    async def execute(self, *_: Any) -> Any:
        raise ConnectionError


async def pass_time(house: House, redis: Any, seconds: int) -> None:
    """For the clock, and for all that is kept in Redis."""
    house.clock.pass_(seconds)
    for key in await redis.execute("KEYS", "capp:sms:*"):
        left = await redis.execute("TTL", key)
        await redis.execute("EXPIRE", key, left - seconds)


async def test_nothing_is_confirmed_without_a_price(house: House) -> None:
    assert (await house.say("YES") or "").startswith("There is nothing to confirm")


REFUSALS = [
    (CustomerMistake("mistake.own_number"), "That is your own number."),
    (NoWayNow("no_way.float"), "We cannot pay out this amount right now. Nothing was charged."),
]


@pytest.mark.parametrize(("refusal", "sentence"), REFUSALS)
async def test_what_cannot_be_done_is_said(house: House, refusal: Exception, sentence: str) -> None:
    house.rooms.refusal = refusal
    assert (await house.say("SEND 500 +256772000002") or "").startswith(sentence)


ANSWERS = [
    ("SEND 500", "Send it like this, amount and number: SEND 500 0772123456"),
    ("SEND 500 12", "Send it like this, amount and number: SEND 500 0772123456"),
    ("SEND ٥٠٠ 0712345678", "Please write numbers with the digits 0 to 9."),
    ("BAL", "You can send up to KES 50,000 at once, KES 50,000 more today."),
    ("STATUS", f"{CODE} 02/11/26 15:04: KES 1,000 to +256772000002, fee KES 20. Delivered."),
    ("STATUS 1111111111", "We find no such payment of yours."),
    ("LANG xx", "Send LANG and one of: "),
    ("LANG", "Send LANG and one of: "),
    ("HELP", "CAPP: SEND 500 0772123456, STATUS, BAL, LANG sw, MENU, STOP. Or dial *384*96#"),
    ("good morning", "CAPP: SEND 500 0772123456"),
    ("", "CAPP: SEND 500 0772123456"),
]


@pytest.mark.parametrize(("text", "begins"), ANSWERS)
async def test_answer(house: House, text: str, begins: str) -> None:
    assert (await house.say(text) or "").startswith(begins)


@pytest.mark.parametrize(
    ("left", "at_once", "more"),
    [
        ((7_000_000, 5_000_000, 9_000_000), "50,000", "50,000"),
        ((2_000_000, 5_000_000, 9_000_000), "20,000", "50,000"),
        ((7_000_000, 5_000_000, 3_000_000), "30,000", "30,000"),
        ((2_000_000, 5_000_000, 3_000_000), "20,000", "30,000"),
    ],
)
async def test_limits_are_what_a_payment_the_day_and_the_month_leave(
    house: House, left: tuple[int, int, int], at_once: str, more: str
) -> None:
    house.rooms.left = left
    said = await house.say("BAL") or ""
    assert said.startswith(f"You can send up to KES {at_once} at once, KES {more} more today.")


@pytest.mark.parametrize("word", ["sw", "SW", "Kiswahili", "kiswahili."])
async def test_the_language_is_changed_by_its_code_or_its_name(house: House, word: str) -> None:
    assert await house.say(f"LANG {word}") == "Lugha yako sasa ni Kiswahili"
    assert (await house.say("MSAADA") or "").startswith("CAPP: TUMA 500")


@pytest.mark.parametrize("word", ["fr", "français", "FRANÇAIS", "francais"])
async def test_a_language_is_called_by_its_name_with_accents_or_without(
    house: House, word: str
) -> None:
    assert (await house.say(f"LANG {word}") or "").startswith("Votre langue est maintenant")


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("SEND 500 0772123456", "Welcome to CAPP. Dial *384*96#"),
        ("hello", "Welcome to CAPP."),
        ("SALIO", "Karibu CAPP. Piga *384*96#"),
    ],
)
async def test_who_is_not_registered_is_told_how(house: House, text: str, begins: str) -> None:
    assert (await house.say(text, STRANGER) or "").startswith(begins)


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("bonjour", "Bienvenue chez CAPP."),
        ("my PIN is 4826", "N'envoyez jamais votre code PIN"),
        ("HELP", "Welcome to CAPP."),  # whose language is plain
    ],
)
async def test_a_stranger_reads_the_language_of_their_country(
    house: House, text: str, begins: str
) -> None:
    assert (await house.say(text, Msisdn("+2250701000001")) or "").startswith(begins)


@pytest.mark.parametrize("language", ["en", "sw", "fr"])
async def test_whoever_is_known_is_answered_in_their_own_language(
    house: House, language: str
) -> None:
    """Refusals and warnings too, and whosever language the keyword is of."""

    def told(key: str) -> str:
        return TEXTS.render(language, key, shortcode="*384*96#")

    house.rooms.languages[PAYER] = language
    for word in ("SIMAMA", "HELP", f"my PIN is {PIN}"):
        key = {"SIMAMA": "sms.in_stopped", "HELP": "sms.in_help"}.get(word, "sms.in_pin")
        assert await house.say(word) == told(key)
    house.rooms.refusal = CustomerMistake("mistake.own_number")
    for word in ("SEND", "TUMA", "ENVOYER"):
        assert await house.say(f"{word} 500 +256772000002") == told("mistake.own_number")


async def test_stop_and_start_are_answered_once(house: House) -> None:
    opt_outs = OptOuts(house.pool, 1, house.clock)
    for sender in (PAYER, STRANGER):
        stopped = [await house.say(word, sender) for word in ("STOP", "stop!", "SIMAMA")]
        assert [said is not None for said in stopped] == [True, False, False]
        assert await opt_outs.are_quiet(sender)
        started = [await house.say(word, sender) for word in ("START", "START now")]
        assert [said is not None for said in started] == [True, False]
        assert not await opt_outs.are_quiet(sender)


@pytest.mark.parametrize("text", [PIN, f"my PIN is {PIN}", f"SEND 500 +256772000002 pin {PIN}"])
async def test_a_pin_is_neither_kept_nor_acted_upon(
    house: House, redis: Any, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert (await house.say(text) or "").startswith("Never send your PIN by SMS.")
    assert holds(text, PIN) and not holds(await house.stored(), PIN)
    assert not holds(caplog.text, PIN)
    for key in await redis.execute("KEYS", "*"):
        kept = await redis.execute("GET", key)
        assert not holds((key + b" " + kept).decode(errors="replace"), PIN)
    assert (house.rooms.keys, house.rooms.turns) == ([], [])


# Journeys.


async def test_any_journey_is_walked_by_replies(house: House) -> None:
    rooms = house.rooms
    rooms.replies = [Reply("1. Send", ends=False), Reply("How much?", ends=False),
                     Reply("Done", ends=True)]  # fmt: skip
    assert await house.say("MENU") == "1. Send"
    assert await house.say(" 1 ") == "How much?"
    assert await house.say("1000") == "Done"  # four digits, but it is the journey that asks
    assert [(t.text, t.opens, t.network, t.cumulative) for t in rooms.turns] == [
        ("", True, "sms", False),
        ("1", False, "sms", False),
        ("1000", False, "sms", False),
    ]
    assert len({t.session_id for t in rooms.turns}) == 1
    assert rooms.turns[0].session_id.startswith("sms:")
    assert len({t.sequence for t in rooms.turns}) == 3
    assert (await house.say("2") or "").startswith("CAPP: SEND")  # it is over


async def test_the_end_of_a_journey_is_told_again_to_whom_it_was_not_told(
    house: House, redis: Any
) -> None:
    """Carried out, then Postgres was away: it is neither lost nor pressed elsewhere."""
    await house.say("MENU", id_="menu")
    house.rooms.replies = [Reply("Done", ends=True)]
    assert not await is_answered_without_writing(house, redis, "1", id_="in-1")
    await house.say("MENU 2", id_="another")
    house.rooms.replies = [Reply("Done", ends=True)]
    assert await house.say("1", id_="in-1") == "Done"
    first, again = (house.rooms.turns[n] for n in (1, 3))
    assert (again.session_id, again.sequence) == (first.session_id, first.sequence)
    assert await house.say("3", id_="in-3") == "1. Send money"
    assert house.rooms.turns[-1].session_id == house.rooms.turns[2].session_id


async def test_a_keyword_counts_more_than_the_journey_and_leaves_it_open(house: House) -> None:
    await house.say("MENU 1 2")
    assert house.rooms.turns[0].text == "1*2"
    assert (await house.say("BAL") or "").startswith("You can send")
    assert (await house.say("HELP") or "").startswith("CAPP: SEND 500")
    assert await house.say("2") == "1. Send money"
    await house.say(" YES ")  # no price waits: the journey asked
    assert [turn.text for turn in house.rooms.turns] == ["1*2", "2", "YES"]


async def test_a_pin_with_its_name_stays_out_of_a_journey_too(house: House) -> None:
    await house.say("MENU")
    assert (await house.say(f"pin {PIN}") or "").startswith("Never send your PIN")
    assert len(house.rooms.turns) == 1


# Once each.


async def test_a_repeated_message_is_taken_and_answered_once(house: House) -> None:
    await house.say("SEND 500 +256772000002")
    first = await house.say("YES", id_="m1")
    assert first is not None
    house.clock.pass_(3600)
    assert [await house.say("YES", id_="m1") for _ in range(3)] == [None] * 3
    assert len(house.rooms.keys) == 1


async def test_two_processes_that_get_one_message_answer_once(
    house: House, pool: Any, redis: Any, redis_url: str
) -> None:
    other_redis = open_pipeline(redis_url, timeout_seconds=30)
    other = House(pool, other_redis, house.clock, house.rooms)
    message = SmsMessage("m1", PAYER, "MENU")
    takes = [h.inbox.take("twilio", message) for h in (house, other) for _ in range(5)]
    taken = await asyncio.gather(*takes)
    assert len(house.sent) + len(other.sent) == 1
    assert len(house.rooms.turns) == 1
    assert taken.count(True) >= 1
    assert await other.inbox.take("twilio", message)  # whoever was sent away comes again
    assert await pool.fetchval("select count(*) from outbox") == 1
    await other_redis.aclose()


async def test_a_message_finished_by_two_processes_has_one_answer(house: House) -> None:
    finished = await asyncio.gather(
        *(house.store.finish("twilio", "m1", PAYER, f"answer {n}") for n in range(5))
    )
    assert sum(intent is not None for intent in finished) == 1
    assert await house.pool.fetchval("select count(*) from outbox") == 1


async def test_an_answer_is_sent_by_whoever_took_the_message_unless_they_die(house: House) -> None:
    other = Outbox(house.pool, house.clock, lease_seconds=60)
    await house.say("BAL")
    (mine,) = house.sent
    assert await other.lease_left_behind(10) == []
    house.clock.pass_(59)
    assert await other.lease_left_behind(10) == []
    house.clock.pass_(2)
    assert [left.id for left in await other.lease_left_behind(10)] == [mine.id]


async def test_the_same_words_within_seconds_are_an_echo(house: House, redis: Any) -> None:
    assert await house.say("BAL", id_="a1") is not None
    assert await house.say(" bal ", id_="a2") is None
    assert await house.say("HELP", id_="a3") is not None
    for key in await redis.execute("KEYS", "*echo*"):
        assert 0 < await redis.execute("TTL", key) <= 4
        await redis.execute("DEL", key)
    assert await house.say("BAL", id_="a4") is not None


async def test_the_same_words_behind_what_failed_are_no_echo(house: House, redis: Any) -> None:
    """Not every gateway repeats what it was told 503 about; people do."""
    await house.say("SEND 500 +256772000002")
    assert not await is_answered_without_writing(house, redis, "YES", id_="in-yes")
    assert (await house.say("yes") or "").startswith(f"{CODE} started.")
    assert await house.say("YES.") is not None
    assert await house.say("YES") is None


async def test_who_asks_the_guard_again_for_a_lost_reply_is_as_welcome_and_counted_once(
    redis: Any,
) -> None:
    guard = Guard(redis, 1, b"k" * 32)
    claim = {"gateway": "twilio", "message_id": "m1", "token": "t" * 32}
    assert [await guard.admit(PAYER, "BAL", **claim) for _ in range(2)] == [Admission.WELCOME] * 2
    for counted in ("minute", "day"):
        assert int(await redis.execute("GET", f"{phone_key(1, PAYER)}:{counted}")) == 1


async def test_all_that_the_guard_keeps_of_a_phone_ends_by_itself(redis: Any) -> None:
    """A process that dies with a message in its hands shuts nobody out for good."""
    guard = Guard(redis, 1, b"k" * 32)
    await guard.admit(PAYER, "BAL", gateway="twilio", message_id="m1", token="t" * 32)
    most = {"claim": LEASE_SECONDS, "lease": LEASE_SECONDS, "minute": 60, "day": 86_400}
    keys = [key.decode() for key in await redis.execute("KEYS", f"{phone_key(1, PAYER)}*")]
    assert len(keys) >= len(most)
    for key in keys:
        name = key.removeprefix(f"{phone_key(1, PAYER)}:").partition(":")[0]
        left = await redis.execute("TTL", key)
        assert left != -1, name
        assert left <= most.get(name, ECHO_SECONDS), name
        assert left > most.get(name, 0) // 3, name  # nor so soon that it holds nobody back


async def test_nothing_that_redis_keeps_of_a_phone_stays_there(house: House, redis: Any) -> None:
    """Its number is in every key."""
    for text in ("MENU", "1", "SEND 500 +256772000002", "YES", "NO"):
        await house.say(text)
    most = {"journey": JOURNEY_SECONDS, "day": 86_400}
    names = set()
    for key in await redis.execute("KEYS", "capp:sms:*"):
        name = key.decode().removeprefix(f"{phone_key(1, PAYER)}:").partition(":")[0]
        left = await redis.execute("TTL", key)
        assert left != -1, name
        assert left <= most.get(name, AGREED_SECONDS), name
        names.add(name)
    assert names >= {"journey", "pressed", "order", "quote", "agreed"}


async def test_who_took_longer_than_the_claim_gives_nobody_else_s_back(redis: Any) -> None:
    guard = Guard(redis, 1, b"k" * 32)
    assert await said(guard, "YES", "slow") is Admission.WELCOME
    await redis.execute("DEL", f"{phone_key(1, PAYER)}:claim")  # it has run out
    assert await said(guard, "NO", "next") is Admission.WELCOME
    await guard.done(PAYER, token="slow")
    assert await said(guard, "HELP", "third") is Admission.BUSY
    await guard.done(PAYER, token="next")
    assert await said(guard, "HELP", "third") is Admission.WELCOME


@pytest.mark.parametrize("span", ["minute", "day"])
async def test_a_span_of_messages_is_over_though_more_of_them_come(redis: Any, span: str) -> None:
    guard = Guard(redis, 1, b"k" * 32)
    counted = f"{phone_key(1, PAYER)}:{span}"
    await said(guard, "1", "a")
    await redis.execute("EXPIRE", counted, 20)
    await guard.done(PAYER, token="a")
    assert await said(guard, "2", "b") is Admission.WELCOME
    assert await redis.execute("GET", counted) == b"2"
    assert await redis.execute("TTL", counted) <= 20


async def test_nobody_finds_out_without_the_key_what_was_said(redis: Any) -> None:
    """Ten thousand tries would tell a PIN."""
    guard, other = (Guard(redis, 1, key * 32) for key in (b"k", b"o"))
    await said(guard, PIN, "a")
    await guard.done(PAYER, token="a")
    assert await said(guard, PIN, "b") is Admission.ECHO
    assert await said(other, PIN, "c") is Admission.WELCOME


async def test_half_a_sign_is_heard_like_any_other(redis: Any) -> None:
    guard = Guard(redis, 1, b"k" * 32)
    assert await said(guard, "hello \ud83d", "a") is Admission.WELCOME
    await guard.done(PAYER, token="a")
    assert await said(guard, "HELLO  \ud83d", "b") is Admission.ECHO


async def said(guard: Guard, text: str, id_: str) -> Admission:
    return await guard.admit(PAYER, text, gateway="twilio", message_id=id_, token=id_)


async def test_the_same_id_at_two_gateways_is_two_messages(house: House) -> None:
    for gateway, text in (("africastalking", "BAL"), ("twilio", "HELP")):
        assert await house.inbox.take(gateway, SmsMessage("7", PAYER, text))
    assert len(house.sent) == 2


async def test_what_one_gateway_s_message_met_is_not_said_of_another_s_of_the_same_id(
    house: House,
) -> None:
    """A digit met no journey, which holds for its repeats, and not for who writes elsewhere."""
    house.rooms.replies += [Reply("1. Pay", ends=False), Reply("Amount", ends=False)]
    assert await house.inbox.take("africastalking", SmsMessage("7", PAYER, "1"))
    await house.say("MENU")
    assert await house.inbox.take("twilio", SmsMessage("7", PAYER, "2"))
    assert [turn.text for turn in house.rooms.turns] == ["", "2"]


@pytest.mark.parametrize("verdict", [Admission.ECHO, Admission.TOO_MANY])
async def test_what_was_not_answered_is_not_carried_out_when_it_comes_again(
    house: House, redis: Any, verdict: Admission
) -> None:
    """A gateway that did not hear our answer delivers once more, when nothing shuts it out."""
    await house.say("SEND 500 +256772000002")
    if verdict is Admission.ECHO:
        await house.say("YES", id_="first")
        house.rooms.keys.clear()
    else:
        await redis.execute("SET", f"{phone_key(1, PAYER)}:minute", MINUTE_MAX)
    assert await house.say("YES", id_="second") is None
    for key in await redis.execute("KEYS", f"{phone_key(1, PAYER)}:*"):
        if key.decode().rpartition(":")[2] == "minute" or b":echo:" in key:
            await redis.execute("DEL", key)
    assert await house.say("YES", id_="second") is None
    assert house.rooms.keys == []


async def test_two_machines_do_not_talk_for_ever(house: House, redis: Any) -> None:
    answered = [await house.say(f"hello {n}") for n in range(MINUTE_MAX + 5)]
    assert sum(said is not None for said in answered) == MINUTE_MAX
    assert answered[-1] is None
    await redis.execute("DEL", f"capp:sms:{{1:{PAYER}}}:minute")
    await redis.execute("SET", f"capp:sms:{{1:{PAYER}}}:day", DAY_MAX)
    assert await house.say("hello again") is None
    assert await house.say("hello", STRANGER) is not None


async def test_nobody_answers_a_name_or_a_short_code(house: House) -> None:
    assert await house.inbox.take("twilio", SmsMessage("1", None, "You won"))
    assert house.sent == []
    assert await house.store.is_done("twilio", "1")


async def test_what_failed_is_offered_again_and_then_answered(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.rooms.refusal = RuntimeError(f"secret {PIN}")
    message = SmsMessage("m1", PAYER, "SEND 500 +256772000002")
    assert not await house.inbox.take("twilio", message)
    assert "RuntimeError" in caplog.text
    assert not holds(caplog.text, PIN)
    assert str(PAYER) not in caplog.text
    house.rooms.refusal = None
    assert await house.inbox.take("twilio", message)
    assert len(house.sent) == 1


async def test_without_redis_a_message_is_to_come_again(
    house: House, pool: Any, clock: TestClock
) -> None:
    nobody = open_pipeline("redis://127.0.0.1:1", timeout_seconds=0.05)
    lost = House(pool, nobody, clock, Rooms(clock))
    assert not await lost.inbox.take("twilio", SmsMessage("m1", PAYER, "BAL"))
    assert await house.inbox.take("twilio", SmsMessage("m1", PAYER, "BAL"))
    assert (len(lost.sent), len(house.sent)) == (0, 1)
    await nobody.aclose()


async def test_a_redis_that_forgot_everything_lets_no_message_act_twice(
    house: House, redis: Any
) -> None:
    await house.say("STOP", id_="m1")
    await redis.execute("FLUSHALL")
    assert await house.say("STOP", id_="m1") is None
    assert await house.say("START", id_="m2") is not None


async def test_what_no_gateway_repeats_is_forgotten(house: House) -> None:
    await house.say("BAL", id_="old")
    house.clock.pass_(KEPT_SECONDS - 10)
    await house.say("HELP", id_="new")
    house.clock.pass_(20)
    assert await house.store.forget() == 1
    assert not await house.store.is_done("africastalking", "old")
    assert await house.store.is_done("africastalking", "new")


async def test_what_one_tenant_is_done_with_another_is_not(house: House) -> None:
    other = InboxStore(house.pool, 2, house.clock, Ids(house.clock), lease_seconds=60)
    await house.say("BAL", id_="same")
    assert not await other.is_done("africastalking", "same")
    assert not await house.store.is_done("twilio", "same")
    assert await other.finish("africastalking", "same", PAYER, "answer") is not None
    house.clock.pass_(KEPT_SECONDS + 1)
    assert await other.forget() == 1
    assert await house.store.is_done("africastalking", "same")


# The doors.


@pytest_asyncio.fixture(loop_scope="module")
async def doors(house: House, clock: TestClock) -> AsyncIterator[httpx.AsyncClient]:
    outbox = Outbox(house.pool, clock, lease_seconds=60)
    at = AfricasTalkingSms(at_settings("http://127.0.0.1:1"))
    twilio = TwilioSms(twilio_settings("http://127.0.0.1:1"))
    routes = []
    for name, port in (("africastalking", at), ("twilio", twilio)):
        routes += SmsReports(port, name, outbox, 1, TOKENS, PUBLIC).routes()
        routes += SmsMessages(port, name, house.inbox, TOKENS, PUBLIC).routes()
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
        yield client


def signed(path: str, body: bytes) -> dict[str, str]:
    return {"X-Twilio-Signature": signature("twilio-token-x10", PUBLIC + path, body)}


async def test_africas_talking_delivers_a_message(house: House, doors: httpx.AsyncClient) -> None:
    fields = {"id": "7", "from": str(PAYER), "text": "BAL", "to": "22384", "date": "x"}
    for token in TOKENS:
        path = f"/sms/africastalking/{token}/message"
        response = await doors.post(path, content=urlencode(fields))
        assert (response.status_code, response.content) == (200, b"")
    assert len(house.sent) == 1


async def test_twilio_delivers_a_signed_message_and_nobody_else(
    house: House, doors: httpx.AsyncClient
) -> None:
    fields = {"MessageSid": TWILIO_SID, "From": str(PAYER), "Body": "BAL"}
    path, body = f"/sms/twilio/{TOKEN}/message", urlencode(fields).encode()
    assert (await doors.post(path, content=body)).status_code == 403
    assert house.sent == []
    response = await doors.post(path, content=body, headers=signed(path, body))
    assert (response.status_code, response.text) == (200, "<Response/>")
    assert response.headers["content-type"].startswith("text/xml")
    assert len(house.sent) == 1


async def test_twilios_report_is_kept_under_our_own_id(
    house: House, doors: httpx.AsyncClient
) -> None:
    path = f"/sms/twilio/{TOKEN}/report?message={'a' * 32}"
    body = urlencode({"MessageSid": TWILIO_SID, "MessageStatus": "delivered"}).encode()
    response = await doors.post(path, content=body, headers=signed(path, body))
    assert response.status_code == 200
    elsewhere = path.replace("a" * 32, "b" * 32)
    forged = await doors.post(elsewhere, content=body, headers=signed(path, body))
    assert forged.status_code == 403
    kept = await house.pool.fetch("select message, delivered from sms_report where tenant = 1")
    assert [(row["message"].hex, row["delivered"]) for row in kept] == [("a" * 32, True)]


BAD = [
    ("POST", f"/sms/africastalking/{'x' * 32}/message", b"id=1&from=%2B254712000001&text=1", 404),
    ("POST", f"/sms/africastalking/{TOKEN}/message", b"", 400),
    ("POST", f"/sms/africastalking/{TOKEN}/message", b"id=1&id=2&from=%2B254712000001", 400),
    ("POST", f"/sms/africastalking/{TOKEN}/message", b"\xff\xfe", 400),
    ("POST", f"/sms/africastalking/{TOKEN}/message", b"x" * 20_000, 413),
    ("POST", f"/sms/twilio/{TOKEN}/message", b'{"From": 1}', 403),
    ("GET", f"/sms/africastalking/{TOKEN}/message", b"", 405),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD)
async def test_what_is_no_message_is_refused(
    house: House, doors: httpx.AsyncClient, method: str, path: str, body: bytes, status: int
) -> None:
    assert (await doors.request(method, path, content=body)).status_code == status
    assert house.sent == []


async def test_a_message_that_cannot_be_carried_out_now_is_asked_for_again(
    house: House, doors: httpx.AsyncClient
) -> None:
    house.rooms.refusal = RuntimeError("away")
    fields = {"id": "7", "from": str(PAYER), "text": "SEND 500 +256772000002"}
    path = f"/sms/africastalking/{TOKEN}/message"
    assert (await doors.post(path, content=urlencode(fields))).status_code == 503
    house.rooms.refusal = None
    assert (await doors.post(path, content=urlencode(fields))).status_code == 200
    assert len(house.sent) == 1

"""What a caller sees, turn by turn, whatever the gateway does to the turns."""

import asyncio
import logging
from typing import Any

import msgspec
import pytest

from engine.errors import CustomerMistake, KeyNotAtHand, NoWayNow
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import MoneyRequest
from engine.ports import Reply
from engine.septets import fits
from engine.session.render import Renderer
from engine.session.store import Pointer, StoreDown
from tests.leap import leap
from tests.unit.session.rooms import (
    LONG_SECONDS,
    MENU,
    NETWORKS,
    PAYER,
    PIN,
    TEXTS,
    VERSION,
    House,
    MemoryRecords,
)

PAYEE = "256772000002"
CONGOLESE = Msisdn("+243812345678")
TO_PIN = ("1", PAYEE, "1000", "1")


async def caller(language: str = "en") -> House:
    return await House().registered(language)


# Journeys.


async def test_a_new_caller_chooses_a_language_and_a_pin_twice() -> None:
    house = House()
    reply = await house.press("2", "4826", "4826")
    assert reply.text.startswith("CAPP\n1. Tuma pesa")
    assert house.customers.known[PAYER].language == "sw"
    assert house.customers.known[PAYER].country == "KE"


async def test_whoever_has_just_registered_may_pay_in_the_same_session() -> None:
    house = House()
    reply = await house.press("1", "4826", "4826", "1", PAYEE, "1000", "1", "4826")
    assert reply.text.startswith("CAPP000001 started")


async def test_pins_that_differ_begin_again_and_register_nobody() -> None:
    house = House()
    reply = await house.press("1", "4826", "4827")
    assert reply.text.startswith("The two PINs differ. Start again.\nChoose a PIN")
    assert house.customers.known == {}
    reply = await house.take("1*4826*4827*4826")
    assert reply.text.startswith("Type the same")


async def test_a_weak_pin_is_refused() -> None:
    reply = await House().press("1", "1234")
    assert reply.text.startswith("That PIN is too easy to guess.\nChoose a PIN")


async def test_a_fee_that_is_not_given_back_is_told_before_anybody_agrees() -> None:
    for language, said in (
        ("en", "Fee KES 10\nFee not refunded\nTotal KES 1,010\n1. Pay"),
        ("sw", "Ada KES 10\nAda hairudishwi\nJumla KES 1,010\n"),
        ("fr", "\nFrais non rendus\nTotal KES 1 010\n"),
        ("lg", "\nEbisale tebidda\nOmugatte KES 1,010\n"),
    ):
        house = await House().registered(language)
        house.payments.fee_is_refunded = False
        assert said in (await house.press("1", PAYEE, "1000")).text


async def test_a_payment_from_dial_to_done() -> None:
    house = await caller()
    assert "Number to pay" in (await house.press("1")).text
    assert "Amount in KES" in (await house.take(f"1*{PAYEE}")).text
    price = await house.take(f"1*{PAYEE}*1,000")
    assert price.text == (
        "To +256772000002 MTN MoMo\nGets UGX 27,123\n1 KES = 27.1234 UGX\nAmount KES 1,000\n"
        "Fee KES 10\nTotal KES 1,010\n1. Pay\n0 Back 00 Home"
    )
    assert "Type your CAPP PIN" in (await house.take(f"1*{PAYEE}*1,000*1")).text
    done = await house.take(f"1*{PAYEE}*1,000*1*{PIN}")
    assert done.ends
    assert "In a few seconds M-PESA asks for your PIN to pay KES 1,010" in done.text
    assert len(house.payments.confirmed) == 1


async def test_a_language_once_chosen_stays() -> None:
    house = await caller()
    assert "Kiswahili" in (await house.press("5", "1", "2")).text
    assert (await house.press(session_id="next")).text.startswith("CAPP\n1. Tuma")


async def test_back_and_home() -> None:
    house = await caller()
    assert "Amount in KES" in (await house.press("1", PAYEE, "1000", "0")).text
    assert (await house.take(f"1*{PAYEE}*1000*0*00")).text.startswith("CAPP\n1. Send")


async def test_three_wrong_pins_lock_and_end() -> None:
    house = await caller()
    assert "Tries left: 2" in (await house.press(*TO_PIN, "9026")).text
    text = "*".join((*TO_PIN, "9026", "9027"))
    assert "Tries left: 1" in (await house.take(text)).text
    locked = await house.take(text + "*9028")
    assert locked.ends
    assert locked.text.startswith("Too many wrong PINs.")
    again = await house.press(*TO_PIN, PIN, session_id="s2")
    assert again.text.startswith("Too many wrong PINs.")
    assert house.payments.confirmed == {}


async def test_an_expired_price_asks_for_the_amount_again() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    house.clock.seconds += 121
    reply = await house.take("*".join((*TO_PIN, PIN)))
    assert reply.text.startswith("The price has expired.")
    assert "Amount in KES" in reply.text
    assert house.payments.confirmed == {}


# Mistakes.


@pytest.mark.parametrize(
    ("inputs", "sentence", "screen"),
    [
        (("7",), "Please choose one of these.", "1. Send money"),
        (("1", "12"), "That is not a phone number.", "Number to pay"),
        (("1", "0202222222"), "That is not a mobile number.", "Number to pay"),
        (("1", "0712000001"), "That is your own number.", "Number to pay"),
        (("1", "251912345678"), "We do not know this number's operator.", "Number to pay"),
        (("1", "0712000009"), "CAPP cannot send money from your network", "Number to pay"),
        (("1", PAYEE, "000"), "Type an amount in digits", "Amount in KES"),
        (("1", PAYEE, "-5"), "Type an amount in digits", "Amount in KES"),
        (("1", PAYEE, "1e9"), "Type an amount in digits", "Amount in KES"),
        (("1", PAYEE, "12.345"), "Whole amounts only", "Amount in KES"),
        (("1", PAYEE, "abc"), "Type an amount in digits", "Amount in KES"),
        (("1", PAYEE, "٥٠٠"), "Type an amount in digits", "Amount in KES"),
        (("1", PAYEE, "9" * 200), "Type an amount in digits", "Amount in KES"),
        (("1", PAYEE, "5*0"), "Type an amount in digits", "Amount in KES"),
        (("1", PAYEE, ""), "Type an amount in digits", "Amount in KES"),
        (("1", PAYEE, "900000"), "The largest amount is KES 250,000.", "Amount in KES"),
        (("1", PAYEE, "1000", "5"), "Please choose one of these.", "Pay KES 1,010 to"),
        (("1", PAYEE, "1000", "1", "12"), "A PIN is 4 digits.", "Type your CAPP PIN"),
        (("3", "9"), "Please choose one of these.", "no payments yet"),
    ],
)
async def test_a_mistake_is_told_above_the_screen_that_mends_it(
    inputs: tuple[str, ...], sentence: str | None, screen: str
) -> None:
    house = await caller()
    reply = await house.press(*inputs)
    assert not reply.ends
    if sentence is not None:
        assert reply.text.startswith(sentence)
    assert screen in reply.text
    assert len(reply.text) <= 160
    assert house.payments.confirmed == {}


async def test_a_number_that_only_the_price_finds_wrong_is_mended_where_it_is_typed() -> None:
    house = await caller()
    await house.press("1", PAYEE)
    house.payments.failure = CustomerMistake("mistake.operator_unknown")
    reply = await house.take(f"1*{PAYEE}*500")
    assert reply.text.startswith("We do not know this number's operator.")
    assert "Number to pay" in reply.text


async def test_an_unknown_shortcode_is_told_so() -> None:
    house = await caller()
    reply = await house.take("", shortcode="*999#")
    assert reply.ends
    assert reply.text.startswith("This code is not in service.")
    assert house.records.records == {}


async def test_a_caller_from_a_country_we_do_not_serve_is_told_so() -> None:
    house = House()
    reply = await house.take("", msisdn=Msisdn("+233241234567"))
    assert reply.ends
    assert reply.text == TEXTS.render("en", "no_way.caller")


# Turns that come twice, late, or never.


async def test_the_same_turn_gets_the_same_bytes_and_no_second_effect() -> None:
    house = await caller()
    for inputs in ((), ("1",), TO_PIN, (*TO_PIN, "9026"), (*TO_PIN, "9026", PIN)):
        session_id = f"s{len(inputs)}"
        house.records.pointers.clear()
        first = await house.press(*inputs, session_id=session_id)
        record = dict(house.records.records)
        failures = dict(house.customers.failures)
        assert await house.take("*".join(inputs), session_id) == first
        assert house.records.records == record
        assert house.customers.failures == failures
    assert len(house.payments.confirmed) == 1


async def test_doubled_turns_at_the_same_moment_act_once() -> None:
    house = await caller()
    house.payments.delay = 0.01
    await house.press(*TO_PIN)
    text = "*".join((*TO_PIN, PIN))
    replies = await asyncio.gather(*(house.take(text) for _ in range(5)))
    assert len(set(map(repr, replies))) == 1
    assert len(house.payments.confirmed) == 1
    wrong = await asyncio.gather(*(house.press(*TO_PIN, session_id="s2") for _ in range(2)))
    assert wrong[0] == wrong[1]
    await asyncio.gather(*(house.take("*".join((*TO_PIN, "9999")), "s2") for _ in range(5)))
    assert list(house.customers.failures.values()) == [1]


async def test_a_stale_turn_is_answered_as_the_latest_and_changes_nothing() -> None:
    house = await caller()
    latest = await house.press("1", PAYEE)
    record = dict(house.records.records)
    assert await house.take("1") == latest
    assert await house.take("") == latest
    assert house.records.records == record


@pytest.mark.parametrize("text", ["2*256772000002*500", "1*256772000003", f"1*{PAYEE}5"])
async def test_a_text_that_does_not_continue_the_session_ends_politely(text: str) -> None:
    house = await caller()
    await house.press("1", PAYEE)
    record = dict(house.records.records)
    reply = await house.take(text)
    assert reply == Reply("This session has ended. Please dial again.", ends=True)
    assert house.records.records == record


async def test_a_turn_for_a_session_that_ended_gets_an_end() -> None:
    house = await caller()
    done = await house.press(*TO_PIN, PIN)
    more = await house.take("*".join((*TO_PIN, PIN, "1")))
    assert more == Reply("This session has ended. Please dial again.", ends=True)
    assert await house.take("*".join((*TO_PIN, PIN))) == done
    assert len(house.payments.confirmed) == 1


async def test_a_turn_repeated_after_a_lost_save_pays_once() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    before = dict(house.records.records)
    first = await house.take("*".join((*TO_PIN, PIN)))
    house.records.records = before  # the save never reached the store
    assert await house.take("*".join((*TO_PIN, PIN))) == first
    assert len(house.payments.confirmed) == 1


async def test_a_session_id_used_again_is_another_payment() -> None:
    house = await caller()
    await house.press(*TO_PIN, PIN)
    house.records.records.clear()
    await house.press(*TO_PIN, PIN)
    assert len(house.payments.confirmed) == 2


async def test_another_phone_finds_nothing_under_a_session_id() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    stranger = Msisdn("+254712000099")
    reply = await house.take("*".join((*TO_PIN, PIN)), msisdn=stranger)
    assert "Choose your language" in reply.text
    assert house.payments.confirmed == {}


class RacingRecords(MemoryRecords):
    """Another process is faster, once: it saves its own record just before ours."""

    def __init__(self) -> None:
        super().__init__()
        self.rival: bytes | None = None

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
        if self.rival is not None:
            self.records[msisdn, session_id], self.rival = self.rival, None
        return await super().save(
            msisdn,
            session_id,
            expected=expected,
            record=record,
            ttl_seconds=ttl_seconds,
            pointer=pointer,
        )


async def test_who_loses_the_save_to_the_same_turn_answers_with_the_winners_reply() -> None:
    records = RacingRecords()
    house = House(records)
    await house.registered()
    await house.press(*TO_PIN)
    before = dict(records.records)
    text = "*".join((*TO_PIN, PIN))
    winner = await house.take(text)
    records.rival = records.records[PAYER, "s1"]
    records.records = before
    assert await house.take(text) == winner
    assert len(house.payments.confirmed) == 1


async def test_who_loses_the_save_to_another_turn_is_refused() -> None:
    records = RacingRecords()
    house = House(records)
    await house.registered()
    await house.press("1")
    before = dict(records.records)
    await house.take(f"1*{PAYEE}")
    records.rival = records.records[PAYER, "s1"]
    records.records = before
    reply = await house.take("1*256772000009")
    assert reply == Reply("This session has ended. Please dial again.", ends=True)


class ContendedRecords(MemoryRecords):
    """Somebody else is faster each time."""

    is_contended = False

    async def save(self, msisdn: Msisdn, session_id: str, **fields: Any) -> bytes | None:
        if self.is_contended:
            return self.records[msisdn, session_id]
        return await super().save(msisdn, session_id, **fields)


async def test_who_loses_every_save_gets_a_clear_end() -> None:
    records = ContendedRecords()
    house = await House(records).registered()
    await house.press("1")
    records.is_contended = True
    assert await house.take(f"1*{PAYEE}") == Reply(TEXTS.render("en", "session.unavailable"), True)


# Dial strings and lost records.


async def test_a_dial_string_leads_to_its_screen() -> None:
    house = await caller()
    assert "Gets UGX 13,561" in (await house.take(f"1*{PAYEE}*500")).text
    again = await house.take(f"1*{PAYEE}*500*1", "s2")  # a price is agreed to by who has read it
    assert again.text.endswith("Total KES 505\n1. Pay\n0 Back 00 Home")
    assert "Type your CAPP PIN" in (await house.take(f"1*{PAYEE}*500*1*1", "s2")).text


@pytest.mark.parametrize(
    "text",
    [
        "*".join((*TO_PIN, PIN)),  # a PIN never comes in a dial string
        f"1*{PAYEE}*abc*500",
        f"1*0*1*{PAYEE}",
        "1*" + "1*" * 40,
        "5*1*2",  # would change the language
    ],
)
async def test_a_session_whose_record_is_lost_ends_politely_and_without_effect(text: str) -> None:
    house = await caller()
    reply = await house.take(text)
    assert reply.ends
    assert reply.text.startswith("We lost this session. Please dial again. If you confirmed")
    assert house.payments.confirmed == {}
    assert house.customers.known[PAYER].language == "en"


async def test_a_record_of_another_menu_is_a_lost_session() -> None:
    house = await caller()
    await house.press("1")
    house.records.records[PAYER, "s1"] = house.records.records[PAYER, "s1"].replace(
        VERSION.encode(), b"00000000"
    )
    assert (await house.take(f"1*{PAYEE}")).text.startswith("We lost this session.")


# Gateways that send the last input only.


async def test_a_gateway_may_send_the_last_input_only() -> None:
    house = await caller()
    last: dict[str, Any] = {"cumulative": False}
    first = await house.take("", opens=True, **last)
    assert await house.take("", opens=True, **last) == first
    for pressed in ("1", PAYEE, "1000", "1"):
        reply = await house.take(pressed, **last)
    assert "Type your CAPP PIN" in reply.text
    assert (await house.take(PIN, **last)).ends
    assert (await house.take("1", **last)).text.startswith("This session has ended.")
    assert (await house.take("1", "unknown", **last)).text.startswith("We lost this session.")


# Rooms that fail.


async def test_no_way_now_ends_with_its_sentence() -> None:
    house = await caller()
    house.payments.failure = NoWayNow("no_way.float")
    reply = await house.press("1", PAYEE, "1000")
    assert reply.ends
    assert reply.text.startswith("We cannot pay out this amount right now.")


async def test_who_confirms_and_cannot_be_proven_hears_that_nothing_was_charged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They were promised an SMS, waited for it, and it never came."""
    house = await caller()
    await house.press(*TO_PIN)
    house.customers.pin_failure = KeyNotAtHand("PINs are under key 2; set the keys")
    reply = await house.take("*".join((*TO_PIN, PIN)))
    assert reply == Reply(TEXTS.render("en", "no_way.fault"), ends=True)
    assert "PINs are under key 2" in caplog.text
    assert PIN not in caplog.text


async def test_whose_payment_was_taken_on_is_never_told_that_nothing_was_charged() -> None:
    """The same turn once more, after a save that was lost, in a process without the key."""
    house = await caller()
    await house.press(*TO_PIN)
    before = house.records.records[PAYER, "s1"]
    await house.take("*".join((*TO_PIN, PIN)))
    house.records.records[PAYER, "s1"] = before
    house.customers.pin_failure = KeyNotAtHand("PINs are under key 2; set the keys")
    reply = await house.take("*".join((*TO_PIN, PIN)))
    assert reply == Reply(TEXTS.render("en", "session.sorry"), ends=True)


async def test_of_a_request_nobody_is_told_that_nothing_was_charged() -> None:
    """A request is paid under a key of its own: an earlier session may have paid it."""
    house = await caller()
    request = MoneyRequest(
        "ASK0000009", Msisdn(f"+{PAYEE}"), Money(27_123, "UGX"), house.clock.now(), "k"
    )
    house.payments.requests[request.code] = (PAYER, request)
    to_pin = ("2", "2", "1", "1", "1")
    await house.press(*to_pin)
    assert house.session().screen == "send_money.asked_pin"
    house.customers.pin_failure = KeyNotAtHand("PINs are under key 2; set the keys")
    reply = await house.take("*".join((*to_pin, PIN)))
    assert reply == Reply(TEXTS.render("en", "session.sorry"), ends=True)


async def test_a_refusal_nobody_wrote_a_sentence_for_is_an_apology() -> None:
    house = await caller()
    house.payments.failure = NoWayNow("no_way.new")
    assert (await house.press("1", PAYEE, "1000")).text.startswith("Sorry, something went wrong")


async def test_a_verb_that_breaks_ends_with_an_apology_and_a_log_without_what_was_typed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = await caller()
    await house.press(*TO_PIN)
    house.payments.failure = RuntimeError(f"broke on pin {PIN} of {PAYER}")
    with caplog.at_level(logging.DEBUG):
        reply = await house.take("*".join((*TO_PIN, PIN)))
    assert reply.ends
    assert reply.text.startswith("Sorry, something went wrong on our side.")
    assert "RuntimeError" in caplog.text
    assert PIN not in caplog.text
    assert PAYER not in caplog.text
    assert PAYEE not in caplog.text


async def test_a_verb_that_is_late_is_answered_in_time_and_its_work_goes_on() -> None:
    house = await House().registered("sw")
    await house.press(*TO_PIN)
    house.payments.delay = LONG_SECONDS
    with house.hurried():
        reply = await house.take("*".join((*TO_PIN, PIN)))
    assert not house.payments.confirmed, "it was not waited for"
    assert reply == Reply(TEXTS.render("sw", "session.late"), ends=True)
    leap(LONG_SECONDS)
    await house.turns.aclose()
    assert len(house.payments.confirmed) == 1
    assert await house.take("*".join((*TO_PIN, PIN))) == reply


class DeadRecords(MemoryRecords):
    """A store that does not answer, from a chosen moment on."""

    loads, saves = True, True

    async def load(self, msisdn: Msisdn, session_id: str) -> bytes | None:
        if not self.loads:
            raise StoreDown
        return await super().load(msisdn, session_id)

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
        if not self.saves:
            raise StoreDown
        return await super().save(
            msisdn,
            session_id,
            expected=expected,
            record=record,
            ttl_seconds=ttl_seconds,
            pointer=pointer,
        )


async def test_without_a_store_the_caller_gets_a_clear_end() -> None:
    records = DeadRecords()
    house = await House(records).registered()
    records.loads = records.saves = False
    for text in ("", "1"):
        reply = await house.take(text)
        assert reply.ends
        assert reply.text.startswith("CAPP cannot answer right now.")


async def test_a_save_that_fails_ends_the_dialogue_but_never_hides_a_payment() -> None:
    records = DeadRecords()
    house = await House(records).registered()
    await house.press(*TO_PIN)
    records.saves = False
    done = await house.take("*".join((*TO_PIN, PIN)))
    assert done.text.startswith("CAPP000001 started")
    assert (await house.take("", "s2")).text.startswith("CAPP cannot answer right now.")


# What is kept.


async def test_no_pin_is_in_the_record_and_the_text_only_as_its_mac() -> None:
    house = House()
    await house.press("1", "4826")
    record = house.records.records[PAYER, "s1"]
    assert b"4826" not in record
    await house.take("1*4826*4826")
    await house.take("1*4826*4826*1")
    await house.take(f"1*4826*4826*1*{PAYEE}")
    session = house.session()
    assert session.text_length == len(f"1*4826*4826*1*{PAYEE}")
    assert len(session.text_mac) == 16
    assert session.pin_mac is None
    assert b"4826" not in house.records.records[PAYER, "s1"]


async def test_a_record_outlives_the_networks_patience() -> None:
    house = await caller()
    await house.press("1")
    assert house.records.ttl_seconds == 900  # a dropped one can be taken up that long


async def test_amounts_reach_payments_as_typed() -> None:
    house = await caller()
    await house.press("1", PAYEE, "1,234.50")
    quote = house.session().quote
    assert quote is not None
    assert quote.amount == Money(123_450, "KES")


@pytest.mark.parametrize("dialled", ["5", f"1*{PAYEE}*500", "2*1"])
async def test_a_new_caller_who_dials_a_link_is_asked_what_every_new_caller_is(
    dialled: str,
) -> None:
    house = House()
    plain = await House().take("")
    assert await house.take(dialled) == plain
    assert await house.take(dialled) == plain
    for pressed, asked in (("1", "Choose a PIN"), ("4826", "Type the same"), ("4826", "CAPP\n")):
        dialled += f"*{pressed}"
        assert (await house.take(dialled)).text.startswith(asked)
    assert house.customers.known[PAYER].language == "en"
    assert (await house.take(f"{dialled}*5")).text.startswith("My account")


async def test_whose_pin_may_be_chosen_anew_chooses_it_also_behind_a_link() -> None:
    house = await caller()
    await house.press("5", "3", "2", "1")
    house.customers.allow_reset(PAYER)
    assert (await house.take("5", "s2")).text.startswith("Your PIN was reset.")
    lost = await House(shares=house).take("5*7391", "s3")  # the first turn's record is lost
    assert lost.text.startswith("Your PIN was reset.")
    assert house.session("s3").pin_mac is None
    for text in ("5*7391", "5*7391*7391"):
        done = await house.take(text, "s2")
    assert done.text.startswith("Your new PIN is set.")


@pytest.mark.parametrize("link", [f"1*{PAYEE}", f"4*{PAYEE}", f"2*1*{PAYEE}"])
@pytest.mark.parametrize("more", ["", "*1"])
async def test_a_pin_chosen_behind_a_link_is_no_amount_when_the_record_is_lost(
    link: str, more: str
) -> None:
    house = await caller()
    await house.press("5", "3", "2", "1")
    house.customers.allow_reset(PAYER)
    for typed in (link, f"{link}*7391", f"{link}*7391*7391"):
        await house.take(typed, "s2")
    house.records.records.clear()
    lost = await house.take(f"{link}*7391*7391{more}", "s2")
    assert lost.text.startswith("We lost this session.")
    assert house.records.records == {}


async def test_a_new_callers_pin_is_not_taken_from_a_dial_string() -> None:
    house = House()
    assert "Choose a PIN" in (await house.press("1")).text
    lost = await house.take("1*4826", "s2")
    assert "Choose your language" in lost.text
    assert house.session("s2").pin_mac is None
    assert (await house.take("1*4826*4826", "s3")).text.startswith("We lost this session.")
    assert house.customers.known == {}


async def test_amounts_beyond_their_width_never_push_a_screen_over_the_budget() -> None:
    house = await caller()
    await house.press("1", PAYEE, "1000")
    session, huge = house.session(), Money(9 * 10**17, "KES")
    assert session.quote is not None
    session.amount = huge
    session.quote = msgspec.structs.replace(session.quote, amount=huge, fee=huge, receives=huge)
    text = Renderer(MENU, TEXTS).screen(session, NETWORKS.of(""))
    assert fits(text, 160)
    assert "KES 9,000,000,000,000,000" in text
    assert session.pages > 1


async def test_phone_that_dials_too_often_is_told_so_in_its_countrys_language() -> None:
    house = await House().registered("en")
    house.sessions_max = 1
    assert not (await house.take("", "s1")).ends
    reply = await house.take("", "s2", msisdn=CONGOLESE)
    assert reply == Reply(TEXTS.render("fr", "session.too_often"), ends=True)
    assert (CONGOLESE, "s2") not in house.records.records
    # What is under way goes on, and is not counted again.
    assert not (await house.take("1", "s1")).ends
    assert house.begun == [PAYER, CONGOLESE]


@pytest.mark.parametrize("dialled", ["1", "3", "1*256772000002"])
async def test_dialling_past_the_first_screen_counts_like_any_dial(dialled: str) -> None:
    house = await House().registered("en")
    house.sessions_max = 0
    assert (await house.take(dialled, "s1")).text == TEXTS.render("en", "session.too_often")
    assert house.begun == [PAYER]


@pytest.mark.parametrize("language", TEXTS.languages)
def test_who_dials_too_often_reads_it_whole_on_the_narrowest_screen(language: str) -> None:
    text = TEXTS.render(language, "session.too_often")
    assert fits(text, 160)

"""What a verb refuses, where the caller goes on from there, and what a payee may see."""

import msgspec
import pytest

from engine.errors import CustomerMistake, NoWayNow, TextKey
from engine.menu.vocabulary import ITEMS_MAX
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import MoneyRequest, PaymentSummary
from tests.unit.session.rooms import PAYER, PIN, TEXTS, House

PAYEE = "256772000002"
MARY = Msisdn("+256772000002")
OTHER = Msisdn("+256772000003")
TO_PIN = ("1", PAYEE, "1000", "1")


async def caller() -> House:
    return await House().registered()


def summary(house: House, code: str = "CAPP000009", **fields: object) -> PaymentSummary:
    known: dict[str, object] = {
        "state": "paid", "amount": Money(100_000, "KES"), "receives": Money(27_123, "UGX"),
        "payee": MARY, "at": house.clock.now(), "incoming": False, "may_cancel": False,
    }  # fmt: skip
    return PaymentSummary(code, **{**known, **fields})  # type: ignore[arg-type]


async def with_past(*summaries: dict[str, object]) -> House:
    house = await caller()
    who = house.customers.known[PAYER].customer_id
    house.payments.histories[who] = [
        summary(house, f"CAPP00000{number}", **fields) for number, fields in enumerate(summaries)
    ]
    return house


async def asked(house: House, *codes: str) -> None:
    for code in codes:
        request = MoneyRequest(code, MARY, Money(27_123, "UGX"), house.clock.now(), code)
        house.payments.requests[code] = (PAYER, request)


# Callers whose wallet nobody serves.


@pytest.mark.parametrize(
    "inputs", [("1",), ("4",), ("2", "1", PAYEE), ("2", "2", "1", "1"), ("3", "1", "1")]
)
async def test_who_has_no_wallet_we_serve_hears_so_before_anything_is_typed(
    inputs: tuple[str, ...],
) -> None:
    house = await with_past({})
    await asked(house, "ASK0000009")
    house.payments.unserved.add("63902")
    reply = await house.press(*inputs)
    assert reply.ends
    assert reply.text == TEXTS.render("en", "no_way.caller")


@pytest.mark.parametrize("number", ["+447911123456", "+14155550100"])
async def test_who_is_known_hears_it_too_once_nobody_pays_from_their_country(number: str) -> None:
    """Without money of theirs no screen could say an amount."""
    house, known = House(), Msisdn(number)
    await house.customers.register(known, "KE", "sw", PIN)
    reply = await house.take("", msisdn=known)
    assert (reply.text, reply.ends) == (TEXTS.render("en", "no_way.caller"), True)


@pytest.mark.parametrize(
    ("number", "unserved", "language"),
    [
        ("+22670000001", False, "fr"),  # nobody pays from there
        ("+254712000077", True, "en"),  # somebody does, but not from this network
        ("+447911123456", False, "en"),
    ],
)
async def test_a_new_caller_hears_in_a_language_of_the_country_that_nobody_serves_them(
    number: str, unserved: bool, language: str
) -> None:
    house = House()
    if unserved:
        house.payments.unserved.add("61203")
    reply = await house.take("", msisdn=Msisdn(number), network="61203")
    assert (reply.text, reply.ends) == (TEXTS.render(language, "no_way.caller"), True)


# Asking somebody whose operator does not lead to ours.


async def test_who_cannot_be_paid_by_whom_they_ask_may_ask_another() -> None:
    house = await caller()
    keys = ("2", "1", PAYEE, "500")
    await house.press(*keys)
    house.payments.failure = NoWayNow("no_way.corridor")
    reply = await house.take("*".join((*keys, "1")))
    said = TEXTS.render("en", "no_way.asking")
    assert (reply.text.startswith(said), reply.ends) == (True, False)
    assert house.session().screen == "request_money.number"


async def test_what_nobody_could_pay_is_refused_where_it_is_typed() -> None:
    """It was told a screen later, where people agree to what they read."""
    house = await caller()
    reply = await house.press("2", "1", PAYEE, "1000000")
    assert reply.text.startswith("The largest amount is KES ")
    assert house.session().screen == "request_money.amount"
    await house.take(f"2*1*{PAYEE}*1000000*500")
    assert house.session().screen == "request_money.confirm"


async def test_a_number_that_cannot_be_asked_is_refused_where_it_is_typed() -> None:
    """It was told a screen later, once the amount was typed as well."""
    house = await caller()
    reply = await house.press("2", "1", "0733000002")
    said = TEXTS.render("en", "no_way.asking")
    assert (reply.text.startswith(said), reply.ends) == (True, False)
    assert (house.session().screen, house.session().payee) == ("request_money.number", None)
    await house.take(f"2*1*0733000002*{PAYEE}")
    assert house.session().screen == "request_money.amount"


@pytest.mark.parametrize("keys", [("2", "1"), ("2", "1", PAYEE, "500")])
async def test_whom_we_do_not_serve_is_not_said_to_be_one_we_cannot_pay(
    keys: tuple[str, ...],
) -> None:
    """Nobody was to be paid there: money was asked for from there."""
    house = await caller()
    await house.press(*keys)
    house.payments.failure = CustomerMistake(
        "mistake.operator_unsupported", operator=TextKey("operator.utl_ug")
    )
    reply = await house.take("*".join((*keys, "1" if PAYEE in keys else PAYEE)))
    said = TEXTS.render("en", "no_way.asking")
    assert (reply.text.startswith(said), reply.ends) == (True, False)
    assert house.session().screen == "request_money.number"


async def test_who_can_be_paid_by_nobody_hears_so_before_an_amount_is_typed() -> None:
    house = await caller()
    await house.press("2", "1")
    house.payments.failure = NoWayNow("no_way.receiving")
    reply = await house.take(f"2*1*{PAYEE}")
    assert (reply.text, reply.ends) == (TEXTS.render("en", "no_way.receiving"), True)


async def test_whom_no_amount_helps_against_by_now_is_told_where_the_amount_is_typed() -> None:
    house = await caller()
    await house.press("2", "1", PAYEE)
    house.payments.failure = NoWayNow("no_way.corridor")
    reply = await house.take(f"2*1*{PAYEE}*500")
    said = TEXTS.render("en", "no_way.asking")
    assert (reply.text.startswith(said), reply.ends) == (True, False)
    assert house.session().screen == "request_money.number"


@pytest.mark.parametrize("key", ["no_way.busy", "no_way.receiving"])
async def test_another_refusal_of_a_request_is_told_as_it_is(key: str) -> None:
    """Of one's own wallet no other number is asked for: none would help."""
    house = await caller()
    keys = ("2", "1", PAYEE, "500")
    await house.press(*keys)
    house.payments.failure = NoWayNow(key)
    reply = await house.take("*".join((*keys, "1")))
    assert (reply.text, reply.ends) == (TEXTS.render("en", key), True)


# One's own number.


@pytest.mark.parametrize("inputs", [("1",), ("4",), ("2", "1"), ("5", "4", "1")])
async def test_ones_own_number_is_refused_wherever_it_is_typed(inputs: tuple[str, ...]) -> None:
    house = await caller()
    await house.press(*inputs)
    screen = house.session().screen
    reply = await house.take("*".join((*inputs, "0712000001")))
    assert reply.text.startswith("That is your own number.")
    assert house.session().screen == screen
    assert house.session().payee is None


# Payments that were.


async def test_a_payee_sees_what_arrived_from_whom_and_neither_the_amount_nor_ways_to_undo_it() -> (
    None
):
    house = await with_past({"incoming": True, "may_cancel": True, "payer": MARY})
    listed = await house.press("3")
    assert f"1. +UGX 27,123 {MARY}\n" in listed.text
    shown = await house.take("3*1")
    assert f"You get UGX 27,123\nFrom {MARY}\nDelivered\n3. Report a problem\n0 Back" in shown.text
    assert "KES 1,000" not in shown.text
    for pressed in ("1", "2", "4"):
        await house.press("3", "1", pressed, session_id=pressed)
        assert house.session(pressed).screen == "payments.received"


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("collecting", "On its way"),
        ("on_hold", "On its way"),
        ("payout_unknown", "On its way"),
        ("paid", "Delivered"),
        ("payout_failed", "Could not be delivered"),
        ("refunded", "Could not be delivered"),
        ("refund_due", "Could not be delivered"),
    ],
)
async def test_a_payee_is_told_three_things_only(state: str, told: str) -> None:
    house = await with_past({"incoming": True, "state": state, "payer": MARY})
    assert f"\n{told}\n" in (await house.press("3", "1")).text


@pytest.mark.parametrize("language", TEXTS.languages)
async def test_two_lines_that_read_alike_say_their_codes_and_no_other_does(language: str) -> None:
    """The same amount to the same number: each has its code, as its receipts do."""
    came: dict[str, object] = {"incoming": True, "payer": MARY}
    house = await with_past({}, {}, {"payee": OTHER}, came, came, came | {"payer": OTHER})
    house.customers.known[PAYER] = msgspec.structs.replace(
        house.customers.known[PAYER], language=language
    )
    await house.press("3")
    labels = [item.label for item in house.session().items]
    assert len({*labels}) == len(labels) == 6
    codes = [f"CAPP00000{n}" for n in range(6)]
    assert [code in label for code, label in zip(codes, labels, strict=True)] == [
        True, True, False, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("state", ["paid", "refunded", "collect_failed", "expired", "cancelled"])
async def test_what_is_over_may_be_sent_again(state: str) -> None:
    house = await with_past({"state": state})
    assert "1. Send again" in (await house.press("3", "1")).text


@pytest.mark.parametrize(
    "state", ["collecting", "on_hold", "paying", "payout_unknown", "refunding"]
)
async def test_what_is_under_way_may_not_be_sent_again(state: str) -> None:
    house = await with_past({"state": state})
    assert "1. Send again" not in (await house.press("3", "1")).text
    assert (await house.take("3*1*1")).text.startswith("Please choose one of these.")


async def test_sending_again_to_a_number_that_is_served_no_more_ends_nothing() -> None:
    house = await with_past({"payee": Msisdn("+254712000077")})
    refused = await house.press("3", "1", "1")
    assert not refused.ends
    assert refused.text.startswith("CAPP cannot send money from your network")
    assert house.session().screen == "payments.sent"


async def test_a_name_beside_another_number_is_not_the_payees() -> None:
    house = await with_past({})
    who = house.customers.known[PAYER].customer_id
    await house.customers.save_recipient(who, Msisdn("+256772000003"), "Amos")
    assert "4. Save number" in (await house.press("3", "1")).text


# Requests.


async def test_the_request_that_was_picked_is_the_one_that_is_answered() -> None:
    house = await caller()
    await asked(house, "ASK0000001", "ASK0000002", "ASK0000003")
    await house.press("2", "2", "2", "2")
    assert set(house.payments.requests) == {"ASK0000001", "ASK0000003"}


async def test_a_request_that_is_gone_when_it_is_picked_is_told_as_gone() -> None:
    house = await caller()
    await asked(house, "ASK0000001")
    await house.press("2", "2")
    house.payments.requests.clear()
    assert (await house.take("2*2*1")).text.startswith("This request is no longer open.")
    assert house.session().screen == "request_money.gone"


async def test_who_asks_twice_in_one_session_asks_for_the_second_amount() -> None:
    house = await caller()
    await asked(house, "ASK0000009")
    await house.press("2", "2", "1", "00", "2", "1", PAYEE, "700")
    assert "for KES 700?" in (await house.take(f"2*2*1*00*2*1*{PAYEE}*700")).text


async def test_the_price_of_a_request_shows_its_own_amount_not_one_typed_before() -> None:
    house = await caller()
    await asked(house, "ASK0000009")
    price = await house.press("1", PAYEE, "700", "00", "2", "2", "1", "1")
    quote = house.session().quote
    assert quote is not None
    assert f"Amount {quote.amount}\n" in price.text
    assert "KES 700" not in price.text


async def test_a_request_that_was_looked_at_is_not_paid_by_the_next_payment() -> None:
    house = await caller()
    await asked(house, "ASK0000009")
    keys = ("2", "2", "1", "1", "00", *TO_PIN)
    await house.press(*keys)
    quote = house.session().quote
    assert quote is not None
    assert quote.request == ""
    assert house.session().request is None
    await house.take("*".join((*keys, PIN)))
    assert set(house.payments.requests) == {"ASK0000009"}


async def test_a_dropped_request_is_taken_up_at_its_own_fresh_price() -> None:
    house = await caller()
    await asked(house, "ASK0000009")
    await house.press("2", "2", "1", "1", "1")
    before = house.session().quote
    offer = await house.press(session_id="s2")
    assert offer.text.startswith("You were sending money\nTo +256772000002\n7. Continue")
    price = await house.take("7", "s2")
    assert "Gets UGX 27,123" in price.text
    quote = house.session("s2").quote
    assert before is not None
    assert quote is not None
    assert (quote.request, quote.quote_id == before.quote_id) == ("ASK0000009", False)
    await house.take("7*1", "s2")
    await house.take(f"7*1*{PIN}", "s2")
    assert house.payments.requests == {}


async def test_who_paid_a_request_is_told_of_it_at_the_next_dial() -> None:
    house = await caller()
    await asked(house, "ASK0000009")
    await house.press("2", "2", "1", "1", "1", PIN)
    told = await house.press(session_id="s2")
    assert told.text.startswith("CAPP000001 +256772000002\n")


async def test_a_dropped_request_that_is_gone_asks_for_a_number() -> None:
    house = await caller()
    await asked(house, "ASK0000009")
    await house.press("2", "2", "1", "1", "1")
    house.payments.requests.clear()
    await house.press("7", session_id="s2")
    assert house.session("s2").screen == "send_money.to"
    assert house.session("s2").request is None


# Lists.


async def test_a_list_of_payees_shows_each_number_once_and_no_more_than_it_holds() -> None:
    house = await with_past({})
    who = house.customers.known[PAYER].customer_id
    await house.customers.save_recipient(who, MARY, "Mary")
    for number in range(ITEMS_MAX - 1):
        await house.customers.save_recipient(who, Msisdn(f"+2567720001{number:02}"), f"n{number}")
    await house.press("1")
    numbers = [item.ref.partition(" ")[0] for item in house.session().items]
    assert len(numbers) == len(set(numbers)) == ITEMS_MAX
    assert numbers[0] == MARY  # who was paid last, though others come before her by name


async def test_a_list_of_payees_ends_where_its_numbers_end() -> None:
    house = await with_past({"payee": Msisdn("+256772000003")})
    who = house.customers.known[PAYER].customer_id
    for number in range(ITEMS_MAX):
        await house.customers.save_recipient(who, Msisdn(f"+2567720001{number:02}"), f"n{number}")
    await house.press("1")
    assert len(house.session().items) == ITEMS_MAX


async def test_a_payee_that_was_paid_long_ago_may_be_unserved_today() -> None:
    house = await with_past({"payee": Msisdn("+254712000077")})
    refused = await house.press("1", "1")
    assert refused.text.startswith("CAPP cannot send money from your network")
    assert house.session().payee is None


async def test_another_number_forgets_the_amount_that_was_sent_to_the_first() -> None:
    house = await with_past({})
    await house.press("1", "1")
    assert house.session().amount == Money(100_000, "KES")
    await house.take("1*1*0")
    await house.take("1*1*0*256772000003")
    assert house.session().amount is None


# PINs that are typed twice, and numbers that changed hands.


async def test_a_pin_that_staff_allowed_anew_is_typed_twice_alike() -> None:
    house = await caller()
    await house.press("5", "3", "2", "1", session_id="a")
    house.customers.allow_reset(PAYER)
    differ = await house.press("7391", "7392")
    assert differ.text.startswith("The two PINs differ.")
    assert house.session().screen == "new_pin.pin"
    assert house.customers.pins[house.customers.known[PAYER].customer_id] == PIN


async def test_a_second_pin_without_a_first_is_like_none() -> None:
    house = House()
    await house.press("1", PIN)
    house.replace("s1", pin_mac=None)
    assert (await house.take(f"1*{PIN}*{PIN}")).text.startswith("The two PINs differ.")
    assert house.customers.known == {}


async def test_who_took_over_a_number_is_told_nothing_of_whom_it_belonged_to() -> None:
    for inputs in (TO_PIN, (*TO_PIN, PIN)):
        house = await caller()
        await house.press(*inputs)
        house.replace("s1", customer_id="f" * 32)
        assert (await house.press(session_id="s2")).text.startswith("CAPP\n1. Send money")

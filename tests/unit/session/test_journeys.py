"""Every journey as a caller walks it, and what it leaves in the rooms behind."""

import msgspec
import pytest

from engine.clock import CustomerId
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import MoneyRequest, PaymentSummary
from tests.unit.session.rooms import PAYER, PIN, TEXTS, House

PAYEE = "256772000002"
MARY = Msisdn("+256772000002")
TO_PIN = ("1", PAYEE, "1000", "1")


async def caller(language: str = "en") -> House:
    return await House().registered(language)


async def paid(house: House, session_id: str = "p") -> None:
    await house.press(*TO_PIN, PIN, session_id=session_id)
    customer = house.customers.known[PAYER]
    house.payments.turn_out(customer.customer_id, "paid")
    house.clock.seconds += 1000


# Whom one pays.


async def test_who_was_paid_lately_is_offered_with_the_last_amount() -> None:
    house = await caller()
    await paid(house)
    offered = await house.press("1")
    assert "Number to pay" in offered.text
    assert "\n1. +256772000002\n" in offered.text
    again = await house.take("1*1")
    assert again.text.startswith("To +256772000002\nLast time KES 1,000\n1. The same again")
    assert "Total KES 1,010" in (await house.take("1*1*1")).text


async def test_what_is_not_over_yet_is_not_paid_again_by_a_key() -> None:
    house = await caller()
    await house.press(*TO_PIN, PIN, session_id="p")
    assert (await house.press("1", "1")).text.startswith("To +256772000002\nAmount in KES")


async def test_another_amount_may_be_sent_to_the_same_person() -> None:
    house = await caller()
    await paid(house)
    await house.press("1", "1", "2", "500")
    quote = house.session().quote
    assert quote is not None
    assert quote.amount == Money(50_000, "KES")


async def test_a_saved_name_stands_beside_its_number() -> None:
    house = await caller()
    await house.press("5", "4", "1", PAYEE, "Mama Njeri")
    offered = await house.press("1", session_id="s2")
    assert "1. Mama Njeri +256772000002" in offered.text
    assert "Amount in KES" in (await house.take("1*1", "s2")).text


async def test_a_number_typed_in_full_needs_no_list() -> None:
    house = await caller()
    await paid(house)
    assert "Total KES 505" in (await house.take(f"1*{PAYEE}*500")).text


# Money that is asked for.


async def test_money_is_asked_for_and_the_asked_one_pays() -> None:
    house = await caller()
    asked = await house.press("2", "1", PAYEE, "700", "1")
    assert asked.ends
    assert asked.text.startswith("ASK0000001: we ask +256772000002 for KES 700.")
    payer, request = house.payments.requests["ASK0000001"]
    assert (payer, request.requester, request.amount) == (MARY, PAYER, Money(70_000, "KES"))


async def asked(house: House) -> None:
    request = MoneyRequest("ASK0000009", MARY, Money(27_123, "UGX"), house.clock.now(), "k")
    house.payments.requests["ASK0000009"] = (PAYER, request)


async def test_a_request_is_paid_at_a_price_that_is_shown() -> None:
    house = await caller()
    await asked(house)
    listed = await house.press("2", "2")
    assert "1. UGX 27,123 +256772000002" in listed.text
    assert "+256772000002 asks you for\nUGX 27,123" in (await house.take("2*2*1")).text
    price = await house.take("2*2*1*1")
    assert "Gets UGX 27,123" in price.text
    assert "Type your CAPP PIN" in (await house.take("2*2*1*1*1")).text
    assert (await house.take(f"2*2*1*1*1*{PIN}")).ends
    assert house.payments.requests == {}
    assert len(house.payments.confirmed) == 1


async def test_who_agreed_beforehand_pays_by_our_pin_and_is_announced_no_other() -> None:
    house = await caller()
    house.payments.unprompted.add("mpesa_ke")
    done = await house.press(*TO_PIN, PIN)
    assert done.ends
    assert len(house.payments.confirmed) == 1
    assert "KES 1,010 leaves your M-PESA wallet. An SMS will confirm." in done.text
    for language in TEXTS.languages:
        said = TEXTS.template(language, "send_money.done_unprompted").source
        assert not any(word in said for word in ("PIN", "code ", "ፒን")), language


@pytest.mark.parametrize("way", ["by_link", "unprompted"])
async def test_nobody_is_told_to_wait_for_a_prompt_that_never_comes(way: str) -> None:
    house = await caller()
    getattr(house.payments, way).add("mpesa_ke")
    done = await house.press(*TO_PIN, PIN, session_id="p")
    how = {"by_link": "brings you the M-PESA page", "unprompted": "leaves your M-PESA wallet"}[way]
    assert how in " ".join(done.text.split())
    said = {"by_link": "Waiting for you to pay", "unprompted": "Charging your wallet"}[way]
    assert said in (await house.press(session_id="d")).text
    assert said in (await house.press("3", "1", session_id="h")).text
    house.payments.turn_out(house.customers.known[PAYER].customer_id, "paid")
    assert "Delivered" in (await house.press("3", "1", session_id="i")).text


async def test_who_has_a_wallet_in_dollars_pays_and_asks_for_dollars() -> None:
    """Their country has money of its own, in which no price could be made."""
    house = await caller()
    house.payments.currencies["mpesa_ke"] = "USD"
    amount = await house.press("1", PAYEE)
    assert "USD" in amount.text and "KES" not in amount.text
    price = await house.take(f"1*{PAYEE}*20.50")
    assert "Total USD 20.70" in price.text
    assert "1 USD = " in price.text
    await house.take(f"1*{PAYEE}*20.50*1")
    assert (await house.take(f"1*{PAYEE}*20.50*1*{PIN}")).ends
    asked = await house.press("2", "1", PAYEE, session_id="r")
    assert "USD" in asked.text and "KES" not in asked.text
    assert "USD 30" in (await house.take(f"2*1*{PAYEE}*30", session_id="r")).text
    limits = await house.press("5", "2", session_id="l")
    assert "USD" in limits.text and "KES" not in limits.text


async def test_a_request_is_declined() -> None:
    house = await caller()
    await asked(house)
    declined = await house.press("2", "2", "1", "2")
    assert declined.text.startswith("Declined.")
    assert house.payments.requests == {}
    assert "Nobody asks you" in (await house.press("2", "2", session_id="s2")).text


async def test_a_request_that_was_paid_elsewhere_meanwhile_is_gone() -> None:
    house = await caller()
    await asked(house)
    await house.press("2", "2", "1")
    house.payments.requests.clear()
    gone = await house.take("2*2*1*1")
    assert gone.text.startswith("This request is no longer open.")


async def test_who_asked_sees_what_became_of_it() -> None:
    house = await caller()
    assert (await house.press("2", "3")).text.startswith("You asked nobody for money.")
    await house.press("2", "1", PAYEE, "700", "1", session_id="s2")
    house.clock.seconds += 1000
    listed = await house.press("2", "3", session_id="s3")
    assert listed.text.startswith("My requests\n1. KES 700 +256772000002\n0 Back")
    shown = await house.take("2*3*1", "s3")
    assert shown.text.startswith("ASK0000001 ")
    assert "\nYou asked +256772000002\nKES 700\nWaiting for an answer\n" in shown.text


async def test_of_several_requests_the_one_that_was_picked_is_shown() -> None:
    house = await caller()
    for number, shillings in enumerate(("700", "800", "900")):
        await house.press("2", "1", PAYEE, shillings, "1", session_id=f"asking{number}")
    listed = await house.press("2", "3", session_id="s1")
    assert listed.text.startswith("My requests\n1. KES 900 +256772000002\n2. KES 800")
    for number, amount in enumerate((900, 800, 700), 1):
        shown = await house.press("2", "3", str(number), session_id=f"looking{number}")
        assert f"\nKES {amount}\n" in shown.text


async def test_ones_own_request_is_told_as_it_stands_now() -> None:
    house = await caller()
    await house.press("2", "1", PAYEE, "700", "1")
    house.clock.seconds += 1000
    await house.press("2", "3", session_id="s2")
    own = house.payments.own_requests[house.customers.known[PAYER].customer_id]
    for state, said in (("taken", "Being paid"), ("paid", "Paid"), ("declined", "Declined"),
                        ("expired", "Expired, not paid")):  # fmt: skip
        own[0] = msgspec.structs.replace(own[0], state=state)
        shown = await house.press("2", "3", "1", session_id=state)
        assert f"KES 700\n{said}\n" in shown.text
    own.clear()
    assert (await house.take("2*3*1", "s2")).text.startswith("This request is no longer open.")


async def test_nobody_sees_what_another_asked_for() -> None:
    house = await caller()
    await house.press("2", "1", PAYEE, "700", "1")
    own = house.payments.own_requests
    own[CustomerId("another")] = own.pop(house.customers.known[PAYER].customer_id)
    assert (await house.press("2", "3", session_id="s2")).text.startswith("You asked nobody")


async def test_a_request_that_was_answered_meanwhile_is_not_paid_from_a_price_shown_before() -> (
    None
):
    house = await caller()
    await asked(house)
    await house.press("2", "2", "1", "1", "1")
    assert house.session().screen == "send_money.asked_pin"
    del house.payments.requests["ASK0000009"]
    gone = await house.take(f"2*2*1*1*1*{PIN}")
    assert gone.text.startswith("This request is no longer open.")
    assert house.payments.confirmed == {}


async def test_nobody_sees_who_asks_another() -> None:
    house = await caller()
    await asked(house)
    house.payments.requests["ASK0000009"] = (MARY, house.payments.requests["ASK0000009"][1])
    assert "Nobody asks you" in (await house.press("2", "2")).text


# Prices.


async def test_a_price_is_checked_without_paying_and_may_be_paid() -> None:
    house = await caller()
    price = await house.press("4", PAYEE, "1000")
    assert "1. Send this" in price.text
    assert house.payments.confirmed == {}
    assert "Type your CAPP PIN" in (await house.take(f"4*{PAYEE}*1000*1")).text
    assert (await house.take(f"4*{PAYEE}*1000*1*{PIN}")).ends
    assert len(house.payments.confirmed) == 1


# What became of payments.


async def test_payments_are_listed_and_one_is_shown() -> None:
    house = await caller()
    assert "no payments yet" in (await house.press("3", session_id="a")).text
    await paid(house)
    listed = await house.press("3")
    assert "1. KES 1,000 +256772000002" in listed.text
    shown = await house.take("3*1")
    assert shown.text.startswith("CAPP000001 ")
    assert "Delivered\n1. Send again\n3. Report a problem\n4. Save number\n0 Back" in shown.text


async def test_a_long_list_has_pages_with_numbers_that_stay() -> None:
    house = await caller()
    for count in range(9):
        await paid(house, f"p{count}")
    first = await house.press("3")
    assert "98 More" in first.text
    second = await house.take("3*98")
    assert "Choose, or type" not in second.text
    number = second.text.split(".")[0]
    assert int(number) > 1
    by_number = await house.take(f"3*98*{number}")
    assert "Delivered" in by_number.text


async def test_back_from_a_second_page_is_the_first() -> None:
    house = await caller()
    for count in range(9):
        await paid(house, f"p{count}")
    first = await house.press("3")
    await house.take("3*98")
    assert await house.take("3*98*0") == first
    assert (await house.take("3*98*0*0")).text.startswith("CAPP\n1. Send money")


async def test_a_payment_is_found_by_its_code_and_only_ones_own() -> None:
    house = await caller()
    await paid(house)
    assert "Delivered" in (await house.press("3", "capp000001")).text
    missing = await house.press("3", "CAPP000002", session_id="s2")
    assert missing.text.startswith("You have no payment with this code.\nMy payments")


async def test_a_payment_is_cancelled_before_anybody_was_asked() -> None:
    house = await caller()
    await house.press(*TO_PIN, PIN, session_id="p")
    shown = await house.press("3", "1")
    assert "2. Cancel" in shown.text
    assert "Send again" not in shown.text
    assert "Cancel CAPP000001?" in (await house.take("3*1*2")).text
    assert (await house.take("3*1*2*1")).text.startswith("CAPP000001 is cancelled.")
    history = house.payments.histories[house.customers.known[PAYER].customer_id]
    assert history[0].state == "cancelled"


async def test_what_was_paid_at_the_moment_it_was_cancelled_is_not_called_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = await caller()
    await house.press(*TO_PIN, PIN, session_id="p")
    await house.press("3", "1", "2")
    history = house.payments.histories[house.customers.known[PAYER].customer_id]

    async def paid_by_hand(*_: object, **__: object) -> PaymentSummary:
        return msgspec.structs.replace(history[0], state="paying", may_cancel=False)

    monkeypatch.setattr(house.payments, "cancel", paid_by_hand)
    assert (await house.take("3*1*2*1")).text.startswith("Too late to cancel.")


async def test_it_is_too_late_to_cancel_once_the_operator_was_asked() -> None:
    house = await caller()
    await house.press(*TO_PIN, PIN, session_id="p")
    await house.press("3", "1", "2")
    house.payments.turn_out(house.customers.known[PAYER].customer_id, "collecting")
    late = await house.take("3*1*2*1")
    assert late.ends
    assert late.text.startswith("Too late to cancel.")


async def test_a_choice_that_is_not_shown_is_not_taken() -> None:
    house = await caller()
    await paid(house)
    refused = await house.press("3", "1", "2")
    assert refused.text.startswith("Please choose one of these.\nCAPP000001")


async def test_a_problem_is_reported_once() -> None:
    house = await caller()
    await paid(house)
    for session_id in ("a", "b"):
        told = await house.press("3", "1", "3", "1", session_id=session_id)
        assert "Your case is C1." in told.text
    assert house.payments.reported == ["CAPP000001"]


async def test_a_payment_is_sent_again_at_todays_price() -> None:
    house = await caller()
    await paid(house)
    assert "Total KES 1,010" in (await house.press("3", "1", "1")).text
    assert "Type your CAPP PIN" in (await house.take("3*1*1*1")).text
    assert (await house.take(f"3*1*1*1*{PIN}")).ends
    assert len(house.payments.confirmed) == 2


async def test_a_payees_number_is_saved_from_a_payment() -> None:
    house = await caller()
    await paid(house)
    assert "Type a name" in (await house.press("3", "1", "4")).text
    assert "Saved: Mary +256772000002" in (await house.take("3*1*4*Mary")).text
    shown = await house.press("3", "1", session_id="s2")
    assert "Save number" not in shown.text


# The customer's own things.


async def test_limits_are_told() -> None:
    told = await (await caller()).press("5", "2")
    assert "At once KES 19,000\nToday KES 39,000\nThis month KES 50,000" in told.text


@pytest.mark.parametrize(("left", "at_once"), [((1200, 5000), "KES 12"), ((5000, 700), "KES 7")])
async def test_nobody_is_told_to_send_more_at_once_than_is_left(
    left: tuple[int, int], at_once: str
) -> None:
    house = await caller()
    house.payments.limits = (1_900_000, *left)
    assert f"At once {at_once}\nToday" in (await house.press("5", "2")).text


@pytest.mark.parametrize("language", sorted({*TEXTS.languages} - {"am"}))  # one page each
async def test_who_was_forgotten_is_no_line_of_a_request(language: str) -> None:
    house = await House().registered(language)
    await house.press("2", "1", PAYEE, "700", "1")
    house.clock.seconds += 901
    own = house.payments.own_requests[house.customers.known[PAYER].customer_id]
    full = await house.press("2", "3", "1", session_id="s2")
    own[0] = msgspec.structs.replace(own[0], payer=None)
    assert "1. KES 700 -\n" in (await house.press("2", "3", session_id="s3")).text
    shown = await house.press("2", "3", "1", session_id="s4")
    lines = full.text.split("\n")
    assert shown.text.split("\n") == [line for line in lines if PAYEE not in line]
    assert len(lines) > len(shown.text.split("\n"))


async def test_a_pin_is_changed_by_who_knows_the_old_one() -> None:
    house = await caller()
    wrong = await house.press("5", "3", "1", "9026")
    assert wrong.text.startswith("Wrong PIN. Tries left: 2.")
    await house.press("5", "3", "1", PIN, "7391", "7391", session_id="s2")
    customer = house.customers.known[PAYER]
    assert house.customers.pins[customer.customer_id] == "7391"
    differ = await house.press("5", "3", "1", "7391", "2580", "2581", session_id="s3")
    assert differ.text.startswith("The two PINs differ.")
    assert house.customers.pins[customer.customer_id] == "7391"


async def test_a_forgotten_pin_is_chosen_anew_once_staff_allowed_it() -> None:
    house = await caller()
    assert (await house.press("5", "3", "2", "1")).ends
    house.customers.allow_reset(PAYER)
    dialled = await house.press(session_id="s2")
    assert dialled.text.startswith("Your PIN was reset.")
    done = await house.press("7391", "7391", session_id="s3")
    assert done.text.startswith("Your new PIN is set.")
    assert house.customers.pins[house.customers.known[PAYER].customer_id] == "7391"
    assert (await house.press(session_id="s4")).text.startswith("CAPP\n1. Send")


async def test_who_has_saved_nobody_is_told_so_and_may_begin() -> None:
    house = await caller()
    nobody = await house.press("5", "4")
    assert nobody.text.startswith("You have no saved numbers\n1. Add a number")


async def test_saved_numbers_are_renamed_and_removed() -> None:
    house = await caller()
    who = house.customers.known[PAYER].customer_id
    await house.press("5", "4", "1", PAYEE, "Mary")
    assert "2. Mary +256772000002" in (await house.press("5", "4", session_id="s2")).text
    await house.take("5*4*2*1*Marion", "s3")
    await house.press("5", "4", "2", "1", "Marion", session_id="s4")
    assert house.customers.saved[who] == {MARY: "Marion"}
    gone = await house.press("5", "4", "2", "2", session_id="s5")
    assert gone.text.startswith("Removed: +256772000002")
    assert house.customers.saved[who] == {}


async def test_nobody_saves_more_than_the_list_holds() -> None:
    house = await caller()
    who = house.customers.known[PAYER].customer_id
    for count in range(10):
        number = Msisdn(f"+2567720001{count:02}")
        await house.customers.save_recipient(who, number, f"n{count}")
    full = await house.press("5", "4", "1", PAYEE, "Mary")
    assert "My account" in full.text
    assert MARY not in house.customers.saved[who]


async def test_help_is_read_page_by_page() -> None:
    house = await caller()
    text, seen = "5*5", ""
    reply = await house.press("5", "5")
    for _ in range(10):
        assert len(reply.text) <= 160
        seen += reply.text
        if "98 More" not in reply.text:
            break
        text += "*98"
        reply = await house.take(text)
    assert "Our people never ask for your PIN." in seen
    assert "Something wrong? Report it there." in seen


async def test_back_to_a_list_that_another_list_replaced_goes_further_back() -> None:
    house = await caller()
    await house.press("5", "4", "1", PAYEE, "Mary")
    await house.press("5", "4", "2", session_id="s2")
    house.replace("s2", listed="languages", items=[])
    assert (await house.take("5*4*2*0", "s2")).text.startswith("My account")


@pytest.mark.parametrize(("way", "picked"), [("3", "1"), ("5*4", "2")])
async def test_back_from_what_was_picked_is_its_list(way: str, picked: str) -> None:
    house = await caller()
    await paid(house)
    await house.press("5", "4", "1", PAYEE, "Mary", session_id="s2")
    listed = await house.press(*way.split("*"), session_id="s3")
    assert f"{picked}. " in listed.text
    assert (await house.take(f"{way}*{picked}", "s3")).text != listed.text
    assert await house.take(f"{way}*{picked}*0", "s3") == listed


async def test_a_record_with_a_list_stays_small() -> None:
    house = await caller()
    for count in range(10):
        await paid(house, f"p{count}")
    await house.press("3")
    assert len(house.session().items) == 10
    assert len(house.records.records[PAYER, "s1"]) <= 1024

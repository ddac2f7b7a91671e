"""What the next dial tells after a session that was dropped, was late, or confirmed a payment."""

import asyncio

import pytest

from engine.menu.vocabulary import VERBS
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import MoneyRequest
from engine.ports import EndReason, Reply, SessionEnd
from engine.session import steps
from engine.session.before import LATE_SECONDS_MAX
from tests.leap import leap
from tests.unit.session.rooms import LONG_SECONDS, MENU, NETWORKS, PAYER, PIN, House

PAYEE = "256772000002"
TO_PIN = ("1", PAYEE, "1000", "1")
STORED_SECONDS = 4.0
"""After which a payment is stored, by the loop's clock: in time for its turn."""
OFFER = "You were sending money\nTo +256772000002"


async def caller() -> House:
    return await House().registered()


def ask_for(house: House, shillings: int) -> None:
    """Somebody in Uganda asks the payer for money."""
    asker, amount = Msisdn("+256772000002"), Money(shillings, "UGX")
    request = MoneyRequest("ASK0000009", asker, amount, house.clock.now(), "k")
    house.payments.requests["ASK0000009"] = (PAYER, request)


# Dropped.


async def test_who_was_dropped_may_continue_at_a_fresh_price_and_types_the_pin_again() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    before = house.session().quote
    house.clock.seconds += 200
    offer = await house.press(session_id="s2")
    assert offer.text.startswith(f"{OFFER} KES 1,000\n7. Continue\n8. Start over")
    price = await house.take("7", "s2")
    assert "Total KES 1,010" in price.text
    quote = house.session("s2").quote
    assert quote is not None
    assert before is not None
    assert quote.quote_id != before.quote_id
    assert "Type your CAPP PIN" in (await house.take("7*1", "s2")).text
    assert (await house.take(f"7*1*{PIN}", "s2")).ends
    assert len(house.payments.confirmed) == 1


async def test_who_typed_no_amount_yet_is_asked_for_it() -> None:
    house = await caller()
    await house.press("1", PAYEE)
    offer = await house.press(session_id="s2")
    assert offer.text.startswith(f"{OFFER}\n7. Continue")
    assert "Amount in KES" in (await house.take("7", "s2")).text


async def test_who_starts_over_gets_the_menu() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    await house.press(session_id="s2")
    assert (await house.take("8", "s2")).text.startswith("CAPP\n1. Send money")


@pytest.mark.parametrize(
    "before",
    [
        ("2", "1", PAYEE, "700"),  # asked for money
        ("5", "4", "1", PAYEE, "Mary"),  # saved
        ("4", PAYEE, "700"),  # priced
        ("2", "2", "1"),  # asks for money
    ],
)
async def test_who_chose_nobody_to_send_to_was_sending_to_nobody(before: tuple[str, ...]) -> None:
    house = await caller()
    ask_for(house, 27_123)
    await house.press(*before, "00", "1")
    assert house.session().screen == "send_money.to"
    assert (await house.press(session_id="s2")).text.startswith("CAPP\n1. Send money")


async def test_who_looked_at_a_request_and_then_sends_goes_on_with_what_is_sent() -> None:
    house = await caller()
    ask_for(house, 27_123)
    await house.press("2", "2", "1", "00", "1", "256772000003")
    offer = await house.press(session_id="s2")
    assert offer.text.startswith("You were sending money\nTo +256772000003\n")
    assert "Amount in KES" in (await house.take("7", "s2")).text


async def test_a_price_that_can_no_longer_be_had_is_mended_where_it_is_typed() -> None:
    house = await caller()
    await house.press("1", PAYEE, "900000")  # refused: the amount was never priced
    offer = await house.press(session_id="s2")
    assert "Continue" in offer.text
    assert "Amount in KES" in (await house.take("7", "s2")).text


@pytest.mark.parametrize("inputs", [("1", PAYEE), TO_PIN])
async def test_a_number_that_can_no_longer_be_paid_is_asked_for_again(
    inputs: tuple[str, ...],
) -> None:
    house = await caller()
    await house.press(*inputs)
    house.replace("s1", payee=Msisdn("+254712000077"))
    reply = await house.press("7", session_id="s2")
    assert "Number to pay" in reply.text
    assert house.session("s2").screen == "send_money.to"


@pytest.mark.parametrize("inputs", [(), ("1",), ("5", "4"), ("5", "3", "1"), ("2", "1", PAYEE)])
async def test_where_nothing_was_begun_nothing_is_offered(inputs: tuple[str, ...]) -> None:
    house = await caller()
    await house.press(*inputs)
    assert (await house.press(session_id="s2")).text.startswith("CAPP\n1. Send money")


async def test_an_offer_that_was_dropped_itself_is_made_again() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    await house.press(session_id="s2")
    assert (await house.press(session_id="s3")).text.startswith(OFFER)


async def test_what_was_pressed_on_the_offer_means_nothing_on_the_menu() -> None:
    """The record of the resumed session is lost; what is left of it ends in the PIN."""
    house = await caller()
    who = house.customers.known[PAYER].customer_id
    await house.customers.save_recipient(who, Msisdn(f"+{PAYEE}"), "Mary")
    await house.press(*TO_PIN)
    await house.press("7", "1", session_id="s2")
    lost = await house.take(f"7*1*{PIN}", "s3")
    assert lost.text.startswith("We lost this session.")
    assert (PAYER, "s3") not in house.records.records
    assert not MENU.screens["home.resume"].choices.keys() & MENU.screens["home.menu"].choices.keys()


async def test_what_was_turned_down_is_not_offered_again() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    await house.press("8", "5", session_id="s2")
    assert (await house.press(session_id="s3")).text.startswith("CAPP\n1. Send money")


async def test_who_looked_at_a_payment_that_was_made_is_not_offered_to_go_on() -> None:
    house = await caller()
    await house.press(*TO_PIN, PIN)
    await house.press("3", "1", "4", "Mary", session_id="s2")
    assert (await house.press(session_id="s3")).text.startswith("CAPP\n1. Send money")


async def test_an_offer_ends_when_it_is_too_old() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    house.clock.seconds += 901
    assert (await house.press(session_id="s2")).text.startswith("CAPP\n1. Send money")


async def test_a_session_that_still_lives_beside_the_resumed_one_keeps_to_itself() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    await house.press("7", "1", session_id="s2")
    first, second = house.session().quote, house.session("s2").quote
    assert first is not None
    assert second is not None
    assert first.quote_id != second.quote_id
    assert "Tries left: 2" in (await house.take("*".join((*TO_PIN, "9026")))).text
    assert (await house.take(f"7*1*{PIN}", "s2")).ends
    assert len(house.payments.confirmed) == 1
    await house.take("*".join((*TO_PIN, "9026", "0", "00")))
    told = await house.press(session_id="s3")  # what was done last is told, not what lives on
    assert told.text.startswith("CAPP000001 +256772000002")


async def test_a_dial_string_says_what_is_wanted_and_gets_it() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    assert "Number to pay" in (await house.take("1", "s2")).text


async def test_nothing_is_offered_to_another_phone() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    stranger = Msisdn("+254712000099")
    await house.customers.register(stranger, "KE", "en", PIN)
    assert (await house.take("", "s2", msisdn=stranger)).text.startswith("CAPP\n1. Send")


async def test_what_was_typed_as_a_pin_is_not_carried_over() -> None:
    house = await caller()
    await house.press(*TO_PIN, "9026")
    await house.press("7", "1", session_id="s2")
    for record in house.records.records.values():
        assert b"9026" not in record


# Confirmed.


async def test_who_dials_after_a_payment_is_told_of_it_above_the_usual_menu() -> None:
    house = await caller()
    await house.press(*TO_PIN, PIN)
    told = await house.press(session_id="s2")
    assert told.text.startswith("CAPP000001 +256772000002\nWaiting for your PIN\n1. Send money\n")
    assert "Number to pay" in (await house.take("1", "s2")).text
    assert (await house.press(session_id="s3")).text.startswith("You were") is False


async def test_it_is_told_again_to_who_hung_up_before_pressing_anything() -> None:
    """The radio that lost the last screen of a payment may lose the next first screen as well."""
    house = await caller()
    await house.press(*TO_PIN, PIN)
    told = await house.press(session_id="s2")
    assert await house.press(session_id="s3") == told
    await house.turns.note_end(end("s3"))
    assert await house.press(session_id="s4") == told
    await house.take("00", "s4")
    assert (await house.press(session_id="s5")).text.startswith("CAPP\n1. Send money")


async def test_it_is_told_as_it_stands_now_not_as_it_stood_then() -> None:
    house = await caller()
    await house.press(*TO_PIN, PIN)
    house.payments.turn_out(house.customers.known[PAYER].customer_id, "paid")
    assert "\nDelivered\n" in (await house.press(session_id="s2")).text


async def test_who_was_told_that_it_takes_longer_learns_at_the_next_dial_what_came_of_it() -> None:
    house = await House().registered()
    await house.press(*TO_PIN)
    house.payments.delay = LONG_SECONDS
    with house.hurried():
        assert (await house.take("*".join((*TO_PIN, PIN)))).ends
    leap(LONG_SECONDS)
    await house.turns.aclose()
    house.payments.delay = 0.0
    told = await house.press(session_id="s2")
    assert told.text.startswith("CAPP000001 +256772000002\nWaiting for your PIN")


async def test_a_payment_that_had_its_id_before_its_payer_was_told_to_wait_is_told_too() -> None:
    house = await House().registered()
    await house.press(*TO_PIN)
    house.payments.commit_delay = LONG_SECONDS
    with house.hurried():
        paying = asyncio.create_task(house.take("*".join((*TO_PIN, PIN))))
        await house.taken_on()
        house.clock.seconds += 7
        assert (await paying).text.startswith("This is taking longer")
    leap(LONG_SECONDS)
    await house.turns.aclose()
    told = await house.press(session_id="s2")
    assert told.text.startswith("CAPP000001 +256772000002\nWaiting for your PIN")


async def test_a_pin_that_is_compared_late_still_pays() -> None:
    house = await House().registered()
    await house.press(*TO_PIN)
    house.customers.pin_delay = LONG_SECONDS
    with house.hurried():
        late = await house.take("*".join((*TO_PIN, PIN)))
    assert late.text.startswith("This is taking longer")
    leap(LONG_SECONDS)
    await house.turns.aclose()
    assert len(house.payments.confirmed) == 1
    told = await house.press(session_id="s2")
    assert told.text.startswith("CAPP000001 +256772000002\nWaiting for your PIN")


async def test_while_a_late_payment_is_under_way_nobody_is_shown_the_menu_as_if_nothing_was() -> (
    None
):
    house = await House().registered("sw")
    await house.press(*TO_PIN)
    house.payments.delay = LONG_SECONDS
    with house.hurried():
        told = await house.take("*".join((*TO_PIN, PIN)))
    house.payments.delay = 0.0
    for session_id in ("s2", "s3"):
        assert await house.press(session_id=session_id) == told
        house.clock.seconds += 20
    assert not house.payments.confirmed, "it is under way all the while"
    leap(LONG_SECONDS)
    await house.turns.aclose()
    assert (await house.press(session_id="s4")).text.startswith("CAPP000001 +256772000002")


@pytest.mark.parametrize("dialled", ["1", f"1*{PAYEE}*1000"])
async def test_who_dials_the_same_string_again_after_a_late_payment_is_told_of_it(
    dialled: str,
) -> None:
    house = await House().registered()
    await house.press(*TO_PIN)
    house.payments.delay = LONG_SECONDS
    with house.hurried():
        late = await house.take("*".join((*TO_PIN, PIN)))
    house.payments.delay = 0.0
    assert await house.take(dialled, "s2") == late
    leap(LONG_SECONDS)
    await house.turns.aclose()
    told = await house.take(dialled, "s3")
    assert told.text.startswith("CAPP000001 +256772000002\nWaiting for your PIN")
    house.clock.seconds += LATE_SECONDS_MAX + 1
    assert "CAPP000001" not in (await house.take(dialled, "s4")).text


async def test_a_late_payment_that_came_to_nothing_is_waited_for_no_longer_than_a_minute() -> None:
    house = await House().registered()
    await house.press(*TO_PIN)
    house.customers.pin_delay = LONG_SECONDS
    with house.hurried():
        assert (await house.take("*".join((*TO_PIN, "9173")))).ends  # it is not theirs
    leap(LONG_SECONDS)
    await house.turns.aclose()
    house.clock.seconds += LATE_SECONDS_MAX
    assert (await house.press(session_id="s2")).text.startswith("This is taking longer")
    house.clock.seconds += 1
    assert (await house.press(session_id="s3")).text.startswith("CAPP\n1. Send money")


async def test_who_was_late_and_paid_nothing_is_told_of_no_payment() -> None:
    house = await House().registered()
    await house.press("1", PAYEE)
    house.payments.delay = LONG_SECONDS
    with house.hurried():
        assert (await house.take(f"1*{PAYEE}*500")).ends
    leap(LONG_SECONDS)
    await house.turns.aclose()
    house.payments.delay = 0.0
    assert (await house.press(session_id="s2")).text.startswith("CAPP\n1. Send money")


async def test_who_paid_when_the_last_save_was_lost_is_told_of_it_and_not_asked_to_go_on() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    before = dict(house.records.records)
    house.clock.seconds += 20
    await house.take("*".join((*TO_PIN, PIN)))
    house.records.records = before
    told = await house.press(session_id="s2")
    assert told.text.startswith("CAPP000001 +256772000002\nWaiting for your PIN")


async def test_who_paid_before_redis_came_back_with_an_old_record_is_not_asked_to_go_on() -> None:
    house = await caller()
    await house.press("1", PAYEE)
    before = dict(house.records.records)
    house.clock.seconds += 20
    await house.take("*".join(TO_PIN[:3]))
    await house.take("*".join(TO_PIN))
    assert (await house.take("*".join((*TO_PIN, PIN)))).ends
    house.records.records = before  # restarted from a snapshot
    told = await house.press(session_id="s2")
    assert told.text.startswith("CAPP000001 +256772000002\nWaiting for your PIN")


async def test_a_record_that_went_back_while_its_turn_was_taken_is_not_gone_on_from() -> None:
    house = await caller()
    await house.press(*TO_PIN[:3])
    before = dict(house.records.records)
    await house.take("*".join(TO_PIN))
    house.payments.commit_delay = STORED_SECONDS
    paying = asyncio.create_task(house.take("*".join((*TO_PIN, PIN))))
    await house.taken_on()
    house.records.records.update(before)  # a replica that lacked the last key press took over
    leap(STORED_SECONDS)
    done = await paying
    assert done.ends
    assert done.text.startswith("CAPP000001 started")
    assert await house.take("*".join((*TO_PIN, PIN))) == done
    assert (await house.press(session_id="s2")).text.startswith("CAPP000001 +256772000002")


@pytest.mark.parametrize("cumulative", [True, False])
async def test_who_is_shown_the_price_again_because_redis_lost_two_turns_pays_once(
    cumulative: bool,
) -> None:
    """The answer to the PIN was lost as well: the gateway repeats it, and it is no choice there."""
    house, typed = await caller(), [*TO_PIN, PIN]

    async def take(count: int) -> Reply:
        if cumulative:
            return await house.take("*".join(typed[:count]))
        return await house.take(
            typed[count - 1] if count else "", cumulative=False, opens=not count
        )

    for count in range(4):
        await take(count)
    at_the_price = dict(house.records.records)
    await take(4)
    assert (await take(5)).text.startswith("CAPP000001 started")
    house.records.records.update(at_the_price)
    again = await take(5)
    assert "Pay KES 1,010 to" in again.text
    typed += ["1", PIN]
    await take(6)
    assert (await take(7)).text.startswith("CAPP000001 started")
    assert len(house.payments.confirmed) == 1


@pytest.mark.parametrize("again", [("7", "1"), ("8", *TO_PIN)], ids=["goes on", "starts over"])
async def test_who_dials_again_while_the_payment_is_being_stored_pays_once(
    again: tuple[str, ...],
) -> None:
    """The PIN was typed and nothing came back: the books do not know of it at the dial, only
    before the PIN is taken again.
    """
    house = await caller()
    await house.press(*TO_PIN)
    house.payments.commit_delay = STORED_SECONDS
    paying = asyncio.create_task(house.take("*".join((*TO_PIN, PIN))))
    await house.taken_on()
    house.clock.seconds += 4
    assert (await house.press(session_id="s2")).text.startswith("You were sending money")
    await house.press(*again, session_id="s2")
    house.payments.commit_delay = 0.0
    leap(STORED_SECONDS)
    assert (await paying).text.startswith("CAPP000001 started")
    twice = await house.take("*".join((*again, PIN)), "s2")
    assert twice.text.startswith("This is taking longer")
    assert twice.ends
    assert len(house.payments.confirmed) == 1
    assert (await house.press(session_id="s3")).text.startswith("CAPP000001 +256772000002")
    house.clock.seconds += 1
    assert (await house.press(*TO_PIN, PIN, session_id="s4")).text.startswith("CAPP000002 started")


async def test_who_dials_a_string_while_the_payment_is_being_stored_pays_once() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    house.payments.commit_delay = STORED_SECONDS
    paying = asyncio.create_task(house.take("*".join((*TO_PIN, PIN))))
    await house.taken_on()
    dialled = f"1*{PAYEE}*1000"
    assert "Total KES 1,010" in (await house.take(dialled, "s2")).text
    await house.take(f"{dialled}*1", "s2")
    house.payments.commit_delay = 0.0
    leap(STORED_SECONDS)
    await paying
    assert (await house.take(f"{dialled}*1*{PIN}", "s2")).text.startswith("This is taking longer")
    assert len(house.payments.confirmed) == 1


async def test_who_goes_on_behind_a_drop_and_repeats_the_pin_is_told_of_that_payment() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    house.clock.seconds += 20
    await house.press("7", "1", session_id="s2")
    before = dict(house.records.records)
    paid = await house.take(f"7*1*{PIN}", "s2")
    assert paid.text.startswith("CAPP000001 started")
    house.records.records = before  # the save was lost, and the gateway repeats the turn
    assert await house.take(f"7*1*{PIN}", "s2") == paid
    assert len(house.payments.confirmed) == 1


async def test_what_was_paid_before_the_dropped_session_is_not_told_as_its_own() -> None:
    house = await caller()
    await house.press(*TO_PIN, PIN)
    house.clock.seconds += 20
    await house.press(*TO_PIN, session_id="s2")
    assert (await house.press(session_id="s3")).text.startswith(OFFER)


# Ends that the gateway tells.


def end(session_id: str = "s1", reason: EndReason = EndReason.TIMED_OUT) -> SessionEnd:
    return SessionEnd(session_id, "Timeout", reason, PAYER, "63902")


async def test_an_end_closes_the_session_keeps_what_it_had_got_to_and_is_counted() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    await house.turns.note_end(end())
    late = await house.take("*".join((*TO_PIN, PIN)))
    assert late.text == "This session has ended. Please dial again."
    assert house.payments.confirmed == {}
    assert (await house.press(session_id="s2")).text.startswith(OFFER)
    counted = await house.drops.of_day(house.clock.now().date())
    assert [tuple(one) for one in counted] == [("63902", "send_money.pin", EndReason.TIMED_OUT, 1)]


async def test_an_end_of_a_session_that_ended_by_itself_changes_nothing() -> None:
    house = await caller()
    done = await house.press(*TO_PIN, PIN)
    record = dict(house.records.records)
    await house.turns.note_end(end(reason=EndReason.TIMED_OUT))  # as some gateways call it
    assert house.records.records == record
    counted = await house.drops.of_day(house.clock.now().date())
    assert [one.reason for one in counted] == [EndReason.COMPLETED]
    assert await house.take("*".join((*TO_PIN, PIN))) == done


async def test_an_end_of_nobody_is_counted_as_such() -> None:
    house = await caller()
    await house.turns.note_end(end("unknown"))
    await house.turns.note_end(SessionEnd("s1", "?", EndReason.UNKNOWN))
    counted = await house.drops.of_day(house.clock.now().date())
    assert {one.screen for one in counted} == {"-"}


async def test_an_end_and_a_turn_at_the_same_moment_leave_one_of_the_two() -> None:
    house = await caller()
    await house.press("1")
    await asyncio.gather(house.take(f"1*{PAYEE}"), house.turns.note_end(end()))
    after = await house.take(f"1*{PAYEE}*500")
    assert "Total" in after.text or after.text.startswith("This session has ended.")


async def test_who_was_dropped_at_a_request_goes_on_with_it_and_it_is_paid_once() -> None:
    house = await caller()
    ask_for(house, 27_123)
    await house.press("2", "2", "1", "1")
    offer = await house.press(session_id="s2")
    assert offer.text.startswith(OFFER)
    assert "Gets UGX 27,123" in (await house.take("7", "s2")).text
    house.clock.seconds += 121
    await house.take("7*1", "s2")
    expired = await house.take(f"7*1*{PIN}", "s2")
    assert expired.text.startswith("The price has expired.\n+256772000002 asks you for")
    await house.take(f"7*1*{PIN}*1", "s2")
    await house.take(f"7*1*{PIN}*1*1", "s2")
    assert (await house.take(f"7*1*{PIN}*1*1*{PIN}", "s2")).ends
    assert house.payments.requests == {}
    assert len(house.payments.confirmed) == 1


async def test_a_verb_may_have_less_time_than_its_network(monkeypatch: pytest.MonkeyPatch) -> None:
    house = await caller()
    hasty = dict(VERBS, quote=VERBS["quote"]._replace(seconds=0.05))
    monkeypatch.setattr(steps, "VERBS", hasty)
    await house.press("1", PAYEE)
    house.payments.delay = LONG_SECONDS
    late = await house.take(f"1*{PAYEE}*500")
    assert late.text.startswith("This is taking longer than usual.")
    leap(LONG_SECONDS)
    await house.turns.aclose()


def test_no_verb_has_more_time_than_the_hastiest_gateway() -> None:
    assert all(facts.seconds <= NETWORKS.of("").deadline_seconds - 1 for facts in VERBS.values())

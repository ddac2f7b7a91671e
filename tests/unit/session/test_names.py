"""Whose wallet it is: shown beside the number before anybody pays, never in the way of paying."""

import asyncio
import logging
import time

import pytest

from engine.enquiries import FAILURES_MAX, REST_SECONDS
from engine.errors import OutcomeUnknown, Rejected, Throttled, Unreachable
from engine.menu.networks import Networks
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import MoneyRequest
from engine.septets import is_gsm7, septets
from engine.session import names as names_room
from engine.session.names import (
    HOLDER_SEPTETS_MAX,
    NAME_SECONDS,
    OperatorNames,
    shown_holder,
)
from engine.session.session import Holder
from engine.session.verbs.pricing import HOLDERS_MAX
from tests.leap import leap
from tests.ticks import counted
from tests.unit.session.rooms import LONG_SECONDS, NETWORKS, PIN, TEXTS, House, MemoryNames

PAYEE = "256772000002"
MARY = Msisdn("+256772000002")
NAME = "Okello James"
TO_PRICE = ("1", PAYEE, "1000")
NO_NAME = "To +256772000002 MTN MoMo\nGets UGX 27,123"


async def caller(language: str = "en", networks: Networks | None = None) -> House:
    house = await House(networks=networks).registered(language)
    house.names.told[MARY] = NAME
    return house


# On the screen.


async def test_the_name_stands_before_the_number_where_the_payment_is_agreed_to() -> None:
    house = await caller()
    price = await house.press(*TO_PRICE)
    assert price.text.startswith("To Okello James +256772000002 MTN MoMo\nGets UGX 27,123")
    assert "1. Pay" in price.text
    assert "Pay KES 1,010 to Okello James +256772000002?" in (await house.take("1*" + "*".join(
        [*TO_PRICE[1:], "7"]))).text  # fmt: skip


@pytest.mark.parametrize("language", TEXTS.languages)
async def test_the_name_is_told_in_every_language(language: str) -> None:
    house = await caller(language)
    assert f"Okello James {MARY}" in (await house.press(*TO_PRICE)).text


async def test_every_way_to_a_price_tells_the_name() -> None:
    house = await caller()
    await house.press(*TO_PRICE, "1", PIN)
    customer = house.customers.known[house.session().msisdn]
    house.payments.turn_out(customer.customer_id, "paid")
    request = MoneyRequest("ASK0000009", MARY, Money(27_123, "UGX"), house.clock.now(), "k")
    house.payments.requests["ASK0000009"] = (house.session().msisdn, request)
    ways = {
        "price": ("4", PAYEE, "500"), "again": ("1", "1", "1"), "sent": ("3", "1", "1"),
        "request": ("2", "2", "1", "1"), "resumed": ("7",),
    }  # fmt: skip
    for session_id, inputs in ways.items():
        house.clock.seconds += 0 if session_id == "resumed" else 3000
        reply = await house.press(*inputs, session_id=session_id)
        assert f"To Okello James {MARY}" in reply.text, session_id


@pytest.mark.parametrize(
    "failure",
    [
        Rejected("mtn_ug", "no", code="X", reason="other"), Throttled("mtn_ug", "slow down"),
        Unreachable("mtn_ug", "away"), OutcomeUnknown("mtn_ug", "silence"), KeyError("our fault"),
    ],
)  # fmt: skip
async def test_an_operator_that_tells_nothing_leaves_the_number_alone(failure: Exception) -> None:
    house = await caller()
    house.names.failure = failure
    price = await house.press(*TO_PRICE)
    assert price.text.startswith(NO_NAME)
    assert (await house.take("*".join([*TO_PRICE, "1"]))).text.startswith("Pay KES 1,010")


async def test_a_number_the_operator_does_not_know_may_be_paid_all_the_same() -> None:
    house = await caller()
    house.names.told.clear()
    assert (await house.press(*TO_PRICE)).text.startswith(NO_NAME)
    assert (await house.press(*TO_PRICE, "1", PIN)).ends
    assert len(house.payments.confirmed) == 1


async def test_a_name_that_is_late_delays_nobody_longer_than_its_own_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(names_room, "NAME_SECONDS", 0.1)
    house = await caller()
    house.names.delay = 1.5
    async with counted() as ticks:
        price = await house.press(*TO_PRICE)
    assert price.text.startswith(NO_NAME)
    assert ticks.seconds < 1.4
    await house.operator_names.aclose()


async def test_a_network_in_a_hurry_gets_the_price_without_a_name() -> None:
    hurried = NETWORKS.of("63902")
    assert hurried.deadline_seconds > NAME_SECONDS + 1.0
    house = await caller()
    house.names.delay = 0.5
    # What is left of the deadline is less than a name may take.
    found = await house.operator_names.of("mtn_ug", MARY, time.monotonic() + 0.3)
    assert found == ""
    assert await house.operator_names.of("mtn_ug", MARY, time.monotonic() + 0.2) == ""
    assert house.names.asked == [MARY]
    await house.operator_names.aclose()


async def test_a_slow_price_leaves_no_time_for_a_name() -> None:
    """The name is asked for within the price's own time: together they are no later than it."""
    house = await caller()
    asked: list[float] = []

    async def of(operator: str, msisdn: Msisdn, due: float) -> str:
        asked.append(due - time.monotonic())
        return ""

    house.operator_names.of = of  # type: ignore[method-assign]
    house.payments.delay = 0.3
    await house.press(*TO_PRICE)
    assert len(asked) == 1
    assert 0 < asked[0] < 5.0 - 0.3 + 0.01


# How often.


async def test_a_number_is_asked_about_once_a_session_whatever_came_of_it() -> None:
    for failure in (None, Unreachable("mtn_ug", "away")):
        house = await caller()
        house.names.failure = failure
        await house.press(*TO_PRICE)
        await house.take("*".join([*TO_PRICE, "0"]))
        await house.take("*".join([*TO_PRICE, "0", "500"]))
        assert house.names.asked == [MARY]
        assert house.session().holders == [Holder(MARY, "" if failure else NAME, "mtn_ug")]


async def test_nobody_looks_up_a_list_of_numbers_in_one_session() -> None:
    house = await caller()
    text = "4"
    await house.press("4")
    for n in range(HOLDERS_MAX + 2):
        number = f"+25677200001{n}"
        house.names.told[Msisdn(number)] = NAME
        for pressed in (number[1:], "500"):
            text = f"{text}*{pressed}"
            reply = await house.take(text)
        assert (NAME in reply.text) == (n < HOLDERS_MAX)
        for _ in range(2):
            text = f"{text}*0"
            await house.take(text)
    assert len(house.names.asked) == HOLDERS_MAX


async def test_only_the_operator_of_the_wallet_is_asked() -> None:
    port = MemoryNames()
    port.told[MARY] = NAME
    desk = OperatorNames({"airtel_ug": port})
    assert await desk.of("mtn_ug", MARY, time.monotonic() + 9) == ""
    assert port.asked == []
    assert await desk.of("airtel_ug", MARY, time.monotonic() + 9) == NAME


@pytest.mark.parametrize("late", [True, False])
async def test_an_operator_that_fails_again_and_again_is_left_alone_for_a_while(
    late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names_room, "NAME_SECONDS", 0.02)
    now, port = [100.0], MemoryNames()
    port.told[MARY] = NAME
    desk = OperatorNames({"mtn_ug": port}, monotonic=lambda: now[0])
    if late:
        port.delay = 0.1
    else:
        port.failure = Unreachable("mtn_ug", "away")
    for _ in range(FAILURES_MAX + 2):
        assert await desk.of("mtn_ug", MARY, now[0] + 9) == ""
    assert len(port.asked) == FAILURES_MAX
    port.delay, port.failure = 0.0, None
    now[0] += REST_SECONDS + 1
    assert await desk.of("mtn_ug", MARY, now[0] + 9) == NAME
    await desk.aclose()


async def test_behind_a_rest_the_failures_are_counted_anew() -> None:
    now, port = [100.0], MemoryNames()
    port.failure = Unreachable("mtn_ug", "away")
    desk = OperatorNames({"mtn_ug": port}, monotonic=lambda: now[0])
    for rests in range(1, 4):
        for _ in range(FAILURES_MAX + 2):
            assert await desk.of("mtn_ug", MARY, now[0] + 9) == ""
        assert len(port.asked) == rests * FAILURES_MAX
        now[0] += REST_SECONDS + 1


async def test_one_answer_among_failures_keeps_an_operator_in_use() -> None:
    port = MemoryNames()
    desk = OperatorNames({"mtn_ug": port})
    for failure in (Unreachable("mtn_ug", "away"), None) * (FAILURES_MAX + 1):
        port.failure = failure
        await desk.of("mtn_ug", MARY, time.monotonic() + 9)
    assert len(port.asked) == 2 * (FAILURES_MAX + 1)


async def test_a_late_question_is_not_cut_off_and_is_waited_for_at_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(names_room, "NAME_SECONDS", 0.01)
    done: list[str] = []

    class Slow:
        async def name_of(self, msisdn: Msisdn) -> str | None:
            await asyncio.sleep(0.05)
            done.append("done")
            raise KeyError(str(msisdn))

    desk = OperatorNames({"mtn_ug": Slow()})
    assert await desk.of("mtn_ug", MARY, time.monotonic() + 9) == ""
    assert done == []
    await desk.aclose()
    assert done == ["done"]
    assert "no name could be asked for: KeyError" in caplog.text
    assert str(MARY) not in caplog.text


# By which name a payee is compared.


WHOLE = "Okello James Byaruhanga Mukasa"


async def test_a_confirm_hears_the_whole_name_of_which_the_screen_shows_the_beginning() -> None:
    house = await caller()
    house.names.told[MARY] = f" {WHOLE[:6]}\n{WHOLE[6:]}"
    price = await house.press(*TO_PRICE)
    assert f"To Okello James B {MARY}" in price.text
    await house.take("*".join([*TO_PRICE, "1"]))
    await house.take("*".join([*TO_PRICE, "1", PIN]))
    assert house.payments.told == [WHOLE]
    assert house.session().told == []
    assert not any(b"Byaruhanga" in record for record in house.records.records.values())


@pytest.mark.parametrize("told", ["ኦኬሎ ጀምስ", NAME, "J*** D**"])
async def test_a_confirm_hears_a_name_as_it_is_written(told: str) -> None:
    house = await caller()
    house.names.told[MARY] = told
    await house.press(*TO_PRICE, "1", PIN)
    assert house.payments.told == [told]


async def test_of_several_wallets_a_confirm_hears_the_name_of_the_one_that_is_paid() -> None:
    house = await caller()
    other = Msisdn("+256772000003")
    house.names.told |= {MARY: WHOLE, other: "Nakato Prossy Mary"}
    first = ("4", PAYEE, "500")
    await house.press(*first)
    await house.press(*first, "0", "0", str(other)[1:], "500", "1", PIN)
    assert house.payments.told == ["Nakato Prossy Mary"]


async def test_a_confirm_behind_a_pin_that_is_compared_late_hears_the_name_all_the_same() -> None:
    """The session that is saved as over keeps no name; the verb that goes on has its own."""
    house = await caller()
    house.names.told[MARY] = WHOLE
    await house.press(*TO_PRICE, "1")
    house.customers.pin_delay = LONG_SECONDS
    with house.hurried():
        late = await house.take("*".join([*TO_PRICE, "1", PIN]))
    assert late.text == TEXTS.render("en", "session.late")
    leap(LONG_SECONDS)
    await house.turns.aclose()
    assert house.payments.told == [WHOLE]


async def test_a_confirm_hears_no_name_that_was_not_told_in_time() -> None:
    house = await caller()
    house.names.failure = Unreachable("mtn_ug", "away")
    await house.press(*TO_PRICE, "1", PIN)
    assert house.payments.told == [""]


# What is kept and told.


async def test_a_name_is_in_no_log_and_leaves_with_the_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = await caller()
    with caplog.at_level(logging.DEBUG):
        await house.press(*TO_PRICE)
        assert repr(house.session()).count(NAME) == house.session().reply.count(NAME)
        await house.take("*".join([*TO_PRICE, "1"]))
        await house.take("*".join([*TO_PRICE, "1", PIN]))
    assert NAME not in caplog.text
    assert house.session().holders == []
    assert not any(NAME.encode() in record for record in house.records.records.values())


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("", ""), ("James Okello", "James Okello"), ("  James \n Okello ", "James Okello"),
        ("ABCDEFGHIJKLMNOPQ", "ABCDEFGHIJKLMN"), ("Nakato Prossy Mary", "Nakato Prossy"),
        ("Désirée Côté", "Désirée Coté"), ("ኦኬሎ ጀምስ", "Okelo Jems"),
        ("N'Golo-Kanté", "N'Golo-Kanté"),
        ("J. Okello", "J. Okello"), ("0772000009", ""), ("Bob 0772000009 MTN", "Bob MTN"),
        ("KES 5{total}", "KES total"), ("\u202eevil\u0000", "evil"), ("...", ""), ("😀", ""),
        ("Amina 98 More", "Amina More"),
    ],
)  # fmt: skip
def test_a_name_is_shown_as_letters_on_one_line(told: str, shown: str) -> None:
    found = shown_holder(told)
    assert is_gsm7(found)
    assert septets(found) <= HOLDER_SEPTETS_MAX
    assert found == shown
    assert shown_holder(found) == found


def test_the_declared_width_holds_a_name_and_a_whole_number() -> None:
    """Nigeria's numbers and those of Cote d'Ivoire are the longest: a digit more than others."""
    for number in (MARY, "+2348031000002", "+2250710000002"):
        widest = f"{'W' * HOLDER_SEPTETS_MAX} {number}"
        assert len(widest) <= TEXTS.widths["payee_named"]
        for language in TEXTS.languages:
            assert TEXTS.write(language, "payee_named", widest) == widest

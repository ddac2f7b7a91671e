"""Gateways that send the last input only, and journeys walked by SMS."""

from typing import Any

import pytest

from engine.msisdn import Msisdn
from engine.ports import Reply
from tests.unit.session.rooms import PAYER, PIN, SHORTCODE, House

PAYEE = "256772000002"


class Phone:
    """Presses keys through a gateway that tells each alone, with whatever else it tells."""

    def __init__(self, house: House, session_id: str = "s1", **fields: Any) -> None:
        self.house = house
        self.session_id = session_id
        self.fields: dict[str, Any] = {"cumulative": False, **fields}

    async def dial(self, dialled: str = "", **fields: Any) -> Reply:
        return await self._take(dialled, opens=True, **fields)

    async def press(self, *inputs: str, **fields: Any) -> Reply:
        reply = Reply("", ends=False)
        for pressed in inputs:
            reply = await self._take(pressed, shortcode="", **fields)
        return reply

    async def _take(self, text: str, **fields: Any) -> Reply:
        return await self.house.take(text, self.session_id, **{**self.fields, **fields})


async def caller() -> House:
    return await House().registered()


async def test_later_turns_need_no_shortcode_and_a_dial_needs_ours() -> None:
    house = await caller()
    phone = Phone(house)
    await phone.dial()
    assert "Number to pay" in (await phone.press("1")).text
    assert (await Phone(house, "s2").dial(shortcode="")).text.startswith("This code is not in")


async def test_a_dial_string_behind_the_shortcode_leads_to_its_screen() -> None:
    phone = Phone(await caller())
    assert "Total KES 505" in (await phone.dial(f"1*{PAYEE}*500")).text
    assert "Type your CAPP PIN" in (await phone.press("1")).text


async def test_who_sends_nothing_at_all_is_asked_again_and_not_lost() -> None:
    house = await House().registered()
    usual: dict[str, Any] = {"cumulative": False}
    await house.take("", opens=True, **usual)
    asked = await house.take("1", **usual)
    again = await house.take("", **usual)
    assert not again.ends
    assert again.text.endswith(asked.text)
    assert "Amount in KES" in (await house.take("256772000002", **usual)).text


async def test_a_sequence_tells_a_repeat_from_the_same_key_again() -> None:
    house = await caller()
    phone = Phone(house)
    await phone.dial(sequence="1")
    first = await phone.press("1", sequence="2")
    assert await phone.press("1", sequence="2") == first
    again = await phone.press("1", sequence="3")
    assert again.text.startswith("That is not a phone number.")


async def test_a_numbered_turn_that_was_overtaken_changes_nothing() -> None:
    house = await caller()
    phone = Phone(house)
    await phone.dial(sequence="1")
    await phone.press("1", sequence="2")
    latest = await phone.press(PAYEE, sequence="10")
    assert await phone.press("1", sequence="9") == latest
    assert house.session().step == 3


async def test_the_last_turn_repeated_is_answered_again_where_nothing_tells_repeats() -> None:
    house = await caller()
    phone = Phone(house)
    await phone.dial()
    done = await phone.press("1", PAYEE, "500", "1", PIN)
    assert done.ends
    assert await phone.press(PIN) == done
    assert len(house.payments.confirmed) == 1


async def test_a_repeat_of_the_pin_is_counted_once_where_a_sequence_tells_it() -> None:
    house = await caller()
    phone = Phone(house)
    await phone.dial(sequence="1")
    await phone.press("1", sequence="2")
    await phone.press(PAYEE, sequence="3")
    await phone.press("500", sequence="4")
    await phone.press("1", sequence="5")
    wrong = await phone.press("9026", sequence="6")
    assert await phone.press("9026", sequence="6") == wrong
    assert list(house.customers.failures.values()) == [1]
    done = await phone.press(PIN, sequence="7")
    assert await phone.press(PIN, sequence="7") == done
    assert done.ends
    assert len(house.payments.confirmed) == 1


async def test_an_id_that_comes_again_begins_anew_at_every_dial() -> None:
    house = await caller()
    phone = Phone(house, str(PAYER), id_recurs=True)
    await phone.dial()
    await phone.press("1", PAYEE, "500", "1", PIN)
    house.clock.seconds += 5
    told = await phone.dial()
    assert told.text.startswith("CAPP000001 +256772000002\n")
    await phone.press("1", PAYEE)
    assert (await phone.dial()).text.startswith("You were sending money")


async def test_a_dial_that_comes_twice_with_such_an_id_begins_once() -> None:
    house = await caller()
    phone = Phone(house, str(PAYER), id_recurs=True)
    first = await phone.dial()
    assert await phone.dial() == first
    assert house.session(str(PAYER)).step == 1
    house.clock.seconds += 60
    await phone.dial()
    assert house.session(str(PAYER)).step == 1
    assert house.session(str(PAYER)).at == int(house.clock.epoch())


async def test_a_message_that_was_overtaken_is_not_pressed_again() -> None:
    """Its answer could not be queued: the gateway offers it again, hours later perhaps."""
    house = await caller()
    phone = sms(house)
    await phone.dial(sequence="africastalking:a")
    await phone.press("1", sequence="africastalking:b")
    await phone.press(PAYEE, sequence="africastalking:c")
    price = await phone.press("500", sequence="africastalking:d")
    for name in "abcd":
        assert await phone.press("1", sequence=f"africastalking:{name}") == price
    assert house.payments.confirmed == {}
    assert (await phone.press("1", sequence="africastalking:e")).ends


# By SMS.


def sms(house: House) -> Phone:
    return Phone(house, f"sms:{PAYER}", network="sms", shortcode="", id_recurs=True)


async def test_a_payment_by_sms_is_approved_at_the_operators_prompt_and_asks_no_pin() -> None:
    house = await caller()
    phone = sms(house)
    assert (await phone.dial()).text.startswith("CAPP\n1. Send money")
    assert "Total KES 505" in (await phone.press("1", PAYEE, "500")).text
    done = await phone.press("1")
    assert done.ends
    assert "M-PESA asks for your PIN" in done.text
    assert len(house.payments.confirmed) == 1


async def test_a_payment_by_sms_whose_operator_has_a_page_says_that_it_comes() -> None:
    house = await caller()
    house.payments.by_link.add("mpesa_ke")
    phone = sms(house)
    await phone.dial()
    done = await phone.press("1", PAYEE, "500", "1")
    assert done.ends
    assert "an SMS brings you the M-PESA page" in done.text
    assert len(house.payments.confirmed) == 1


async def test_a_payment_that_no_operator_asks_about_is_not_made_by_sms() -> None:
    house = await caller()
    house.payments.unprompted.add("mpesa_ke")
    phone = sms(house)
    await phone.dial()
    done = await phone.press("1", PAYEE, "500", "1")
    assert done.ends
    assert done.text == f"A PIN never belongs into an SMS. Dial {SHORTCODE} to do this."
    assert house.payments.confirmed == {}


async def test_a_screen_that_asks_a_pin_and_has_no_other_way_ends_a_walk_by_sms() -> None:
    phone = sms(await caller())
    await phone.dial()
    reply = await phone.press("5", "3", "1")
    assert reply.ends
    assert reply.text == f"A PIN never belongs into an SMS. Dial {SHORTCODE} to do this."


@pytest.mark.parametrize("dialled", ["", "5"])
async def test_nobody_chooses_a_pin_anew_by_sms(dialled: str) -> None:
    house = await caller()
    await house.press("5", "3", "2", "1")
    house.customers.allow_reset(PAYER)
    phone = sms(house)
    reply = await phone.dial(dialled)
    assert reply == Reply(f"A PIN never belongs into an SMS. Dial {SHORTCODE} to do this.", True)
    assert (await phone.press("7391")).text.startswith("This session has ended.")


async def test_nobody_registers_by_sms() -> None:
    house = House()
    phone = sms(house)
    await phone.dial()
    assert (await phone.press("1")).ends
    assert house.customers.known == {}


async def test_a_price_that_expired_is_told_by_sms_and_nothing_is_paid() -> None:
    house = await caller()
    phone = sms(house)
    await phone.dial()
    await phone.press("1", PAYEE, "500")
    house.clock.seconds += 121
    reply = await phone.press("1")
    assert reply.text.startswith("The price has expired.")
    assert "Amount in KES" in reply.text
    assert house.payments.confirmed == {}


async def test_two_phones_by_sms_never_meet() -> None:
    house = await caller()
    other = Msisdn("+254712000099")
    await house.customers.register(other, "KE", "en", PIN)
    await sms(house).dial()
    await sms(house).press("1", PAYEE)
    stranger = Phone(house, f"sms:{other}", network="sms", shortcode="", msisdn=other)
    await stranger.dial()
    assert (await stranger.press("500")).text.startswith("Please choose one of these.")

"""Every journey through both processes; `test_what_is_left.py` looks for its PINs afterwards."""

import asyncio
import re

import pytest

from simulator.stack import Stack
from simulator.ussd import Screen, UssdSession
from tests.e2e.city import City, Language, Person


async def again(city: City, person: Person, *inputs: str) -> tuple[UssdSession, Screen]:
    """Dial as somebody who is known, and type."""
    session = await city.dial(person)
    return session, await city.type(session, *inputs)


async def test_a_request_is_paid_across_the_border_and_both_are_told(city: City) -> None:
    asker, asked = city.newcomer("UG"), city.newcomer("KE")
    await city.register(asked)
    session = await city.register(asker)
    told = await city.type(session, "2", "1", asked.digits, "14,000", "1")
    assert told.ends
    code = told.text.split(":")[0]
    await city.told(asked, f"{code}: {asker.msisdn} asks you for UGX 14,000.")
    session, price = await again(city, asked, "2", "2", "1", "1")
    assert "Total KES 515" in price.text
    done = await city.type(session, "1", asked.pin)
    assert done.ends
    payment = await city.ends(asked, "PAID")
    assert payment.receives.minor >= 14_000
    _, empty = await again(city, asked, "2", "2")
    assert "Nobody asks you" in empty.text
    await city.assert_moved_once(payment, asked, asker)


async def test_a_request_that_two_sessions_confirm_at_once_is_paid_once(city: City) -> None:
    asker, asked = city.newcomer("UG"), city.newcomer("KE")
    await city.register(asked)
    session = await city.register(asker)
    await city.type(session, "2", "1", asked.digits, "14,000", "1")
    first, _ = await again(city, asked, "2", "2", "1", "1", "1")
    # The second dial finds the first one unfinished, and starts over.
    second, _ = await again(city, asked, "8", "2", "2", "1", "1", "1")
    done = await city.type(first, asked.pin)
    late = await city.type(second, asked.pin)
    assert done.ends
    assert late.text.startswith("This request is no longer open.") or late.ends
    payment = await city.ends(asked, "PAID")
    assert len(await city.payments(asked)) == 1
    await city.assert_moved_once(payment, asked, asker)


async def test_a_request_is_declined_and_the_asker_is_told(city: City) -> None:
    asker, asked = city.newcomer("UG"), city.newcomer("KE")
    await city.register(asked)
    session = await city.register(asker)
    await city.type(session, "2", "1", asked.digits, "14,000", "1")
    _, declined = await again(city, asked, "2", "2", "1", "2")
    assert declined.text.startswith("Declined.")
    await city.told(asker, f"{asked.msisdn} declined your request for UGX 14,000.")
    assert await city.latest(asked) is None


async def test_a_payment_is_looked_up_reported_saved_and_sent_again(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    code = await city.pay(payer, payee, 500)
    payment = await city.ends(payer, "PAID")
    session, shown = await again(city, payer, "3", code.lower())
    assert "Delivered" in shown.text
    reported = await city.type(session, "3", "1")
    assert f"Your case is {code}-1." in reported.text
    assert await city.cases(payment) == ["REPORTED"]
    saved = await city.type(session, "0", "3", "1", "4", "Mama Sarah")
    assert saved.text.startswith(f"Saved: Mama Sarah {payee.msisdn}")
    session, offered = await again(city, payer, "1")
    assert f"1. Mama Sarah {payee.msisdn}" in offered.text
    price = await city.type(session, "1", "1")
    assert "Total KES 515" in price.text
    received = await city.register(payee)
    assert re.search(r"\+UGX 14,\d{3} \+254", (await city.type(received, "3")).text)


async def test_a_stranger_finds_nobodys_payment_by_its_code(city: City) -> None:
    payer, payee, stranger = city.newcomer("KE"), city.newcomer("UG"), city.newcomer("KE")
    code = await city.pay(payer, payee, 500)
    session = await city.register(stranger)
    await city.type(session, "1", payee.digits, "500", "1", stranger.pin)
    _, refused = await again(city, stranger, "3", code)
    assert refused.text.startswith("You have no payment with this code.")


async def test_a_pin_is_changed_and_the_old_one_opens_nothing(city: City) -> None:
    person, payee = city.newcomer("KE"), city.newcomer("UG")
    session = await city.register(person)
    new = city.new_pin()
    changed = await city.type(session, "5", "3", "1", person.pin, new, new)
    assert changed.text.startswith("Your PIN is changed.")
    session, _ = await again(city, person, "1", payee.digits, "500", "1")
    refused = await city.type(session, person.pin)
    assert refused.text.startswith("Wrong PIN. Tries left: 2.")
    assert (await city.type(session, new)).ends
    await city.ends(person, "PAID")


@pytest.mark.parametrize("language", ["en", "sw"])
async def test_who_was_dropped_goes_on_and_is_told_how_it_stands(
    city: City, language: Language
) -> None:
    payer, payee = city.newcomer("KE", language), city.newcomer("UG")
    await city.order(payer, payee, 500)
    session = await city.dial(payer)
    price = await city.type(session, "7")
    assert "KES 515" in price.text
    done = await city.type(session, "1", payer.pin)
    assert done.ends
    code = done.text.split(" ", 1)[0]
    told = await city.phone(payer).dial(city.places.shortcode)
    assert told.text.startswith(f"{code} {payee.msisdn}\n")
    assert "\n1. " in told.text
    await city.ends(payer, "PAID")
    assert len(await city.payments(payer)) == 1


async def test_limits_prices_help_and_languages_are_told(city: City) -> None:
    person, payee = city.newcomer("KE"), city.newcomer("UG")
    session = await city.register(person)
    assert "At once KES" in (await city.type(session, "5", "2")).text
    assert "Our people never ask" in (await city.type(session, "00", "5", "5", "98")).text
    assert "Total KES 1,020" in (await city.type(session, "00", "4", payee.digits, "1000")).text
    assert "Kiswahili" in (await city.type(session, "00", "5", "1", "2")).text
    assert "Tuma pesa" in (await city.type(session, "00")).text


async def test_a_forgotten_pin_is_chosen_anew_once_two_of_the_staff_allow_it(
    city: City, stack: Stack
) -> None:
    person, payee = city.newcomer("KE"), city.newcomer("UG")
    session = await city.register(person)
    assert (await city.type(session, "5", "3", "2", "1")).ends

    async def staff(*arguments: str) -> str:
        done = await asyncio.to_thread(stack.command, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    proposed = await staff(
        "propose", "PIN_RESET", f"msisdn={person.msisdn}", "--why", "identity seen", "--as", "Amina"
    )
    proposal = proposed.split()[0]
    await staff("approve", proposal, "--as", "Brian")
    await city.told(person, "Choose a new CAPP PIN within 24 hours")
    new = city.new_pin()
    dialled = await city.phone(person).dial(city.places.shortcode)
    assert dialled.text.startswith("Your PIN was reset.")
    session = await city.dial(person)
    assert (await city.type(session, new, new)).text.startswith("Your new PIN is set.")
    session = await city.dial(person)
    await city.type(session, "1", payee.digits, "500", "1")
    assert (await city.type(session, person.pin)).text.startswith("Wrong PIN.")
    assert (await city.type(session, new)).ends
    await city.ends(person, "PAID")

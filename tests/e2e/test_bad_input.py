"""What arrives at the USSD door by mistake or on purpose: a plain answer, and nothing moves."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from simulator.ussd import UssdSession
from tests.e2e.city import City, Person, states_of

FORM = "application/x-www-form-urlencoded"
MEGABYTE = b"x" * 2**20


def turn(city: City, person: Person, text: str = "", **other: str) -> dict[str, str]:
    """The five fields as the gateway sends them."""
    return {
        "sessionId": f"ATUid_{city.world.hex(32)}",
        "serviceCode": city.places.shortcode,
        "phoneNumber": person.msisdn,
        "networkCode": "63902",
        "text": text,
        **other,
    }


def again(city: City, person: Person, session: UssdSession) -> dict[str, str]:
    """A turn of a session that exists."""
    return turn(city, person, session.text, sessionId=session.session_id)


async def post(city: City, form: Mapping[str, str]) -> httpx.Response:
    return await city.client.post(city.places.ussd_url, data=form)


@pytest.mark.parametrize("missing", ["sessionId", "serviceCode", "phoneNumber", "text"])
async def test_form_without_a_field_is_a_bad_request_that_names_it(
    city: City, missing: str
) -> None:
    form = turn(city, city.newcomer("KE"))
    del form[missing]
    response = await post(city, form)
    assert response.status_code == 400
    assert missing in response.text


@pytest.mark.parametrize(
    "body", [b"", b"&&&", b"sessionId", b"\xff\xfe=1", b'{"sessionId": "1"}'], ids=repr
)
async def test_form_without_fields_is_a_bad_request(city: City, body: bytes) -> None:
    headers = {"content-type": FORM}
    response = await city.client.post(city.places.ussd_url, content=body, headers=headers)
    assert response.status_code == 400


async def test_doubled_field_is_a_bad_request(city: City) -> None:
    form = turn(city, city.newcomer("KE"))
    body = "&".join(f"{k}={v.replace('#', '%23').replace('+', '%2B')}" for k, v in form.items())
    headers = {"content-type": FORM}
    url = city.places.ussd_url
    assert (await city.client.post(url, content=body, headers=headers)).status_code == 200
    doubled = f"{body}&phoneNumber=%2B254700000000"
    assert (await city.client.post(url, content=doubled, headers=headers)).status_code == 400


@pytest.mark.parametrize("number", ["", "0712345678", "254712345678", "+2547", "+abc", "+" * 13])
async def test_caller_without_a_number_is_a_bad_request_that_does_not_repeat_it(
    city: City, number: str
) -> None:
    response = await post(city, turn(city, city.newcomer("KE"), phoneNumber=number))
    assert response.status_code == 400
    assert not number or number not in response.text


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data", ""])
async def test_wrong_content_type_is_unsupported(city: City, kind: str) -> None:
    form = turn(city, city.newcomer("KE"))
    body = httpx.QueryParams(form).__str__().encode()
    headers = {"content-type": kind} if kind else {}
    response = await city.client.post(city.places.ussd_url, content=body, headers=headers)
    assert response.status_code == 415


async def _in_pieces() -> AsyncIterator[bytes]:
    for _ in range(16):
        yield MEGABYTE[: 2**16]


@pytest.mark.parametrize("content", [MEGABYTE, _in_pieces], ids=["announced", "in pieces"])
async def test_body_of_a_megabyte_is_too_large(city: City, content: Any) -> None:
    body = content() if callable(content) else content
    headers = {"content-type": FORM}
    response = await city.client.post(city.places.ussd_url, content=body, headers=headers)
    assert response.status_code == 413


@pytest.mark.parametrize("path", ["", "/end"])
async def test_wrong_token_is_not_found(city: City, path: str) -> None:
    right = city.places.ussd_url
    last = "1" if right[-1] == "0" else "0"
    for url in (right[:-1] + last, right[:-1], right + "0", right.rsplit("/", 1)[0] + "/%C3%A9"):
        response = await city.client.post(url + path, data=turn(city, city.newcomer("KE")))
        assert response.status_code == 404


@pytest.mark.parametrize("code", ["*384*97#", "*384#", "384", "*384*96", "*1#"])
async def test_unknown_shortcode_ends_with_a_sentence(city: City, code: str) -> None:
    response = await post(city, turn(city, city.newcomer("KE"), serviceCode=code))
    assert response.status_code == 200
    assert response.text.startswith("END This code is not in service.")


async def test_inspection_door_is_closed_without_its_token(city: City) -> None:
    for name in ("payments", "books"):
        url = f"{city.places.server}/inspect/{name}"
        for headers in ({}, {"authorization": "Bearer x"}, {"authorization": ""}):
            assert (await city.client.get(url, headers=headers)).status_code == 403


NUMBERS = {
    "letters": "hello",
    "too short": "25677",
    "too long": "2567720000020000",
    "no country": "256",
    "landline": "0414123456",
    "landline in E.164": "+254202000000",
    "Arabic digits": "٢٥٦٧٧٢٠٠٠٠٠٢",
    "200 characters": "7" * 200,
    "nothing": " ",
    "an operator nobody can pay at": "256702000002",
    "a premium number": "+256900123456",
}
AMOUNTS = {
    "zero": "0.0",
    "negative": "-500",
    "exponent": "1e9",
    "three decimals": "12.345",
    "fractions": "500.50",
    "letters": "lots",
    "Arabic digits": "٥٠٠",
    "full-width digits": "５００",
    "200 characters": "9" * 200,
    "infinity": "inf",
    "not a number": "NaN",
    "hexadecimal": "0x1F4",
    "too small": "1",
    "too large": "70001",
    "a trillion": "1000000000000",
    "nothing": " ",
    "an underscore": "5_00",
}


async def test_bad_numbers_and_amounts_get_a_sentence_and_the_question_again(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    session = await city.register(payer)
    question = await city.type(session, "1")
    for claim, number in {**NUMBERS, "own number": payer.digits}.items():
        screen = await city.type(session, number)
        if claim == "an operator nobody can pay at" and "Amount in" in screen.text:
            screen = await city.type(session, "500")  # Only the price knows where we can pay.
        assert not screen.ends, claim
        first, _, rest = screen.text.partition("\n")
        assert rest == question.text and first.endswith("."), (claim, screen.text)
    question = await city.type(session, payee.digits)
    for claim, amount in AMOUNTS.items():
        screen = await city.type(session, amount)
        first, _, rest = screen.text.partition("\n")
        assert not screen.ends and rest == question.text, (claim, screen.text)
        assert first.endswith("."), (claim, screen.text)
    assert await city.payments(payer) == []


async def test_price_that_was_not_accepted_moves_nothing(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    session = await city.order(payer, payee, 500)
    await session.hang_up()
    await session.notified()
    assert await city.payments(payer) == []
    assert await city.movements(payer) == []


async def test_three_wrong_pins_lock_and_move_nothing(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    session = await city.order(payer, payee, 500)
    screen = await city.type(session, city.new_pin())
    assert "Tries left: 2" in screen.text
    screen = await city.type(session, "12345678")
    assert "4 digits" in screen.text, screen.text
    await city.type(session, city.new_pin())
    screen = await city.type(session, city.new_pin())
    assert screen.ends and "locked" in screen.text
    again_session = await city.dial(payer)
    screen = await city.type(again_session, "1", payee.digits, "500", "1", payer.pin)
    assert screen.ends and "locked" in screen.text, "the right PIN opened a locked customer"
    assert await city.payments(payer) == []


async def test_duplicate_turn_gets_the_same_bytes_and_one_payment(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    session = await city.register(payer)
    for text in ("1", payee.digits, "500", "1", payer.pin):
        await city.type(session, text)
        form = again(city, payer, session)
        first, second = await post(city, form), await post(city, form)
        assert first.status_code == second.status_code == 200
        assert first.content == second.content
    assert first.text.startswith("END ")
    await city.ends(payer, "PAID")


async def test_turn_for_an_ended_session_ends_and_pays_nothing(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    session = await city.order(payer, payee, 500)
    await city.type(session, payer.pin)
    form = again(city, payer, session)
    for more in ("1", payer.pin, f"1*{payee.digits}*500*1*{payer.pin}"):
        text = f"{form['text']}*{more}"
        response = await post(city, {**form, "text": text})
        assert response.status_code == 200
        assert response.text == "END This session has ended. Please dial again."
    await city.ends(payer, "PAID")


async def test_session_of_another_phone_cannot_be_continued(city: City) -> None:
    payer, payee, thief = city.newcomer("KE"), city.newcomer("UG"), city.newcomer("KE")
    session = await city.order(payer, payee, 500)
    text = f"{session.text}*{payer.pin}"
    form = {**again(city, payer, session), "phoneNumber": thief.msisdn, "text": text}
    response = await post(city, form)
    assert response.status_code == 200 and response.text.startswith("END ")
    assert await city.payments(payer) == await city.payments(thief) == []


async def test_last_turn_ten_times_at_once_is_exactly_one_payment(city: City) -> None:
    payer, payee = city.newcomer("UG"), city.newcomer("KE")
    session = await city.order(payer, payee, 20_000)
    form = again(city, payer, session)
    form["text"] += f"*{payer.pin}"
    form["networkCode"] = "64110"

    answers = await asyncio.gather(*(post(city, form) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    payment = await city.ends(payer, "PAID")
    assert answers[0].text.startswith(f"END {payment.code} started")
    assert states_of(payment).count("PAID") == 1
    await city.assert_moved_once(payment, payer, payee)


async def test_two_payments_of_two_sessions_are_two(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    first = await city.pay(payer, payee, 500)
    await city.ends(payer, "PAID")
    session = await city.dial(payer)
    screen = await city.type(session, "1", payee.digits, "500", "1", payer.pin)
    second = screen.text.split(" ", 1)[0]
    assert first != second
    await city.until(lambda: _paid_twice(city, payer), "the second payment did not end")
    assert {payment.code for payment in await city.payments(payer)} == {first, second}
    assert len(await city.movements(payee)) == 2


async def _paid_twice(city: City, payer: Person) -> bool | None:
    return [p.state for p in await city.payments(payer)] == ["PAID", "PAID"] or None

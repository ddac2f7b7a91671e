"""What strangers and operators may post at the callback door, and how little it moves."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from simulator.inspect import Payment
from tests.e2e.city import City, Person, spoken, states_of

pytestmark = pytest.mark.long(
    "every door by itself; each payment of test_transcripts.py comes back by one"
)

MEGABYTE = b"x" * 2**20
CALLBACK, QUERY, ACCEPTED = 2, 3, 4  # sources of evidence, as stored


@pytest.fixture
async def asked(city: City) -> tuple[Person, Person, Payment]:
    """A payment whose payer in Kenya is being asked for the wallet's PIN: nothing has moved."""
    await city.set_approval("ask")
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.pay(payer, payee, 500)
    await city.prompt(payer)
    await city.named(await city.reaches(payer, "COLLECTING"))
    return payer, payee, await city.reaches(payer, "COLLECTING")


@pytest.fixture
async def paid(city: City) -> tuple[Person, Person, Payment]:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.pay(payer, payee, 500)
    return payer, payee, await city.ends(payer, "PAID")


async def push_result(
    city: City, payment: Payment, payer: Person, *, code: int = 0, more: int = 0
) -> dict[str, Any]:
    """What M-PESA posts after a prompt, by its own id of it; `more` falsifies the amount.

    With its receipt once the money has moved: another receipt would be other money.
    """
    moved = await city.movements(payer)
    receipt = moved[0]["receipt"] if moved else "NLJ7RT61SV"
    total_minor = payment.amount.minor + payment.fee.minor + more
    result: dict[str, Any] = {
        "MerchantRequestID": "29115-34620561-1",
        "CheckoutRequestID": await city.named(payment),
        "ResultCode": code,
        "ResultDesc": "The service request is processed successfully.",
    }
    if code == 0:
        result["CallbackMetadata"] = {
            "Item": [
                {"Name": "Amount", "Value": total_minor / 100},
                {"Name": "MpesaReceiptNumber", "Value": receipt},
                {"Name": "TransactionDate", "Value": 20191219102115},
                {"Name": "PhoneNumber", "Value": int(payer.digits)},
            ]
        }
    return {"Body": {"stkCallback": result}}


async def snapshot(city: City, payer: Person) -> tuple[Payment | None, object]:
    """All that a callback could change about a payer's payment.

    Not what we asked for meanwhile: whoever takes long to approve is asked about.
    """
    payment = await city.latest(payer)
    assert payment is not None
    told = [heard for heard in payment.heard if heard.source != "QUERY"]
    kept = await city.evidence(payment)
    unasked = Counter({key: count for key, count in kept.items() if key[1] != QUERY})
    return msgspec.structs.replace(payment, heard=told), (unasked, await city.cases(payment))


def forge(url: str) -> dict[str, str]:
    """Addresses like a real one that we never made."""
    stem, company, kind, word = url.rsplit("/", 3)
    code, token = word.split(".")
    last, first = ("1" if token[at] == "0" else "0" for at in (-1, 0))
    return {
        "one character of the mac": f"{stem}/{company}/{kind}/{code}.{token[:-1]}{last}",
        "another attempt": f"{stem}/{company}/{kind}/{code}.{first}{token[1:]}",
        "no mac": f"{stem}/{company}/{kind}/{code}.{token[:26]}",
        "mac of nothing": f"{stem}/{company}/{kind}/{code}.{token[:26]}{'0' * 20}",
        "upper case": f"{stem}/{company}/{kind}/{code}.{token.upper()}",
        "another operator": f"{stem}/{company}/{kind}/2.{token}",
        "another company": f"{stem}/mtn-momo/{kind}/{word}",
        "an operator nobody knows": f"{stem}/{company}/{kind}/99.{token}",
        "not of our letters": f"{stem}/{company}/{kind}/{code}.{'%C3%A9' * 46}",
        "a word for a number": f"{stem}/{company}/{kind}/mpesa.{token}",
        "nobody's company": f"{stem}/acme/{kind}/{word}",
        "no token": f"{stem}/{company}/{kind}",
    }


async def test_forged_address_is_not_found_and_changes_nothing(
    city: City, asked: tuple[Person, Person, Payment]
) -> None:
    payer, _, payment = asked
    before = await snapshot(city, payer)
    for forgery, url in forge(city.callback_url(payment, "stk-callback")).items():
        response = await city.client.post(url, json=await push_result(city, payment, payer))
        assert response.status_code == 404, forgery
    assert await snapshot(city, payer) == before


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"{}", b'{"Body": {}}', b"\xff\xfe", b"<html></html>"],
    ids=lambda body: body.decode("latin-1") or "empty",
)
async def test_body_that_is_no_result_is_a_bad_request(
    city: City, asked: tuple[Person, Person, Payment], body: bytes
) -> None:
    payer, _, payment = asked
    before = await snapshot(city, payer)
    response = await city.client.post(city.callback_url(payment, "stk-callback"), content=body)
    assert response.status_code == 400
    assert await snapshot(city, payer) == before


@pytest.mark.parametrize("kind", ["nothing", "collection", "STK-CALLBACK", "%00"])
async def test_unknown_kind_is_a_bad_request(
    city: City, asked: tuple[Person, Person, Payment], kind: str
) -> None:
    payer, _, payment = asked
    before = await snapshot(city, payer)
    url = city.callback_url(payment, kind)
    response = await city.client.post(url, json=await push_result(city, payment, payer))
    assert response.status_code == 400
    assert await snapshot(city, payer) == before


async def _in_pieces() -> AsyncIterator[bytes]:
    for _ in range(16):
        yield MEGABYTE[: 2**16]


@pytest.mark.parametrize("content", [MEGABYTE, _in_pieces], ids=["announced", "in pieces"])
async def test_body_of_a_megabyte_is_too_large(
    city: City, asked: tuple[Person, Person, Payment], content: Any
) -> None:
    payer, _, payment = asked
    before = await snapshot(city, payer)
    body = content() if callable(content) else content
    response = await city.client.post(city.callback_url(payment, "stk-callback"), content=body)
    assert response.status_code == 413
    assert await snapshot(city, payer) == before


async def test_another_amount_opens_a_case_and_moves_nothing(
    city: City, asked: tuple[Person, Person, Payment]
) -> None:
    payer, payee, payment = asked
    body = await push_result(city, payment, payer, more=100)
    url = city.callback_url(payment, "stk-callback")
    for _ in range(2):  # The same lie again is the same case.
        assert (await city.client.post(url, json=body)).status_code == 200
    now = await city.latest(payer)
    assert now is not None and states_of(now) == states_of(payment)
    assert await city.cases(payment) == ["CONFLICT"]
    assert await city.movements(payer) == await city.movements(payee) == []

    await city.approve(payer)
    await city.assert_moved_once(await city.ends(payer, "PAID"), payer, payee)


async def test_another_payers_number_opens_a_case_and_moves_nothing(
    city: City, asked: tuple[Person, Person, Payment]
) -> None:
    payer, _, payment = asked
    body = await push_result(city, payment, city.newcomer("KE"))
    assert (
        await city.client.post(city.callback_url(payment, "stk-callback"), json=body)
    ).status_code == 200
    now = await city.latest(payer)
    assert now is not None and states_of(now) == states_of(payment)
    assert await city.cases(payment) == ["CONFLICT"]


async def test_same_callback_twenty_times_at_once_is_one_transition(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.arm(payer, "collect", "no_callback")
    await city.pay(payer, payee, 500)
    payment = await city.reaches(payer, "COLLECTING")
    collecting = payment.attempts[-1].attempt_id
    url, body = city.callback_url(payment, "stk-callback"), await push_result(city, payment, payer)

    answers = await asyncio.gather(*(city.client.post(url, json=body) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    payment = await city.ends(payer, "PAID")
    assert states_of(payment).count("PAYING") == 1
    assert [attempt.direction for attempt in payment.attempts] == ["COLLECT", "DISBURSE"]
    assert (await city.evidence(payment))[collecting, CALLBACK] == 1
    await city.assert_moved_once(payment, payer, payee)
    await city.told(payee, f"You have received {spoken(payment.receives)}")


async def test_callback_for_an_ended_payment_is_acknowledged_and_changes_no_state(
    city: City, paid: tuple[Person, Person, Payment]
) -> None:
    payer, payee, payment = paid
    url = city.callback_url(payment, "stk-callback", attempt=0)
    response = await city.client.post(url, json=await push_result(city, payment, payer))
    assert response.status_code == 200
    assert await city.cases(payment) == []
    await city.assert_moved_once(await city.ends(payer, "PAID"), payer, payee)


async def test_failure_after_success_opens_a_case_and_changes_no_state(
    city: City, paid: tuple[Person, Person, Payment]
) -> None:
    payer, payee, payment = paid
    url = city.callback_url(payment, "stk-callback", attempt=0)
    body = await push_result(city, payment, payer, code=1032)
    assert (await city.client.post(url, json=body)).status_code == 200
    assert await city.cases(payment) == ["CONFLICT"]
    await city.assert_moved_once(await city.ends(payer, "PAID"), payer, payee)


async def test_large_success_is_asked_about_before_it_counts(city: City) -> None:
    await city.set_approval("ask")
    payer, payee = city.newcomer("UG"), city.newcomer("KE")
    await city.pay(payer, payee, 400_000)
    await city.prompt(payer)
    payment = await city.reaches(payer, "COLLECTING")
    # Whoever got hold of the address, from a log of the operator's, says that the money is there.
    body = {
        "amount": str(payment.amount.minor + payment.fee.minor),
        "currency": "UGX",
        "externalId": payment.code,
        "payer": {"partyIdType": "MSISDN", "partyId": payer.digits},
        "status": "SUCCESSFUL",
        "financialTransactionId": "363440463",
    }
    response = await city.client.post(city.callback_url(payment, "collection"), json=body)
    assert response.status_code == 200
    await _asked_back(city, payment)
    now = await city.latest(payer)
    assert now is not None and states_of(now) == states_of(payment)
    assert await city.movements(payee) == []


async def test_large_failure_of_a_payout_is_asked_about_before_a_refund(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.arm(payee, "disburse", "callback_late", seconds=3)
    await city.pay(payer, payee, 11_000)
    payment = await city.reaches(payer, "PAYING")
    body = {
        "amount": str(payment.receives.minor),
        "currency": "UGX",
        "externalId": payment.code,
        "payee": {"partyIdType": "MSISDN", "partyId": payee.digits},
        "status": "FAILED",
        "reason": "PAYEE_NOT_ALLOWED_TO_RECEIVE",
    }
    response = await city.client.post(city.callback_url(payment, "disbursement"), json=body)
    assert response.status_code == 200
    await city.assert_moved_once(await city.ends(payer, "PAID"), payer, payee)


async def _asked_back(city: City, payment: Payment) -> None:
    async def asked_back() -> bool | None:
        return any(source == QUERY for _, source in await city.evidence(payment)) or None

    await city.until(asked_back, "the operator was not asked")


async def test_callback_door_takes_no_other_method(
    city: City, paid: tuple[Person, Person, Payment]
) -> None:
    _, _, payment = paid
    for method in ("GET", "DELETE"):
        url = city.callback_url(payment, "stk-callback", attempt=0)
        response: httpx.Response = await city.client.request(method, url)
        assert response.status_code == 405


async def test_the_path_businesses_know_leads_to_the_same_door(
    city: City, paid: tuple[Person, Person, Payment]
) -> None:
    payer, payee, payment = paid
    url = city.callback_url(payment, "stk-callback", attempt=0)
    known = url.replace("/daraja/", "/mpesa/")
    assert "/api/v1/webhooks/mpesa/stk-callback/" in known
    assert (
        await city.client.post(known, json=await push_result(city, payment, payer))
    ).status_code == 200
    await city.assert_moved_once(await city.ends(payer, "PAID"), payer, payee)


async def test_all_that_was_said_about_a_payment_is_kept(
    city: City, asked: tuple[Person, Person, Payment]
) -> None:
    payer, payee, payment = asked
    url = city.callback_url(payment, "stk-callback")
    assert (await city.client.post(url, content=b"not a word of it")).status_code == 400
    await city.approve(payer)
    payment = await city.ends(payer, "PAID")
    body = await push_result(city, payment, payer)
    assert (await city.client.post(url, json=body)).status_code == 200

    async def all_kept() -> list[tuple[int, str, str]] | None:
        """What was noted is stored within a second or so, whichever process noted it."""
        attempts = [attempt.attempt_id for attempt in payment.attempts]
        rows = await city.rows(
            "select way, operation, outcome from traffic where attempt = any($1::uuid[])"
            " and operation <> 'token' order by at_ms", attempts
        )  # fmt: skip
        found = [tuple(row) for row in rows]
        return found if len(found) >= 4 else None

    said = await city.until(all_kept, "what was said was not kept")
    assert {(1, "stk-callback", "unreadable"), (2, "stk_push", ""), (2, "transfer", "")} <= {*said}
    assert (1, "stk-callback", "kept") in said  # it came again
    (odd,) = await city.rows(
        "select source, status from traffic where outcome = 'unreadable'"
        " and attempt = any($1::uuid[])",
        [attempt.attempt_id for attempt in payment.attempts],
    )
    assert (odd["source"], odd["status"]) == ("127.0.0.1", 400)
    texts = await city.rows("select asked || answered as text from traffic")
    written = " ".join(row["text"] for row in texts)
    assert payer.digits not in written
    assert payee.digits not in written
    assert "not a word" not in written


async def test_unreadable_and_large_delivery_reports_are_refused(city: City) -> None:
    url = city.places.ussd_url.replace("/ussd/", "/sms/") + "/report"
    form = "application/x-www-form-urlencoded"
    for body, status in [(b"", 400), (b"id=1", 400), (b"\xff=\xff", 400), (MEGABYTE, 413)]:
        response = await city.client.post(url, content=body, headers={"content-type": form})
        assert response.status_code == status, body[:20]
    forged = url.replace("/report", "0/report")
    assert (await city.client.post(forged, content=b"id=1&status=Success")).status_code == 404

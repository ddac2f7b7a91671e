"""Zamtel's adapter against recorded answers: what is asked, what ends an attempt, what does not."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from engine.errors import OutcomeUnknown, Rejected, Unreadable
from engine.money import Money
from engine.ports import (
    Accepted,
    BalancePort,
    CallbackTrust,
    Direction,
    Finding,
    NamePort,
    OperatorPort,
    Outcome,
    Reason,
    StatementPort,
)
from providers.http import Exchange
from providers.zamtel import ZAMBIA, Zamtel
from tests.providers.company import SILENCE, Answer, Company
from tests.providers.subjects import (
    ATTEMPT,
    CODE,
    SECRETS,
    ZAMBIAN,
    ZAMTEL_COLLECT_PATH,
    ZAMTEL_PAID,
    ZAMTEL_PAYOUT_PATH,
    zambian_order,
    zamtel_settings,
)

COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND
RECEIPT = "260101000001"
PATHS = {
    COLLECT: ZAMTEL_COLLECT_PATH,
    DISBURSE: ZAMTEL_PAYOUT_PATH,
    REFUND: ZAMTEL_PAYOUT_PATH,
}


@pytest.fixture
async def zamtel(company: Company, traced: list[Exchange]) -> AsyncIterator[Zamtel]:
    adapter = Zamtel(zamtel_settings(company.url), trace=traced.append)
    yield adapter
    await adapter.aclose()


def call(adapter: OperatorPort, direction: Direction, **changes: Any) -> Any:
    calls = {COLLECT: adapter.collect, DISBURSE: adapter.disburse, REFUND: adapter.refund}
    return calls[direction](zambian_order(direction, **changes))


def told(status: Any, **more: Any) -> Answer:
    return Answer(message={"status": status, "message": "x", "TransactionId": RECEIPT, **more})


async def test_collection_asks_for_what_is_listed_and_no_more(
    company: Company, zamtel: Zamtel
) -> None:
    company.on(ZAMTEL_COLLECT_PATH, ZAMTEL_PAID)
    await call(zamtel, COLLECT)
    (request,) = company.requests
    assert (request.method, request.body) == ("GET", b"")
    assert parse_qs(urlsplit(request.target).query) == {
        "ThirdPartyID": ["third-party-x11"],
        "Password": ["zamtel-password-x12/+="],
        "Amount": ["10.50"],
        "Msisdn": [ZAMBIAN.digits],
        "Shortcode": ["000001"],
        "ConversationId": [ATTEMPT],
    }
    assert "x12%2F%2B%3D" in request.target  # section 1: must be URL-encoded


@pytest.mark.parametrize("direction", [DISBURSE, REFUND])
async def test_payout_adds_the_initiator(
    company: Company, zamtel: Zamtel, direction: Direction
) -> None:
    company.on(ZAMTEL_PAYOUT_PATH, ZAMTEL_PAID)
    await call(zamtel, direction)
    query = parse_qs(urlsplit(company.requests[0].target).query)
    assert query["identifier"] == ["zamtel-initiator-x13"]
    assert query["credential"] == ["zamtel-credential-x14"]
    assert query["Shortcode"] == ["000001"]


async def test_what_nobody_could_confirm_is_a_setting(company: Company) -> None:
    settings = zamtel_settings(
        company.url,
        collect_path="/ZampayRest/Req",
        payout_path="/ZampayRest/B2CReq",
        payout_shortcode="000002",
        initiator_parameter="Identifier",
        initiator_password_parameter="Credential",
        sends_reference=True,
    )
    adapter = Zamtel(settings)
    company.on("/ZampayRest/Req", ZAMTEL_PAID)
    company.on("/ZampayRest/B2CReq", ZAMTEL_PAID)
    await call(adapter, COLLECT)
    await call(adapter, DISBURSE)
    await adapter.aclose()
    asked, paid = (parse_qs(urlsplit(request.target).query) for request in company.requests)
    assert (asked["Shortcode"], asked["Reference"]) == (["000001"], [CODE])
    assert (paid["Shortcode"], paid["Reference"]) == (["000002"], [CODE])
    assert paid["Identifier"] == ["zamtel-initiator-x13"]
    assert paid["Credential"] == ["zamtel-credential-x14"]


@pytest.mark.parametrize(
    ("minor", "written"), [(100, "1"), (1_000, "10"), (1_050, "10.50"), (1_000_000, "10000")]
)
async def test_amounts_are_written_as_in_the_examples(
    company: Company, zamtel: Zamtel, minor: int, written: str
) -> None:
    company.on(ZAMTEL_COLLECT_PATH, ZAMTEL_PAID)
    await call(zamtel, COLLECT, money=Money(minor, "ZMW"))
    assert f"&Amount={written}&" in company.requests[0].target


@pytest.mark.parametrize("money", [Money(1, "ZMW"), Money(1_000_001, "ZMW"), Money(100, "KES")])
async def test_what_cannot_be_sent_is_refused_before(
    company: Company, zamtel: Zamtel, money: Money
) -> None:
    with pytest.raises(Rejected):
        await call(zamtel, COLLECT, money=money)
    assert company.requests == []


ENDS = [
    (COLLECT, "0", Outcome.SUCCEEDED, None),
    (COLLECT, 0, Outcome.SUCCEEDED, None),
    (COLLECT, " 0 ", Outcome.SUCCEEDED, None),
    (COLLECT, "E8003", Outcome.FAILED, Reason.WRONG_PIN),
    (COLLECT, "2006", Outcome.FAILED, Reason.INSUFFICIENT_FUNDS),
    (COLLECT, 2006, Outcome.FAILED, Reason.INSUFFICIENT_FUNDS),
    (COLLECT, "E8027", Outcome.FAILED, Reason.OTHER),
    (DISBURSE, "0", Outcome.SUCCEEDED, None),
    (DISBURSE, "2001", Outcome.FAILED, Reason.CONFIGURATION),
    (DISBURSE, "2005", Outcome.FAILED, Reason.LIMIT),
    (DISBURSE, "2006", Outcome.FAILED, Reason.CONFIGURATION),
    (REFUND, "0", Outcome.SUCCEEDED, None),
    (REFUND, "2005", Outcome.FAILED, Reason.LIMIT),
]


@pytest.mark.parametrize(("direction", "status", "outcome", "reason"), ENDS)
async def test_listed_status_is_the_end_itself(
    company: Company,
    zamtel: Zamtel,
    direction: Direction,
    status: Any,
    outcome: Outcome,
    reason: Reason | None,
) -> None:
    company.on(PATHS[direction], told(status))
    code = str(status).strip()
    finding = Finding(outcome, code, reason=reason, receipt=RECEIPT)
    assert await call(zamtel, direction) == Accepted(finding=finding)


SPELLINGS = [
    {"status": "0", "TransactionId": RECEIPT},
    {"Status": "0", "transactionid": RECEIPT},
    {"StatusCode": 0, "TRANSACTIONID": RECEIPT},
    {"statuscode": "0", "status": "0", "TransactionID": int(RECEIPT)},
]


@pytest.mark.parametrize("message", SPELLINGS)
async def test_names_are_read_in_any_case(
    company: Company, zamtel: Zamtel, message: dict[str, Any]
) -> None:
    company.on(ZAMTEL_COLLECT_PATH, Answer(message=message))
    accepted = await call(zamtel, COLLECT)
    assert accepted.finding == Finding(Outcome.SUCCEEDED, "0", receipt=RECEIPT)


async def test_two_transaction_numbers_that_differ_are_none(
    company: Company, zamtel: Zamtel
) -> None:
    message = {"status": "0", "TransactionId": RECEIPT, "transactionID": "another"}
    company.on(ZAMTEL_COLLECT_PATH, Answer(message=message))
    accepted = await call(zamtel, COLLECT)
    assert accepted.finding == Finding(Outcome.SUCCEEDED, "0", receipt=None)


async def test_success_without_a_transaction_number_is_a_success(
    company: Company, zamtel: Zamtel
) -> None:
    company.on(ZAMTEL_COLLECT_PATH, Answer(message={"status": "0"}))
    assert await call(zamtel, COLLECT) == Accepted(finding=Finding(Outcome.SUCCEEDED, "0"))


NO_ENDS: list[tuple[Direction, Answer]] = [
    *((direction, told("-1")) for direction in Direction),
    # "Unable to process" of a payout: one that was made after all would be paid twice.
    (DISBURSE, told("E8027")),
    (REFUND, told("E8027")),
    # Listed for the other direction alone.
    (COLLECT, told("2001")),
    (COLLECT, told("2005")),
    (DISBURSE, told("E8003")),
    *(
        (direction, told(status))
        for direction in (COLLECT, DISBURSE)
        for status in ("", "00", "-0", "0x0", "0.0", "e8003", "E9999", "Success", None, True, [0])
    ),
    (COLLECT, Answer(message={"status": "0", "StatusCode": "2006"})),
    (COLLECT, Answer(message={"status": "0", "Status": None})),
    (COLLECT, Answer(message={"TransactionId": RECEIPT, "message": "Success"})),
    (COLLECT, Answer(500, message={"status": "0", "TransactionId": RECEIPT})),
    (COLLECT, Answer(500, message={"status": "E8003"})),
    (COLLECT, Answer(401)),
    (COLLECT, Answer(403, body=b"<html/>", content_type="text/html")),
]


@pytest.mark.parametrize(("direction", "answer"), NO_ENDS)
async def test_everything_else_leaves_the_outcome_unknown(
    company: Company, zamtel: Zamtel, direction: Direction, answer: Answer
) -> None:
    company.on(PATHS[direction], answer)
    with pytest.raises(OutcomeUnknown):
        await call(zamtel, direction)
    assert len(company.requests) == 1


async def test_silence_is_unknown_and_is_not_asked_about(company: Company, zamtel: Zamtel) -> None:
    company.on(ZAMTEL_COLLECT_PATH, SILENCE)
    with pytest.raises(OutcomeUnknown):
        await call(zamtel, COLLECT)
    for direction in Direction:
        with pytest.raises(OutcomeUnknown, match="cannot be asked"):
            await zamtel.query(zambian_order(direction))
    assert len(company.requests) == 1


async def test_nothing_of_the_address_is_told(
    company: Company, zamtel: Zamtel, traced: list[Exchange]
) -> None:
    company.on(ZAMTEL_PAYOUT_PATH, SILENCE)
    with pytest.raises(OutcomeUnknown) as caught:
        await call(zamtel, DISBURSE)
    shown = f"{caught.value!r} {caught.value.__cause__!r} {traced} {zamtel_settings(company.url)!r}"
    assert not any(secret in shown for secret in SECRETS)
    assert [(each.operation, each.status) for each in traced] == [("disburse", None)]


def test_what_zamtel_cannot_do_is_said(zamtel: Zamtel) -> None:
    assert (ZAMBIA.can_be_asked, ZAMBIA.callback) == (False, CallbackTrust.NONE)
    assert ZAMBIA.refund_is_payout
    assert not ZAMBIA.collect_repeat_is_safe and not ZAMBIA.disburse_repeat_is_safe
    assert not isinstance(zamtel, BalancePort) and not isinstance(zamtel, NamePort)
    assert isinstance(zamtel, StatementPort)
    assert zamtel.references_of(ATTEMPT) == (ATTEMPT,)
    with pytest.raises(Unreadable):
        zamtel.read_callback("callback", b'{"status": "0"}')

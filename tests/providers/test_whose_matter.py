"""Whose matter every listed no is, over all adapters: what it tells about the operator's health.

A payer's or payee's own fault never opens a breaker; the operator's own, and ours there, do.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import pytest

from engine.errors import ProviderError
from engine.payments.health import FAULT_POINTS, Told, told_by_error, told_by_finding
from engine.ports import Direction, Finding, Outcome, Reason
from providers.airtel_money import answers as airtel
from providers.mpesa import answers as mpesa_answers
from providers.mpesa import callbacks as mpesa
from providers.mtn_momo import answers as mtn
from providers.orange_money import core as orange_core
from providers.orange_money import wallet as orange_wallet
from providers.orange_money import web_payment as orange_web
from providers.zamtel import adapter as zamtel

COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND
CUSTOMER, OURS, OPERATOR, NOBODY = "customer", "ours", "operator", "nobody says"
TOLD = {
    CUSTOMER: {Told.DECLINED},
    OURS: {Told.MISCONFIGURED},
    OPERATOR: {Told.UNEXPLAINED},
}

Rows = Mapping[str, str]


def rows(*, customer: str = "", ours: str = "", operator: str = "", nobody: str = "") -> Rows:
    """Codes by whose matter they are, each list separated by spaces."""
    lists = {CUSTOMER: customer, OURS: ours, OPERATOR: operator, NOBODY: nobody}
    return {code: whose for whose, codes in lists.items() for code in codes.split()}


AIRTEL_COLLECTION = rows(
    customer="002 003 004 005 007 008 010 029", ours="026", nobody="009"
)  # fmt: skip
AIRTEL_PAYOUT = rows(customer="003 004 009 010 012", ours="007 016 018 019", nobody="005 013")
AIRTEL_DOOR = rows(
    customer="ESB000033 ESB000036",
    ours=(
        "ROUTER001 ROUTER003 ROUTER005 ROUTER006 ROUTER007 ROUTER112 ROUTER114 ROUTER115 ROUTER116"
        " ROUTER119 ESB000008 ESB000034 ESB000035 ESB000039"
    ),
    nobody="ESB000011",
)
MTN_NOT_ALLOWED = "NOT_ALLOWED NOT_ALLOWED_TARGET_ENVIRONMENT INVALID_CALLBACK_URL_HOST"
MTN_COLLECTION = rows(
    customer=(
        "PAYER_NOT_FOUND NOT_ENOUGH_FUNDS PAYER_LIMIT_REACHED SENDER_ACCOUNT_NOT_ACTIVE"
        " PAYMENT_NOT_APPROVED APPROVAL_REJECTED TRANSACTION_CANCELED EXPIRED"
        " COULD_NOT_PERFORM_TRANSACTION"
    ),
    ours=f"PAYEE_NOT_FOUND PAYEE_NOT_ALLOWED_TO_RECEIVE INVALID_CURRENCY {MTN_NOT_ALLOWED}",
    nobody="RESOURCE_NOT_FOUND",
)
MTN_PAYOUT = rows(
    customer="PAYEE_NOT_FOUND PAYEE_NOT_ALLOWED_TO_RECEIVE",
    ours=(
        "PAYER_NOT_FOUND NOT_ENOUGH_FUNDS PAYER_LIMIT_REACHED SENDER_ACCOUNT_NOT_ACTIVE"
        f" INVALID_CURRENCY RESOURCE_NOT_FOUND {MTN_NOT_ALLOWED}"
    ),
    nobody=(
        "PAYMENT_NOT_APPROVED APPROVAL_REJECTED TRANSACTION_CANCELED EXPIRED"
        " COULD_NOT_PERFORM_TRANSACTION"
    ),
)
MPESA_PAYOUT = rows(
    customer="2 3 4 8 2040 SFC_IC0003", ours="1 11 21 2001 2028 8006", nobody="2006"
)
ZAMTEL_PAYOUT = rows(customer="2005", ours="2001 2006")


def of_column(table: Mapping[str, tuple[Reason, Reason]], column: int) -> Mapping[str, Reason]:
    return {code: reasons[column] for code, reasons in table.items()}


def airtel_part(prefix: str) -> Mapping[str, Reason]:
    return {
        code.removeprefix(prefix): reason
        for code, reason in airtel._FAILED.items()
        if code.startswith(prefix)
    }


LISTED: dict[str, tuple[Direction, Mapping[str, Reason], Rows]] = {
    "mpesa push": (
        COLLECT,
        mpesa.PUSH_FAILED,
        rows(
            customer="1 2 3 4 17 1019 1031 1032 1036 1037 2001 8006",
            ours="8 2028 SFC_IC0003",
            operator="1025 9999",
        ),
    ),
    "mpesa payout": (DISBURSE, mpesa.PAYOUT_FAILED, MPESA_PAYOUT),
    "mpesa reversal": (
        REFUND,
        mpesa.REVERSAL_FAILED,
        rows(ours="1 11 21 2001 2006 2028 8006", nobody="R000002"),
    ),
    "mpesa business": (DISBURSE, mpesa.BUSINESS_FAILED, rows(ours="1 21 2001 8006")),
    "mtn collection": (COLLECT, of_column(mtn._REASONS, mtn._COLLECTING), MTN_COLLECTION),
    "mtn payout": (DISBURSE, of_column(mtn._REASONS, mtn._PAYING), MTN_PAYOUT),
    "mtn words of a collection": (
        COLLECT,
        of_column(mtn._BY_STATUS, mtn._COLLECTING),
        rows(customer="TIMEOUT REJECTED CANCELLED"),
    ),
    "airtel collection": (COLLECT, airtel_part(airtel._COLLECTION), AIRTEL_COLLECTION),
    "airtel payout": (DISBURSE, airtel_part(airtel._DISBURSEMENT), AIRTEL_PAYOUT),
    "airtel door": (COLLECT, airtel._REFUSED, AIRTEL_DOOR),
    "orange core": (
        COLLECT,
        orange_core._FAILED,
        rows(customer="CANCELLED EXPIRED", nobody="FAILED"),
    ),
    "orange wallet": (
        COLLECT,
        orange_wallet._FAILED,
        rows(customer="CANCELLED", nobody="FAILED REJECTED"),
    ),
    "orange web": (COLLECT, orange_web._REASONS, rows(customer="EXPIRED", nobody="FAILED")),
    "zamtel collection": (
        COLLECT,
        zamtel._FAILED[COLLECT],
        rows(customer="E8003 2006", nobody="E8027"),
    ),
    "zamtel payout": (DISBURSE, zamtel._FAILED[DISBURSE], ZAMTEL_PAYOUT),
    "zamtel giving back": (REFUND, zamtel._FAILED[REFUND], ZAMTEL_PAYOUT),
}
"""Every list of final codes there is: its direction, itself, and whose matter each code is."""

CASES = [
    pytest.param(direction, listed[code], whose, id=f"{name} {code}")
    for name, (direction, listed, matters) in LISTED.items()
    for code, whose in matters.items()
]


@pytest.mark.parametrize("name", LISTED)
def test_every_listed_code_is_somebodys_or_said_to_be_nobodys(name: str) -> None:
    _, listed, matters = LISTED[name]
    assert listed.keys() == matters.keys()


@pytest.mark.parametrize(("direction", "reason", "whose"), CASES)
def test_health_hears_whose_matter_it_is(direction: Direction, reason: Reason, whose: str) -> None:
    told = told_by_finding(Finding(Outcome.FAILED, "c", reason=reason), direction)
    unsaid = {None} if direction is COLLECT else {Told.UNEXPLAINED}
    assert {told} == TOLD.get(whose, unsaid)
    opens = told in FAULT_POINTS
    assert opens == (whose in (OURS, OPERATOR) or (whose == NOBODY and direction is not COLLECT))


def reply(status: int, message: Any = None) -> httpx.Response:
    return httpx.Response(status, json=message if message is not None else {})


def airtel_error(status: int) -> ProviderError:
    return airtel.error_of("a", airtel.read_answer(reply(status)), pays=True)


def by_mpesa(status: int, code: str, text: str) -> ProviderError:
    said = {"requestId": "1", "errorCode": code, "errorMessage": text}
    return mpesa_answers.error_of(mpesa_answers.read_answer(reply(status, said)))


LOCKED = "Unable to lock subscriber, a transaction is already in process for the current subscriber"
AT_THE_DOOR: Iterable[tuple[str, ProviderError, Told | None]] = [
    ("mpesa: subscriber locked", by_mpesa(500, "500.001.1001", LOCKED), None),
    (
        "mpesa: the payer's number",
        by_mpesa(400, "400.002.02", "Bad Request - Invalid PhoneNumber"),
        Told.DECLINED,
    ),
    (
        "mpesa: our shortcode",
        by_mpesa(400, "400.002.02", "Bad Request - Invalid BusinessShortCode"),
        Told.MISCONFIGURED,
    ),
    ("mpesa: our passkey", by_mpesa(500, "500.001.1001", "Wrong credentials"), Told.MISCONFIGURED),
    ("mpesa: too fast", by_mpesa(429, "", ""), Told.THROTTLED),
    (
        "mpesa: busy",
        by_mpesa(500, "500.003.02", "System is busy. Please try again in few minutes."),
        Told.UNCLEAR,
    ),
    ("mpesa: broken", by_mpesa(500, "500.003.1001", "Internal Server Error"), Told.UNCLEAR),
    (
        "mtn: payer",
        mtn.order_error_of(
            "m", mtn.read_answer(reply(500, {"code": "NOT_ENOUGH_FUNDS"})), pays=False
        ),
        Told.DECLINED,
    ),
    ("mtn: broken", mtn.order_error_of("m", mtn.read_answer(reply(500)), pays=False), Told.UNCLEAR),
    (
        "mtn: away",
        mtn.order_error_of(
            "m", mtn.read_answer(reply(503, {"code": "SERVICE_UNAVAILABLE"})), pays=True
        ),
        Told.UNCLEAR,
    ),
    (
        "mtn: away for a prompt",
        mtn.order_error_of(
            "m", mtn.read_answer(reply(503, {"code": "SERVICE_UNAVAILABLE"})), pays=False
        ),
        Told.THROTTLED,
    ),
    ("airtel: broken", airtel_error(500), Told.UNCLEAR),
    ("airtel: not us", airtel_error(403), Told.MISCONFIGURED),
    ("zamtel: broken", zamtel._error_of(reply(500), zamtel._NOTHING), Told.UNCLEAR),
    ("zamtel: too fast", zamtel._error_of(reply(429), zamtel._NOTHING), Told.THROTTLED),
]


@pytest.mark.parametrize(
    ("error", "told"), [pytest.param(error, told, id=name) for name, error, told in AT_THE_DOOR]
)
def test_a_refusal_at_the_door_is_told_as_what_it_is(
    error: ProviderError, told: Told | None
) -> None:
    assert told_by_error(error, COLLECT) is told

"""Airtel Money as the contract suite takes it: unsigned in Kenya, signed in Zambia.

Both have their keys in the settings, so that an order is one request; keys that are fetched have
tests of their own in `test_airtel_money.py`.
"""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from engine.clock import Clock
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import Direction, Order
from providers.airtel_money import MARKETS, AirtelMoney, AirtelMoneySettings
from providers.http import Trace
from tests.providers.company import Answer, Company
from tests.providers.subjects import ATTEMPT, KENYAN, PATIENT, TOKEN, Operation, Subject, order

COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND
PIN = "7391"
"""For many requests at once, which a busy machine may not answer as quickly as the suite wants."""
ZAMBIAN_AIRTEL = Msisdn("+260977123456")
TOKEN_PATH = "/auth/oauth2/token"
KEYS_PATH = "/v1/rsa/encryption-keys"
COLLECT_PATHS = {1: "/merchant/v1/payments/", 2: "/merchant/v2/payments/"}
DISBURSE_PATHS = {
    1: "/standard/v1/disbursements/",
    2: "/standard/v2/disbursements/",
    3: "/standard/v3/disbursements",
}
ENQUIRY_PATH = f"/standard/v1/payments/{ATTEMPT}"
DISBURSE_ENQUIRY_PATH = f"/standard/v1/disbursements/{ATTEMPT}"


@cache
def airtel_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


def public_text(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()


def airtel_settings(url: str, **changes: Any) -> AirtelMoneySettings:
    given: dict[str, Any] = {
        "base_url": url,
        "client_id": "airtel-client-x15",
        "client_secret": "airtel-secret-x16",
        "pin": PIN,
        "encryption_key": public_text(airtel_key()),
        "timeouts": PATIENT,
    }
    return AirtelMoneySettings(**{**given, **changes})


def signed_settings(url: str) -> AirtelMoneySettings:
    return airtel_settings(url, collection_version=2, disbursement_version=2)


def build(
    country: str,
    settings: Callable[[str], AirtelMoneySettings],
    url: str,
    clock: Clock,
    trace: Trace,
) -> AirtelMoney:
    return AirtelMoney(MARKETS[country], settings(url), clock=clock, trace=trace)


def kenyan_order(direction: Direction, **changes: Any) -> Order:
    return order(direction, **{"money": Money(15_000, "KES"), "msisdn": KENYAN, **changes})


def zambian_airtel_order(direction: Direction, **changes: Any) -> Order:
    changes = {"money": Money(1_000, "ZMW"), "msisdn": ZAMBIAN_AIRTEL, **changes}
    return order(direction, **changes)


def envelope(
    code: str, *, http: int = 200, data: Any = None, message: str = "SUCCESS", **status: Any
) -> Answer:
    told = {
        "response_code": code,
        "code": str(http),
        "success": http == 200,
        "result_code": "ESB000010",
        "message": message,
        **status,
    }
    told = {name: value for name, value in told.items() if value is not None}
    body: dict[str, Any] = {"status": told}
    return Answer(http, message=body if data is None else {"data": data, **body})


def refused(code: str, *, http: int = 400, **status: Any) -> Answer:
    return envelope(code, http=http, **{"result_code": None, "message": "Failed", **status})


def transaction(status: str, **fields: Any) -> dict[str, Any]:
    told = {"id": ATTEMPT, "status": status, "message": "Paid KES 150 to JANE", **fields}
    return {"transaction": told}


QUEUED = envelope("DP00800001006", data={"transaction": {"id": False, "status": "Success."}})
PAID = envelope("DP00800001001", data=transaction("TS", airtel_money_id="MP261121.1300.A00001"))
PAID_OUT = envelope(
    "DP00900001001",
    data=transaction("TS", airtel_money_id="pay-CI261121.1300.A00001", reference_id="2601"),
)


def _operations(version: int, make: Callable[..., Order]) -> tuple[Operation, ...]:
    payout = DISBURSE_PATHS[version]
    return (
        Operation("collect", COLLECT_PATHS[version], lambda a: a.collect(make(COLLECT)), QUEUED),
        Operation("disburse", payout, lambda a: a.disburse(make(DISBURSE)), PAID_OUT),
        Operation("refund", payout, lambda a: a.refund(make(REFUND)), PAID_OUT),
        Operation(
            "query collect", ENQUIRY_PATH, lambda a: a.query(make(COLLECT)), PAID, is_query=True
        ),
        *(
            Operation(
                f"query {direction.name.lower()}",
                DISBURSE_ENQUIRY_PATH,
                lambda a, direction=direction: a.query(make(direction)),  # type: ignore[misc]
                PAID_OUT,
                is_query=True,
            )
            for direction in (DISBURSE, REFUND)
        ),
    )


_TOKEN = Answer(message={"access_token": TOKEN, "token_type": "bearer", "expires_in": "180"})
_TOKEN_REFUSED = Answer(
    401,
    message={
        "error_description": f"The access token {TOKEN} is invalid or has expired",
        "error": "invalid_token",
    },
)
_SECRET_REFUSED = Answer(401, message={"error": "invalid_client"})

AIRTEL = Subject(
    "airtel_ke",
    airtel_settings,
    partial(build, "KE", airtel_settings),
    _operations(1, kenyan_order),
    token_paths=(TOKEN_PATH,),
    token=_TOKEN,
    token_refused=_TOKEN_REFUSED,
    key_refused=_SECRET_REFUSED,
)
AIRTEL_SIGNED = Subject(
    "airtel_zm",
    signed_settings,
    partial(build, "ZM", signed_settings),
    _operations(2, zambian_airtel_order)[:2],
    token_paths=(TOKEN_PATH,),
    token=_TOKEN,
    token_refused=_TOKEN_REFUSED,
    key_refused=_SECRET_REFUSED,
)


@asynccontextmanager
async def opened(
    company: Company, clock: Clock, *, country: str = "KE", **changes: Any
) -> AsyncIterator[AirtelMoney]:
    """Our adapter of a country, which the company has a token for."""
    if not company.received(TOKEN_PATH):
        AIRTEL.script_tokens(company)
    settings = airtel_settings(company.url, **changes)
    adapter = AirtelMoney(MARKETS[country], settings, clock=clock)
    try:
        yield adapter
    finally:
        await adapter.aclose()


def unsealed(text: str, key: rsa.RSAPrivateKey | None = None) -> str:
    return (key or airtel_key()).decrypt(base64.b64decode(text), PKCS1v15()).decode()


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


def keys_answer(
    key: rsa.RSAPrivateKey,
    *,
    pin_key: rsa.RSAPrivateKey | None = None,
    until: str = "31-12-2026 21:29:26",
) -> Answer:
    told = {"key_id": 100, "key": public_text(key), "valid_upto": until}
    if pin_key is not None:
        told["pin_key"] = public_text(pin_key)
    return envelope("DP02010001001", data=told)

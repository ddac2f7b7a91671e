"""Airtel Money: what is sent, to the letter, and what every documented answer and code means.

Bodies follow the samples of reference `airtel-money.md`; identifiers in them are invented.
"""

import base64
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreachable
from engine.money import Money
from engine.ports import (
    Accepted,
    Finding,
    Outcome,
    Reason,
)
from providers.airtel_money import AirtelMoney, RefundBy
from providers.airtel_money.sealing import Padding, encrypted
from providers.registry import build_operators
from tests.providers.airtel_subjects import (
    AIRTEL,
    COLLECT,
    COLLECT_PATHS,
    DISBURSE,
    DISBURSE_ENQUIRY_PATH,
    DISBURSE_PATHS,
    ENQUIRY_PATH,
    PAID,
    PAID_OUT,
    PIN,
    QUEUED,
    REFUND,
    TOKEN_PATH,
    airtel_key,
    envelope,
    kenyan_order,
    opened,
    refused,
    transaction,
    unsealed,
    zambian_airtel_order,
)
from tests.providers.company import EMPTY_500, HTML_OK, SILENCE, Answer, Company, Reaction
from tests.providers.conftest import HandClock
from tests.providers.subjects import ATTEMPT, CODE, COLLECTED, TOKEN

COLLECTED_PATH = f"/standard/v1/payments/{COLLECTED}"
REFUND_PATHS = {1: "/standard/v1/payments/refund", 2: "/standard/v2/payments/refund"}


@pytest.fixture
async def airtel(company: Company, clock: HandClock) -> AsyncIterator[AirtelMoney]:
    async with opened(company, clock) as adapter:
        yield adapter


async def test_token_is_asked_for_as_documented(company: Company, airtel: AirtelMoney) -> None:
    company.on(COLLECT_PATHS[1], QUEUED)
    await airtel.collect(kenyan_order(COLLECT))
    (request,) = company.received(TOKEN_PATH)
    assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
    assert request.headers["accept"] == "*/*"
    assert request.json == {
        "client_id": "airtel-client-x15",
        "client_secret": "airtel-secret-x16",
        "grant_type": "client_credentials",
    }


async def test_collection_is_sent_as_documented(company: Company, airtel: AirtelMoney) -> None:
    company.on(COLLECT_PATHS[1], QUEUED)
    assert await airtel.collect(kenyan_order(COLLECT)) == Accepted()
    (request,) = company.received(COLLECT_PATHS[1])
    assert request.body == (
        b'{"reference":"7KQ2M4XW9D",'
        b'"subscriber":{"country":"KE","currency":"KES","msisdn":"712345678"},'
        b'"transaction":{"amount":150,"country":"KE","currency":"KES",'
        b'"id":"0193488c2d7a7c3e9f0112233445566a"}}'
    )
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert (request.headers["x-country"], request.headers["x-currency"]) == ("KE", "KES")
    assert "x-signature" not in request.headers and "x-key" not in request.headers
    assert re.fullmatch(r"[0-9A-Za-z]{4,64}", request.json["transaction"]["id"])
    assert airtel.references_of(ATTEMPT) == (request.json["transaction"]["id"],)


async def test_decimals_are_a_number_where_they_are_let_through(
    company: Company, clock: HandClock
) -> None:
    AIRTEL.script_tokens(company)
    company.on(COLLECT_PATHS[1], QUEUED)
    variables = {
        "CAPP_AIRTEL_ZM_BASE_URL": company.url,
        "CAPP_AIRTEL_ZM_CLIENT_ID": "1",
        "CAPP_AIRTEL_ZM_CLIENT_SECRET": "2",
        "CAPP_AIRTEL_ZM_PIN": PIN,
        "CAPP_AIRTEL_ZM_UNIT_MINOR": "1",
        "CAPP_AIRTEL_ZM_COLLECTION_VERSION": "1",
    }
    adapter = build_operators(variables, clock=clock, names=["airtel_zm"])["airtel_zm"]
    await adapter.collect(zambian_airtel_order(COLLECT, money=Money(1_050, "ZMW")))
    await adapter.aclose()
    assert b'"amount":10.50,' in company.received(COLLECT_PATHS[1])[0].body


async def test_signed_collection_can_be_checked_with_airtels_key(
    company: Company, clock: HandClock
) -> None:
    company.on(COLLECT_PATHS[2], QUEUED)
    async with opened(company, clock, country="ZM", collection_version=2) as airtel:
        await airtel.collect(zambian_airtel_order(COLLECT))
    (request,) = company.received(COLLECT_PATHS[2])
    secret, start = map(base64.b64decode, unsealed(request.headers["x-key"]).split(":"))
    assert (len(secret), len(start)) == (32, 16)
    decryptor = Cipher(algorithms.AES256(secret), modes.CBC(start)).decryptor()
    padded = decryptor.update(base64.b64decode(request.headers["x-signature"]))
    unpadder = PKCS7(128).unpadder()
    assert unpadder.update(padded) + unpadder.finalize() == request.body
    assert request.json["subscriber"]["msisdn"] == "977123456"


def test_signature_is_that_of_the_references_vector() -> None:
    body = (
        b'{"reference":"INV0001","subscriber":{"country":"ZM","currency":"ZMW",'
        b'"msisdn":"977000001"},"transaction":{"amount":10,"country":"ZM","currency":"ZMW",'
        b'"id":"ord0001"}}'
    )
    assert encrypted(body, bytes(range(32)), bytes(range(16))) == (
        "iQXwzodr7nCro211gimShZaLsRYZtSqlVLxXQy9xUgLGhZVog0Sz1neKmH3DUzhCkNTBnxq9OaVzgTSD81HkxU2M"
        "S7C8EiSSxp4wgjy0/L8qa6qJhtueJa1CvrwYiMcMZELeZOcSSa6QoWNEfSk6g3NtrrqNQLehntn6BsCZAPn4zmg9"
        "aa1bLxopxCF8gFNG/efAkHp0RDi9PFmy5Gk64HfDGWlQ0DNfGrq4KpeYaws="
    )


MORE_BY_VERSION: dict[int, tuple[dict[str, str], dict[str, str]]] = {
    1: ({}, {}),
    2: ({"currency": "KES"}, {"type": "B2C"}),
    3: ({"wallet_type": "NORMAL"}, {"type": "B2C"}),
}


@pytest.mark.parametrize("signs", [True, False])
@pytest.mark.parametrize("version", [1, 2, 3])
async def test_disbursement_is_sent_as_its_version_has_it(
    company: Company, clock: HandClock, version: int, signs: bool
) -> None:
    company.on(DISBURSE_PATHS[version], PAID_OUT)
    changes: dict[str, Any] = {"disbursement_version": version, "signs_disbursements": signs}
    async with opened(company, clock, **changes) as airtel:
        await airtel.disburse(kenyan_order(DISBURSE))
    (request,) = company.received(DISBURSE_PATHS[version])
    payee, moved = MORE_BY_VERSION[version]
    message = request.json
    assert unsealed(message.pop("pin")) == PIN
    assert message == {
        "payee": {"msisdn": "712345678", **payee},
        "reference": CODE,
        "transaction": {"amount": 150, "id": ATTEMPT, **moved},
    }
    assert ("x-signature" in request.headers) == ("x-key" in request.headers)
    assert ("x-signature" in request.headers) == (signs and version > 1)


@pytest.mark.parametrize(
    ("padding", "digest"),
    [(Padding.OAEP_SHA256, hashes.SHA256), (Padding.OAEP_SHA1, hashes.SHA1)],
)
async def test_pin_is_padded_as_the_country_wants_it(
    company: Company, clock: HandClock, padding: Padding, digest: Any
) -> None:
    company.on(DISBURSE_PATHS[1], PAID_OUT)
    async with opened(company, clock, pin_padding=padding, pin_field="pinstring") as airtel:
        await airtel.disburse(kenyan_order(DISBURSE))
    sealed = base64.b64decode(company.received(DISBURSE_PATHS[1])[0].json["pinstring"])
    oaep = OAEP(MGF1(digest()), digest(), None)
    assert airtel_key().decrypt(sealed, oaep).decode() == PIN


CONFIGURATION = Reason.CONFIGURATION
REFUSALS = [
    # Section 10, row by row. (code, when collecting, when paying out)
    ("DP00800001002", Reason.WRONG_PIN),
    ("DP00800001003", Reason.LIMIT),
    ("DP00800001004", Reason.LIMIT),
    ("DP00800001005", Reason.NOT_REACHED),
    ("DP00800001007", Reason.INSUFFICIENT_FUNDS),
    ("DP00800001008", Reason.DECLINED),
    ("DP00800001009", Reason.OTHER),
    ("DP00800001010", Reason.NOT_REGISTERED),
    ("DP00800001026", CONFIGURATION),
    ("DP00800001029", Reason.NOT_REACHED),
    ("DP00900001003", Reason.LIMIT),
    ("DP00900001004", Reason.LIMIT),
    ("DP00900001005", Reason.OTHER),
    ("DP00900001007", CONFIGURATION),
    ("DP00900001009", Reason.CANNOT_RECEIVE),
    ("DP00900001010", Reason.CANNOT_RECEIVE),
    ("DP00900001012", Reason.NOT_REGISTERED),
    ("DP00900001013", Reason.OTHER),
    ("DP00900001016", CONFIGURATION),
    ("DP00900001018", CONFIGURATION),
    ("DP00900001019", CONFIGURATION),
    ("ROUTER001", CONFIGURATION),
    ("ROUTER003", CONFIGURATION),
    ("ROUTER005", CONFIGURATION),
    ("ROUTER006", CONFIGURATION),
    ("ROUTER007", CONFIGURATION),
    ("ROUTER112", CONFIGURATION),
    ("ROUTER114", CONFIGURATION),
    ("ROUTER115", CONFIGURATION),
    ("ROUTER116", CONFIGURATION),
    ("ROUTER119", CONFIGURATION),
    ("ESB000008", CONFIGURATION),
    ("ESB000011", Reason.OTHER),
    ("ESB000033", Reason.NOT_REGISTERED),
    ("ESB000034", CONFIGURATION),
    ("ESB000035", CONFIGURATION),
    ("ESB000036", Reason.NOT_REGISTERED),
    ("ESB000039", CONFIGURATION),
]
UNDECIDED = [
    "DP00800001000",
    "DP00800001024",
    "DP00800001025",
    "DP00900001000",
    "DP00900001011",
    "DP00900001014",
    "DP00900001015",
    "ROUTER117",
    "ESB000001",
    "ESB000004",
    "ESB000014",
    "DP00800001027",
    "DP00800001999",
    "DP00900001002",
]


def as_answer(code: str, http: int) -> Answer:
    if code.startswith("ESB"):
        return refused(code, http=http, response_code=None, result_code=code)
    return refused(code, http=http)


async def orders(airtel: AirtelMoney) -> AsyncIterator[Any]:
    yield airtel.collect(kenyan_order(COLLECT))
    yield airtel.disburse(kenyan_order(DISBURSE))


@pytest.mark.parametrize(("code", "reason"), REFUSALS)
async def test_listed_refusal_is_final_unless_the_server_broke(
    company: Company, airtel: AirtelMoney, code: str, reason: Reason
) -> None:
    for http, expected in ((400, Rejected), (200, Rejected), (500, OutcomeUnknown)):
        for path in (COLLECT_PATHS[1], DISBURSE_PATHS[1]):
            company.on(path, as_answer(code, http))
        async for each in orders(airtel):
            with pytest.raises(expected) as caught:
                await each
            assert caught.value.code == code
            if isinstance(caught.value, Rejected):
                assert caught.value.reason == reason
    assert len(company.received(COLLECT_PATHS[1])) == len(company.received(DISBURSE_PATHS[1])) == 3


@pytest.mark.parametrize("code", UNDECIDED)
async def test_code_that_decides_nothing_leaves_the_outcome_unknown(
    company: Company, airtel: AirtelMoney, code: str
) -> None:
    for path in (COLLECT_PATHS[1], DISBURSE_PATHS[1]):
        company.on(path, as_answer(code, 400))
    async for each in orders(airtel):
        with pytest.raises(OutcomeUnknown):
            await each


@pytest.mark.parametrize("code", ["DP00800001001", "DP00800001006"])
async def test_success_that_is_none_is_not_taken_for_one(
    company: Company, airtel: AirtelMoney, code: str
) -> None:
    company.on(COLLECT_PATHS[1], envelope(code, success=False))
    with pytest.raises(OutcomeUnknown):
        await airtel.collect(kenyan_order(COLLECT))


TAKEN_BY = [
    {"response_code": "DP00800001006", "result_code": None},
    {"response_code": None, "result_code": "ESB000010"},  # the older code stands alone at times
]


@pytest.mark.parametrize("codes", TAKEN_BY)
async def test_word_of_success_counts_under_http_200_alone(
    company: Company, airtel: AirtelMoney, codes: dict[str, Any]
) -> None:
    for http in (202, 400, 408, 500, 503):
        for path in (COLLECT_PATHS[1], DISBURSE_PATHS[1]):
            company.on(path, envelope("", http=http, success=True, **codes))
        async for each in orders(airtel):
            with pytest.raises(OutcomeUnknown):
                await each
    company.on(COLLECT_PATHS[1], envelope("", **codes))
    assert await airtel.collect(kenyan_order(COLLECT)) == Accepted()


@pytest.mark.parametrize("http", [408, 500, 503])
async def test_used_id_of_a_server_that_broke_says_nothing(
    company: Company, airtel: AirtelMoney, http: int
) -> None:
    for path in (COLLECT_PATHS[1], DISBURSE_PATHS[1]):
        company.on(path, refused("DP00900001017", result_code="ESB000041", http=http))
    async for each in orders(airtel):
        with pytest.raises(OutcomeUnknown):
            await each


@pytest.mark.parametrize("http", [404, 405, 408, 503])
async def test_http_status_alone_decides_nothing(
    company: Company, airtel: AirtelMoney, http: int
) -> None:
    company.on(COLLECT_PATHS[1], Answer(http))
    with pytest.raises(OutcomeUnknown):
        await airtel.collect(kenyan_order(COLLECT))
    company.on(COLLECT_PATHS[1], Answer(408, message=refused("DP00800001007").message))
    with pytest.raises(OutcomeUnknown):
        await airtel.collect(kenyan_order(COLLECT))


async def test_address_that_is_not_on_their_list_is_our_configuration(
    company: Company, airtel: AirtelMoney
) -> None:
    company.on(COLLECT_PATHS[1], Answer(403, body=b"Forbidden", content_type="text/plain"))
    with pytest.raises(Rejected) as caught:
        await airtel.collect(kenyan_order(COLLECT))
    assert (caught.value.code, caught.value.reason) == ("HTTP 403", CONFIGURATION)


async def test_number_they_do_not_know_is_not_registered(
    company: Company, airtel: AirtelMoney
) -> None:
    company.on(COLLECT_PATHS[1], refused("DP00800001005", message="Msisdn Not Found"))
    with pytest.raises(Rejected) as caught:
        await airtel.collect(kenyan_order(COLLECT))
    assert caught.value.reason is Reason.NOT_REGISTERED
    # Of any other code the sentence says nothing.
    company.on(COLLECT_PATHS[1], refused("DP00800001003", message="Limit of this MSISDN reached"))
    with pytest.raises(Rejected) as caught:
        await airtel.collect(kenyan_order(COLLECT))
    assert caught.value.reason is Reason.LIMIT


DUPLICATES = [
    refused("DP00900001017"),
    refused("DP00900001017", result_code="ESB000041"),
    refused("DP00800001005", result_code="ESB000041"),  # the code alone would read "failed"
    refused("ESB000041", response_code=None, result_code="ESB000041"),
    # Its own status word would be that of the doubled request, not of the first.
    envelope("DP00900001017", data=transaction("TF"), success=False),
]


@pytest.mark.parametrize("answer", DUPLICATES)
async def test_used_id_means_the_first_request_was_taken(
    company: Company, airtel: AirtelMoney, answer: Answer
) -> None:
    for path in (COLLECT_PATHS[1], DISBURSE_PATHS[1]):
        company.on(path, answer)
    async for each in orders(airtel):
        assert await each == Accepted()


PAYOUT_ENDINGS = [
    (PAID_OUT, Finding(Outcome.SUCCEEDED, "TS", receipt="pay-CI261121.1300.A00001")),
    (
        envelope("DP00900001007", data=transaction("TF"), success=False),
        Finding(Outcome.FAILED, "DP00900001007", reason=CONFIGURATION),
    ),
    (
        envelope("DP00900001001", data=transaction("TF")),
        Finding(Outcome.FAILED, "TF", reason=Reason.OTHER),
    ),
    (envelope("DP00900001006", data=transaction("TIP")), None),
    (envelope("DP00900001001", data=transaction("TA")), None),
    (envelope("DP00900001001", data=transaction("XX")), None),
    (envelope("DP00900001001", data={"transaction": {"id": ATTEMPT}}), None),
]


@pytest.mark.parametrize(("answer", "finding"), PAYOUT_ENDINGS)
async def test_payout_is_often_over_when_it_is_answered(
    company: Company, airtel: AirtelMoney, answer: Answer, finding: Finding | None
) -> None:
    company.on(DISBURSE_PATHS[1], answer)
    assert await airtel.disburse(kenyan_order(DISBURSE)) == Accepted(finding=finding)


@pytest.mark.parametrize("code", ["DP00900001011", "DP00900001014", "DP00900001000"])
@pytest.mark.parametrize("status", ["TF", "TS", "TA"])
async def test_ending_that_the_code_contradicts_is_unknown(
    company: Company, airtel: AirtelMoney, code: str, status: str
) -> None:
    company.on(DISBURSE_PATHS[1], envelope(code, data=transaction(status)))
    with pytest.raises(OutcomeUnknown):
        await airtel.disburse(kenyan_order(DISBURSE))


CONTRADICTIONS = [
    *({"response_code": "DP00900001005", "result_code": f"ESB{n}"} for n in ("000001", "000004")),
    {"response_code": "DP00900001013", "result_code": "ESB000014"},
    {"response_code": "ROUTER117", "result_code": "ESB000011"},
    {"response_code": None, "result_code": "ESB000001"},
]


@pytest.mark.parametrize("codes", CONTRADICTIONS)
async def test_failed_by_one_word_and_unclear_by_another_is_unknown(
    company: Company, airtel: AirtelMoney, codes: dict[str, Any]
) -> None:
    order, told = kenyan_order(DISBURSE), envelope("", data=transaction("TF"), **codes)
    company.on(DISBURSE_ENQUIRY_PATH, told)
    assert (await airtel.query(order)).outcome is Outcome.PENDING
    # Also where the status alone would say that we may not do that.
    for answer in (told, refused("", **codes), refused("", http=403, **codes)):
        company.on(DISBURSE_PATHS[1], answer)
        with pytest.raises(OutcomeUnknown):
            await airtel.disburse(order)
    company.on(COLLECT_PATHS[1], refused("DP00800001005", result_code=codes["result_code"]))
    with pytest.raises(Rejected):
        await airtel.collect(kenyan_order(COLLECT))


ENQUIRIES = [
    (PAID, Finding(Outcome.SUCCEEDED, "TS", receipt="MP261121.1300.A00001")),
    (envelope("", data=transaction("TS")), Finding(Outcome.SUCCEEDED, "TS")),
    (envelope("", data=transaction("TS", id="")), Finding(Outcome.SUCCEEDED, "TS")),  # names none
    (
        envelope("DP00800001007", data=transaction("TF", airtel_money_id="MP1")),
        Finding(Outcome.FAILED, "DP00800001007", reason=Reason.INSUFFICIENT_FUNDS),
    ),
    (
        envelope("DP00800001001", data=transaction("TF")),
        Finding(Outcome.FAILED, "TF", reason=Reason.OTHER),
    ),
    (
        envelope("DP00800001029", data=transaction("TE")),
        Finding(Outcome.FAILED, "TE", reason=Reason.NOT_REACHED),
    ),
    (
        envelope("DP00800001024", data=transaction("TE")),
        Finding(Outcome.FAILED, "TE", reason=Reason.NOT_REACHED),
    ),
    (envelope("DP00800001006", data=transaction("TIP")), Finding(Outcome.PENDING, "TIP")),
    (envelope("DP00800001000", data=transaction("TA")), Finding(Outcome.PENDING, "TA")),
    (envelope("DP00800001001", data=transaction("SUCCESS")), Finding(Outcome.PENDING, "SUCCESS")),
    (envelope("DP00800001001", data=transaction("ts")), Finding(Outcome.PENDING, "ts")),
    # What contradicts itself decides nothing.
    (envelope("DP00800001007", data=transaction("TS")), Finding(Outcome.PENDING, "TS")),
    (envelope("DP00800001006", data=transaction("TF")), Finding(Outcome.PENDING, "TF")),
    (envelope("DP00800001025", data=transaction("TE")), Finding(Outcome.PENDING, "TE")),
    (
        # Of a collection that is enough: what came after all is given back.
        envelope("DP00800001007", data=transaction("TF"), result_code="ESB000001"),
        Finding(Outcome.FAILED, "DP00800001007", reason=Reason.INSUFFICIENT_FUNDS),
    ),
    # Without a status word: only what cannot speak of the question itself.
    (
        envelope("DP00800001002"),
        Finding(Outcome.FAILED, "DP00800001002", reason=Reason.WRONG_PIN),
    ),
    *(
        (envelope(code), Finding(Outcome.FAILED, code, reason=reason))
        for code, reason in (
            ("DP00800001003", Reason.LIMIT),
            ("DP00800001007", Reason.INSUFFICIENT_FUNDS),
            ("DP00800001010", Reason.NOT_REGISTERED),
            ("DP00800001029", Reason.NOT_REACHED),
        )
    ),
    (envelope("DP00800001001"), Finding(Outcome.PENDING, "DP00800001001")),
    (envelope("DP00800001024"), Finding(Outcome.PENDING, "DP00800001024")),
    (
        refused("DP00800001025", result_code="ESB000045"),
        Finding(Outcome.NOT_FOUND, "DP00800001025"),
    ),
    (
        refused("", response_code=None, result_code="ESB000045", http=404),
        Finding(Outcome.NOT_FOUND, "ESB000045"),
    ),
]


@pytest.mark.parametrize(("answer", "finding"), ENQUIRIES)
async def test_what_an_enquiry_says(
    company: Company, airtel: AirtelMoney, answer: Answer, finding: Finding
) -> None:
    company.on(ENQUIRY_PATH, answer)
    assert await airtel.query(kenyan_order(COLLECT)) == finding
    (request,) = company.received(ENQUIRY_PATH)
    assert (request.method, request.body) == ("GET", b"")
    assert (request.headers["x-country"], request.headers["x-currency"]) == ("KE", "KES")


NO_EVIDENCE: list[Reaction] = [
    envelope("DP00800001001", data={"transaction": {"id": "another", "status": "TS"}}),
    refused("DP00800001005"),  # of the question: "transaction id is invalid"
    envelope("DP00800001008"),
    refused("ROUTER003"),
    envelope("DP00800001001", http=500, data=transaction("TF")),
    refused("DP00800001025", http=500),
    Answer(403),
    EMPTY_500,
    HTML_OK,
]


@pytest.mark.parametrize("answer", NO_EVIDENCE)
async def test_refused_or_senseless_enquiry_is_no_evidence(
    company: Company, airtel: AirtelMoney, answer: Reaction
) -> None:
    company.on(ENQUIRY_PATH, answer)
    with pytest.raises(OutcomeUnknown):
        await airtel.query(kenyan_order(COLLECT))


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_payouts_and_refunds_are_asked_about_where_payouts_are(
    company: Company, clock: HandClock, version: int
) -> None:
    path = DISBURSE_ENQUIRY_PATH.replace("v1", f"v{version}")
    company.on(path, PAID_OUT, refused("DP00900001015"))
    async with opened(company, clock, enquiry_version=version) as airtel:
        found = await airtel.query(kenyan_order(DISBURSE))
        assert (found.outcome, found.receipt) == (Outcome.SUCCEEDED, "pay-CI261121.1300.A00001")
        assert (await airtel.query(kenyan_order(REFUND))).outcome is Outcome.NOT_FOUND


async def test_refund_is_a_payout_of_its_own_unless_a_setting_says_otherwise(
    company: Company, airtel: AirtelMoney
) -> None:
    company.on(DISBURSE_PATHS[1], PAID_OUT)
    assert airtel.facts.refund_is_payout
    assert airtel.facts.disburse_repeat_is_safe and airtel.facts.refund_repeat_is_safe
    assert not airtel.facts.collect_repeat_is_safe
    accepted = await airtel.refund(kenyan_order(REFUND, collected_attempt_id=COLLECTED))
    assert accepted.finding is not None and accepted.finding.outcome is Outcome.SUCCEEDED
    (request,) = company.received(DISBURSE_PATHS[1])
    assert request.json["transaction"] == {"amount": 150, "id": ATTEMPT}


def collected(status: str = "TS", **fields: Any) -> Answer:
    told = {"id": COLLECTED, "status": status, "airtel_money_id": "MP261121.1300.A00001"}
    return envelope("DP00800001001", data={"transaction": {**told, **fields}})


RECEIPT = {"transaction": {"airtel_money_id": "MP261121.1400.A00002", "status": "SUCCESS"}}
GIVEN_BACK = envelope("DP00800001001", data=RECEIPT)


@pytest.mark.parametrize("version", [1, 2])
async def test_airtels_own_refund_names_the_collection_by_their_id(
    company: Company, clock: HandClock, version: int
) -> None:
    company.on(COLLECTED_PATH, collected())
    company.on(REFUND_PATHS[version], GIVEN_BACK)
    changes: dict[str, Any] = {"refund_by": RefundBy.REFUND, "collection_version": version}
    async with opened(company, clock, **changes) as airtel:
        assert not airtel.facts.refund_is_payout
        assert airtel.facts.disburse_repeat_is_safe
        assert not airtel.facts.refund_repeat_is_safe
        order = kenyan_order(REFUND, collected_attempt_id=COLLECTED)
        finding = Finding(Outcome.SUCCEEDED, "refunded", receipt="MP261121.1400.A00002")
        assert await airtel.refund(order) == Accepted(finding=finding)
        with pytest.raises(OutcomeUnknown):
            await airtel.query(order)
    assert company.received(DISBURSE_ENQUIRY_PATH) == []  # it knows of payouts alone
    (request,) = company.received(REFUND_PATHS[version])
    assert request.json == {"transaction": {"airtel_money_id": "MP261121.1300.A00001"}}
    assert ("x-signature" in request.headers) == (version == 2)


@pytest.mark.parametrize("word", ["SUCCESS", "Success.", "TS"])
async def test_airtels_refund_is_done_by_each_of_its_words(
    company: Company, clock: HandClock, word: str
) -> None:
    company.on(COLLECTED_PATH, collected())
    told = {"transaction": {"airtel_money_id": "MP1", "status": word}}
    company.on(REFUND_PATHS[1], envelope("DP00800001001", data=told))
    async with opened(company, clock, refund_by=RefundBy.REFUND) as airtel:
        accepted = await airtel.refund(kenyan_order(REFUND, collected_attempt_id=COLLECTED))
    assert accepted.finding == Finding(Outcome.SUCCEEDED, "refunded", receipt="MP1")


BEFORE_A_REFUND: list[tuple[Reaction, type[ProviderError]]] = [
    (collected("TIP"), Rejected),
    (collected("TF"), Rejected),
    (collected(airtel_money_id=""), Rejected),
    (refused("DP00800001025"), Rejected),
    (SILENCE, Unreachable),
    (EMPTY_500, Unreachable),
    (Answer(429), Throttled),
]


@pytest.mark.parametrize(("answer", "error"), BEFORE_A_REFUND)
async def test_refund_whose_collection_is_not_known_is_never_sent(
    company: Company, clock: HandClock, answer: Reaction, error: type[ProviderError]
) -> None:
    company.on(COLLECTED_PATH, answer)
    async with opened(company, clock, refund_by=RefundBy.REFUND) as airtel:
        with pytest.raises(error):
            await airtel.refund(kenyan_order(REFUND, collected_attempt_id=COLLECTED))
        with pytest.raises(Rejected):
            await airtel.refund(kenyan_order(REFUND))
    assert company.received(REFUND_PATHS[1]) == []


NOT_GIVEN_BACK: list[tuple[Reaction, type[ProviderError]]] = [
    (SILENCE, OutcomeUnknown),
    (QUEUED, OutcomeUnknown),
    (refused("DP00800001009"), Rejected),
    (refused("DP00800001009", data=RECEIPT), Rejected),
    (envelope("DP00800001001", data=RECEIPT, success=False), OutcomeUnknown),
    (envelope("DP00800001000", data=RECEIPT), OutcomeUnknown),
    (envelope("DP00800001006", data=RECEIPT), OutcomeUnknown),  # in process
    *(
        (envelope("DP00800001001", data=transaction(word, airtel_money_id="MP1")), OutcomeUnknown)
        for word in ("TIP", "TF", "FAILED")
    ),
]


@pytest.mark.parametrize(("answer", "error"), NOT_GIVEN_BACK)
async def test_airtels_refund_is_done_by_an_accepted_answer_with_a_receipt_alone(
    company: Company, clock: HandClock, answer: Reaction, error: type[ProviderError]
) -> None:
    company.on(COLLECTED_PATH, collected())
    company.on(REFUND_PATHS[1], answer)
    async with opened(company, clock, refund_by=RefundBy.REFUND) as airtel:
        with pytest.raises(error):
            await airtel.refund(kenyan_order(REFUND, collected_attempt_id=COLLECTED))
    assert len(company.received(REFUND_PATHS[1])) == 1

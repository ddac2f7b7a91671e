"""What operators say they hold for us: the question to the letter, every answer, the sandboxes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreadable
from engine.money import Money
from engine.ports import BalancePort, StatementPort, callback_at
from providers.mpesa import Mpesa
from providers.mpesa.balance import read_balance
from providers.mtn_momo import UGANDA, MtnMomo, reference_id
from simulator.sandbox import Sandboxes
from tests.providers.company import HTML_500, SILENCE, Answer, Company, Reaction
from tests.providers.conftest import HandClock
from tests.providers.subjects import (
    ATTEMPT,
    CALLBACK_URL,
    KENYAN_TOKEN_PATH,
    MPESA,
    MTN,
    SECRETS,
    TAKEN,
    TOKEN,
    mpesa_settings,
    mtn_settings,
)
from tests.providers.test_against_sandboxes import (  # noqa: F401 - the last three are fixtures
    DEADLINE_SECONDS,
    mpesa,
    mtn,
    sandboxes,
)

BALANCE_PATH = "/mpesa/accountbalance/v1/query"
COLLECTION_PATH = "/collection/v1_0/account/balance"
# Portal sample of section 9.3: the charges that were paid stand below zero.
SAMPLE = (
    "Working Account|KES|700000.00|700000.00|0.00|0.00"
    "&Utility Account|KES|228037.00|228037.00|0.00|0.00"
    "&Charges Paid Account|KES|-1540.00|-1540.00|0.00|0.00"
)


@pytest.fixture
async def kenyan(company: Company, clock: HandClock) -> AsyncIterator[Mpesa]:
    company.on(KENYAN_TOKEN_PATH, MPESA.token)
    adapter = Mpesa(mpesa_settings(company.url), clock=clock)
    yield adapter
    await adapter.aclose()


@pytest.fixture
async def ugandan(company: Company, clock: HandClock) -> AsyncIterator[MtnMomo]:
    for path in MTN.token_paths:
        company.on(path, MTN.token)
    adapter = MtnMomo(UGANDA, mtn_settings(company.url), clock=clock)
    yield adapter
    await adapter.aclose()


def result(listed: str | None, code: str | int = "0", name: str = "AccountBalance") -> bytes:
    completed = {"Key": "BOCompletedTime", "Value": 20261120101500}
    parameters = [{"Key": name, "Value": listed}, completed]
    told: dict[str, Any] = {
        "ResultType": "0",
        "ResultCode": code,
        "ResultDesc": "The service request is processed successfully.",
        "ConversationID": "AG_1",
        "TransactionID": "TKK0000000",
        "ResultParameters": {"ResultParameter": parameters},
    }
    if listed is None:
        del told["ResultParameters"]
    return msgspec.json.encode({"Result": told})


def test_both_operators_can_tell(kenyan: Mpesa, ugandan: MtnMomo) -> None:
    assert isinstance(kenyan, BalancePort) and isinstance(ugandan, BalancePort)
    assert isinstance(kenyan, StatementPort) and isinstance(ugandan, StatementPort)
    assert kenyan.balance_accounts == ("174379", "600984")
    assert kenyan.references_of(ATTEMPT) == (ATTEMPT,)
    assert ugandan.references_of(ATTEMPT) == (reference_id(ATTEMPT),)


async def test_mpesa_is_asked_for_each_shortcode_and_tells_later(
    company: Company, kenyan: Mpesa
) -> None:
    company.on(BALANCE_PATH, TAKEN)
    for account in kenyan.balance_accounts:
        assert await kenyan.ask_balance(account, CALLBACK_URL) is None
    asked = [request.json for request in company.received(BALANCE_PATH)]
    assert all(len(message.pop("SecurityCredential")) == 344 for message in asked)
    assert asked == [
        {
            "Initiator": "testapi",
            "CommandID": "AccountBalance",
            "PartyA": account,
            "IdentifierType": "4",
            "Remarks": "Balance",
            "QueueTimeOutURL": callback_at(CALLBACK_URL, "balance"),
            "ResultURL": callback_at(CALLBACK_URL, "balance"),
        }
        for account in ("174379", "600984")
    ]


@pytest.mark.parametrize(
    ("body", "money"),
    [
        (result(SAMPLE), Money(92_649_700, "KES")),
        (result(SAMPLE, code=0), Money(92_649_700, "KES")),
        (result("Utility Account|KES|5.50|5.00|0.50|0.00"), Money(550, "KES")),
        (result("Utility Account|KES|5"), Money(500, "KES")),
        (result(None, code=2001), None),
        (result(None, code="26"), None),  # the notice that it waited too long, as we imagine it
    ],
)
def test_what_mpesa_tells_is_the_sum_of_its_accounts_or_nothing(
    body: bytes, money: Money | None
) -> None:
    assert read_balance(body) == money


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"Result": {}}',
        result(None),
        result(""),
        result("x", name="Other"),
        result("Utility Account|KES"),
        result("Utility Account|UGX|5.00|5.00|0.00|0.00"),
        result("Utility Account|KES|five|5.00|0.00|0.00"),
        result("Utility Account|KES|5.001|5.00|0.00|0.00"),
        result(SAMPLE + "&"),
    ],
)
def test_what_is_no_documented_balance_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_balance(body)


async def test_mtn_tells_at_once_for_each_product(company: Company, ugandan: MtnMomo) -> None:
    told = {"availableBalance": "1000", "currency": "UGX"}
    for account in ugandan.balance_accounts:
        path = f"/{account}/v1_0/account/balance"
        company.on(path, Answer(message=told))
        assert await ugandan.ask_balance(account, CALLBACK_URL) == Money(1000, "UGX")
        (request,) = company.received(path)
        assert request.method == "GET"
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.headers["x-target-environment"] == "mtnuganda"
    with pytest.raises(Unreadable):
        ugandan.read_balance(b"{}")


@pytest.mark.parametrize(
    ("reaction", "error"),
    [
        (Answer(429), Throttled),
        (Answer(503, message={"code": "SERVICE_UNAVAILABLE", "message": "x"}), Throttled),
        (Answer(500, message={"code": "NOT_ALLOWED", "message": "x"}), OutcomeUnknown),
        (Answer(200, message={"currency": "UGX"}), OutcomeUnknown),
        (Answer(200, message={"availableBalance": "1", "currency": "EUR"}), Unreadable),
        (Answer(200, message={"availableBalance": "1.5", "currency": "UGX"}), Unreadable),
        (HTML_500, OutcomeUnknown),
        (SILENCE, OutcomeUnknown),
    ],
)
async def test_what_mtn_answers_otherwise_tells_nothing(
    company: Company, ugandan: MtnMomo, reaction: Reaction, error: type[ProviderError]
) -> None:
    company.on(COLLECTION_PATH, reaction)
    with pytest.raises(error) as caught:
        await ugandan.ask_balance("collection", CALLBACK_URL)
    assert not any(secret in str(caught.value) for secret in SECRETS)


@pytest.mark.parametrize(
    ("reaction", "error"),
    [
        (Answer(429), Throttled),
        (
            Answer(400, message={"errorCode": "400.002.02", "errorMessage": "Invalid PartyA"}),
            Rejected,
        ),
        (HTML_500, OutcomeUnknown),
        (SILENCE, OutcomeUnknown),
    ],
)  # fmt: skip
async def test_what_mpesa_answers_otherwise_was_not_asked(
    company: Company, kenyan: Mpesa, reaction: Reaction, error: type[ProviderError]
) -> None:
    company.on(BALANCE_PATH, reaction)
    with pytest.raises(error) as caught:
        await kenyan.ask_balance("174379", CALLBACK_URL)
    assert not any(secret in str(caught.value) for secret in SECRETS)


async def test_an_address_with_a_forbidden_word_is_never_sent(
    company: Company, kenyan: Mpesa
) -> None:
    with pytest.raises(Rejected):
        await kenyan.ask_balance("174379", "https://pay.example.org/mpesa")
    assert company.requests == []


# Against the sandboxes: two readings of the same references.


async def test_the_sandbox_tells_mtns_balances_as_they_are(
    mtn: MtnMomo,  # noqa: F811
    sandboxes: Sandboxes,  # noqa: F811
) -> None:
    sandboxes.mtn.ledger.balances_minor.update({"collection": 123, "disbursement": 4_000})
    told = {name: await mtn.ask_balance(name, CALLBACK_URL) for name in mtn.balance_accounts}
    assert told == {"collection": Money(123, "UGX"), "disbursement": Money(4_000, "UGX")}


async def test_the_sandbox_tells_mpesas_balances_later_and_each_money_once(
    mpesa: Mpesa,  # noqa: F811
    sandboxes: Sandboxes,  # noqa: F811
    company: Company,
) -> None:
    sandboxes.mpesa.ledger.balances_minor.update({"collection": 12_345, "disbursement": 700})
    told = {}
    for account in mpesa.balance_accounts:
        path = f"/cb/balance/{account}"
        company.on(path, Answer())
        assert await mpesa.ask_balance(account, f"{company.url}/cb/{account}") is None
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (letters := company.received(path)):  # noqa: ASYNC110 - no event here
                await asyncio.sleep(0.01)
        told[account] = mpesa.read_balance(letters[0].body)
    assert told == {"174379": Money(12_345, "KES"), "600984": Money(700, "KES")}


async def test_the_sandbox_refuses_a_shortcode_that_is_not_ours(
    mpesa: Mpesa,  # noqa: F811
    company: Company,
) -> None:
    company.on("/cb/balance/1", Answer())
    await mpesa.ask_balance("999999", f"{company.url}/cb/1")
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (letters := company.received("/cb/balance/1")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert mpesa.read_balance(letters[0].body) is None

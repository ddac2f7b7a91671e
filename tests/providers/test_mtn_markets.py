"""The markets of MTN: each is data, each can be started by settings; and whose a wallet is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.clock import Clock, Ids
from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import Direction, NamePort, OperatorPort, Outcome
from providers.http import Exchange
from providers.mtn_momo import MARKETS, UGANDA, MtnMomo
from providers.registry import build_operators
from simulator.operators import credentials
from simulator.operators.mtn_momo import MtnSettings
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.providers.company import HTML_500, SILENCE, Answer, Company, Reaction
from tests.providers.conftest import HandClock
from tests.providers.subjects import (
    CALLBACK_URL,
    MTN,
    SECRETS,
    UGANDAN,
    mtn_settings,
    order,
    ugandan_order,
)
from tests.providers.test_against_sandboxes import finally_found

# Reference mtn-momo.md, section 1: target environment, currency, dialling code.
REFERENCE_TABLE = {
    "mtn_ug": ("mtnuganda", "UGX", "256"),
    "mtn_gh": ("mtnghana", "GHS", "233"),
    "mtn_ci": ("mtnivorycoast", "XOF", "225"),
    "mtn_zm": ("mtnzambia", "ZMW", "260"),
    "mtn_cm": ("mtncameroon", "XAF", "237"),
    "mtn_bj": ("mtnbenin", "XOF", "229"),
    "mtn_cg": ("mtncongo", "XAF", "242"),
    "mtn_sz": ("mtnswaziland", "SZL", "268"),
    "mtn_gn": ("mtnguineaconakry", "GNF", "224"),
    "mtn_za": ("mtnsouthafrica", "ZAR", "27"),
    "mtn_lr": ("mtnliberia", "LRD", "231"),
    "mtn_rw": ("mtnrwanda", "RWF", "250"),
    "mtn_ss": ("mtnsouthsudan", "SSP", "211"),
    "mtn_ng": ("mtnnigeria", "NGN", "234"),
}
WHOLE = {"UGX", "RWF", "XOF", "XAF", "GNF"}
COLLECT, DISBURSE = Direction.COLLECT, Direction.DISBURSE
IDS = Ids(Clock())


def environment(name: str, url: str, **more: str) -> dict[str, str]:
    values = {
        "BASE_URL": url,
        "API_USER": credentials.MTN_SANDBOX_API_USER,
        "API_KEY": credentials.MTN_SANDBOX_API_KEY,
        "COLLECTION_KEY": credentials.MTN_SANDBOX_COLLECTION_SUBSCRIPTION_KEY,
        "DISBURSEMENT_KEY": credentials.MTN_SANDBOX_DISBURSEMENT_SUBSCRIPTION_KEY,
        **more,
    }
    return {f"CAPP_{name.upper()}_{key}": value for key, value in values.items()}


def build(name: str, url: str, **more: str) -> OperatorPort:
    return build_operators(environment(name, url, **more), clock=Clock(), names=[name])[name]


def ordered(name: str, direction: Direction, minor: int, url: str = CALLBACK_URL) -> Any:
    _, currency, code = REFERENCE_TABLE[name]
    number = Msisdn(f"+{code}772123456")
    return order(
        direction,
        money=Money(minor, currency),
        msisdn=number,
        callback_url=url,
        attempt_id=IDS.attempt(),
    )


def test_every_market_of_the_reference_is_there() -> None:
    assert {
        name: (market.target_environment, market.facts.currency) for name, market in MARKETS.items()
    } == {name: row[:2] for name, row in REFERENCE_TABLE.items()}
    assert all(f"mtn_{market.facts.country.lower()}" == name for name, market in MARKETS.items())
    assert len({market.facts.code for market in MARKETS.values()}) == len(MARKETS)


@pytest.mark.parametrize("name", REFERENCE_TABLE)
async def test_market_is_started_by_its_settings_and_speaks_its_currency(
    company: Company, name: str
) -> None:
    target_environment, currency, code = REFERENCE_TABLE[name]
    MTN.script_tokens(company)
    company.on("/collection/v1_0/requesttopay", Answer(202))
    adapter = build(name, company.url)
    await adapter.collect(ordered(name, COLLECT, 1_050))
    await adapter.aclose()
    (request,) = company.received("/collection/v1_0/requesttopay")
    assert request.headers["x-target-environment"] == target_environment
    assert request.json["amount"] == ("1050" if currency in WHOLE else "10.50")
    assert request.json["currency"] == currency
    assert request.json["payer"]["partyId"] == f"{code}772123456"


async def test_what_could_not_be_checked_is_a_setting(company: Company) -> None:
    MTN.script_tokens(company)
    company.on("/collection/v1_0/requesttopay", Answer(202))
    adapter = build(
        "mtn_lr",
        company.url,
        CURRENCY="USD",
        TARGET_ENVIRONMENT="mtnliberia2",
        COLLECT_MINOR_MAX="130000",
        DISBURSE_MINOR_MAX="0",
        CONFIRM_ABOVE_MINOR="8000",
    )
    facts = adapter.facts
    assert (facts.currency, facts.confirm_callback_above_minor) == ("USD", 8_000)
    assert (facts.collect_minor_max, facts.disburse_minor_max) == (130_000, 0)
    liberian = Msisdn("+231772123456")
    await adapter.collect(order(COLLECT, money=Money(100_00, "USD"), msisdn=liberian))
    with pytest.raises(Rejected):
        await adapter.disburse(order(DISBURSE, money=Money(1_00, "USD"), msisdn=liberian))
    await adapter.aclose()
    (request,) = company.received("/collection/v1_0/requesttopay")
    assert request.headers["x-target-environment"] == "mtnliberia2"


@pytest.mark.parametrize(
    ("name", "currency", "most"),
    [
        ("mtn_lr", "LRD", 25_000_000),
        ("mtn_lr", "USD", 130_000),
        ("mtn_ug", "EUR", 120_000),  # MTN's sandbox
        ("mtn_ug", "KES", 0),
    ],
)
async def test_limits_that_are_not_set_are_those_of_the_currency(
    name: str, currency: str, most: int
) -> None:
    adapter = build(name, "http://127.0.0.1:1", CURRENCY=currency)
    facts = adapter.facts
    assert (facts.currency, facts.collect_minor_max, facts.disburse_minor_max) == (
        currency, most, most,
    )  # fmt: skip
    assert facts.confirm_callback_above_minor == most * 6 // 100
    await adapter.aclose()


@pytest.mark.parametrize("most", ["0", "100000"])
async def test_a_collection_is_given_back_whatever_may_be_paid_out(
    company: Company, most: str
) -> None:
    MTN.script_tokens(company)
    company.on("/disbursement/v1_0/refund", Answer(202))
    adapter = build("mtn_ug", company.url, DISBURSE_MINOR_MAX=most)
    money = Money(500_000, "UGX")
    assert adapter.facts.gives_back(money)
    await adapter.refund(ugandan_order(Direction.REFUND, money=money))
    await adapter.aclose()
    (request,) = company.received("/disbursement/v1_0/refund")
    assert request.json["amount"] == "500000"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CURRENCY", "EURO"),
        ("CURRENCY", "XYZ"),
        ("PER_SECOND", "0"),
        ("PER_SECOND", "-1"),
        ("READ_SECONDS", "soon"),
        ("READ_SECONDS", "1e9"),
        ("CONNECTIONS", "many"),
    ],
)
def test_senseless_setting_is_refused_at_the_start(name: str, value: str) -> None:
    with pytest.raises(ValueError):
        build("mtn_gh", "http://127.0.0.1:1", **{name: value})


async def test_pace_and_patience_are_settings_of_each_operator(company: Company) -> None:
    MTN.script_tokens(company)
    company.on("/collection/v1_0/requesttopay", Answer(202))
    slow = build("mtn_gh", company.url, PER_SECOND="2", POOL_SECONDS="0.1")
    await slow.collect(ordered("mtn_gh", COLLECT, 100))  # the token, and the request
    at_once = [slow.collect(ordered("mtn_gh", COLLECT, 100)) for _ in range(4)]
    told = await asyncio.gather(*at_once, return_exceptions=True)
    assert Throttled in map(type, told)
    await slow.aclose()
    company.on("/collection/v1_0/requesttopay", SILENCE)
    hasty = build("mtn_gh", company.url, READ_SECONDS="20")
    with pytest.raises(OutcomeUnknown):
        await hasty.collect(ordered("mtn_gh", COLLECT, 100))
    await hasty.aclose()


@pytest.mark.parametrize("name", ["mtn_gh", "mtn_rw", "mtn_sz"])
async def test_market_against_the_sandbox_of_its_own(company: Company, name: str) -> None:
    target_environment, currency, _ = REFERENCE_TABLE[name]
    settings = SandboxesSettings(
        mtn=MtnSettings(
            target_environment=target_environment, currency=currency, processing_seconds=0
        )
    )
    company.on("/cb/collection/6f1c0f1e9b", Answer())
    async with Sandboxes.start(settings) as sandboxes:
        adapter = build(name, sandboxes.mtn_url)
        for call, direction in ((adapter.collect, COLLECT), (adapter.disburse, DISBURSE)):
            wanted = ordered(name, direction, 1_050, f"{company.url}/cb/6f1c0f1e9b")
            await call(wanted)
            found = await finally_found(lambda wanted=wanted: adapter.query(wanted))  # type: ignore[misc]
            assert (found.outcome, found.amount) == (Outcome.SUCCEEDED, wanted.amount)
        await adapter.aclose()


# Whose wallet a number is.

HOLDER_PATH = f"/disbursement/v1_0/accountholder/msisdn/{UGANDAN.digits}/basicuserinfo"
HOLDER = {
    "given_name": "JANE",
    "family_name": "Achieng",
    "birthdate": "1976-08-13",
    "locale": "sv_SE",
    "gender": "FEMALE",
    "status": "ACTIVE",
}


@pytest.fixture
async def mtn(company: Company, clock: HandClock, traced: list[Exchange]) -> AsyncIterator[MtnMomo]:
    MTN.script_tokens(company)
    adapter = MtnMomo(UGANDA, mtn_settings(company.url), clock=clock, trace=traced.append)
    yield adapter
    await adapter.aclose()


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (HOLDER, "JANE Achieng"),
        ({"given_name": "JANE"}, "JANE"),
        ({"family_name": " Achieng "}, "Achieng"),
        ({"name": "JANE Achieng", "sub": "x"}, "JANE Achieng"),
        ({"given_name": "J\u0000ANE\n", "family_name": None}, "J?ANE"),
        ({"given_name": "x" * 500, "family_name": "y"}, "x" * 60),
        ({"given_name": {}, "family_name": []}, None),
        ({"status": "ACTIVE"}, None),
    ],
)
async def test_the_holders_name_is_read_and_nothing_else(
    company: Company, mtn: MtnMomo, message: dict[str, Any], name: str | None
) -> None:
    company.on(HOLDER_PATH, Answer(message=message))
    assert isinstance(mtn, NamePort)
    assert await mtn.name_of(UGANDAN) == name
    (request,) = company.received(HOLDER_PATH)
    assert (request.method, request.body) == ("GET", b"")
    assert request.headers["ocp-apim-subscription-key"] == "disbursement-key-x8"
    assert request.headers["x-target-environment"] == "mtnuganda"


async def test_number_nobody_holds_has_no_name(company: Company, mtn: MtnMomo) -> None:
    company.on(HOLDER_PATH, Answer(404, message={"code": "RESOURCE_NOT_FOUND", "message": "x"}))
    assert await mtn.name_of(UGANDAN) is None


@pytest.mark.parametrize(
    ("reaction", "error"),
    [
        (Answer(404), OutcomeUnknown),
        (Answer(404, message={"code": "NOT_ALLOWED"}), OutcomeUnknown),
        (Answer(200, body=b"<html/>", content_type="text/html"), OutcomeUnknown),
        (Answer(200, body=b"[]"), OutcomeUnknown),
        (Answer(429), Throttled),
        (HTML_500, OutcomeUnknown),
        (SILENCE, OutcomeUnknown),
    ],
)
async def test_answer_that_is_none_tells_no_name_and_shows_no_number(
    company: Company,
    mtn: MtnMomo,
    traced: list[Exchange],
    reaction: Reaction,
    error: type[ProviderError],
) -> None:
    company.on(HOLDER_PATH, reaction)
    with pytest.raises(error) as caught:
        await mtn.name_of(UGANDAN)
    assert not any(secret in f"{caught.value!r} {traced}" for secret in SECRETS)


async def test_the_sandbox_tells_the_name_on_its_wallet() -> None:
    async with Sandboxes.start() as sandboxes:
        adapter = build("mtn_ug", sandboxes.mtn_url)
        assert isinstance(adapter, NamePort)
        wallet = sandboxes.mtn.wallets.open(UGANDAN.digits)
        assert await adapter.name_of(UGANDAN) == wallet.name
        await adapter.aclose()

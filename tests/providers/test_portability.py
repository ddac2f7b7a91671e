"""The look-up dialect, spoken over a socket to a service that answers as a test tells it."""

from collections.abc import AsyncIterator

import pytest

from channels.numbering import read_directory, read_networks
from engine.errors import OutcomeUnknown, Throttled, Unreachable, Unreadable
from engine.msisdn import Msisdn
from engine.payments.portability import Source
from engine.payments.wallets import LookUp, Wallets
from providers.http import Exchange
from providers.portability import Portability, PortabilitySettings, build_portability
from tests.providers.company import (
    CUT_SHORT,
    ELSEWHERE,
    EMPTY_200,
    EMPTY_500,
    HTML_OK,
    NOT_HTTP,
    PATIENCE_SECONDS,
    RESETS,
    SILENCE,
    Answer,
    Company,
    Reaction,
    closed_port,
)
from tests.providers.subjects import PATIENT

NUMBER = Msisdn("+256772000002")
NETWORKS = {"64101": "airtel_ug"}
TOKEN = "a-secret-that-nobody-may-read"
PATH = "/v1/numbers/256772000002"


@pytest.fixture
async def client(company: Company, traced: list[Exchange]) -> AsyncIterator[Portability]:
    settings = PortabilitySettings(f"{company.url}/v1/numbers", TOKEN, PATIENT)
    built = Portability(settings, NETWORKS, trace=traced.append)
    yield built
    await built.aclose()


@pytest.mark.parametrize(
    ("body", "operator"),
    [
        (b'{"operator": "airtel_ug"}', "airtel_ug"),
        (b'{"mccmnc": "64101"}', "airtel_ug"),
        (b'{"mccmnc": 64101, "ported": true}', "airtel_ug"),
        (b'{"operator": "mtn_ug", "mccmnc": "64101"}', "mtn_ug"),
        (b'{"mccmnc": "99901"}', None),
    ],
)
async def test_an_answer_names_an_operator_or_a_network(
    company: Company, client: Portability, body: bytes, operator: str | None
) -> None:
    company.on(PATH, Answer(200, body=body))
    assert await client.operator_of(NUMBER) == operator


async def test_a_number_nobody_knows_is_no_answer(company: Company, client: Portability) -> None:
    company.on(PATH, Answer(404, message={"error": "unknown"}))
    assert await client.operator_of(NUMBER) is None


@pytest.mark.parametrize(
    ("reaction", "error"),
    [
        (Answer(429), Throttled),
        (Answer(500, body=b'{"operator": "mtn_ug"}'), OutcomeUnknown),
        (Answer(401), OutcomeUnknown),
        (ELSEWHERE, OutcomeUnknown),
        (EMPTY_500, OutcomeUnknown),
        (SILENCE, OutcomeUnknown),
        (RESETS, OutcomeUnknown),
        (CUT_SHORT, OutcomeUnknown),
        (NOT_HTTP, OutcomeUnknown),
        (EMPTY_200, Unreadable),
        (HTML_OK, Unreadable),
        (Answer(200, body=b"[]"), Unreadable),
        (Answer(200, body=b"{}"), Unreadable),
        (Answer(200, body=b'{"operator": "Airtel Uganda Ltd."}'), Unreadable),
        (Answer(200, body=b'{"operator": "", "mccmnc": ""}'), Unreadable),
        (Answer(200, body=b'{"mccmnc": "64-101"}'), Unreadable),
        (Answer(200, body=b'{"mccmnc": {"mcc": "641"}}'), Unreadable),
    ],
)
async def test_whatever_else_comes_is_an_error_of_the_service(
    company: Company, client: Portability, reaction: Reaction, error: type[Exception]
) -> None:
    company.on(PATH, reaction)
    with pytest.raises(error):
        await client.operator_of(NUMBER)


async def test_the_question_is_the_number_without_plus_under_the_address(
    company: Company, client: Portability
) -> None:
    company.on(PATH, Answer(200, body=b'{"operator": "mtn_ug"}'))
    await client.operator_of(NUMBER)
    (request,) = company.requests
    assert (request.method, request.target) == ("GET", PATH)
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


async def test_neither_the_number_nor_the_token_is_traced_or_shown(
    company: Company, client: Portability, traced: list[Exchange]
) -> None:
    company.on(PATH, EMPTY_500)
    with pytest.raises(OutcomeUnknown) as caught:
        await client.operator_of(NUMBER)
    told = f"{traced} {caught.value} {PortabilitySettings('https://x', TOKEN)}"
    assert len(traced) == 1
    assert NUMBER.digits not in told
    assert TOKEN not in told


async def test_a_service_that_is_away_is_unreachable() -> None:
    client = Portability(PortabilitySettings(f"http://127.0.0.1:{closed_port()}"), NETWORKS)
    with pytest.raises(Unreachable):
        await client.operator_of(NUMBER)
    await client.aclose()


@pytest.mark.parametrize(
    ("reaction", "operator", "source"),
    [
        (Answer(200, body=b'{"mccmnc": "64101"}'), "airtel_ug", Source.LOOKED_UP),
        (Answer(200, body=b'{"operator": "mpesa_ke"}'), "mtn_ug", Source.PREFIX),
        (SILENCE, "mtn_ug", Source.PREFIX),
        (EMPTY_500, "mtn_ug", Source.PREFIX),
    ],
)
async def test_a_wallet_is_known_with_the_service_and_without(
    company: Company, reaction: Reaction, operator: str, source: Source
) -> None:
    company.on("/256772000002", reaction)
    client = build_portability({"CAPP_PORTABILITY_URL": f"{company.url}/"}, read_networks())
    assert client is not None
    wallet = await Wallets(
        read_directory({}), None, LookUp(client, seconds=PATIENCE_SECONDS / 2)
    ).of(NUMBER)
    assert (wallet.operator, wallet.source) == (operator, source)
    assert "authorization" not in company.requests[0].headers
    await client.aclose()


def test_it_is_built_only_where_an_address_is_set() -> None:
    assert build_portability({}, NETWORKS) is None
    assert build_portability({"CAPP_PORTABILITY_URL": "  "}, NETWORKS) is None


@pytest.mark.parametrize("url", ["who.example", "ftp://who.example", "https://user@who.example"])
def test_an_address_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="must be http"):
        build_portability({"CAPP_PORTABILITY_URL": url}, NETWORKS)


def test_a_token_that_cannot_be_sent_is_refused_without_being_shown() -> None:
    variables = {"CAPP_PORTABILITY_URL": "https://who.example", "CAPP_PORTABILITY_TOKEN": "ä"}
    with pytest.raises(ValueError, match="plain ASCII") as caught:
        build_portability(variables, NETWORKS)
    assert "ä" not in str(caught.value)

"""CAMARA's SIM Swap: what is sent to the letter, what every answer means, and a whole sandbox."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from channels.sims import tellers_of
from engine.errors import (
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Throttled,
    Unreachable,
    Unreadable,
)
from engine.msisdn import Msisdn
from engine.ports import Reason, SimPort
from providers.camara import Camara, CamaraSettings, build_camara
from providers.environment import MissingSettings, SenselessSettings
from providers.http import Exchange
from providers.mpesa import Mpesa
from simulator.camara import CLIENT_ID, CLIENT_SECRET, ROOT, TOKEN_PATH, CamaraSandbox, camara_app
from simulator.operators.world import World
from simulator.serving import serving
from tests.providers.company import (
    CUT_SHORT,
    ELSEWHERE,
    EMPTY_200,
    EMPTY_500,
    HTML_OK,
    NOT_HTTP,
    RESETS,
    SILENCE,
    Answer,
    Company,
    Reaction,
    closed_port,
)
from tests.providers.conftest import HandClock
from tests.providers.subjects import PATIENT, mpesa_settings

NUMBER = Msisdn("+256772000002")
TOKEN = "token-that-nobody-may-read"
SECRET = "secret-that-nobody-may-read"
PATH = "/sim-swap/v2/retrieve-date"
TOKEN_ANSWER = Answer(message={"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300})


def settings_of(url: str) -> CamaraSettings:
    return CamaraSettings(
        f"{url}/sim-swap/v2", f"{url}/oauth2/token", "client-x1", SECRET, ("mtn_ug",),
        timeouts=PATIENT,
    )  # fmt: skip


@pytest.fixture
async def camara(
    company: Company, clock: HandClock, traced: list[Exchange]
) -> AsyncIterator[Camara]:
    company.on("/oauth2/token", TOKEN_ANSWER)
    built = Camara(settings_of(company.url), clock=clock, trace=traced.append)
    yield built
    await built.aclose()


def told(stamp: str) -> Answer:
    return Answer(message={"latestSimChange": stamp})


@pytest.mark.parametrize(
    ("stamp", "moment"),
    [
        ("2026-11-23T12:30:05.312+03:00", datetime(2026, 11, 23, 9, 30, 5, 312_000, tzinfo=UTC)),
        ("2026-11-23T09:30:05Z", datetime(2026, 11, 23, 9, 30, 5, tzinfo=UTC)),
    ],
)
async def test_a_moment_is_told_with_its_zone(
    company: Company, camara: Camara, stamp: str, moment: datetime
) -> None:
    company.on(PATH, told(stamp))
    assert await camara.sim_changed_at(NUMBER) == moment


async def test_null_means_that_none_is_remembered(company: Company, camara: Camara) -> None:
    company.on(PATH, Answer(message={"latestSimChange": None, "monitoredPeriod": 120}))
    assert await camara.sim_changed_at(NUMBER) is None


async def test_the_question_is_the_number_with_plus_under_a_token(
    company: Company, camara: Camara
) -> None:
    company.on(PATH, told("2026-11-23T09:30:05Z"))
    await camara.sim_changed_at(NUMBER)
    await camara.sim_changed_at(NUMBER)
    token, *asked = company.requests
    assert (token.method, token.target) == ("POST", "/oauth2/token")
    pair = base64.b64encode(f"client-x1:{SECRET}".encode()).decode()
    assert token.headers["authorization"] == f"Basic {pair}"
    assert token.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(token.body.decode()) == {
        "grant_type": ["client_credentials"], "scope": ["sim-swap:retrieve-date"]
    }  # fmt: skip
    assert len(asked) == 2
    for question in asked:
        assert (question.method, question.target) == ("POST", PATH)
        assert question.headers["authorization"] == f"Bearer {TOKEN}"
        assert question.headers["content-type"] == "application/json"
        assert question.json == {"phoneNumber": "+256772000002"}


def error(status: int, code: str) -> Answer:
    return Answer(status, message={"status": status, "code": code, "message": f"about {NUMBER}"})


@pytest.mark.parametrize(
    ("reaction", "kind", "code"),
    [
        (error(404, "IDENTIFIER_NOT_FOUND"), Rejected, "IDENTIFIER_NOT_FOUND"),
        (error(422, "SERVICE_NOT_APPLICABLE"), Rejected, "SERVICE_NOT_APPLICABLE"),
        (error(403, "PERMISSION_DENIED"), Rejected, "PERMISSION_DENIED"),
        (error(400, "INVALID_ARGUMENT"), Rejected, "INVALID_ARGUMENT"),
        (error(401, "UNAUTHENTICATED"), Rejected, "UNAUTHENTICATED"),
        (error(429, "TOO_MANY_REQUESTS"), Throttled, "TOO_MANY_REQUESTS"),
        (error(429, f"about {NUMBER}"), Throttled, "429"),
        (error(500, "INTERNAL"), OutcomeUnknown, "INTERNAL"),
        (ELSEWHERE, OutcomeUnknown, "302"),
        (EMPTY_500, OutcomeUnknown, "500"),
        (SILENCE, OutcomeUnknown, None),
        (RESETS, OutcomeUnknown, None),
        (CUT_SHORT, OutcomeUnknown, None),
        (NOT_HTTP, OutcomeUnknown, None),
        (EMPTY_200, Unreadable, None),
        (HTML_OK, Unreadable, None),
        (Answer(message={}), Unreadable, None),
        (Answer(message=[]), Unreadable, None),
        (told("yesterday"), Unreadable, None),
        (told(""), Unreadable, None),
        (told("2026-11-23T09:30:05"), Unreadable, None),  # of which zone?
        (Answer(message={"latestSimChange": 1763890205}), Unreadable, None),
        (Answer(message={"latestSimChange": {"at": "now"}}), Unreadable, None),
    ],
)
async def test_whatever_else_comes_tells_nothing(
    company: Company, camara: Camara, reaction: Reaction, kind: type[Exception], code: str | None
) -> None:
    company.on(PATH, reaction)
    with pytest.raises(kind) as caught:
        await camara.sim_changed_at(NUMBER)
    assert isinstance(caught.value, ProviderError)
    assert code is None or caught.value.code == code
    assert NUMBER.digits not in f"{caught.value}"


async def test_a_refused_token_is_asked_for_once_more(company: Company, camara: Camara) -> None:
    company.on(PATH, error(401, "UNAUTHENTICATED"), told("2026-11-23T09:30:05Z"))
    assert await camara.sim_changed_at(NUMBER) is not None
    assert len(company.received("/oauth2/token")) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(401, message={"error": "invalid_client"}), Rejected),
        (Answer(400, message={"error": "invalid_scope"}), Rejected),
        (Answer(200, message={"access_token": ""}), Unreachable),
        (EMPTY_500, Unreachable),
        (HTML_OK, Unreachable),
    ],
)
async def test_without_a_token_nothing_is_asked(
    company: Company, camara: Camara, answer: Answer, kind: type[Exception]
) -> None:
    company.on("/oauth2/token", answer)
    with pytest.raises(kind) as caught:
        await camara.sim_changed_at(NUMBER)
    assert company.received(PATH) == []
    if isinstance(caught.value, Rejected):
        assert caught.value.reason is Reason.CONFIGURATION


async def test_neither_number_nor_secrets_are_traced_or_shown(
    company: Company, camara: Camara, traced: list[Exchange]
) -> None:
    company.on(PATH, told("2026-11-23T09:30:05Z"))
    await camara.sim_changed_at(NUMBER)
    shown = f"{traced} {settings_of('https://x')}"
    assert len(traced) == 2
    for secret in (NUMBER.digits, TOKEN, SECRET, "2026-11-23"):
        assert secret not in shown


async def test_a_service_that_is_away_is_unreachable(clock: HandClock) -> None:
    camara = Camara(settings_of(f"http://127.0.0.1:{closed_port()}"), clock=clock)
    with pytest.raises(Unreachable):
        await camara.sim_changed_at(NUMBER)
    await camara.aclose()


async def test_the_sandbox_and_the_adapter_read_the_same_definition(clock: HandClock) -> None:
    world = World()
    sandbox = CamaraSandbox(world)
    now = world.clock()
    sandbox.changed_at = {
        "+256772000002": now - timedelta(hours=5), "+256772000003": None,
        "+256772000004": now - timedelta(days=121),
    }  # fmt: skip
    async with serving({"camara": (camara_app(sandbox), 0)}) as urls:
        settings = replace(
            settings_of(urls["camara"]), url=f"{urls['camara']}{ROOT}",
            token_url=f"{urls['camara']}{TOKEN_PATH}", client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
        )  # fmt: skip
        camara = Camara(settings, clock=clock)
        assert isinstance(camara, SimPort) and camara.tells_sims
        changed_at = await camara.sim_changed_at(Msisdn("+256772000002"))
        assert changed_at is not None
        assert abs(changed_at - (now - timedelta(hours=5))) < timedelta(milliseconds=2)
        assert await camara.sim_changed_at(Msisdn("+256772000003")) is None
        assert await camara.sim_changed_at(Msisdn("+256772000004")) is None
        with pytest.raises(Rejected) as caught:
            await camara.sim_changed_at(Msisdn("+256772000005"))
        assert caught.value.reason is Reason.NOT_REGISTERED
        sandbox.revoke_all()
        assert await camara.sim_changed_at(Msisdn("+256772000003")) is None
        await camara.aclose()
        wrong = Camara(replace(settings, client_secret="another"), clock=clock)
        with pytest.raises(Rejected):
            await wrong.sim_changed_at(NUMBER)
        await wrong.aclose()
    assert sandbox.asked == [f"+25677200000{n}" for n in (2, 3, 4, 5, 3)]


VARIABLES = {
    "CAPP_SIM_SWAP_URL": "https://api.example/sim-swap/v2/",
    "CAPP_SIM_SWAP_TOKEN_URL": "https://login.example/token",
    "CAPP_SIM_SWAP_CLIENT_ID": "x1",
    "CAPP_SIM_SWAP_CLIENT_SECRET": SECRET,
    "CAPP_SIM_SWAP_OPERATORS": "mtn_ug, airtel_ke",
}


async def test_it_is_built_from_the_environment_where_an_address_is_set(clock: HandClock) -> None:
    assert build_camara({}, clock) is None
    assert build_camara({"CAPP_SIM_SWAP_URL": " "}, clock) is None
    built = build_camara(VARIABLES, clock)
    assert built is not None
    assert built.operators == ("mtn_ug", "airtel_ke")
    await built.aclose()


@pytest.mark.parametrize("name", sorted(VARIABLES.keys() - {"CAPP_SIM_SWAP_URL"}))
def test_what_is_missing_is_named(clock: HandClock, name: str) -> None:
    with pytest.raises(MissingSettings) as caught:
        build_camara({**VARIABLES, name: ""}, clock)
    assert caught.value.names == (name,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAPP_SIM_SWAP_URL", "api.example/sim-swap"),
        ("CAPP_SIM_SWAP_TOKEN_URL", "ftp://login.example"),
        ("CAPP_SIM_SWAP_OPERATORS", "MTN Uganda"),
    ],
)
def test_what_makes_no_sense_is_refused_without_secrets(
    clock: HandClock, name: str, value: str
) -> None:
    with pytest.raises(SenselessSettings) as caught:
        build_camara({**VARIABLES, name: value}, clock)
    assert SECRET not in str(caught.value)


async def test_an_operator_knows_its_own_numbers_better_than_a_service(clock: HandClock) -> None:
    service = build_camara({**VARIABLES, "CAPP_SIM_SWAP_OPERATORS": "mtn_ug,mpesa_ke"}, clock)
    assert service is not None
    settings = mpesa_settings("http://127.0.0.1:1")
    own = Mpesa(replace(settings, sim_swap=True), clock=clock)
    silent = Mpesa(settings, clock=clock)
    assert tellers_of({"mpesa_ke": own}, service) == {"mtn_ug": service, "mpesa_ke": own}
    assert tellers_of({"mpesa_ke": silent}, service) == {"mtn_ug": service, "mpesa_ke": service}
    assert tellers_of({"mpesa_ke": own}, None) == {"mpesa_ke": own}
    assert tellers_of({"mpesa_ke": silent}, None) == {}
    for each in (service, own, silent):
        await each.aclose()

"""M-PESA's product "Swap": what is asked, what its answers mean, and the sandbox's own reading."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreadable
from engine.msisdn import Msisdn
from engine.ports import SimPort
from providers.http import Exchange
from providers.mpesa import Mpesa
from simulator.operators.mpesa import MpesaSettings as SandboxSettings
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.providers.company import (
    EMPTY_200,
    HTML_500,
    HTML_OK,
    SILENCE,
    Answer,
    Company,
    Reaction,
)
from tests.providers.conftest import HandClock
from tests.providers.sandbox_clients import PAYER, MpesaClient, open_client
from tests.providers.sandbox_settings import mpesa_settings as sandbox_mpesa
from tests.providers.subjects import KENYAN, KENYAN_TOKEN_PATH, MPESA, TOKEN, mpesa_settings

PATH = "/imsi/v2/checkATI"


@pytest.fixture
async def mpesa(company: Company, clock: HandClock, traced: list[Exchange]) -> AsyncIterator[Mpesa]:
    company.on(KENYAN_TOKEN_PATH, MPESA.token)
    settings = replace(mpesa_settings(company.url), sim_swap=True)
    adapter = Mpesa(settings, clock=clock, trace=traced.append)
    yield adapter
    await adapter.aclose()


def told(stamp: object, *, code: object = "200") -> Answer:
    return Answer(
        message={
            "requestRefID": "4277-415525-1", "responseCode": code, "responseDesc": "Success",
            "lastSwapDate": stamp,
        }
    )  # fmt: skip


async def test_the_question_is_the_number_without_plus(company: Company, mpesa: Mpesa) -> None:
    company.on(PATH, told("01-01-1900 00:00"))
    await mpesa.sim_changed_at(KENYAN)
    request = company.requests[-1]
    assert (request.method, request.target) == ("POST", PATH)
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.json == {"customerNumber": "254712345678"}


@pytest.mark.parametrize(
    ("answer", "moment"),
    [
        (told("01-01-1900 00:00"), None),
        (told("05-11-2026 14:30"), datetime(2026, 11, 5, 11, 30, tzinfo=UTC)),  # day first
        (told("05-11-2026 14:30", code=200), datetime(2026, 11, 5, 11, 30, tzinfo=UTC)),
        (told("23-11-2026 01:10"), datetime(2026, 11, 22, 22, 10, tzinfo=UTC)),
    ],
)
async def test_the_moment_is_read_in_nairobis_time(
    company: Company, mpesa: Mpesa, answer: Answer, moment: datetime | None
) -> None:
    company.on(PATH, answer)
    assert await mpesa.sim_changed_at(KENYAN) == moment


def refusal(status: int, code: str, message: str) -> Answer:
    return Answer(status, message={"requestId": "1", "errorCode": code, "errorMessage": message})


@pytest.mark.parametrize(
    ("reaction", "kind"),
    [
        (told("11-23-2026 14:30"), Unreadable),  # month first after all
        (told("2026-11-23 14:30"), Unreadable),
        (told("31-02-2026 14:30"), Unreadable),
        (told(""), Unreadable),
        (told(None), Unreadable),
        (told("05-11-2026 14:30", code="500"), OutcomeUnknown),
        (told("05-11-2026 14:30", code=None), OutcomeUnknown),
        (refusal(400, "400.002.02", "Bad Request - Invalid customerNumber"), Rejected),
        (refusal(429, "500.003.02", "Spike arrest"), Throttled),
        (HTML_OK, OutcomeUnknown),
        (HTML_500, OutcomeUnknown),
        (EMPTY_200, OutcomeUnknown),
        (SILENCE, OutcomeUnknown),
    ],
)
async def test_whatever_else_comes_tells_nothing(
    company: Company, mpesa: Mpesa, reaction: Reaction, kind: type[Exception]
) -> None:
    company.on(PATH, reaction)
    with pytest.raises(kind) as caught:
        await mpesa.sim_changed_at(KENYAN)
    assert isinstance(caught.value, ProviderError)


async def test_neither_the_number_nor_the_moment_is_traced(
    company: Company, mpesa: Mpesa, traced: list[Exchange]
) -> None:
    company.on(PATH, told("05-11-2026 14:30"))
    await mpesa.sim_changed_at(KENYAN)
    assert traced[-1].operation == "sim_swap"
    assert KENYAN.digits not in f"{traced}"
    assert "2026" not in f"{traced[-1]}"


async def test_nobody_is_asked_where_it_is_not_set(company: Company, clock: HandClock) -> None:
    adapter = Mpesa(mpesa_settings(company.url), clock=clock)
    assert isinstance(adapter, SimPort)
    assert not adapter.tells_sims
    await adapter.aclose()


async def test_the_sandbox_and_the_adapter_read_the_same_page(clock: HandClock) -> None:
    quick = SandboxSettings(processing_seconds=0, callback_delay_seconds=0.01)
    async with (
        Sandboxes.start(SandboxesSettings(mpesa=quick)) as sandboxes,
        open_client(sandboxes.mpesa_url) as client,
    ):
        hands = MpesaClient(client, "")
        settings = sandbox_mpesa(sandboxes, sim_swap=True)
        mpesa, payer = Mpesa(settings, clock=clock), Msisdn(f"+{PAYER}")
        assert await mpesa.sim_changed_at(payer) is None
        change = {"sim_changed_hours": 5}
        wallet = await client.put(f"/_sandbox/wallets/{PAYER}", json=change)
        known = datetime.fromisoformat(wallet.json()["sim_changed_at"])
        changed_at = await mpesa.sim_changed_at(payer)
        assert changed_at is not None
        assert timedelta(0) <= known - changed_at < timedelta(minutes=1)
        await client.put(f"/_sandbox/wallets/{PAYER}", json={"sim_changed_hours": 24 * 91})
        assert await mpesa.sim_changed_at(payer) is None
        await hands.log_in()
        refused = await hands.post(PATH, {"customerNumber": "0712345678"})
        assert (refused.status_code, refused.json()["errorCode"]) == (400, "400.002.02")
        hands.token = "nobody's"
        refused = await hands.post(PATH, {"customerNumber": PAYER})
        assert (refused.status_code, refused.json()["errorCode"]) == (404, "404.001.03")
        await mpesa.aclose()

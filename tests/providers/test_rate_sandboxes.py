"""The two rate sandboxes by their formats, and our adapters against them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreadable
from engine.ports import Observation, Pair, RateSource
from providers.floatrates import FloatRates, FloatRatesSettings
from providers.openexchangerates import OpenExchangeRates, OpenExchangeRatesSettings
from simulator.operators import credentials
from simulator.operators.world import World
from simulator.rates import Market, MarketSettings
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.providers.sandbox_clients import open_client
from tests.providers.subjects import PATIENT

NOON = datetime(2026, 11, 21, 9, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
KES_UGX, EUR_KES = Pair("KES", "UGX"), Pair("EUR", "KES")
APP_ID = credentials.OPENEXCHANGERATES_SANDBOX_APP_ID
NAMES = ("openexchangerates", "floatrates")
EVERY = pytest.mark.parametrize("name", NAMES)


class Hand:
    """Time, moved by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def sandboxes() -> AsyncIterator[Sandboxes]:
    settings = SandboxesSettings(
        world=World(clock=Hand(), random=Random(7)), market=MarketSettings(noise_bp=0)
    )
    async with Sandboxes.start(settings) as started:
        yield started


@pytest.fixture
async def sources(sandboxes: Sandboxes) -> AsyncIterator[dict[str, RateSource]]:
    oxr = OpenExchangeRates(
        OpenExchangeRatesSettings(
            f"{sandboxes.openexchangerates_url}/api", APP_ID, timeouts=PATIENT
        )
    )
    daily = FloatRates(FloatRatesSettings(f"{sandboxes.floatrates_url}/daily", timeouts=PATIENT))
    yield {"openexchangerates": oxr, "floatrates": daily}
    await oxr.aclose()
    await daily.aclose()


def url_of(sandboxes: Sandboxes, name: str) -> str:
    url: str = getattr(sandboxes, f"{name}_url")
    return url


async def arm(sandboxes: Sandboxes, name: str, **fault: Any) -> None:
    async with open_client(url_of(sandboxes, name)) as client:
        response = await client.post("/_sandbox/faults", json=fault)
        assert response.status_code == 201, response.text


@EVERY
async def test_both_tell_the_same_market(name: str, sources: dict[str, RateSource]) -> None:
    assert await sources[name].fetch([KES_UGX, EUR_KES]) == [
        Observation(KES_UGX, "28.45", NOON_MS),
        Observation(EUR_KES, "140.434782609", NOON_MS),
    ]


FAULTS: list[tuple[dict[str, Any], type[ProviderError]]] = [
    ({"fault": "error_500"}, OutcomeUnknown),
    ({"fault": "silence"}, OutcomeUnknown),
    ({"fault": "garbage"}, Unreadable),
    ({"fault": "throttle_429"}, Throttled),
]


@EVERY
@pytest.mark.parametrize(("fault", "expected"), FAULTS, ids=lambda f: str(f))
async def test_a_fault_strikes_once_and_then_all_is_well(
    name: str,
    fault: dict[str, Any],
    expected: type[ProviderError],
    sandboxes: Sandboxes,
    sources: dict[str, RateSource],
) -> None:
    await arm(sandboxes, name, **fault)
    with pytest.raises(expected):
        await sources[name].fetch([KES_UGX])
    assert len(await sources[name].fetch([KES_UGX])) == 1


@EVERY
async def test_stale_outlier_and_missing_are_documents_like_any_other(
    name: str, sandboxes: Sandboxes, sources: dict[str, RateSource]
) -> None:
    for fault in ("stale", "outlier", "missing_currency"):
        await arm(sandboxes, name, fault=fault)
    (stale,) = await sources[name].fetch([KES_UGX])
    (outlier,) = await sources[name].fetch([KES_UGX])
    nothing = await sources[name].fetch([KES_UGX])
    (well,) = await sources[name].fetch([KES_UGX])
    assert stale == Observation(KES_UGX, "28.45", NOON_MS - 30 * 86_400_000)
    assert outlier == Observation(KES_UGX, "284.5", NOON_MS)
    assert nothing == []
    assert well.mid == "28.45"


@EVERY
async def test_a_fault_that_could_never_strike_is_refused(name: str, sandboxes: Sandboxes) -> None:
    async with open_client(url_of(sandboxes, name)) as client:
        for fault in ({"fault": "no_callback"}, {"fault": "stale", "times": 0}, {"fault": "x"}):
            response = await client.post("/_sandbox/faults", json=fault)
            assert response.status_code == 400
        await client.post("/_sandbox/faults", json={"fault": "stale", "times": 9})
        assert len((await client.get("/_sandbox/faults")).json()["faults"]) == 1
        assert (await client.delete("/_sandbox/faults")).status_code == 204
        assert (await client.get("/_sandbox/faults")).json() == {"faults": []}


@EVERY
async def test_prices_can_be_moved_while_it_runs(
    name: str, sandboxes: Sandboxes, sources: dict[str, RateSource]
) -> None:
    prices = {"KES": "100", "UGX": "3000", "EUR": "0.9"}
    async with open_client(url_of(sandboxes, name)) as client:
        response = await client.put("/_sandbox/settings", json={"per_dollar": prices})
        assert response.status_code == 200
        assert (await client.put("/_sandbox/settings", json={"noise_bp": -1})).status_code == 400
    (said,) = await sources[name].fetch([KES_UGX])
    assert Decimal(said.mid) == 30


def market(name: str = "m", **settings: Any) -> tuple[Market, Hand]:
    hand = Hand()
    return Market(name, World(clock=hand), MarketSettings(**settings)), hand


def test_a_document_stays_the_same_until_the_next_and_noise_is_small_and_repeatable() -> None:
    one, hand = market(noise_bp=50, publish_seconds=60)
    first = one.publication()
    hand.now = datetime(2026, 11, 21, 9, 0, 59, tzinfo=UTC)
    assert one.publication() == first
    hand.now = datetime(2026, 11, 21, 9, 1, tzinfo=UTC)
    second = one.publication()
    assert second.at == hand.now
    for document in (first, second):
        moves = [
            price / one.settings.per_dollar[code] - 1 for code, price in document.per_dollar.items()
        ]
        assert all(abs(move) <= Decimal("0.00501") for move in moves)
        assert len(set(moves)) > 10
    assert first.per_dollar != second.per_dollar
    again, _ = market(noise_bp=50, publish_seconds=60)
    other, _ = market("other", noise_bp=50, publish_seconds=60)
    assert again.publication() == first
    assert other.publication() != first


async def test_the_key_is_checked_as_the_reference_says(sandboxes: Sandboxes) -> None:
    async with open_client(sandboxes.openexchangerates_url) as client:
        for query, status, message in [
            ({}, 401, "missing_app_id"),
            ({"app_id": "wrong"}, 401, "invalid_app_id"),
            ({"app_id": APP_ID, "base": "KES"}, 429, "not_allowed"),
            ({"app_id": APP_ID, "base": "XXX"}, 400, "invalid_base"),
        ]:
            response = await client.get("/api/latest.json", params=query)
            assert response.status_code == status
            told = response.json()
            assert (told["error"], told["status"], told["message"]) == (True, status, message)
        good = await client.get("/api/latest.json", params={"app_id": APP_ID})
    assert set(good.json()) == {"disclaimer", "license", "timestamp", "base", "rates"}
    assert good.json()["timestamp"] == NOON_MS // 1000


async def test_a_wrong_key_is_our_configuration(sandboxes: Sandboxes) -> None:
    settings = OpenExchangeRatesSettings(f"{sandboxes.openexchangerates_url}/api", "wrong")
    adapter = OpenExchangeRates(settings)
    with pytest.raises(Rejected, match="invalid_app_id"):
        await adapter.fetch([KES_UGX])
    await adapter.aclose()


async def test_the_daily_feed_has_the_published_shape(sandboxes: Sandboxes) -> None:
    async with open_client(sandboxes.floatrates_url) as client:
        response = await client.get("/daily/kes.xml")
        assert (await client.get("/daily/xxx.xml")).status_code == 404
    channel = ElementTree.fromstring(response.content)
    assert channel.tag == "channel"
    items = {str(item.findtext("targetCurrency")): item for item in channel.iter("item")}
    assert len(items) == 16
    assert {item.findtext("baseCurrency") for item in items.values()} == {"KES"}
    assert items["UGX"].findtext("exchangeRate") == "28.45000000"
    assert items["UGX"].findtext("pubDate") == "Sat, 21 Nov 2026 09:00:00 GMT"


async def test_large_figures_come_with_commas(sandboxes: Sandboxes) -> None:
    async with open_client(sandboxes.floatrates_url) as client:
        response = await client.get("/daily/usd.xml")
    assert "<exchangeRate>3,675.74000000</exchangeRate>" in response.text

"""Both rate sources: recorded documents, exact numbers, and everything that is none."""

import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import (
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Throttled,
    Unreachable,
    Unreadable,
)
from engine.ports import Observation, Pair, RateSource, Reason
from providers.environment import MissingSettings
from providers.floatrates import FloatRates, FloatRatesSettings, read_items
from providers.http import Exchange
from providers.openexchangerates import OpenExchangeRates, OpenExchangeRatesSettings
from providers.rates import Price, cross, read_price
from providers.registry import RATES, build_rate_sources
from tests.providers import company as companies
from tests.providers.company import Answer, Company, Reaction
from tests.providers.subjects import PATIENT

APP_ID = "app-id-x10"
KES_UGX, EUR_KES, KES_USD = Pair("KES", "UGX"), Pair("EUR", "KES"), Pair("KES", "USD")
PAIRS = (KES_UGX, EUR_KES, KES_USD)

# The shape of the reference's example (page "latest.json"), with rates of our countries.
LATEST = """{
  "disclaimer": "Usage subject to terms: https://openexchangerates.org/terms",
  "license": "https://openexchangerates.org/license",
  "timestamp": 1795251600,
  "base": "USD",
  "rates": {
    "AED": 3.672538,
    "BTC": 0.000012043717,
    "EUR": 0.91819,
    "KES": 129.2,
    "UGX": 3650.1,
    "USD": 1,
    "XAU": 0.00024136,
    "ZWL": 322
  }
}"""

ITEM = """
	<item>
		<title>1 USD = {rate} {code}</title>
		<link>http://www.floatrates.com/usd/{link}/</link>
		<description>1 U.S. Dollar = {rate} {code}</description>
		<pubDate>{at}</pubDate>
		<baseCurrency>USD</baseCurrency>
		<baseName>U.S. Dollar</baseName>
		<targetCurrency>{code}</targetCurrency>
		<targetName>{code}</targetName>
		<exchangeRate>{rate}</exchangeRate>
		<inverseRate>0.00000001</inverseRate>
	</item>"""
NOON = "Sat, 21 Nov 2026 09:00:00 GMT"
NOON_MS = 1_795_251_600_000


def feed(*items: tuple[str, str], at: str = NOON, extra: str = "") -> bytes:
    """A document as FloatRates made them in 2019."""
    inner = "".join(
        ITEM.format(code=code, rate=rate, link=code.lower(), at=at) for code, rate in items
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<?xml-stylesheet type="text/xsl" href="x.xsl"?>'
    return (
        f"{head}\n<channel>\n\t<title>XML Daily Foreign Exchange Rates for USD</title>"
        f"\n\t<baseCurrency>USD</baseCurrency>\n\t<pubDate>{at}</pubDate>{extra}{inner}\n</channel>"
    ).encode()


DAILY = feed(
    ("EUR", "0.91819000"), ("KES", "129.20000000"), ("UGX", "3,650.10000000"), ("BTC", "0.00001204")
)


@dataclass(frozen=True)
class Source:
    """One adapter and how its company answers."""

    name: str
    build: Callable[..., RateSource]
    path: str
    good: bytes
    other_base: bytes
    without_ugx: bytes
    write: Callable[[str], bytes]  # a document in which KES has this price


def _oxr(url: str, **options: Any) -> OpenExchangeRates:
    return OpenExchangeRates(OpenExchangeRatesSettings(url, APP_ID, timeouts=PATIENT), **options)


def _floatrates(url: str, **options: Any) -> FloatRates:
    return FloatRates(FloatRatesSettings(url, timeouts=PATIENT), **options)


OXR = Source(
    "openexchangerates",
    _oxr,
    "/latest.json",
    LATEST.encode(),
    LATEST.replace('"USD",', '"EUR",').encode(),
    LATEST.replace('"UGX"', '"UGY"').encode(),
    lambda price: LATEST.replace("129.2", price).encode(),
)
FLOATRATES = Source(
    "floatrates",
    _floatrates,
    "/usd.xml",
    DAILY,
    DAILY.replace(b"<baseCurrency>USD", b"<baseCurrency>EUR"),
    DAILY.replace(b"UGX", b"UGY"),
    lambda price: feed(("UGX", "3650.1"), ("KES", price), ("EUR", "0.91819")),
)
HERE = (OXR, FLOATRATES)
SOURCES = pytest.mark.parametrize("source", HERE, ids=lambda s: s.name)


def test_every_source_of_the_registry_is_in_this_suite() -> None:
    assert {source.name for source in HERE} == {*RATES}, "each wants a Source here"


@asynccontextmanager
async def built(source: Source, url: str, traced: list[Exchange]) -> AsyncIterator[RateSource]:
    adapter = source.build(url, trace=traced.append)
    try:
        yield adapter
    finally:
        await adapter.aclose()


@pytest.fixture(autouse=True)
def nothing_secret_is_logged(caplog: pytest.LogCaptureFixture, traced: list[Exchange]) -> Any:
    caplog.set_level(logging.DEBUG)
    yield
    assert APP_ID not in caplog.text
    assert APP_ID not in repr(traced)


async def fetch(
    source: Source, company: Company, traced: list[Exchange], *, pairs: tuple[Pair, ...] = PAIRS
) -> list[Observation]:
    async with built(source, company.url, traced) as adapter:
        return await adapter.fetch(pairs)


@SOURCES
async def test_a_recorded_document_is_crossed_exactly_with_one_request(
    source: Source, company: Company, traced: list[Exchange]
) -> None:
    company.on(source.path, Answer(body=source.good))
    assert await fetch(source, company, traced) == [
        Observation(KES_UGX, "28.2515479876", NOON_MS),  # 3650.1 / 129.2 = 28.25154798761...
        Observation(EUR_KES, "140.711617421", NOON_MS),  # 129.2 / 0.91819 = 140.7116174212...
        Observation(KES_USD, "0.00773993808050", NOON_MS),  # 1 / 129.2 = 0.00773993808049...
    ]
    assert [(e.provider, e.operation, e.status) for e in traced] == [(source.name, "rates", 200)]
    assert len(company.requests) == 1


async def test_the_key_and_only_the_key_is_sent(company: Company, traced: list[Exchange]) -> None:
    company.on("/latest.json", Answer(body=OXR.good))
    await fetch(OXR, company, traced)
    (request,) = company.requests
    assert (request.method, request.target) == ("GET", f"/latest.json?app_id={APP_ID}")


async def test_another_base_is_asked_for_where_a_plan_allows_it(
    company: Company, traced: list[Exchange]
) -> None:
    company.on("/latest.json", Answer(body=OXR.other_base))
    settings = OpenExchangeRatesSettings(company.url, APP_ID, base="EUR", timeouts=PATIENT)
    adapter = OpenExchangeRates(settings, trace=traced.append)
    (said,) = await adapter.fetch([EUR_KES])
    await adapter.aclose()
    assert said.mid == "129.200000000" or Decimal(said.mid) == Decimal("129.2")
    assert company.requests[0].target == f"/latest.json?app_id={APP_ID}&base=EUR"


@SOURCES
async def test_a_currency_that_is_missing_costs_only_its_pairs(
    source: Source, company: Company, traced: list[Exchange]
) -> None:
    company.on(source.path, Answer(body=source.without_ugx))
    assert [said.pair for said in await fetch(source, company, traced)] == [EUR_KES, KES_USD]


@SOURCES
async def test_a_document_for_another_base_is_unreadable(
    source: Source, company: Company, traced: list[Exchange]
) -> None:
    company.on(source.path, Answer(body=source.other_base))
    with pytest.raises(Unreadable, match="another base"):
        await fetch(source, company, traced)


@SOURCES
async def test_what_nobody_asked_for_is_not_even_read(
    source: Source, company: Company, traced: list[Exchange]
) -> None:
    company.on(source.path, Answer(body=source.write("nonsense" if source is FLOATRATES else "[]")))
    pair = Pair("EUR", "UGX")
    (said,) = await fetch(source, company, traced, pairs=(pair,))
    assert said.pair == pair


def test_two_times_make_a_rate_as_old_as_the_older() -> None:
    prices = {"KES": Price(Decimal(129), 2_000), "UGX": Price(Decimal(3870), 1_000)}
    assert cross(prices, "USD", [KES_UGX]) == [Observation(KES_UGX, "30", 1_000)]
    assert cross(prices, "USD", [KES_USD])[0].at_ms == 2_000


NO_PRICES = [
    *("0", "-1", "-0.0", "0.0", "1e999999999", "1e-999999999", "1e7", "9e-7", "true", "null"),
    *('""', '"x"', '"NaN"', '"Infinity"', '"-Infinity"', '"sNaN1"', '"1_000"', '" "', "[1]", "{}"),
    *('"١٢٩"', '"1,29"', '"0x10"', '"' + "1" * 25 + '"', "1" * 25, "129." + "1" * 25),
]


@SOURCES
@pytest.mark.parametrize("price", NO_PRICES)
async def test_a_senseless_price_spoils_the_document(
    source: Source, price: str, company: Company, traced: list[Exchange]
) -> None:
    text = price if source is OXR else price.strip('"')
    company.on(source.path, Answer(body=source.write(text)))
    with pytest.raises(Unreadable):
        await fetch(source, company, traced)


@pytest.mark.parametrize(
    ("text", "expected"), [("3,650.10", "3650.1"), ("1,234,567.8", "1234567.8"), ("12.5", "12.5")]
)
def test_commas_between_thousands_are_read_where_they_can_mean_nothing_else(
    text: str, expected: str
) -> None:
    (item,) = read_items(feed(("KES", text)))
    assert item["exchangeRate"] == text
    adapter = _floatrates("http://127.0.0.1:1")
    (said,) = cross(adapter._read(feed(("KES", text)), [KES_USD]), "USD", [Pair("USD", "KES")])
    assert Decimal(said.mid) == Decimal(expected)


@pytest.mark.parametrize("text", ["3,650", "36,50.1", "3,6501.0", ",650.1", "3.650,10", "1,,000.0"])
def test_commas_that_may_be_decimal_ones_are_not_guessed_at(text: str) -> None:
    with pytest.raises(Unreadable):
        _floatrates("http://127.0.0.1:1")._read(feed(("KES", text)), [KES_USD])


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE channel [
  <!ENTITY a "1111111111"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
  <!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
]>
<channel><item><baseCurrency>USD</baseCurrency><targetCurrency>KES</targetCurrency>
<exchangeRate>&d;</exchangeRate></item></channel>"""
OUTSIDE = b"""<!DOCTYPE channel SYSTEM "http://127.0.0.1:1/x.dtd"><channel/>"""
LEAK = b"""<!DOCTYPE channel [<!ENTITY f SYSTEM "file:///etc/hostname">]><channel>&f;</channel>"""
HARMLESS = feed(("KES", "&rate;")).replace(
    b"<channel>", b'<!DOCTYPE channel [<!ENTITY rate "129.2">]><channel>'
)
BAD_FEEDS = {
    "a harmless entity": HARMLESS,
    "an entity bomb": BOMB,
    "an outside definition": OUTSIDE,
    "an outside entity": LEAK,
    "an unknown entity": feed(("KES", "&rate;")),
    "cut short": DAILY[:-20],
    "no items": b"<channel></channel>",
    "another root": DAILY.replace(b"channel>", b"rss>"),
    "too deep": b"<channel>" + b"<a>" * 20 + b"</a>" * 20 + b"</channel>",
    "very deep": b"<a>" * 100_000,
    "a long text": feed(("KES", "1" * 65)),
    "one currency twice": feed(("KES", "129.2"), ("KES", "129.2")),
    "two rates in one item": feed(("KES", "1</exchangeRate><exchangeRate>2")).replace(
        b"<exchangeRate>1", b"<exchangeRate>1."
    ),
    "far too many items": feed(*[("KES", "1")] * 1_001),
    "no time": feed(("KES", "1"), at="yesterday"),
    "an empty time": feed(("KES", "1"), at=""),
    "a time without a zone": feed(("KES", "1"), at="Sat, 21 Nov 2026 09:00:00"),
    "an impossible time": feed(("KES", "1"), at="Sat, 31 Feb 2026 09:00:00 GMT"),
    "a time of no clock": feed(("KES", "1"), at="Sat, 21 Nov 2026 09:00:00 +99999999"),
    "another encoding": DAILY.replace(b"UTF-8", b"x-user-defined"),
    "not its encoding": feed(("KES", "1")).replace(b"XML Daily", b"\xff\xfe"),
    "not XML": b"{}",
    "nothing": b"",
}


@pytest.mark.parametrize("body", BAD_FEEDS.values(), ids=BAD_FEEDS.keys())
async def test_a_feed_that_is_not_plain_is_unreadable(
    body: bytes, company: Company, traced: list[Exchange]
) -> None:
    company.on("/usd.xml", Answer(body=body, content_type="text/xml"))
    with pytest.raises(Unreadable):
        await fetch(FLOATRATES, company, traced)


BAD_LATEST = {
    "no base": LATEST.replace('"base"', '"bass"').encode(),
    "rates in a list": b'{"timestamp": 1795251600, "base": "USD", "rates": [1]}',
    "no rates": b'{"timestamp": 1795251600, "base": "USD"}',
    "an error with 200": b'{"error": true, "status": 401, "message": "invalid_app_id"}',
    **{
        f"time {time}": LATEST.replace("1795251600", time).encode()
        for time in ("0", "-5", "1.5", '"1795251600"', "true", "99999999999999", "null")
    },
    "no time": LATEST.replace('"timestamp"', '"time"').encode(),
    "cut short": LATEST[:-3].encode(),
    "a list": b"[]",
    "too deep": b'{"a":' * 5000,
    "a page": b"<html>Welcome</html>",
    "nothing": b"",
}


@pytest.mark.parametrize("body", BAD_LATEST.values(), ids=BAD_LATEST.keys())
async def test_a_document_that_is_not_theirs_is_unreadable(
    body: bytes, company: Company, traced: list[Exchange]
) -> None:
    company.on("/latest.json", Answer(body=body))
    with pytest.raises(Unreadable):
        await fetch(OXR, company, traced)


REACTIONS: dict[str, tuple[Reaction, type[ProviderError]]] = {
    "closes": (companies.CLOSES, OutcomeUnknown),
    "is silent": (companies.SILENCE, OutcomeUnknown),
    "is cut short": (companies.CUT_SHORT, OutcomeUnknown),
    "is no HTTP": (companies.NOT_HTTP, OutcomeUnknown),
    "is a 500 page": (companies.HTML_500, OutcomeUnknown),
    "is a redirect": (companies.ELSEWHERE, OutcomeUnknown),
    "is a 503": (Answer(503), OutcomeUnknown),
    "is huge": (Answer(body=b" " * 1_000_001), OutcomeUnknown),
    "is a 200 page": (companies.HTML_OK, Unreadable),
    "is a 400": (Answer(400, message={"message": "invalid_base"}), Rejected),
    "is a 401": (Answer(401, message={"message": "invalid_app_id"}), Rejected),
    "is a 403": (Answer(403, message={"message": "access_restricted"}), Rejected),
    "is a 404": (Answer(404, message={"message": "not_found"}), Rejected),
    "is a 429": (Answer(429, headers=(("Retry-After", "42"),)), Throttled),
    "repeats the key": (Answer(401, message={"message": APP_ID, "error": APP_ID}), Rejected),
}


@SOURCES
@pytest.mark.parametrize("how", REACTIONS)
async def test_every_other_answer_is_an_error_of_ours_after_one_request(
    source: Source, how: str, company: Company, traced: list[Exchange]
) -> None:
    reaction, expected = REACTIONS[how]
    company.on(source.path, reaction)
    with pytest.raises(expected) as caught:
        await fetch(source, company, traced)
    assert len(company.requests) == 1
    assert APP_ID not in "".join(traceback.format_exception(caught.value))
    if isinstance(caught.value, Rejected):
        assert caught.value.reason == Reason.CONFIGURATION
    if isinstance(caught.value, Throttled):
        assert caught.value.retry_after_seconds == 42.0


@SOURCES
async def test_a_closed_port_is_unreachable(source: Source, traced: list[Exchange]) -> None:
    async with built(source, f"http://127.0.0.1:{companies.closed_port()}", traced) as adapter:
        with pytest.raises(Unreachable):
            await adapter.fetch(PAIRS)


async def test_a_listed_word_tells_what_is_wrong_with_the_account(
    company: Company, traced: list[Exchange]
) -> None:
    company.on("/latest.json", Answer(401, message={"message": "invalid_app_id"}))
    with pytest.raises(Rejected, match="invalid_app_id"):
        await fetch(OXR, company, traced)


def test_settings_and_adapters_show_no_key() -> None:
    settings = OpenExchangeRatesSettings("http://127.0.0.1:1", APP_ID)
    assert APP_ID not in f"{settings!r} {OpenExchangeRates(settings)!r}"


@given(text=st.text(max_size=30) | st.from_regex(r"-?[0-9.,eE+]{1,26}", fullmatch=True))
def test_any_text_is_a_sensible_price_or_unreadable(text: str) -> None:
    try:
        price = read_price("acme", text)
    except Unreadable:
        return
    assert Decimal("0.000001") <= price < 10_000_000


@given(
    base=st.decimals("0.000001", "9999999", places=6),
    quote=st.decimals("0.000001", "9999999", places=6),
)
def test_any_two_prices_cross_to_an_observation_near_their_quotient(
    base: Decimal, quote: Decimal
) -> None:
    prices = {"KES": Price(base, 1), "UGX": Price(quote, 1)}
    (said,) = cross(prices, "USD", [KES_UGX])
    assert abs(Decimal(said.mid) * base / quote - 1) < Decimal("1e-11")


@given(body=st.binary(max_size=200))
def test_any_bytes_are_items_or_unreadable(body: bytes) -> None:
    for each in (body, b"<channel><item>" + body + b"</item></channel>"):
        try:
            assert all(len(item) == 4 for item in read_items(each))
        except Unreadable:
            continue


ENVIRONMENT = {
    "CAPP_OPENEXCHANGERATES_BASE_URL": "http://127.0.0.1:1/api",
    "CAPP_OPENEXCHANGERATES_APP_ID": APP_ID,
    "CAPP_FLOATRATES_BASE_URL": "http://127.0.0.1:1/daily",
}


def test_sources_are_built_from_the_environment_in_the_order_asked_for() -> None:
    changed = {
        **ENVIRONMENT,
        "CAPP_FLOATRATES_STALE_SECONDS": "7",
        "CAPP_OPENEXCHANGERATES_BASE": "EUR",
    }
    names = ["floatrates", "openexchangerates", "floatrates"]
    built_sources = build_rate_sources(changed, names=names)
    assert [source.name for source in built_sources] == ["floatrates", "openexchangerates"]
    assert [source.stale_after_seconds for source in built_sources] == [7, 3 * 3600]
    assert all(source.is_live for source in built_sources)
    assert build_rate_sources({}, names=[]) == []


def test_one_error_names_all_that_is_missing() -> None:
    with pytest.raises(MissingSettings) as caught:
        build_rate_sources({}, names=RATES)
    assert set(caught.value.names) == set(ENVIRONMENT)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAPP_OPENEXCHANGERATES_BASE", "usd"),
        ("CAPP_FLOATRATES_BASE", "../x"),
        ("CAPP_FLOATRATES_BASE_URL", "floatrates"),
        ("CAPP_FLOATRATES_STALE_SECONDS", "soon"),
    ],
)
def test_a_senseless_value_is_refused_at_the_start(name: str, value: str) -> None:
    with pytest.raises(ValueError):
        build_rate_sources({**ENVIRONMENT, name: value}, names=RATES)


def test_a_source_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="ecb"):
        build_rate_sources(ENVIRONMENT, names=["ecb"])

"""Rates from FloatRates: one XML document for one base, made daily, no key.

Facts: the public feed `www.floatrates.com/daily/<base>.xml` (documents of 2018 and 2019 kept in
public repositories, read 2026-11-21). Sure: a `channel` with one `item` per currency, in it
`baseCurrency`, `targetCurrency`, `exchangeRate` (target units for one base unit, eight decimals)
and `pubDate` as in e-mail. Not sure, and therefore a setting: whether it is made on weekends too
(`stale_after_seconds`). Large rates may carry commas between thousands; they are taken only in
front of a decimal point, where they can mean nothing else.

The reference rates of the European Central Bank would be another such document, but none of the
currencies we pay in is among them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote
from xml.parsers import expat

import httpx

from engine.clock import ms_of
from engine.errors import Unreadable
from engine.ports import Observation, Pair
from providers.http import DEFAULT_TIMEOUTS, Client, Timeouts, Trace, no_trace
from providers.rates import Price, cross, http_error, needed, read_price

NAME: Final = "floatrates"
BASE: Final = "USD"
STALE_AFTER_SECONDS: Final = 36 * 3600
"""Made once a day; a day and a half without a new one is a broken source."""

_FIELDS: Final = ("baseCurrency", "targetCurrency", "exchangeRate", "pubDate")
_DEPTH_MAX: Final = 6
_ITEMS_MAX: Final = 1_000
_TEXT_MAX: Final = 64
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]+")


@dataclass(frozen=True)
class FloatRatesSettings:
    """`base_url` is up to and with `/daily`."""

    base_url: str
    base: str = BASE
    stale_after_seconds: int = STALE_AFTER_SECONDS
    timeouts: Timeouts = DEFAULT_TIMEOUTS


class FloatRates:
    """See `engine.ports.RateSource`."""

    name = NAME
    is_live = True

    def __init__(
        self,
        settings: FloatRatesSettings,
        *,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when the address is none."""
        self.stale_after_seconds = settings.stale_after_seconds
        self._base = settings.base
        self._client = Client(
            NAME,
            settings.base_url,
            timeouts=settings.timeouts,
            connections=1,
            transport=transport,
            trace=trace,
        )
        self._url = self._client.url(f"/{quote(settings.base.lower(), safe='')}.xml")

    async def fetch(self, pairs: Sequence[Pair]) -> list[Observation]:
        """One request for all pairs."""
        response = await self._client.send(
            "rates", "GET", self._url, headers=[(b"Accept", b"application/xml, text/xml")]
        )
        if response.status_code != 200:
            raise http_error(NAME, response)
        return cross(self._read(response.content, pairs), self._base, pairs)

    async def aclose(self) -> None:
        await self._client.aclose()

    def _read(self, body: bytes, pairs: Sequence[Pair]) -> dict[str, Price]:
        wanted = needed(pairs, self._base)
        prices: dict[str, Price] = {}
        for item in read_items(body):
            if item["baseCurrency"] != self._base:
                raise Unreadable(NAME, "rates for another base")
            code = item["targetCurrency"]
            if code in prices:
                raise Unreadable(NAME, "two rates for one currency")
            if code in wanted:
                prices[code] = Price(_price(item["exchangeRate"]), _epoch_ms(item["pubDate"]))
        return prices


def read_items(body: bytes) -> list[dict[str, str]]:
    """The four fields of every item. Raises Unreadable for anything but a plain feed.

    A document type is refused before it can declare an entity, so nothing is ever expanded.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse_document_type
    parser.StartElementHandler = reader.open
    parser.EndElementHandler = reader.close
    parser.CharacterDataHandler = reader.write
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last for an encoding
        raise Unreadable(NAME, "no XML document") from error
    if not reader.items:
        raise Unreadable(NAME, "no rates in the document")
    return reader.items


class _Reader:
    """Collects `channel/item/<field>`; whatever else is there is passed over."""

    def __init__(self) -> None:
        self.items: list[dict[str, str]] = []
        self._path: list[str] = []
        self._item: dict[str, str] = {}

    def refuse_document_type(self, *_: object) -> None:
        raise Unreadable(NAME, "a document type, which nobody needs")

    def open(self, name: str, _: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > _DEPTH_MAX or len(self.items) >= _ITEMS_MAX:
            raise Unreadable(NAME, "a document that never ends")
        if self._path == ["channel", "item"]:
            self._item = dict.fromkeys(_FIELDS, "")

    def close(self, _: str) -> None:
        if self._path == ["channel", "item"]:
            self.items.append({field: text.strip() for field, text in self._item.items()})
        self._path.pop()

    def write(self, text: str) -> None:
        match self._path:
            case ["channel", "item", field] if field in self._item:
                self._item[field] += text
                if len(self._item[field]) > _TEXT_MAX:
                    raise Unreadable(NAME, f"{field} is too long")


def _price(text: str) -> Decimal:
    return read_price(NAME, text.replace(",", "") if _GROUPED.fullmatch(text) else text)


def _epoch_ms(text: str) -> int:
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            raise ValueError("a time without a zone")
        return ms_of(moment)
    except (ValueError, OverflowError) as error:
        raise Unreadable(NAME, "a time that is none") from error

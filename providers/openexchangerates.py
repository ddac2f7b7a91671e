"""Rates from Open Exchange Rates: one JSON document, every currency for one base.

Facts: docs.openexchangerates.org, pages "latest.json", "Authentication" and "Errors" (read
2026-11-21). Sure: `GET /latest.json?app_id=...`; `timestamp` in whole epoch seconds, `base`,
`rates` by ISO code; errors as `{"error": true, "status", "message"}` with 401 for a bad app id,
403 for restricted access, 429 for too many requests or a feature outside the plan. Not sure, and
therefore settings: how often one's plan is updated (`stale_after_seconds`), and which base it may
ask for (free plans only USD). `symbols` is not sent: not every plan may filter.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import httpx

from engine.errors import Unreadable
from engine.ports import Observation, Pair
from providers.http import DEFAULT_TIMEOUTS, Client, Timeouts, Trace, no_trace
from providers.rates import Price, cross, http_error, needed, read_epoch_ms, read_price
from providers.wire import json_object, word

NAME: Final = "openexchangerates"
BASE: Final = "USD"
STALE_AFTER_SECONDS: Final = 3 * 3600
"""Plans update hourly or faster; three missed updates are a broken source."""

_ERRORS: Final = frozenset(
    {
        "not_found", "missing_app_id", "invalid_app_id", "not_allowed", "access_restricted",
        "invalid_base",
    }
)  # fmt: skip


@dataclass(frozen=True)
class OpenExchangeRatesSettings:
    """One account. `base_url` is up to and with `/api`."""

    base_url: str
    app_id: str = field(repr=False)
    base: str = BASE
    stale_after_seconds: int = STALE_AFTER_SECONDS
    timeouts: Timeouts = DEFAULT_TIMEOUTS


class OpenExchangeRates:
    """See `engine.ports.RateSource`."""

    name = NAME
    is_live = True

    def __init__(
        self,
        settings: OpenExchangeRatesSettings,
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
        base = "" if settings.base == BASE else f"&base={quote(settings.base, safe='')}"
        self._url = self._client.url(f"/latest.json?app_id={quote(settings.app_id, safe='')}{base}")

    async def fetch(self, pairs: Sequence[Pair]) -> list[Observation]:
        """One request for all pairs."""
        response = await self._client.send(
            "rates", "GET", self._url, headers=[(b"Accept", b"application/json")]
        )
        message = json_object(response.content)
        if response.status_code != 200:
            said = word((message or {}).get("message"))
            # Their word is repeated only if it is a listed one: the rest may hold our key.
            raise http_error(NAME, response, said if said in _ERRORS else "")
        return cross(self._read(message, pairs), self._base, pairs)

    async def aclose(self) -> None:
        await self._client.aclose()

    def _read(self, message: dict[str, Any] | None, pairs: Sequence[Pair]) -> dict[str, Price]:
        rates = message.get("rates") if message else None
        if message is None or not isinstance(rates, dict):
            raise Unreadable(NAME, "no document of rates")
        if message.get("base") != self._base:
            raise Unreadable(NAME, "rates for another base")
        at_ms = read_epoch_ms(NAME, message.get("timestamp"))
        # Only what is asked for is read: a senseless price of gold is nobody's problem here.
        return {
            code: Price(read_price(NAME, rates[code]), at_ms)
            for code in needed(pairs, self._base)
            if code in rates
        }

"""A look-up service for ported numbers: plain HTTP, one number a question, one operator an answer.

The dialect is ours, for whatever stands before a country's number portability database:
`GET <url>/<digits>` is answered 200 with `{"operator": "airtel_ug"}`, an operator by our own name,
or with `{"mccmnc": "64101"}`, its mobile country and network code; 404 when nothing is known of the
number. What else such a service sends along is not read. A token, if there is one, goes as
`Authorization: Bearer`. A whole number stands in the path, which no trace ever shows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from engine.errors import OutcomeUnknown, Throttled, Unreadable
from engine.msisdn import Msisdn
from providers.environment import Environment, SenselessSettings
from providers.http import Client, Timeouts, Trace, no_trace
from providers.wire import json_object, word

NAME: Final = "portability"
TIMEOUTS: Final = Timeouts(connect_seconds=0.5, read_seconds=1.0, pool_seconds=0.5)
"""A customer sits before a screen; whoever asks waits less still (`engine/payments/wallets.py`)."""

_OPERATOR = re.compile(r"[0-9a-z]{2,30}_[a-z]{2}")
_MCCMNC = re.compile(r"[0-9]{5,6}")


@dataclass(frozen=True)
class PortabilitySettings:
    """One service. `url` is what stands before the number, without a slash at its end."""

    url: str
    token: str = field(default="", repr=False)
    timeouts: Timeouts = TIMEOUTS


class Portability:
    """See `engine.ports.PortabilityPort`."""

    name = NAME

    def __init__(
        self,
        settings: PortabilitySettings,
        networks: Mapping[str, str],
        *,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`networks`: network code -> our name. Raises ValueError when the address is none."""
        self._networks = dict(networks)
        self._client = Client(
            NAME,
            settings.url,
            timeouts=settings.timeouts,
            connections=20,
            transport=transport,
            trace=trace,
        )
        self._url = self._client.url("/")
        self._headers = [(b"Accept", b"application/json")]
        if settings.token:
            self._headers.append((b"Authorization", b"Bearer " + settings.token.encode("ascii")))

    async def operator_of(self, msisdn: Msisdn) -> str | None:
        """One question; a repeat is safe. As `PortabilityPort.operator_of`."""
        response = await self._client.send(
            "look-up", "GET", self._url, headers=self._headers, below=msisdn.digits
        )
        if response.status_code == 404:
            return None
        if response.status_code == 429:
            raise Throttled(NAME, "too many questions", code="429")
        if response.status_code != 200:
            raise OutcomeUnknown(NAME, "no answer to rely on", code=str(response.status_code))
        return self._read(json_object(response.content))

    async def aclose(self) -> None:
        await self._client.aclose()

    def _read(self, answer: dict[str, Any] | None) -> str | None:
        if answer is None or not answer.keys() & {"operator", "mccmnc"}:
            raise Unreadable(NAME, "neither an operator nor a network code")
        if operator := word(answer.get("operator")):
            if not _OPERATOR.fullmatch(operator):
                raise Unreadable(NAME, "an operator that is no name of ours")
            return operator
        code = word(answer.get("mccmnc"))
        if not _MCCMNC.fullmatch(code):
            raise Unreadable(NAME, "a network code that is none")
        return self._networks.get(code)


def build_portability(
    variables: Mapping[str, str], networks: Mapping[str, str], trace: Trace = no_trace
) -> Portability | None:
    """The service of `CAPP_PORTABILITY_URL`, with `_TOKEN` if it wants one; None without a URL.

    Raises SenselessSettings when the address or the token cannot be sent.
    """
    environment = Environment(variables, "CAPP_PORTABILITY_")
    url, token = environment.text("URL"), environment.text("TOKEN")
    if not url:
        return None
    if not token.isascii() or not token.isprintable():
        raise SenselessSettings("CAPP_PORTABILITY_TOKEN must be plain ASCII")
    try:
        return Portability(PortabilitySettings(url.rstrip("/"), token), networks, trace=trace)
    except ValueError as error:
        raise SenselessSettings(f"CAPP_PORTABILITY_URL: {error}") from error

"""CAMARA's "SIM Swap": how operators and aggregators tell when a number's SIM was changed.

Facts: not in our reference; the API's definition, `sim-swap` 2.1. Never tried against an operator:
which address, scope and token endpoint apply is agreed with whoever runs it, so these are settings.
Two-legged tokens by client credentials.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import httpx
import msgspec

from engine.clock import Clock
from engine.errors import OutcomeUnknown, Rejected, Throttled, Unreadable
from engine.msisdn import Msisdn
from engine.ports import Reason
from providers.environment import Environment, SenselessSettings
from providers.http import (
    Client,
    Timeouts,
    Token,
    TokenCache,
    Trace,
    basic_authorization,
    no_trace,
    read_token,
    retry_after_seconds,
    with_token,
)
from providers.wire import json_object, word

NAME: Final = "camara"
TIMEOUTS: Final = Timeouts(connect_seconds=0.5, read_seconds=2.0, pool_seconds=0.5)
"""Whoever asks waits less still (`engine/payments/sims.py`)."""
SCOPE: Final = "sim-swap:retrieve-date"

_TOKEN_MARGIN_SECONDS = 30.0
_THROTTLED_SECONDS = 15.0
_CODE = re.compile(r"[A-Z_]{1,60}")


@dataclass(frozen=True)
class CamaraSettings:
    """One service. `url` is its root with the version, `.../sim-swap/v2`, without a last slash."""

    url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    operators: tuple[str, ...]  # of whose numbers it tells, by our names of them
    scope: str = SCOPE
    timeouts: Timeouts = TIMEOUTS


class Camara:
    """See `engine.ports.SimPort`."""

    tells_sims = True

    def __init__(
        self,
        settings: CamaraSettings,
        *,
        clock: Clock,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when one of the addresses is none."""
        self.operators = settings.operators
        self._client, self._door = (
            Client(
                NAME, url, timeouts=settings.timeouts, connections=20, transport=transport,
                trace=trace,
            )
            for url in (settings.url, settings.token_url)
        )  # fmt: skip
        self._url, self._token_url = self._client.url("/retrieve-date"), self._door.url("")
        self._token_headers = [
            basic_authorization(settings.client_id, settings.client_secret),
            (b"Content-Type", b"application/x-www-form-urlencoded"),
        ]
        form = {"grant_type": "client_credentials", "scope": settings.scope}
        self._token_body = str(httpx.QueryParams(form)).encode()
        self._tokens = TokenCache(
            self._fetch_token, clock=clock, margin_seconds=_TOKEN_MARGIN_SECONDS
        )

    async def sim_changed_at(self, msisdn: Msisdn) -> datetime | None:
        """None: not within the time that the operator keeps such things for.

        A number of which nothing is told (not theirs, or they may not) is Rejected.
        """
        body = msgspec.json.encode({"phoneNumber": str(msisdn)})

        async def send(token: str) -> httpx.Response:
            headers = [
                (b"Authorization", b"Bearer " + token.encode()),
                (b"Content-Type", b"application/json"),
            ]
            return await self._client.send(
                "sim_swap", "POST", self._url, headers=headers, body=body
            )

        response = await with_token(self._tokens, send, lambda r: r.status_code == 401)
        if response.status_code == 200:
            return _read(response)
        code = _code_of(response)
        if response.status_code == 429:
            raise Throttled(
                NAME, "too many questions", code=code,
                retry_after_seconds=retry_after_seconds(response, _THROTTLED_SECONDS),
            )  # fmt: skip
        if response.status_code in (404, 422):
            raise Rejected(NAME, "nothing is told of it", code=code, reason=Reason.NOT_REGISTERED)
        if response.status_code in (400, 401, 403):
            raise Rejected(NAME, "we may not ask so", code=code, reason=Reason.CONFIGURATION)
        raise OutcomeUnknown(NAME, "no answer to rely on", code=code)

    async def aclose(self) -> None:
        await self._tokens.aclose()
        await self._client.aclose()
        await self._door.aclose()

    async def _fetch_token(self) -> Token:
        response = await self._door.send(
            "token", "POST", self._token_url, headers=self._token_headers, body=self._token_body
        )
        if (token := read_token(response)) is not None:
            return token
        if response.status_code in (400, 401, 403):
            raise Rejected(
                NAME, "our client id or secret was refused", code=str(response.status_code),
                reason=Reason.CONFIGURATION,
            )  # fmt: skip
        raise OutcomeUnknown(NAME, "no token in the answer", code=str(response.status_code))


def _read(response: httpx.Response) -> datetime | None:
    answer = json_object(response.content)
    if answer is None or "latestSimChange" not in answer:
        raise Unreadable(NAME, "no word of a SIM's last change")
    stamp = answer["latestSimChange"]
    if stamp is None:
        return None
    try:
        changed_at = datetime.fromisoformat(word(stamp))
    except ValueError as error:
        raise Unreadable(NAME, "no moment of a SIM's last change") from error
    if changed_at.tzinfo is None:  # its definition wants one; which was meant nobody knows
        raise Unreadable(NAME, "a moment without its time zone")
    return changed_at.astimezone(UTC)


def _code_of(response: httpx.Response) -> str:
    """The word of `ErrorInfo`; its prose may repeat the number, and is left alone."""
    code = word((json_object(response.content) or {}).get("code"))
    return code if _CODE.fullmatch(code) else str(response.status_code)


def build_camara(
    variables: Mapping[str, str], clock: Clock, trace: Trace = no_trace
) -> Camara | None:
    """The service of `CAPP_SIM_SWAP_URL`; None without one.

    Raises MissingSettings, and SenselessSettings when an address, a name of an operator or a
    secret cannot be used.
    """
    if not Environment(variables, "CAPP_SIM_SWAP_").text("URL"):
        return None
    env = Environment(
        variables, "CAPP_SIM_SWAP_", "URL", "TOKEN_URL", "CLIENT_ID", "CLIENT_SECRET", "OPERATORS"
    )
    settings = CamaraSettings(
        url=env.text("URL").rstrip("/"),
        token_url=env.text("TOKEN_URL"),
        client_id=env.text("CLIENT_ID"),
        client_secret=env.text("CLIENT_SECRET"),
        operators=env.names("OPERATORS"),
        **env.given("SCOPE"),
    )
    try:
        return Camara(settings, clock=clock, trace=trace)
    except ValueError as error:
        raise SenselessSettings(f"CAPP_SIM_SWAP_URL, CAPP_SIM_SWAP_TOKEN_URL: {error}") from error

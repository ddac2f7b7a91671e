"""One Airtel application on the wire: its token, its keys, its headers, its signature.

Facts: reference `airtel-money.md`, sections 3, 4 and 9. It refuses to judge an answer.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
import msgspec

from engine.clock import Clock
from engine.errors import OutcomeUnknown, Rejected, Throttled
from engine.ports import OperatorFacts, Reason
from providers.airtel_money.answers import Answer, child, is_token_refused, read_answer
from providers.airtel_money.sealing import read_public_key, seal_pin, sign
from providers.airtel_money.settings import AirtelMoneySettings
from providers.http import Client, Token, TokenCache, read_token, with_token
from providers.wire import json_object, word

_TOKEN_MARGIN_SECONDS = 15.0  # of 180 (section 3)
# `valid_upto` names no zone, and all fourteen countries are within four hours of UTC.
_KEYS_MARGIN_SECONDS = 4 * 3600.0
_KEYS_SECONDS_MIN = 300.0
_KEYS_DATE = "%d-%m-%Y %H:%M:%S"
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Keys(NamedTuple):
    """What requests are sealed with, in base64; the same key where Airtel has only one."""

    signing: str
    pin: str
    fetched: str = ""  # what they were taken from, if Airtel was asked


class Api:
    """Everything requests of one application have in common."""

    def __init__(
        self,
        facts: OperatorFacts,
        settings: AirtelMoneySettings,
        client: Client,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
    ) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._random = random
        self._token_url = client.url("/auth/oauth2/token")
        self._keys_url = client.url("/v1/rsa/encryption-keys")
        self._place = [
            (b"X-Country", facts.country.encode()),
            (b"X-Currency", (settings.currency_word or facts.currency).encode()),
            (b"Accept", b"*/*"),
        ]
        self._tokens = TokenCache(
            self._fetch_token, clock=clock, margin_seconds=_TOKEN_MARGIN_SECONDS
        )
        # Kept as tokens are: fetched once for all who wait, renewed before their end.
        self._keys = TokenCache(self._fetch_keys, clock=clock, margin_seconds=_KEYS_MARGIN_SECONDS)

    async def get(self, operation: str, url: httpx.URL, *, below: str = "") -> Answer:
        return await self._send(operation, "GET", url, below=below)

    async def post(
        self,
        operation: str,
        url: httpx.URL,
        message: dict[str, Any],
        *,
        signed: bool = False,
        with_pin: bool = False,
    ) -> Answer:
        """One order. Sealed with a key that is refused it was not looked at, and goes once more
        if there is another key by now.
        """
        keys = await self._current_keys(signed=signed, with_pin=with_pin)
        answer = await self._post(operation, url, message, keys, signed=signed, with_pin=with_pin)
        if not answer.is_key_refused:
            return answer
        self._keys.drop(keys.fetched)
        renewed = await self._current_keys(signed=signed, with_pin=with_pin)
        if renewed == keys:
            return answer
        return await self._post(operation, url, message, renewed, signed=signed, with_pin=with_pin)

    async def aclose(self) -> None:
        await self._keys.aclose()
        await self._tokens.aclose()

    async def _post(
        self,
        operation: str,
        url: httpx.URL,
        message: dict[str, Any],
        keys: Keys,
        *,
        signed: bool,
        with_pin: bool,
    ) -> Answer:
        settings = self._settings
        if with_pin:
            pin = seal_pin(settings.pin, read_public_key(keys.pin), settings.pin_padding)
            message = {**message, settings.pin_field: pin}
        body = _ENCODER.encode(message)
        headers = [(b"Content-Type", b"application/json")]
        if signed:
            signature, key = sign(body, read_public_key(keys.signing), self._random)
            headers += [(b"x-signature", signature.encode()), (b"x-key", key.encode())]
        return await self._send(operation, "POST", url, headers=headers, body=body)

    async def _send(
        self,
        operation: str,
        method: str,
        url: httpx.URL,
        *,
        headers: list[tuple[bytes, bytes]] | None = None,
        body: bytes = b"",
        below: str = "",
    ) -> Answer:
        async def send(token: str) -> httpx.Response:
            complete = [
                (b"Authorization", b"Bearer " + token.encode()),
                *self._place,
                *(headers or []),
            ]
            return await self._client.send(
                operation, method, url, headers=complete, body=body, below=below
            )

        return read_answer(await with_token(self._tokens, send, is_token_refused))

    async def _current_keys(self, *, signed: bool, with_pin: bool) -> Keys:
        """The keys this order needs; an empty one where none is needed."""
        key = self._settings.encryption_key
        own = Keys(signing=key, pin=self._settings.pin_key or key)
        if (own.signing or not signed) and (own.pin or not with_pin):
            return own
        fetched = await self._keys.current()
        signing, _, pin = fetched.partition(",")
        return Keys(own.signing or signing, own.pin or pin, fetched)

    async def _fetch_keys(self) -> Token:
        """Both keys with a comma between; base64 has none, nor have lines of PEM around it."""
        name = self._client.provider
        answer = await self._send("keys", "GET", self._keys_url)
        told = child(answer.message, "data")
        signing = told.get("key")
        pin = told.get("pin_key") or signing  # some countries have a second one (section 9)
        try:
            if answer.response.status_code != 200:
                raise ValueError("no keys")
            for key in (signing, pin):
                read_public_key(key if isinstance(key, str) else "")
        except ValueError as error:
            raise OutcomeUnknown(name, "no key in the answer", code=answer.shown) from error
        return Token(f"{signing},{pin}", self._keys_live(told.get("valid_upto")))

    def _keys_live(self, valid_upto: Any) -> float:
        """Seconds from now. A date that is none, or is over, is not asked about all the time."""
        try:
            end = datetime.strptime(word(valid_upto), _KEYS_DATE).replace(tzinfo=UTC)
        except ValueError:
            return _KEYS_SECONDS_MIN
        return max(end.timestamp() - self._clock.epoch(), _KEYS_SECONDS_MIN)

    async def _fetch_token(self) -> Token:
        name = self._client.provider
        asked = {
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret,
            "grant_type": "client_credentials",
        }
        headers = [(b"Content-Type", b"application/json"), (b"Accept", b"*/*")]
        body = _ENCODER.encode(asked)
        response = await self._client.send(
            "token", "POST", self._token_url, headers=headers, body=body
        )
        if (token := read_token(response)) is not None:
            return token
        problem = word((json_object(response.content) or {}).get("error"))
        if response.status_code in (400, 401, 403):
            raise Rejected(
                name,
                "our client id or secret, or our address, was refused",
                code=problem or str(response.status_code),
                reason=Reason.CONFIGURATION,
            )
        if response.status_code == 429:
            raise Throttled(name, "too many token requests", code="429")
        raise OutcomeUnknown(name, "no token in the answer", code=str(response.status_code))

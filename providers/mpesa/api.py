"""How Daraja is called: one token for all callers, one sealed password, one answer each.

Facts: reference `mpesa.md`, sections 1, 2, 10 and 11. It refuses to know what is asked.
"""

import base64
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from engine.clock import Clock
from engine.errors import OutcomeUnknown, Rejected
from engine.ports import Reason, callback_at
from providers.http import (
    Client,
    Token,
    TokenCache,
    Trace,
    basic_authorization,
    read_token,
    with_token,
)
from providers.mpesa.answers import (
    NAME,
    SHOWN,
    Answer,
    error_of,
    is_token_refused,
    read_answer,
    throttled,
)
from providers.mpesa.settings import MpesaSettings

_TOKEN_MARGIN_SECONDS = 120.0  # section 2 proposes 60 to 300
# Section 11: an address that contains one of these is refused, whatever the case. A random word
# behind the host never spells the first ones; it may spell one of the others.
_FORBIDDEN_IN_URL = ("mpesa", "m-pesa", "safaricom", "exe", "cmd", "sql", "query")
_FORBIDDEN_HOSTS = ("ngrok", "mockbin", "requestbin")  # tunnels and inspectors


class Daraja:
    """One Daraja app. Every `post` is sent once, save once more after a refused token."""

    def __init__(
        self,
        settings: MpesaSettings,
        *,
        clock: Clock,
        trace: Trace,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        """Raises ValueError when the certificate or the address is none."""
        self._settings = settings
        self._client = Client(
            NAME,
            settings.base_url,
            timeouts=settings.timeouts,
            connections=settings.connections,
            per_second=settings.per_second,
            transport=transport,
            trace=trace,
            shown=SHOWN,
        )
        self._tokens = TokenCache(
            self._fetch_token, clock=clock, margin_seconds=_TOKEN_MARGIN_SECONDS
        )
        # One sealed password may serve many requests (section 8), and sealing is not cheap.
        self.credential = security_credential(settings.initiator_password, settings.certificate_pem)
        self._token_url = self.url("/oauth/v1/generate?grant_type=client_credentials")

    def url(self, path: str) -> httpx.URL:
        """The whole address of one API, built once for all calls."""
        return self._client.url(path)

    @property
    def initiator(self) -> dict[str, str]:
        """Who asks, as every API but B2C spells it (section 8)."""
        return {"Initiator": self._settings.initiator, "SecurityCredential": self.credential}

    async def post(self, operation: str, url: httpx.URL, message: Mapping[str, Any]) -> Answer:
        """What was answered, whatever it is. Raises what calling raises."""
        body = msgspec.json.encode(message)

        async def send(token: str) -> httpx.Response:
            headers = [
                (b"Authorization", b"Bearer " + token.encode()),
                (b"Content-Type", b"application/json"),
            ]
            return await self._client.send(operation, "POST", url, headers=headers, body=body)

        return read_answer(await with_token(self._tokens, send, is_token_refused))

    async def ask(self, operation: str, url: httpx.URL, message: Mapping[str, Any]) -> Answer:
        """The same, and everything that is no acceptance is raised."""
        answer = await self.post(operation, url, message)
        if not answer.is_accepted:
            raise error_of(answer)
        return answer

    async def aclose(self) -> None:
        await self._tokens.aclose()
        await self._client.aclose()

    async def _fetch_token(self) -> Token:
        key, secret = self._settings.consumer_key, self._settings.consumer_secret
        headers = [basic_authorization(key, secret)]
        response = await self._client.send("token", "GET", self._token_url, headers=headers)
        if (token := read_token(response)) is not None:
            return token
        if response.status_code in (400, 401):  # a wrong key or secret: 400 and no body
            raise Rejected(
                NAME,
                "our consumer key or secret was refused",
                code=read_answer(response).code or str(response.status_code),
                reason=Reason.CONFIGURATION,
            )
        if response.status_code == 429:
            raise throttled(response)
        raise OutcomeUnknown(NAME, "no token in the answer", code=str(response.status_code))


def security_credential(initiator_password: str, certificate_pem: bytes) -> str:
    """The initiator's password for Safaricom's eyes (section 10); differs at every call.

    The certificate's dates are ignored: both known ones ended long ago and are in use. Raises
    ValueError when it is no certificate with an RSA key.
    """
    key = x509.load_pem_x509_certificate(certificate_pem).public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError(f"{NAME}: the certificate holds no RSA key")
    sealed = key.encrypt(initiator_password.encode(), PKCS1v15())
    return base64.b64encode(sealed).decode()


def address_for(callback_url: str, kind: str) -> str:
    """Our address for one kind of callback. Raises Rejected for one that Daraja would refuse."""
    return allowed(callback_at(callback_url, kind))


def allowed(url: str) -> str:
    """The address, if it contains no forbidden word; else raises Rejected, and nothing was sent."""
    if forbidden_in(url) is not None:
        raise Rejected(
            NAME,
            "the callback address contains a word the operator forbids",
            code="callback_url",
            reason=Reason.CONFIGURATION,
        )
    return url


def forbidden_in(url: str) -> str | None:
    """The first word of an address that Daraja forbids there; None when there is none."""
    lowered = url.lower()
    host = lowered.partition("://")[2].partition("/")[0]
    places = ((_FORBIDDEN_IN_URL, lowered), (_FORBIDDEN_HOSTS, host))
    return next((word for words, place in places for word in words if word in place), None)

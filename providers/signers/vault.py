"""Keys in Vault's Transit engine: it signs for us, and no private key ever comes here.

Facts: HashiCorp's API documentation of the Transit engine (read, sign), of token self-renewal, and
of status codes and `errors` bodies, read 2026-11-21; sealed is 503, a key that is not there 404 or
400, and 403 hides whether there is anything. Ed25519 signs the message itself, so a signature is
always the same, and nothing is changed by asking twice.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from engine.clock import Clock
from engine.errors import OutcomeUnknown, Rejected, Throttled, Unreadable
from engine.ports import Reason
from providers.http import Client, Timeouts, Trace, no_trace, retry_after_seconds
from providers.signers.names import is_key_name
from providers.wire import json_object, word

NAME: Final = "vault"
TIMEOUTS: Final = Timeouts(connect_seconds=3.0, read_seconds=5.0, pool_seconds=5.0)
RENEW_SHARE: Final = 0.5
"""A token is renewed when this share of its life is over."""

_PUBLIC_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
_MOUNT = re.compile(r"[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,7}")
_LATER: Final = frozenset({412, 429, 472, 473, 503})
"""Behind its primary, too many, a standby, sealed: it was not looked at."""
_RETRY_SECONDS: Final = 5.0


class VaultSettings(NamedTuple):
    """`url` without a path; `mount` is where Transit is; the token is read anew from its file.

    `versions` names the version of a key that is not at its first one: an account's address
    follows from one version, and does not change when Vault rotates the key.
    """

    url: str
    token_file: Path
    mount: str = "transit"
    versions: Mapping[str, int] = {}
    timeouts: Timeouts = TIMEOUTS


class VaultSigner:
    """See `engine.ports.SignerPort`. Whatever Vault tells is checked before it is believed."""

    def __init__(
        self,
        settings: VaultSettings,
        *,
        clock: Clock,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when the address or the mount is none."""
        if not _MOUNT.fullmatch(settings.mount):
            raise ValueError("a mount is words with slashes between")
        self._settings = settings
        self._clock = clock
        self._client = Client(
            NAME, settings.url, timeouts=settings.timeouts, transport=transport, trace=trace
        )
        self._keys = self._client.url(f"/v1/{settings.mount}/keys/")
        self._sign = self._client.url(f"/v1/{settings.mount}/sign/")
        self._renewal = self._client.url("/v1/auth/token/renew-self")
        self._public_keys: dict[str, bytes] = {}
        self._renew_at: float | None = None
        self._renewed_token = ""

    def __repr__(self) -> str:
        return "VaultSigner()"

    async def public_key(self, name: str) -> bytes:
        """Asked once for each key. Raises Rejected, Throttled, Unreachable or OutcomeUnknown."""
        if name not in self._public_keys:
            self._public_keys[name] = await self._fetch_public_key(name)
        return self._public_keys[name]

    async def sign(self, name: str, message: bytes) -> bytes:
        """Safe to repeat. Raises as `public_key`, and Unreadable for what is no signature of it."""
        public_key = await self.public_key(name)
        version = self._version(name)
        question = {"input": base64.b64encode(message).decode(), "key_version": version}
        told = await self._ask("sign", "POST", self._sign, name, msgspec.json.encode(question))
        signature = _signature(told.get("signature"), version)
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise Unreadable(NAME, "a signature that does not fit the key") from error
        return signature

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _fetch_public_key(self, name: str) -> bytes:
        told = await self._ask("key", "GET", self._keys, name)
        if told.get("type") != "ed25519":
            raise _rejected(f"key {name} is not of type ed25519", "type")
        versions = told.get("keys")
        version = versions.get(str(self._version(name))) if isinstance(versions, dict) else None
        if not isinstance(version, dict):
            raise _rejected(f"key {name} has no version {self._version(name)}", "version")
        public_key = _unpacked(version.get("public_key"))
        if len(public_key) != _PUBLIC_KEY_BYTES:
            raise Unreadable(NAME, "a public key that is none")
        return public_key

    def _version(self, name: str) -> int:
        return self._settings.versions.get(name, 1)

    async def _ask(
        self, operation: str, method: str, url: httpx.URL, name: str, body: bytes = b""
    ) -> dict[str, Any]:
        """The `data` of an answer. Raises what everything else is worth."""
        if not is_key_name(name):
            raise _rejected("a name that no key can have", "name")
        token = self._token()
        await self._keep_alive(token)
        response = await self._client.send(
            operation, method, url, headers=_headers(token), body=body, below=name
        )
        if response.status_code != 200:
            raise _error_of(response, name)
        told = (json_object(response.content) or {}).get("data")
        if not isinstance(told, dict):
            raise Unreadable(NAME, "an answer without data")
        return told

    def _token(self) -> str:
        """From its file every time: whoever renews it from outside replaces the file."""
        try:
            token = self._settings.token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise _rejected("the file of the token cannot be read", "token") from error
        if not _TOKEN.fullmatch(token):
            raise _rejected("the file of the token holds none", "token")
        return token

    async def _keep_alive(self, token: str) -> None:
        """Renew the token in time. When that fails, the call behind it says what it is worth."""
        now = self._clock.epoch()
        if token == self._renewed_token and (self._renew_at is None or now < self._renew_at):
            return
        self._renewed_token, self._renew_at = token, now + _RETRY_SECONDS
        try:
            response = await self._client.send(
                "renew", "POST", self._renewal, headers=_headers(token), body=b"{}"
            )
        except OutcomeUnknown:
            return  # in a few seconds again; the token is still what it was
        self._renew_at = self._next_renewal(response, now)

    def _next_renewal(self, response: httpx.Response, now: float) -> float | None:
        if response.status_code in _LATER or response.status_code >= 500:
            return now + _RETRY_SECONDS
        told = (json_object(response.content) or {}).get("auth")
        seconds = told.get("lease_duration") if isinstance(told, dict) else None
        if response.status_code != 200 or not isinstance(seconds, int) or seconds <= 0:
            return None  # a token that cannot be renewed, or needs not to be
        return now + seconds * RENEW_SHARE


def _headers(token: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"X-Vault-Token", token.encode("ascii")),
        (b"X-Vault-Request", b"true"),  # an agent in between may insist on it
        (b"Content-Type", b"application/json"),
        (b"Accept", b"application/json"),
    ]


def _signature(value: Any, version: int) -> bytes:
    prefix = f"vault:v{version}:"
    text = value if isinstance(value, str) else ""
    signature = _unpacked(text.removeprefix(prefix)) if text.startswith(prefix) else b""
    if len(signature) != _SIGNATURE_BYTES:
        raise Unreadable(NAME, "a signature that is none")
    return signature


def _unpacked(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        return b""


def _error_of(response: httpx.Response, name: str) -> Rejected | Throttled | OutcomeUnknown:
    """Of `errors` no word is kept: it repeats what it was asked for."""
    status = response.status_code
    code = word(str(status))
    if status in _LATER:
        wait = retry_after_seconds(response, _RETRY_SECONDS)
        return Throttled(NAME, "not now", code=code, retry_after_seconds=wait)
    if status in (400, 403, 404, 405) and _speaks_vault(response):
        return _rejected(f"key {name} is not there, or not for this token", code)
    return OutcomeUnknown(NAME, "no answer to rely on", code=code)


def _speaks_vault(response: httpx.Response) -> bool:
    """Its errors are lists under `errors`; a proxy before it answers otherwise."""
    return isinstance((json_object(response.content) or {}).get("errors"), list)


def _rejected(detail: str, code: str) -> Rejected:
    return Rejected(NAME, detail, code=code, reason=Reason.CONFIGURATION)

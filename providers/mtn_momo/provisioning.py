"""Makes an API user and its key in MTN's sandbox, which is the only place where that is a call.

Facts: reference `mtn-momo.md`, section 3. In production both are made in the Partner Portal. It
keeps nothing: the key cannot be read back, so whoever asked has to.
"""

import re
from typing import NamedTuple

import httpx

from engine.errors import OutcomeUnknown, Rejected, Throttled
from engine.ports import Reason
from providers.http import Client
from providers.mtn_momo.answers import Answer, is_subscription_refused, read_answer
from providers.wire import word

_HOST = re.compile(r"[0-9A-Za-z]([0-9A-Za-z.-]{0,251}[0-9A-Za-z])?")
_KEY = re.compile(r"[0-9A-Za-z-]{16,128}")


class ApiUser(NamedTuple):
    """A user that can log in. Callbacks go to its host alone; another one needs another user."""

    api_user: str
    api_key: str
    callback_host: str
    target_environment: str

    def __repr__(self) -> str:
        return f"ApiUser({self.callback_host!r}, {self.target_environment!r})"


class Provisioning:
    """One sandbox and one subscription key, of whichever product."""

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        subscription_key: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when the address is none."""
        self._name = name
        self._client = Client(name, base_url, transport=transport)
        self._key_header = (b"Ocp-Apim-Subscription-Key", subscription_key.encode())

    async def make(self, user_id: str, *, callback_host: str) -> ApiUser:
        """A user under that id, a UUID of version 4, with a new key.

        Repeated with the same id it is the same user with another key: the one before is void.
        Raises ValueError for a host that is none, Rejected, Throttled, Unreachable, and
        OutcomeUnknown, after which it may be repeated.
        """
        if not _HOST.fullmatch(callback_host):
            raise ValueError("callbacks go to a host, without scheme, port and path")
        made = await self._post(
            "/v1_0/apiuser",
            b'{"providerCallbackHost":"' + callback_host.encode() + b'"}',
            (b"X-Reference-Id", user_id.encode()),
        )
        if made.status not in (201, 409):
            raise self._error_of(made)
        keyed = await self._post(f"/v1_0/apiuser/{user_id}/apikey")
        key = word(keyed.message.get("apiKey"))
        if keyed.status != 201 or not _KEY.fullmatch(key):
            raise self._error_of(keyed)
        shown = await self._send("GET", f"/v1_0/apiuser/{user_id}")
        host = word(shown.message.get("providerCallbackHost"))
        if shown.status != 200 or host != callback_host:
            raise Rejected(
                self._name,
                f"that user's callbacks go to {host or 'nowhere'}: another host needs another user",
                code="callback_host",
                reason=Reason.CONFIGURATION,
            )
        return ApiUser(user_id, key, host, word(shown.message.get("targetEnvironment")))

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _post(self, path: str, body: bytes = b"", *more: tuple[bytes, bytes]) -> Answer:
        kind = [(b"Content-Type", b"application/json")] if body else []
        return await self._send("POST", path, body, *kind, *more)

    async def _send(
        self, method: str, path: str, body: bytes = b"", *more: tuple[bytes, bytes]
    ) -> Answer:
        headers = [self._key_header, *more]
        url = self._client.url(path)
        response = await self._client.send("provision", method, url, headers=headers, body=body)
        return read_answer(response)

    def _error_of(self, answer: Answer) -> Rejected | Throttled | OutcomeUnknown:
        if is_subscription_refused(answer.response):
            detail = "our subscription key was refused"
        elif answer.status == 404:
            detail = "nobody is provisioned there; in production the Partner Portal does it"
        elif answer.status == 429:
            return Throttled(self._name, "too many requests", code="429")
        elif 400 <= answer.status < 500:
            detail = "the request was refused"
        else:
            return OutcomeUnknown(self._name, "no answer to rely on", code=str(answer.status))
        code = answer.code or str(answer.status)
        return Rejected(self._name, detail, code=code, reason=Reason.CONFIGURATION)

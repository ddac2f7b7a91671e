"""One MTN product on the wire: its keys, its token, its headers and references.

Facts: reference `mtn-momo.md`, sections 2 and 4. It refuses to judge an answer.
"""

import uuid
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import httpx
import msgspec

from engine.clock import AttemptId, Clock
from engine.errors import OutcomeUnknown, Rejected, Throttled
from engine.ports import Order, Reason, callback_at
from providers.http import (
    DEFAULT_TIMEOUTS,
    Client,
    Timeouts,
    Token,
    TokenCache,
    basic_authorization,
    read_token,
    with_token,
)
from providers.mtn_momo.answers import Answer, is_token_refused, read_answer
from providers.mtn_momo.payouts import Payout, check_fields
from providers.wire import json_object

KINDS = ("collection", "disbursement", "remittance")
"""The products, each of which calls back on an address of its own."""

_VERSIONS = {"cashtransfer": "v2_0", "preapproval": "v2_0"}  # of the others v1_0
_TOKEN_MARGIN_SECONDS = 600.0  # section 4.1
_REFERENCE_DOMAIN = b"capp mtn momo v1"


@dataclass(frozen=True)
class MtnMomoSettings:
    """One API user and its subscription keys in one market (sections 1 to 4)."""

    base_url: str
    target_environment: str
    api_user: str = field(repr=False)
    api_key: str = field(repr=False)
    collection_key: str = field(repr=False)
    disbursement_key: str = field(repr=False)
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    connections: int = 100
    per_second: float | None = None  # all products together; None: as fast as it goes
    remittance_key: str = field(default="", repr=False)
    payout: Payout = Payout.TRANSFER
    payouts_before: tuple[Payout, ...] = ()
    """What was paid out by until `payout` was changed: looked at before an order is repeated under
    the new one, which the operator could not tell from the old. Until none of those is open."""
    sender_fields: tuple[str, ...] = ()  # demanded by a market beyond country and amount
    notifies: bool = False  # of a collection whose payment is done
    calls_back: bool = True  # False: no address is given away, everything is asked about
    only_preapproved: bool = False  # collect from those who have agreed beforehand, only

    @property
    def payouts(self) -> tuple[Payout, ...]:
        """How payouts go or went, the present way first, each once."""
        return tuple(dict.fromkeys((self.payout, *self.payouts_before)))

    def __post_init__(self) -> None:
        """Raises ValueError for what could only fail once money is owed."""
        if any(each.is_remittance for each in self.payouts) and not self.remittance_key:
            raise ValueError("paying out by remittance needs the key of that product")
        check_fields(self.sender_fields)


def reference_id(attempt_id: AttemptId) -> str:
    """The X-Reference-Id of an attempt: a UUID that looks like version 4, as the front demands.

    Always the same for the same attempt, on every machine and after every restart.
    """
    digest = blake2b(attempt_id.encode(), digest_size=16, person=_REFERENCE_DOMAIN).digest()
    return str(uuid.UUID(bytes=digest, version=4))


class Product:
    """One of MTN's products: its own subscription key, its own token (section 1)."""

    def __init__(
        self,
        product: str,
        *resources: str,
        key: str,
        client: Client,
        settings: MtnMomoSettings,
        clock: Clock,
    ) -> None:
        self._client = client
        self._settings = settings
        self._kind = product
        self._key_header = (b"Ocp-Apim-Subscription-Key", key.encode())
        self._environment_header = (
            b"X-Target-Environment",
            settings.target_environment.encode(),
        )
        self._token_url = client.url(f"/{product}/token/")  # not without the last slash
        self._urls = {
            resource: client.url(f"/{product}/{_VERSIONS.get(resource, 'v1_0')}/{resource}")
            for resource in resources
        }
        self._cancelled_url = client.url(f"/{product}/v1_0/preapproval")  # unlike where it is made
        self._tokens = TokenCache(
            self._fetch_token, clock=clock, margin_seconds=_TOKEN_MARGIN_SECONDS
        )

    async def create(self, resource: str, order: Order, message: dict[str, Any]) -> Answer:
        reference = reference_id(order.attempt_id)
        if not self._settings.calls_back:
            return await self.make_uncalled(resource, reference, message)
        called_back = (b"X-Callback-Url", callback_at(order.callback_url, self._kind).encode())
        return await self._make(resource, reference, message, called_back)

    async def make_uncalled(self, resource: str, reference: str, message: dict[str, Any]) -> Answer:
        """Create what is only ever asked about: without an address there is no callback."""
        return await self._make(resource, reference, message)

    async def notify(self, resource: str, reference: str, message: dict[str, Any]) -> Answer:
        """A word about what was created (section 5)."""
        return await self._send(
            "notification",
            "POST",
            self._urls[resource],
            headers=[(b"Content-Type", b"application/json")],
            body=msgspec.json.encode(message),
            below=f"/{reference}/deliverynotification",
        )

    async def cancel(self, reference: str) -> Answer:
        """Take a pre-approval back."""
        url = self._cancelled_url
        return await self._send("cancel", "DELETE", url, headers=[], below=f"/{reference}")

    async def fetch(self, resource: str, reference: str) -> Answer:
        url, below = self._urls[resource], f"/{reference}"
        return await self._send(f"{resource}_status", "GET", url, headers=[], below=below)

    async def look(self, resource: str, below: str = "") -> Answer:
        """A question about an account, ours or the one named `below`."""
        return await self._send(resource, "GET", self._urls[resource], headers=[], below=below)

    async def aclose(self) -> None:
        await self._tokens.aclose()

    async def _make(
        self, resource: str, reference: str, message: dict[str, Any], *more: tuple[bytes, bytes]
    ) -> Answer:
        headers = [
            (b"X-Reference-Id", reference.encode()),
            *more,
            (b"Content-Type", b"application/json"),
        ]
        body = msgspec.json.encode(message)
        return await self._send(resource, "POST", self._urls[resource], headers=headers, body=body)

    async def _send(
        self,
        operation: str,
        method: str,
        url: httpx.URL,
        *,
        headers: list[tuple[bytes, bytes]],
        body: bytes = b"",
        below: str = "",
    ) -> Answer:
        async def send(token: str) -> httpx.Response:
            return await self._client.send(
                operation,
                method,
                url,
                headers=[
                    (b"Authorization", b"Bearer " + token.encode()),
                    self._key_header,
                    self._environment_header,
                    *headers,
                ],
                body=body,
                below=below,
            )

        return read_answer(await with_token(self._tokens, send, is_token_refused))

    async def _fetch_token(self) -> Token:
        name = self._client.provider
        headers = [
            basic_authorization(self._settings.api_user, self._settings.api_key),
            self._key_header,
        ]
        response = await self._client.send("token", "POST", self._token_url, headers=headers)
        if (token := read_token(response)) is not None:
            return token
        # Section 4.1: a wrong user or key is one of the two.
        problem = (json_object(response.content) or {}).get("error")
        if response.status_code == 401 or problem == "login_failed":
            raise Rejected(
                name,
                "our user, key or subscription key was refused",
                code="login_failed",
                reason=Reason.CONFIGURATION,
            )
        if response.status_code == 429:
            raise Throttled(name, "too many token requests", code="429")
        raise OutcomeUnknown(name, "no token in the answer", code=str(response.status_code))

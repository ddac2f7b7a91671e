"""SMS callbacks over HTTP: what phones send us, and delivery reports, early, late or twice.

Which fields the bytes hold and whether they are signed is the gateway's dialect (`SmsPort`); what a
message means is the inbox's affair. No text of a message is ever logged: it may be a PIN.
"""

import logging
from collections.abc import Sequence
from typing import Protocol

from starlette.routing import Route
from starlette.types import Receive, Scope

from channels.settings import Settings
from channels.web.bodies import TooLarge, is_any_secret, read_body
from channels.web.doors import Door, plain
from engine.errors import Unreadable
from engine.outbox import Outbox
from engine.ports import FORGED, Acknowledgement, SmsCallback, SmsMessage, SmsPort

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 16 * 1024
"""A message of ten parts, percent-encoded, with everything a gateway says about it."""

OK = Acknowledgement(content_type="text/plain")


class Inbound(Protocol):
    """`engine.inbox.inbox.Inbox`."""

    async def take(self, gateway: str, message: SmsMessage) -> bool:
        """Carry out one message; False when it is to be offered again later."""
        ...


def sms_url(settings: Settings, gateway: str, what: str) -> str:
    """The public address one gateway knows us by; `what` is `message` or `report`."""
    return f"{settings.public_url}/sms/{gateway}/{settings.token_of(gateway)}/{what}"


class _SmsDoor(Door):
    """404 for a token that is not ours, 413, 403 for a forgery, 400 for what cannot be read."""

    def __init__(self, sms: SmsPort, name: str, tokens: Sequence[str], public_url: str) -> None:
        self._sms = sms
        self._name = name
        self._tokens = tokens
        self._public_url = public_url

    async def answer(self, scope: Scope, receive: Receive) -> Acknowledgement:
        if not is_any_secret(scope["path_params"]["token"], self._tokens):
            return plain(404, "not found")
        try:
            body = await read_body(scope, receive, BODY_BYTES_MAX)
            return await self._hear(SmsCallback(body, self._url(scope), _headers(scope)))
        except TooLarge:
            return plain(413, "too large")
        except Unreadable as error:
            log.warning("callback of %s not understood: %s", self._name, error)
            return plain(403 if error.code == FORGED else 400, "not understood")

    def _url(self, scope: Scope) -> str:
        """As the gateway was given it, whatever proxies made of it since."""
        query = scope.get("query_string", b"")
        return f"{self._public_url}{scope['path']}" + (f"?{query.decode('latin-1')}" * bool(query))

    async def _hear(self, callback: SmsCallback) -> Acknowledgement:
        raise NotImplementedError


class SmsReports(_SmsDoor):
    """The door of delivery reports, `POST /sms/<gateway>/<token>/report`; 200 once it is kept."""

    def __init__(
        self,
        sms: SmsPort,
        name: str,
        outbox: Outbox,
        tenant: int,
        tokens: Sequence[str],
        public_url: str = "",
    ) -> None:
        super().__init__(sms, name, tokens, public_url)
        self._outbox = outbox
        self._tenant = tenant

    def routes(self) -> list[Route]:
        return [Route(f"/sms/{self._name}/{{token}}/report", self, methods=["POST"])]

    async def _hear(self, callback: SmsCallback) -> Acknowledgement:
        await self._outbox.keep_report(self._tenant, self._sms.read_report(callback))
        return OK


class SmsMessages(_SmsDoor):
    """The door of messages from phones, `POST /sms/<gateway>/<token>/message`.

    200 once it is done with, its answer queued; 503 when it is to be sent to us again.
    """

    def __init__(
        self, sms: SmsPort, name: str, inbox: Inbound, tokens: Sequence[str], public_url: str
    ) -> None:
        super().__init__(sms, name, tokens, public_url)
        self._inbox = inbox

    def routes(self) -> list[Route]:
        return [Route(f"/sms/{self._name}/{{token}}/message", self, methods=["POST"])]

    async def _hear(self, callback: SmsCallback) -> Acknowledgement:
        message = self._sms.read_message(callback)
        if await self._inbox.take(self._name, message):
            return message.acknowledgement
        return plain(503, "again later")


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

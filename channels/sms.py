"""SMS delivery reports: kept as they come, early, late or twice."""

import logging

from starlette.routing import Route
from starlette.types import Receive, Scope

from channels.bodies import TooLarge, is_secret, read_body
from channels.doors import Door, plain
from engine.errors import Unreadable
from engine.outbox import Outbox
from engine.ports import Acknowledgement, SmsPort

log = logging.getLogger(__name__)

REPORT_BYTES_MAX = 8 * 1024


class SmsReports(Door):
    """The door a gateway's delivery reports come in by, `POST /sms/<gateway>/<token>/report`."""

    def __init__(self, sms: SmsPort, name: str, outbox: Outbox, tenant: int, token: str) -> None:
        self._sms = sms
        self._name = name
        self._outbox = outbox
        self._tenant = tenant
        self._token = token

    def routes(self) -> list[Route]:
        return [Route(f"/sms/{self._name}/{{token}}/report", self, methods=["POST"])]

    async def _answer(self, scope: Scope, receive: Receive) -> Acknowledgement:
        """404 for a token that is not ours, 413, 400 for an unreadable form, else 200 once kept."""
        if not is_secret(scope["path_params"]["token"], self._token):
            return plain(404, "not found")
        try:
            told = self._sms.read_report(await read_body(scope, receive, REPORT_BYTES_MAX))
        except TooLarge:
            return plain(413, "too large")
        except Unreadable as error:
            log.warning("delivery report not understood: %s", error)
            return plain(400, "not understood")
        await self._outbox.keep_report(self._tenant, told)
        return plain(200, "ok")

"""SMS delivery reports: kept as they come, early, late or twice."""

import logging

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from channels.bodies import TooLarge, is_secret, read_body
from engine.errors import Unreadable
from engine.outbox import Outbox
from engine.ports import SmsPort

log = logging.getLogger(__name__)

REPORT_BYTES_MAX = 8 * 1024


def sms_routes(sms: SmsPort, name: str, outbox: Outbox, tenant: int, token: str) -> list[Route]:
    """`POST /sms/<gateway>/<token>/report`."""

    async def report(request: Request) -> Response:
        if not is_secret(request.path_params["token"], token):
            return PlainTextResponse("not found", 404)
        try:
            body = await read_body(request.scope, request.receive, REPORT_BYTES_MAX)
            told = sms.read_report(body)
        except TooLarge:
            return PlainTextResponse("too large", 413)
        except Unreadable as error:
            log.warning("delivery report not understood: %s", error)
            return PlainTextResponse("not understood", 400)
        await outbox.keep_report(tenant, told)
        return PlainTextResponse("ok")

    return [Route(f"/sms/{name}/{{token}}/report", report, methods=["POST"])]

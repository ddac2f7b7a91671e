"""Swap: when a subscriber's SIM was changed, answered at once.

Facts: Safaricom's page of the product as others have kept it (`providers/mpesa/sims.py` names what
is not sure); only that a number which is none is refused like any other field is ours.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from simulator.operators.admin import json_response
from simulator.operators.mpesa import wire
from simulator.operators.mpesa.sandbox import MpesaSandbox

_TOKEN_REFUSED = (404, "404.001.03")
_LONG_AGO = "01-01-1900 00:00"
_REMEMBERED = timedelta(days=90)


class SimApi:
    """The handler of the one call."""

    def __init__(self, sandbox: MpesaSandbox) -> None:
        self._sandbox = sandbox

    async def check(self, request: Request) -> Response:
        """POST /imsi/v2/checkATI."""
        sandbox = self._sandbox
        fields = await wire.read_fields(request, sandbox.world)
        msisdn = fields.peek("customerNumber")

        async def perform() -> Response:
            sandbox.check_token(request, "sim_swap", msisdn, _TOKEN_REFUSED)
            wallet = sandbox.wallets.find(fields.msisdn("customerNumber"))
            changed_at = wallet.sim_changed_at if wallet else None
            world = sandbox.world
            return json_response(
                {
                    "requestRefID": f"{world.digits(4)}-{world.digits(6)}-1",
                    "responseCode": "200",
                    "responseDesc": "Success",
                    "lastSwapDate": _stamp(changed_at, world.clock()),
                }
            )

        return await sandbox.answer("sim_swap", msisdn, perform)


def _stamp(changed_at: datetime | None, now: datetime) -> str:
    if changed_at is None or now - changed_at > _REMEMBERED:
        return _LONG_AGO
    return changed_at.astimezone(wire.NAIROBI).strftime("%d-%m-%Y %H:%M")

"""The asynchronous half of B2C, status, balance and reversal: accept now, POST a Result later.

Facts: reference mpesa.md, sections 8 and 9. The body for QueueTimeOutURL is not documented; this
one is the Result envelope with a generic code, which decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from starlette.responses import Response

from simulator.faults import QUEUE_TIMEOUT, FaultTarget
from simulator.operators.admin import json_response
from simulator.operators.base import Lie, Notice
from simulator.operators.mpesa import wire
from simulator.operators.mpesa.sandbox import MpesaSandbox
from simulator.operators.mpesa.wire import ResultCode
from simulator.operators.world import World

Parameter = Mapping[str, object]
# Section 8's sample; the spelling differs from the request's QueueTimeOutURL.
QUEUE_REFERENCE: Parameter = {
    "Key": "QueueTimeoutURL",
    "Value": "https://internalsandbox.safaricom.co.ke/mpesa/b2cresults/v1/submit",
}


@dataclass(frozen=True)
class Conversation:
    """One accepted request and where its result goes. `originator_id` is what results carry."""

    on: FaultTarget
    msisdn: str
    conversation_id: str
    originator_id: str
    result_url: str
    timeout_url: str


@dataclass(frozen=True)
class Outcome:
    """What a result says. `parameters` come only with success, `failure` only without."""

    code: ResultCode
    transaction_id: str = ""
    parameters: list[Parameter] = field(default_factory=list)
    reference: Parameter = field(default_factory=lambda: QUEUE_REFERENCE)
    codes_as_text: bool = False
    failure: Parameter | None = None  # a single one, and then no list around it (section 9.4)


def new_conversation_id(world: World) -> str:
    """`AG_` + date + 20 hex digits."""
    return f"AG_{world.clock().astimezone(wire.NAIROBI):%Y%m%d}_{world.hex(20)}"


def new_originator_id(world: World) -> str:
    """The form of ids the gateway makes itself."""
    return f"{world.hex(4)}-{world.hex(4)}-{world.hex(4)}-{world.hex(12)}{world.digits(6)}"


def accepted(*, conversation_id: str, originator_id: str) -> Response:
    """The synchronous reply of all four APIs."""
    return json_response(
        {
            "ConversationID": conversation_id,
            "OriginatorConversationID": originator_id,
            "ResponseCode": "0",
            "ResponseDescription": "Accept the service request successfully.",
        }
    )


async def wait_in_queue(sandbox: MpesaSandbox, conversation: Conversation) -> None:
    """Processing time; under its fault the queue times out first and the work comes later."""
    fault = sandbox.faults.take(QUEUE_TIMEOUT, conversation.msisdn, conversation.on, "callback")
    if fault:
        timed_out = _envelope(conversation, Outcome(wire.QUEUE_BUSY))
        await sandbox.courier.deliver(
            conversation.timeout_url, timed_out, content_type="application/json"
        )
        await asyncio.sleep(fault.seconds_or_default)
    await asyncio.sleep(sandbox.settings.processing_seconds)


async def send_result(
    sandbox: MpesaSandbox,
    conversation: Conversation,
    outcome: Callable[[Lie | None], Outcome],
) -> None:
    """POST the Result to ResultURL, once."""
    await sandbox.notify(
        Notice(
            on=conversation.on,
            msisdn=conversation.msisdn,
            url=conversation.result_url,
            body=lambda lie: _envelope(conversation, outcome(lie)),
            content_type="application/json",
        )
    )


def _envelope(conversation: Conversation, outcome: Outcome) -> bytes:
    code = outcome.code
    result: dict[str, object] = {
        "ResultType": "0" if outcome.codes_as_text else 0,
        "ResultCode": str(code) if outcome.codes_as_text else code,
        "ResultDesc": wire.RESULT_TEXTS[code],
        "OriginatorConversationID": conversation.originator_id,
        "ConversationID": conversation.conversation_id,
        # On failure a generic value ending in zeros was seen (section 8).
        "TransactionID": outcome.transaction_id or "TKK0000000",
    }
    if code == wire.SUCCESS:
        result["ResultParameters"] = {"ResultParameter": outcome.parameters}
    elif outcome.failure is not None:
        result["ResultParameters"] = {"ResultParameter": outcome.failure}
    result["ReferenceData"] = {"ReferenceItem": outcome.reference}
    return msgspec.json.encode({"Result": result})

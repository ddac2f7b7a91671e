"""The catalogue of what can go wrong, and the book of what is armed to go wrong next.

It knows when a fault strikes and how often; what an operator's error looks like is the
operator's own affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, get_args

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

FaultTarget = Literal[
    "token",
    "collect",
    "disburse",
    "refund",
    "query",
    "callback",
    "sms",
    "delivery_report",
    "statement",
    "sim_swap",
]
FaultName = Literal[
    "insufficient_funds",
    "wrong_pin",
    "decline",
    "paid_afterwards",
    "recipient_rejected",
    "hang_before",
    "hang_after",
    "error_500_before",
    "error_500_after",
    "error_503",
    "throttle_429",
    "html_200",
    "truncated_json",
    "reset_after",
    "expired_token",
    "no_callback",
    "callback_twice",
    "callback_before_answer",
    "callback_wrong_amount",
    "callback_late",
    "queue_timeout",
    "unknown_status",
    "delivery_failed",
    "sms_rejected",
    "sms_lost",
    "sms_late",
    "sms_twice",
    "line_dropped",
    "line_doubled",
    "line_wrong_amount",
    "line_next_day",
    "line_unknown",
]

# When a fault strikes. The stages of one call, in order: at the door (nothing is done), the
# token check, the outcome of the payment, after the work (it is done, the answer suffers), and
# last the callback.
AT_THE_DOOR: frozenset[FaultName] = frozenset(
    {"hang_before", "error_500_before", "error_503", "throttle_429", "html_200"}
)
TOKEN: frozenset[FaultName] = frozenset({"expired_token"})
AFTER_THE_WORK: frozenset[FaultName] = frozenset(
    {"hang_after", "error_500_after", "truncated_json", "reset_after"}
)
PAYER_OUTCOMES: frozenset[FaultName] = frozenset({"insufficient_funds", "wrong_pin", "decline"})
# Told as failed, for good; then the payer's answer counts all the same, and success is told too.
PAID_AFTERWARDS: frozenset[FaultName] = frozenset({"paid_afterwards"})
PAYEE_OUTCOMES: frozenset[FaultName] = frozenset({"insufficient_funds", "recipient_rejected"})
UNKNOWN_STATUS: frozenset[FaultName] = frozenset({"unknown_status"})
EARLY_CALLBACK: frozenset[FaultName] = frozenset({"callback_before_answer"})
QUEUE_TIMEOUT: frozenset[FaultName] = frozenset({"queue_timeout"})
SMS_OUTCOMES: frozenset[FaultName] = frozenset({"sms_rejected"})
SMS_ARRIVALS: frozenset[FaultName] = frozenset({"sms_lost", "sms_late", "sms_twice"})
DELIVERY_OUTCOMES: frozenset[FaultName] = frozenset({"delivery_failed"})
STATEMENT: frozenset[FaultName] = frozenset(
    {"line_dropped", "line_doubled", "line_wrong_amount", "line_next_day", "line_unknown"}
)
AT_DELIVERY: frozenset[FaultName] = UNKNOWN_STATUS | {
    "no_callback",
    "callback_twice",
    "callback_wrong_amount",
    "callback_late",
}

_CALL = AT_THE_DOOR | AFTER_THE_WORK
_NOTICE = AT_DELIVERY | EARLY_CALLBACK | QUEUE_TIMEOUT
_REPORT = AT_DELIVERY - {"callback_wrong_amount"}

# What each target can suffer: a fault that could never strike is refused when it is armed,
# so that no test passes because its fault was quietly ignored.
CATALOGUE: Mapping[FaultTarget, frozenset[FaultName]] = {
    "token": _CALL | TOKEN,
    "collect": _CALL | TOKEN | PAYER_OUTCOMES | PAID_AFTERWARDS | _NOTICE - QUEUE_TIMEOUT,
    "disburse": _CALL | TOKEN | PAYEE_OUTCOMES | _NOTICE,
    "refund": _CALL | TOKEN | PAYEE_OUTCOMES | _NOTICE,
    "query": _CALL | TOKEN | _NOTICE,
    "callback": _NOTICE,
    "sms": _CALL | SMS_OUTCOMES | SMS_ARRIVALS,
    "delivery_report": DELIVERY_OUTCOMES | _REPORT,
    "statement": STATEMENT,
    "sim_swap": _CALL | TOKEN,
}

_DEFAULT_SECONDS: Mapping[FaultName, float] = {
    "hang_before": 30.0,
    "hang_after": 30.0,
    "paid_afterwards": 2.0,
    "callback_twice": 0.0,
    "callback_late": 5.0,
    "queue_timeout": 1.0,
    "sms_late": 2.0,
}


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One armed fault: strikes the next `times` matching calls, of one number or of all.

    `seconds` is how long a hanging fault hangs, or how late a late thing is.
    """

    on: FaultTarget
    fault: FaultName
    times: int = 1
    msisdn: str | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.fault not in CATALOGUE[self.on]:
            raise ValueError(f"{self.fault} cannot happen to {self.on}")
        if self.times < 1:
            raise ValueError("times must be at least 1")
        if self.seconds is not None and self.seconds < 0:
            raise ValueError("seconds must not be negative")
        if self.msisdn is not None:
            self.msisdn = self.msisdn.removeprefix("+")

    @property
    def seconds_or_default(self) -> float:
        """How long, in seconds, when the one who armed it did not say."""
        return _DEFAULT_SECONDS.get(self.fault, 0.0) if self.seconds is None else self.seconds


class FaultBook:
    """The armed faults of one sandbox, oldest first."""

    def __init__(self, *, never: frozenset[FaultName] = frozenset()) -> None:
        """`never` could not strike here."""
        self._armed: list[Fault] = []
        self._never = never

    def arm(self, fault: Fault) -> None:
        """Let `fault` strike from now on; arming the same one twice strikes twice.

        Raises ValueError for one that could never strike here.
        """
        if fault.fault in self._never:
            raise ValueError(f"{fault.fault} cannot happen here")
        self._armed.append(fault)

    def armed(self) -> list[Fault]:
        """What has not struck yet, with the strikes each has left."""
        return list(self._armed)

    def clear(self) -> None:
        """Disarm everything."""
        self._armed.clear()

    def take(
        self, names: frozenset[FaultName], msisdn: str | None, *targets: FaultTarget
    ) -> Fault | None:
        """The oldest armed fault of this stage for this number, used up by one; else None."""
        for fault in self._armed:
            if fault.on in targets and fault.fault in names and fault.msisdn in (None, msisdn):
                fault.times -= 1
                if fault.times == 0:
                    self._armed.remove(fault)
                return fault
        return None


def arrivals(fault: Fault | None) -> list[float]:
    """After how many seconds an accepted SMS reaches the phone, once for each time it does."""
    match fault:
        case Fault(fault="sms_lost"):
            return []
        case Fault(fault="sms_late"):
            return [fault.seconds_or_default]
        case Fault(fault="sms_twice"):
            return [0.0, 0.0]
    return [0.0]


class Refusal(Exception):
    """Raised when a call is answered with an operator's error instead of being carried out."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Silence(Response):
    """No answer at all: the connection is held for `seconds`, then closed without a byte."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del send
        try:
            async with asyncio.timeout(self._seconds):
                await _until_the_caller_is_gone(receive)
        except TimeoutError:
            scope["extensions"][ABORT]()
            await _until_the_caller_is_gone(receive)


# The scope extension under which the sandbox's server offers to cut the connection.
ABORT = "sandbox.abort"

FaultAnswers = Mapping[
    Literal["error_500", "error_503", "throttle_429", "html_200"], Callable[[], Response]
]


async def answer_under_faults(
    book: FaultBook,
    answers: FaultAnswers,
    *,
    on: FaultTarget,
    msisdn: str | None,
    perform: Callable[[], Awaitable[Response]],
) -> Response:
    """Carry out one call, or not, and answer it, or not, as the armed faults say.

    `answers` are the operator's own error bodies. A refusal raised by `perform` is an answer too.
    """
    match book.take(AT_THE_DOOR, msisdn, on):
        case Fault(fault="hang_before") as fault:
            return Silence(fault.seconds_or_default)
        case Fault(fault="error_500_before"):
            return answers["error_500"]()
        case Fault(fault=("error_503" | "throttle_429" | "html_200") as name):
            return answers[name]()
    try:
        response = await perform()
    except Refusal as refusal:
        response = refusal.response
    match book.take(AFTER_THE_WORK, msisdn, on):
        case Fault(fault="error_500_after"):
            return answers["error_500"]()
        case Fault(fault="truncated_json"):
            return _cut_in_half(response)
        case Fault() as fault:
            return Silence(fault.seconds_or_default)
    return response


def _cut_in_half(response: Response) -> Response:
    body = bytes(response.body)
    return Response(
        body[: len(body) // 2] or b'{"sta',
        status_code=response.status_code,
        media_type="application/json",
    )


async def _until_the_caller_is_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


assert set(CATALOGUE) == set(get_args(FaultTarget))

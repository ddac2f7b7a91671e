"""Which SMS a step owes to whom. Pure: states passed through, in; templates, out.

A notice is announced by the commit of the state it tells of, so no state is told twice.
"""

from functools import cache
from typing import NamedTuple

from engine.payments.lifecycle import State

SMS = 10
"""The intent kind of a notice; kinds below it are the directions of attempts."""


class Notice(NamedTuple):
    """A sentence `sms.<template>` for the payer or the payee."""

    template: str
    to_payee: bool = False
    reason: str = ""


_PAYER_NOTICES = {
    State.COLLECT_FAILED: "collect_failed",
    State.EXPIRED: "expired",
    State.COLLECT_UNKNOWN: "delayed",
    State.PAYOUT_UNKNOWN: "delayed",
    State.PAYOUT_QUEUED: "delayed",
    State.ON_HOLD: "delayed",  # nobody is told what is being looked at
    State.RETURNED: "returned",
    State.CANCELLED: "cancelled",
    State.REFUNDED: "refunded",
}


@cache
def notices_of(path: tuple[State, ...], reason: str | None) -> tuple[str, ...]:
    """The payloads of the SMS intents that passing through these states owes."""
    said = reason or "other"
    out = []
    for state in path:
        if template := _PAYER_NOTICES.get(state):
            out.append(_payload(Notice(template, reason=said)))
        elif state is State.PAID:
            out.append(_payload(Notice("receipt_payer")))
            out.append(_payload(Notice("receipt_payee", to_payee=True)))
        elif state is State.REFUND_DUE and State.REFUNDING in path:
            # Decided just now; a refund that is tried again is not announced again.
            out.append(_payload(Notice("refund_started", reason=said)))
    return tuple(out)


def _payload(notice: Notice) -> str:
    return f"{notice.template}:{'payee' if notice.to_payee else 'payer'}:{notice.reason}"


def read_notice(payload: str) -> Notice:
    """The inverse of what `notices_of` wrote into an intent."""
    template, to, reason = payload.split(":")
    return Notice(template, to == "payee", reason)

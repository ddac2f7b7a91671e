"""Which SMS a step owes to whom. Pure: states passed through, in; templates, out.

A notice is announced by the commit of the state it tells of, so no state is told twice.
"""

from functools import cache
from typing import NamedTuple

import msgspec

from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.lifecycle import State

SMS = 10
"""The intent kind of a notice; kinds below it are the directions of attempts."""

MESSAGE = 12
"""The intent kind of an SMS that belongs to no payment: its row names another thing's id where a
payment's would be, and its payload says all there is to say (`Message`). No process has it in
memory: the sweep finds it.
"""


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


_WAS_REFUNDING = {State.REFUNDING, State.REFUND_UNKNOWN}


@cache
def notices_of(path: tuple[State, ...], reason: str | None, came_from: State) -> tuple[str, ...]:
    """The payloads of the SMS intents that passing through these states owes.

    `came_from` is the state that it all began in.
    """
    said = reason or "other"
    out = []
    for state in path:
        if template := _PAYER_NOTICES.get(state):
            out.append(_payload(Notice(template, reason=said)))
            if state is State.RETURNED:  # the payee was told that it came
                out.append(_payload(Notice("taken_back", to_payee=True)))
        elif state is State.PAID:
            out.append(_payload(Notice("receipt_payer")))
            out.append(_payload(Notice("receipt_payee", to_payee=True)))
        elif state is State.REFUND_DUE and came_from not in _WAS_REFUNDING:
            # Decided just now, whoever gives it back; one that failed is not announced again.
            # Where nobody refused, as of what people held, no reason is told.
            template = "refund_started" if reason else "refund_decided"
            if State.LATE_FUNDS in path:  # the payer was told that nothing was charged
                template = "late_funds"
            out.append(_payload(Notice(template, reason=said)))
    return tuple(out)


def _payload(notice: Notice) -> str:
    return f"{notice.template}:{'payee' if notice.to_payee else 'payer'}:{notice.reason}"


def read_notice(payload: str) -> Notice:
    """The inverse of what `notices_of` wrote into an intent."""
    template, to, reason = payload.split(":")
    return Notice(template, to == "payee", reason)


class Message(msgspec.Struct, frozen=True):
    """A sentence `sms.<template>` to somebody, in a language, with its variables.

    Whether one goes to a number that wants none, `messages/quiet.py` says by its template.
    """

    to: Msisdn
    language: str
    template: str
    variables: dict[str, Money | str] = {}


def _read(kind: type, value: object) -> object:
    return kind(value)  # an Msisdn, a text by another name


_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(Message, dec_hook=_read).decode


def write_message(message: Message) -> str:
    """The payload of an intent of kind MESSAGE."""
    return _encode(message).decode()


def read_message(payload: str) -> Message:
    """The inverse. Raises msgspec.DecodeError when other code wrote it."""
    return _decode(payload)

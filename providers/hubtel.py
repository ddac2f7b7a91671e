"""Hubtel, Ghana: the USSD dialect of its programmable services.

Facts: reference `other-gateways.md`, section 1. It refuses to keep a session, to repeat what a
caller typed, and to serve Hubtel's apps and web shops: only a network vouches for a number.

The last input only; the first message is the whole dialled string. `Sequence` counts the messages
of a session, so a repeat can be told from the same key pressed again. Ends come to the address of
turns. Hubtel would keep a `ClientState` for us: it stays empty, the session is ours.
"""

import re
from typing import Final

import msgspec

from engine.errors import Unreadable
from engine.ports import Acknowledgement, EndReason, Reply, SessionEnd, Turn
from providers.dialling import (
    INPUT_LENGTH_MAX,
    dialled_behind,
    msisdn_of,
    take_caller,
    take_session_id,
    take_shortcode,
)
from providers.json_body import JsonBody

NAME: Final = "hubtel"

NETWORKS: Final = {
    "mtn": "62001",
    "vodafone": "62002",
    "telecel": "62002",  # the same network under its new name
    "tigo": "62006",  # one network with Airtel since their merger
    "airtel": "62006",
}
"""`Operator` as network code: section 1, and `africas-talking.md` section 5 for the codes."""

_ENDS: Final = {"release": EndReason.CANCELLED, "timeout": EndReason.TIMED_OUT}
_APP: Final = re.compile(r"hubtel-.*|webstore")


class HubtelUssd:
    """Field names are compared without regard to case (section 1), and so are its words."""

    name: str = NAME
    media_type: str = "application/json"

    def read(self, body: bytes) -> Turn | SessionEnd:
        """A message of any `Type` that a phone's dialogue has. Raises Unreadable."""
        fields = JsonBody(NAME, body, any_case=True)
        kind = fields.take("Type", length_max=32).lower()
        if kind in _ENDS:
            return _read_end(fields, kind)
        if kind not in ("initiation", "response"):  # AddToCart, Query, Favorite: for their apps
            raise Unreadable(NAME, "Type is none of a dialogue on a phone")
        return _read_turn(fields, opens=kind == "initiation")

    def write_reply(self, turn: Turn, reply: Reply) -> Acknowledgement:
        """`release` closes the session. The fields for apps are filled as the reference shows."""
        return _answer(turn.session_id, reply)


def _read_turn(fields: JsonBody, *, opens: bool) -> Turn:
    session_id = take_session_id(fields, "SessionId")
    msisdn = msisdn_of(take_caller(fields, "Mobile"))
    shortcode = take_shortcode(fields, "ServiceCode")
    message = fields.take("Message", length_max=INPUT_LENGTH_MAX, empty=True)
    return Turn(
        session_id=session_id,
        msisdn=msisdn,
        network=_take_network(fields),
        shortcode=shortcode,
        text=(dialled_behind(shortcode, message) or "") if opens else message,
        cumulative=False,
        opens=opens,
        sequence=fields.word("Sequence", length_max=9),
    )


def _take_network(fields: JsonBody) -> str:
    """Raises Unreadable for a caller who is no phone. `Platform` is there on newer accounts only.

    An operator nobody listed is served by the rules of any other network.
    """
    operator = fields.get("Operator", length_max=64).lower()
    platform = fields.get("Platform", length_max=32).lower()
    if platform not in ("", "ussd"):
        raise Unreadable(NAME, "Platform is not USSD")
    if _APP.fullmatch(operator):
        raise Unreadable(NAME, "Operator is no network")
    return NETWORKS.get(operator, "")


def _read_end(fields: JsonBody, kind: str) -> SessionEnd:
    """`Release`: the subscriber let go; `Timeout`. `Sequence` counts their messages."""
    session_id = take_session_id(fields, "SessionId")
    sequence = fields.word("Sequence", length_max=9)
    return SessionEnd(
        session_id=session_id,
        status=kind,
        reason=_ENDS[kind],
        msisdn=msisdn_of(take_caller(fields, "Mobile")),
        network=NETWORKS.get(fields.get("Operator", length_max=64).lower(), ""),
        hops=int(sequence) if sequence.isascii() and sequence.isdigit() else None,
        acknowledgement=_answer(session_id, Reply("", ends=True)),
    )


def _answer(session_id: str, reply: Reply) -> Acknowledgement:
    answer = {
        "SessionId": session_id,
        "Type": "release" if reply.ends else "response",
        "Message": reply.text,
        "Label": reply.text.partition("\n")[0],
        "ClientState": "",
        "DataType": "display" if reply.ends else "input",
        "FieldType": "text",
    }
    return Acknowledgement(body=msgspec.json.encode(answer))

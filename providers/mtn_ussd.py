"""MTN's own messaging interface, its USSD part: what MTN posts to the address we subscribed.

Facts: reference `other-gateways.md`, section 6. It refuses to keep a session, to repeat what a
caller typed, and to look at the SIM and the cell that MTN tells of.

The last input only. There is nothing to tell a repeat from the same key pressed again. Ends come to
the address of turns. Whether the first `ussdString` is the dialled string or empty is not written:
both are taken. Each code is subscribed once, by hand (`POST /messages/ussd/subscription` with
`serviceCode`, `callbackUrl` and `targetSystem`); nothing here calls MTN.
"""

from typing import Final

import msgspec

from engine.errors import Unreadable
from engine.msisdn import Msisdn
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

NAME: Final = "mtn_ussd"

NETWORKS: Final = {
    "+233": "62001",
    "+234": "62130",
    "+250": "63510",
    "+256": "64110",
    "+260": "64502",
    "+27": "65510",
}
"""MTN names no network, it is its own: dialling code to network code (`africas-talking.md`
section 5). Its other countries are served by the rules of any other network."""

_BEGIN, _CONTINUE, _END = "0", "1", "2"
_ENDS: Final = {_END: EndReason.UNKNOWN, "4": EndReason.CANCELLED, "5": EndReason.TIMED_OUT}


class MtnUssd:
    """`messageType` is a text in requests and a number in answers (section 6); both are read."""

    name: str = NAME
    media_type: str = "application/json"

    def read(self, body: bytes) -> Turn | SessionEnd:
        """Begin, continue, end, cancel or timeout. Raises Unreadable, also for a notification."""
        fields = JsonBody(NAME, body)
        kind = fields.word("messageType", length_max=4)
        session_id = take_session_id(fields, "sessionId")
        caller = take_caller(fields, "msisdn")
        shortcode = take_shortcode(fields, "serviceCode")
        echo = (fields.take("serviceCode", length_max=64), caller)
        msisdn = msisdn_of(caller)
        if kind in _ENDS:
            return SessionEnd(
                session_id=session_id,
                status=f"messageType {kind}",  # the reason in ussdString is anybody's text
                reason=_ENDS[kind],
                msisdn=msisdn,
                network=_network_of(msisdn),
                acknowledgement=_answer(session_id, echo, Reply("", ends=True)),
            )
        if kind not in (_BEGIN, _CONTINUE):
            raise Unreadable(NAME, "messageType is missing or none of a dialogue")
        opens = kind == _BEGIN
        typed = fields.take("ussdString", length_max=INPUT_LENGTH_MAX, empty=True)
        return Turn(
            session_id=session_id,
            msisdn=msisdn,
            network=_network_of(msisdn),
            shortcode=shortcode,
            text=(dialled_behind(shortcode, typed) or "") if opens else typed,
            cumulative=False,
            opens=opens,
            echo=echo,
        )

    def write_reply(self, turn: Turn, reply: Reply) -> Acknowledgement:
        """`userInputRequired` keeps the session, together with the type 1; 2 closes it."""
        return _answer(turn.session_id, turn.echo, reply)


def _network_of(msisdn: Msisdn) -> str:
    return NETWORKS.get(msisdn[:4]) or NETWORKS.get(msisdn[:3], "")


def _answer(session_id: str, echo: tuple[str, ...], reply: Reply) -> Acknowledgement:
    """The transaction is named after the session, so a repeated turn gets the same bytes."""
    shortcode, caller = echo
    answer = {
        "statusCode": "0000",
        "statusMessage": "Success",
        "transactionId": session_id,
        "data": {
            "inboundResponse": reply.text,
            "userInputRequired": not reply.ends,
            "messageType": int(_END if reply.ends else _CONTINUE),
            "serviceCode": shortcode,
            "msisdn": caller,
        },
        "_link": {"self": {"href": "/messages/ussd/inbound"}},  # marked required, used by nobody
    }
    return Acknowledgement(body=msgspec.json.encode(answer))

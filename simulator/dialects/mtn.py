"""MTN's messaging interface, its USSD part: JSON with the last input only.

Facts: reference other-gateways.md, section 6. Whether the first `ussdString` is the dialled string
is not written there: it is, since what is dialled behind a code would be lost otherwise. Cancels
and timeouts come to the address of turns.
"""

from typing import Any, Final

from simulator.dialects.dialect import End, Ended, Told, Turn, Unreadable
from simulator.dialects.reading import echo_flaws, read_object, shorten, take, write_json
from simulator.exchange import Answer, Request
from simulator.operators.world import World

NAME: Final = "mtn"

_BEGIN, _CONTINUE, _CANCEL, _TIMEOUT = "0", "1", "4", "5"
_ENDS: Final = {
    End.HUNG_UP: (_CANCEL, "The subscriber ended the session."),
    End.TIMED_OUT: (_TIMEOUT, ""),
}
_KEEPS: Final = {1: True, 2: False}
"""What `messageType` of an answer says about the session: 1 continues it, 2 ends it."""


class Mtn:
    """`messageType` is a text in requests and a number in answers."""

    name = NAME
    ends_elsewhere = False

    def session_id(self, world: World) -> str:
        return world.hex(32)

    def write_turn(self, turn: Turn) -> Request:
        return _write(turn, _BEGIN if turn.opens else _CONTINUE, turn.said)

    def read_answer(self, answer: Answer, turn: Turn) -> Told:
        fields, flaws = read_object(answer)
        status = take(fields, "statusCode", str)
        if status != "0000":
            raise Unreadable(f"statusCode is {shorten(status)}, not '0000'")
        inbound: dict[str, Any] = take(fields, "data", dict)
        keeps = take(inbound, "userInputRequired", bool)
        flaws += echo_flaws(inbound, serviceCode=turn.shortcode, msisdn=turn.digits)
        flaws += _type_flaws(take(inbound, "messageType", int), keeps=keeps)
        return Told(take(inbound, "inboundResponse", str), not keeps, flaws=flaws)

    def write_end(self, ended: Ended) -> Request | None:
        if ended.end not in _ENDS:
            return None
        kind, reason = _ENDS[ended.end]
        return _write(ended.turn, kind, reason)


def _write(turn: Turn, kind: str, text: str) -> Request:
    return write_json(
        {
            "sessionId": turn.session_id,
            "messageType": kind,
            "msisdn": turn.digits,
            "serviceCode": turn.shortcode,
            "ussdString": text,
        }
    )


def _type_flaws(kind: int, *, keeps: bool) -> tuple[str, ...]:
    if _KEEPS.get(kind) is keeps:
        return ()
    word = "true" if keeps else "false"
    return (f"messageType is {kind}, but userInputRequired is {word}",)

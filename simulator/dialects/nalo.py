"""Nalo Solutions, Ghana: JSON with the last input only; the first is the whole dialled code.

Facts: reference other-gateways.md, section 2. No turn after the first names a code, and nobody is
told of an end. Older accounts have no session id: there a caller has one dialogue at a time.
"""

from typing import Final

from simulator.dialects.dialect import Ended, Told, Turn
from simulator.dialects.numbers import word_of
from simulator.dialects.reading import echo_flaws, read_object, take, write_json
from simulator.exchange import Answer, Request
from simulator.operators.world import World

NAME: Final = "nalo"
ACCOUNT: Final = "SIMULATOR"


class Nalo:
    """`MSGTYPE` opens in a request and keeps open in an answer."""

    ends_elsewhere = False

    def __init__(self, name: str = NAME, *, has_session_ids: bool = True) -> None:
        self.name = name
        self._has_session_ids = has_session_ids

    def session_id(self, world: World) -> str:
        return world.hex(32)

    def write_turn(self, turn: Turn) -> Request:
        fields: dict[str, object] = {
            "USERID": ACCOUNT,
            "MSISDN": turn.digits,
            "USERDATA": turn.said,
            "MSGTYPE": turn.opens,
            "NETWORK": word_of(turn.network).upper(),
        }
        if self._has_session_ids:
            fields["SESSIONID"] = turn.session_id
        return write_json(fields)

    def read_answer(self, answer: Answer, turn: Turn) -> Told:
        fields, flaws = read_object(answer)
        flaws += echo_flaws(fields, USERID=ACCOUNT, MSISDN=turn.digits, USERDATA=turn.said)
        return Told(take(fields, "MSG", str), not take(fields, "MSGTYPE", bool), flaws=flaws)

    def write_end(self, ended: Ended) -> None:
        """Nobody is told."""

"""Arkesel, Ghana: JSON with the last input only; the first is the whole dialled code.

Facts: reference other-gateways.md, section 3. No turn after the first names a code, and nobody is
told of an end.
"""

from typing import Final

from simulator.dialects.dialect import Ended, Told, Turn
from simulator.dialects.numbers import word_of
from simulator.dialects.reading import echo_flaws, read_object, take, write_json
from simulator.exchange import Answer, Request
from simulator.operators.world import World

NAME: Final = "arkesel"
ACCOUNT: Final = "SIMULATOR"


class Arkesel:
    """`newSession` opens, `continueSession` keeps open."""

    name = NAME
    ends_elsewhere = False

    def session_id(self, world: World) -> str:
        return world.hex(32)

    def write_turn(self, turn: Turn) -> Request:
        return write_json(
            {
                "sessionID": turn.session_id,
                "userID": ACCOUNT,
                "newSession": turn.opens,
                "msisdn": turn.digits,
                "userData": turn.said,
                "network": word_of(turn.network),
            }
        )

    def read_answer(self, answer: Answer, turn: Turn) -> Told:
        fields, flaws = read_object(answer)
        flaws += echo_flaws(fields, sessionID=turn.session_id, userID=ACCOUNT, msisdn=turn.digits)
        ends = not take(fields, "continueSession", bool)
        return Told(take(fields, "message", str), ends, flaws=flaws)

    def write_end(self, ended: Ended) -> None:
        """Nobody is told."""

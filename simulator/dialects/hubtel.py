"""Hubtel, Ghana: JSON with the last input only; the first is the whole dialled string.

Facts: reference other-gateways.md, section 1. Messages are numbered; Hubtel keeps a `ClientState`
for the server, one turn long; names and words are compared without regard to case. Ends come to
the address of turns, as `Release` or `Timeout`. A checkout (`AddToCart`) is not a phone's dialogue.
"""

from collections.abc import Mapping
from typing import Any, Final

from simulator.dialects.dialect import End, Ended, Told, Turn, Unreadable
from simulator.dialects.numbers import bare_code, word_of
from simulator.dialects.reading import echo_flaws, read_object, shorten, take, write_json
from simulator.exchange import Answer, Request
from simulator.operators.world import World

NAME: Final = "hubtel"

_OPERATORS: Final = {"airteltigo": "airtel"}  # Hubtel has the two names from before the merger.
_ENDS: Final = {End.HUNG_UP: "Release", End.TIMED_OUT: "Timeout"}
_READ: Final = ("SessionId", "Type", "Message", "ClientState")


class Hubtel:
    """The last input only, numbered."""

    name = NAME
    ends_elsewhere = False

    def session_id(self, world: World) -> str:
        return world.hex(32)

    def write_turn(self, turn: Turn) -> Request:
        return _write(turn, "Initiation" if turn.opens else "Response", turn.said, turn.number)

    def read_answer(self, answer: Answer, turn: Turn) -> Told:
        found, flaws = read_object(answer)
        fields = _in_our_case(found)
        kind = take(fields, "Type", str)
        if kind.lower() not in ("response", "release"):
            raise Unreadable(f"Type is {shorten(kind)}, neither 'response' nor 'release'")
        state = take(fields, "ClientState", str) if fields.get("ClientState") is not None else ""
        flaws += echo_flaws(fields, SessionId=turn.session_id)
        return Told(take(fields, "Message", str), kind.lower() == "release", state, flaws)

    def write_end(self, ended: Ended) -> Request | None:
        kind = _ENDS.get(ended.end)
        return _write(ended.turn, kind, "", ended.turn.number + 1) if kind else None


def _write(turn: Turn, kind: str, message: str, sequence: int) -> Request:
    operator = word_of(turn.network).lower()
    return write_json(
        {
            "Type": kind,
            "Mobile": turn.digits,
            "SessionId": turn.session_id,
            "ServiceCode": bare_code(turn.shortcode),
            "Message": message,
            "Operator": _OPERATORS.get(operator, operator),
            "Sequence": sequence,
            "ClientState": turn.state,
            "Platform": "USSD",
        }
    )


def _in_our_case(found: Mapping[str, Any]) -> dict[str, Any]:
    """The fields we read, by the names of the documentation, whatever case they came in."""
    by_lower: dict[str, Any] = {}
    for name, value in found.items():
        if name.lower() in by_lower:
            raise Unreadable(f"{shorten(name)} comes twice, in another case")
        by_lower[name.lower()] = value
    return {name: by_lower[name.lower()] for name in _READ if name.lower() in by_lower}

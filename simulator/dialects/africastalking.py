"""Africa's Talking: a form with all that was typed so far; the answer begins with CON or END.

Facts: reference africas-talking.md, sections 2, 3, 5 and 9. Several regional gateways copy it.
The server may have a word given back (`at-ussd-hop-metadata`, at most 99 signs, no `|`). Ends are
told once to a second address, with everything that was typed and the last answer.
"""

from functools import lru_cache
from typing import Final
from urllib.parse import quote_plus, urlencode

from simulator.dialects.dialect import End, Ended, Told, Turn, Unreadable
from simulator.dialects.reading import read_text, shorten
from simulator.exchange import Answer, Request
from simulator.operators.world import World

NAME: Final = "africastalking"
_FORM: Final = "application/x-www-form-urlencoded"
_METADATA: Final = "at-ussd-hop-metadata"
_METADATA_MAX: Final = 99

_STATUSES: Final = {
    End.ANSWERED: "Success",
    End.HUNG_UP: "Incomplete",
    End.TIMED_OUT: "Incomplete",
    End.FAILED: "Failed",
}


class AfricasTalking:
    """Cumulative; the first text is empty or what was dialled behind the code."""

    name = NAME
    ends_elsewhere = True

    def session_id(self, world: World) -> str:
        return f"ATUid_{world.hex(32)}"

    def write_turn(self, turn: Turn) -> Request:
        headers = {_METADATA: turn.state} if turn.state else {}
        whose = _written(turn.session_id, turn.shortcode, turn.msisdn, turn.network)
        return Request(f"{whose}&text={quote_plus(turn.text)}".encode(), _FORM, headers=headers)

    def read_answer(self, answer: Answer, turn: Turn) -> Told:
        del turn  # Nothing comes back with an answer.
        body, flaws = read_text(answer, "text/plain")
        if body[:4] not in ("CON ", "END "):
            raise Unreadable(f"the body starts with {body[:8]!r}, neither 'CON ' nor 'END '")
        state, state_flaws = _read_metadata(answer.headers.get(_METADATA, ""))
        return Told(body[4:], body.startswith("END "), state, flaws + state_flaws)

    def write_end(self, ended: Ended) -> Request:
        turn = ended.turn
        form = {
            "date": ended.at.strftime("%Y-%m-%d %H:%M:%S"),
            **_whose(turn.session_id, turn.shortcode, turn.msisdn, turn.network),
            "status": _STATUSES[ended.end],
            "cost": "KES 1.0000",
            "durationInMillis": str(ended.duration_ms),
            "hopsCount": str(ended.hops),
            "input": turn.text,
            "lastAppResponse": ended.last_answer,
        }
        if ended.states:
            form["hopsMetadata"] = "|".join(ended.states)
        if ended.error:
            form["errorMessage"] = ended.error
        return Request(urlencode(form).encode(), _FORM)


@lru_cache(maxsize=4_096)
def _written(session_id: str, shortcode: str, msisdn: str, network: str) -> str:
    """The same in all turns of a dialogue; a crowd has thousands open at once."""
    return urlencode(_whose(session_id, shortcode, msisdn, network))


def _whose(session_id: str, shortcode: str, msisdn: str, network: str) -> dict[str, str]:
    return {
        "sessionId": session_id,
        "serviceCode": shortcode,
        "phoneNumber": msisdn,
        "networkCode": network,
    }


def _read_metadata(state: str) -> tuple[str, tuple[str, ...]]:
    """What is given back next time. What the gateway would not take is not given back."""
    if len(state) > _METADATA_MAX:
        return "", (f"{_METADATA} has {len(state)} signs, the gateway takes {_METADATA_MAX}",)
    if "|" in state:
        return "", (f"{_METADATA} holds a '|': {shorten(state)}",)
    if not (state.isascii() and state.isprintable()):
        return "", (f"{_METADATA} holds what no header can: {shorten(state)}",)
    return state, ()

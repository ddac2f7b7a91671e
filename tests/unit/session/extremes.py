"""Turns whose fields hold what no gateway should send, for the unit and the integration tests."""

import msgspec

from engine.ports import Turn
from tests.unit.session.rooms import PAYER, SHORTCODE

LONG = "7" * 5_000
"""More digits than Python makes a number of."""
ODD = ("", " ", "\x00", "\ud800", "}{", "a\r\nGET b", "\u202e\u0661\u00b2", "\U0001f600", LONG)

EXTREMES = {
    "session_id": ODD,
    "network": ODD,
    "shortcode": ODD,
    "text": (*ODD, "*", "**", "1*", "*1", "1*" * 400, "99", "1*1*1*1*1*1*1"),
    "sequence": (*ODD, "-1", "0", "1.5"),
}


def extreme_turns(*, cumulative: bool) -> list[Turn]:
    """Each field at each of its extremes; where the last input comes alone, also at a dial."""
    usual = Turn("s1", PAYER, "63902", SHORTCODE, "9026", cumulative=cumulative, sequence="99")
    dials = ((False, False),) if cumulative else ((False, False), (True, False), (True, True))
    return [
        msgspec.structs.replace(usual, opens=opens, id_recurs=recurs, **{field: value})
        for field, values in EXTREMES.items()
        for value in values
        for opens, recurs in dials
    ]

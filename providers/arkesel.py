"""Arkesel, Ghana: its USSD dialect.

Facts: reference `other-gateways.md`, section 3. It refuses to keep a session and to repeat what a
caller typed.

The last input only; the first is the whole dialled code, and no later turn names a code. There is
nothing to tell a repeat from the same key pressed again, and no notice of an end. A session lasts
about 150 seconds (one source).
"""

from collections.abc import Collection
from typing import Final

import msgspec

from engine.ports import Acknowledgement, Reply, Turn
from providers.dialling import (
    INPUT_LENGTH_MAX,
    msisdn_of,
    split_dialled,
    take_caller,
    take_session_id,
)
from providers.json_body import JsonBody

NAME: Final = "arkesel"

NETWORKS: Final = {"MTN": "62001", "VODAFONE": "62002", "TELECEL": "62002", "AIRTELTIGO": "62006"}
"""`network` as network code. Section 3 shows `MTN` alone; the others are those of the country
(`africas-talking.md` section 5), and a word that is not among them is no mistake."""


class ArkeselUssd:
    """`shortcodes` are those we are dialled by: they tell where a dialled code ends."""

    name: str = NAME
    media_type: str = "application/json"

    def __init__(self, shortcodes: Collection[str]) -> None:
        self._shortcodes = frozenset(shortcodes)

    def read(self, body: bytes) -> Turn:
        """`newSession` opens one. Raises Unreadable."""
        fields = JsonBody(NAME, body)
        session_id = take_session_id(fields, "sessionID")
        account = fields.take("userID", length_max=64)
        caller = take_caller(fields, "msisdn")
        typed = fields.take("userData", length_max=INPUT_LENGTH_MAX, empty=True)
        opens = fields.flag("newSession")
        shortcode, text = split_dialled(typed, self._shortcodes) if opens else ("", typed)
        return Turn(
            session_id=session_id,
            msisdn=msisdn_of(caller),
            network=NETWORKS.get(fields.get("network", length_max=64).upper(), ""),
            shortcode=shortcode,
            text=text,
            cumulative=False,
            opens=opens,
            echo=(account, caller),
        )

    def write_reply(self, turn: Turn, reply: Reply) -> Acknowledgement:
        """`continueSession` keeps the session. The first three fields are what came in."""
        account, caller = turn.echo
        answer = {
            "sessionID": turn.session_id,
            "userID": account,
            "msisdn": caller,
            "message": reply.text,
            "continueSession": not reply.ends,
        }
        return Acknowledgement(body=msgspec.json.encode(answer))

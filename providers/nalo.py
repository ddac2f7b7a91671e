"""Nalo Solutions, Ghana: its USSD dialect.

Facts: reference `other-gateways.md`, section 2. It refuses to keep a session and to repeat what a
caller typed in anything but the answer, where Nalo wants it back.

The last input only; the first is the whole dialled code, and no later turn names a code. There is
nothing to tell a repeat from the same key pressed again, and no notice of an end. Older accounts
have no `SESSIONID`: there the session is the caller's, and comes again at the next dial. Nalo
advises screens of about 120 characters (one source).
"""

import hashlib
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

NAME: Final = "nalo"

NETWORKS: Final = {"MTN": "62001", "VODAFONE": "62002", "TELECEL": "62002", "AIRTELTIGO": "62006"}
"""`NETWORK` as network code: section 2, and `africas-talking.md` section 5 for the codes."""


class NaloUssd:
    """`shortcodes` are those we are dialled by: they tell where a dialled code ends."""

    name: str = NAME
    media_type: str = "application/json"

    def __init__(self, shortcodes: Collection[str]) -> None:
        self._shortcodes = frozenset(shortcodes)

    def read(self, body: bytes) -> Turn:
        """`MSGTYPE` true opens a session. Raises Unreadable."""
        fields = JsonBody(NAME, body)
        account = fields.take("USERID", length_max=64)
        caller = take_caller(fields, "MSISDN")
        typed = fields.take("USERDATA", length_max=INPUT_LENGTH_MAX, empty=True)
        opens = fields.flag("MSGTYPE")
        shortcode, text = split_dialled(typed, self._shortcodes) if opens else ("", typed)
        has_id = bool(fields.get("SESSIONID", length_max=100))
        return Turn(
            session_id=(
                take_session_id(fields, "SESSIONID") if has_id else _id_of(account, caller)
            ),
            msisdn=msisdn_of(caller),
            network=NETWORKS.get(fields.get("NETWORK", length_max=64).upper(), ""),
            shortcode=shortcode,
            text=text,
            cumulative=False,
            opens=opens,
            id_recurs=not has_id,
            echo=(account, caller, typed),
        )

    def write_reply(self, turn: Turn, reply: Reply) -> Acknowledgement:
        """`MSGTYPE` true keeps the session. The first three fields are what came in."""
        account, caller, typed = turn.echo
        answer = {
            "USERID": account,
            "MSISDN": caller,
            "USERDATA": typed,
            "MSG": reply.text,
            "MSGTYPE": not reply.ends,
        }
        return Acknowledgement(body=msgspec.json.encode(answer))


def _id_of(account: str, caller: str) -> str:
    """The same for every dial of a caller (section 2), and no number that a log could show."""
    whose = f"{account} {caller}".encode()
    return "nalo-" + hashlib.blake2s(whose, digest_size=16).hexdigest()

"""Nalo's messages as in reference `other-gateways.md`, section 2; identifiers are invented."""

import json
from typing import Any

import pytest

from engine.errors import Unreadable
from engine.ports import Reply, Turn
from providers.nalo import NaloUssd
from tests.providers.ussd_subjects import NALO, PIN, SHORTCODES, document

GATEWAY = NaloUssd(SHORTCODES)
OLDER = {name: value for name, value in NALO.turn.items() if name != "SESSIONID"}


def read(**changes: Any) -> Turn:
    return GATEWAY.read(document({**NALO.turn, **changes}))


def test_first_turn_is_read() -> None:
    assert read(USERDATA="*713*4#", MSGTYPE=True) == Turn(
        session_id="16590115252429751",
        msisdn="+233240000001",  # type: ignore[arg-type]
        network="62001",
        shortcode="*713*4#",
        text="",
        cumulative=False,
        opens=True,
        echo=("NALOTest", "233240000001", "*713*4#"),
    )


DIALS = [
    ("*713*4*1*500#", "*713*4#", "1*500"),
    ("*713*9#", "*713#", "9"),
    ("*920*77#", "*920*77#", ""),  # a code that is not ours: the sessions say so
    ("", "*#", ""),
]


@pytest.mark.parametrize(("dialled", "shortcode", "text"), DIALS)
def test_dialled_code_tells_shortcode_and_first_text(
    dialled: str, shortcode: str, text: str
) -> None:
    turn = read(USERDATA=dialled, MSGTYPE=True)
    assert (turn.opens, turn.shortcode, turn.text) == (True, shortcode, text)


def test_later_turn_names_no_code() -> None:
    turn = read(USERDATA="*713*4#")
    assert (turn.opens, turn.shortcode, turn.text) == (False, "", "*713*4#")


NETWORKS = [
    ("MTN", "62001"), ("VODAFONE", "62002"), ("AIRTELTIGO", "62006"), ("mtn", "62001"),
    ("GLO", ""), ("", ""), (None, ""),
]  # fmt: skip


@pytest.mark.parametrize(("word", "network"), NETWORKS)
def test_network_is_a_network_code(word: str | None, network: str) -> None:
    assert read(NETWORK=word).network == network


@pytest.mark.parametrize("missing", [{}, {"SESSIONID": ""}, {"SESSIONID": None}])
def test_older_account_has_one_id_for_every_dial_of_a_caller(missing: dict[str, Any]) -> None:
    turn = GATEWAY.read(document({**OLDER, **missing}))
    again = GATEWAY.read(document({**OLDER, "USERDATA": "*713*4#", "MSGTYPE": True}))
    assert turn.id_recurs and again.id_recurs
    assert turn.session_id == again.session_id
    assert turn.session_id.isascii() and turn.session_id.isprintable()
    assert turn.msisdn.digits not in turn.session_id
    others = [{"MSISDN": "233240000002"}, {"USERID": "NALOTest2"}]
    ids = {GATEWAY.read(document({**OLDER, **other})).session_id for other in others}
    assert len(ids | {turn.session_id}) == 3
    assert not read().id_recurs


@pytest.mark.parametrize("value", ["a b", "x" * 101, "\x00", 17])
def test_session_id_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(Unreadable, match="SESSIONID"):
        read(SESSIONID=value)


@pytest.mark.parametrize("typed", [PIN, "", 'Kofi "Ö" ሰ\n'])
def test_answer_returns_what_came_in(typed: str) -> None:
    answer = GATEWAY.write_reply(read(USERDATA=typed), Reply("Name:", ends=False))
    assert json.loads(answer.body) == {
        "USERID": "NALOTest",
        "MSISDN": "233240000001",
        "USERDATA": typed,
        "MSG": "Name:",
        "MSGTYPE": True,
    }

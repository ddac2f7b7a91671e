"""Arkesel's messages as in reference `other-gateways.md`, section 3; identifiers are invented."""

import json
from typing import Any

import pytest

from engine.ports import Reply, Turn
from providers.arkesel import ArkeselUssd
from tests.providers.ussd_subjects import ARKESEL, SHORTCODES, document

GATEWAY = ArkeselUssd(SHORTCODES)


def read(**changes: Any) -> Turn:
    return GATEWAY.read(document({**ARKESEL.turn, **changes}))


def test_first_turn_is_read() -> None:
    assert read(userData="*713*4#", newSession=True) == Turn(
        session_id="demo01",
        msisdn="+233240000001",  # type: ignore[arg-type]
        network="62001",
        shortcode="*713*4#",
        text="",
        cumulative=False,
        opens=True,
        echo=("ARKTest", "233240000001"),
    )


DIALS = [
    ("*713*4*1*500#", "*713*4#", "1*500"),
    ("*713*9#", "*713#", "9"),
    ("*928*77#", "*928*77#", ""),  # a code that is not ours: the sessions say so
]


@pytest.mark.parametrize(("dialled", "shortcode", "text"), DIALS)
def test_dialled_code_tells_shortcode_and_first_text(
    dialled: str, shortcode: str, text: str
) -> None:
    turn = read(userData=dialled, newSession=True)
    assert (turn.opens, turn.shortcode, turn.text) == (True, shortcode, text)


def test_later_turn_names_no_code() -> None:
    turn = read(userData="*713*4#")
    assert (turn.opens, turn.shortcode, turn.text) == (False, "", "*713*4#")


NETWORKS = [("MTN", "62001"), ("mtn", "62001"), ("Vodafone", "62002"), ("AirtelTigo", "62006"),
            ("AT", ""), ("", ""), (None, "")]  # fmt: skip


@pytest.mark.parametrize(("word", "network"), NETWORKS)
def test_network_is_a_network_code(word: str | None, network: str) -> None:
    assert read(network=word).network == network


def test_answer_returns_whose_turn_it_was() -> None:
    answer = GATEWAY.write_reply(read(userID="Ärk 1"), Reply("Bye.", ends=True))
    assert json.loads(answer.body) == {
        "sessionID": "demo01",
        "userID": "Ärk 1",
        "msisdn": "233240000001",
        "message": "Bye.",
        "continueSession": False,
    }

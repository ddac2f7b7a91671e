"""MTN's USSD messages as in reference `other-gateways.md`, section 6; identifiers are invented."""

import json
from typing import Any

import pytest

from engine.errors import Unreadable
from engine.ports import EndReason, Reply, SessionEnd, Turn
from providers.mtn_ussd import MtnUssd
from tests.providers.ussd_subjects import MTN, PIN, document


def read(**changes: Any) -> Turn | SessionEnd:
    return MtnUssd().read(document({**MTN.turn, **changes}))


def opened(**changes: Any) -> Turn:
    turn = read(messageType="0", **changes)
    assert isinstance(turn, Turn)
    return turn


def test_begin_is_read() -> None:
    cell = {"cellId": "1234", "language": "en", "imsi": "641100000000001"}
    assert opened(ussdString="*713*4#", **cell) == Turn(
        session_id="demo01",
        msisdn="+256772000001",  # type: ignore[arg-type]
        network="64110",
        shortcode="*713*4#",
        text="",
        cumulative=False,
        opens=True,
        echo=("*713*4#", "256772000001"),
    )


@pytest.mark.parametrize(
    ("dialled", "text"),
    [("*713*4*1*500#", "1*500"), ("", ""), (None, ""), ("713*4", ""), ("7", "")],
)
def test_first_string_is_dialled_or_empty(dialled: str | None, text: str) -> None:
    turn = opened(ussdString=dialled)
    assert (turn.opens, turn.shortcode, turn.text) == (True, "*713*4#", text)


@pytest.mark.parametrize("kind", ["1", 1])
def test_type_may_be_a_text_or_a_number(kind: Any) -> None:
    turn = read(messageType=kind)
    assert isinstance(turn, Turn)
    assert (turn.opens, turn.text) == (False, PIN)


ENDS = [
    ("2", EndReason.UNKNOWN, False),
    ("4", EndReason.CANCELLED, True),
    ("5", EndReason.TIMED_OUT, True),
    (5, EndReason.TIMED_OUT, True),
]


@pytest.mark.parametrize(("kind", "reason", "dropped"), ENDS)
def test_end_is_told_by_a_type_and_never_repeats_its_string(
    kind: Any, reason: EndReason, dropped: bool
) -> None:
    end = read(messageType=kind, ussdString=PIN)
    assert isinstance(end, SessionEnd)
    assert (end.session_id, end.msisdn, end.network) == ("demo01", "+256772000001", "64110")
    assert (end.reason, end.dropped, end.status) == (reason, dropped, f"messageType {kind}")
    assert PIN not in f"{end.status} {end.acknowledgement}"
    answer = json.loads(end.acknowledgement.body)
    assert (answer["statusCode"], answer["data"]["userInputRequired"]) == ("0000", False)


@pytest.mark.parametrize("kind", ["3", "6", "", "00", "begin", None])
def test_type_of_no_dialogue_is_refused(kind: Any) -> None:
    with pytest.raises(Unreadable, match="messageType"):
        read(messageType=kind)


NETWORKS = [
    ("233240000001", "62001"),
    ("2348030000001", "62130"),
    ("250780000001", "63510"),
    ("256772000001", "64110"),
    ("260960000001", "64502"),
    ("27830000001", "65510"),
    ("237670000001", ""),  # Cameroon: no code in the reference
]


@pytest.mark.parametrize(("caller", "network"), NETWORKS)
def test_network_is_mtn_of_the_callers_country(caller: str, network: str) -> None:
    assert opened(msisdn=caller).network == network


def test_code_goes_back_as_it_was_written() -> None:
    turn = opened(serviceCode="713*4", ussdString="*713*4#")
    assert turn.shortcode == "*713*4#"
    answer = json.loads(MtnUssd().write_reply(turn, Reply("Bye.", ends=True)).body)
    assert answer["data"]["serviceCode"] == "713*4"
    assert answer["transactionId"] == turn.session_id

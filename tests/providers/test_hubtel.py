"""Hubtel's messages as in reference `other-gateways.md`, section 1; identifiers are invented."""

import json
from typing import Any

import pytest

from engine.errors import Unreadable
from engine.ports import EndReason, Reply, SessionEnd, Turn
from providers.hubtel import HubtelUssd
from tests.providers.ussd_subjects import HUBTEL, document

DOCUMENTED = (
    b'{"Type":"Initiation","Mobile":"233240000001","SessionId":"demo01","ServiceCode":"713*4",'
    b'"Message":"*713*4#","Operator":"mtn","Sequence":1,"ClientState":"","Platform":"USSD"}'
)


def read(**changes: Any) -> Turn:
    turn = HubtelUssd().read(document({**HUBTEL.turn, **changes}))
    assert isinstance(turn, Turn)
    return turn


def test_message_of_the_reference_is_read() -> None:
    assert HubtelUssd().read(DOCUMENTED) == Turn(
        session_id="demo01",
        msisdn="+233240000001",  # type: ignore[arg-type]
        network="62001",
        shortcode="*713*4#",
        text="",
        cumulative=False,
        opens=True,
        sequence="1",
    )


def test_names_and_words_may_come_in_any_case() -> None:
    lowered = json.loads(DOCUMENTED)
    camel = {name[0].lower() + name[1:]: value for name, value in lowered.items()}
    upper = {name.upper(): value for name, value in lowered.items()}
    for fields, kind in ((camel, "initiation"), (upper, "INITIATION")):
        name = next(name for name in fields if name.lower() == "type")
        assert HubtelUssd().read(document({**fields, name: kind})) == HubtelUssd().read(DOCUMENTED)


DIALS = [
    ("*713*4#", ""),
    ("*713*4*1*500#", "1*500"),
    ("713*4*2", "2"),
    ("", ""),
    ("*999#", ""),  # not our code: it opens, and says nothing more
]


@pytest.mark.parametrize(("message", "text"), DIALS)
def test_what_was_dialled_behind_the_code_is_the_first_text(message: str, text: str) -> None:
    turn = read(Type="Initiation", Message=message)
    assert (turn.opens, turn.shortcode, turn.text) == (True, "*713*4#", text)


def test_dialled_string_is_plain_text_once_the_session_is_open() -> None:
    turn = read(Message="*713*4*1#")
    assert (turn.opens, turn.text) == (False, "*713*4*1#")


OPERATORS = [
    ("mtn", "62001"),
    ("MTN", "62001"),
    ("vodafone", "62002"),
    ("telecel", "62002"),
    ("tigo", "62006"),
    ("airtel", "62006"),
    ("glo", ""),
    ("", ""),
]


@pytest.mark.parametrize(("operator", "network"), OPERATORS)
def test_operator_is_a_network_code(operator: str, network: str) -> None:
    assert read(Operator=operator).network == network


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Operator", "Hubtel-Android"),
        ("Operator", "hubtel-ios"),
        ("Operator", "webstore"),
        ("Platform", "webstore"),
        ("Platform", "Hubtel-iOS"),
    ],
)
def test_caller_whom_no_network_vouches_for_is_refused(field: str, value: str) -> None:
    with pytest.raises(Unreadable, match=field):
        read(**{field: value})


@pytest.mark.parametrize("platform", ["USSD", "ussd", "", None])
def test_platform_is_told_by_newer_accounts_only(platform: str | None) -> None:
    assert read(Platform=platform).network == "62001"


@pytest.mark.parametrize(("sequence", "expected"), [(3, "3"), ("3", "3"), (None, ""), ("", "")])
def test_sequence_tells_a_repeat(sequence: Any, expected: str) -> None:
    assert read(Sequence=sequence).sequence == expected


@pytest.mark.parametrize("kind", ["AddToCart", "Query", "Favorite", "HijackSession", "Response "])
def test_type_of_no_dialogue_on_a_phone_is_refused(kind: str) -> None:
    with pytest.raises(Unreadable, match="Type"):
        read(Type=kind)


ENDS = [("Release", EndReason.CANCELLED), ("timeout", EndReason.TIMED_OUT)]


@pytest.mark.parametrize(("kind", "reason"), ENDS)
def test_end_is_told_by_a_type(kind: str, reason: EndReason) -> None:
    end = HubtelUssd().read(document({**HUBTEL.turn, "Type": kind, "Message": None}))
    assert isinstance(end, SessionEnd)
    assert (end.session_id, end.msisdn, end.network) == ("demo01", "+233240000001", "62001")
    assert (end.reason, end.status, end.hops, end.dropped) == (reason, kind.lower(), 3, True)
    assert json.loads(end.acknowledgement.body) == {
        "SessionId": "demo01",
        "Type": "release",
        "Message": "",
        "Label": "",
        "ClientState": "",
        "DataType": "display",
        "FieldType": "text",
    }


@pytest.mark.parametrize(("operator", "network"), OPERATORS)
def test_end_is_of_the_same_network_as_the_turns(operator: str, network: str) -> None:
    end = HubtelUssd().read(document({**HUBTEL.turn, "Type": "Timeout", "Operator": operator}))
    assert isinstance(end, SessionEnd)
    assert end.network == network


@pytest.mark.parametrize("sequence", [None, "x", -1, "²"])
def test_end_without_a_sensible_count_is_still_an_end(sequence: Any) -> None:
    end = HubtelUssd().read(document({**HUBTEL.turn, "Type": "Release", "Sequence": sequence}))
    assert isinstance(end, SessionEnd)
    assert end.hops is None


def test_end_from_an_app_is_an_end() -> None:
    end = HubtelUssd().read(document({**HUBTEL.turn, "Type": "Release", "Platform": "webstore"}))
    assert isinstance(end, SessionEnd)


def test_answer_is_written_in_pascal_case_and_keeps_no_state_there() -> None:
    answer = json.loads(HubtelUssd().write_reply(read(), Reply("PIN:", ends=False)).body)
    assert answer["Type"] == "response"
    assert answer["ClientState"] == ""
    assert all(name[0].isupper() for name in answer)

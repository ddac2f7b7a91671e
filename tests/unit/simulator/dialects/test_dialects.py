"""What every gateway posts and how it reads an answer: the examples of the documents, as tables."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest

from simulator.dialects import DIALECTS
from simulator.dialects.dialect import End, Ended, Told, Turn, Unreadable
from simulator.exchange import Answer, Request

GHANAIAN = "+233240000001"
DIAL = Turn("demo01", GHANAIAN, "62001", dialled="*713*4*1#", shortcode="*713*4#", behind="1")
ANSWER = replace(DIAL, typed=("2", "500"), state="menu")
ACCOUNT = "SIMULATOR"

Fields = Mapping[str, Any]

POSTED: Mapping[str, tuple[Fields, Fields]] = {
    "africastalking": (
        {
            "sessionId": "demo01", "serviceCode": "*713*4#", "phoneNumber": GHANAIAN,
            "networkCode": "62001", "text": "1",
        },
        {
            "sessionId": "demo01", "serviceCode": "*713*4#", "phoneNumber": GHANAIAN,
            "networkCode": "62001", "text": "1*2*500",
        },
    ),
    "hubtel": (
        {
            "Type": "Initiation", "Mobile": "233240000001", "SessionId": "demo01",
            "ServiceCode": "713*4", "Message": "*713*4*1#", "Operator": "mtn", "Sequence": 1,
            "ClientState": "", "Platform": "USSD",
        },
        {
            "Type": "Response", "Mobile": "233240000001", "SessionId": "demo01",
            "ServiceCode": "713*4", "Message": "500", "Operator": "mtn", "Sequence": 3,
            "ClientState": "menu", "Platform": "USSD",
        },
    ),
    "nalo": (
        {
            "USERID": ACCOUNT, "MSISDN": "233240000001", "USERDATA": "*713*4*1#",
            "MSGTYPE": True, "NETWORK": "MTN", "SESSIONID": "demo01",
        },
        {
            "USERID": ACCOUNT, "MSISDN": "233240000001", "USERDATA": "500",
            "MSGTYPE": False, "NETWORK": "MTN", "SESSIONID": "demo01",
        },
    ),
    "nalo-older": (
        {
            "USERID": ACCOUNT, "MSISDN": "233240000001", "USERDATA": "*713*4*1#",
            "MSGTYPE": True, "NETWORK": "MTN",
        },
        {
            "USERID": ACCOUNT, "MSISDN": "233240000001", "USERDATA": "500",
            "MSGTYPE": False, "NETWORK": "MTN",
        },
    ),
    "arkesel": (
        {
            "sessionID": "demo01", "userID": ACCOUNT, "newSession": True,
            "msisdn": "233240000001", "userData": "*713*4*1#", "network": "MTN",
        },
        {
            "sessionID": "demo01", "userID": ACCOUNT, "newSession": False,
            "msisdn": "233240000001", "userData": "500", "network": "MTN",
        },
    ),
    "mtn": (
        {
            "sessionId": "demo01", "messageType": "0", "msisdn": "233240000001",
            "serviceCode": "*713*4#", "ussdString": "*713*4*1#",
        },
        {
            "sessionId": "demo01", "messageType": "1", "msisdn": "233240000001",
            "serviceCode": "*713*4#", "ussdString": "500",
        },
    ),
}  # fmt: skip


def fields_of(request: Request) -> Fields:
    if request.content_type == "application/json":
        found: Fields = json.loads(request.body)
        return found
    assert request.content_type == "application/x-www-form-urlencoded"
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True))


def text(body: str | bytes, content_type: str = "text/plain", **headers: str) -> Answer:
    told = body.encode() if isinstance(body, str) else body
    return Answer(200, content_type, told, headers)


def said(**fields: Any) -> Answer:
    return text(json.dumps(fields), "application/json")


def good(name: str, turn: Turn, message: str, *, ends: bool) -> Answer:
    """A perfect answer in this dialect."""
    match name:
        case "africastalking":
            return text(f"{'END' if ends else 'CON'} {message}")
        case "hubtel":
            kind = "release" if ends else "response"
            return said(SessionId=turn.session_id, Type=kind, Message=message, ClientState="m1")
        case "nalo" | "nalo-older":
            return said(
                USERID=ACCOUNT, MSISDN=turn.digits, USERDATA=turn.said, MSG=message,
                MSGTYPE=not ends,
            )  # fmt: skip
        case "arkesel":
            return said(
                sessionID=turn.session_id, userID=ACCOUNT, msisdn=turn.digits, message=message,
                continueSession=not ends,
            )  # fmt: skip
    inbound = {
        "inboundResponse": message, "userInputRequired": not ends, "messageType": 2 if ends else 1,
        "serviceCode": turn.shortcode, "msisdn": turn.digits,
    }  # fmt: skip
    return said(statusCode="0000", statusMessage="Success", transactionId="t", data=inbound)


def test_every_dialect_has_its_examples() -> None:
    assert set(POSTED) == set(DIALECTS)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_turn_is_posted_as_the_gateway_documents_it(name: str) -> None:
    dial, answer = POSTED[name]
    assert fields_of(DIALECTS[name].write_turn(DIAL)) == dial
    assert fields_of(DIALECTS[name].write_turn(ANSWER)) == answer


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("ends", [False, True])
def test_a_good_answer_is_a_screen_without_flaws(name: str, ends: bool) -> None:
    told = DIALECTS[name].read_answer(good(name, ANSWER, "Pay\n1. Yes", ends=ends), ANSWER)
    assert told == Told("Pay\n1. Yes", ends, "m1" if name == "hubtel" else "")


JSON_DIALECTS = [name for name in DIALECTS if name != "africastalking"]


@pytest.mark.parametrize("name", JSON_DIALECTS)
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (text("", "application/json"), "the body is no JSON: ''"),
        (text("{", "application/json"), "the body is no JSON"),
        (text("[]", "application/json"), "the body is no JSON object: '[]'"),
        (text("[" * 10_000, "application/json"), "the body is no JSON"),
        (text('{"a":1,"a":2}', "application/json"), "'a' comes twice"),
        (text('{"a":NaN}', "application/json"), "NaN is no number"),
        (text("9" * 9000, "application/json"), "the body is no JSON"),
        (text("\ufeff{}", "application/json"), "byte order mark"),
        (text(b"\xff\xfe{\0", "application/json"), "not UTF-8: byte 0 is 0xff"),
        (text("CON hello"), "content type 'text/plain' is not application/json"),
        (said(), "is missing"),
        (text(b"{}", "application/json", **{"content-encoding": "gzip"}), "packed as 'gzip'"),
    ],
)
def test_an_answer_that_is_no_json_object_is_unreadable(
    name: str, answer: Answer, reason: str
) -> None:
    with pytest.raises(Unreadable) as raised:
        DIALECTS[name].read_answer(answer, DIAL)
    assert reason in str(raised.value)


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (500, {}, "HTTP status 500"),
        (201, {}, "HTTP status 201"),
        (302, {"location": "/other"}, "HTTP status 302 to '/other': gateways follow no redirect"),
        (307, {}, "HTTP status 307 to '': gateways follow no redirect"),
    ],
)
def test_any_status_but_200_is_unreadable(
    name: str, status: int, headers: dict[str, str], reason: str
) -> None:
    answer = replace(good(name, DIAL, "Hello", ends=False), status=status, headers=headers)
    with pytest.raises(Unreadable) as raised:
        DIALECTS[name].read_answer(answer, DIAL)
    assert str(raised.value) == reason


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(
    ("charset", "flaw"),
    [
        ("utf-8", None),
        ("UTF8", None),
        ("us-ascii", None),
        ("klingon", "nobody knows the charset 'klingon'; it was read as UTF-8"),
        ("iso-8859-1", "the charset is iso-8859-1; it was read as UTF-8"),
        ("\0", "nobody knows the charset"),
    ],
)
def test_another_charset_is_read_as_utf8_and_said(
    name: str, charset: str, flaw: str | None
) -> None:
    answer = good(name, DIAL, "Hello", ends=False)
    other = replace(answer, content_type=f"{answer.content_type}; charset={charset}")
    told = DIALECTS[name].read_answer(other, DIAL)
    assert told.text == "Hello"
    assert [flaw in said for said in told.flaws] == [True] if flaw else told.flaws == ()


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("hubtel", {"Type": "AddToCart"}, "Type is 'AddToCart', neither 'response' nor 'release'"),
    ("hubtel", {"Message": 5}, "Message is 5, not a text"),
    ("hubtel", {"Message": "\ud800"}, "Message holds half a sign (a lone surrogate)"),
    ("hubtel", {"message": "Twice"}, "'message' comes twice, in another case"),
    ("hubtel", {"ClientState": 7}, "ClientState is 7, not a text"),
    ("nalo", {"MSGTYPE": "true"}, "MSGTYPE is 'true', not a truth value"),
    ("nalo", {"MSG": None}, "MSG is None, not a text"),
    ("arkesel", {"continueSession": 1}, "continueSession is 1, not a truth value"),
    ("arkesel", {"message": "x" * 0, "continueSession": None}, "continueSession is None"),
    ("mtn", {"statusCode": "4000"}, "statusCode is '4000', not '0000'"),
    ("mtn", {"data": "x" * 99}, f"data is {'x' * 39!r:.40}..., not an object"),
]


@pytest.mark.parametrize(("name", "change", "reason"), WRONG)
def test_a_field_that_is_wrong_is_named(name: str, change: dict[str, Any], reason: str) -> None:
    fields = {**json.loads(good(name, DIAL, "Hello", ends=False).body), **change}
    with pytest.raises(Unreadable) as raised:
        DIALECTS[name].read_answer(said(**fields), DIAL)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("body", "starts"),
    [("CONHello", "'CONHello'"), ("\nCON Hi", "'\\nCON Hi'"), ("con Hi", "'con Hi'"), ("", "''")],
)
def test_a_body_that_begins_otherwise_is_quoted(body: str, starts: str) -> None:
    with pytest.raises(Unreadable, match="neither 'CON ' nor 'END '") as raised:
        DIALECTS["africastalking"].read_answer(text(body), DIAL)
    assert starts in str(raised.value)


FLAWED: list[tuple[str, dict[str, Any], str]] = [
    ("hubtel", {"SessionId": "other"}, "SessionId came back as 'other'"),
    ("nalo", {"USERDATA": "9"}, "USERDATA came back as '9'"),
    ("arkesel", {"sessionID": None}, "sessionID came back as None"),
]


@pytest.mark.parametrize(("name", "change", "flaw"), FLAWED)
def test_what_does_not_come_back_as_it_was_sent_is_a_flaw(
    name: str, change: dict[str, Any], flaw: str
) -> None:
    fields = {**json.loads(good(name, DIAL, "Hello", ends=False).body), **change}
    assert DIALECTS[name].read_answer(said(**fields), DIAL).flaws == (flaw,)


def test_what_does_not_come_back_at_all_is_a_flaw() -> None:
    told = DIALECTS["hubtel"].read_answer(said(Type="response", Message="Hi"), DIAL)
    assert told == Told("Hi", ends=False, flaws=("SessionId did not come back",))


def test_hubtels_names_and_words_are_read_in_any_case() -> None:
    answer = said(sessionId="demo01", type="Release", message="Bye", clientState=None)
    assert DIALECTS["hubtel"].read_answer(answer, DIAL) == Told("Bye", ends=True)


def test_mtns_two_words_for_the_end_may_not_contradict_each_other() -> None:
    fields = json.loads(good("mtn", DIAL, "Hi", ends=False).body)
    fields["data"]["messageType"] = 2
    told = DIALECTS["mtn"].read_answer(said(**fields), DIAL)
    assert told.flaws == ("messageType is 2, but userInputRequired is true",)


@pytest.mark.parametrize("kind", [True, "1", 1.0, None])
def test_mtns_message_type_in_an_answer_is_a_number(kind: Any) -> None:
    fields = json.loads(good("mtn", DIAL, "Hi", ends=False).body)
    fields["data"]["messageType"] = kind
    with pytest.raises(Unreadable, match=r"messageType is .*, not a whole number"):
        DIALECTS["mtn"].read_answer(said(**fields), DIAL)


def test_africastalking_gives_back_what_the_server_asked_for() -> None:
    dialect = DIALECTS["africastalking"]
    told = dialect.read_answer(text("CON Hi", **{"at-ussd-hop-metadata": "page=2"}), DIAL)
    assert told == Told("Hi", ends=False, state="page=2")
    request = dialect.write_turn(replace(ANSWER, state="page=2"))
    assert request.headers == {"at-ussd-hop-metadata": "page=2"}
    assert dialect.write_turn(replace(ANSWER, state="")).headers == {}


@pytest.mark.parametrize(
    ("state", "flaw"),
    [
        ("x" * 100, "at-ussd-hop-metadata has 100 signs, the gateway takes 99"),
        ("a|b", "at-ussd-hop-metadata holds a '|': 'a|b'"),
        ("état", "at-ussd-hop-metadata holds what no header can: 'état'"),
        ("Ã©tat", "at-ussd-hop-metadata holds what no header can: 'Ã©tat'"),
        ("a\tb", "at-ussd-hop-metadata holds what no header can: 'a\\tb'"),
    ],
)
def test_a_state_that_the_gateway_refuses_is_not_given_back(state: str, flaw: str) -> None:
    answer = text("CON Hi", **{"at-ussd-hop-metadata": state})
    told = DIALECTS["africastalking"].read_answer(answer, DIAL)
    assert told == Told("Hi", ends=False, state="", flaws=(flaw,))


def ended(end: End, **fields: Any) -> Ended:
    at = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
    told = Ended(ANSWER, end, at=at, duration_ms=25_000, hops=4, last_answer="CON Hi")
    return replace(told, **fields)


def test_africastalking_tells_an_end_with_the_whole_dialogue() -> None:
    request = DIALECTS["africastalking"].write_end(
        ended(End.FAILED, states=("a", "b"), error="HTTP status 500")
    )
    assert request is not None
    assert fields_of(request) == {
        "date": "2026-01-01 10:00:00", "sessionId": "demo01", "serviceCode": "*713*4#",
        "phoneNumber": GHANAIAN, "networkCode": "62001", "status": "Failed",
        "cost": "KES 1.0000", "durationInMillis": "25000", "hopsCount": "4", "input": "1*2*500",
        "lastAppResponse": "CON Hi", "hopsMetadata": "a|b", "errorMessage": "HTTP status 500",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "end", "told"),
    [
        ("hubtel", End.HUNG_UP, {"Type": "Release", "Sequence": 4, "Message": ""}),
        ("hubtel", End.TIMED_OUT, {"Type": "Timeout", "Sequence": 4}),
        ("hubtel", End.ANSWERED, None),
        ("mtn", End.HUNG_UP, {"messageType": "4"}),
        ("mtn", End.TIMED_OUT, {"messageType": "5"}),
        ("mtn", End.ANSWERED, None),
        ("mtn", End.FAILED, None),
        ("nalo", End.HUNG_UP, None),
        ("arkesel", End.HUNG_UP, None),
        ("africastalking", End.HUNG_UP, {"status": "Incomplete"}),
        ("africastalking", End.TIMED_OUT, {"status": "Incomplete"}),
        ("africastalking", End.ANSWERED, {"status": "Success"}),
    ],
)
def test_an_end_is_told_where_the_gateway_tells_it(
    name: str, end: End, told: Fields | None
) -> None:
    request = DIALECTS[name].write_end(ended(end))
    if told is None:
        assert request is None
    else:
        assert request is not None
        assert told.items() <= fields_of(request).items()

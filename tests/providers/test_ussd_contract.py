"""What every USSD gateway's adapter promises, whatever it calls its fields: one suite, all."""

import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Unreadable
from engine.ports import EndNotices, Reply, SessionEnd, Turn
from providers.registry import USSD
from tests.providers.ussd_subjects import (
    BODIES,
    GATEWAYS,
    PIN,
    SCREEN,
    SHORTCODES,
    Gateway,
    document,
    form,
)

JSON_GATEWAYS = [gateway for gateway in GATEWAYS if gateway.write is document]
FIELDS = [(gateway, name) for gateway in GATEWAYS for name in gateway.turn]
JSON_FIELDS = [(gateway, name) for gateway, name in FIELDS if gateway.write is document]

every = pytest.mark.parametrize("gateway", GATEWAYS, ids=lambda gateway: gateway.name)


def fields(cases: list[tuple[Gateway, str]]) -> pytest.MarkDecorator:
    ids = [f"{gateway.name} {name}" for gateway, name in cases]
    return pytest.mark.parametrize(("gateway", "name"), cases, ids=ids)


def read(gateway: Gateway, body: bytes) -> Turn:
    turn = gateway.build().read(body)
    assert isinstance(turn, Turn)
    return turn


def refused(gateway: Gateway, body: bytes) -> str:
    """The complaint about a body that is no turn; no word of what was typed is in the error."""
    with pytest.raises(Unreadable) as caught:
        gateway.build().read(body)
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + f"{error!r} {vars(error)} {error.args}"
    assert PIN not in shown
    assert error.__cause__ is None
    assert error.provider == gateway.name
    return error.detail


def test_every_gateway_of_the_registry_is_in_this_suite() -> None:
    assert {gateway.name for gateway in GATEWAYS} == set(USSD)
    for name, build in USSD.items():
        assert build(SHORTCODES).name == name


@every
def test_dial_opens_with_nothing_typed(gateway: Gateway) -> None:
    turn = read(gateway, gateway.write(gateway.dial))
    assert (turn.shortcode, turn.text) == ("*713*4#", "")
    assert turn.opens is not turn.cumulative


@every
def test_turn_is_neutral(gateway: Gateway) -> None:
    turn = read(gateway, gateway.write(gateway.turn))
    expected: dict[str, Any] = {
        "session_id": gateway.turn[gateway.session],
        "msisdn": "+" + gateway.turn[gateway.caller].removeprefix("+"),
        "network": "62001",
        "shortcode": "*713*4#",
        "text": PIN,
        "cumulative": False,
        "opens": False,
        "sequence": "",
        "id_recurs": False,
        "echo": (),
        **gateway.expected,
    }  # fmt: skip
    assert {name: getattr(turn, name) for name in Turn.__struct_fields__} == expected


@every
def test_repr_of_a_turn_shows_neither_text_nor_number(gateway: Gateway) -> None:
    turn = read(gateway, gateway.write(gateway.turn))
    assert PIN not in repr(turn)
    assert turn.msisdn.digits not in repr(turn)
    assert turn.session_id in repr(turn)


@every
@pytest.mark.parametrize(
    "typed", ["", "0", "00", "*", "#", "1*2", "O'Brien & Söhne +1", "الف", "a=b%20c\n"]
)
def test_text_arrives_as_typed(gateway: Gateway, typed: str) -> None:
    assert read(gateway, gateway.with_field(gateway.typed, typed)).text == typed


@every
@given(typed=st.text(st.characters(codec="utf-8"), max_size=180))
def test_any_text_survives_its_encoding(gateway: Gateway, typed: str) -> None:
    assert read(gateway, gateway.with_field(gateway.typed, typed)).text == typed


@every
@pytest.mark.parametrize("ends", [False, True])
def test_answer_is_exact_and_the_same_again(gateway: Gateway, ends: bool) -> None:
    port = gateway.build()
    answers = [
        port.write_reply(read(gateway, gateway.write(gateway.turn)), Reply(SCREEN, ends=ends))
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert (answers[0].status, answers[0].content_type) == (200, gateway.answer_type)
    assert answers[0].body == (gateway.last_answer if ends else gateway.open_answer)


@every
def test_answer_keeps_letters_beyond_ascii(gateway: Gateway) -> None:
    turn = read(gateway, gateway.write(gateway.turn))
    answer = gateway.build().write_reply(turn, Reply('Zoë "ሰላም"', ends=False))
    text = answer.body.decode()
    assert "Zoë" in text and "ሰላም" in text
    if gateway.write is document:
        assert 'Zoë "ሰላም"' in _leaves(json.loads(text))


def _leaves(found: Any) -> list[Any]:
    if isinstance(found, dict):
        return [leaf for value in found.values() for leaf in _leaves(value)]
    return [found]


# What is wrong with one field.


@fields(FIELDS)
def test_missing_field_is_named_or_not_needed(gateway: Gateway, name: str) -> None:
    body = gateway.without(name)
    if name in gateway.optional:
        assert read(gateway, body).text == PIN
    else:
        assert refused(gateway, body).startswith(f"{name} is missing")


@fields(FIELDS)
def test_doubled_field_is_refused(gateway: Gateway, name: str) -> None:
    assert refused(gateway, gateway.doubled(name)) == f"{name} is doubled"


@fields(FIELDS)
def test_empty_field_is_named_or_not_needed(gateway: Gateway, name: str) -> None:
    body = gateway.with_field(name, "")
    if name in gateway.optional or name == gateway.typed:
        assert read(gateway, body).msisdn
    else:
        assert name in refused(gateway, body)


@fields([case for case in FIELDS if case[1] not in ("ClientState", "imsi")])
def test_huge_field_is_refused(gateway: Gateway, name: str) -> None:
    complaint = refused(gateway, gateway.with_field(name, "1" * 5000))
    wrong = "neither true nor false" if name in gateway.flags else "too long"
    assert complaint.startswith(name) and wrong in complaint


@fields([case for case in FIELDS if case[1] not in ("ClientState", "imsi")])
def test_control_characters_are_in_no_field_but_the_text(gateway: Gateway, name: str) -> None:
    body = gateway.with_field(name, f"{PIN}\x00\x1b")
    if name == gateway.typed:
        assert read(gateway, body).text == f"{PIN}\x00\x1b"
        return
    try:
        turn = read(gateway, body)
    except Unreadable as error:
        assert error.detail.startswith(name)
    else:  # what only chooses the rules of a network, or goes back as it came
        assert name in gateway.optional | {"USERID", "userID"}
        assert "\x00" not in turn.network + turn.shortcode + turn.session_id


WRONG = [True, 1.5, 4711, 10**400, [PIN], {"value": PIN}, {"a": {"b": [PIN, {}]}}, [], {}]


@fields(JSON_FIELDS)
@pytest.mark.parametrize("value", WRONG, ids=lambda value: str(value)[:12])
def test_value_of_another_type_is_refused(gateway: Gateway, name: str, value: Any) -> None:
    body = gateway.with_field(name, value)
    if name in ("ClientState", "imsi"):  # nobody looks
        assert read(gateway, body).text == PIN
    elif name in gateway.flags and value is True:
        assert read(gateway, body).opens
    elif name == "Sequence" and value == 4711:
        assert read(gateway, body).sequence == "4711"
    else:
        assert refused(gateway, body).startswith(name)


@fields(JSON_FIELDS)
def test_null_is_empty(gateway: Gateway, name: str) -> None:
    body = gateway.with_field(name, None)
    if name in gateway.optional:
        assert read(gateway, body).text == PIN
    elif name == gateway.typed:
        assert read(gateway, body).text == ""
    else:
        assert refused(gateway, body).startswith(name)


@every
@pytest.mark.parametrize(
    "number",
    [
        "0240000001",
        "+0240000001",
        "12345",
        "233 240000001",
        "٢٣٣٢٤٠٠٠٠٠٠١",
        "++2332400000",
        "2" * 16,
    ],
)
def test_caller_without_a_number_in_international_form_is_refused(
    gateway: Gateway, number: str
) -> None:
    complaint = refused(gateway, gateway.with_field(gateway.caller, number))
    assert complaint.startswith(gateway.caller)
    assert number not in complaint


@pytest.mark.parametrize("gateway", JSON_GATEWAYS, ids=lambda gateway: gateway.name)
def test_plus_before_a_number_changes_nothing_and_comes_back(gateway: Gateway) -> None:
    plain = read(gateway, gateway.write(gateway.turn))
    turn = read(gateway, gateway.with_field(gateway.caller, str(plain.msisdn)))
    assert turn.msisdn == plain.msisdn
    if plain.msisdn.digits in plain.echo:
        assert plain.msisdn in turn.echo


# What is wrong with the body as a whole.


@every
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_body_of_another_shape_is_refused(gateway: Gateway, body: bytes) -> None:
    assert refused(gateway, body)


@every
def test_form_where_json_is_due_and_the_other_way_round(gateway: Gateway) -> None:
    other = document if gateway.write is form else form
    assert refused(gateway, other(gateway.turn))


@pytest.mark.parametrize("gateway", JSON_GATEWAYS, ids=lambda gateway: gateway.name)
def test_half_a_surrogate_pair_is_no_text(gateway: Gateway) -> None:
    body = gateway.with_field(gateway.typed, f"{PIN}\ud83d")
    assert refused(gateway, body) == f"{gateway.typed} is not UTF-8"
    assert read(gateway, gateway.with_field(gateway.typed, "\U0001f600")).text == "\U0001f600"


@pytest.mark.parametrize("gateway", JSON_GATEWAYS, ids=lambda gateway: gateway.name)
def test_doubled_field_nobody_asks_for_is_refused_without_its_name(gateway: Gateway) -> None:
    body = gateway.write(gateway.turn)[:-1]
    for name in (PIN, f"pin {PIN}", "n" * 100 + PIN):
        assert refused(gateway, body + f',"{name}":1,"{name}":2}}'.encode()) == "a field is doubled"


@pytest.mark.long("hundreds of bodies for each")
@every
@given(body=st.binary(max_size=300))
def test_any_bytes_are_read_or_unreadable(gateway: Gateway, body: bytes) -> None:
    port = gateway.build()
    for read_any in (port.read, *([port.read_end] if isinstance(port, EndNotices) else [])):
        try:
            read_any(body)
        except Unreadable:
            continue


_WORDS = st.sampled_from(
    ["Release", "timeout", "Initiation", "0", "1", "5", "*713*4#", "233240001"]
)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | _WORDS
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.long("hundreds of bodies for each")
@pytest.mark.parametrize("gateway", JSON_GATEWAYS, ids=lambda gateway: gateway.name)
@given(mess=st.data())
def test_any_values_are_read_or_unreadable_and_a_turn_can_be_answered(
    gateway: Gateway, mess: st.DataObject
) -> None:
    wrong = mess.draw(st.dictionaries(st.sampled_from(list(gateway.turn)), _VALUES, max_size=3))
    port = gateway.build()
    try:
        told = port.read(gateway.write({**gateway.turn, **wrong}))
    except Unreadable:
        return
    if isinstance(told, Turn):
        assert json.loads(port.write_reply(told, Reply(SCREEN, ends=True)).body)
        told.text.encode()


# Ends.


@pytest.mark.parametrize(
    "gateway", [g for g in GATEWAYS if g.end], ids=lambda gateway: gateway.name
)
def test_end_at_the_address_of_turns(gateway: Gateway) -> None:
    assert gateway.end
    end = gateway.build().read(gateway.write(gateway.end))
    assert isinstance(end, SessionEnd)
    opened = read(gateway, gateway.write(gateway.dial))
    assert (end.session_id, end.msisdn, end.network) == (
        opened.session_id, opened.msisdn, opened.network,
    )  # fmt: skip
    assert end.dropped
    assert opened.msisdn.digits not in repr(end) and PIN not in repr(end)
    assert PIN not in end.acknowledgement.body.decode()
    anonymous = {k: v for k, v in gateway.end.items() if k != gateway.session}
    assert refused(gateway, gateway.write(anonymous)) == f"{gateway.session} is missing"

"""Forms read strictly: what `urllib` reads is read alike, and what is doubtful is refused."""

import re
from urllib.parse import quote_plus, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Unreadable
from providers.form import Form

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True)
FRAGMENTS = st.lists(st.sampled_from(["a", "+", "%", "%4", "%41", "%C3%A9", "%ff", "é"]))


@given(st.dictionaries(NAMES, TEXTS, max_size=8))
def test_every_field_is_read_as_it_was_written(fields: dict[str, str]) -> None:
    body = "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in fields.items())
    form = Form("x", body.encode())
    assert {name: form.take(name, length_max=40, empty=True) for name in fields} == fields


@given(FRAGMENTS)
def test_a_value_is_what_urllib_makes_of_it_unless_it_is_broken(fragments: list[str]) -> None:
    raw = "".join(fragments).encode()
    expected = unquote_to_bytes(raw.replace(b"+", b" "))
    is_broken = re.search(rb"%(?![0-9A-Fa-f]{2})", raw) is not None
    try:
        read = Form("x", b"text=" + raw).take("text", length_max=1_000, empty=True)
    except Unreadable as refusal:
        assert refusal.detail == f"text is not {'percent-encoded' if is_broken else 'UTF-8'}"
        assert is_broken or not _is_utf8(expected)
    else:
        assert not is_broken
        assert read.encode() == expected


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"text=%", "text is not percent-encoded"),
        (b"text=%4", "text is not percent-encoded"),
        (b"text=%g1", "text is not percent-encoded"),
        (b"text=%C3", "text is not UTF-8"),
        (b"text=\xff", "text is not UTF-8"),
        (b"text=1&te%78t=2", "text is doubled"),
        (b"text=1&&text=2", "text is doubled"),
        (b"a.b=1&a.b=2&text=", "a field is doubled"),
        (b"text=&%zz=1", "the name of a field is not percent-encoded"),
        (b"text=&%ff=1", "the name of a field is not UTF-8"),
        (b"text=&%C3%A9=1", "a field has no sensible name"),
        (b"text=&\xc3\xa9=1", "a field has no sensible name"),
        (b"text=&" + b"n" * 65 + b"=1", "a field has no sensible name"),
        (b"text=" + b"&f=1" * 32, "the form has too many fields"),
        (b"text=" + b"1" * 16_384, "the form is too long"),
        (b"text=123456", "text is too long"),
        (b"text=", "text is empty"),
        (b"", "text is missing"),
    ],
)
def test_what_is_doubtful_is_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(Unreadable) as caught:
        Form("x", body).take("text", length_max=5)
    assert caught.value.detail == complaint


def test_the_longest_name_the_most_fields_and_raw_utf8_are_read() -> None:
    assert Form("x", b"n" * 64 + b"=1").take("n" * 64, length_max=1) == "1"
    many = b"&".join(b"f%d=%d" % (n, n) for n in range(32))
    assert Form("x", many).take("f31", length_max=2) == "31"
    assert Form("x", "text=é+é".encode()).take("text", length_max=3) == "é é"
    assert Form("x", b"first%5Fname=A").take("first_name", length_max=1) == "A"


def test_a_field_that_may_be_missing_is_cut_and_counted() -> None:
    form = Form("x", b"word=abcdef&hops=12&far=1234567890123&no=%D9%A1")
    assert (form.get("word", length_max=3), form.get("none", length_max=3)) == ("abc", "")
    counted = [form.count(name) for name in ("hops", "far", "no", "word", "none")]
    assert counted == [12, None, None, None, None]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_unreadable(body: bytes) -> None:
    try:
        Form("x", body).get("text", length_max=100)
    except Unreadable as refusal:
        assert refusal.__cause__ is None  # it would hold the bytes, and they may be a PIN


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True

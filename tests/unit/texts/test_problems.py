"""Texts with a fault are never served, and the fault is named with its file, line and key."""

from pathlib import Path

import pytest

from engine.texts import BrokenTexts, Texts
from tests.unit.texts.folders import COUNTRIES, EN, load, write

SW = "language: {name: S}\n"
AM = "language: {name: አ, menu_name: A, encoding: ucs2}\n"
TRIES = "a: {one: 'One try.', other: '{left} tries.'}"


def refused(folder: Path, **files: str) -> list[str]:
    with pytest.raises(BrokenTexts) as caught:
        load(folder, **files)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("en", "sw", "fault"),
    [
        ("a: {b: x, c: y}", "a: {b: x}", "sw.yaml: a.c: missing (en.yaml:2)"),
        ("a: x", "a: x\nb: y", "sw.yaml:3: b: not in en.yaml"),
        ("a:\n  b: 'hi {name}'", "a:\n  b: 'ha'",
         "sw.yaml:3: a.b: other variables than in en.yaml"),
        ("a: 'hi {other}'", "a: 'sw {other}'", "en.yaml:2: a: {other} has no width"),
        ("a: 'it’s'", "a: x",
         "en.yaml:2: a: '’' is not in the GSM 7-bit alphabet; write \"'\""),
        ("a: 'KES 1\u202f250'", "a: x",
         "en.yaml:2: a: '\\u202f' is not in the GSM 7-bit alphabet; write ' '"),
        ("a: 'hi {Name}'", "a: x", "en.yaml:2: a: '{' costs two septets and some phones drop it"),
        ("a: 1", "a: x", "en.yaml:2: a: not a text (quote it): 1"),
        ("a: Yes", "a: x", "en.yaml:2: a: not a text (quote it): True"),
        ("a: {}", "a: x", "en.yaml:2: a: not a text (quote it): {}"),
        ("a: [x]", "a: x", "en.yaml:2: a: not a text (quote it): ['x']"),
        ("a: x\na: y", "a: x", "en.yaml:3: a: stands twice"),
        (f"sms: {{a: '{'x' * 307}'}}", "sms: {a: x}",
         "en.yaml:2: sms.a: 307 septets at most, more than 2 messages"),
        ("name: {a: Jo, b: Joseph}", "name: {a: Jo, b: Jose}",
         "en.yaml:2: name.b: 6 wide, and {name} allows 5"),
        ("a: x {name}", "a: {one: y, other: '{name}'}",
         "sw.yaml:2: a: a plural needs a variable that widths.yaml lists under `counts`"),
        ("a: x {left}", "a: {one: y}", "sw.yaml:2: a: a plural here has the forms one, other; "
         "this has one"),
        (TRIES, "a: {few: '{left}', one: '{left}', other: '{left}'}",
         "sw.yaml:2: a: a plural here has the forms one, other; this has few, one, other"),
        (TRIES, "a: {one: 'Moja.', other: 'Nyingi.'}", "sw.yaml:2: a: other variables"),
        (TRIES, "a: {one: 1, other: '{left}'}", "sw.yaml:2: a: not a text (quote it): 1"),
    ],
)  # fmt: skip
def test_a_faulty_text_is_refused_and_the_fault_named(
    tmp_path: Path, en: str, sw: str, fault: str
) -> None:
    faults = refused(tmp_path, en=EN + en, sw=SW + sw)
    assert [line for line in faults if line.startswith(fault)] != [], faults


def test_a_form_may_leave_out_the_only_number_it_stands_for(tmp_path: Path) -> None:
    # English `one` is 1 alone; in French and Amharic 0 reads like 1, so it must be shown.
    assert load(tmp_path, en=f"{EN}{TRIES}").render("en", "a", left=1) == "One try."
    faults = refused(tmp_path, en=EN + TRIES, fr=SW + "a: {one: 'Un essai', other: '{left}'}")
    assert faults == ["fr.yaml:2: a: other variables than in en.yaml"]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    faults = refused(
        tmp_path, en=f"{EN}a: 1\nb: 'ê'", sw="a: x", widths="widths: {}", countries="home: KE"
    )
    assert sorted(faults) == [
        "countries.yaml: Object missing required field `elsewhere`",
        "en.yaml:2: a: not a text (quote it): 1",
        "en.yaml:3: b: 'ê' is not in the GSM 7-bit alphabet; write 'e'",
        "sw.yaml: b: missing (en.yaml:3)",
        "sw.yaml:1: a: not in en.yaml",
        "sw.yaml:1: language: Object missing required field `name`",
    ]


@pytest.mark.parametrize(
    ("am", "fault"),
    [
        ("a: 'ሰላም\u200b'", "am.yaml:2: a: '\\u200b' cannot be shown; write ''"),
        ("a: 'ሰላም 😀'", "am.yaml:2: a: '\\U0001f600' cannot be shown; write '?'"),
        ("a: 'ሰላም {Name}'", "am.yaml:2: a: '{' costs two septets"),
        ("a: 'ሰ{name}'", "am.yaml:2: a: other variables than in en.yaml"),
    ],
)
def test_a_ucs2_text_may_hold_what_a_phone_can_show(tmp_path: Path, am: str, fault: str) -> None:
    faults = refused(tmp_path, am=AM + am)
    assert [line for line in faults if line.startswith(fault)] != [], faults


def test_a_ucs2_message_is_counted_in_utf_16_units(tmp_path: Path) -> None:
    en = f"{EN}sms: {{a: 'Hi {{name}}'}}"
    fits = f"{AM}sms: {{a: '{'ሰ' * 196}{{name}}'}}"
    assert len(load(tmp_path, en=en, am=fits).widest("am", "sms.a")) == 201
    over = f"{AM}sms: {{a: '{'ሰ' * 197}{{name}}'}}"
    fault = "am.yaml:2: sms.a: 202 UTF-16 units at most, more than 3 messages"
    assert refused(tmp_path, en=en, am=over) == [fault]


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("{name: Français}", "language: menu_name: 'Français' is for any phone; write it in"),
        ("{name: F, menu_name: Français}", "language: menu_name: 'Français' is for any phone"),
        ("{name: F, encoding: utf8}", "Invalid enum value 'utf8'"),
        ("{name: F, dialect: x}", "Object contains unknown field `dialect`"),
        ("{encoding: ucs2}", "Object missing required field `name`"),
        ("{name: F, plurals: xx}", "language: plurals: no rules of xx; there are am, en, fr"),
        ("{name: F, numbers: xx}", "language: numbers: no signs of xx; there are am, en, fr"),
        ("F", "Expected `object`, got `str`"),
        ("{name: English}", "language: 'English' is what en.yaml is called"),
        ("{name: F, menu_name: English}", "language: 'English' is what en.yaml is called"),
    ],
)
def test_a_language_says_who_it_is(tmp_path: Path, header: str, fault: str) -> None:
    (line,) = refused(tmp_path, xx=f"language: {header}\na: x")
    assert line.startswith("xx.yaml")
    assert fault in line


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("home: KE", "home: UG", "home: UG is not among the countries"),
        ("ZM: {languages: [en]", "ZM: {languages: [en, tlh]", "ZM: no tlh.yaml"),
        ("ZM: {languages: [en]", "ZM: {languages: []", "ZM: no language"),
        ("ZM:", "Zambia:", "Zambia: not an ISO 3166 code of two capitals"),
        ("offset_hours: 2", "offset_hours: 120", "ZM: no clock is 120 hours from UTC"),
        ("offset_hours: 2", "offset: 2", "Object contains unknown field `utc_offset`"),
        ("home: KE", "home: [", "countries.yaml:4: "),
        (COUNTRIES, "- KE", "countries.yaml: not a mapping of texts"),
    ],
)
def test_countries_that_make_no_sense_are_refused(
    tmp_path: Path, old: str, new: str, fault: str
) -> None:
    assert old in COUNTRIES
    faults = refused(tmp_path, countries=COUNTRIES.replace(old, new))
    assert fault in faults[0]
    assert faults[0].startswith("countries.yaml")


@pytest.mark.parametrize(
    ("widths", "fault"),
    [
        ("widths: {name: 0}", "widths.yaml: name: a width is at least 1"),
        ("widths: {name: wide}", "widths.yaml: Expected `int`, got `str`"),
        ("widths: {}\ncounts: [left]", "widths.yaml: counts: left has no width"),
        ("widths: {}\nheights: {}", "widths.yaml: Object contains unknown field `heights`"),
    ],
)
def test_widths_that_make_no_sense_are_refused(tmp_path: Path, widths: str, fault: str) -> None:
    assert refused(tmp_path, widths=widths)[0].startswith(fault)


def test_a_folder_without_english_or_with_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, sw=f"{SW}a: x")
    (folder / "en.yaml").unlink()
    with pytest.raises(BrokenTexts, match=r"en.yaml is missing: every other language"):
        Texts.load(folder)
    (folder / "en.yaml").write_bytes(b"a: \xff")
    with pytest.raises(BrokenTexts, match=r"en.yaml: .*utf-8"):
        Texts.load(folder)
    (folder / "en.yaml").write_text("a: [")
    with pytest.raises(BrokenTexts, match=r"en.yaml:\d: "):
        Texts.load(folder)


def test_a_key_is_what_it_says_and_not_what_yaml_makes_of_it(tmp_path: Path) -> None:
    texts = load(tmp_path, en=f"{EN}answer: {{no: 'No', yes: 'Yes', 1: 'One'}}")
    assert list(texts) == ["answer.no", "answer.yes", "answer.1"]

"""A tenant's texts take the place of the house's, key by key, and are proved as if they were."""

from pathlib import Path

import pytest

from engine.texts import BrokenTexts, Texts
from engine.texts.reading import OWN_BYTES_MAX
from tests.unit.texts.folders import EN, write

SW = "language: {name: S}\n"
HOUSE = {
    "en": f"{EN}a: 'hi {{name}}'\nb: x\nsms: {{paid: 'Paid {{total}}'}}\n",
    "sw": f"{SW}a: 'habari {{name}}'\nb: y\nsms: {{paid: 'Imelipwa {{total}}'}}\n",
}


def lay(folder: Path, **own: str) -> tuple[Path, Path]:
    """The house's folder, and a tenant's with these files."""
    house, laid = folder / "house", folder / "laid"
    house.mkdir()
    laid.mkdir()
    for stem, content in own.items():
        (laid / f"{stem}.yaml").write_text(content, encoding="utf-8")
    return write(house, **HOUSE), laid


def load(folder: Path, **own: str) -> Texts:
    return Texts.load(*lay(folder, **own))


def refused(folder: Path, **own: str) -> list[str]:
    with pytest.raises(BrokenTexts) as caught:
        load(folder, **own)
    return str(caught.value).splitlines()


def test_what_a_tenant_says_is_said_and_the_rest_is_the_houses(tmp_path: Path) -> None:
    texts = load(tmp_path, sw="a: 'jambo {name}'\n")
    assert texts.render("sw", "a", name="Amina") == "jambo Amina"
    assert texts.render("sw", "b") == "y"
    assert texts.render("en", "a", name="Amina") == "hi Amina"
    assert texts.own_place("sw", "a") == "own/texts/sw.yaml:1"
    assert texts.own_place("en", "a") == texts.own_place("sw", "b") == ""
    assert texts.added == {}


def test_a_folder_without_texts_changes_nothing(tmp_path: Path) -> None:
    house, laid = lay(tmp_path)
    for own in (laid, laid / "nowhere"):
        assert [*Texts.load(house, own)] == [*Texts.load(house)]


def test_a_new_text_is_there_in_every_language_or_refused(tmp_path: Path) -> None:
    texts = load(tmp_path, en="shop: {hours: 'Open {name}'}", sw="shop: {hours: 'Wazi {name}'}")
    assert texts.render("sw", "shop.hours", name="8-17") == "Wazi 8-17"
    assert texts.added == {"shop.hours": "own/texts/en.yaml:1"}


@pytest.mark.parametrize(
    ("own", "fault"),
    [
        ({"en": "a: hi"}, "own/texts/en.yaml:1: a: other variables than in en.yaml"),
        ({"en": "\na: 'hi {name} {total}'"},
         "own/texts/en.yaml:2: a: other variables than in en.yaml"),
        ({"sw": "a: 'jambo'"}, "own/texts/sw.yaml:1: a: other variables than in en.yaml"),
        ({"en": "c: x"}, "own/texts/sw.yaml: c: missing, the house has none (own/texts/en.yaml:1)"),
        ({"sw": "c: x"}, "own/texts/sw.yaml:1: c: not in en.yaml"),
        ({"en": "b: 1"}, "own/texts/en.yaml:1: b: not a text (quote it): 1"),
        ({"en": "b: x\nb: y"}, "own/texts/en.yaml:2: b: stands twice"),
        ({"en": "b: 'it’s'"},
         "own/texts/en.yaml:1: b: '’' is not in the GSM 7-bit alphabet; write \"'\""),
        ({"en": f"sms: {{paid: '{'x' * 293}{{total}}'}}"},
         "own/texts/en.yaml:1: sms.paid: 307 septets at most, more than 2 messages"),
        ({"lu": "b: x"}, "own/texts/lu.yaml: not a language of the house: en, sw"),
        ({"widths": "widths: {name: 90}"},
         "own/texts/widths.yaml: not a language of the house: en, sw"),
        ({"en": "language: {name: E, encoding: ucs2}\nb: z"},
         "own/texts/en.yaml:1: language: is the house's to say"),
        ({"en": "keywords: {stop: ENOUGH}"},
         "own/texts/en.yaml:1: keywords: is the house's to say"),
        ({"en": "- b"}, "own/texts/en.yaml: not a mapping of texts"),
    ],
)  # fmt: skip
def test_a_fault_of_a_tenants_is_told_with_its_own_file(
    tmp_path: Path, own: dict[str, str], fault: str
) -> None:
    assert refused(tmp_path, **own) == [fault]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("a: " + "[" * 200_000, "own/texts/en.yaml:1: nested too deeply, or an alias"),
        ("a: &x [1, 2]\nb: [*x, *x]\n", "own/texts/en.yaml:2: nested too deeply, or an alias"),
        (f"b: {'x' * OWN_BYTES_MAX}", f"own/texts/en.yaml: {OWN_BYTES_MAX + 3} bytes, at most"),
        ("b: [\n", "own/texts/en.yaml:2: did not find expected node content"),
        ("b: \x07", "own/texts/en.yaml: unacceptable character"),
    ],
)  # fmt: skip
def test_a_file_that_would_break_the_process_of_others_is_refused_unbuilt(
    tmp_path: Path, content: str, fault: str
) -> None:
    (said, *_) = refused(tmp_path, en=content)
    assert said.startswith(fault)


def test_whose_number_counts_is_the_houses_to_say(tmp_path: Path) -> None:
    """A tenant may put the counted thing last, and the house's other languages count on."""
    house, laid = lay(tmp_path)
    counted = "widths: {name: 5, left: 2, done: 2, total: 14}\ncounts: [left, done]"
    forms = "{one: '{left} of {done}', other: '{left} out of {done}'}"
    write(house, widths=counted, en=f"{EN}t: {forms}", sw=f"{SW}t: {forms}")
    (laid / "en.yaml").write_text("t: {one: '{done}: {left}', other: '{done}; {left}'}")
    texts = Texts.load(house, laid)
    assert texts.render("en", "t", left=1, done=7) == "7: 1"
    assert texts.render("sw", "t", left=1, done=7) == "1 of 7"

"""A change of menus is told by what it does to people."""

from pathlib import Path

import pytest

from engine.menu.check import examine
from engine.menu.difference import Difference, Side, compare
from tests.unit.menu.cases import SOUND, lay_out_case


def side(folder: Path) -> Side:
    found = examine(folder)
    assert found.menu is not None
    assert found.texts is not None
    return Side(found.menu, found.texts, found.links)


@pytest.fixture
def menus(tmp_path: Path) -> Path:
    return lay_out_case("link_leads_elsewhere", tmp_path)


def changed(menus: Path, file: str, old: str, new: str) -> Difference:
    """From the sound menu to one with a change."""
    for path in SOUND.glob("*.yaml"):
        (menus / path.name).write_bytes(path.read_bytes())
    content = (menus / file).read_text(encoding="utf-8")
    assert old in content
    (menus / file).write_text(content.replace(old, new, 1), encoding="utf-8")
    return compare(side(SOUND), side(menus))


def test_the_same_menus_have_no_difference() -> None:
    assert compare(side(SOUND), side(SOUND)).is_nothing


def test_lines_that_only_moved_are_no_difference(menus: Path) -> None:
    assert changed(menus, "send.yaml", "screens:", "# A word.\n\nscreens:").is_nothing


def test_a_key_that_means_something_else_is_named(menus: Path) -> None:
    found = changed(menus, "home.yaml", "      1: {label: home.send", "      3: {label: home.send")
    assert found.choices_moved == ["home.menu: 1 was `Send` (send.to), is nothing"]
    assert found.screens == ["home.menu has other choices"]
    assert "on home.menu: what may be typed is another" in found.live_sessions


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("max: 1200", "max: 99", "rule"),
        ("[0-9]{3}", "[0-9]{4}", "rule"),
        ("red: form.red, ", "blue: form.red, ", "rule"),
        ("    check: unused_name\n", "", "check"),
    ],
)
def test_another_rule_for_what_is_typed_is_told_to_who_stands_there(
    menus: Path, old: str, new: str, part: str
) -> None:
    found = changed(menus, "form.yaml", old, new)
    [said] = found.screens
    assert said.endswith(f" has other {part}")
    assert found.live_sessions == [f"on {said.split()[0]}: what may be typed is another"]


def test_another_time_to_keep_is_told_and_changes_nothing_for_who_stands_there(
    menus: Path,
) -> None:
    found = changed(menus, "form.yaml", "keep: 120", "keep: 240")
    assert found.screens == ["form.card has other keep_seconds"]
    assert found.live_sessions == []


def test_a_link_that_leads_elsewhere_or_nowhere_is_broken(menus: Path) -> None:
    found = changed(menus, "home.yaml", "      1: {label: home.send", "      3: {label: home.send")
    assert found.links_broken == [
        "1 led to send.to, leads to nowhere (home.menu has no choice `1`)",
        "1*{msisdn}*{amount} led to send.quote, leads to nowhere (home.menu has no choice `1`)",
    ]


def test_a_link_taken_from_the_list_is_still_walked(menus: Path) -> None:
    found = changed(menus, "deep_links.yaml", '  "1": send.to\n', '  "2*{code}": past.one\n')
    assert found.links == ["2*{code} is published now", "1 is no longer in the list"]
    assert found.links_broken == []


def test_screens_that_come_and_go_are_named_and_who_stands_there(menus: Path) -> None:
    found = changed(menus, "send.yaml", "  amount:\n", "  how_much:\n")
    assert found.screens[:2] == ["send.how_much is new", "send.amount is gone"]
    lost = "on send.amount: the screen is gone; dropped there, they cannot go on"
    assert lost in found.live_sessions
    assert "on send.done" not in " ".join(found.live_sessions)


def test_a_journey_that_can_no_longer_be_taken_up_is_told(menus: Path) -> None:
    begin = (SOUND / "send.yaml").read_text(encoding="utf-8").partition("screens:")[0]
    found = changed(menus, "send.yaml", begin, "")
    assert "on send.to: dropped there, they can no longer go on" in found.live_sessions


def test_a_text_that_changed_is_shown_before_and_after(menus: Path) -> None:
    found = changed(menus, "texts/sw.yaml", "pin: Your PIN", "pin: PIN yako")
    assert found.texts == ["sw: send.pin was 'Your PIN', is 'PIN yako'"]
    assert not found.screens


def test_a_language_that_comes_is_told(menus: Path) -> None:
    content = (menus / "texts" / "sw.yaml").read_text(encoding="utf-8")
    luganda = content.replace("name: Kiswahili", "name: Luganda")
    (menus / "texts" / "lg.yaml").write_text(luganda, encoding="utf-8")
    assert compare(side(SOUND), side(menus)).texts == ["lg is new"]
    assert compare(side(menus), side(SOUND)).texts == ["lg is gone"]

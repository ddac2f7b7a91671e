"""What a file says of a screen is what the screen does: nothing is lost between them."""

import shutil
from pathlib import Path

from engine.menu.reading import read_menu
from engine.menu.screens import Menu, OneOf, Range
from tests.unit.menu.cases import SOUND

EXTRA = """
resume: {do: resume_payment, next: {quoted: extra.menu}}
screens:
  menu:
    kind: choice
    text: home.menu
    choices:
      9: {label: home.back, next: home.menu}
      2: {label: home.past, next: extra.word}
      1: {label: home.send, next: extra.day}
  word:
    kind: input
    text: home.menu
    reads: {one_of: {red: form.red, green: form.green}, complaint: mistake.card}
    next: home.menu
  day:
    kind: input
    text: home.menu
    reads: {range: {min: 1, max: 28}, complaint: mistake.card}
    next: home.menu
"""


def with_extra(folder: Path, extra: str = EXTRA) -> Menu:
    menus = shutil.copytree(SOUND, folder / "menus")
    (menus / "extra.yaml").write_text(extra, encoding="utf-8")
    return read_menu(menus)


def test_choices_stand_in_the_order_of_their_keys(tmp_path: Path) -> None:
    assert list(with_extra(tmp_path).screens["extra.menu"].choices) == ["1", "2", "9"]


def test_a_rule_keeps_its_complaint(tmp_path: Path) -> None:
    screens = with_extra(tmp_path).screens
    words = {"red": "form.red", "green": "form.green"}
    assert screens["extra.word"].rule == OneOf(words, "mistake.card")
    assert screens["extra.day"].rule == Range(1, 28, "mistake.card")


def test_each_journey_is_taken_up_in_its_own_way(tmp_path: Path) -> None:
    menu = with_extra(tmp_path)
    resumes = menu.resumes
    assert len(resumes) == len({move.event for move in resumes.values()}) > 1
    assert resumes["extra"].targets == {"quoted": "extra.menu"}
    assert {journey for journey in resumes if journey != "extra"} == {*read_menu(SOUND).resumes}

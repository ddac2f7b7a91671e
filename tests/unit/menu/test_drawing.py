"""The diagram in the README is the menus as they are."""

import pytest

from engine.menu.drawing import BEGIN, END, draw, with_drawing
from engine.menu.reading import read_menu
from engine.texts import Texts
from tests.unit.menu.cases import SOUND
from tests.unit.session.rooms import MENU, MENUS, TEXTS


def test_the_readme_shows_the_menus_as_they_are() -> None:
    readme = (MENUS / "README.md").read_text(encoding="utf-8")
    assert readme == with_drawing(readme, draw(MENU, TEXTS)), (
        "write it anew: capp menus graph --update menus/README.md"
    )


def test_effects_secrets_and_ends_are_marked() -> None:
    drawn = draw(read_menu(SOUND), Texts.load(SOUND / "texts"))
    assert 'send__pin ==>|"pin: confirmed (pay)"| send__done' in drawn
    assert 'send__pin[/"pin"/]:::sensitive' in drawn
    assert 'send__done(["done"]):::last' in drawn
    assert 'past__one ==>|"1 Cancel if may_cancel (cancel)"| past__cancelled' in drawn
    assert 'home__menu -->|"2 Past: none"| past__none' in drawn
    assert "dial -->|new| hello__language" in drawn


def test_one_journey_is_drawn_with_what_it_leads_to() -> None:
    drawn = draw(MENU, TEXTS, "price")
    assert "subgraph price" in drawn
    assert "send_money__pin" in drawn
    assert "account__menu" not in drawn


def test_every_screen_is_drawn_once() -> None:
    drawn = draw(MENU, TEXTS).splitlines()
    for name in MENU.screens:
        nodes = [line for line in drawn if line.startswith(f"  {name.replace('.', '__')}")
                 and line.strip()[len(name) + 1] in "[({"]  # fmt: skip
        assert len(nodes) == 1, name


def test_a_journey_that_is_not_there_cannot_be_drawn() -> None:
    with pytest.raises(KeyError):
        draw(MENU, TEXTS, "nowhere")


def test_a_readme_without_a_place_for_it_is_left_alone() -> None:
    with pytest.raises(ValueError, match="begin"):
        with_drawing("# menus\n", "x")
    assert with_drawing(f"a{BEGIN}old{END}b", "new\n") == f"a{BEGIN}\n```mermaid\nnew\n```\n{END}b"

"""Published dial strings lead where the list says, and a list that says otherwise is refused."""

from pathlib import Path

import pytest

from engine.menu.deep_links import Lost, read_deep_links, walk
from engine.menu.reading import read_menu
from engine.menu.screens import BrokenMenu
from tests.unit.menu.cases import SOUND
from tests.unit.session.rooms import MENU, MENUS, PAYER, House

TYPED = {"{msisdn}": "256772000002", "{amount}": "1000"}


@pytest.mark.parametrize("link", read_deep_links(MENUS), ids=lambda link: link.dial)
async def test_a_published_link_is_dialled_and_shows_one_of_its_screens(link: object) -> None:
    """The list's own walk and the session's agree."""
    found = next(one for one in read_deep_links(MENUS) if one == link)
    house = await House().registered()
    await house.take("*".join(TYPED.get(part, part) for part in found.dial.split("*")))
    assert house.session(msisdn=PAYER).screen in found.leads_to


def test_a_link_through_several_outcomes_leads_to_all_of_their_screens() -> None:
    assert walk(MENU, "3") == {"payments.list", "payments.none"}


def test_every_screen_on_the_way_must_take_the_next_input() -> None:
    with pytest.raises(Lost, match=r"payments\.none does not read \{code\}"):
        walk(MENU, "3*{code}")


def test_a_folder_without_a_list_has_no_links(tmp_path: Path) -> None:
    assert read_deep_links(tmp_path) == []


def test_a_list_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep_links.yaml").write_text('links: {"1": 5}')
    with pytest.raises(BrokenMenu, match=r"deep_links\.yaml:1: Expected"):
        read_deep_links(tmp_path)


def test_the_line_of_a_link_is_told() -> None:
    assert [link.where for link in read_deep_links(SOUND)][1].startswith("deep_links.yaml:3: 1*")
    assert walk(read_menu(SOUND), "1") == {"send.to"}

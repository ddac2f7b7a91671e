"""A tenant's journeys and texts over the house's: what they change, and how their faults read."""

import shutil
from pathlib import Path

import pytest

from engine.menu.bundle import laid_out, pack_bundle, read_bundle, unpack_bundle, version_of
from engine.menu.check import Examined, examine, load_texts
from tests.unit.menu.cases import SOUND

HOME = """\
opens:
  do: find_customer
  next: {known: home.menu, new: hello.language, reset: home.menu, dropped: home.menu,
         confirmed: home.menu}
  home: home.menu
screens:
  menu:
    kind: choice
    text: home.menu
    choices:
      1: {label: home.send, next: send.to}
"""
LINKS = 'links: {"1": send.to}\n'
SHOP = """\
screens:
  hours:
    kind: info
    text: shop.hours
"""
WITH_SHOP = HOME + "      2: {label: shop.label, next: shop.hours}\n"
SHOP_WORDS = {
    "texts/en.yaml": "shop: {label: Our shop, hours: Open 8 to 17}\n",
    "texts/sw.yaml": "shop: {label: Duka letu, hours: Wazi 8 hadi 17}\n",
    "texts/am.yaml": "shop: {label: ሱቅ, hours: 8-17}\n",
}


def lay(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / "tenant" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder / "tenant"


def examined(folder: Path, files: dict[str, str]) -> Examined:
    with laid_out(read_bundle(SOUND, lay(folder, files))) as laid:
        return examine(laid)


def test_a_journey_takes_the_place_of_the_houses_of_the_same_name(tmp_path: Path) -> None:
    found = examined(tmp_path, {"menus/home.yaml": HOME, "menus/deep_links.yaml": LINKS})
    assert found.faults == []
    assert found.menu is not None
    menu = found.menu.screens["home.menu"]
    assert (menu.is_own, [*menu.choices]) == (True, ["1"])
    assert not found.menu.screens["send.to"].is_own
    assert [link.dial for link in found.links] == ["1"]


def test_journeys_a_tenant_does_not_lead_to_are_left_out(tmp_path: Path) -> None:
    """Their screens and how they are taken up after a drop; all others stay."""
    found = examined(tmp_path, {"menus/home.yaml": HOME, "menus/deep_links.yaml": LINKS})
    assert found.menu is not None
    journeys = {screen.journey for screen in found.menu.screens.values()}
    assert journeys == {"home", "hello", "send"}
    house = examine(SOUND).menu
    assert house is not None and "past" in {s.journey for s in house.screens.values()}


def test_a_journey_that_is_taken_up_again_keeps_what_it_leads_to(tmp_path: Path) -> None:
    resumed = HOME.replace("dropped: home.menu", "dropped: home.dropped") + (
        "  dropped:\n    kind: choice\n    text: home.dropped\n    choices:\n"
        "      1: {label: home.go_on, do: resume, next: {}}\n"
    )
    found = examined(tmp_path, {"menus/home.yaml": resumed, "menus/deep_links.yaml": LINKS})
    assert found.faults == []
    assert found.menu is not None and [*found.menu.resumes] == ["send"]


def test_a_journey_left_out_is_not_taken_up_again(tmp_path: Path) -> None:
    """What a caller was dropped from before the change is begun anew, and leads nowhere lost."""
    past = "{label: home.past, do: open_payments, next: {some: past.list, none: past.none}}"
    home = HOME.replace("{label: home.send, next: send.to}", past)
    links = 'links: {"1": [past.list, past.none]}\n'
    found = examined(tmp_path, {"menus/home.yaml": home, "menus/deep_links.yaml": links})
    assert found.faults == []
    assert found.menu is not None and found.menu.resumes == {}
    assert "send.to" not in found.menu.screens


def test_a_new_journey_brings_its_own_words(tmp_path: Path) -> None:
    files = {"menus/home.yaml": WITH_SHOP, "menus/shop.yaml": SHOP, **SHOP_WORDS,
             "menus/deep_links.yaml": LINKS}  # fmt: skip
    found = examined(tmp_path, files)
    assert found.faults == []
    assert found.menu is not None and "shop.hours" in found.menu.screens


@pytest.mark.parametrize(
    ("files", "faults"),
    [
        (
            {"texts/en.yaml": "home: {mneu: Duka}\n", "texts/sw.yaml": "home: {mneu: Duka}\n",
             "texts/am.yaml": "home: {mneu: Duka}\n"},
            ["own/texts/en.yaml:1: home.mneu: the house has no such text, and no screen shows it"],
        ),
        ({"texts/sw.yaml": "home: {mneu: Duka}\n"},
         ["own/texts/sw.yaml:1: home.mneu: not in en.yaml"]),
        ({"menus/shop.yaml": SHOP, **SHOP_WORDS, "menus/networks.yaml": "default: {name: x}\n"},
         ["own/menus/networks.yaml:1: networks are the same for everybody"]),
        ({"menu/home.yaml": HOME},
         ["own/menu/home.yaml:1: nobody reads it: there are menus/<journey>.yaml,"
          " texts/<language>.yaml"]),
        ({"texts/en.yml": "home: {menu: Duka}\n"},
         ["own/texts/en.yml:1: nobody reads it: there are menus/<journey>.yaml,"
          " texts/<language>.yaml"]),
        ({"menus/shop.yaml": SHOP.replace("info", "infos")},
         ["own/menus/shop.yaml:3: hours: Invalid enum value 'infos'"]),
        ({"menus/shop.yaml": SHOP},
         ["own/menus/shop.yaml:2: hours: no text `shop.hours`"]),
        ({"menus/shop.yaml": SHOP, **SHOP_WORDS},
         ["own/texts/en.yaml:1: shop.label: the house has no such text, and no screen shows it",
          "own/menus/shop.yaml:2: hours: cannot be reached"]),
        ({"menus/home.yaml": HOME},
         ["deep_links.yaml:4: 2: home.menu has no choice `2`"]),
        ({"menus/home.yaml": HOME, "menus/deep_links.yaml": 'links: {"7": send.to}\n'},
         ["own/menus/deep_links.yaml:1: 7: home.menu has no choice `7`"]),
        ({"menus/shop.yaml": HOME},
         ["own/menus/shop.yaml:1: opens: stands in home.yaml already"]),
    ],
)  # fmt: skip
def test_a_fault_names_the_tenants_file(
    tmp_path: Path, files: dict[str, str], faults: list[str]
) -> None:
    assert list(examined(tmp_path, files).faults) == faults


def test_a_text_too_wide_for_a_screen_of_the_houses_is_found_by_its_key(tmp_path: Path) -> None:
    """Also on the screens where it stands with others; what is the house's is not blamed."""
    files = {"texts/en.yaml": f"send:\n  pin: {'x' * 90}\n", "texts/sw.yaml": "send: {pin: PIN}\n"}
    faults = examined(tmp_path, files).faults
    assert faults[0] == (
        "send.yaml:26: pin: en: 105 septets at most, the budget of narrow is 100"
        " (send.pin in own/texts/en.yaml:2)"
    )
    assert all(fault.endswith(" (send.pin in own/texts/en.yaml:2)") for fault in faults)


def test_a_mistake_too_wide_is_told_alone_and_where_it_is_shown(tmp_path: Path) -> None:
    faults = examined(tmp_path, {"texts/sw.yaml": f"mistake:\n  number: {'x' * 101}\n"}).faults
    assert faults[0] == (
        "own/texts/sw.yaml:2: mistake.number: 101 septets at most, the budget of narrow is 100"
    )
    assert len(faults) == 3
    assert all(f.endswith("(mistake.number in own/texts/sw.yaml:2)") for f in faults[1:])


def test_an_edition_is_another_with_every_file_of_the_tenants(tmp_path: Path) -> None:
    own = lay(tmp_path, {"texts/en.yaml": "home: {menu: Duka}\n"})
    with_own = read_bundle(SOUND, own)
    assert version_of(with_own) != version_of(read_bundle(SOUND))
    (own / "texts" / "en.yaml").write_text("home: {menu: Soko}\n")
    assert version_of(read_bundle(SOUND, own)) != version_of(with_own)
    with laid_out(unpack_bundle(pack_bundle(with_own))) as laid:
        assert load_texts(laid).render("en", "home.menu") == "Duka"


def test_hidden_files_are_nobodys(tmp_path: Path) -> None:
    """A mounted folder may keep its versions beside it, under names that begin with a dot."""
    own = lay(tmp_path, {"texts/en.yaml": "home: {menu: Duka}\n", "..v1/texts/en.yaml": "x"})
    assert set(read_bundle(SOUND, own)) - set(read_bundle(SOUND)) == {"own/texts/en.yaml"}


def test_a_folder_that_is_gone_is_not_the_houses_words(tmp_path: Path) -> None:
    own = lay(tmp_path, {"texts/en.yaml": "home: {menu: Duka}\n"})
    shutil.rmtree(own)
    with pytest.raises(NotADirectoryError, match="tenant is not a folder"):
        read_bundle(SOUND, own)

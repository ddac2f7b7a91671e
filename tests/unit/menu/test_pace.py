"""Estimates of time, and that the proof itself takes little."""

import shutil
from pathlib import Path

import pytest

from engine.menu.check import examine
from engine.menu.networks import Network, Networks
from engine.menu.pace import SECONDS_PER_KEY, SECONDS_PER_TURN, _paces, pace_problems
from engine.menu.reading import read_menu
from engine.texts import Texts
from tests.growth import grows_in_line
from tests.unit.menu.cases import SOUND

MENU, TEXTS = read_menu(SOUND), Texts.load(SOUND / "texts")
LANGUAGES_MANY = ("en", "sw", "fr", "lg", "am")


def told(**facts: int) -> list[str]:
    network = Network("slow", **{"idle_seconds": 60, "session_seconds": 180, **facts})  # type: ignore[arg-type]
    return list(pace_problems(MENU, TEXTS, Networks(network, {})))


def test_a_patient_network_gives_no_fault() -> None:
    assert told() == []


def test_only_the_first_screen_that_comes_too_late_is_told() -> None:
    faults = [
        fault for fault in told(idle_seconds=15, session_seconds=15) if ": en: takes" in fault
    ]
    names = [fault.split(": ")[1] for fault in faults]
    assert "one" in names
    assert "cancelled" not in names  # It lies behind.


@pytest.mark.parametrize(("idle", "faulty"), [(5, True), (30, False)])
def test_a_page_takes_the_time_of_its_signs_and_keys(idle: int, faulty: bool) -> None:
    # 35 signs and two keys: 35 / 12 + 2 * 0.35 s.
    assert SECONDS_PER_KEY == 0.35
    assert SECONDS_PER_TURN == 2.0
    named = [fault for fault in told(idle_seconds=idle) if ": to: en: a page takes" in fault]
    assert bool(named) is faulty
    if faulty:
        assert "a page takes 7 s to read and answer, slow waits 5 s" in named[0]


def test_each_network_is_judged_as_if_it_were_alone() -> None:
    small, wide = Network("small", budget_septets=40), Network("wide", budget_septets=182)
    alone = {
        (language, network.name): pace
        for network in (small, wide)
        for language, _, pace in _paces(MENU, TEXTS, Networks(network, {}))
    }
    both = _paces(MENU, TEXTS, Networks(wide, {"small": small}))
    assert {(language, patience.network): pace for language, patience, pace in both} == alone
    assert alone["en", "small"] != alone["en", "wide"]


def large(folder: Path, journeys: int) -> Path:
    """The sound menu in five languages with its journeys many times over: ten screens for each."""
    menus = shutil.copytree(SOUND, folder / "menus")
    choices = []
    for number in range(journeys):
        for name in ("send", "past"):
            content = (SOUND / f"{name}.yaml").read_text(encoding="utf-8")
            content = content.replace(f"{name}.", f"{name}{number}.")
            for key in ("send", "past"):  # Screens are its own, texts are everybody's.
                content = content.replace(f"text: {key}{number}.", f"text: {key}.")
                content = content.replace(f"label: {key}{number}.", f"label: {key}.")
            (menus / f"{name}{number}.yaml").write_text(content, encoding="utf-8")
        choices.append(number)
    halls = ["screens:"]
    for number in choices:
        after = f"      3: {{label: home.go_on, next: hall.h{number + 1}}}\n"
        halls.append(
            f"  h{number}:\n    kind: choice\n    text: home.menu\n    choices:\n"
            f"      1: {{label: home.send, next: send{number}.to}}\n"
            f"      2: {{label: home.past, do: open_payments, "
            f"next: {{some: past{number}.list, none: past{number}.none}}}}\n"
            + (after if number + 1 < journeys else "")
        )
    (menus / "hall.yaml").write_text("\n".join(halls), encoding="utf-8")
    home = (menus / "home.yaml").read_text(encoding="utf-8")
    home = home.replace("      2: {", "      3: {label: home.go_on, next: hall.h0}\n      2: {", 1)
    (menus / "home.yaml").write_text(home, encoding="utf-8")
    english = (SOUND / "texts" / "en.yaml").read_text(encoding="utf-8")
    for code in ("fr", "lg"):
        own = english.replace("name: English", f"name: Of {code}")
        (menus / "texts" / f"{code}.yaml").write_text(own, encoding="utf-8")
    networks = (menus / "networks.yaml").read_text(encoding="utf-8")
    patient = networks.replace("idle_seconds:", "session_seconds: 900, idle_seconds:")
    (menus / "networks.yaml").write_text(patient, encoding="utf-8")
    return menus


def test_a_menu_of_500_screens_in_five_languages_is_proved_whole(tmp_path: Path) -> None:
    found = examine(large(tmp_path, 49))
    assert list(found.faults) == []
    assert found.menu is not None
    assert found.texts is not None
    assert len(found.menu.screens) >= 500
    assert found.texts.languages == tuple(sorted(LANGUAGES_MANY))


def test_the_proof_of_a_menu_costs_as_much_as_it_has_screens(tmp_path: Path) -> None:
    menus = {journeys: large(tmp_path / str(journeys), journeys) for journeys in (3, 48)}
    assert grows_in_line(lambda journeys: examine(menus[journeys]), 3)

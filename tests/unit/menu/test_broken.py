"""A folder of broken menus: each is refused, and its faults named with file, line and screen."""

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

from engine.menu import (
    check,
    deep_links,
    documents,
    knowledge,
    networks,
    pace,
    paths,
    reading,
    rules,
    shape,
    widths,
)
from engine.menu.check import examine, load_menu
from engine.menu.documents import DOCUMENT_BYTES_MAX
from engine.menu.networks import Networks
from engine.menu.screens import BrokenMenu
from engine.texts import Texts
from tests.unit.menu.cases import CASES, SOUND, expected_of, lay_out_case, told

PROOFS = (
    check, deep_links, documents, knowledge, networks, pace, paths, reading, rules, shape,
    widths,
)  # fmt: skip

TOO_LARGE = [f"extra.yaml:1: {DOCUMENT_BYTES_MAX + 9} bytes, at most {DOCUMENT_BYTES_MAX} may be"]
NO_JOURNEYS = ["menus: there are no journeys here"]
UNREADABLE = ["networks.yaml:1: cannot be read: Is a directory"]


def test_the_sound_menu_is_sound() -> None:
    found = examine(SOUND)
    assert (found.faults, found.warnings) == ([], [])
    assert found.menu is not None
    assert len(found.menu.screens) == 23


@pytest.mark.parametrize("name", CASES)
def test_a_broken_menu_gives_exactly_its_faults(tmp_path: Path, name: str) -> None:
    found = told(lay_out_case(name, tmp_path))
    assert found == expected_of(name)
    assert found, "nothing is broken here"


@pytest.mark.parametrize(("digits", "is_sound"), [(18, True), (19, False)])
def test_an_answer_may_be_as_wide_as_it_is_shown(
    tmp_path: Path, digits: int, is_sound: bool
) -> None:
    """Two letters and the digits, where twenty septets are shown of them."""
    menus = shutil.copytree(SOUND, tmp_path / "menus")
    form = menus / "form.yaml"
    read = form.read_text(encoding="utf-8")
    assert "C[MF][0-9]{3}" in read
    form.write_text(read.replace("C[MF][0-9]{3}", f"C[MF][0-9]{{{digits}}}"), encoding="utf-8")
    faults = examine(menus).faults
    assert [fault for fault in faults if "what is typed takes up to" in fault] == (
        []
        if is_sound
        else ["form.yaml:11: card: what is typed takes up to 21 septets, {answer} 20"]
    )


def test_a_file_too_large_to_be_a_journey_is_not_read(tmp_path: Path) -> None:
    menus = shutil.copytree(SOUND, tmp_path / "menus")
    (menus / "extra.yaml").write_text("screens: " + " " * DOCUMENT_BYTES_MAX, encoding="utf-8")
    assert examine(menus).faults == TOO_LARGE


def test_a_folder_without_journeys_is_refused(tmp_path: Path) -> None:
    menus = shutil.copytree(SOUND, tmp_path / "menus")
    for path in menus.glob("*.yaml"):
        if path.name not in reading.NOT_JOURNEYS:
            path.unlink()
    assert examine(menus).faults[0] in NO_JOURNEYS


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    found = examine(tmp_path / "nowhere")
    assert (found.menu, found.texts, found.networks) == (None, None, None)
    assert len(found.faults) >= 3


def test_a_file_that_cannot_be_read_is_a_fault_like_any_other(tmp_path: Path) -> None:
    menus = shutil.copytree(SOUND, tmp_path / "menus")
    (menus / "networks.yaml").unlink()
    (menus / "networks.yaml").mkdir()
    assert examine(menus).faults == UNREADABLE


def test_faults_of_several_files_are_told_at_once(tmp_path: Path) -> None:
    menus = lay_out_case("kind_unknown", tmp_path)
    (menus / "networks.yaml").write_text("default: 1\n", encoding="utf-8")
    (menus / "texts" / "sw.yaml").unlink()
    files = {fault.split(":")[0] for fault in examine(menus).faults}
    assert files == {"send.yaml", "networks.yaml", "texts/countries.yaml"}


def test_a_menu_with_one_fault_is_not_loaded(tmp_path: Path) -> None:
    for name in ("link_leads_elsewhere", "two_labels_alike", "session_too_short"):
        menus = lay_out_case(name, tmp_path / name)
        texts, able = Texts.load(menus / "texts"), Networks.load(menus / "networks.yaml")
        with pytest.raises(BrokenMenu) as caught:
            load_menu(menus, texts, able)
        assert caught.value.problems == expected_of(name)


def test_every_message_of_the_checker_stands_in_a_case() -> None:
    expected = [line for name in CASES for line in expected_of(name)]
    expected += [*TOO_LARGE, *NO_JOURNEYS, *UNREADABLE]
    messages = [message for module in PROOFS for message in _messages(str(module.__file__))]
    unseen = [m for m in messages if not any(re.fullmatch(m, line) for line in expected)]
    assert unseen == []
    assert len(messages) > 60


def _messages(file: str) -> Iterator[str]:
    """Every sentence a module may say as a fault, as a pattern."""
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        said: list[ast.expr | None] = []
        if isinstance(node, ast.Yield) or _is_sentence(node):
            said = [node.value]
        elif isinstance(node, ast.Call) and _name_of(node.func) in SAYS:
            said = [node.args[0]] if node.args else []
        for sentence in said:
            if isinstance(sentence, ast.JoinedStr):
                yield ".*" + "".join(_pattern(part) for part in sentence.values)
            elif isinstance(sentence, ast.Constant) and isinstance(sentence.value, str):
                yield f".*{re.escape(sentence.value)}"


def _is_sentence(node: ast.AST) -> TypeGuard[ast.Assign]:
    return isinstance(node, ast.Assign) and _name_of(node.targets[0]) == "sentence"


SAYS = {"say", "append", "ValueError", "_Trap", "Lost"}


def _name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _pattern(part: ast.expr) -> str:
    return re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*"

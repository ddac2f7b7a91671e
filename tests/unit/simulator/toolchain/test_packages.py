from pathlib import Path

import pytest

from simulator.toolchain import packages
from simulator.toolchain.packages import FETCHED, FRAMEWORK


@pytest.fixture
def move(tmp_path: Path) -> Path:
    write(tmp_path, FRAMEWORK, "", modules=["object"], tests=["object_tests"])
    write(tmp_path, "lower", "", modules=["lower"])
    write(tmp_path, "upper", '[dependencies.Lower]\nlocal = "../lower"\n', modules=["upper"])
    return tmp_path


def write(
    move: Path, name: str, dependencies: str, *, modules: list[str], tests: list[str] | None = None
) -> None:
    for folder, files in (("sources", modules), ("tests", tests or [])):
        for file in files:
            (move / name / folder).mkdir(parents=True, exist_ok=True)
            (move / name / folder / f"{file}.move").write_text(f"module 0x1::{file} {{}}")
    (move / name / "Move.toml").write_text(f'[package]\nname = "T{name}"\n{dependencies}')


def test_what_others_need_comes_first(move: Path) -> None:
    assert packages.package_names(move) == [FRAMEWORK, "lower", "upper"]


def test_a_package_brings_what_it_needs(move: Path) -> None:
    assert packages.closure(["upper"], move) == [FRAMEWORK, "lower", "upper"]
    assert packages.closure(["lower"], move) == [FRAMEWORK, "lower"]


def test_a_package_that_is_not_there_is_named(move: Path) -> None:
    with pytest.raises(KeyError, match="nowhere"):
        packages.closure(["nowhere"], move)


def test_a_change_below_changes_the_fingerprint_and_one_beside_does_not(move: Path) -> None:
    upper, lower = (packages.fingerprint([name], move) for name in ("upper", "lower"))
    (move / "upper" / "README.md").write_text("words")
    assert packages.fingerprint(["upper"], move) == upper
    (move / "lower" / "sources" / "lower.move").write_text("module 0x1::lower { }")
    assert packages.fingerprint(["upper"], move) != upper
    changed = packages.fingerprint(["lower"], move)
    assert changed != lower
    (move / "upper" / "sources" / "upper.move").write_text("module 0x1::upper { }")
    assert packages.fingerprint(["lower"], move) == changed


def test_a_workspace_is_a_copy_with_the_double_in_the_place_of_the_framework(move: Path) -> None:
    with packages.workspace(["upper"], move) as place:
        assert sorted(folder.name for folder in place.packages.iterdir()) == [
            FRAMEWORK, "lower", "upper",
        ]  # fmt: skip
        assert (place.home / FETCHED / "sources" / "object.move").exists()
        assert not (place.home / FETCHED / "tests").exists()
        (place.packages / "upper" / "build").mkdir()
    assert not place.packages.exists()
    assert not (move / "upper" / "build").exists()


def test_the_tests_of_what_a_package_needs_stay_behind_and_change_nothing(move: Path) -> None:
    for name in ("lower", "upper"):
        (move / name / "tests").mkdir()
        (move / name / "tests" / f"{name}_tests.move").write_text("module 0x1::tests {}")
    before = packages.fingerprint(["upper"], move)
    with packages.workspace(["upper"], move) as place:
        assert (place.packages / "upper" / "tests" / "upper_tests.move").exists()
        assert not (place.packages / "lower" / "tests").exists()
    (move / "lower" / "tests" / "lower_tests.move").write_text("module 0x1::tests { }")
    assert packages.fingerprint(["upper"], move) == before
    (move / "upper" / "tests" / "upper_tests.move").write_text("module 0x1::tests { }")
    assert packages.fingerprint(["upper"], move) != before


def test_modules_are_named_by_their_files_without_those_of_tests(move: Path) -> None:
    assert packages.module_names(FRAMEWORK, move) == ["object"]

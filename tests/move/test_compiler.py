"""What the compiler's driver says of packages that are wrong, and what the command makes of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from simulator.toolchain import compiler, packages
from simulator.toolchain.command import MISSING, is_covered
from simulator.toolchain.compiler import CompilationFailed
from simulator.toolchain.libraries import cache_folder, libraries
from tests.move.presence import opened_or_skipped

pytestmark = pytest.mark.long("compiles again and again; test_packages.py compiles each package")

MANIFEST = """
[package]
name = "Thing"
version = "1.0.0"
[addresses]
capp_thing = "0xca09"
[dependencies.AptosFramework]
git = "https://github.com/aptos-labs/aptos-framework.git"
rev = "mainnet"
subdir = "aptos-framework"
"""
THING = """
module capp_thing::thing {
    public fun half(n: u64): u64 {
        if (n % 2 == 1) abort 1;
        n / 2
    }
}
"""
TESTS = """
#[test_only]
module capp_thing::thing_tests {
    use capp_thing::thing;
    #[test]
    fun an_even_number_has_a_half() { assert!(thing::half(8) == 4, 0); }
}
"""
ODD = """
#[test_only]
module capp_thing::odd_tests {
    use capp_thing::thing;
    #[test]
    #[expected_failure(abort_code = 1, location = capp_thing::thing)]
    fun an_odd_number_has_none() { thing::half(7); }
}
"""


@pytest.fixture
def move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with the double and a small one beside it, and a cache of its own."""
    fetched = opened_or_skipped(libraries).compiler.parent
    cache, folder = tmp_path / "cache", tmp_path / "move"
    cache.mkdir()
    folder.mkdir()
    (cache / fetched.name).symlink_to(fetched)
    monkeypatch.setenv("CAPP_MOVE_CACHE", str(cache))
    (folder / packages.FRAMEWORK).symlink_to(packages.MOVE / packages.FRAMEWORK)
    write(folder, "sources/thing.move", THING)
    write(folder, "tests/thing_tests.move", TESTS)
    write(folder, "Move.toml", MANIFEST)
    return folder


def write(move: Path, name: str, content: str) -> None:
    file = move / "thing" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


def test_what_no_test_reaches_is_short(move: Path) -> None:
    tested = compiler.run_tests("thing", move=move)
    assert [name.rpartition("::")[2] for name in tested.passed] == ["an_even_number_has_a_half"]
    assert tested.coverage["thing"].short == ("half",)
    assert not is_covered(tested)


def test_what_tests_reach_is_covered(move: Path) -> None:
    write(move, "tests/odd_tests.move", ODD)
    tested = compiler.run_tests("thing", move=move)
    assert len(tested.passed) == 2
    assert is_covered(tested)


def test_a_test_that_fails_is_named_and_never_kept(move: Path) -> None:
    write(move, "tests/thing_tests.move", TESTS.replace("== 4", "== 5"))
    tested = compiler.known_tests("thing", move=move)
    assert [name.rpartition("::")[2] for name in tested.failed] == ["an_even_number_has_a_half"]
    assert not list(cache_folder().glob("tested-*/thing/*"))


def test_tests_that_passed_are_kept_as_they_were_told(move: Path) -> None:
    tested = compiler.known_tests("thing", move=move)
    assert len(list(cache_folder().glob("tested-*/thing/*"))) == 1
    assert compiler.known_tests("thing", move=move) == tested


def test_a_change_is_tested_again(move: Path) -> None:
    assert not compiler.known_tests("thing", move=move).failed
    write(move, "sources/thing.move", THING.replace("n / 2", "n / 2 + 1"))
    assert compiler.known_tests("thing", move=move).failed


def test_a_package_that_is_no_move_is_refused_with_the_compilers_words(move: Path) -> None:
    write(move, "sources/thing.move", THING.replace("n / 2", "m / 2"))
    with pytest.raises(CompilationFailed, match=r"thing\.move"):
        compiler.run_tests("thing", move=move)


def test_a_filter_that_no_test_has_runs_none(move: Path) -> None:
    tested = compiler.run_tests("thing", only="no_such_test", move=move)
    assert (tested.passed, tested.failed) == ((), ())


def test_without_a_toolchain_the_command_says_why_and_ends_with_3(tmp_path: Path) -> None:
    without = {"CAPP_MOVE_CACHE": str(tmp_path), "PATH": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", "simulator", "move", "test", "governance"],
        cwd=packages.MOVE.parent, env=without, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == MISSING
    assert "(npm)" in ended.stderr


def test_a_package_nobody_knows_is_a_wrong_command() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "simulator", "move", "test", "nowhere"],
        cwd=packages.MOVE.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "nowhere" in ended.stderr

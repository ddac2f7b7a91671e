"""The quick tests prove something of every room, and who names tests gets all that are named."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tiers import is_long

TESTS = Path(__file__).parent.parent
ROOMS = sorted({file.relative_to(TESTS).parts[0] for file in TESTS.rglob("test_*.py")})
MAIN_PATH = {
    "a payment each way, both processes": ("e2e/test_journeys.py", "test_paid_and_both_people"),
    "the golden transcripts": ("e2e/test_transcripts.py", "test_it_goes_as_it_is_written"),
    "processes killed in the middle": ("e2e/test_crashes.py", "test_killed_payment_ends_once"),
    "no PIN and no number is left": ("e2e/test_what_is_left.py", "test_no_table_holds_a_pin"),
    "a business pays over the API": ("e2e/test_clients.py", "test_a_business_sends"),
    "worlds from a seed": ("simulation/test_simulation.py", "test_two_thousand_payments"),
}
"""Where each is shown, and how its test's name begins."""

PLAYED = {
    "test_one.py": """
        import pytest
        def test_quick(): pass
        @pytest.mark.long("it is a second proof")
        def test_slow(): pass
        @pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.long("as 1"))])
        def test_some(n): pass
    """,
    "test_two.py": """
        import pytest
        pytestmark = [
            pytest.mark.usefixtures("tmp_path"), pytest.mark.long("everything in it is")
        ]
        def test_whole(): pass
    """,
}
QUICK = {"test_quick", "test_some[1]"}
EVERY = {*QUICK, "test_slow", "test_some[2]", "test_whole"}


def quick_tests(file: Path) -> Iterator[str]:
    """The names of the tests of a file of which at least a part is quick."""
    source = file.read_text("utf-8")
    if is_long(source):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            if node.name.startswith("test_") and not any(".long(" in mark[:20] for mark in marks):
                yield node.name


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_quick_tests(room: str) -> None:
    files = (TESTS / room).rglob("test_*.py")
    assert any(name for file in files for name in quick_tests(file))


@pytest.mark.parametrize("claim", MAIN_PATH)
def test_the_main_path_is_among_the_quick_tests(claim: str) -> None:
    file, begins = MAIN_PATH[claim]
    assert [name for name in quick_tests(TESTS / file) if name.startswith(begins)]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("played")
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = tests\naddopts = --strict-markers\n")
    (folder / "tests").mkdir()
    for name, text in PLAYED.items():
        lines = [line.removeprefix(" " * 8) for line in text.splitlines()]
        (folder / "tests" / name).write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ([], QUICK),
        (["-p", "xdist", "-n", "1"], QUICK),
        (["--all"], EVERY),
        (["tests/test_two.py"], {"test_whole"}),
        (["-k", "slow"], {"test_slow"}),
        (["-m", "long"], EVERY - QUICK),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_only_who_names_nothing_gets_the_quick_ones(
    played: Path, named: list[str], found: set[str]
) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "tests.tiers", *named],
        cwd=played, capture_output=True, text=True,
        env={"PYTHONPATH": str(TESTS.parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    ran = {a or b for a, b in re.findall(r"::(\S+) PASSED|PASSED \S+::(\S+)", run.stdout)}
    assert (run.returncode, ran) == (0, found), run.stdout + run.stderr

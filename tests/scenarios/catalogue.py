"""The list of scenarios, read strictly, and what it says about the tests that show them.

Tests are looked up in their files' syntax; nothing is imported or run to know that they are there.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

ROOT = Path(__file__).parent.parent.parent
LIST = Path(__file__).with_name("scenarios.yaml")
README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- made from scenarios.yaml -->\n", "<!-- end -->\n"
NEVER_RUN = {"skip", "skipif"}


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One failure to survive; the fields are explained at the top of the list."""

    number: int
    claim: str
    shown_by: tuple[str, ...] = ()
    found_failing: tuple[str, ...] = ()
    lacks: str = ""
    lives_in: str = ""
    not_yet: str = ""

    def standing(self) -> str:
        """One word, or a few, for the table."""
        if self.lives_in:
            return f"lives in: {self.lives_in}"
        if self.not_yet:
            return "not yet"
        return "in part" if self.lacks else "shown"


class Written(NamedTuple):
    """A test function as it is written, with the marks on it and on its rows."""

    name: str
    marks: frozenset[str]


def read() -> list[Scenario]:
    """All of them. Raises msgspec.ValidationError for a field that is none."""
    return msgspec.convert(yaml.safe_load(LIST.read_text()), list[Scenario])


def find(node_id: str) -> Written | None:
    """The test of that id; None when its file, its function or its row is not there."""
    path, _, name = node_id.partition("::")
    name, _, row = name.partition("[")
    tests, words = _look_into(ROOT / path)
    found = tests.get(name)
    if found is None or (row and row.removesuffix("]") not in words):
        return None
    return Written(name, found)


def tests_of(path: Path) -> set[str]:
    """The names of all tests in a file."""
    return set(_look_into(path)[0])


@cache
def _look_into(path: Path) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    if not path.is_file():
        return {}, frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    whole = frozenset(_marks_in(tree.body))
    tests = {
        node.name: whole | frozenset(_marks(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }
    words = frozenset(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return tests, words


def _marks(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Names of all marks, also of those on single rows of a table; and of a skip inside."""
    for node in (*function.decorator_list, *function.body):
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute):
                yield part.attr


def _marks_in(body: list[ast.stmt]) -> Iterator[str]:
    """Marks of the whole file: `pytestmark = ...`."""
    for node in body:
        if isinstance(node, ast.Assign) and "pytestmark" in ast.unparse(node.targets[0]):
            yield from (part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute))


def table(scenarios: list[Scenario]) -> str:
    """The table of the README."""
    lines = [
        "| | what holds | stands | shown by | what is missing |",
        "| --- | --- | --- | --- | --- |",
    ]
    for scenario in scenarios:
        missing = scenario.lacks or scenario.not_yet
        shown = "<br>".join(_short(node_id) for node_id in scenario.shown_by)
        failing = "".join(f" Found by {_short(node_id)}." for node_id in scenario.found_failing)
        cells = (
            str(scenario.number),
            scenario.claim,
            scenario.standing(),
            shown,
            missing + failing,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _short(node_id: str) -> str:
    path, _, name = node_id.removeprefix("tests/").partition("::")
    return f"`{path.removesuffix('.py')}` {name.removeprefix('test_').replace('_', ' ')}"


def summary(scenarios: list[Scenario]) -> str:
    """How many stand how, in one sentence."""
    words = [scenario.standing() for scenario in scenarios]
    elsewhere = sum(word.startswith("lives in") for word in words)
    return (
        f"{words.count('shown')} are shown, {words.count('in part')} in part,"
        f" {words.count('not yet')} not yet, and {elsewhere} come with another part.\n"
    )


def readme() -> str:
    """The README as it should be: its own words, and everything between the marks made anew."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    scenarios = read()
    return f"{before}{BEGIN}\n{summary(scenarios)}\n{table(scenarios)}\n{END}{after}"

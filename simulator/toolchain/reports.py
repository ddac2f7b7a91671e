"""What the compiler prints about unit tests and coverage, read into values."""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Attributes of Aptos that this compiler, made for another chain, does not know.
_HARMLESS = re.compile(
    r"^warning: unknown attribute\n(?:.*\n){3}.*"
    r"Attribute name '(?:resource_group(?:_member)?|view|event)' is unknown.*\n\n?",
    re.MULTILINE,
)
_CHATTER = (
    "Compiling, may take a little while to download git dependencies...",
    "Warning: unknown field name found. Expected one of [name, version, authors, license], "
    "but found 'upgrade_policy'",
)
_TEST = re.compile(r"^\[ (?P<verdict>PASS|FAIL|TIMEOUT)\s*\] (?P<name>\S+)", re.MULTILINE)
_RESULT = re.compile(r"^Test result: (?:OK|FAILED)\. Total tests: (\d+);", re.MULTILINE)
_COVERED = re.compile(
    r"^[0-9a-f]{64}::(?P<module>\w+),(?P<function>\w+),(?P<covered>\d+),(?P<total>\d+)$",
    re.MULTILINE,
)


class Coverage(NamedTuple):
    """How many instructions of a module tests reached, and the functions that are short of some."""

    covered: int
    total: int
    short: tuple[str, ...]

    @property
    def percent(self) -> float:
        """A module without instructions is covered."""
        return 100.0 * self.covered / self.total if self.total else 100.0

    @property
    def is_whole(self) -> bool:
        """Not a single instruction is missing."""
        return self.covered == self.total


class Tested(NamedTuple):
    """How a package's unit tests ended; coverage by module, empty when it was not counted."""

    package: str
    passed: tuple[str, ...]
    failed: tuple[str, ...]
    coverage: Mapping[str, Coverage]
    printed: str


def plain(printed: str) -> str:
    """Without the colours of a terminal, and without what is said of every package of Aptos."""
    without = _HARMLESS.sub("", _COLOUR.sub("", printed))
    return "\n".join(line for line in without.splitlines() if line not in _CHATTER)


def read_tests(
    package: str, printed: str, *, counted: str, modules: Collection[str]
) -> Tested | None:
    """None when the tests were not even run.

    `counted` is the coverage as a table; that of these `modules` is kept.
    """
    result = _RESULT.search(printed)
    verdicts = [(found["verdict"], found["name"]) for found in _TEST.finditer(printed)]
    if result is None or int(result[1]) != len(verdicts):
        return None
    return Tested(
        package=package,
        passed=tuple(name for verdict, name in verdicts if verdict == "PASS"),
        failed=tuple(name for verdict, name in verdicts if verdict != "PASS"),
        coverage=_coverage(counted, modules),
        printed=printed,
    )


def total(covered: Collection[Coverage]) -> Coverage:
    """Several modules as one."""
    return Coverage(
        covered=sum(module.covered for module in covered),
        total=sum(module.total for module in covered),
        short=tuple(name for module in covered for name in module.short),
    )


def _coverage(counted: str, modules: Collection[str]) -> dict[str, Coverage]:
    functions: dict[str, list[Coverage]] = {}
    for found in _COVERED.finditer(counted):
        if found["module"] in modules:
            covered, instructions = int(found["covered"]), int(found["total"])
            short = (found["function"],) if covered < instructions else ()
            functions.setdefault(found["module"], []).append(Coverage(covered, instructions, short))
    return {module: total(parts) for module, parts in functions.items()}

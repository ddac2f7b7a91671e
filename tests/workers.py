"""Who runs what when a run has several workers (`-n`), and in which order.

A file's tests stay together, because fixtures of a file are costly. What runs whole programs and
looks at the clock is one unit: its parts must not compete with each other for the cores.
"""

import os
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

TOGETHER = "whole programs"
WHOLE_PROGRAMS = ("tests/e2e/", "tests/chaos/")
# The longest unit first and the long files next, so that all workers end at about the same time.
ORDER = (
    *WHOLE_PROGRAMS,
    "tests/simulation/",
    "tests/move/",
    "tests/properties/",
    "tests/scenarios/",
    "tests/integration/",
    "tests/attacks/",
    "tests/providers/",
    "tests/unit/",
)

EVERYTHING = ["tests"]


def pytest_configure(config: pytest.Config) -> None:
    """Every other worker reads the rooms backwards: each finds compiled what the other has read."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    if int(worker.removeprefix("gw")) % 2 and config.args == EVERYTHING:
        config.args = backwards(config.rootpath / "tests")


def backwards(tests: Path) -> list[str]:
    """Every room of tests, the last first; the sorting below undoes it."""
    found = {
        f"{tests.name}/{file.relative_to(tests).parts[0]}" for file in tests.rglob("test_*.py")
    }
    return sorted(found, reverse=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by room; within a room the order stays, on which the last test of e2e relies."""
    items.sort(key=lambda item: room_of(item.nodeid))


def room_of(node_id: str) -> int:
    """The place of a test's room in the order; what is in none comes last."""
    return next((n for n, room in enumerate(ORDER) if node_id.startswith(room)), len(ORDER))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Replaces the distributions that xdist knows."""
    return ByFile(config, log)


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out whole files in the order of the run, and all that runs whole programs as one."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # by number of tests: that is not by time

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def unit_of(node_id: str) -> str:
    """What is run by one worker, one after the other."""
    if node_id.startswith(WHOLE_PROGRAMS):
        return TOGETHER
    return node_id.split("::", 1)[0]

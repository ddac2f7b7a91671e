"""Who runs what when a run has several workers (`-n`), in which order, and who gives way to whom.

A file's tests stay together, because fixtures of a file are costly. So do the end-to-end tests:
they share a running product, and the last of them reads what all have left. Where every test is run
they are two units, each with such a last test: who shares the product, and who starts stacks of its
own; one after the other they would last as long as all the rest. What runs whole programs begins
first, and all the rest gives way to it: it mostly waits for programs that look at the clock.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from simulator import embedded
from tests.tiers import is_long, is_quick

WORKER, WORKERS = "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"
END_TO_END = "tests/e2e/"
WHOLE_PROGRAMS = (END_TO_END, "tests/chaos/")
SHARED, OWN = PARTS = ("shared", "own")
"""The parts of the end-to-end tests. What is left is read in each, by `[shared]` and by `[own]`."""
STACKS_OF_THEIR_OWN = frozenset(
    f"{END_TO_END}test_{name}.py"
    for name in (
        *("cancelling", "crashes", "ending", "floats", "names", "restoring", "settlement", "sms"),
        *("starting", "statements", "tenants", "thousand"),
    )
)
NICENESS = 5
"""Of a worker, and of the servers it starts, from its first test on that runs no whole programs."""
# The longest unit first and the long files next, so that all workers end at about the same time.
# Terminals (`unit/simulator`) wait as much as they work: while others have work for the cores.
ORDER = (
    *WHOLE_PROGRAMS,
    "tests/unit/simulator/",
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
_GIVES_WAY = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Each worker begins to read at another place: it finds compiled what the others have read."""
    number, workers = os.environ.get(WORKER, ""), int(os.environ.get(WORKERS, "1"))
    if number and config.args == EVERYTHING:
        files = files_of(config.rootpath / "tests", is_quick=is_quick(config))
        begin = int(number.removeprefix("gw")) % workers * len(files) // workers
        config.args = files[begin:] + files[:begin]


def files_of(tests: Path, *, is_quick: bool) -> list[str]:
    """Every file of tests that is to be read, by its path."""
    return [
        str(file.relative_to(tests.parent))
        for file in sorted(tests.rglob("test_*.py"))
        if not (is_quick and is_long(file.read_text("utf-8")))
    ]


def pytest_sessionstart(session: pytest.Session) -> None:
    """What several workers start at the same moment draws from different ports: none is taken."""
    patch = pytest.MonkeyPatch()
    patch.setattr(embedded, "PORTS", own(embedded.PORTS))
    session.config.add_cleanup(patch.undo)


def own(ports: range) -> range:
    """This worker's share of them, all of them where there is no other worker."""
    number, workers = os.environ.get(WORKER, "gw0"), int(os.environ.get(WORKERS, "1"))
    return ports[int(number.removeprefix("gw")) % workers :: workers]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by room and file, wherever reading began; within a file the order stays."""
    items.sort(key=lambda item: (room_of(item.nodeid), item.nodeid.split("::", 1)[0]))


def room_of(node_id: str) -> int:
    """The place of a test's room in the order; what is in none comes last."""
    return next((n for n, room in enumerate(ORDER) if node_id.startswith(room)), len(ORDER))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Whole programs are handed out first: who has come to something else gives way to them."""
    stash, is_whole = item.config.stash, item.nodeid.startswith(WHOLE_PROGRAMS)
    if WORKER in os.environ and not is_whole and _GIVES_WAY not in stash:
        stash[_GIVES_WAY] = True
        os.nice(NICENESS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Replaces the distributions that xdist knows."""
    return ByFile(config, log, is_parted=not is_quick(config))


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out whole files in the order of the run, and the end-to-end tests as one or two units.

    What is done is forgotten, and where a test stands is looked up: what xdist does instead, going
    through all tests at each, costs the more the more tests there are.
    """

    def __init__(self, config: pytest.Config, log: Producer, *, is_parted: bool) -> None:
        super().__init__(config, log)
        self._is_parted = is_parted
        config.option.loadscopereorder = False  # by number of tests: that is not by time
        self._places: dict[Any, dict[str, int]] = {}

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        done = self.registered_collections[node][item_index]
        units, unit = self.assigned_work[node], self._split_scope(done)
        del units[unit][done]
        if not units[unit]:
            del units[unit]
        self._reschedule(node)

    def _assign_work_unit(self, node: Any) -> None:
        name, tests = self.workqueue.popitem(last=False)
        self.assigned_work[node][name] = tests
        if node not in self._places:
            collected = self.registered_collections[node]
            self._places[node] = {test: place for place, test in enumerate(collected)}
        node.send_runtest_some([self._places[node][test] for test in tests])

    def _pending_of(self, workload: Mapping[str, Mapping[str, bool]]) -> int:
        return sum(map(len, workload.values()))

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid, is_parted=self._is_parted)


def unit_of(node_id: str, *, is_parted: bool) -> str:
    """What is run by one worker, one after the other: a file, or a part of the end-to-end tests."""
    file = node_id.split("::", 1)[0]
    if not file.startswith(END_TO_END):
        return file
    is_own = file in STACKS_OF_THEIR_OWN or node_id.endswith(f"[{OWN}]")
    return END_TO_END + (OWN if is_own else SHARED) if is_parted else END_TO_END

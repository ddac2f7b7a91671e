"""How a run of all tests is put together: who runs what, and that a test that hangs ends."""

import os
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from xdist.remote import Producer

from engine.plain_yaml import read_yaml
from engine.texts import BrokenTexts, Texts
from tests.alarm import alarm
from tests.e2e import test_what_is_left as what_is_left
from tests.workers import (
    NICENESS,
    ORDER,
    OWN,
    SHARED,
    STACKS_OF_THEIR_OWN,
    ByFile,
    files_of,
    own,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_protocol,
    unit_of,
)

TESTS = Path(__file__).parent.parent
NODES = [
    "tests/unit/test_money.py::test_a",
    "tests/e2e/test_what_is_left.py::test_b[shared]",
    "tests/e2e/test_faults.py::test_c[x::y]",
    "tests/e2e/test_what_is_left.py::test_b[own]",
    "tests/e2e/test_thousand.py::test_g",
    "tests/chaos/test_chaos.py::test_d",
    "tests/integration/test_commit.py::test_e",
    "tests/integration/test_commit.py::test_f",
]
IN_ORDER = [NODES[place] for place in (2, 4, 1, 3, 5, 6, 7, 0)]

CONFTEST = """
import tests.alarm

tests.alarm.SECONDS_MAX = 0.3
"""
HANGING = """
import asyncio
import time

import pytest


@pytest.fixture
def stuck():
    time.sleep(60)


@pytest.fixture
def cleaned():
    yield
    print("cleaned up")


async def test_one_waits_for_ever(cleaned):
    await asyncio.Event().wait()


def test_two_cannot_begin(stuck):
    pass


def test_three_comes_to_its_turn():
    pass
"""


class Worker:
    """What a scheduler knows of one, and the tests it was given."""

    shutting_down = False
    gateway = SimpleNamespace(id="one of several")

    def __init__(self) -> None:
        self.given: list[str] = []

    def send_runtest_some(self, places: list[int]) -> None:
        self.given += [IN_ORDER[place] for place in places]

    def shutdown(self) -> None:
        self.shutting_down = True


def test_end_to_end_is_two_units_or_one_and_other_files_one_each() -> None:
    files = [
        "tests/chaos/test_chaos.py",
        "tests/integration/test_commit.py",
        "tests/integration/test_commit.py",
    ]
    assert [unit_of(node, is_parted=True) for node in NODES] == [
        "tests/unit/test_money.py",
        "tests/e2e/shared",
        "tests/e2e/shared",
        "tests/e2e/own",
        "tests/e2e/own",
        *files,
    ]
    assert [unit_of(node, is_parted=False) for node in NODES] == [
        "tests/unit/test_money.py",
        *["tests/e2e/"] * 4,
        *files,
    ]


def test_who_starts_a_stack_is_in_the_unit_of_those() -> None:
    files = (TESTS / "e2e").glob("test_*.py")
    start = {f"tests/e2e/{file.name}" for file in files if "start_stack" in file.read_text()}
    assert start == STACKS_OF_THEIR_OWN


def test_what_is_left_is_read_in_each_unit() -> None:
    readers = [getattr(what_is_left, name) for name in dir(what_is_left) if name[:8] == "test_no_"]
    assert [reader.pytestmark for reader in readers] == [[what_is_left.in_each_part.mark]] * 3
    parts = what_is_left.in_each_part.args[1]
    assert [getattr(part, "values", (part,)) for part in parts] == [(SHARED,), (OWN,)]


def test_units_are_handed_out_in_their_order_and_each_test_once() -> None:
    first, second = workers = [Worker(), Worker()]
    option = SimpleNamespace(loadscopereorder=True)
    config: Any = SimpleNamespace(option=option, getvalue=lambda _: ["2*popen"])
    scheduler = ByFile(config, Producer("nobody", enabled=False), is_parted=True)
    for worker in workers:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, IN_ORDER)
    scheduler.schedule()
    assert first.given == [IN_ORDER[place] for place in (0, 2, 4)]
    assert second.given == [IN_ORDER[place] for place in (1, 3, 5, 6)]
    assert scheduler.has_pending and not scheduler.tests_finished
    for worker in workers:
        for test in worker.given:
            scheduler.mark_test_complete(worker, IN_ORDER.index(test))
    assert sorted(first.given + second.given) == sorted(IN_ORDER)
    assert scheduler.tests_finished and not scheduler.has_pending
    assert first.shutting_down and second.shutting_down


def test_long_rooms_are_run_first_and_files_by_their_names() -> None:
    items: list[Any] = [SimpleNamespace(nodeid=node) for node in NODES]
    pytest_collection_modifyitems(items)
    assert [item.nodeid[-6:] for item in items] == [
        "[x::y]", "test_g", "hared]", "b[own]", "test_d", "test_e", "test_f", "test_a",
    ]  # fmt: skip


def test_every_room_has_its_place() -> None:
    rooms = {f"tests/{file.relative_to(TESTS).parts[0]}/" for file in TESTS.glob("*/**/test_*.py")}
    assert rooms <= set(ORDER)
    assert all(any((TESTS.parent / room).rglob("test_*.py")) for room in ORDER)


@pytest.mark.parametrize("is_all", [True, False])
def test_each_worker_begins_to_read_at_another_place_and_reads_all(
    monkeypatch: pytest.MonkeyPatch, is_all: bool
) -> None:
    files = files_of(TESTS, is_quick=not is_all)
    quarter = len(files) // 4
    monkeypatch.setattr("tests.workers.is_quick", lambda _: not is_all)
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "4")
    begun = []
    for worker in ("gw0", "gw1", "gw2", "gw3", "gw4"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        config: Any = SimpleNamespace(args=["tests"], rootpath=TESTS.parent)
        pytest_configure(config)
        assert sorted(config.args) == sorted(files)
        begun.append(files.index(config.args[0]))
    assert begun[0] == begun[4] == 0, "the fifth stands in for the first, which died"
    assert [(after - before) // quarter for before, after in pairwise(begun[:4])] == [1, 1, 1]
    assert ("tests/chaos/test_chaos.py" in files) == is_all, "what is long is not even read"


def test_workers_draw_from_ports_that_are_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    every, drawn = range(15_000, 22_000), list[int]()
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "3")
    for worker in ("gw0", "gw1", "gw2"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        drawn += own(every)
    assert sorted(drawn) == list(every)
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT")
    assert own(every) == every


def test_a_worker_gives_way_once_its_whole_programs_are_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[int] = []
    monkeypatch.setattr(os, "nice", given.append)
    config = SimpleNamespace(stash=pytest.Stash())

    def begin(node: str) -> list[int]:
        item: Any = SimpleNamespace(nodeid=node, config=config)
        pytest_runtest_protocol(item)
        return given

    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    assert begin("tests/unit/test_money.py::test_a") == [], "alone it gives way to nobody"
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert begin("tests/e2e/test_faults.py::test_c") == []
    assert begin("tests/chaos/test_chaos.py::test_d") == []
    assert begin("tests/unit/test_money.py::test_a") == [NICENESS]
    assert begin("tests/unit/test_money.py::test_b") == [NICENESS], "once is enough"


def test_a_part_that_was_asked_for_is_read_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw1")
    config: Any = SimpleNamespace(args=["tests/e2e"], rootpath=TESTS.parent)
    pytest_configure(config)
    assert config.args == ["tests/e2e"]


def test_the_shipped_sentences_are_read_once_and_a_changed_copy_as_it_stands(
    tmp_path: Path,
) -> None:
    shipped = TESTS.parent / "menus" / "texts"
    assert Texts.load(shipped) is Texts.load(Path("menus/texts"))
    assert Texts.load(shipped, tmp_path / "nobody's") is Texts.load(shipped)
    assert Texts.load(shipped, tmp_path) is not Texts.load(shipped)
    copy = Path(shutil.copytree(shipped, tmp_path / "texts"))
    assert Texts.load(copy) is Texts.load(shipped), "an edition is laid out before it is read"
    (copy / "en.yaml").write_bytes((copy / "en.yaml").read_bytes() + b"# changed\n")
    assert Texts.load(copy) is not Texts.load(copy)
    (copy / "en.yaml").write_text("{")
    with pytest.raises(BrokenTexts):
        Texts.load(copy)


def test_yaml_that_was_read_before_is_nobody_elses_and_what_is_broken_stays_so() -> None:
    first = read_yaml("a: [1, 2]")
    first["a"].append(3)
    assert read_yaml("a: [1, 2]") == {"a": [1, 2]} != first
    for _ in range(2):
        with pytest.raises(yaml.YAMLError):
            read_yaml("a: [1")


def test_alarm_rings_where_it_hangs_and_the_one_around_it_still_does() -> None:
    began = time.monotonic()
    with pytest.raises(pytest.fail.Exception, match=r"not done after 0\.4 s"), alarm(0.4):
        with pytest.raises(pytest.fail.Exception, match=r"not done after 0\.1 s"), alarm(0.1):
            time.sleep(300)
        with alarm(300):
            pass
        time.sleep(300)
    assert time.monotonic() - began < 290, "neither was slept to its end"


def test_alarm_is_silent_after_its_block() -> None:
    with alarm(0.05):
        pass
    time.sleep(0.1)


@pytest.mark.long("waits for a test that hangs")
def test_a_test_that_hangs_fails_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_hanging.py").write_text(HANGING)
    plugins = ["-p", "no:cacheprovider", "-p", "tests.alarm", "-o", "asyncio_mode=auto"]
    place = ["--rootdir", str(tmp_path), str(tmp_path)]
    command = [sys.executable, "-m", "pytest", "-rA", *plugins, *place]
    done = subprocess.run(
        command, cwd=TESTS.parent, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 1, done.stdout
    assert "1 failed, 1 passed, 1 error" in done.stdout.splitlines()[-1], done.stdout
    assert "cleaned up" in done.stdout

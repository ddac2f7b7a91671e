"""What tells of refused memory, and that no edge of ours keeps it to itself."""

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.enquiries import Enquiries
from engine.gather import Gatherer
from engine.memory import CHAIN_MAX, end_by, end_if_refused, tells_of_memory
from engine.tasks import Tasks, for_life
from tests.until import until

PROJECT = Path(__file__).parents[2]
ROOMS = ("channels", "engine", "providers")
SHOWN = "end_if_refused"


def broad_edges() -> Iterator[tuple[str, ast.ExceptHandler]]:
    for room in ROOMS:
        for file in sorted((PROJECT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.ExceptHandler) and is_broad(node.type):
                    yield f"{file.relative_to(PROJECT)}:{node.lineno}", node


def is_broad(caught: ast.expr | None) -> bool:
    """`except:`, and what catches every error, alone or among others."""
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    names = {kind.id for kind in kinds if isinstance(kind, ast.Name)}
    return caught is None or bool(names & {"Exception", "BaseException", "MemoryError"})


def lets_pass(edge: ast.ExceptHandler) -> bool:
    last = edge.body[-1]
    leaves = any(isinstance(node, ast.Return | ast.Continue) for node in ast.walk(edge))
    return isinstance(last, ast.Raise) and last.exc is None and not leaves


def shows(edge: ast.ExceptHandler) -> bool:
    """Before anything else, for whatever else is done may take memory."""
    first = edge.body[0]
    call = first.value if isinstance(first, ast.Expr) else None
    return isinstance(call, ast.Call) and ast.unparse(call) == f"{SHOWN}({edge.name})"


BESIDE = {
    "engine/schema.py": "`capp migrate`: a command ends with what it raises, or tries again",
}


def test_every_edge_that_lets_nothing_pass_looks_whether_memory_was_refused() -> None:
    edges = dict(broad_edges())
    kept = [at for at, edge in edges.items() if not (lets_pass(edge) or shows(edge))]
    assert [at for at in kept if at.partition(":")[0] not in BESIDE] == []
    assert {at.partition(":")[0] for at in kept} == {*BESIDE}
    assert sum(map(shows, edges.values())) > 15


# What tells of it.


def test_it_is_told_by_the_error_itself_or_by_what_it_was_raised_from() -> None:
    named, beside, other = ValueError("a"), ValueError("b"), ValueError("c")
    named.__cause__, beside.__context__ = MemoryError(), MemoryError()
    other.__cause__ = OSError("no memory here")
    assert all(map(tells_of_memory, (MemoryError(), named, beside)))
    assert not tells_of_memory(other)


def test_errors_that_were_raised_from_each_other_are_followed_to_an_end() -> None:
    one, another = ValueError("one"), ValueError("another")
    one.__cause__, another.__cause__ = another, one
    assert not tells_of_memory(one)
    far: BaseException = MemoryError()
    for _ in range(CHAIN_MAX - 1):
        nearer = ValueError()
        nearer.__cause__, far = far, nearer
    assert tells_of_memory(far)


def test_who_has_no_end_goes_on() -> None:
    end_if_refused(MemoryError())


# Work that nobody waits for.


@pytest.fixture
def ended() -> Iterator[list[str]]:
    ends: list[str] = []
    end_by(lambda: ends.append("ended"))
    yield ends
    end_by(None)


async def refuse() -> None:
    raise MemoryError


async def fail() -> None:
    raise ValueError("a mistake")


async def test_a_task_of_a_room_that_is_refused_memory_ends_the_process(ended: list[str]) -> None:
    tasks = Tasks(failed="it waits for the sweep")
    tasks.start(fail())
    await tasks.idle()
    assert ended == []
    tasks.start(refuse())
    await tasks.idle()
    assert ended == ["ended"]


async def test_work_for_life_that_fails_is_told_at_once(
    ended: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    task = for_life(fail())
    await until(lambda: "fail has ended, and nobody does its work" in caplog.text)
    assert ended == []
    lives = for_life(asyncio.sleep(3600))
    lives.cancel()
    await asyncio.gather(task, lives, return_exceptions=True)
    assert caplog.text.count("nobody does its work") == 1
    await asyncio.gather(for_life(refuse()), return_exceptions=True)
    await until(lambda: ended == ["ended"])


async def test_questions_that_are_refused_memory_end_the_process(ended: list[str]) -> None:
    async def fetch(_: object) -> dict[str, str]:
        raise MemoryError

    with pytest.raises(MemoryError):
        await Gatherer(fetch).get("a")
    assert ended == ["ended"]


async def test_what_is_asked_of_a_company_and_refused_memory_ends_the_process(
    ended: list[str],
) -> None:
    enquiries: Enquiries[None] = Enquiries("word")
    assert await enquiries.ask("mtn_ug", fail(), 5.0) is None
    assert ended == []
    assert await enquiries.ask("mtn_ug", refuse(), 5.0) is None
    assert ended == ["ended"]

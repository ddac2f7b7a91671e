"""What the work is about: as long as the block, and in tasks begun in it."""

import asyncio
from collections.abc import Generator
from contextvars import copy_context

import pytest

from engine.correlation import NOTHING, speaking_of, spoken_of


def test_blocks_add_to_each_other_and_each_ends_with_its_own() -> None:
    with speaking_of(payment="1"):
        with speaking_of(attempt="2", payment="3"):
            assert spoken_of() == {"attempt": "2", "payment": "3"}
        assert spoken_of() == {"payment": "1"}
    assert spoken_of() == NOTHING


def test_a_block_that_fails_ends_too() -> None:
    with pytest.raises(ValueError, match="no"), speaking_of(payment="1"):
        raise ValueError("no")
    assert spoken_of() == NOTHING


async def test_tasks_begun_in_a_block_are_about_it_and_change_nothing_outside() -> None:
    async def look() -> dict[str, str]:
        with speaking_of(attempt="2"):
            return dict(spoken_of())

    with speaking_of(payment="1"):
        begun = asyncio.create_task(look())
    assert await begun == {"payment": "1", "attempt": "2"}
    assert spoken_of() == NOTHING


def test_a_block_that_somebody_else_throws_away_is_no_mistake() -> None:
    def work() -> Generator[None, None, None]:
        with speaking_of(payment="1"):
            yield

    works = work()
    copy_context().run(next, works)
    works.close()  # as the collector does, which stands in no task
    assert spoken_of() == NOTHING

"""The worker's loops go on, whatever their work raises."""

import asyncio
import logging

import pytest

from channels.worker import BATCH, _every
from engine.errors import OutcomeUnknown


async def run(work: list[int | Exception], caplog: pytest.LogCaptureFixture) -> int:
    """How often it was done; each next piece of work brings the next of these."""
    done = 0
    over = asyncio.Event()

    async def one() -> int:
        nonlocal done
        done += 1
        if not work:
            over.set()
            await asyncio.Event().wait()
        brings = work.pop(0)
        if isinstance(brings, Exception):
            raise brings
        return brings

    with caplog.at_level(logging.WARNING):
        loop = asyncio.create_task(_every(0.0, one, "statements"))
        await asyncio.wait_for(over.wait(), 120)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
    return done


async def test_what_a_company_or_the_database_raises_is_a_line_without_a_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await run([OutcomeUnknown("mpesa_ke", "silent"), OSError("refused"), 0], caplog) == 4
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert all(record.exc_info is None for record in caplog.records)


async def test_a_mistake_of_ours_is_told_with_its_trace_and_the_loop_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await run([KeyError("KES"), AssertionError("impossible"), 0], caplog) == 4
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert all(record.exc_info for record in caplog.records)
    assert caplog.records[0].getMessage() == "statements failed"


async def test_a_full_batch_is_followed_at_once(caplog: pytest.LogCaptureFixture) -> None:
    assert await run([BATCH, BATCH, 0], caplog) == 4
    assert not caplog.records

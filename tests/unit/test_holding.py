"""A claim is renewed while its work goes on, on a clock that jumps from timer to timer."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from engine.holding import HELD_SECONDS_MAX, RENEWALS_IN_A_LEASE, Holding
from engine.tasks import Tasks
from tests.collector import left_to_collector
from tests.simulation.loop import make_loop

LEASE_SECONDS = 60
EVERY = LEASE_SECONDS / RENEWALS_IN_A_LEASE
INTENT, CLAIM = "0197", 3


class Counted:
    """Claims that remember when they were renewed. `ours`: until somebody else takes it."""

    lease_seconds = LEASE_SECONDS

    def __init__(self, *, ours: bool = True) -> None:
        self.ours = ours
        self.renewed_at: list[float] = []

    async def renew(self, intent_id: str, claim: int) -> bool:
        assert (intent_id, claim) == (INTENT, CLAIM)
        self.renewed_at.append(asyncio.get_running_loop().time())
        return self.ours


def lived(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """The work, and what its timers do in so many seconds."""
    loop = make_loop(random.Random(1))
    over: list[bool] = []

    async def live() -> None:
        begun = asyncio.ensure_future(work())
        await asyncio.sleep(seconds)
        assert begun.done()
        begun.result()
        over.append(True)

    loop.spawn(live())
    loop.run_until(lambda: bool(over))
    loop.close()


def renewals(work_seconds: float, *, ours: bool = True) -> list[float]:
    claims = Counted(ours=ours)

    async def work() -> None:
        with Holding(claims, Tasks(failed="not renewed"), INTENT, CLAIM):
            await asyncio.sleep(work_seconds)

    lived(work_seconds + 2 * LEASE_SECONDS, work)
    return claims.renewed_at


def test_a_call_that_outlives_its_lease_keeps_its_claim() -> None:
    assert renewals(2.5 * EVERY) == pytest.approx([EVERY, 2 * EVERY])


async def test_nothing_of_it_is_left_to_the_collector() -> None:
    tasks = Tasks(failed="not renewed")

    async def held() -> None:
        with Holding(Counted(), tasks, INTENT, CLAIM):
            await asyncio.sleep(0)

    assert await left_to_collector(held) == 0


def test_nothing_is_renewed_once_the_work_has_ended() -> None:
    assert renewals(EVERY / 2) == []


def test_work_that_hangs_is_left_to_others_in_the_end() -> None:
    kept = renewals(2 * HELD_SECONDS_MAX)
    assert HELD_SECONDS_MAX <= kept[-1] <= HELD_SECONDS_MAX + EVERY


def test_work_that_fails_lets_go_of_its_claim() -> None:
    claims = Counted()

    async def work() -> None:
        with (
            pytest.raises(ValueError, match="no"),
            Holding(claims, Tasks(failed="-"), INTENT, CLAIM),
        ):
            raise ValueError("no")

    lived(2 * LEASE_SECONDS, work)
    assert claims.renewed_at == []


def test_a_claim_that_somebody_else_has_taken_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    assert len(renewals(1.5 * EVERY, ours=False)) == 1
    assert "held by somebody else" in caplog.text

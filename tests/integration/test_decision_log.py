from datetime import timedelta
from typing import Any

import pytest

from engine import decision_log
from engine.clock import Ids
from engine.decision_log import DecisionLog
from engine.decisions import Decision, Kind
from tests.integration.world import TestClock

REFUSED = Decision(Kind.ROUTE, "none", "none; mtn_ug: breaker_open", {"draw_ppm": 5, "rules": [1]})
OPENED = Decision(Kind.BREAKER, "open", "too many faults in a row", {"operator": "mtn_ug"})


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def log(pool: Any, clock: TestClock) -> DecisionLog:
    return DecisionLog(pool, 1, Ids(clock))


async def test_what_is_noted_is_kept_with_the_next_flush(
    log: DecisionLog, clock: TestClock
) -> None:
    start = clock.now()
    log.note(REFUSED)
    assert await log.since(start) == []
    await log.flush()
    (kept,) = await log.since(start)
    assert kept.decision == REFUSED
    assert kept.payment_id is None
    assert abs(kept.at - start) < timedelta(seconds=1)


async def test_decisions_are_found_by_time_and_by_payment(
    log: DecisionLog, clock: TestClock
) -> None:
    payment_id = Ids(clock).payment()
    await log.keep([REFUSED, OPENED])
    clock.pass_(60)
    await log.keep([OPENED], payment_id)
    assert [k.decision for k in await log.of(payment_id)] == [OPENED]
    assert len(await log.since(clock.now() - timedelta(seconds=61))) == 3
    assert [k.payment_id for k in await log.since(clock.now())] == [payment_id]
    assert len(await log.since(clock.now() - timedelta(days=1), most=2)) == 2


async def test_another_tenant_sees_nothing_of_it(
    log: DecisionLog, pool: Any, clock: TestClock
) -> None:
    payment_id = Ids(clock).payment()
    await log.keep([OPENED], payment_id)
    other = DecisionLog(pool, 2, Ids(clock))
    assert await other.since(clock.now() - timedelta(days=1)) == []
    assert await other.of(payment_id) == []


async def test_what_could_not_be_stored_waits(
    log: DecisionLog, pool: Any, clock: TestClock
) -> None:
    log.note(REFUSED)
    await pool.execute("alter table decision rename to gone")
    with pytest.raises(Exception, match="decision"):
        await log.flush()
    await pool.execute("alter table gone rename to decision")
    await log.flush()
    assert len(await log.since(clock.now() - timedelta(days=1))) == 1
    await pool.execute("alter table decision rename to gone")
    await log.flush()  # nothing waits any more, so nothing is asked of the database


async def test_only_so_many_wait_and_the_loss_is_told(
    log: DecisionLog, clock: TestClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(decision_log.WAITING_MAX + 2):
        log.note(REFUSED)
    await log.flush()
    assert "2 decisions were dropped" in caplog.text
    kept = await log.since(clock.now() - timedelta(days=1), most=10**6)
    assert len(kept) == decision_log.WAITING_MAX

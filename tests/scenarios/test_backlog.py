"""More intents are left behind than anybody carries at once: each leaves once, and none is held up.

A million of them is worked off by hand: `python -m tests.bench.backlog --rows 1000000`.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.clock import Ids
from engine.dispatch import TAKEN_OVER_MAX
from engine.ports import Sms, SmsAccepted
from tests.bench import backlog
from tests.bench.backlog import Options
from tests.bench.table import Void
from tests.integration.books import assert_books
from tests.integration.world import FAILED, ScriptedSms, World, open_world
from tests.until import until

BATCH = 100


class SilentSms(ScriptedSms):
    """A gateway that takes what it is given and answers when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()

    async def send(self, message: Sms) -> SmsAccepted:
        accepted = await super().send(message)
        await self.may_answer.wait()
        return accepted


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url, gateway=SilentSms()) as opened:
        yield opened
        gateway(opened).may_answer.set()
        await opened.dispatched()
        await assert_books(opened.pool)


def gateway(world: World) -> SilentSms:
    assert isinstance(world.sms, SilentSms)
    return world.sms


async def leave_behind(world: World, notices: int) -> None:
    """Notices of a payment that failed, of processes that died."""
    gateway(world).may_answer.set()
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), FAILED)
    await world.dispatched()
    gateway(world).may_answer.clear()
    world.sms.sent.clear()
    await world.pool.execute(
        "insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)"
        " select (substr($1, 1, 20) || lpad(to_hex(n), 12, '0'))::uuid, $2, 1, 10,"
        " 'collect_failed:payer:declined', 0, 1 from generate_series(1, $3) n",
        Ids(world.clock).intent(), payment_id, notices,
    )  # fmt: skip
    world.clock.pass_(61)


async def sweep_for_ever(world: World) -> None:
    """As the worker does while there are full batches."""
    while True:
        if await world.dispatcher.sweep(BATCH) < BATCH:
            await asyncio.sleep(0.01)


async def test_a_process_takes_no_more_of_a_backlog_than_it_carries(world: World) -> None:
    """A gateway that answers nobody: what one process took would else grow without end."""
    notices = TAKEN_OVER_MAX + 5 * BATCH
    await leave_behind(world, notices)
    sweeping = asyncio.create_task(sweep_for_ever(world))
    await until(lambda: len(world.sms.sent) >= TAKEN_OVER_MAX)
    await asyncio.sleep(0.5)  # long enough to take all the others, too
    leased = await world.pool.fetchval("select count(*) from outbox where sent_at is not null")
    assert TAKEN_OVER_MAX <= leased <= TAKEN_OVER_MAX + BATCH
    gateway(world).may_answer.set()
    await until(lambda: len(world.sms.sent) == notices)
    sweeping.cancel()
    await world.dispatched()
    assert len({sms.intent_id for sms in world.sms.sent}) == notices
    assert await world.pool.fetchval("select count(*) from outbox") == 0


async def test_who_confirms_to_a_process_that_dies_does_not_wait_behind_a_backlog(
    world: World,
) -> None:
    await leave_behind(world, 10 * BATCH)
    gateway(world).may_answer.set()
    world.dispatching = False
    world.mpesa.orders.clear()
    await world.confirm()
    world.clock.pass_(61)
    for _ in range(2):
        await world.dispatcher.sweep(BATCH)
    await world.dispatched()
    assert len(world.mpesa.orders) == 1
    assert await world.pool.fetchval("select count(*) from outbox where kind = 10") > 7 * BATCH


@pytest.mark.long("processes of their own, and their start")
def test_a_backlog_is_worked_off_by_processes_of_their_own_each_once(
    database_url: str, tmp_path: Path
) -> None:
    options = Options(rows=6_000, processes=3, payments=20)
    section = backlog.work_off(database_url, tmp_path, options)
    assert section.rows[-1][0] == f"to {options.rows:,}"
    sizes = [file.stat().st_size for file in tmp_path.glob("sent-[0-9]")]
    assert len(sizes) == options.processes and all(sizes), "somebody did nothing"


async def test_a_notice_that_left_twice_or_never_is_seen(tmp_path: Path, database_url: str) -> None:
    file, one, other = tmp_path / "sent", b"1" * 16, b"2" * 16
    for left in (one + one, one, one + other + one):
        file.write_bytes(left)
        with pytest.raises(Void):
            await backlog.assert_once(database_url, [file], 2)

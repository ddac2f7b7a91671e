"""A node on a fork tells of a transaction that later is gone: over the wire, through our adapter.

Behind one address one node has left the others. It answers by hash, and the others all else.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from engine.payments.settlement.settling import NEVER_SECONDS, UNSEEN
from engine.payments.settlement.state import BatchState, DisputeStage
from engine.ports import Refusal
from tests.integration.devnet_room import (
    APPROVALS_SECONDS,
    EXPIRES_SECONDS,
    PAIR,
    ChainHall,
    make_chain,
    open_chain_hall,
)

pytestmark = pytest.mark.long(
    "a chain for each; test_settlement_forks.py has them on a rail in memory"
)

S = BatchState
SUBMITTER = "submitter_2"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return await make_chain(tmp_path_factory.mktemp("made"))


@pytest.fixture
async def hall(database_url: str, made: Path, tmp_path: Path) -> AsyncIterator[ChainHall]:
    async with open_chain_hall(database_url, made, tmp_path) as opened:
        yield opened


def leave_the_chain(hall: ChainHall) -> None:
    """What is handed in next is carried out on a fork, and its node answers by hash."""
    hall.arm("fork", "submit")
    hall.arm("forked", "find", times=None)


async def states(hall: ChainHall, account: str) -> list[tuple[int, int]]:
    rows = await hall.pool.fetch(
        "select number, stage from settlement_transaction where account = $1"
        " order by number, stage",
        account,
    )
    return [tuple(row) for row in rows]


async def test_a_window_that_was_done_on_a_fork_alone_is_settled_by_another(
    hall: ChainHall,
) -> None:
    await hall.pay()
    first = await hall.close()
    leave_the_chain(hall)
    await hall.sweep(2)
    assert await hall.states() == [S.APPROVED], "called done, and in nobody's books"
    assert await states(hall, SUBMITTER) == [(0, 3)]
    assert hall.settled_on_chain() == []
    hall.disarm()
    hall.pass_both(EXPIRES_SECONDS + 1)
    await hall.pay(minor=50_000)
    second = await hall.close()
    await hall.sweep(4)
    assert (await hall.reopened(second)).state is S.SETTLED, "the account goes on behind it"
    assert (await hall.reopened(first)).state is S.APPROVED
    assert "the rail called over what it never did: number 0 of submitter_2" in await hall.cases()
    await hall.assert_balances()
    hall.pass_both(APPROVALS_SECONDS + NEVER_SECONDS)
    await hall.sweep(3)
    assert (await hall.reopened(first)).state is S.REOPENED
    assert f"{first.corridor}: {UNSEEN}" in await hall.cases()
    await hall.close()
    await hall.until_settled()
    assert first.id not in hall.settled_on_chain()
    await hall.assert_settled()


async def test_a_window_that_is_done_on_the_chain_after_all_is_settled_once(
    hall: ChainHall,
) -> None:
    await hall.pay()
    batch = await hall.close()
    leave_the_chain(hall)
    await hall.sweep(2)
    [body] = [
        row["body"] for row in await hall.pool.fetch("select body from settlement_transaction")
    ]
    await hall.rail.node.submit(bytes(body))  # as the fork's node tells the others of it
    hall.pass_both(1)
    hall.disarm()
    await hall.until_settled()
    assert hall.settled_on_chain() == [batch.id]
    assert len(hall.sent_by(SUBMITTER)) == 1
    await hall.assert_settled()


async def test_a_trial_after_the_approvals_says_whether_the_chain_has_a_batch(
    hall: ChainHall,
) -> None:
    """The contract looks for the batch first: only what it has not is too late."""
    await hall.pay()
    batch = await hall.close()
    await hall.approve(batch)
    settlement = await hall.approved(batch)
    hall.pass_both(APPROVALS_SECONDS + 1)
    assert await hall.rail.estimate(settlement) is Refusal.APPROVALS
    await hall.until_settled()
    assert await hall.states() == [S.REOPENED]
    await hall.close()
    await hall.until_settled()
    [settled] = [b for b in await hall.batches() if b.state is S.SETTLED]
    settlement = await hall.approved(settled)
    hall.pass_both(APPROVALS_SECONDS + 1)
    assert await hall.rail.estimate(settlement) is Refusal.DONE_BEFORE
    await hall.assert_settled()


async def test_a_ruling_that_stood_on_a_fork_alone_is_made_on_the_chain_once(
    hall: ChainHall,
) -> None:
    payment = await hall.pay()
    await hall.close()
    await hall.until_settled()
    disputes, before = hall.room.disputes, await hall.held_by_rail("mpesa_ke")
    told = await disputes.open(payment, "mpesa_ke", 5_000_000, by="staff")
    await hall.sweep(2)
    await disputes.answer(told, accepts=False, evidence_hash=b"e" * 32)
    await hall.sweep(2)
    await disputes.rule(told, 3_000_000)
    leave_the_chain(hall)
    await hall.sweep(3)
    assert await states(hall, "arbiter") == [(0, 3)], "called done"
    hall.disarm()
    await hall.sweep(2)
    assert (await disputes._get(told)).stage is DisputeStage.CONTESTED
    hall.pass_both(EXPIRES_SECONDS + 1)
    await hall.sweep(3)
    assert (await disputes._get(told)).stage is DisputeStage.RULED
    assert await states(hall, "arbiter") == [(0, 3), (0, 5)]
    assert await hall.cases() == ["the rail called over what it never did: number 0 of arbiter"]
    await disputes.refund(told)
    await hall.sweep(3)
    assert (await disputes._get(told)).stage is DisputeStage.CLOSED
    assert await hall.held_by_rail("mpesa_ke") == before + 3_000_000
    assert [pool.held_minor for pool in await hall.rail.pools(PAIR)] == [0, 0]
    await hall.assert_settled()

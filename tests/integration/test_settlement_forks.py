"""A node calls done what the rail never did: the account goes on, and nothing is settled twice."""

from collections.abc import AsyncIterator

import pytest

from engine.ledger.chart import Kind
from engine.payments.settlement.batch import Batch
from engine.payments.settlement.settling import NEVER_SECONDS, UNSEEN
from engine.payments.settlement.state import BatchState, ErrandState
from engine.payments.settlement.submitting import UNSEEN_SECONDS
from engine.ports import Recorded, Refusal
from tests.integration.settlement_room import PAIR, Hall, open_hall

pytestmark = pytest.mark.long("hours of a rail whose nodes do not agree")

S = BatchState
APPROVALS_SECONDS = 600


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[Hall]:
    async with open_hall(shared_database_url) as opened:
        yield opened


async def called_done(hall: Hall) -> Batch:
    """A window of which a node said that it was done; the rail has nothing of it."""
    await hall.pay()
    batch = await hall.close()
    hall.rail.is_forked = True
    hall.rail.faults = ["forgotten"]
    await hall.sweep(2)
    hall.rail.is_forked = False
    assert await hall.states() == [S.APPROVED]
    assert hall.rail.numbers["submitter"] == 0
    return batch


async def errand_states(hall: Hall) -> list[ErrandState]:
    rows = await hall.pool.fetch("select state from settlement_errand order by id")
    return [ErrandState(row["state"]) for row in rows]


async def test_its_place_is_free_again_so_later_windows_of_the_account_go_on(hall: Hall) -> None:
    first = await called_done(hall)
    hall.rail.pass_(61)  # its bytes can be carried out no more
    await hall.pay(minor=50_000)
    second = await hall.close()
    await hall.sweep(3)
    assert (await hall.reopened(second)).state is S.SETTLED
    assert (await hall.reopened(first)).state is S.APPROVED
    assert hall.rail.numbers["submitter"] == 2
    assert await hall.cases() == ["the rail called over what it never did: number 0 of submitter"]


async def test_a_place_is_not_free_while_its_bytes_may_still_be_carried_out(hall: Hall) -> None:
    await called_done(hall)
    await hall.pay(minor=50_000)
    second = await hall.close()
    await hall.sweep(3)
    assert (await hall.reopened(second)).state is S.SUBMITTED
    assert [place for _, place in hall.rail.waiting] == [1]
    rows = await hall.pool.fetch("select number, stage from settlement_transaction order by number")
    assert [tuple(row) for row in rows] == [(0, 3), (1, 2)]


async def test_a_node_that_is_behind_frees_nothing_that_was_done(hall: Hall) -> None:
    await hall.pay()
    await hall.close()
    await hall.sweep(2)
    hall.rail.pass_(61)
    hall.rail.numbers_behind = 2
    await hall.pay(minor=50_000)
    await hall.close()
    await hall.sweep(3)
    assert await hall.states() == [S.SETTLED, S.SETTLED]
    rows = await hall.pool.fetch("select number, stage from settlement_transaction order by number")
    assert [tuple(row) for row in rows] == [(0, 3), (1, 3)]
    assert await hall.cases() == []
    hall.rail.numbers_behind = 0
    await hall.assert_settled()


async def given_up(hall: Hall, batch: Batch) -> Batch:
    """After the first sweep at which no node can show it any more; people were called before."""
    hall.rail.pass_(APPROVALS_SECONDS + NEVER_SECONDS - 1)
    await hall.sweep(3)
    assert await hall.cases() == [f"{batch.corridor}: {UNSEEN}"]
    assert (await hall.reopened(batch)).state is S.APPROVED
    hall.rail.pass_(1)
    await hall.sweep(2)
    return await hall.reopened(batch)


async def test_what_never_was_goes_into_another_window_once_no_node_can_show_it(hall: Hall) -> None:
    first = await called_done(hall)
    again = await given_up(hall, first)
    assert again.state is S.REOPENED
    assert again.reason == "it was called done, and never was"
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 0
    hall.clock.pass_(61)
    await hall.sweep(4)
    assert sorted(await hall.states()) == [S.SETTLED, S.REOPENED]
    await hall.assert_settled()


async def test_what_the_rail_has_done_is_never_reopened_however_long_its_books_are_not_seen(
    hall: Hall,
) -> None:
    await hall.pay()
    await hall.close()
    hall.rail.is_stale = True
    await hall.sweep(4)
    hall.rail.pass_(APPROVALS_SECONDS + 10 * UNSEEN_SECONDS)
    await hall.sweep(4)
    assert await errand_states(hall) == [ErrandState.DONE]
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 7_750_000
    hall.rail.is_stale = False
    await hall.sweep(1)
    assert await hall.states() == [S.SETTLED]
    await hall.assert_settled()


async def test_a_node_that_still_calls_it_done_keeps_it_from_being_reopened(hall: Hall) -> None:
    await called_done(hall)
    hall.rail.is_forked = True
    hall.rail.pass_(APPROVALS_SECONDS + 10 * UNSEEN_SECONDS)
    await hall.sweep(3)
    assert await hall.states() == [S.APPROVED]
    assert await errand_states(hall) == [ErrandState.DONE]


async def test_what_a_node_shows_after_all_is_settled_once_up_to_the_last_moment(
    hall: Hall,
) -> None:
    """The account's order said no, and then the rail's books have it: they win."""
    first = await called_done(hall)
    hall.rail.pass_(APPROVALS_SECONDS + NEVER_SECONDS)
    await hall.sweep(1)
    assert await errand_states(hall) == [ErrandState.LAPSED]
    batch = await hall.reopened(first)
    assert batch.state is S.APPROVED and batch.terms_hash is not None
    pools = hall.rail.corridors[PAIR]
    for place in range(2):
        pools.totals[place] += batch.credits[place] - batch.debits[place]
    pools.batches[bytes.fromhex(batch.id)] = Recorded(
        batch.terms_hash, batch.merkle_root, batch.payment_count, batch.debits, batch.credits, 1
    )
    await hall.sweep(2)
    assert await hall.states() == [S.SETTLED]
    hall.clock.pass_(61)
    await hall.sweep(3)
    assert await hall.states() == [S.SETTLED], "no window took its payments again"
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 0


async def said_done_before(hall: Hall) -> Batch:
    """A node on a fork says of a trial that the batch stands in its books; the rail's do not."""
    await hall.pay()
    batch = await hall.close()
    hall.rail.refuses = Refusal.DONE_BEFORE
    await hall.sweep(2)
    assert await errand_states(hall) == [ErrandState.REFUSED]
    return batch


async def test_what_a_trial_called_done_before_and_never_was_goes_into_another_window(
    hall: Hall,
) -> None:
    first = await said_done_before(hall)
    hall.rail.refuses = None
    again = await given_up(hall, first)
    assert (again.state, again.reason) == (S.REOPENED, "it was called done, and never was")
    hall.clock.pass_(61)
    await hall.sweep(3)
    assert sorted(await hall.states()) == [S.SETTLED, S.REOPENED]
    await hall.assert_settled()


@pytest.mark.parametrize("says", [Refusal.DONE_BEFORE, Refusal.PAUSED, Refusal.OTHER])
async def test_a_trial_that_does_not_get_as_far_as_the_approvals_proves_nothing(
    hall: Hall, says: Refusal
) -> None:
    first = await said_done_before(hall)
    hall.rail.refuses = says
    hall.rail.pass_(APPROVALS_SECONDS + 10 * UNSEEN_SECONDS)
    await hall.sweep(3)
    assert await hall.states() == [S.APPROVED]
    hall.clock.pass_(86_400)
    await hall.sweep(1)
    assert await hall.cases() == [f"{first.corridor}: {UNSEEN}"] * 2, "a case a day"
    hall.rail.refuses = None
    await hall.sweep(2)
    assert (await hall.reopened(first)).state is S.REOPENED

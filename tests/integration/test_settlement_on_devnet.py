"""What goes wrong between our books and a real node: settled once or reopened, the books the chain.

Every test ends with a look at each balance of both sides. Nobody waits for a clock: both are moved.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

import httpx
import msgspec
import pytest
import pytest_asyncio
from aptos_sdk.bcs import Serializer

from engine.errors import Rejected, StaffMistake
from engine.ledger.chart import Kind
from engine.payments.settlement.receipts import Verdict, verify
from engine.payments.settlement.rules import Rules
from engine.payments.settlement.state import BatchState, DisputeStage
from engine.ports import Approval, Refusal, SignerPort
from providers.transport import Transport
from simulator.devnet.customer import Argument, address
from simulator.devnet.executor import Executor
from simulator.devnet.executors import open_executor
from simulator.devnet.faults import FaultName, FaultTarget
from tests.integration.devnet_room import (
    APPROVALS_SECONDS,
    EXPIRES_SECONDS,
    PAIR,
    PROVIDED_MINOR,
    ChainHall,
    make_chain,
    open_chain_hall,
)
from tests.integration.owner import Owner
from tests.leap import leap
from tests.move.presence import opened_or_skipped
from tests.until import until

pytestmark = pytest.mark.long(
    "a chain for each fault; test_settlement.py settles on a rail in memory"
)

S = BatchState
OWED_MINOR = 7_750_000  # of the asset, for one payment of `Hall.pay`
AGAIN_SECONDS = 30  # a refused batch is tried again by then
READ_SECONDS = 10.0  # so long a node is listened to
LEASE_SECONDS = 130  # so long another process keeps an account that one has died with


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return await make_chain(tmp_path_factory.mktemp("made"))


@pytest.fixture
async def hall(database_url: str, made: Path, tmp_path: Path) -> AsyncIterator[ChainHall]:
    async with open_chain_hall(database_url, made, tmp_path) as opened:
        yield opened


def sent(hall: ChainHall) -> int:
    """How many transactions of our submitters the chain has taken."""
    return sum(len(hall.sent_by(account)) for account in hall.rail.accounts)


async def close_the_rest(hall: ChainHall) -> None:
    """What was reopened goes into the next window, and that is settled."""
    await hall.close()
    await hall.until_settled()


async def test_what_payments_owe_is_moved_on_the_chain_once(hall: ChainHall) -> None:
    for _ in range(3):
        await hall.pay(minor=100_000)
    await hall.pay("mtn_ug", "mpesa_ke", 27_000)
    batch = await hall.close()
    await hall.until_settled()
    assert await hall.states() == [S.SETTLED]
    assert hall.settled_on_chain() == [batch.id]
    assert await hall.held_by_rail("mtn_ug") == PROVIDED_MINOR + 15_952_710
    await hall.assert_settled()
    assert await hall.cases() == []


# What the node answers, or does not (53).

Armed = tuple[FaultName, FaultTarget, int]

AT_THE_DOOR: dict[str, list[Armed]] = {
    "committed and the answer lost": [("lose_answer", "submit", 1)],
    "committed and answered 500": [("error_500_after", "submit", 1)],
    "committed and half an answer": [("truncated_json", "submit", 1)],
    "answered by a node of another chain": [("wrong_chain_id", "submit", 1)],
    "refused with 500": [("error_500", "submit", 2)],
    "refused with 503": [("error_503", "submit", 2)],
    "too many with 429": [("throttle_429", "submit", 2)],
    "too many with a page of HTML": [("html_429", "submit", 2)],
    "full with 507": [("pool_full_507", "submit", 2)],
    "delivered twice": [("duplicate", "submit", 1)],
    "delivered twice and the answer lost": [
        ("duplicate", "submit", 1), ("lose_answer", "submit", 1),
    ],
    "taken and forgotten": [("drop_after_accept", "submit", 2)],
    "forgotten, then lost, then refused": [
        ("drop_after_accept", "submit", 1), ("lose_answer", "submit", 2),
        ("error_503", "submit", 1),
    ],
}  # fmt: skip
EVERYWHERE: dict[str, list[Armed]] = {
    "everything answers 500": [("error_500", "any", 7)],
    "everything is throttled": [("throttle_429", "any", 3), ("html_429", "any", 4)],
    "everything is cut in half": [("truncated_json", "any", 7)],
    "every answer is lost": [("lose_answer", "any", 7)],
    "the question by hash is lost": [("lose_answer", "submit", 1), ("lose_answer", "find", 4)],
    "the record cannot be read": [("error_500", "view", 4), ("truncated_json", "view", 3)],
    "no trial is possible": [("error_503", "simulate", 2), ("lose_answer", "simulate", 2)],
    "the node is stale": [("stale", "any", 12)],
    "the node is of another chain": [("wrong_chain_id", "any", 6)],
    "one thing after the other": [
        ("lose_answer", "submit", 1), ("stale", "find", 2), ("throttle_429", "view", 2),
        ("wrong_chain_id", "view", 2), ("error_500", "read", 2),
    ],
}  # fmt: skip
FAULTS = AT_THE_DOOR | EVERYWHERE


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
async def test_a_bad_node_delays_a_batch_and_it_is_moved_once(
    hall: ChainHall, faults: list[Armed]
) -> None:
    await hall.pay()
    batch = await hall.close()
    for fault in faults:
        hall.arm(*fault)
    await hall.until_settled(sweeps=40)
    assert hall.settled_on_chain() == [batch.id]
    assert sent(hall) == 1, "the same bytes, however often"
    await hall.assert_settled()


async def test_a_node_that_times_out_has_committed_it_all_the_same(hall: ChainHall) -> None:
    """It goes silent in the middle of the hand-in, longer than we listen."""
    rail = hall.another_rail(read_seconds=READ_SECONDS)
    room = hall.another(rail=rail)
    await hall.pay()
    batch = await hall.close()
    hall.by_hand()
    hall.arm("lose_answer", "submit", seconds=2 * READ_SECONDS)

    async def sweep() -> None:
        for _ in range(2):
            await room.settling.sweep()

    sweeping = asyncio.create_task(sweep())
    await until(lambda: not hall.devnet.faults.armed())
    leap(READ_SECONDS)
    await sweeping
    assert await hall.states() == [S.SUBMITTED]
    hall.pass_both(1)
    assert hall.settled_on_chain() == [batch.id]
    await hall.assert_balances()
    hall.by_hand(by_hand=False)
    hall.pass_both(LEASE_SECONDS)
    await hall.until_settled()
    assert sent(hall) == 1
    await hall.assert_settled()
    await rail.aclose()


async def test_while_it_waits_in_the_pool_it_is_on_its_way_and_nothing_else_is_signed(
    hall: ChainHall,
) -> None:
    hall.by_hand()
    await hall.pay()
    await hall.close()
    await hall.sweep(3)
    assert await hall.states() == [S.SUBMITTED]
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == OWED_MINOR
    await hall.assert_balances()
    assert await hall.pool.fetchval("select count(*) from settlement_transaction") == 1
    hall.by_hand(by_hand=False)
    await hall.until_settled()
    await hall.assert_settled()


# What expires unseen (54).


async def test_what_the_node_loses_until_it_expires_is_signed_again_for_the_same_place(
    hall: ChainHall,
) -> None:
    await hall.pay()
    batch = await hall.close()
    hall.arm("drop_after_accept", "submit", times=None)
    await hall.sweep(3)
    [old] = await hall.pool.fetch("select number, body from settlement_transaction")
    hall.pass_both(EXPIRES_SECONDS + 1)
    await hall.sweep(1)
    hall.disarm()
    await hall.until_settled()
    rows = await hall.pool.fetch("select number, stage from settlement_transaction order by 2")
    assert [tuple(row) for row in rows] == [(0, 3), (0, 5)]
    # Whoever has kept the first bytes can do nothing with them any more.
    with pytest.raises(Rejected, match="TRANSACTION_EXPIRED"):
        await hall.rail.node.submit(bytes(old["body"]))
    hall.pass_both(1)
    assert hall.settled_on_chain() == [batch.id]
    assert sent(hall) == 1
    await hall.assert_settled()


async def test_a_place_that_stays_empty_is_filled_so_that_others_go_on(hall: ChainHall) -> None:
    """The first one's approvals end with its bytes; the second waits behind the empty place."""
    await hall.pay()
    first = await hall.close()
    await hall.approve(first)
    hall.pass_both(APPROVALS_SECONDS - 10)
    hall.arm("drop_after_accept", "submit", times=4)
    await hall.sweep(1)
    await hall.pay(minor=50_000)
    second = await hall.close()
    await hall.sweep(2)
    assert len(hall.devnet.node.pool) == 1
    assert hall.settled_on_chain() == []
    await hall.assert_balances()
    hall.pass_both(40)
    await hall.sweep(4)
    assert (await hall.reopened(second)).state is S.SETTLED
    assert (await hall.reopened(first)).state is S.REOPENED
    assert [each.refusal for each in hall.sent_by("submitter_2")] == [None, None]
    await close_the_rest(hall)
    await hall.assert_settled()


async def test_approvals_that_end_while_the_node_is_away_reopen_the_window(
    hall: ChainHall,
) -> None:
    await hall.pay()
    batch = await hall.close()
    await hall.approve(batch)
    hall.arm("error_503", times=None)
    await hall.sweep(2)
    hall.pass_both(APPROVALS_SECONDS + 1)
    await hall.sweep(2)
    assert await hall.states() == [S.APPROVED], "nobody has said that it did not happen"
    hall.disarm()
    await hall.sweep(4)
    assert await hall.states() == [S.REOPENED]
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 0
    await hall.assert_balances()
    await close_the_rest(hall)
    assert batch.id not in hall.settled_on_chain()
    await hall.assert_settled()


# Whose view is old, wrong, or of another time (55).


async def test_a_stale_node_neither_settles_nor_reopens_anything(hall: ChainHall) -> None:
    hall.by_hand()
    await hall.pay()
    batch = await hall.close()
    await hall.sweep(2)
    hall.arm("stale", times=None)
    hall.pass_both(1)  # a block: it happens, and the node does not tell
    assert hall.settled_on_chain() == [batch.id]
    hall.pass_both(APPROVALS_SECONDS)
    await hall.sweep(3)
    rail = hall.another_rail()  # knows nothing of what the first has seen
    await hall.sweep(2, hall.another(rail=rail))
    assert await hall.states() == [S.SUBMITTED]
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == OWED_MINOR
    await hall.assert_balances()
    hall.disarm()
    await hall.until_settled()
    assert await hall.states() == [S.SETTLED]
    assert sent(hall) == 1
    await hall.assert_settled()
    await rail.aclose()


async def test_nodes_that_stand_at_different_heights_undo_nothing(hall: ChainHall) -> None:
    """Behind one address there are several: now and then one answers that is a sweep behind."""
    await hall.pay()
    await hall.close()
    for _ in range(8):
        hall.arm("stale", "find", times=1)
        hall.arm("stale", "view", times=1)
        await hall.sweep(1)
        await hall.assert_balances()
    hall.disarm()
    await hall.until_settled()
    assert sent(hall) == 1
    await hall.assert_settled()


async def test_a_node_of_another_chain_is_told_nothing(hall: ChainHall) -> None:
    await hall.pay()
    await hall.close()
    hall.arm("wrong_chain_id", times=None)
    await hall.sweep(4)
    assert sent(hall) == 0
    assert await hall.states() == [S.CLOSED]
    hall.disarm()
    await hall.until_settled()
    await hall.assert_settled()


async def test_a_clock_that_jumps_over_what_waits_reopens_it(hall: ChainHall) -> None:
    hall.by_hand()
    await hall.pay()
    batch = await hall.close()
    await hall.sweep(2)
    assert len(hall.devnet.node.pool) == 1
    hall.pass_chain(APPROVALS_SECONDS + 100)
    hall.by_hand(by_hand=False)
    await hall.sweep(4)
    assert await hall.states() == [S.REOPENED]
    await close_the_rest(hall)
    assert batch.id not in hall.settled_on_chain()
    await hall.assert_settled()


async def test_a_clock_that_jumps_after_it_happened_changes_nothing(hall: ChainHall) -> None:
    hall.by_hand()
    await hall.pay()
    batch = await hall.close()
    await hall.sweep(2)
    hall.pass_chain(0)
    hall.pass_chain(APPROVALS_SECONDS + 100)
    hall.by_hand(by_hand=False)
    await hall.until_settled()
    assert hall.settled_on_chain() == [batch.id]
    await hall.assert_settled()


@pytest.mark.parametrize("seconds", [600, -600])
async def test_our_own_clock_may_jump_and_nothing_moves_twice(
    hall: ChainHall, seconds: int
) -> None:
    await hall.pay()
    await hall.close()
    hall.arm("drop_after_accept", "submit", times=2)
    await hall.sweep(2)
    hall.clock.pass_(seconds)
    await hall.until_settled()
    hall.clock.pass_(-seconds)
    await hall.sweep(2)
    assert sent(hall) == 1
    await hall.assert_settled()


async def test_windows_close_while_payments_commit_and_each_is_in_one_batch(
    hall: ChainHall,
) -> None:
    async def people_pay() -> None:
        for number in range(25):
            await hall.pay(minor=1_000 + number)
            await hall.pay("mtn_ug", "mpesa_ke", 300 + number)

    paying = asyncio.gather(*(people_pay() for _ in range(3)))
    while not paying.done():
        await hall.room.settling.sweep()
        await hall.room.closing.close_now(PAIR)
    await paying
    await hall.room.settling.sweep()
    await hall.room.closing.close_now(PAIR)
    await hall.until_settled(sweeps=30)
    batches = await hall.batches()
    assert len(batches) > 2
    assert sum(batch.payment_count for batch in batches) == 150
    await hall.assert_settled()


# What is left after netting (56).


async def test_a_net_of_zero_moves_nothing_and_is_on_record(hall: ChainHall) -> None:
    payment = await hall.pay(minor=27_027)
    await hall.pay("mtn_ug", "mpesa_ke", 7_750)
    batch = await hall.close()
    assert batch.net_minor == 0
    await hall.until_settled()
    assert hall.settled_on_chain() == [batch.id]
    for operator in ("mpesa_ke", "mtn_ug"):
        held = await hall.held_by_rail(operator)
        assert held == PROVIDED_MINOR * len([p for p in hall.pools if p.operator == operator])
    assert (await proven(hall, payment)).holds
    await hall.assert_settled()


async def test_the_net_turns_round_while_the_first_batch_is_on_its_way(hall: ChainHall) -> None:
    hall.by_hand()
    await hall.pay()
    first = await hall.close()
    await hall.sweep(2)
    await hall.pay("mtn_ug", "mpesa_ke", 100_000)
    second = await hall.close()
    await hall.sweep(2)
    assert first.debits[0] > 0 == first.debits[1]
    assert second.debits[1] > 0 == second.debits[0]
    assert len(hall.devnet.node.pool) == 2
    await hall.assert_balances()
    hall.by_hand(by_hand=False)
    await hall.until_settled()
    assert hall.settled_on_chain() == [first.id, second.id]
    await hall.assert_settled()


async def test_the_net_turns_round_when_what_was_pending_is_reopened(hall: ChainHall) -> None:
    await hall.pay()
    first = await hall.close()
    hall.arm("drop_after_accept", "submit", times=None)
    await hall.sweep(3)
    await hall.pay("mtn_ug", "mpesa_ke", 100_000)
    hall.pass_both(APPROVALS_SECONDS + 1)
    hall.disarm()
    await hall.sweep(4)
    assert (await hall.reopened(first)).state is S.REOPENED
    second = await hall.close()
    assert (second.payment_count, second.debits[0]) == (2, 0)
    assert second.debits[1] == 27_027_000 - OWED_MINOR
    await hall.until_settled()
    assert hall.settled_on_chain() == [second.id]
    await hall.assert_settled()


# What the chain refuses.


class Hindrance(NamedTuple):
    """What somebody does to the chain, how it is undone, and what the chain then says."""

    refusal: Refusal
    begin: Callable[[ChainHall], Awaitable[None]]
    end: Callable[[ChainHall], Awaitable[None]]


HINDRANCES = [
    Hindrance(Refusal.PAUSED, lambda h: h.pause(paused=True), lambda h: h.pause(paused=False)),
    Hindrance(
        Refusal.FROZEN, lambda h: h.freeze("mpesa_ke", frozen=True),
        lambda h: h.freeze("mpesa_ke", frozen=False),
    ),
    Hindrance(
        Refusal.BARRED, lambda h: h.bar("mtn_ug", barred=True),
        lambda h: h.bar("mtn_ug", barred=False),
    ),
    Hindrance(
        Refusal.SHORT, lambda h: h.empty_pool("mpesa_ke"),
        lambda h: h.fill_pool("mpesa_ke", 500_000_000),
    ),
]  # fmt: skip
each_hindrance = pytest.mark.parametrize("hindrance", HINDRANCES, ids=lambda h: h.refusal.value)


@each_hindrance
async def test_a_hindrance_that_passes_in_time_settles_the_same_batch(
    hall: ChainHall, hindrance: Hindrance
) -> None:
    await hall.pay()
    batch = await hall.close()
    await hindrance.begin(hall)
    await hall.sweep(4)
    assert (await hall.reopened(batch)).reason == hindrance.refusal.value
    assert sent(hall) == 0, "a trial told, and no fee was paid"
    await hall.assert_balances()
    await hindrance.end(hall)
    hall.pass_both(AGAIN_SECONDS)
    await hall.until_settled()
    assert hall.settled_on_chain() == [batch.id]
    await hall.assert_settled()


@each_hindrance
async def test_a_hindrance_that_lasts_reopens_and_the_next_batch_carries_it_on(
    hall: ChainHall, hindrance: Hindrance
) -> None:
    await hall.pay()
    batch = await hall.close()
    await hindrance.begin(hall)
    await hall.sweep(4)
    hall.pass_both(APPROVALS_SECONDS + 1)
    await hall.sweep(4)
    assert await hall.states() == [S.REOPENED]
    assert (await hall.reopened(batch)).reason == hindrance.refusal.value
    await hall.assert_balances()
    await hindrance.end(hall)
    await close_the_rest(hall)
    assert await hall.states() == [S.REOPENED, S.SETTLED]
    assert batch.id not in hall.settled_on_chain()
    await hall.assert_settled()


@each_hindrance
async def test_what_is_refused_after_its_trial_has_used_its_place_and_moved_nothing(
    hall: ChainHall, hindrance: Hindrance
) -> None:
    """The node loses the first hand-in; until the second the chain has changed."""
    await hall.pay()
    batch = await hall.close()
    hall.arm("drop_after_accept", "submit")
    await hall.sweep(1)
    await hindrance.begin(hall)
    await hall.sweep(2)
    assert (await hall.reopened(batch)).reason == hindrance.refusal.value
    [refused] = hall.sent_by(hall.rail.account_for(await hall.approved(batch)))
    assert refused.refusal is not None
    await hall.assert_balances()
    await hindrance.end(hall)
    hall.pass_both(AGAIN_SECONDS)
    await hall.until_settled()
    assert hall.settled_on_chain() == [batch.id]
    assert sent(hall) == 2
    await hall.assert_settled()


# Batches that are not what was approved.


async def test_two_who_approve_and_send_at_once_settle_once(hall: ChainHall) -> None:
    rails = [hall.another_rail() for _ in range(3)]
    rooms = [hall.another(rail=rail) for rail in rails]
    for minor in (100_000, 60_000):
        await hall.pay(minor=minor)
        await hall.close()
    for _ in range(4):
        await asyncio.gather(*(room.settling.sweep() for room in rooms))
    await hall.until_settled()
    assert await hall.states() == [S.SETTLED] * 2
    assert sent(hall) == 2
    assert await hall.pool.fetchval("select count(*) from settlement_approval") == 2 * 3
    await hall.assert_settled()
    for rail in rails:
        await rail.aclose()


async def test_the_same_batch_under_another_number_is_refused_and_moves_nothing(
    hall: ChainHall,
) -> None:
    await hall.pay()
    batch = await hall.close()
    await hall.until_settled()
    settlement = await hall.approved(batch)
    for _ in range(2):
        assert await hall.hand_in(settlement) is Refusal.DONE_BEFORE
    assert hall.settled_on_chain() == [batch.id]
    await hall.assert_settled()


async def test_terms_and_approvals_that_do_not_fit_are_refused_and_move_nothing(
    hall: ChainHall,
) -> None:
    await hall.pay()
    batch = await hall.close()
    hall.arm("drop_after_accept", "submit", times=None)
    await hall.sweep(1)
    hall.disarm()
    good = await hall.approved(batch)
    first, second = good.approvals
    terms = good.terms
    other = msgspec.structs.replace
    bad = {
        Refusal.TERMS: [
            other(good, terms=other(terms, debits=(OWED_MINOR + 1, 0))),
            other(good, terms=other(terms, payment_count=0)),
        ],
        Refusal.APPROVALS: [
            other(good, terms=other(terms, debits=(1, 0), credits=(0, 1))),
            other(good, terms=other(terms, merkle_root=bytes(32))),
            other(good, terms=other(terms, expires_at=terms.expires_at + 1)),
            other(good, approvals=(first,)),
            other(good, approvals=(first, first)),
            other(good, approvals=(first, Approval(second.index, first.signature))),
            other(good, approvals=(first, Approval(9, second.signature))),
        ],
    }
    for refusal, settlements in bad.items():
        for settlement in settlements:
            assert await hall.hand_in(settlement) is refusal
            assert hall.settled_on_chain() == []
    hall.pass_chain(APPROVALS_SECONDS + 1)
    assert await hall.hand_in(good) is Refusal.APPROVALS, "they are past"
    await hall.sweep(4)
    assert await hall.states() == [S.REOPENED]
    await close_the_rest(hall)
    await hall.assert_settled()


class Forger:
    """Whoever keeps our keys, and signs with another one, or something else."""

    def __init__(self, keys: SignerPort, forge: Callable[[str, bytes], tuple[str, bytes]]) -> None:
        self._keys = keys
        self._forge = forge

    async def public_key(self, name: str) -> bytes:
        return await self._keys.public_key(name)

    async def sign(self, name: str, message: bytes) -> bytes:
        return await self._keys.sign(*self._forge(name, message))

    async def aclose(self) -> None:
        await self._keys.aclose()


FORGERIES: dict[str, Callable[[str, bytes], tuple[str, bytes]]] = {
    "another hash": lambda name, message: (name, bytes(32)),
    "another key": lambda name, message: ("sponsor", message),
    "one key for all": lambda name, message: ("approver_house", message),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
async def test_approvals_that_are_for_something_else_reopen_and_good_ones_settle(
    hall: ChainHall, forge: Callable[[str, bytes], tuple[str, bytes]]
) -> None:
    await hall.pay()
    batch = await hall.close()
    await hall.sweep(3, hall.another(signer=Forger(hall.keys, forge)))
    assert (await hall.reopened(batch)).reason == Refusal.APPROVALS.value
    assert len(await hall.cases()) == 1
    await hall.assert_balances()
    hall.pass_both(APPROVALS_SECONDS + 1)
    await hall.sweep(4)
    assert await hall.states() == [S.REOPENED]
    await close_the_rest(hall)
    assert batch.id not in hall.settled_on_chain()
    await hall.assert_settled()


def signed_elsewhere(rules: Rules) -> Rules:
    """The first approver's key is ours; the two others sign at their own place."""
    corridors = tuple(
        msgspec.structs.replace(c, approvers=(c.approvers[0], None, None)) for c in rules.corridors
    )
    return msgspec.structs.replace(rules, corridors=corridors)


async def test_an_operators_own_approval_is_taken_once_and_nobody_elses(
    database_url: str, made: Path, tmp_path: Path
) -> None:
    async with open_chain_hall(database_url, made, tmp_path, given=signed_elsewhere) as hall:
        await hall.pay()
        batch = await hall.close()
        await hall.sweep(1)
        asked = (await hall.reopened(batch)).terms_hash
        assert asked is not None
        add = partial(hall.room.approving.add_by_hand, batch.id, 1, by="an operator")
        for key, message in (("approver_mtn_ug", bytes(32)), ("approver_mpesa_ke", asked)):
            with pytest.raises(StaffMistake):
                await add(await hall.keys.sign(key, message))
        good = await hall.keys.sign("approver_mtn_ug", asked)
        for _ in range(2):  # and again, as people do
            await add(good)
        await hall.until_settled()
        assert hall.settled_on_chain() == [batch.id]
        with pytest.raises(StaffMistake):
            await add(good)
        await hall.assert_settled()


async def test_a_stored_batch_that_was_changed_is_parked_until_it_is_mended(
    hall: ChainHall,
) -> None:
    await hall.pay()
    batch = await hall.close()
    hall.arm("error_503", times=None)
    await hall.sweep(1)  # it is in the books, and nobody has been asked to approve it
    hall.disarm()
    await change_debit(hall, batch.id, OWED_MINOR + 1)
    await hall.sweep(3)
    assert await hall.states() == [S.PARKED]
    assert sent(hall) == 0
    assert await hall.pool.fetchval("select count(*) from settlement_approval") == 0
    await change_debit(hall, batch.id, OWED_MINOR)
    await hall.assert_balances()
    await hall.room.settling.take_up_again(batch.id)
    await hall.until_settled()
    assert hall.settled_on_chain() == [batch.id]
    await hall.assert_settled()


async def change_debit(hall: ChainHall, batch_id: str, minor: int) -> None:
    await hall.pool.execute(
        "update settlement_batch set debits[1] = $2 where id = $1", batch_id, minor
    )


@pytest.mark.parametrize("later", [0, APPROVALS_SECONDS + 1], ids=["at once", "too late"])
async def test_books_that_have_forgotten_what_they_sent_read_the_chains_record(
    hall: ChainHall, later: int
) -> None:
    """As after a backup: the batch is approved, and nothing is known of a transaction."""
    hall.by_hand()
    await hall.pay()
    batch = await hall.close()
    await hall.sweep(2)
    hall.by_hand(by_hand=False)
    hall.pass_chain(0)
    await forget(hall)
    await hall.assert_balances()
    hall.pass_both(later)
    await hall.until_settled()
    assert hall.settled_on_chain() == [batch.id]
    assert sent(hall) == 1
    await hall.assert_settled()


async def forget(hall: ChainHall) -> None:
    """The one batch is approved, and whatever was sent for it is known to nobody."""
    for table in ("settlement_transaction", "settlement_errand"):
        await Owner(hall.pool).execute(f"delete from {table}")
    await hall.pool.execute("update settlement_batch set state = 3")


async def test_a_record_that_a_stale_node_does_not_show_reopens_nothing(hall: ChainHall) -> None:
    """Behind one address: who tells the time is up to date, who shows the record is not."""
    hall.by_hand()
    await hall.pay()
    batch = await hall.close()
    await hall.sweep(2)
    hall.arm("stale", "view", times=None)
    hall.by_hand(by_hand=False)
    hall.pass_chain(0)
    await forget(hall)
    hall.pass_both(APPROVALS_SECONDS + 1)
    await hall.sweep(3)
    assert await hall.states() == [S.APPROVED]
    await hall.assert_balances()
    hall.disarm()
    await hall.until_settled()
    assert hall.settled_on_chain() == [batch.id]
    await hall.assert_settled()


# Our accounts.


async def test_without_apt_a_batch_waits_and_goes_on_when_somebody_pays(hall: ChainHall) -> None:
    await hall.pay()
    batch = await hall.close()
    await hall.drain_sponsor()
    await hall.sweep(4)
    assert (await hall.reopened(batch)).reason == Refusal.FEE.value
    assert sent(hall) == 0
    await hall.fund_sponsor()
    hall.pass_both(AGAIN_SECONDS)
    await hall.until_settled()
    assert hall.settled_on_chain() == [batch.id]
    await hall.assert_settled()


async def test_a_sponsor_that_runs_dry_after_the_trial_is_heard_of_and_nothing_is_signed_anew(
    hall: ChainHall,
) -> None:
    await hall.pay()
    await hall.close()
    hall.arm("drop_after_accept", "submit")
    await hall.sweep(1)
    await hall.drain_sponsor()
    await hall.sweep(3)
    [case] = await hall.cases()
    assert "cannot send" in case
    assert await hall.states() == [S.SUBMITTED]
    await hall.fund_sponsor()
    await hall.until_settled()
    assert await hall.pool.fetchval("select count(*) from settlement_transaction") == 1
    await hall.assert_settled()


async def use_number(hall: ChainHall, account: str) -> None:
    """Somebody who has that key sends something of no interest."""
    who = hall.key(account).address()
    nothing = Argument(0, Serializer.u64)
    await hall.carry_out(account, "0x1::aptos_account", "transfer", address(who), nothing)


async def test_somebody_else_who_sends_from_our_account_is_noticed_and_stops_nothing(
    hall: ChainHall,
) -> None:
    await hall.pay()
    first = await hall.close()
    await hall.until_settled()
    await use_number(hall, hall.rail.account_for(await hall.approved(first)))
    await hall.pay()
    await close_the_rest(hall)
    assert await hall.states() == [S.SETTLED] * 2
    assert any("somebody else sends" in case for case in await hall.cases())
    await hall.assert_settled()


async def test_a_number_that_somebody_else_took_is_given_up_only_when_ours_has_expired(
    hall: ChainHall,
) -> None:
    await hall.pay()
    batch = await hall.close()
    hall.arm("drop_after_accept", "submit")
    await hall.sweep(1)
    await use_number(hall, hall.rail.account_for(await hall.approved(batch)))
    await hall.sweep(3)
    assert await hall.states() == [S.SUBMITTED]
    assert hall.settled_on_chain() == []
    hall.pass_both(EXPIRES_SECONDS + 1)
    await hall.until_settled()
    rows = await hall.pool.fetch("select number, stage from settlement_transaction order by 1")
    assert [tuple(row) for row in rows] == [(0, 5), (1, 3)]
    await hall.assert_settled()


# A process that dies.


class Died(BaseException):
    """The process is no more: nothing of it catches that."""


class Mortal(httpx.AsyncBaseTransport):
    """The way to the node, which the process does not survive: before a question leaves, while the
    answer is awaited, or as it arrives. Each is one of the places that are counted."""

    def __init__(self, at: int) -> None:
        self._inner = Transport()
        self._left = at

    @property
    def has_died(self) -> bool:
        return self._left <= 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._step()
        asking = asyncio.ensure_future(self._inner.handle_async_request(request))
        try:
            await asyncio.sleep(0)
            self._step()
        except Died:
            asking.cancel()
            raise
        response = await asking
        self._step()
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _step(self) -> None:
        self._left -= 1
        if self._left <= 0:
            raise Died


async def die_at(hall: ChainHall, at: int, sweeps: int) -> bool:
    """One life of a process that dies at that place; whether it came so far."""
    way = Mortal(at)
    rail = hall.another_rail(transport=way)
    room = hall.another(rail=rail)
    try:
        for _ in range(sweeps):
            await room.settling.sweep()
    except Died:
        pass
    finally:
        await way.aclose()
    return way.has_died


@pytest.mark.parametrize("faults", [[], [("lose_answer", "submit", 1)]], ids=["well", "lost"])
async def test_whoever_dies_between_two_bytes_of_the_way_leaves_what_another_finishes(
    hall: ChainHall, faults: list[Armed]
) -> None:
    """With `EVERY_STEP=1` in the environment at each place, else at every seventh."""
    stride = 1 if "EVERY_STEP" in os.environ else 7
    deaths = 0
    for at in range(1, 1000, stride):
        await hall.pay(minor=10_000 + at)
        await hall.close()
        for fault in faults:
            hall.arm(*fault)
        died = await die_at(hall, at, sweeps=3)
        hall.disarm()
        deaths += died
        await hall.assert_balances()
        hall.pass_both(LEASE_SECONDS)
        await hall.until_settled()
        if not died:
            break
    assert deaths >= 35 // stride
    assert set(await hall.states()) == {S.SETTLED}
    assert sent(hall) == len(await hall.batches())
    await hall.assert_settled()


# Disputes.


async def dispute(hall: ChainHall, payment: str, minor: int) -> bytes:
    """Opened by who collected, and on the chain."""
    told = await hall.room.disputes.open(payment, "mpesa_ke", minor, by="staff")
    await hall.sweep(2)
    assert await stage(hall, told) is DisputeStage.OPEN
    return told


async def stage(hall: ChainHall, told: bytes) -> DisputeStage:
    stored = await hall.pool.fetchval(
        "select stage from settlement_dispute where dispute = $1", told
    )
    return DisputeStage(stored)


async def settle_two(hall: ChainHall) -> list[str]:
    payments = [await hall.pay(), await hall.pay(minor=40_000)]
    await hall.close()
    await hall.until_settled()
    return payments


async def proven(hall: ChainHall, payment: str) -> Verdict:
    receipt = await hall.room.receipts.of(payment, {})
    assert receipt is not None
    return await verify(receipt, hall.rail)


async def test_a_contested_dispute_is_ruled_and_refunded_once_through_lost_answers(
    hall: ChainHall,
) -> None:
    payment, _ = await settle_two(hall)
    before = await hall.held_by_rail("mpesa_ke")
    hall.arm("lose_answer", "submit")
    told = await dispute(hall, payment, 5_000_000)
    assert [pool.held_minor for pool in await hall.rail.pools(PAIR)] == [0, 5_000_000]
    hall.arm("lose_answer", "submit")
    hall.arm("duplicate", "submit")
    await hall.room.disputes.answer(told, accepts=False, evidence_hash=b"e" * 32)
    await hall.sweep(3)
    assert await stage(hall, told) is DisputeStage.CONTESTED
    hall.arm("error_500_after", "submit")
    await hall.room.disputes.rule(told, 3_000_000)
    await hall.sweep(3)
    assert await stage(hall, told) is DisputeStage.RULED
    await hall.assert_balances()
    hall.arm("lose_answer", "submit")
    await hall.room.disputes.refund(told)
    await hall.sweep(4)
    assert await stage(hall, told) is DisputeStage.CLOSED
    assert await hall.held_by_rail("mpesa_ke") == before + 3_000_000
    assert [pool.held_minor for pool in await hall.rail.pools(PAIR)] == [0, 0]
    with pytest.raises(StaffMistake):
        await hall.room.disputes.refund(told)
    await hall.sweep(2)
    assert (await proven(hall, payment)).holds, "what was settled stays so"
    await hall.assert_settled()


async def test_a_dispute_that_is_accepted_gives_all_of_it_back(hall: ChainHall) -> None:
    payment, _ = await settle_two(hall)
    before = await hall.held_by_rail("mtn_ug")
    told = await dispute(hall, payment, OWED_MINOR)
    await hall.room.disputes.answer(told, accepts=True, evidence_hash=bytes(32))
    await hall.sweep(2)
    await hall.room.disputes.refund(told)
    await hall.sweep(3)
    assert await stage(hall, told) is DisputeStage.CLOSED
    assert await hall.held_by_rail("mtn_ug") == before - OWED_MINOR
    await hall.assert_settled()


async def test_who_does_not_answer_is_ruled_about_only_after_its_time(hall: ChainHall) -> None:
    payment, _ = await settle_two(hall)
    told = await dispute(hall, payment, 1_000_000)
    await hall.room.disputes.rule(told, 1_000_000)
    await hall.sweep(3)
    assert await stage(hall, told) is DisputeStage.OPEN
    hall.pass_both(86_401)
    await hall.room.disputes.rule(told, 0)
    await hall.sweep(3)
    assert await stage(hall, told) is DisputeStage.RULED
    await hall.room.disputes.refund(told)
    await hall.sweep(3)
    assert await stage(hall, told) is DisputeStage.CLOSED
    await hall.assert_settled()


async def test_a_dispute_that_comes_too_late_is_refused_and_reserves_nothing(
    hall: ChainHall,
) -> None:
    payment, _ = await settle_two(hall)
    hall.pass_both(259_201)
    told = await hall.room.disputes.open(payment, "mpesa_ke", 5, by="staff")
    await hall.sweep(3)
    assert await stage(hall, told) is DisputeStage.REFUSED
    assert [pool.held_minor for pool in await hall.rail.pools(PAIR)] == [0, 0]
    await hall.assert_settled()


# All of it.


@pytest.mark.parametrize("seed", range(3))
async def test_a_storm_of_all_this_ends_settled_with_the_books_equal_to_the_chain(
    hall: ChainHall, seed: int
) -> None:
    random = Random(seed)
    rail = hall.another_rail()
    rooms = [hall.room, hall.another(rail=rail)]
    ended = None
    for _ in range(14):
        await hall.pay(minor=random.randrange(1_000, 90_000))
        await hall.pay("mtn_ug", "mpesa_ke", random.randrange(100, 20_000))
        if random.random() < 0.4:
            await rooms[0].settling.sweep()
            await rooms[0].closing.close_now(PAIR)
        for fault, on, times in random.choice(list(FAULTS.values())):
            hall.arm(fault, on, times)
        if ended is None and random.random() < 0.3:
            hindrance = random.choice(HINDRANCES[:3])
            hall.disarm()
            await hindrance.begin(hall)
            ended = hindrance.end
        elif ended is not None and random.random() < 0.5:
            hall.disarm()
            await ended(hall)
            ended = None
        await asyncio.gather(*(room.settling.sweep() for room in rooms))
        hall.pass_both(random.choice([0, 1, 30, EXPIRES_SECONDS + 1, APPROVALS_SECONDS + 1]))
        await hall.assert_balances()
    hall.disarm()
    if ended is not None:
        await ended(hall)
    await calm_down(hall)
    await hall.assert_settled()
    assert set(await hall.states()) <= {S.SETTLED, S.REOPENED}
    await rail.aclose()


async def calm_down(hall: ChainHall) -> None:
    """Time passes, and windows are closed until nothing waits any more."""
    for _ in range(40):
        await hall.room.settling.sweep()
        await hall.room.closing.close_now(PAIR)
        hall.pass_both(LEASE_SECONDS)
        if await hall.is_settled():
            return
    raise AssertionError(await hall.states())


# The same on the contracts' own virtual machine.


def move_vm() -> Executor:
    return open_executor("move")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made_by_move(tmp_path_factory: pytest.TempPathFactory) -> Path:
    opened_or_skipped(move_vm)
    return await make_chain(tmp_path_factory.mktemp("move"), move_vm)


async def test_the_contracts_themselves_settle_refuse_and_refund_the_same(
    database_url: str, made_by_move: Path, tmp_path: Path
) -> None:
    async with open_chain_hall(database_url, made_by_move, tmp_path, open_=move_vm) as hall:
        payment = await hall.pay()
        await hall.pay("mtn_ug", "mpesa_ke", 2_000)
        batch = await hall.close()
        await hall.pause(paused=True)
        await hall.sweep(3)
        assert (await hall.reopened(batch)).reason == Refusal.PAUSED.value
        await hall.pause(paused=False)
        hall.pass_both(AGAIN_SECONDS)
        hall.arm("lose_answer", "submit")
        await hall.until_settled()
        assert hall.settled_on_chain() == [batch.id]
        assert await hall.hand_in(await hall.approved(batch)) is Refusal.DONE_BEFORE
        assert (await proven(hall, payment)).holds
        told = await dispute(hall, payment, 1_000_000)
        await hall.room.disputes.answer(told, accepts=True, evidence_hash=bytes(32))
        await hall.sweep(2)
        await hall.room.disputes.refund(told)
        await hall.sweep(3)
        assert await stage(hall, told) is DisputeStage.CLOSED
        await hall.assert_settled()

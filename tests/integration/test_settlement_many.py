"""A hundred of one account on their way at once, without a gap, whatever becomes of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from engine.errors import Unreachable
from engine.payments.settlement.closing import BATCHES_MAX
from engine.payments.settlement.rules import Rules
from engine.payments.settlement.state import BatchState
from engine.payments.settlement.submitting import AT_ONCE
from engine.ports import Found, Instruction, Prepared, Slot
from tests.integration.devnet_room import EXPIRES_SECONDS, make_chain, open_chain_hall
from tests.integration.settlement_rail import MemoryRail
from tests.integration.settlement_room import Hall, open_hall, rules

pytestmark = pytest.mark.long("hundreds of batches under way; test_settlement.py settles a few")

MANY = 130
IN_FLIGHT = 100
A_BLOCK = 40
S = BatchState


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[Hall]:
    """Every payment is settled on its own."""
    async with open_hall(shared_database_url, given=rules(single_above_minor=1)) as opened:
        yield opened


async def closed(hall: Hall, count: int = MANY) -> None:
    """So many batches wait for the rail, which was away."""
    for _ in range(count):
        await hall.pay()
    hall.rail.is_away = True
    await hall.sweep(-(-count // BATCHES_MAX))
    hall.rail.is_away = False
    assert len(await hall.states()) == count


def waiting(rail: MemoryRail) -> list[int]:
    return sorted(number for _, number in rail.waiting)


async def test_as_many_go_out_as_the_rail_takes_and_the_next_as_places_come_free(
    hall: Hall,
) -> None:
    hall.rail.decides = False
    await closed(hall)
    await hall.sweep(3)
    assert waiting(hall.rail) == list(range(IN_FLIGHT)), "neither a hole nor one too many"
    assert len(hall.rail.sent) >= IN_FLIGHT
    hall.rail.decides = True
    await hall.sweep(1)  # the hundred are decided, and the rest goes out in the same sweep
    assert hall.rail.numbers["submitter"] == MANY
    await hall.sweep(1)
    assert Counter(await hall.states()) == {S.SETTLED: MANY}
    await hall.assert_settled()


async def test_one_question_tells_of_all_that_were_decided(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, find = Counter[bytes](), hall.rail.find

    async def counted(prepared: Prepared) -> Found:
        asked[prepared.hash] += 1
        return await find(prepared)

    monkeypatch.setattr(hall.rail, "find", counted)
    hall.rail.decides = False
    await closed(hall, 60)
    await hall.sweep(1)
    hall.rail.decides = True
    asked.clear()
    await hall.sweep(1)
    assert Counter(await hall.states()) == {S.SETTLED: 60}
    assert asked.total() <= 1, "asked about each alone"


async def test_a_rail_that_forgot_its_order_still_knows_every_hash(hall: Hall) -> None:
    hall.rail.decides, hall.rail.forgets_order = False, True
    await closed(hall, 20)
    await hall.sweep(1)
    hall.rail.decides = True
    await hall.sweep(2)
    assert Counter(await hall.states()) == {S.SETTLED: 20}
    await hall.assert_settled()


@pytest.mark.parametrize("fault", ["lost", "dropped", "forgotten", "unreachable", "refused"])
async def test_what_some_meet_on_their_way_leaves_no_hole(hall: Hall, fault: str) -> None:
    await closed(hall, 40)
    hall.rail.faults = ["", "", fault, "", fault, fault]
    for _ in range(6):
        await hall.sweep(1)
        hall.rail.pass_(1)
    assert Counter(await hall.states()) == {S.SETTLED: 40}
    assert hall.rail.numbers["submitter"] == 40, "nothing was signed for a second place"
    await hall.assert_settled()


async def test_one_lost_answer_does_not_stop_the_waiting_for_all(hall: Hall) -> None:
    await closed(hall, 20)
    hall.rail.faults = ["", "", "lost"]
    await hall.sweep(1)
    assert Counter(await hall.states()) == {S.SETTLED: 20}


async def test_the_place_of_one_that_nobody_signed_goes_to_another(hall: Hall) -> None:
    await closed(hall, 30)
    hall.rail.unsigned = 3
    await hall.sweep(1)
    assert hall.rail.numbers["submitter"] < 30
    await hall.sweep(3)
    assert Counter(await hall.states()) == {S.SETTLED: 30}
    assert hall.rail.numbers["submitter"] == 30
    await hall.assert_settled()


async def test_what_is_lost_until_it_expires_is_signed_anew_for_the_same_places(
    hall: Hall,
) -> None:
    await closed(hall, 30)
    hall.rail.faults = ["forgotten"] * 60
    await hall.sweep(2)
    hall.rail.faults = []
    hall.rail.pass_(EXPIRES_SECONDS + 1)
    await hall.sweep(4)
    assert Counter(await hall.states()) == {S.SETTLED: 30}
    assert hall.rail.numbers["submitter"] == 30
    await hall.assert_settled()


async def test_two_processes_never_have_more_on_their_way_than_the_rail_takes(
    hall: Hall,
) -> None:
    hall.rail.decides = False
    await closed(hall)
    another = hall.another()
    await hall.sweep(1)
    await asyncio.gather(*[room.settling.sweep() for room in (hall.room, another) * 2])
    assert waiting(hall.rail) == list(range(IN_FLIGHT))
    hall.rail.decides = True
    for room in (another, hall.room, another):
        await room.settling.sweep()
    assert Counter(await hall.states()) == {S.SETTLED: MANY}
    await hall.assert_settled()


async def test_two_sweeps_of_one_process_keep_out_of_each_others_way(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()
    signed_for, prepare = list[int](), hall.rail.prepare

    async def held_up(instruction: Instruction, slot: Slot, *, units_max: int) -> Prepared:
        signed_for.append(slot.sequence_number)
        entered.set()
        await go_on.wait()
        return await prepare(instruction, slot, units_max=units_max)

    await closed(hall, 5)
    monkeypatch.setattr(hall.rail, "prepare", held_up)
    first = asyncio.create_task(hall.room.settling.sweep())
    await entered.wait()
    await asyncio.wait_for(hall.room.settling.sweep(), timeout=60)
    go_on.set()
    await first
    assert sorted(signed_for) == list(range(5)), "no place was given up while it was signed for"
    await hall.sweep(1)
    assert Counter(await hall.states()) == {S.SETTLED: 5}


async def test_no_more_are_signed_at_a_time_than_the_node_has_connections_for(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, most, prepare = 0, 0, hall.rail.prepare

    async def slowly(instruction: Instruction, slot: Slot, *, units_max: int) -> Prepared:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return await prepare(instruction, slot, units_max=units_max)

    monkeypatch.setattr(hall.rail, "prepare", slowly)
    await closed(hall, 50)
    await hall.sweep(2)
    assert 2 <= most <= AT_ONCE
    assert Counter(await hall.states()) == {S.SETTLED: 50}


async def test_whoever_fails_in_the_middle_leaves_the_account_to_others_at_once(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(account: str) -> int:
        raise Unreachable("memory", "no route")

    await closed(hall, 5)
    monkeypatch.setattr(hall.rail, "next_sequence_number", away)
    await hall.sweep(1)
    monkeypatch.undo()
    assert hall.rail.sent == []
    await hall.another().settling.sweep()  # no clock has moved
    assert Counter(await hall.states()) == {S.SETTLED: 5}


async def test_a_node_has_a_hundred_of_an_account_at_once_without_a_gap(
    database_url: str, tmp_path: Path
) -> None:
    made = await make_chain(tmp_path / "made")

    def each_alone(told: Rules) -> Rules:
        window = msgspec.structs.replace(told.window, single_above_minor=1)
        return msgspec.structs.replace(told, window=window)

    async with open_chain_hall(database_url, made, tmp_path, given=each_alone) as hall:
        for _ in range(MANY):
            await hall.pay(minor=10_000)  # the pool holds enough for all
        hall.by_hand()
        await hall.sweep(9)
        pool, account = hall.devnet.node.pool, "submitter_2"
        assert len(pool) == IN_FLIGHT
        node = hall.devnet.node
        # A block is full when its time is over; here it holds a number, however fast the machine.
        node.settings = msgspec.structs.replace(
            node.settings, block_transactions_max=A_BLOCK, block_work_milliseconds=60_000
        )
        hall.pass_chain(1)
        assert len(hall.sent_by(account)) == A_BLOCK
        await hall.sweep(1)
        assert len(pool) == MANY - A_BLOCK, "what came free is taken again"
        hall.by_hand(by_hand=False)
        await hall.until_settled()
        numbers = [each.signed.raw.sequence_number for each in hall.sent_by(account)]
        assert numbers == list(range(MANY))
        assert Counter(await hall.states()) == {S.SETTLED: MANY}
        await hall.assert_settled()

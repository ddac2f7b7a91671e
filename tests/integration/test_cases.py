"""Cases: listed with age, looked after by somebody, closed by one or by two."""

from collections.abc import AsyncIterator

import pytest

from engine.desk.cases import LOW_WATER, CaseKey, read_key
from engine.desk.proposals import Kind, State
from engine.errors import AlreadyDecided, StaffMistake
from tests.integration.desk_room import ASHA, BABU, CHEP, Room, open_room

CONFLICT = CaseKey("a" * 32, "CONFLICT", "b" * 32)
LOW = CaseKey("c" * 32, LOW_WATER, "d" * 32)


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[Room]:
    async with open_room(database_url) as opened:
        yield opened


async def test_open_cases_come_oldest_first_with_their_age(room: Room) -> None:
    cases = room.office.cases
    assert await cases.open(CONFLICT, "two truths")
    room.clock.pass_(90)
    assert await cases.open(LOW, "too little")
    assert not await cases.open(LOW, "too little")
    now_ms = int(room.clock.epoch() * 1000)
    found = [(c.key, c.age_seconds(now_ms)) for c in await cases.open_cases()]
    assert found == [(CONFLICT, 90), (LOW, 0)]
    assert [c.key for c in await cases.open_cases(kind=LOW_WATER)] == [LOW]
    assert read_key(str(CONFLICT)) == CONFLICT


async def test_one_person_closes_what_no_money_hangs_on(room: Room) -> None:
    cases = room.office.cases
    await cases.open(LOW, "too little")
    with pytest.raises(StaffMistake):
        await cases.close(LOW, by=ASHA, note=" ")
    closed = await cases.close(LOW, by=ASHA, note="topped up")
    assert (closed.closed_by, closed.note) == (ASHA, "topped up")
    assert await cases.close(LOW, by=ASHA, note="topped up") == closed
    with pytest.raises(AlreadyDecided):
        await cases.close(LOW, by=BABU, note="not needed")
    with pytest.raises(AlreadyDecided):  # what they write now would be nowhere
        await cases.close(LOW, by=ASHA, note="not needed")
    with pytest.raises(AlreadyDecided):
        await cases.close(LOW, by=BABU, note="topped up")
    assert await cases.open_cases() == []


async def test_where_money_is_at_stake_two_people_close_a_case(room: Room) -> None:
    cases = room.office.cases
    await cases.open(CONFLICT, "two truths")
    with pytest.raises(StaffMistake, match="CLOSE_CASE"):
        await cases.close(CONFLICT, by=ASHA, note="it was the network")
    proposal = await room.propose(Kind.CLOSE_CASE, case=str(CONFLICT))
    assert len(await cases.open_cases()) == 1
    done = await room.office.desk.approve(proposal.id, by=BABU)
    assert done.state is State.DONE
    row = await room.pool.fetchrow("select * from case_file")
    assert (row["closed_by"], row["note"], row["proposal"].hex) == (ASHA, "because", proposal.id)


async def test_a_kind_nobody_has_heard_of_needs_two(room: Room) -> None:
    unheard = CONFLICT._replace(kind="SOMETHING_NEW")
    await room.office.cases.open(unheard, "what is this")
    with pytest.raises(StaffMistake):
        await room.office.cases.close(unheard, by=ASHA, note="nothing")


async def test_a_case_closed_by_others_meanwhile_fails_the_proposal(room: Room) -> None:
    await room.office.cases.open(CONFLICT, "two truths")
    proposals = [await room.propose(Kind.CLOSE_CASE, by=by, case=str(CONFLICT))
                 for by in (ASHA, CHEP)]  # fmt: skip
    states = [(await room.office.desk.approve(p.id, by=BABU)).state for p in proposals]
    assert states == [State.DONE, State.FAILED]


async def test_somebody_looks_after_a_case_until_it_is_closed(room: Room) -> None:
    cases = room.office.cases
    await cases.open(LOW, "too little")
    taken = await cases.take(LOW, owner=CHEP, due_ms=5)
    assert (taken.owner, taken.due_ms) == (CHEP, 5)
    assert (await cases.take(LOW, owner=ASHA)).due_ms == 5
    await cases.close(LOW, by=ASHA, note="topped up")
    with pytest.raises(StaffMistake):
        await cases.take(LOW, owner=CHEP)


@pytest.mark.parametrize(
    "text", ["", "a:b:c", "a" * 32, f"{'a' * 32}::{'b' * 32}", f"{'A' * 32}:X:{'b' * 32}"]
)
def test_what_is_no_key_is_told_so(text: str) -> None:
    with pytest.raises(StaffMistake):
        read_key(text)


async def test_what_is_done_with_one_case_is_done_with_no_other(room: Room) -> None:
    """Those of a step have its number for a hash: all but one part of a key may be another's."""
    cases = room.office.cases
    held = CaseKey("a" * 32, "ON_HOLD", "0" * 31 + "3")
    others = [
        held._replace(payment="b" * 32), held._replace(kind="RETURNED"),
        held._replace(hash="0" * 31 + "4"),
    ]  # fmt: skip
    for key in (held, *others):
        assert await cases.open(key, str(key))
    assert (await cases.get(held)).detail == str(held)
    await cases.take(held, owner=ASHA)
    assert [(c.key, c.owner) for c in await cases.open_cases() if c.owner] == [(held, ASHA)]
    proposal = await room.propose(Kind.CLOSE_CASE, case=str(held))
    assert (await room.office.desk.approve(proposal.id, by=BABU)).state is State.DONE
    assert {c.key for c in await cases.open_cases()} == set(others)

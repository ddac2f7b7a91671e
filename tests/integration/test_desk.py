"""Two people: the law in Python, the law in Postgres, and what survives a crash between them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import asyncpg
import pytest

from channels.watching.clocks import seconds_ahead
from engine.desk.cases import LOW_WATER, CaseKey
from engine.desk.desk import EXPIRES_AFTER_SECONDS, Desk
from engine.desk.proposals import (
    Kind,
    Outcome,
    Person,
    Proposal,
    ProposalId,
    Rivals,
    State,
    waiting,
)
from engine.desk.store import ProposalStore
from engine.errors import AlreadyDecided, AlreadyProposed, CappError, SamePerson, StaffMistake
from engine.ledger.chart import Kind as AccountKind
from tests.integration.books import assert_books
from tests.integration.desk_room import ASHA, BABU, CHEP, POOL_UGX, Room, open_room
from tests.integration.offices import agrees

TOP_UP: dict[str, Any] = {"operator": "mtn_ug", "minor": 500}


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[Room]:
    async with open_room(database_url) as opened:
        yield opened
        await assert_books(opened.pool)


async def stored(room: Room, proposal: Proposal) -> Proposal:
    return await room.office.proposals.get(proposal.id)


async def free(room: Room) -> int:
    return await room.minor(AccountKind.POOL_AVAIL, "UGX")


async def test_nobody_agrees_to_what_they_asked_for(room: Room) -> None:
    proposal = await room.propose(Kind.WITHDRAWAL, **TOP_UP)
    for decide in (room.office.desk.approve, room.office.desk.reject):
        with pytest.raises(SamePerson):
            await decide(proposal.id, by=ASHA)
    assert (await stored(room, proposal)).state is State.PROPOSED


async def test_the_store_itself_hears_from_postgres_that_one_person_is_not_two(room: Room) -> None:
    proposal = await room.propose(Kind.WITHDRAWAL, **TOP_UP)
    with pytest.raises(SamePerson):
        await room.office.proposals.decide(proposal.id, State.APPROVED, ASHA, proposal.made_ms)


FORBIDDEN = [
    ("state = 'approved', decided_by = made_by, decided_ms = 1", "two_people"),
    ("state = 'approved', decided_by = 'Asha', decided_ms = 1", "names_are_plain"),
    ("state = 'approved', decided_by = ' asha', decided_ms = 1", "names_are_plain"),
    ("state = 'approved', decided_by = '', decided_ms = 1", "names_are_plain"),
    ("made_by = 'Asha'", "names_are_plain"),
    ("state = 'approved'", "decided_once_by_somebody"),
    ("state = 'done'", "decided_once_by_somebody"),
    ("decided_by = 'babu', decided_ms = 1", "decided_once_by_somebody"),
    ("reference = 'R1', reference_by = 'asha'", "seen_by_somebody"),
    ("state = 'agreed', decided_by = 'babu', decided_ms = 1", "proposal_state_is_known"),
]


async def test_postgres_refuses_by_itself_what_two_people_did_not_do(room: Room) -> None:
    proposal = await room.propose(Kind.WITHDRAWAL, **TOP_UP)
    for change, law in FORBIDDEN:
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await room.pool.execute(f"update proposal set {change} where id = $1", proposal.id)
        assert refused.value.constraint_name == law, change


async def test_a_case_is_not_closed_by_nobody(room: Room) -> None:
    await room.pool.execute(
        "insert into case_file (payment, kind, hash, tenant, opened_ms, detail)"
        " values ($1, 'CONFLICT', $1, 1, 1, '')", "a" * 32,
    )  # fmt: skip
    with pytest.raises(asyncpg.CheckViolationError):
        await room.pool.execute("update case_file set closed_ms = 2")


async def test_deciding_twice_the_same_way_is_one_decision(room: Room) -> None:
    proposal = await room.propose(Kind.WITHDRAWAL, **TOP_UP)
    first = await room.office.desk.approve(proposal.id, by=BABU)
    again = await room.office.desk.approve(proposal.id, by=BABU)
    third = await room.office.desk.approve(proposal.id, by=CHEP)
    assert first == again == third
    assert third.decided_by == BABU
    with pytest.raises(SamePerson):  # whoever asked has agreed to nothing, also afterwards
        await room.office.desk.approve(proposal.id, by=ASHA)
    assert await room.minor(AccountKind.WITHDRAWAL_HELD, "UGX", 2) == 500


async def test_of_two_who_decide_differently_at_once_one_wins_and_the_other_hears(
    room: Room,
) -> None:
    desk, left = room.office.desk, POOL_UGX
    for round_ in range(6):
        proposal = await room.propose(Kind.WITHDRAWAL, **TOP_UP)
        decisions = [desk.approve(proposal.id, by=BABU), desk.reject(proposal.id, by=CHEP)]
        if round_ % 2:
            decisions.reverse()
        answers = await asyncio.gather(*decisions, return_exceptions=True)
        assert [type(a) for a in answers].count(AlreadyDecided) == 1
        left -= 0 if (await stored(room, proposal)).state is State.REJECTED else 500
        assert await free(room) == left


async def test_of_ten_who_propose_the_same_at_once_one_does_and_nine_hear_of_it(
    room: Room,
) -> None:
    def ask(minor: int, by: Person, rivals: Rivals) -> Awaitable[Proposal]:
        fields = {**TOP_UP, "minor": minor}
        return room.office.desk.propose(Kind.TOP_UP, fields, by=by, note="low", rivals=rivals)

    ten = [ask(minor, (ASHA, BABU)[minor % 2], same_matter()) for minor in range(1, 11)]
    said = await asyncio.gather(*ten, return_exceptions=True)
    (made,) = [each for each in said if isinstance(each, Proposal)]
    heard = [str(each) for each in said if isinstance(each, AlreadyProposed)]
    assert heard == [f"{made.id} of {made.made_by} is proposed already"] * 9
    more = await ask(11, CHEP, same_matter(made.id))
    assert more.id != made.id, "who has counted with it may ask for more"
    with pytest.raises(AlreadyProposed):
        await ask(12, CHEP, same_matter(made.id))
    again = await room.office.desk.propose(
        Kind.TOP_UP, {**TOP_UP, "minor": 11}, by=CHEP, note="low", proposal_id=more.id,
        rivals=same_matter(made.id),
    )  # fmt: skip
    assert again == more, "nobody is one's own rival"


def same_matter(*known: ProposalId) -> Rivals:
    return Rivals("float of mtn", (Kind.TOP_UP,), lambda _: True, known=frozenset(known))


async def test_ten_approvals_at_once_by_two_processes_book_once(
    room: Room, database_url: str
) -> None:
    proposal = await room.propose(Kind.WITHDRAWAL, **TOP_UP)
    people = [Person(f"p{n}") for n in range(10)]
    async with open_room(database_url, clock=room.clock) as other:
        rooms = [room, other] * 5
        await asyncio.gather(
            *[r.office.desk.approve(proposal.id, by=p) for r, p in zip(rooms, people, strict=True)]
        )
    assert await free(room) == POOL_UGX - 500
    assert (await stored(room, proposal)).state is State.WAITING


async def test_what_was_approved_before_a_crash_is_carried_out_by_anybody_once(
    room: Room, database_url: str
) -> None:
    proposal = await room.propose(Kind.WITHDRAWAL, **TOP_UP)
    # The process that approved died before it carried out.
    await room.office.proposals.decide(proposal.id, State.APPROVED, BABU, proposal.made_ms)
    async with open_room(database_url, clock=room.clock) as other:
        found = await asyncio.gather(
            room.office.desk.carry_out_approved(), other.office.desk.carry_out_approved()
        )
    assert 1 in found
    assert await free(room) == POOL_UGX - 500
    assert (await stored(room, proposal)).state is State.WAITING


async def test_a_crash_after_the_entry_and_before_the_outcome_books_nothing_again(
    room: Room,
) -> None:
    proposal = await room.agreed(Kind.TOP_UP, **TOP_UP)
    proposal = await room.office.desk.see(proposal.id, "R-1", by=ASHA)
    assert (proposal.state, await free(room)) == (State.DONE, POOL_UGX + 500)
    await room.pool.execute("update proposal set state = 'approved', outcome = ''")
    assert await room.office.desk.carry_out_approved() == 1
    assert (await stored(room, proposal)).state is State.DONE
    assert await free(room) == POOL_UGX + 500


async def test_an_executor_that_stumbles_is_tried_again_and_hurts_nobody_else(room: Room) -> None:
    stumbled = await room.propose(Kind.WITHDRAWAL, **TOP_UP)
    well = await room.propose(Kind.WITHDRAWAL, **TOP_UP)
    for proposal in (stumbled, well):
        await room.office.proposals.decide(proposal.id, State.APPROVED, BABU, proposal.made_ms)
    executors = room.office.desk._executors
    carry_out = executors[Kind.WITHDRAWAL]

    async def stumble(proposal: Proposal) -> Any:
        if proposal.id == stumbled.id:
            raise CappError("the database's reply was lost")
        return await carry_out(proposal)

    executors[Kind.WITHDRAWAL] = stumble
    await room.office.desk.carry_out_approved()
    assert (await stored(room, stumbled)).state is State.APPROVED
    assert (await stored(room, well)).state is State.WAITING
    executors[Kind.WITHDRAWAL] = carry_out
    await room.office.desk.carry_out_approved()
    assert (await stored(room, stumbled)).state is State.WAITING


async def test_a_number_that_no_account_holds_stops_no_other_proposal(room: Room) -> None:
    plan = await room.pay_whole()
    for kind, fields in (
        (Kind.WITHDRAWAL, {**TOP_UP, "minor": 2**63}),
        (Kind.CORRECTION, {"payment": plan.payment, "version": 2**31}),
    ):
        with pytest.raises(StaffMistake):
            await room.propose(kind, **fields)
    old = await room.propose(Kind.CORRECTION, payment=plan.payment, version=1)
    body = old.body.replace('"version":1', f'"version":{2**31}')  # as another release took it down
    await room.pool.execute("update proposal set body = $1 where id = $2", body, old.id)
    well = await room.propose(Kind.WITHDRAWAL, **TOP_UP)
    for proposal in (old, well):
        await room.office.proposals.decide(proposal.id, State.APPROVED, BABU, proposal.made_ms)
    await room.office.desk.carry_out_approved()
    assert (await stored(room, old)).state is State.FAILED
    assert (await stored(room, well)).state is State.WAITING


@pytest.mark.parametrize("mistake", [ValueError("none"), asyncpg.DataError("out of range")])
async def test_a_mistake_of_ours_in_one_proposal_stops_no_other(
    room: Room, mistake: Exception
) -> None:
    proposals = [await room.propose(Kind.TOP_UP, **TOP_UP)]
    proposals.append(await room.propose(Kind.WITHDRAWAL, **TOP_UP))
    for proposal in proposals:
        await room.office.proposals.decide(proposal.id, State.APPROVED, BABU, proposal.made_ms)

    async def stumble(_: Proposal) -> Any:
        raise mistake

    room.office.desk._executors[Kind.TOP_UP] = stumble
    await room.office.desk.carry_out_approved()
    states = [(await stored(room, proposal)).state for proposal in proposals]
    assert states == [State.APPROVED, State.WAITING]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.TOP_UP, TOP_UP),
        (Kind.REBALANCE, {"source": "mtn_ug", "target": "airtel_ug", "minor": 5}),
    ],
)
async def test_what_was_never_seen_is_given_up_by_two_and_seen_no_more(
    room: Room, kind: Kind, fields: dict[str, Any]
) -> None:
    """Nothing was booked for it; else it would wait for ever, and nobody could ask for it anew."""
    waits = await room.agreed(kind, **fields)
    given_up = await room.agreed(Kind.CANCEL_WITHDRAWAL, withdrawal=waits.id)
    assert given_up.state is State.DONE
    assert (await stored(room, waits)).state is State.FAILED
    with pytest.raises(StaffMistake):
        await room.office.desk.see(waits.id, "R-1", by=CHEP)
    await room.pool.execute("update proposal set state = 'approved' where id = $1", given_up.id)
    assert await room.office.desk.carry_out_approved() == 1  # once more, as after a crash
    assert (await stored(room, given_up)).state is State.DONE
    assert (await room.agreed(Kind.CANCEL_WITHDRAWAL, withdrawal=waits.id)).state is State.FAILED
    assert await free(room) == POOL_UGX


async def test_of_one_who_sees_a_top_up_and_two_who_give_it_up_one_side_wins(room: Room) -> None:
    desk, seen = room.office.desk, 0
    for n in range(6):
        waits = await room.agreed(Kind.TOP_UP, **TOP_UP)
        asked = await room.propose(Kind.CANCEL_WITHDRAWAL, withdrawal=waits.id)
        both = [desk.see(waits.id, f"R-{n}", by=CHEP), desk.approve(asked.id, by=BABU)]
        await asyncio.gather(*(both if n % 2 else reversed(both)), return_exceptions=True)
        is_seen = (await stored(room, waits)).state is State.DONE
        assert (await stored(room, asked)).state is (State.FAILED if is_seen else State.DONE)
        seen += is_seen
        assert await free(room) == POOL_UGX + 500 * seen


async def test_a_rejected_or_expired_proposal_is_never_carried_out(room: Room) -> None:
    rejected = await room.propose(Kind.WITHDRAWAL, **TOP_UP)
    await room.office.desk.reject(rejected.id, by=BABU)
    expired = await room.propose(Kind.WITHDRAWAL, **TOP_UP)
    room.clock.pass_(EXPIRES_AFTER_SECONDS)
    for proposal in (rejected, expired):
        with pytest.raises(AlreadyDecided):
            await room.office.desk.approve(proposal.id, by=CHEP)
    assert await room.office.desk.carry_out_approved() == 1
    assert (await stored(room, expired)).state is State.EXPIRED
    for decide in (room.office.desk.approve, room.office.desk.reject):
        with pytest.raises(AlreadyDecided, match="has expired"):
            await decide(expired.id, by=CHEP)
    assert await free(room) == POOL_UGX
    assert EXPIRES_AFTER_SECONDS == 3 * 86_400


async def test_asking_twice_under_one_id_is_one_proposal_and_never_two_different_ones(
    room: Room,
) -> None:
    desk, id_ = room.office.desk, room.office.desk.new_id()
    first = await desk.propose(Kind.TOP_UP, TOP_UP, by=ASHA, note="n", proposal_id=id_)
    again = await desk.propose(Kind.TOP_UP, TOP_UP, by=ASHA, note="n", proposal_id=id_)
    assert first == again
    with pytest.raises(StaffMistake):
        await desk.propose(
            Kind.TOP_UP, {**TOP_UP, "minor": 501}, by=ASHA, note="n", proposal_id=id_
        )
    with pytest.raises(StaffMistake, match="another proposal"):  # hers, and he could not agree
        await desk.propose(Kind.TOP_UP, TOP_UP, by=BABU, note="n", proposal_id=id_)
    with pytest.raises(StaffMistake, match="another proposal"):
        await desk.propose(Kind.WITHDRAWAL, TOP_UP, by=ASHA, note="n", proposal_id=id_)


@pytest.mark.parametrize("off_seconds", [600.0, -600.0])
async def test_a_proposal_is_dated_no_later_than_the_databases_clock_says(
    room: Room, off_seconds: float
) -> None:
    """What they say they saw was believed ten minutes too early, and the money paid twice."""
    pool, clock = room.pool, room.clock
    clock.pass_(off_seconds)
    desk = Desk(
        store=room.office.proposals, executors={Kind.TOP_UP: waits}, clock=clock, ids=room.ids,
        ahead=partial(seconds_ahead, pool, clock),
    )  # fmt: skip
    before = await pool.fetchval(NOW_MS)
    proposal = await desk.propose(Kind.TOP_UP, TOP_UP, by=ASHA, note="seen there")
    after = await pool.fetchval(NOW_MS)
    if off_seconds > 0:
        assert before - 1 <= proposal.made_ms <= after
    else:  # too early only has them look again
        assert proposal.made_ms == int(clock.epoch() * 1000)
    assert proposal.expires_ms == proposal.made_ms + EXPIRES_AFTER_SECONDS * 1000


async def waits(_: Proposal) -> Outcome:
    return waiting("it waits")


NOW_MS = "select floor(extract(epoch from clock_timestamp()) * 1000)::bigint"


async def test_what_people_write_is_one_plain_line(room: Room) -> None:
    """Blanks that break no line come with what is pasted; what moves a cursor is refused."""
    desk, cases = room.office.desk, room.office.cases
    asked = await desk.propose(
        Kind.TOP_UP, TOP_UP, by=ASHA, note="\u00a0500\u202f000\u00a0came\u3000late "
    )
    assert asked.note == "500 000 came late"
    await desk.approve(asked.id, by=BABU)
    key = CaseKey("a" * 32, LOW_WATER, "b" * 32)
    await cases.open(key, "low")
    for line in ("two\nlines", "\x1b[2Jgone", "a\0", "\u2028", "\udcff", " \u00a0", "x" * 501):
        with pytest.raises(StaffMistake):
            await desk.propose(Kind.TOP_UP, TOP_UP, by=ASHA, note=line)
        with pytest.raises(StaffMistake):
            await desk.see(asked.id, line, by=CHEP)
        with pytest.raises(StaffMistake):
            await cases.close(key, by=ASHA, note=line)
    assert (await desk.see(asked.id, "R\u00a01", by=CHEP)).reference == "R 1"
    assert (await cases.close(key, by=ASHA, note="filled\u00a0up")).note == "filled up"
    assert (await cases.close(key, by=ASHA, note="filled up")).closed_by == ASHA


async def test_what_could_never_be_carried_out_is_not_taken_down(room: Room) -> None:
    for kind, fields in (
        (Kind.RELEASE_HOLD, {"payment": "a" * 32}),  # no executor in this office
        (Kind.TOP_UP, {"operator": "nobody", "minor": 1}),
        (Kind.TOP_UP, {"operator": "mtn_ug", "minor": 0}),
        (Kind.TOP_UP, {"operator": "mtn_ug"}),
        (Kind.TOP_UP, {**TOP_UP, "surprise": 1}),
        (Kind.REBALANCE, {"source": "mpesa_ke", "target": "mtn_ug", "minor": 1}),
        (Kind.ADJUSTMENT, {"debit": "LOSS:KES", "credit": "LOSS:UGX", "minor": 1}),
        (Kind.WRITE_OFF, {"currency": "XXX", "minor": 1}),
        (Kind.CLOSE_CASE, {"case": "that one"}),
        (Kind.CORRECTION, {"payment": "x", "version": 1}),
    ):
        with pytest.raises(StaffMistake):
            await room.propose(kind, **fields)
    for note in (" ", "two\nlines", "a\0", "\x1b[2Jgone"):
        with pytest.raises(StaffMistake):
            await room.office.desk.propose(Kind.TOP_UP, TOP_UP, by=ASHA, note=note)
    assert (await room.office.proposals.listed(only_open=False, most=10)).proposals == []


async def test_one_proposal_that_cannot_be_read_hides_no_other(room: Room) -> None:
    made = []
    for _ in range(3):
        made.append(await room.propose(Kind.TOP_UP, **TOP_UP))
        room.clock.pass_(1)
    first, lost, last = made
    await room.pool.execute(
        "update proposal set body = 'v1.77.' || repeat('A', 60) where id = $1", lost.id
    )
    listed = await room.office.proposals.listed(only_open=True, most=2)
    assert ([p.id for p in listed.proposals], listed.unread) == ([last.id], [lost.id])
    assert listed.last == lost.id
    older = await room.office.proposals.listed(only_open=True, most=2, before=listed.last)
    assert ([p.id for p in older.proposals], older.unread, older.last) == ([first.id], [], None)
    none = await room.office.proposals.listed(only_open=True, most=2, kinds=[Kind.REBALANCE])
    assert none == ([], [], None)


async def test_a_page_that_ends_the_list_leads_to_no_other(room: Room) -> None:
    made = [await room.propose(Kind.TOP_UP, **TOP_UP) for _ in range(2)]
    listed = await room.office.proposals.listed(only_open=True, most=2)
    assert ({each.id for each in listed.proposals}, listed.last) == ({p.id for p in made}, None)


async def test_who_carried_it_out_before_it_was_seen_has_it_wait_no_more(room: Room) -> None:
    """Else the money that came would be booked by nobody."""
    store, proposal = room.office.proposals, await room.propose(Kind.TOP_UP, **TOP_UP)
    await store.decide(proposal.id, State.APPROVED, BABU, proposal.made_ms)
    unseen = await stored(room, proposal)
    await store.keep_outcome(unseen, waiting("it waits"))
    assert await store.see(proposal.id, "R1", CHEP)
    await store.keep_outcome(unseen, waiting("it waits"))  # by a process that looked before
    assert (await stored(room, proposal)).state is State.APPROVED
    await room.office.desk.carry_out_approved()
    assert (await stored(room, proposal)).state is State.DONE
    assert await free(room) == POOL_UGX + 500


async def test_an_end_that_was_kept_is_not_replaced_by_whoever_is_slower(room: Room) -> None:
    store, proposal = room.office.proposals, await room.propose(Kind.TOP_UP, **TOP_UP)
    await store.decide(proposal.id, State.APPROVED, BABU, proposal.made_ms)
    approved = await stored(room, proposal)
    await store.keep_outcome(approved, WELL)
    await store.keep_outcome(approved, waiting("it waits"))
    assert (await stored(room, proposal)).state is State.DONE


async def test_a_database_that_went_away_ends_the_sweep_and_not_each_proposal(room: Room) -> None:
    tried = []

    async def away(proposal: Proposal) -> Outcome:
        tried.append(proposal.id)
        raise ConnectionResetError("the server closed the connection")

    for _ in range(2):
        made = await room.propose(Kind.TOP_UP, **TOP_UP)
        await room.office.proposals.decide(made.id, State.APPROVED, BABU, made.made_ms)
    desk = Desk(
        store=room.office.proposals, executors={Kind.TOP_UP: away}, clock=room.clock, ids=room.ids,
        ahead=agrees,
    )  # fmt: skip
    with pytest.raises(ConnectionResetError):
        await desk.carry_out_approved()
    assert len(tried) == 1


WELL = Outcome(State.DONE, "well")
ONE_BY_ONE: dict[str, tuple[State, Callable[[ProposalStore, Proposal], Awaitable[Any]]]] = {
    "is decided": (State.PROPOSED, lambda s, mine: s.decide(mine.id, State.APPROVED, BABU, 1)),
    "is carried out": (State.APPROVED, lambda s, mine: s.keep_outcome(mine, WELL)),
    "is seen": (State.WAITING, lambda s, mine: s.see(mine.id, "R1", ASHA)),
    "is ended": (State.WAITING, lambda s, mine: s.end_waiting(mine.id, WELL)),
    "is given up": (State.WAITING, lambda s, mine: s.end_unseen(mine.id, WELL)),
}


@pytest.mark.parametrize("what", ONE_BY_ONE)
async def test_what_becomes_of_one_proposal_becomes_of_no_other(room: Room, what: str) -> None:
    """Two that stand alike in everything but their ids."""
    state, do = ONE_BY_ONE[what]
    mine, other = [await room.propose(Kind.TOP_UP, **TOP_UP) for _ in range(2)]
    if state is not State.PROPOSED:
        await room.pool.execute(
            "update proposal set state = $1, decided_by = $2, decided_ms = made_ms", state, BABU
        )
    row = "select * from proposal where id = $1"
    before = [await room.pool.fetchrow(row, each.id) for each in (mine, other)]
    await do(room.office.proposals, mine)
    after = [await room.pool.fetchrow(row, each.id) for each in (mine, other)]
    assert (after[0] == before[0], after[1] == before[1]) == (False, True)


MAY_HAVE_MOVED = {State.APPROVED, State.WAITING, State.DONE}


@pytest.mark.parametrize("state", list(State))
async def test_what_two_people_agreed_on_may_have_moved_unless_it_never_will(
    room: Room, state: State
) -> None:
    """A pool is allowed to differ by that much: by what was turned down it is a loss untold."""
    asked = await room.propose(Kind.TOP_UP, **TOP_UP)
    is_decided = state not in (State.PROPOSED, State.EXPIRED)
    await room.pool.execute(
        "update proposal set state = $2, decided_by = $3, decided_ms = $4 where id = $1",
        asked.id, state, BABU if is_decided else None, asked.made_ms if is_decided else None,
    )  # fmt: skip

    async def found(since_ms: int, at_ms: int) -> bool:
        made_ms = asked.made_ms
        proposals = await room.office.proposals.under_way(
            [Kind.TOP_UP, Kind.REBALANCE], since_ms=made_ms + since_ms, at_ms=made_ms + at_ms
        )
        return [each.id for each in proposals] == [asked.id]

    may_have = state in MAY_HAVE_MOVED
    assert [await found(*when) for when in ((0, 0), (-1, 1))] == [may_have, may_have]
    assert not await found(1, 2) and not await found(-2, -1)
    others = await room.office.proposals.under_way(
        [Kind.REBALANCE], since_ms=0, at_ms=asked.made_ms
    )
    assert others == []

"""What is owed is read from the journal once each, however late; and windows are closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.decision_log import DecisionLog
from engine.decisions import Kind as Decided
from engine.desk.booking import Booker
from engine.desk.mending import Mending
from engine.desk.proposals import Correction, Person, Proposal, ProposalId
from engine.desk.proposals import Kind as Kinds
from engine.desk.proposals import State as Stands
from engine.errors import NoWayNow, StaffMistake
from engine.ledger.chart import Account, Kind
from engine.ledger.corrections import correction_facts
from engine.ledger.entries import Manual
from engine.ledger.plans import CREATE, Plan
from engine.payments.lifecycle import State
from engine.payments.replays import differing
from engine.payments.settlement.obligation_store import (
    LATE_MS,
    LATE_MS_MAX,
    ObligationStore,
    Summed,
)
from engine.payments.settlement.state import BatchState
from engine.payments.settlement.windows import Cause
from engine.ports import Refusal
from tests.integration.owner import Owner
from tests.integration.settlement_room import CODES, PAIR, Hall, changed, open_hall, rules
from tests.integration.world import SUCCEEDED, open_world
from tests.unit.payments.examples import MPESA

pytestmark = pytest.mark.long("orders drawn at random, each on a database")

NAMES = {code: name for name, code in CODES.items()}


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[Hall]:
    async with open_hall(shared_database_url) as opened:
        yield opened


async def owed(hall: Hall) -> list[tuple[str, str, int]]:
    rows = await hall.pool.fetch(
        "select source, destination, minor from settlement_obligation order by at_ms, version"
    )
    return [tuple(row) for row in rows]


async def test_who_owes_whom_is_read_from_the_entry_itself(hall: Hall) -> None:
    first = await hall.pay("mpesa_ke", "mtn_ug", 5)
    await hall.pay("mtn_ug", "airtel_ke", 7)
    await hall.return_(first, minor=5)
    await hall.sweep(1)
    assert sorted(await owed(hall)) == [
        ("mpesa_ke", "mtn_ug", -5), ("mpesa_ke", "mtn_ug", 5), ("mtn_ug", "airtel_ke", 7),
    ]  # fmt: skip


async def test_what_is_paid_again_by_another_operator_is_owed_to_that_one(hall: Hall) -> None:
    payment = await hall.pay("mpesa_ke", "mtn_ug", 5)
    await hall.return_(payment, minor=5)
    await hall.pay_again(payment, "airtel_ke", 5, version=3)
    await hall.return_(payment, destination="airtel_ke", minor=5, version=4)
    await hall.sweep(1)
    assert await owed(hall) == [
        ("mpesa_ke", "mtn_ug", 5), ("mpesa_ke", "mtn_ug", -5),
        ("mpesa_ke", "airtel_ke", 5), ("mpesa_ke", "airtel_ke", -5),
    ]  # fmt: skip


async def test_a_correction_taken_back_is_owed_again_between_those_of_the_payment(
    hall: Hall,
) -> None:
    """A payout that was struck off and put back is settled whole."""
    mending = Mending(hall.pool, Booker(hall.pool, hall.committer, 1), CODES)
    row = await hall.pay("mpesa_ke", "mtn_ug", 100_000), 2
    for _ in range(2):
        proposal = Proposal(
            ProposalId(hall.ids.hex()), Kinds.CORRECTION,
            msgspec.json.encode(Correction(*row)).decode(), "because", Stands.APPROVED,
            Person("asha"), 0, 1, Person("babu"), 0,
        )  # fmt: skip
        assert (await mending.reverse(proposal)).state is Stands.DONE
        row = str(proposal.id), 1
    await hall.sweep(1)
    assert [minor for *_, minor in await owed(hall)].count(100_000) == 2
    assert {(source, there) for source, there, _ in await owed(hall)} == {("mpesa_ke", "mtn_ug")}
    batch = await hall.close(PAIR)
    assert batch.net_minor == 7_750_000  # KES 1,000.00 at 0.00775


async def test_a_correction_is_owed_between_those_of_the_payment_it_speaks_of(hall: Hall) -> None:
    payment = await hall.pay("mpesa_ke", "mtn_ug", 5)
    legs = ((hall.interpool("mpesa_ke", "mtn_ug"), Account(1, "KES", Kind.ROUNDING).number, 2),)
    for about in (payment, ""):
        facts = correction_facts(about=about, version=2, proposal="b" * 32)
        entry = hall.ids.hex()
        await hall.commit(
            Plan(entry, CREATE, 1, Manual.ADJUSTED, key=entry, hash=entry, facts=facts,
                 transfers=legs)
        )  # fmt: skip
    await hall.sweep(1)
    assert sorted(await owed(hall)) == [
        ("", "", -2), ("mpesa_ke", "mtn_ug", -2), ("mpesa_ke", "mtn_ug", 5),
    ]  # fmt: skip
    assert (await hall.room.closing.waiting(hall.rules.corridors[0])).payments == 2


async def test_what_an_older_worker_read_of_a_new_operator_is_settled_by_the_next(
    hall: Hall,
) -> None:
    """The web process has the operator already; the worker, which reads, is restarted after it."""
    older = hall.another(
        rules=changed(hall.rules), operators={"mpesa_ke": CODES["mpesa_ke"], "airtel_ke": 3}
    )
    payment = await hall.pay()
    await hall.sweep(1, older)
    [standing] = await older.standings.of_payment(payment)
    assert (standing.destination, standing.standing) == ("operator 2", "outside")
    newer = hall.another()
    hall.clock.pass_(61)
    await hall.sweep(3, newer)
    [standing] = await newer.standings.of_payment(payment)
    assert (standing.destination, standing.standing) == ("mtn_ug", "settled")
    await hall.assert_settled()


async def test_reading_again_keeps_nothing_twice(hall: Hall) -> None:
    store = ObligationStore(hall.pool, 1, NAMES)
    await hall.pay()
    now_ms = int(hall.clock.epoch() * 1000)
    counts = []
    for late in (0, 1, 2 * LATE_MS, LATE_MS_MAX, 2 * 3_600_000):
        reading = await store.read_journal(now_ms + late)
        assert reading is not None
        assert reading.wrong == ()
        counts.append(reading.gathered)
    assert counts == [1, 0, 0, 0, 0]


@asynccontextmanager
async def still_under_way(hall: Hall, url: str) -> AsyncIterator[None]:
    """A payment whose commit hangs: its row is an hour old before anybody can see it."""
    connection = await asyncpg.connect(url)
    move = connection.transaction()
    await move.start()
    payment, number = hall.ids.hex(), hall.interpool("mpesa_ke", "mtn_ug")
    floats = Account(1, "UGX", Kind.FLOAT, 2).number
    loss = Account(1, "UGX", Kind.LOSS).number
    kenya = Account(1, "KES", Kind.FLOAT, 1).number
    told = f'[["{"9" * 32}","+254712000001","+256772000002","mpesa_ke","mtn_ug"],1]'
    at_ms = int(hall.clock.epoch() * 1000)
    await connection.execute("set local session_replication_role = replica")  # it was moved there
    await connection.execute(
        "insert into payment (id, tenant, state, version, way, terms) values ($1, 1, $2, 2, 0, 1)",
        payment, int(State.PAID),
    )  # fmt: skip
    await connection.execute("set local session_replication_role = origin")
    await connection.executemany(
        "insert into journal (payment, version, tenant, state, at_ms, debits, credits, amounts,"
        " facts) values ($1, $2, 1, $3, $4, $5, $6, $7, $8)",
        [
            (payment, 1, int(State.RESERVED), at_ms, [], [], [], told),
            (payment, 2, int(State.PAID), at_ms, [kenya, loss], [number, floats], [77, 1], None),
        ],
    )  # fmt: skip
    for account, minor in ((kenya, -77), (number, 77), (loss, -1), (floats, 1)):
        await connection.execute(
            "update balance set amount = amount + $2 where id = $1", account, minor
        )
    yield
    await move.commit()
    await connection.close()


async def test_what_commits_while_a_window_closes_is_in_the_next_one(
    hall: Hall, shared_database_url: str
) -> None:
    await hall.pay(minor=100)
    async with still_under_way(hall, shared_database_url):
        hall.clock.pass_(61)
        # Its balances are locked, so nothing of the books is: only the reading and the choice.
        await hall.room.settling._gathering.gather()
        [batch] = await hall.room.closing.close_due()
        assert batch.payment_count == 1
        hall.clock.pass_(3000)
        await hall.room.settling._gathering.gather()
    await hall.sweep(1)
    assert sorted(minor for _, _, minor in await owed(hall)) == [77, 100]
    hall.clock.pass_(61)
    await hall.sweep(4)
    assert [b.payment_count for b in await hall.batches()] == [1, 1]
    await hall.assert_settled()
    assert await hall.cases() == []


async def test_why_a_window_was_closed_is_kept_and_comes_out_the_same_again(
    shared_database_url: str,
) -> None:
    given = rules(single_above_minor=10_000_000)
    async with open_hall(shared_database_url, given=given) as hall:
        await hall.pay(minor=100)
        hall.clock.pass_(61)
        await hall.sweep(1)
        hall.clock.pass_(1)  # ids of one moment have no order
        await hall.pay(minor=100)
        await hall.close()
        hall.clock.pass_(1)
        await hall.pay(minor=129_033)
        await hall.sweep(1)
        every = await DecisionLog(hall.pool, 1, hall.ids).since(
            hall.clock.now() - timedelta(days=1)
        )
        made = [kept.decision for kept in every if kept.decision.kind is Decided.SETTLEMENT]
        assert [decision.reason for decision in made] == ["time", "asked", "single"]
        told = [f"{PAIR}: mpesa_ke pays {batch.net_minor}" for batch in await hall.batches()]
        assert [decision.outcome for decision in made] == told
        assert differing(made) == []
        assert "+2547" not in repr(made)


async def test_a_row_with_the_time_of_a_clock_that_was_wrong_is_found(hall: Hall) -> None:
    await hall.pay()
    await hall.sweep(1)
    hall.clock.pass_(-50_000)
    await hall.pay()
    hall.clock.pass_(50_000)
    hall.clock.pass_(100)
    await hall.sweep(1)
    assert len(await owed(hall)) == 2
    assert await hall.cases() == []


async def test_while_the_books_hold_what_nothing_explains_no_window_is_closed(hall: Hall) -> None:
    await hall.pay()
    await hall.sweep(1)
    account = hall.interpool("mpesa_ke", "mtn_ug")
    await Owner(hall.pool).execute("update balance set amount = amount + 3 where id = $1", account)
    hall.clock.pass_(61)
    await hall.sweep(3)
    assert await hall.states() == []
    assert await hall.cases() == ["INTERPOOL UGX holds 3 minor units that nothing explains"]
    await Owner(hall.pool).execute("update balance set amount = amount - 3 where id = $1", account)
    await hall.sweep(3)
    await hall.assert_settled()


async def test_what_nothing_explains_is_told_of_again_when_it_comes_back(hall: Hall) -> None:
    await hall.pay()
    account = hall.interpool("mpesa_ke", "mtn_ug")
    for told in (1, 2):
        move = "update balance set amount = amount + $2 where id = $1"
        await Owner(hall.pool).execute(move, account, 3)
        hall.clock.pass_(86_400)
        await hall.sweep(3)
        assert len(await hall.cases()) == told
        await Owner(hall.pool).execute(move, account, -3)
        await hall.close_cases()


async def test_another_tenants_payments_are_not_ours(hall: Hall) -> None:
    await hall.pay()
    other = ObligationStore(Owner(hall.pool), 2, NAMES)
    reading = await other.read_journal(int(hall.clock.epoch() * 1000))
    assert reading == (0, 0, ())
    await hall.sweep(1)


async def test_a_real_payment_is_owed_when_it_is_paid_and_not_before(database_url: str) -> None:
    async with open_world(database_url) as world:
        store = ObligationStore(world.pool, 1, NAMES)
        at_ms = int(world.clock.epoch() * 1000)
        payment_id = await world.confirm()
        await world.dispatched()
        assert await store.read_journal(at_ms) == (0, 0, ())
        for _ in range(2):  # the collection, and then the payout
            await world.tell(await world.live(payment_id), SUCCEEDED)
            await world.dispatched()
        reading = await store.read_journal(at_ms + 1000)
        assert reading == (1, 0, ())
        [(kept, batch, leaf)] = await store.of_payment(payment_id)
        payment = await world.payment(payment_id)
        assert payment.state is State.PAID
        assert (kept.source, kept.destination) == (MPESA.name, "mtn_ug")
        assert kept.minor == payment.quote.value_at_mid_minor
        assert (batch, leaf) == (None, None)


# Windows.


async def test_a_window_is_closed_by_its_number_of_payments_and_never_holds_more(
    shared_database_url: str,
) -> None:
    async with open_hall(shared_database_url, given=rules(payments=5, seconds=10**6)) as hall:
        for n in range(13):
            await hall.pay(minor=100 + n)
        await hall.sweep(4)
        assert [(b.payment_count, b.cause) for b in await hall.batches()] == [(5, Cause.COUNT)] * 2
        assert (await hall.room.closing.waiting(hall.rules.corridors[0])).payments == 3


async def test_a_window_is_closed_when_one_owes_the_other_too_much(
    shared_database_url: str,
) -> None:
    given = rules(exposure_minor=20_000_000, seconds=10**6)
    async with open_hall(shared_database_url, given=given) as hall:
        for _ in range(2):
            await hall.pay()
            await hall.sweep(1)
        await hall.pay("mtn_ug", "mpesa_ke", 27_000)
        await hall.sweep(1)
        assert await hall.states() == [], "what is owed both ways is no exposure"
        await hall.pay(minor=200_000)
        await hall.sweep(1)
        [batch] = await hall.batches()
        assert (batch.cause, batch.payment_count) == (Cause.EXPOSURE, 4)


async def test_a_window_is_as_old_as_the_oldest_that_waits_either_way(hall: Hall) -> None:
    await hall.pay()
    await hall.sweep(1)
    hall.clock.pass_(40)
    await hall.pay("mtn_ug", "mpesa_ke", 1_000)
    await hall.sweep(1)
    assert await hall.states() == []
    hall.clock.pass_(20)
    await hall.sweep(1)
    [batch] = await hall.batches()
    assert (batch.cause, batch.payment_count) == (Cause.TIME, 2)
    await hall.sweep(3)


async def test_a_large_payment_is_settled_alone_and_at_once(shared_database_url: str) -> None:
    given = rules(single_above_minor=10_000_000, seconds=10**6)
    async with open_hall(shared_database_url, given=given) as hall:
        await hall.pay()
        large = [await hall.pay(minor=129_033) for _ in range(2)]  # 10.00006 dollars each
        await hall.pay(minor=129_032)  # 9.99998
        await hall.sweep(4)
        batches = await hall.batches()
        assert {(b.cause, b.payment_count, b.state) for b in batches} == {
            (Cause.SINGLE, 1, BatchState.SETTLED)
        }
        standings = [(await hall.room.standings.of_payment(each))[0] for each in large]
        assert {each.batch_id for each in standings} == {batch.id for batch in batches}
        assert len(batches) == 2
        await hall.return_(large[0], minor=129_033)  # what comes back moves as much
        await hall.sweep(4)
        [back] = (await hall.batches())[2:]
        assert (back.cause, back.payment_count) == (Cause.SINGLE, 1)
        assert back.state is BatchState.SETTLED


async def test_without_a_rate_a_window_stays_open(hall: Hall) -> None:
    await Owner(hall.pool).execute("delete from fx_rate where base = 'KES'")
    await hall.rates.refresh(hall.pool)
    await hall.pay()
    hall.clock.pass_(61)
    await hall.sweep(2)
    assert await hall.states() == []
    with pytest.raises(NoWayNow):
        await hall.room.closing.close_now(PAIR)
    with pytest.raises(StaffMistake, match="no corridor"):
        await hall.room.closing.close_now("nobody:nobody")


async def test_two_who_close_at_once_close_one_window(hall: Hall) -> None:
    for _ in range(20):
        await hall.pay()
    await hall.sweep(1)
    hall.clock.pass_(61)
    rooms = [hall.room, *[hall.another() for _ in range(4)]]
    closed = await asyncio.gather(*[room.closing.close_due() for room in rooms])
    assert sum(len(batches) for batches in closed) == 1
    await hall.sweep(4)
    await hall.assert_settled()


# Any order of what happens.

Happening = tuple[str, int]
happenings = st.lists(
    st.tuples(
        st.sampled_from(["pay", "back", "return", "sweep", "pass", "refuse", "allow", "lapse",
                         "lost", "dropped"]),
        st.integers(1, 200_000),
    ),
    max_size=25,
)  # fmt: skip


@pytest.fixture
def hall_url(shared_database_url: str) -> str:
    return shared_database_url


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(happenings)
def test_any_order_of_payments_returns_windows_and_refusals_loses_and_doubles_nothing(
    hall_url: str, told: list[Happening]
) -> None:
    asyncio.run(_live(hall_url, told))


async def _live(url: str, told: list[Happening]) -> None:
    async with open_hall(url, given=rules(seconds=30, payments=4)) as hall:
        await _forget(hall)
        paid: list[tuple[str, int]] = []
        for what, minor in told:
            await _happen(hall, what, minor, paid)
        hall.rail.refuses, hall.rail.faults = None, []
        for _ in range(25):
            hall.clock.pass_(22_000)
            hall.rail.pass_(100)
            await hall.sweep(2)
            if await hall.is_settled():
                break
        await hall.assert_settled()


async def _happen(hall: Hall, what: str, minor: int, paid: list[tuple[str, int]]) -> None:
    match what:
        case "pay":
            paid.append((await hall.pay(minor=minor), minor))
        case "back":
            await hall.pay("mtn_ug", "mpesa_ke", minor)
        case "return" if paid:
            payment, owed_minor = paid.pop(minor % len(paid))
            await hall.return_(payment, minor=owed_minor)
        case "sweep":
            await hall.sweep(1 + minor % 3)
        case "pass":
            hall.clock.pass_(minor % 100)
            hall.rail.pass_(minor % 100)
        case "refuse":
            hall.rail.refuses = list(Refusal)[1 + minor % (len(Refusal) - 1)]
        case "allow":
            hall.rail.refuses = None
        case "lapse":
            hall.rail.pass_(601)
        case "lost" | "dropped":
            hall.rail.faults.append(what)


async def _forget(hall: Hall) -> None:
    """Every example begins with an empty journal, and the pools as they were at first."""
    tables: list[Any] = await hall.pool.fetch(
        "select tablename from pg_tables where tablename like 'settlement%'"
    )
    names = ", ".join([row["tablename"] for row in tables])
    await Owner(hall.pool).execute(
        f"truncate {names}, journal, payment, payment_key, balance, case_file, attempt"
    )
    await hall.endow()


async def test_who_cannot_read_because_another_one_does_closes_nothing(hall: Hall) -> None:
    """That one may find something missing, which nobody else knows yet."""
    await hall.pay()
    await hall.sweep(1)
    hall.clock.pass_(61)
    async with hall.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "select pg_advisory_xact_lock(hashtextextended('settlement 1', 0))"
        )
        await hall.sweep(2)
        assert await hall.states() == []
    await hall.sweep(3)
    assert await hall.states() == [BatchState.SETTLED]


async def test_nobody_closes_a_window_by_hand_while_something_is_missing(hall: Hall) -> None:
    await hall.pay()
    with pytest.raises(StaffMistake, match="does not add up"):
        await hall.room.closing.close_now(PAIR)  # nothing was ever read
    await hall.sweep(1)
    number = hall.interpool("mpesa_ke", "mtn_ug")
    await Owner(hall.pool).execute("update balance set amount = amount + 5 where id = $1", number)
    await hall.sweep(1)
    with pytest.raises(StaffMistake, match="does not add up"):
        await hall.room.closing.close_now(PAIR)
    await Owner(hall.pool).execute("update balance set amount = amount - 5 where id = $1", number)
    await hall.sweep(1)
    assert await hall.room.closing.close_now(PAIR) is not None


async def test_what_came_while_a_window_was_looked_at_is_priced_too(hall: Hall) -> None:
    """The first payment in the other currency is there between the look and the choice."""
    await hall.pay()
    await hall.sweep(1)
    hall.clock.pass_(61)
    look = ObligationStore.waiting
    store = hall.room.closing._obligations

    async def waiting(pair: tuple[str, str]) -> list[Summed]:
        found = await look(store, pair)
        await hall.pay("mtn_ug", "mpesa_ke", 1000)
        await store.read_journal(int(hall.clock.epoch() * 1000))
        return found

    store.waiting = waiting  # type: ignore[method-assign]
    [batch] = await hall.room.closing.close_due()
    assert batch.payment_count == 2
    assert [mid.currency for mid in batch.basis.mids] == ["KES", "UGX"]
    await hall.sweep(3)
    del store.waiting


async def test_what_one_batch_has_no_other_can_take(hall: Hall) -> None:
    await hall.pay()
    batch = await hall.close()
    store = hall.room.closing._obligations
    owed = await store.of_batch(batch.id)
    async with hall.pool.acquire() as connection:
        assert await store.mark(connection, hall.ids.hex(), owed) == 0
    assert await store.of_batch(batch.id) == owed
    await hall.sweep(3)


async def test_a_window_that_somebody_else_is_closing_is_left_to_them(hall: Hall) -> None:
    await hall.pay()
    await hall.sweep(1)
    hall.clock.pass_(61)
    async with hall.pool.acquire() as connection, connection.transaction():
        assert await hall.room.batches.turn(connection, PAIR)
        assert await hall.room.closing.close_due() == []
        with pytest.raises(StaffMistake, match="somebody else closes a window"):
            await hall.room.closing.close_now(PAIR)
    assert len(await hall.room.closing.close_due()) == 1
    await hall.sweep(3)

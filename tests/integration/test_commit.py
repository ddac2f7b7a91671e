"""Every verdict of the commit, one by one, against a real Postgres."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any

import asyncpg
import pytest

from engine.clock import Clock, Ids
from engine.database import connect
from engine.errors import CommitUnknown, LeftTooLate, NotServed
from engine.ledger.chart import Account, Kind
from engine.ledger.commit import commit
from engine.ledger.committer import Committer
from engine.ledger.entries import MANUAL_FROM
from engine.ledger.plans import NIL, NOTE, Evidence, Intent, Plan, Spend, Verdict, Verdicted, note
from tests.integration.books import assert_books
from tests.integration.locks import somebody_waits
from tests.integration.world import TestClock
from tests.until import until

V = Verdict
IDS = Ids(Clock())
FREE = Account(1, "UGX", Kind.FLOAT, 2).number  # not guarded
A = Account(1, "UGX", Kind.POOL_AVAIL).number
B = Account(1, "UGX", Kind.POOL_HELD).number
OTHER_CURRENCY = Account(1, "KES", Kind.CUSTOMER_FUNDS).number
OTHER_TENANT = Account(2, "UGX", Kind.POOL_HELD).number
MISSING = Account(1, "UGX", Kind.LOSS).number
HASH, HASH_2 = "0123456789abcdef" * 2, "f" * 32


@pytest.fixture
async def books(database_url: str) -> AsyncIterator[Any]:
    """A connection to books with 100 in A; they must be right after every test."""
    connection = await connect(database_url)
    await connection.executemany(
        "insert into balance (id, guarded) values ($1, $2)",
        [(FREE, False), (A, True), (B, True), (OTHER_CURRENCY, True), (OTHER_TENANT, True)],
    )
    assert await verdicts(connection, new(100, debit=FREE, credit=A)) == [V.APPLIED]
    yield connection
    await assert_books(connection)
    await connection.close()


def new(
    minor: int = 0, *, key: str | None = None, request: str = HASH, debit: int = A,
    credit: int = B, **fields: Any,
) -> Plan:  # fmt: skip
    payment = IDS.payment()
    transfers = ((debit, credit, minor),) if minor else ()
    return Plan(
        payment, 0, 1, MANUAL_FROM, key=key or payment, hash=request, transfers=transfers, **fields
    )


def step(plan: Plan, version: int, minor: int = 0, **fields: Any) -> Plan:
    transfers = ((A, B, minor),) if minor else ()
    return Plan(plan.payment, version, 1, MANUAL_FROM, transfers=transfers, **fields)


async def verdicts(connection: Any, *plans: Plan, careful: bool = False) -> list[Verdict]:
    return [a.verdict for a in await commit(connection, plans, 1, careful=careful)]


async def amount(connection: Any, account: int) -> int:
    value: int = await connection.fetchval("select amount from balance where id = $1", account)
    return value


async def test_applied_moves_money_and_writes_one_journal_row(books: Any) -> None:
    plan = new(30)
    assert await verdicts(books, plan) == [V.APPLIED]
    assert (await amount(books, A), await amount(books, B)) == (70, 30)
    rows = await books.fetch("select * from journal where payment = $1", plan.payment)
    assert [(r["version"], r["state"], r["amounts"]) for r in rows] == [(1, MANUAL_FROM, (30,))]


async def test_same_key_same_request_is_a_duplicate_of_the_first(books: Any) -> None:
    first, again = new(30, key="k"), new(30, key="k")
    await commit(books, [first], 1)
    assert await commit(books, [again], 1) == [Verdicted(V.DUPLICATE, first.payment)]
    other = new(30, key="k", request=HASH_2)
    assert await commit(books, [other], 1) == [Verdicted(V.CONFLICT, first.payment)]
    assert await amount(books, A) == 70


async def test_one_key_belongs_to_one_tenant(books: Any) -> None:
    mine, theirs = new(key="k"), new(key="k")._replace(tenant=2)
    assert await verdicts(books, mine, theirs) == [V.APPLIED, V.APPLIED]


async def test_same_key_twice_in_one_batch(books: Any) -> None:
    plans = [new(30, key="k"), new(30, key="k"), new(30, key="k", request=HASH_2)]
    known = plans[0].payment
    assert await commit(books, plans, 1) == [
        Verdicted(V.APPLIED, known),
        Verdicted(V.DUPLICATE, known),
        Verdicted(V.CONFLICT, known),
    ]
    assert await amount(books, A) == 70


async def test_a_repeated_key_whose_first_plan_is_refused_is_asked_to_come_again(
    books: Any,
) -> None:
    plans = new(200, key="k"), new(10, key="k")
    assert await verdicts(books, *plans) == [V.INSUFFICIENT, V.STALE]
    assert await verdicts(books, new(10, key="k")) == [V.APPLIED]


async def test_stale_version_unknown_payment_and_foreign_tenant(books: Any) -> None:
    plan = new(30)
    await commit(books, [plan], 1)
    assert await verdicts(books, step(plan, 2), step(new(), 1)) == [V.STALE, V.STALE]
    assert await verdicts(books, step(plan, 1)._replace(tenant=2)) == [V.STALE]
    assert await verdicts(books, step(plan, 1)) == [V.APPLIED]
    assert await verdicts(books, step(plan, 1)) == [V.STALE]


async def test_two_plans_for_one_payment_in_one_batch(books: Any) -> None:
    plan = new(30)
    await commit(books, [plan], 1)
    batch = step(plan, 1, 5), step(plan, 1, 5), step(plan, 2, 5)
    assert await verdicts(books, *batch) == [V.APPLIED, V.STALE, V.STALE]
    assert await amount(books, A) == 65


async def test_an_over_limit_item_fails_alone(books: Any) -> None:
    got = await verdicts(books, new(60), new(60), new(30), new(20), new(10))
    assert got == [V.APPLIED, V.INSUFFICIENT, V.APPLIED, V.INSUFFICIENT, V.APPLIED]
    assert await amount(books, A) == 0


async def test_order_inside_a_batch_matters_only_when_money_is_short(books: Any) -> None:
    def take() -> Plan:
        return new(50, debit=B, credit=A)

    def give() -> Plan:
        return new(50, debit=FREE, credit=B)

    assert await verdicts(books, take(), give()) == [V.APPLIED] * 2
    assert await verdicts(books, take(), give(), careful=True) == [V.INSUFFICIENT, V.APPLIED]
    last = await verdicts(books, give(), take(), take(), take())
    assert last == [V.APPLIED] * 3 + [V.INSUFFICIENT]


async def test_unbalanced_is_refused_alone(books: Any) -> None:
    plans = new(10), new(10, credit=OTHER_CURRENCY), new(10, credit=OTHER_TENANT), new(-10), new(10)
    expected = [V.APPLIED, V.UNBALANCED, V.UNBALANCED, V.UNBALANCED, V.APPLIED]
    assert await verdicts(books, *plans) == expected
    assert await amount(books, A) == 80


async def test_a_repeat_beside_an_unbalanced_plan_is_still_a_repeat(books: Any) -> None:
    await commit(books, [new(30, key="k")], 1)
    plans = new(-10), new(10), new(30, key="k")
    assert await verdicts(books, *plans) == [V.UNBALANCED, V.APPLIED, V.DUPLICATE]
    assert await amount(books, A) == 60


async def test_each_poisoned_plan_among_two_hundred_is_refused_alone_with_its_reason(
    books: Any,
) -> None:
    plans = [new(1, debit=FREE) for _ in range(200)]
    poison = {
        7: (new(2**63, debit=FREE), str(2**63)),
        50: (new(2**63 - 1, debit=FREE), "out of range"),  # with what is there already
        99: (new(1, debit=MISSING), "unknown account"),
        150: (new(1)._replace(state=10**6), "1000000"),
        199: (new(1)._replace(tenant="first"), "'first'"),  # type: ignore[arg-type]
    }
    batch = [poison[i][0] if i in poison else plan for i, plan in enumerate(plans)]
    answers = await commit(books, batch, 1)
    for number, answer in enumerate(answers):
        assert answer.verdict is (V.POISON if number in poison else V.APPLIED), number
        if number in poison:
            assert poison[number][1] in (answer.error or ""), answer
    assert await amount(books, B) == 195


@pytest.mark.parametrize("careful", [False, True])
async def test_poison_is_found_by_bisecting(books: Any, careful: bool) -> None:
    plans = [new(1) for _ in range(20)]
    same_id = plans[0]._replace(key="another key", transfers=())
    poison = {
        3: new(2**63, debit=FREE),
        7: new(1, debit=MISSING),
        11: same_id,
        13: new(1)._replace(state=10**6),
        15: new(1)._replace(facts=b"no text"),  # type: ignore[arg-type]
        16: new(1)._replace(tenant="first"),  # type: ignore[arg-type]
        17: new(2**63 - 50, debit=FREE, credit=A),
    }
    batch = [poison.get(i, plan) for i, plan in enumerate(plans)]
    got = await verdicts(books, *batch, careful=careful)
    assert got == [V.POISON if i in poison else V.APPLIED for i in range(20)]
    assert await amount(books, A) == 87


async def test_one_live_attempt(books: Any) -> None:
    first, second = IDS.attempt(), IDS.attempt()
    plan = new(begins=first)
    await commit(books, [plan], 1)
    assert await verdicts(books, step(plan, 1, begins=second)) == [V.STALE]  # first is live
    assert await verdicts(books, step(plan, 1, ends=second)) == [V.STALE]  # second is not
    assert await verdicts(books, step(plan, 1, ends=first, begins=second)) == [V.APPLIED]
    assert await verdicts(books, step(plan, 2, ends=second)) == [V.APPLIED]
    assert await books.fetchval("select live is null from payment where id = $1", plan.payment)
    assert await books.fetchval("select count(*) from attempt") == 2


async def test_the_outbox_follows_the_verdict(books: Any) -> None:
    intent = Intent(IDS.intent(), 1, "hello", 5, 65)
    plan = new(intents=(intent,))
    await commit(books, [plan], 1)
    following = Intent(IDS.intent(), 2, None, 0, 60)
    move = step(plan, 1, done=(intent.id,), intents=(following,))
    assert await verdicts(books, move._replace(version=5)) == [V.STALE]
    row = await books.fetchrow("select payload, not_before, lease_until, sent_at from outbox")
    assert tuple(row) == ("hello", 5, 65, None)
    assert await verdicts(books, move) == [V.APPLIED]
    assert await books.fetchval("select count(*) = 1 and min(kind) = 2 from outbox")
    assert await verdicts(books, note(plan.payment, 1, done=(following.id,))) == [V.APPLIED]
    assert await books.fetchval("select count(*) from outbox") == 0


async def test_evidence_is_kept_whatever_the_verdict_and_only_once(books: Any) -> None:
    attempt = IDS.attempt()
    told = Evidence(attempt, HASH, 2, '{"status":"SUCCESSFUL"}')
    plan = new(begins=attempt)
    await commit(books, [plan], 1)
    stale = step(plan, 9, evidence=(told,))
    assert await verdicts(books, stale, note(plan.payment, 1, evidence=(told,))) == [
        V.STALE,
        V.APPLIED,
    ]
    assert await books.fetchval("select count(*) from evidence") == 1
    assert await books.fetchval("select count(*) from journal where version < 0") == 0


async def test_a_note_beside_a_move_of_the_same_payment_disturbs_nothing(books: Any) -> None:
    plan = new(10)
    await commit(books, [plan], 1)
    batch = note(plan.payment, 1), step(plan, 1, 5), note(plan.payment, 1), step(plan, 1, 5)
    assert await verdicts(books, *batch) == [V.APPLIED, V.APPLIED, V.APPLIED, V.STALE]
    assert all(p.version == NOTE for p in (batch[0], batch[2]))


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(
    "moved",
    [
        {"transfers": ((A, B, 5),)},
        {"begins": IDS.attempt()},
        {"spend": (Spend("c" * 32, 800, 1, 1, 5, 9, 9),)},
    ],
    ids=["money", "an attempt", "a limit"],
)
async def test_a_note_that_would_move_something_is_refused_alone(
    books: Any, moved: dict[str, Any], careful: bool
) -> None:
    plan, told = new(10), Evidence(IDS.attempt(), HASH, 2, "{}")
    await commit(books, [plan], 1)
    wrong = note(plan.payment, 1, evidence=(told,))._replace(**moved)
    batch = wrong, note(plan.payment, 1), step(plan, 1, 5)
    assert await verdicts(books, *batch, careful=careful) == [V.UNBALANCED, V.APPLIED, V.APPLIED]
    assert await amount(books, A) == 85
    assert await books.fetchval("select count(*) from attempt") == 0
    assert await books.fetchval("select count(*) from spending") == 0
    assert await books.fetchval("select count(*) from evidence") == 1


@pytest.mark.parametrize("careful", [False, True])
async def test_an_account_nobody_opened_stops_only_a_plan_that_would_apply(
    books: Any, careful: bool
) -> None:
    plan = new(10)
    await commit(books, [plan], 1)
    late = step(plan, 7)._replace(transfers=((A, MISSING, 1),))
    assert await verdicts(books, late, new(1), careful=careful) == [V.STALE, V.APPLIED]


async def test_a_key_that_another_writer_stores_in_between_takes_no_money(
    books: Any, database_url: str
) -> None:
    other = await connect(database_url)
    transaction = other.transaction()
    await transaction.start()
    first = new(key="k")
    assert await verdicts(other, first) == [V.APPLIED]
    # The careful look does not see the key yet; its plan would take what the next one needs.
    waiting = asyncio.create_task(commit(books, [new(60, key="k"), new(60)], 1, careful=True))
    await somebody_waits(other)
    assert not waiting.done()
    await transaction.commit()
    assert [a.verdict for a in await waiting] == [V.DUPLICATE, V.APPLIED]
    await other.close()


MANY = sorted(IDS.attempt() for _ in range(8))  # ids of today, as customers' and keys too


def spends(minor: int) -> list[Plan]:
    """One plan a customer, the last customer first."""
    return [new(spend=(Spend(c, 404, 1, 202611, minor, 100, 100),)) for c in reversed(MANY)]


def told() -> list[Plan]:
    """One plan for each attempt that something was told of, the last attempt first."""
    return [new(evidence=(Evidence(a, HASH, 2, "said"),)) for a in reversed(MANY)]


async def waits_alone(
    committing: Coroutine[Any, Any, list[Verdicted]],
    url: str,
    *,
    held: tuple[Any, ...],
    free: tuple[Any, ...],
) -> None:
    """While a commit waits for what `held` has locked, `free` can lock what it says; a statement
    and its arguments each.
    """
    first, other = await connect(url), await connect(url)
    holding, looking = first.transaction(), other.transaction()
    await holding.start()
    await first.execute(*held)
    waiting = asyncio.create_task(committing)
    await somebody_waits(other)
    await looking.start()
    await other.execute("set local lock_timeout = 1000")
    await other.execute(*free)
    await looking.rollback()
    await holding.rollback()
    assert {a.verdict for a in await waiting} == {V.APPLIED}
    for connection in (first, other):
        await connection.close()


SPENDING = "insert into spending select 1, c, 404, 1, 9, 9, 202611, 9, 9 from unnest($1::uuid[]) c"
SPENT = "select from spending where customer = any($1::uuid[]) for update"
KEYS = "insert into payment_key select 1, k, k::uuid, k::uuid from unnest($1::text[]) k"
TOLD = "insert into evidence select e, $2, e, 1, 1, 2, 'said' from unnest($1::uuid[]) e"


@pytest.mark.parametrize(
    ("there", "lock", "plans", "careful"),
    [
        (SPENDING, SPENT, lambda: spends(1), False),
        (SPENDING, SPENT, lambda: spends(1), True),
        (SPENDING, SPENT, lambda: spends(-1), False),
        (None, KEYS, lambda: [new(key=k) for k in reversed(MANY)], False),
        (None, TOLD, told, False),
    ],
    ids=["counted", "counted in order", "given back", "keys", "evidence"],
)
async def test_whoever_waits_for_the_first_row_holds_none_of_the_others(
    books: Any,
    database_url: str,
    there: str | None,
    lock: str,
    plans: Callable[[], list[Plan]],
    careful: bool,
) -> None:
    """Rows are locked in their own order, whatever that of the plans: no two batches that meet
    wait for each other."""
    if there is not None:
        await books.execute(there, MANY)
    also = [HASH] if "$2" in lock else []
    waiting = commit(books, plans(), 1, careful=careful)
    await waits_alone(
        waiting, database_url, held=(lock, MANY[:1], *also), free=(lock, MANY[1:], *also)
    )


@pytest.mark.parametrize("careful", [False, True])
async def test_whoever_waits_for_the_first_account_holds_none_of_the_others(
    books: Any, database_url: str, careful: bool
) -> None:
    lock = "select from balance where id = any($1::bigint[]) for update"
    numbers = sorted((FREE, A, B))
    await commit(books, [new(3, debit=FREE, credit=n) for n in (A, B)], 1)
    plans = [new(1, debit=d, credit=c) for c in numbers for d in reversed(numbers) if d > c]
    waiting = commit(books, plans[::-1], 1, careful=careful)
    await waits_alone(waiting, database_url, held=(lock, numbers[:1]), free=(lock, numbers[1:]))


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize("minor", [1, -1])
async def test_whoever_waits_for_what_a_customer_may_spend_holds_no_payment(
    books: Any, database_url: str, minor: int, careful: bool
) -> None:
    made = [new() for _ in range(2)]
    await commit(books, made, 1)
    await books.execute(SPENDING, MANY)
    spend = Spend(MANY[0], 404, 1, 202611, minor, 100, 100)
    waiting = commit(books, [step(plan, 1, spend=(spend,)) for plan in made], 1, careful=careful)
    payments = "select from payment where id = any($1::uuid[]) for update"
    free = (payments, [plan.payment for plan in made])
    await waits_alone(waiting, database_url, held=(SPENT, MANY[:1]), free=free)


async def committers(url: str, count: int, batch_max: int) -> list[Committer]:
    out = []
    for _ in range(count):
        out.append(Committer(lambda: connect(url), Clock(), writers=2, batch_max=batch_max))
        await out[-1].start()
    return out


async def test_of_a_thousand_reservations_exactly_the_pool_is_given(
    books: Any, database_url: str
) -> None:
    await commit(books, [new(300, debit=FREE, credit=A)], 1)
    doors = await committers(database_url, 2, 50)
    answers = await asyncio.gather(*[doors[i % 2].submit(new(1)) for i in range(1000)])
    got = [a.verdict for a in answers]
    assert (got.count(V.APPLIED), got.count(V.INSUFFICIENT)) == (400, 600)
    assert await amount(books, A) == 0
    for door in doors:
        await door.stop()


async def test_one_key_a_hundred_times_by_four_writers_is_one_payment(
    books: Any, database_url: str
) -> None:
    doors = await committers(database_url, 2, 10)
    answers = await asyncio.gather(*[doors[i % 2].submit(new(1, key="k")) for i in range(100)])
    assert sorted({a.verdict for a in answers}) == [V.APPLIED, V.DUPLICATE]
    assert sum(a.verdict is V.APPLIED for a in answers) == 1
    assert len({a.known for a in answers if a.verdict is V.DUPLICATE}) == 1
    plan = new(1)
    await doors[0].submit(plan)
    moves = await asyncio.gather(*[doors[i % 2].submit(step(plan, 1)) for i in range(100)])
    assert sorted(a.verdict for a in moves) == [V.APPLIED] + [V.STALE] * 99
    assert await amount(books, A) == 98
    for door in doors:
        await door.stop()


async def test_a_lost_connection_is_unknown_and_the_committer_goes_on(
    books: Any, database_url: str
) -> None:
    (door,) = await committers(database_url, 1, 10)
    await door.submit(new(1))
    await books.execute("begin; lock table balance")
    pending = door.submit(new(1))
    await somebody_waits(books)
    await books.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where pid <> pg_backend_pid() and datname = current_database()"
    )
    with pytest.raises(CommitUnknown):
        await pending
    await books.execute("commit")
    # The other writer may learn only by sending that its connection is gone as well.
    assert (await door.submit_until_known(new(1))).verdict is V.APPLIED
    await door.stop()


async def test_a_reply_that_never_comes_is_unknown_and_the_plan_is_stored_once(
    books: Any, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As of a machine that vanished, or a pooler that lost its server: nobody ever says so."""
    writer = partial(connect, database_url, answer_seconds_max=0.5)
    door = Committer(writer, Clock(), writers=1)
    await door.start()
    await books.execute("begin; lock table balance")
    stored = asyncio.create_task(door.submit_until_known(new(1, key="once")))
    await until(lambda: door.trouble() == "TimeoutError")
    await books.execute("commit")
    assert (await stored).verdict is V.APPLIED
    assert "tried again: TimeoutError" in caplog.text
    assert await amount(books, A) == 99  # once
    await door.stop()


async def stops_no_writer(errors: list[Exception], database_url: str) -> None:
    """What connecting raises, once the connection of the only writer is gone."""
    left = list(errors)

    async def open_one() -> Any:
        if opened and left:
            raise left.pop()
        opened.append(await connect(database_url))
        return opened[-1]

    opened: list[Any] = []
    door = Committer(open_one, Clock(), writers=1)
    await door.start()
    opened[0].terminate()
    async with asyncio.timeout(120):
        assert (await door.submit_until_known(new(1))).verdict is V.APPLIED
    assert left == []
    await door.stop()


async def test_a_login_that_may_not_serve_for_a_while_stops_no_writer_for_good(
    books: Any, database_url: str
) -> None:
    """As while a restore makes the roles anew: `connect` says NotServed until they are there."""
    await stops_no_writer([NotServed("there is no such role")] * 3, database_url)


async def test_a_connection_that_fails_in_a_way_nobody_foresaw_stops_no_writer_for_good(
    books: Any, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A writer that ends is missed by nobody: every plan behind it would wait for ever."""
    mistakes = [RuntimeError("can't start new thread"), KeyError("a mistake")]
    await stops_no_writer(mistakes, database_url)
    assert caplog.text.count("for a reason nobody foresaw") == 2


class OnFullDisk:
    """A connection to a Postgres whose disk is full, for as long as it `is_full`."""

    is_full = True

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetchrow(self, *words: Any) -> Any:
        if self.is_full:
            raise asyncpg.DiskFullError("could not extend file: No space left on device")
        return await self._connection.fetchrow(*words)


async def test_a_disk_that_is_full_is_told_once_a_minute_and_what_waits_is_stored_later(
    books: Any, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def open_one() -> OnFullDisk:
        return OnFullDisk(await connect(database_url))

    door = Committer(open_one, Clock(), writers=1)
    await door.start()
    assert door.trouble() == ""
    for _ in range(3):
        with pytest.raises(CommitUnknown):
            await door.submit(new(1))
    assert door.trouble() == "DiskFullError"
    assert [r.message for r in caplog.records if "not stored" in r.message] == [
        "a batch of 1 plans was not stored, it is tried again:"
        " could not extend file: No space left on device"
    ]
    waiting = asyncio.create_task(door.submit_until_known(new(1)))
    await asyncio.sleep(0.1)
    OnFullDisk.is_full = False
    assert (await waiting).verdict is V.APPLIED
    assert door.trouble() == ""
    await door.stop()


async def test_a_plan_repeated_after_a_lost_reply_is_applied_once(
    books: Any, database_url: str
) -> None:
    (door,) = await committers(database_url, 1, 10)
    plan = new(1, key="once")
    assert (await door.submit_until_known(plan)).verdict is V.APPLIED
    # The reply was lost, says the caller, and repeats: the answer names its own payment.
    assert await door.submit(plan) == Verdicted(V.DUPLICATE, plan.payment)
    assert await amount(books, A) == 99
    await door.stop()


def test_nil_is_no_hash() -> None:
    assert int(NIL, 16) == 0 and len(NIL) == 32


async def test_a_writer_that_comes_back_to_an_empty_queue_waits_for_more(
    books: Any, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    opened: list[Any] = []

    async def open_one() -> Any:
        opened.append(await connect(database_url))
        return opened[-1]

    door = Committer(open_one, Clock(), writers=2, batch_max=10)
    await door.start()
    await door.submit(new(1))
    await books.execute(
        "select pg_terminate_backend(pid, 120000) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    await until(lambda: all(each.is_closed() for each in opened))  # it is felt at this end
    # Both writers are woken and connect again; the first one back takes both plans.
    answers = await asyncio.gather(door.submit(new(1)), door.submit(new(1)))
    assert [a.verdict for a in answers] == [V.APPLIED, V.APPLIED]
    assert (await door.submit(new(1))).verdict is V.APPLIED
    await door.stop()
    assert "nobody foresaw" not in caplog.text


@pytest.mark.parametrize("count", [2, 5])  # both writers are busy; three wait for them as well
async def test_a_door_that_is_shut_finishes_what_is_under_way_and_what_waits(
    books: Any, database_url: str, count: int
) -> None:
    (door,) = await committers(database_url, 1, 1)
    await books.execute("begin; lock table balance")
    pending = [door.submit(new(1)) for _ in range(count)]
    await somebody_waits(books)
    shutting = asyncio.create_task(door.stop())
    await asyncio.sleep(0.1)
    assert not shutting.done()
    await books.execute("commit")
    await shutting
    assert [answer.result().verdict for answer in pending] == [V.APPLIED] * count


async def test_whoever_waits_no_more_keeps_what_has_not_left_from_leaving(
    books: Any, database_url: str
) -> None:
    (door,) = await committers(database_url, 1, 1)
    await books.execute("begin; lock table balance")
    left = [door.submit(new(1)) for _ in range(2)]  # both writers are busy
    await until(lambda: door.batches == 2)
    left[0].cancel()  # it has left: nobody knows
    kept_back, stays = door.submit(new(1)), door.submit(new(1))
    kept_back.cancel()
    await books.execute("commit")
    assert (await stays).verdict is (await left[1]).verdict is V.APPLIED
    alone = door.submit(new(1))
    alone.cancel()
    await door.stop()
    assert await amount(books, A) == 97
    assert door.plans == 3


async def test_a_door_that_is_shut_waits_for_what_has_left_though_nobody_waits_for_its_answer(
    books: Any, database_url: str
) -> None:
    (door,) = await committers(database_url, 1, 1)
    await books.execute("begin; lock table balance")
    left = door.submit(new(1))
    await somebody_waits(books)
    left.cancel()
    shutting = asyncio.create_task(door.stop())
    await asyncio.sleep(0.1)
    assert not shutting.done()
    await books.execute("commit")
    await shutting
    assert await amount(books, A) == 99


async def test_what_cannot_leave_in_time_never_does(books: Any, database_url: str) -> None:
    clock = TestClock()
    door = Committer(partial(connect, database_url), clock, writers=1, batch_max=1)
    await door.start()
    await books.execute("begin; lock table balance")
    now = clock.epoch()
    left = door.submit(new(1), until=now + 1)  # in time, and its reply comes when it comes
    await until(lambda: door.batches == 1)
    late, in_time = door.submit(new(1), until=now + 1), door.submit(new(1), until=now + 99)
    clock.pass_(2)
    await books.execute("commit")
    with pytest.raises(LeftTooLate):
        await late
    assert (await left).verdict is (await in_time).verdict is V.APPLIED
    with pytest.raises(LeftTooLate):
        await door.submit_until_known(new(1), until=now)
    await door.stop()
    assert await amount(books, A) == 98


async def test_what_is_not_urgent_goes_with_what_is_and_soon_by_itself(
    books: Any, database_url: str
) -> None:
    (door,) = await committers(database_url, 1, 10)
    noted = door.submit(new(1), is_urgent=False)
    await asyncio.sleep(0)
    assert (await door.submit(new(1))).verdict is V.APPLIED
    assert (noted.done(), door.batches) == (True, 1), "one batch took both"
    assert (await door.submit(new(1), is_urgent=False)).verdict is V.APPLIED
    assert door.batches == 2

    left = [door.submit(new(1), is_urgent=False) for _ in range(3)]
    await door.stop()
    assert [answer.result().verdict for answer in left] == [V.APPLIED] * 3, "nothing is left behind"


async def test_a_door_that_is_shut_as_soon_as_it_is_open_leaves_no_connection(
    database_url: str,
) -> None:
    opened = []

    async def open_one() -> Any:
        opened.append(await connect(database_url))
        return opened[-1]

    door = Committer(open_one, Clock(), writers=2)
    await door.start()
    await door.stop()
    assert [connection.is_closed() for connection in opened] == [True, True]


async def test_a_plan_that_cannot_be_sealed_is_its_own_makers_trouble(
    books: Any, database_url: str
) -> None:
    def seal(plan: Plan) -> Plan:
        if plan.key == "bad":
            raise ValueError("no terms in it")
        return plan._replace(facts="sealed")

    door = Committer(partial(connect, database_url), Clock(), writers=1, seal=seal)
    await door.start()
    try:
        good = new(30)
        answer = door.submit(good)
        with pytest.raises(ValueError, match="no terms"):
            door.submit(new(30, key="bad"))
        assert (await answer).verdict is V.APPLIED
        kept = await books.fetchval("select facts from journal where payment = $1", good.payment)
        assert kept == "sealed"
    finally:
        await door.stop()

"""Who may carry out an intent, on a real Postgres."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from engine.clock import Ids, PaymentId, first_id_at
from engine.outbox import (
    HELD,
    LEASE_OLDEST,
    LEFT_BEHIND,
    LOOK_AT_ALL_SECONDS,
    NEVER_SENT,
    QUESTION,
    RETRY_SECONDS_MIN,
    YOUNG_LEASES,
    Outbox,
    SmsEnding,
)
from engine.ports import SmsReport
from tests.integration.world import TestClock


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
async def outbox(pool: Any, clock: TestClock) -> AsyncIterator[Outbox]:
    yield Outbox(pool, clock, lease_seconds=60)


async def put(pool: Any, clock: TestClock, *, lease: int = 60, kind: int = 10) -> str:
    intent = Ids(clock).intent()
    await pool.execute(
        "insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)"
        " values ($1, $1, 1, $3, 'receipt_payer:payer:', 0, $2)",
        intent, int(clock.epoch()) + lease, kind,
    )  # fmt: skip
    return intent


async def test_an_intent_is_claimed_once_however_many_ask(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    intent = await put(pool, clock)
    other = Outbox(pool, clock, lease_seconds=60)
    first = await asyncio.gather(outbox.claim(intent), outbox.claim(intent), other.claim(intent))
    assert sorted(first) == [0, 0, 1]
    assert not await outbox.claim(intent)
    assert not await outbox.claim(Ids(clock).intent())  # nobody ever stored that one


async def test_what_was_released_may_be_claimed_again_but_not_before_its_time(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    intent = await put(pool, clock)
    claim = await outbox.claim(intent)
    await outbox.release(intent, claim, clock.epoch() + 30)
    assert not await outbox.renew(intent, claim)  # who let go holds nothing any more
    assert await outbox.lease_left_behind(10) == []
    clock.pass_(31)
    (left,) = await outbox.lease_left_behind(10)
    assert (left.id, left.was_sent, left.payload) == (intent, False, "receipt_payer:payer:")
    assert not await outbox.claim(intent)  # taking it over was the claim
    clock.pass_(61)
    (again,) = await outbox.lease_left_behind(10)
    assert again.was_sent


async def test_who_was_overtaken_can_neither_release_nor_end_an_intent(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    intent = await put(pool, clock)
    claim = await outbox.claim(intent)
    clock.pass_(61)
    (left,) = await outbox.lease_left_behind(10)
    assert left.claim > claim
    await outbox.release(intent, claim, clock.epoch())
    assert not await outbox.end(intent, claim, NEVER_SENT)
    clock.pass_(30)
    assert await outbox.lease_left_behind(10) == []  # still held by whoever took it over
    clock.pass_(31)
    (again,) = await outbox.lease_left_behind(10)
    assert (again.was_sent, again.ended) == (True, None)


async def test_an_end_is_written_once_and_found_by_whoever_takes_the_intent_over(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    intent = await put(pool, clock)
    claim = await outbox.claim(intent)
    assert await outbox.end(intent, claim, '{"code":"1"}')
    assert await outbox.end(intent, claim, '{"code":"1"}')  # a repeat says the same
    clock.pass_(61)
    (left,) = await outbox.lease_left_behind(10)
    assert left.ended == '{"code":"1"}'
    assert not await outbox.end(Ids(clock).intent(), 1, NEVER_SENT)


@pytest.mark.parametrize("how", ["claimed", "renewed", "taken again", "withheld"])
async def test_whoever_has_an_intent_has_it_for_a_lease_from_then(
    pool: Any, clock: TestClock, outbox: Outbox, how: str
) -> None:
    """Some calls outlive a lease by far: nobody may make the same one beside them."""
    intent = await put(pool, clock, kind=2)
    if how == "renewed":
        assert await outbox.claim(intent) == 1
    if how == "taken again":
        assert await outbox.end(intent, await outbox.claim(intent), "it failed")
    clock.pass_(59)
    match how:
        case "claimed":
            assert await outbox.claim(intent)
        case "renewed":
            assert await outbox.renew(intent, 1)
        case "taken again":
            assert await outbox.take_again(intent, PaymentId(intent), 1, 2, "it failed")
        case _:
            assert await outbox.withhold(intent)
    clock.pass_(59)
    assert await outbox.lease_left_behind(10) == []
    clock.pass_(2)
    assert [left.id for left in await outbox.lease_left_behind(10)] == [intent]


@pytest.mark.parametrize("what", ["end", "release", "renew", "withhold"])
async def test_what_is_done_to_one_intent_is_done_to_no_other(
    pool: Any, clock: TestClock, outbox: Outbox, what: str
) -> None:
    """Most claims are a row's first, so their numbers are the same."""
    mine, other = await put(pool, clock), await put(pool, clock)
    if what != "withhold":
        assert await outbox.claim(mine) == await outbox.claim(other) == 1
    before = await pool.fetchrow("select * from outbox where id = $1", other)
    clock.pass_(30)
    match what:
        case "end":
            assert await outbox.end(mine, 1, NEVER_SENT)
        case "release":
            await outbox.release(mine, 1, clock.epoch())
        case "renew":
            assert await outbox.renew(mine, 1)
        case _:
            assert await outbox.withhold(mine)
    assert await pool.fetchrow("select * from outbox where id = $1", other) == before


async def test_an_order_that_left_is_taken_again_by_one_and_its_end_by_who_says_the_same(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    intent, payment = Ids(clock).intent(), PaymentId("9" * 32)
    first = [outbox.take_again(intent, payment, 1, 2, None) for _ in range(3)]
    assert sorted(await asyncio.gather(*first)) == [0, 0, 1]
    assert not await outbox.take_again(intent, payment, 1, 2, "it failed")
    assert not await outbox.claim(intent)  # it is under way
    await pool.execute("delete from outbox where id = $1", intent)
    assert await outbox.take_again(intent, payment, 1, 2, "it failed") == 1
    assert (
        await outbox.take_again(intent, payment, 1, 2, "it failed") == 2
    )  # who held it may be dead
    await outbox.let_go(intent, 1)
    assert not await outbox.end(intent, 1, "it failed")
    assert await outbox.end(intent, 2, "it failed")
    await outbox.let_go(intent, 2)  # it has ended: that is no hold any more
    assert await outbox.take_again(intent, payment, 1, 2, "it failed") == 3
    assert not await outbox.take_again(intent, payment, 1, 2, "it succeeded")
    assert not await outbox.take_again(intent, payment, 1, 2, None)
    clock.pass_(61)
    (left,) = await outbox.lease_left_behind(10)
    assert (left.kind, left.was_sent, left.ended) == (2, True, "it failed")


async def test_what_is_held_and_let_go_is_an_order_like_any_other(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    intent, payment = Ids(clock).intent(), PaymentId("9" * 32)
    claim = await outbox.take_again(intent, payment, 1, 2, "it failed")
    assert not await outbox.take_again(intent, payment, 1, 2, None)
    clock.pass_(61)
    (left,) = await outbox.lease_left_behind(10)
    assert left.ended == HELD
    await outbox.let_go(intent, claim)
    assert await outbox.still_there(intent)
    await outbox.let_go(intent, left.claim)
    assert await outbox.take_again(intent, payment, 1, 2, None) == 1


async def test_what_is_withheld_is_sent_by_nobody_and_what_was_claimed_is_not_withheld(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    fresh, taken = await put(pool, clock), await put(pool, clock)
    await outbox.claim(taken)
    assert not await outbox.withhold(taken)
    assert all(await asyncio.gather(*[outbox.withhold(fresh) for _ in range(3)]))
    assert not await outbox.claim(fresh)
    clock.pass_(61)
    left = {one.id: one.ended for one in await outbox.lease_left_behind(10)}
    assert left == {fresh: NEVER_SENT, taken: None}


async def test_questions_are_leased_apart_from_what_is_sent(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    message, question = await put(pool, clock), await put(pool, clock, kind=QUESTION)
    clock.pass_(61)
    (asked,) = await outbox.lease_questions(10)
    assert asked.id == question
    assert await outbox.lease_questions(10) == []
    (left,) = await outbox.lease_left_behind(10)
    assert left.id == message


async def test_two_sweeps_at_once_share_the_work(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    intents = {await put(pool, clock, lease=5) for _ in range(20)}
    clock.pass_(6)
    taken = await asyncio.gather(*[outbox.lease_left_behind(7) for _ in range(4)])
    ids = [left.id for some in taken for left in some]
    assert len(ids) == len(set(ids)) == 20
    assert set(ids) == intents


async def test_who_was_left_behind_longest_is_taken_over_first(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    """While more are left behind than a sweep takes, the oldest would else wait for ever."""
    intents = []
    for _ in range(4):
        intents.append(await put(pool, clock, lease=5))
        clock.pass_(1)
    clock.pass_(6)
    taken = [{left.id for left in await outbox.lease_left_behind(2)} for _ in range(2)]
    assert taken == [set(intents[:2]), set(intents[2:])]


async def test_the_newest_of_those_left_behind_are_taken_where_they_are_asked_for(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    intents = []
    for _ in range(4):
        intents.append(await put(pool, clock, lease=5))
        clock.pass_(1)
    clock.pass_(6)
    taken = await outbox.lease_left_behind(3, newest=True)
    assert {left.id for left in taken} == set(intents[1:])


async def test_what_another_sweep_is_taking_is_neither_waited_for_nor_taken_too(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    mine, theirs = await put(pool, clock, lease=5), await put(pool, clock, lease=5)
    clock.pass_(6)
    async with pool.acquire() as other, other.transaction():
        await other.execute("select from outbox where id = $1 for update", theirs)
        async with asyncio.timeout(120):
            taken = await outbox.lease_left_behind(10)
    assert [left.id for left in taken] == [mine]


OLD = (YOUNG_LEASES + 1) * 60
"""Seconds after which an intent is walked over only now and then."""


@pytest.mark.parametrize("how", ["released", "put back", "as a question"])
async def test_what_was_put_off_is_found_when_its_time_has_come_however_old_it_is(
    pool: Any, clock: TestClock, outbox: Outbox, how: str
) -> None:
    kind = QUESTION if how == "as a question" else 10
    look = outbox.lease_questions if kind == QUESTION else outbox.lease_left_behind
    intent = await put(pool, clock, kind=kind)
    clock.pass_(OLD)
    (left,) = await look(10)
    pause = 30.0
    if how == "put back":
        await outbox.put_back(left)
        pause = OLD / 2
    else:
        await outbox.release(intent, left.claim, clock.epoch() + pause)
    clock.pass_(pause - 20)
    assert await look(10) == []  # everything was walked now, and is not for a while
    clock.pass_(21)
    assert [left.id for left in await look(10)] == [intent]


async def test_what_was_left_behind_long_ago_is_found_within_a_minute(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    """Of such a row nothing says when it is due: no hot path writes that down where it is found."""
    intent = await put(pool, clock, lease=OLD + 1)
    clock.pass_(OLD)
    assert await outbox.lease_left_behind(10) == []
    clock.pass_(LOOK_AT_ALL_SECONDS)
    assert [left.id for left in await outbox.lease_left_behind(10)] == [intent]


async def test_however_short_a_lease_is_what_was_just_left_behind_is_found_at_once(
    pool: Any, clock: TestClock
) -> None:
    outbox = Outbox(pool, clock, lease_seconds=1)
    intent = await put(pool, clock, lease=1)
    assert await outbox.lease_left_behind(10) == []  # everything was walked
    clock.pass_(RETRY_SECONDS_MIN + 1)
    assert [left.id for left in await outbox.lease_left_behind(10)] == [intent]


async def test_all_that_was_left_behind_long_ago_is_worked_off_without_a_pause(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    intents = {await put(pool, clock) for _ in range(5)}
    clock.pass_(OLD)
    taken = [left.id for _ in range(3) for left in await outbox.lease_left_behind(2)]
    assert len(taken) == 5
    assert set(taken) == intents


@pytest.mark.parametrize("newest", [False, True])
async def test_neither_what_was_put_off_nor_what_was_left_behind_waits_behind_the_other(
    pool: Any, clock: TestClock, outbox: Outbox, *, newest: bool
) -> None:
    put_off = [await put(pool, clock) for _ in range(4)]
    for intent in put_off:
        await outbox.release(intent, await outbox.claim(intent), clock.epoch() + 60)
    left_behind = [await put(pool, clock) for _ in range(4)]
    clock.pass_(OLD)
    taken = {left.id for left in await outbox.lease_left_behind(4, newest=newest)}
    assert len(taken & {*put_off}) == len(taken & {*left_behind}) == 2


async def test_an_intent_that_was_put_off_and_then_claimed_is_taken_over_when_its_claim_ends(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    """Whoever claims it by its id writes no other time down for it."""
    intent = await put(pool, clock)
    await outbox.release(intent, await outbox.claim(intent), clock.epoch() + 3600)
    assert await outbox.claim(intent)
    clock.pass_(61)
    assert [left.id for left in await outbox.lease_left_behind(10)] == [intent]


async def test_a_look_reads_no_more_however_much_is_put_off(
    owner: Any, clock: TestClock, outbox: Outbox
) -> None:
    await put_off_many(owner, clock, 500)
    few = await pages_of_a_look(owner, clock)
    await put_off_many(owner, clock, 20_000)
    assert await pages_of_a_look(owner, clock) <= few + 20
    assert await outbox.lease_left_behind(10) == []


async def test_the_hot_path_writes_no_index_but_the_key(
    owner: Any, clock: TestClock, outbox: Outbox
) -> None:
    """An index on what a claim changes would give each claim an entry in the key as well."""
    transaction = owner.transaction()
    await transaction.start()
    try:
        intent = await put(owner, clock)
        claimed = await Outbox(owner, clock, lease_seconds=60).claim(intent)
        assert (claimed, await hot_updates(owner)) == (1, 1)
        assert await owner.fetchval("select pg_relation_size('outbox_put_off')") == EMPTY_INDEX
        await owner.execute("update outbox set put_off_until = 1 where id = $1", intent)
        assert await hot_updates(owner) == 1
        assert await owner.fetchval("select pg_relation_size('outbox_put_off')") > EMPTY_INDEX
    finally:
        await transaction.rollback()


EMPTY_INDEX = 8192
"""Bytes of one page, which is about the index itself."""


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[Any]:
    """The tables' owner, who may explain and count."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def put_off_many(owner: Any, clock: TestClock, rows: int) -> None:
    """All of them made days ago, put off until in an hour."""
    await owner.execute(
        "insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until,"
        " put_off_until) select (left($1, 14) || lpad(to_hex(n), 18, '0'))::uuid,"
        " gen_random_uuid(), 1, 10, 'receipt_payer:payer:', 0, $2, $2"
        " from generate_series((select count(*) from outbox) + 1, $3::bigint) n",
        first_id_at(clock.now() - timedelta(days=2)), int(clock.epoch()) + 3600, rows,
    )  # fmt: skip
    await owner.execute("vacuum analyze outbox")


async def pages_of_a_look(owner: Any, clock: TestClock) -> int:
    now = int(clock.epoch())
    lines = await owner.fetch(
        "explain (analyze, buffers, timing off) " + LEASE_OLDEST, now, 100, now + 60,
        first_id_at(clock.now() - timedelta(seconds=5)), list(LEFT_BEHIND),
        first_id_at(clock.now() - timedelta(seconds=YOUNG_LEASES * 60)),
    )  # fmt: skip
    read = next(row[0] for row in lines if "Buffers:" in row[0])
    return sum(int(word.split("=")[1]) for word in read.split() if "=" in word)


async def hot_updates(owner: Any) -> int:
    found: int = await owner.fetchval(
        "select pg_stat_get_xact_tuples_hot_updated('outbox'::regclass)"
    )
    return found


async def test_an_ended_sms_is_kept_and_its_intent_is_gone(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    intent = await put(pool, clock)
    ending = SmsEnding(intent, PaymentId(intent), 1, "receipt_payer", "sent", "ATXid_1")
    await asyncio.gather(outbox.end_sms(ending), outbox.end_sms(ending))
    await outbox.end_sms(ending)
    assert not await outbox.still_there(intent)
    assert await pool.fetchval("select count(*) from sms_message where status = 'sent'") == 1


async def test_what_was_said_of_a_payment_is_known_by_its_words(
    pool: Any, clock: TestClock, outbox: Outbox
) -> None:
    ids = Ids(clock)
    payment, other = ids.payment(), ids.payment()
    clock.pass_(1)

    async def end(template: str, status: str) -> None:
        await outbox.end_sms(SmsEnding(ids.intent(), payment, 1, template, status))

    await end("receipt_payer", "sent")
    await end("payout_delayed", "refused:1")
    assert not await outbox.was_said(payment, "payout_delayed")
    await end("payout_delayed", "unknown")  # it may have come
    assert await outbox.was_said(payment, "payout_delayed")
    assert not await outbox.was_said(other, "payout_delayed")


async def test_a_delivery_report_may_come_twice_and_before_the_message(
    pool: Any, outbox: Outbox
) -> None:
    report = SmsReport("ATXid_1", "Success", delivered=True)
    later = SmsReport("ATXid_1", "Failed", delivered=False, failure="UserIsInactive")
    await asyncio.gather(*[outbox.keep_report(1, r) for r in (report, report, later)])
    await outbox.keep_report(1, report)
    rows = await pool.fetch("select status, delivered, failure from sms_report order by status")
    assert [tuple(r) for r in rows] == [
        ("Failed", False, "UserIsInactive"),
        ("Success", True, ""),
    ]

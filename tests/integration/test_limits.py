"""What customers may spend in a day and a month, counted by the commit itself."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from engine.clock import Clock, Ids
from engine.database import connect
from engine.ledger.chart import Account, Kind
from engine.ledger.commit import commit
from engine.ledger.committer import Committer
from engine.ledger.plans import UNLIMITED, Plan, Spend, Verdict
from engine.payments.lifecycle import State

V = Verdict
IDS = Ids(Clock())
A = Account(1, "UGX", Kind.POOL_AVAIL).number
B = Account(1, "UGX", Kind.POOL_HELD).number
AMINA, BRIAN = "a" * 32, "b" * 32
KES, UGX = 404, 800
DAY, MONTH = 20_000, 202_611


@pytest.fixture
async def books(database_url: str) -> AsyncIterator[Any]:
    """A connection to books whose pool has 50."""
    connection = await connect(database_url)
    await connection.executemany(
        "insert into balance (id, guarded, amount) values ($1, true, $2)", [(A, 50), (B, 0)]
    )
    yield connection
    await connection.close()


def spend(minor: int, customer: str = AMINA, **fields: Any) -> Spend:
    return Spend(customer, KES, DAY, MONTH, minor, 100, 1_000)._replace(**fields)


def late(minor: int, customer: str = AMINA, **fields: Any) -> Spend:
    """Of a payment that had ended when its money came."""
    return spend(minor, customer, day_minor_max=UNLIMITED, month_minor_max=UNLIMITED, **fields)


def new(*spent: Spend, key: str | None = None, takes: int = 0) -> Plan:
    payment = IDS.payment()
    transfers = ((A, B, takes),) if takes else ()
    return Plan(
        payment, 0, 1, State.COLLECTING, key=key or payment, transfers=transfers, spend=spent
    )


async def verdicts(connection: Any, *plans: Plan) -> list[Verdict]:
    return [a.verdict for a in await commit(connection, plans, 1)]


async def _one(connection: Any, plan: Plan, *, careful: bool = False) -> Verdict:
    (answer,) = await commit(connection, [plan], 1, careful=careful)
    return answer.verdict


async def spent(connection: Any, customer: str = AMINA, currency: int = KES) -> tuple[int, int]:
    row = await connection.fetchrow(
        "select day_minor, month_minor from spending where customer = $1 and currency = $2",
        customer, currency,
    )  # fmt: skip
    return (row[0], row[1]) if row else (0, 0)


async def test_a_plan_at_the_limit_passes_and_one_unit_more_does_not(books: Any) -> None:
    assert await verdicts(books, new(spend(101))) == [V.OVER_LIMIT]
    assert await spent(books) == (0, 0)
    assert await verdicts(books, new(spend(60))) == [V.APPLIED]
    assert await verdicts(books, new(spend(41))) == [V.OVER_LIMIT]
    assert await verdicts(books, new(spend(40))) == [V.APPLIED]
    assert await spent(books) == (100, 100)


async def test_the_month_is_bounded_on_its_own(books: Any) -> None:
    for day in range(10):
        assert await verdicts(books, new(spend(100, day=DAY + day))) == [V.APPLIED]
    assert await verdicts(books, new(spend(1, day=DAY + 10))) == [V.OVER_LIMIT]
    assert await verdicts(books, new(spend(1, day=DAY + 10, month=MONTH + 1))) == [V.APPLIED]
    assert await spent(books) == (1, 1)


async def test_one_who_is_over_in_a_batch_does_not_stop_the_others(books: Any) -> None:
    plans = new(spend(60)), new(spend(60)), new(spend(40)), new(spend(100, BRIAN)), new()
    assert await verdicts(books, *plans) == [
        V.APPLIED, V.OVER_LIMIT, V.APPLIED, V.APPLIED, V.APPLIED,
    ]  # fmt: skip
    assert (await spent(books), await spent(books, BRIAN)) == ((100, 100), (100, 100))


async def test_currencies_are_counted_apart(books: Any) -> None:
    assert await verdicts(books, new(spend(100)), new(spend(100, currency=UGX))) == [V.APPLIED] * 2
    assert await spent(books, AMINA, UGX) == (100, 100)


async def test_a_repeat_is_a_duplicate_even_at_the_limit_and_counts_once(books: Any) -> None:
    first = new(spend(100), key="k")
    assert await verdicts(books, first) == [V.APPLIED]
    assert await verdicts(books, new(spend(100), key="k")) == [V.DUPLICATE]
    assert await verdicts(books, new(spend(0, day=DAY + 1), key="k2")) == [V.APPLIED]
    assert await spent(books) == (100, 100)


async def test_a_repeat_below_the_limit_is_counted_once(books: Any) -> None:
    assert await verdicts(books, new(spend(30), key="k")) == [V.APPLIED]
    assert await verdicts(books, new(spend(30), key="k"), new(spend(10))) == [
        V.DUPLICATE, V.APPLIED,
    ]  # fmt: skip
    assert await spent(books) == (40, 40)


async def test_what_the_pool_does_not_cover_is_not_counted(books: Any) -> None:
    plans = new(spend(30), takes=40), new(spend(30), takes=40), new(spend(30), takes=10)
    assert await verdicts(books, *plans) == [V.APPLIED, V.INSUFFICIENT, V.APPLIED]
    assert await spent(books) == (60, 60)


async def test_what_is_over_a_limit_takes_nothing_from_the_pool(books: Any) -> None:
    assert await verdicts(books, new(spend(101), takes=40)) == [V.OVER_LIMIT]
    assert await books.fetchval("select amount from balance where id = $1", A) == 50
    assert await books.fetchval("select count(*) from payment") == 0


async def test_giving_back_counts_for_its_own_day_and_month_only(books: Any) -> None:
    plan = new(spend(70))
    await verdicts(books, plan)
    await verdicts(books, new(spend(50, day=DAY + 1)))
    back = Plan(plan.payment, 1, 1, 16, spend=(spend(-70),))
    assert await verdicts(books, back) == [V.APPLIED]
    assert await spent(books) == (50, 50)
    assert await verdicts(books, back) == [V.STALE]
    assert await spent(books) == (50, 50)


async def test_a_stale_move_counts_nothing(books: Any) -> None:
    plan = new(spend(10))
    await verdicts(books, plan)
    late = Plan(plan.payment, 7, 1, 19, spend=(spend(5, day_minor_max=2**62),))
    assert await verdicts(books, late) == [V.STALE]
    assert await spent(books) == (10, 10)


async def test_a_clock_that_is_behind_counts_in_the_newer_day(books: Any) -> None:
    await verdicts(books, new(spend(60, day=DAY + 1)))
    assert await verdicts(books, new(spend(41))) == [V.OVER_LIMIT]
    assert await verdicts(books, new(spend(40))) == [V.APPLIED]


@pytest.mark.parametrize("careful", [False, True])
async def test_money_that_came_late_counts_in_its_own_day_and_month_alone(
    books: Any, careful: bool
) -> None:
    """Nothing would give it back in a newer one, and there it would keep valid payments out."""
    today = spend(60, day=DAY + 5, month=MONTH + 1)
    await verdicts(books, new(today))
    for came, expected in (
        (late(30), (60, 60)),
        (late(30, day=DAY + 4, month=MONTH + 1), (60, 90)),
        (late(30, day=DAY + 5, month=MONTH + 1), (90, 90)),
    ):
        assert await _one(books, new(came), careful=careful) is V.APPLIED
        assert await spent(books) == expected
        assert await _one(books, new(came._replace(minor=-30)), careful=careful) is V.APPLIED
        assert await spent(books) == (60, 60)
    assert await _one(books, new(late(999, day=DAY + 6, month=MONTH + 1))) is V.APPLIED
    assert await spent(books) == (999, 1059)  # of a day of its own, whatever the limit says


@pytest.mark.parametrize("day", [DAY, DAY + 1])
async def test_late_money_that_is_refused_leaves_a_newer_day_as_it_was(
    books: Any, day: int
) -> None:
    await verdicts(books, new(spend(60, day=DAY + 1), key="k"))
    assert await verdicts(books, new(late(40, day=day), key="k")) == [V.DUPLICATE]
    assert await spent(books) == (60, 60)


async def test_late_money_beside_a_clock_that_is_behind_is_told_from_it(books: Any) -> None:
    await verdicts(books, new(spend(50, day=DAY + 1)))
    beside = new(late(30)), new(spend(20)), new(late(7, BRIAN)), new(spend(20))
    assert await verdicts(books, *beside) == [V.APPLIED] * 4
    assert (await spent(books), await spent(books, BRIAN)) == ((90, 120), (7, 7))


async def test_where_everything_was_given_back_late_money_counts_once(books: Any) -> None:
    await verdicts(books, new(spend(50, day=DAY + 1)))
    await verdicts(books, new(spend(-50, day=DAY + 1)))
    assert await verdicts(books, new(late(30))) == [V.APPLIED]
    assert await spent(books) == (0, 30)


@pytest.mark.parametrize("refused_by", ["its key", "the pool", "its limit", "its version"])
async def test_a_refused_plan_of_a_later_day_leaves_the_earlier_one_as_it_was(
    books: Any, refused_by: str
) -> None:
    await verdicts(books, new(spend(60), key="k"))
    later = spend(50, day=DAY + 1, month=MONTH + 1)
    plans = {
        "its key": new(later, key="k"),
        "the pool": new(later, takes=51),
        "its limit": new(later._replace(minor=101)),
        "its version": Plan(IDS.payment(), 3, 1, 19, spend=(later,)),
    }
    assert V.APPLIED not in await verdicts(books, plans[refused_by])
    assert await verdicts(books, new(spend(41))) == [V.OVER_LIMIT]
    assert await spent(books) == (60, 60)
    row = await books.fetchrow("select day, month from spending")
    assert tuple(row) == (DAY, MONTH)


async def test_what_begins_a_day_in_doubt_is_decided_again_and_nobody_else_is_refused(
    books: Any,
) -> None:
    await verdicts(books, new(spend(60), key="k"))
    repeat = new(spend(50, day=DAY + 1), key="k")
    give = Plan(IDS.payment(), 0, 1, State.COLLECTING, key="give", transfers=((B, A, 50),))
    # Taken in order, the fourth would find nothing in B.
    plans = repeat, new(spend(100, BRIAN)), new(takes=50), give, new(takes=50)
    assert await verdicts(books, *plans) == [V.DUPLICATE] + [V.APPLIED] * 4
    assert await spent(books) == (60, 60)


async def test_a_repeat_pushes_nobody_over_the_limit(books: Any) -> None:
    await verdicts(books, new(spend(60), key="k"))
    assert await verdicts(books, new(spend(60), key="k"), new(spend(40))) == [
        V.DUPLICATE, V.APPLIED,
    ]  # fmt: skip
    assert await spent(books) == (100, 100)


async def test_two_days_in_one_batch_are_counted_one_after_the_other(books: Any) -> None:
    plans = new(spend(100)), new(spend(100, day=DAY + 1)), new(spend(1, day=DAY + 1))
    assert await verdicts(books, *plans) == [V.APPLIED, V.APPLIED, V.OVER_LIMIT]
    assert await spent(books) == (100, 200)


async def test_what_is_given_back_can_be_spent_by_the_next_of_the_batch(books: Any) -> None:
    plan = new(spend(70))
    await verdicts(books, plan)
    back = Plan(plan.payment, 1, 1, 16, spend=(spend(-70),))
    assert await verdicts(books, new(spend(31)), back, new(spend(100))) == [
        V.OVER_LIMIT, V.APPLIED, V.APPLIED,
    ]  # fmt: skip
    assert await spent(books) == (100, 100)


async def test_of_two_limits_that_a_plan_counts_against_both_or_none_are_counted(
    books: Any,
) -> None:
    plans = new(spend(60), spend(101, BRIAN)), new(spend(40), spend(100, BRIAN))
    for careful in (False, True):
        answers = await commit(books, plans[:1], 1, careful=careful)
        assert [a.verdict for a in answers] == [V.OVER_LIMIT]
        assert (await spent(books), await spent(books, BRIAN)) == ((0, 0), (0, 0))
    assert await verdicts(books, *plans) == [V.OVER_LIMIT, V.APPLIED]
    assert (await spent(books), await spent(books, BRIAN)) == ((40, 40), (100, 100))


@pytest.mark.parametrize("which", ["day_minor_max", "month_minor_max"])
async def test_each_plan_of_a_batch_is_held_to_its_own_limit(books: Any, which: str) -> None:
    """A customer whose tier was lowered between two payments that go to the books together."""
    await verdicts(books, new(spend(60)))
    limits: list[dict[str, Any]] = [{which: 100}, {which: 90}]
    high, low = (spend(20)._replace(**limit) for limit in limits)
    assert await verdicts(books, new(high), new(low)) == [V.APPLIED, V.OVER_LIMIT]
    assert await verdicts(books, new(low._replace(minor=11)), new(high)) == [
        V.OVER_LIMIT, V.APPLIED,
    ]  # fmt: skip
    assert await spent(books) == (100, 100)


@pytest.mark.parametrize("which", ["day_minor_max", "month_minor_max"])
async def test_who_never_paid_before_is_held_to_each_plans_own_limit_as_well(
    books: Any, which: str
) -> None:
    """Their row is made by the batch: what it begins with is bounded like what is added."""
    plenty = spend(60, day_minor_max=1_000)
    limits: list[dict[str, Any]] = [{which: 150}, {which: 100}]
    high, low = (plenty._replace(**limit) for limit in limits)
    assert await verdicts(books, new(high), new(low)) == [V.APPLIED, V.OVER_LIMIT]
    assert await spent(books) == (60, 60)


async def test_a_clock_that_is_behind_and_refused_leaves_nothing_in_the_newer_day(
    books: Any,
) -> None:
    await verdicts(books, new(spend(60, day=DAY + 1), key="k"))
    assert await verdicts(books, new(spend(40), key="k")) == [V.DUPLICATE]
    assert await spent(books) == (60, 60)


async def test_a_hundred_at_once_by_four_writers_pass_exactly_what_the_limit_covers(
    books: Any, database_url: str
) -> None:
    doors = [Committer(partial(connect, database_url), Clock(), batch_max=9) for _ in range(2)]
    for door in doors:
        await door.start()
    plans = [new(spend(7)) for _ in range(60)] + [new(spend(1, BRIAN)) for _ in range(40)]
    answers = await asyncio.gather(*[doors[n % 2].submit(p) for n, p in enumerate(plans)])
    found = [a.verdict for a in answers]
    assert found[:60].count(V.APPLIED) == 100 // 7
    assert set(found[:60]) == {V.APPLIED, V.OVER_LIMIT}
    assert found[60:] == [V.APPLIED] * 40
    assert (await spent(books), await spent(books, BRIAN)) == ((98, 98), (40, 40))
    for door in doors:
        await door.stop()

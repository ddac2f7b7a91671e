"""Guesses at PINs on a real Postgres: counted exactly, locked longer each time, keys rotated."""

import asyncio
import random
from typing import Any

import pytest

from engine.customers.customers import FOREVER, Customer, PinVerdict
from engine.customers.guesses import ATTEMPTS_MAX, LOCKS_MAX, Guesses
from engine.customers.pins import PinKeys
from engine.customers.store import COOL_DOWN_SECONDS, Customers
from engine.errors import CustomerMistake, NoWayNow, OurFault
from engine.msisdn import Msisdn
from tests.integration.customers_room import (
    NEW_KEY,
    OLD_KEY,
    OTHER_PHONE,
    PHONE,
    PIN,
    WRONG,
    StillClock,
    customers,
    registered,
)
from tests.integration.locks import outwaited, somebody_waits

LONG_SECONDS = 30.0
"""As no busy machine waits for a row that nobody holds."""
BOTH_KEYS = PinKeys({1: OLD_KEY, 2: NEW_KEY})


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


async def lock(house: Customers, customer: Customer, clock: StillClock) -> float:
    """Guess wrong until it is locked; for how many seconds it is."""
    for _ in range(ATTEMPTS_MAX):
        verdict = await house.check_pin(customer, WRONG)
    assert verdict.locked_until is not None
    return verdict.locked_until.timestamp() - clock.epoch()


@pytest.mark.parametrize("seed", range(4))
async def test_of_fifty_guesses_at_once_at_most_three_are_compared(
    pool: Any, clock: StillClock, seed: int
) -> None:
    """From three processes at once; the right PIN is among them and opens only if it came early."""
    draw = random.Random(seed)
    houses = [customers(pool, clock) for _ in range(3)]
    customer = await registered(houses[0])
    guesses = [PIN, *draw.sample([f"{n:04d}" for n in range(5000, 9000)], 49)]
    draw.shuffle(guesses)
    verdicts = await asyncio.gather(
        *(draw.choice(houses).check_pin(customer, guess) for guess in guesses)
    )
    right = [v for v in verdicts if v.right]
    wrong = [v for v in verdicts if not v.right and v.locked_until is None]
    # Two wrong ones and the third that locks; a right one among them begins the count again.
    assert len(right) <= 1
    assert 2 <= len(wrong) <= (4 if right else 2)
    assert await pool.fetchval("select pin_failures from customer") == ATTEMPTS_MAX
    assert not (await houses[0].check_pin(customer, PIN)).right


async def test_of_fifty_wrong_guesses_at_once_two_are_told_wrong_and_the_third_locks(
    pool: Any, clock: StillClock
) -> None:
    houses = [customers(pool, clock) for _ in range(3)]
    customer = await registered(houses[0])
    verdicts = await asyncio.gather(
        *(houses[n % 3].check_pin(customer, f"{n:04d}") for n in range(5000, 5050))
    )
    assert sorted(v.left for v in verdicts if v.locked_until is None) == [1, 2]
    row = await pool.fetchrow("select pin_failures, pin_locks from customer")
    assert tuple(row) == (ATTEMPTS_MAX, 1)


async def test_the_same_wrong_pin_twice_in_one_batch_counts_twice(
    pool: Any, clock: StillClock
) -> None:
    house = customers(pool, clock)
    customer, other = await registered(house), await registered(house, OTHER_PHONE)
    first = house.check_pin(customer, WRONG)  # gathers the rest meanwhile
    rest = [house.check_pin(who, WRONG) for who in (customer, other, other)]
    verdicts = await asyncio.gather(first, *rest)
    assert sorted(v.left for v in verdicts[:2]) == [1, 2]
    assert sorted(v.left for v in verdicts[2:]) == [1, 2]
    assert (await house.check_pin(customer, WRONG)).locked_until is not None


async def test_a_turn_that_two_processes_got_is_one_guess(pool: Any, clock: StillClock) -> None:
    houses = [customers(pool, clock) for _ in range(2)]
    customer = await registered(houses[0])
    for count in range(1, ATTEMPTS_MAX):
        guesses = (house.check_pin(customer, WRONG, f"turn:n:{count}") for house in houses * 3)
        verdicts = await asyncio.gather(*guesses)
        assert {(v.right, v.left) for v in verdicts} == {(False, ATTEMPTS_MAX - count)}
    last = [await house.check_pin(customer, WRONG, "turn:n:9") for house in houses]
    assert last[0] == last[1]
    assert last[0].locked_until is not None
    assert await pool.fetchval("select pin_locks from customer") == 1


async def test_other_pins_in_one_turn_are_guesses_of_their_own(
    pool: Any, clock: StillClock
) -> None:
    """Who gets one turn to two processes with another PIN in each has no try for nothing."""
    house = customers(pool, clock)
    customer = await registered(house)
    assert (await house.check_pin(customer, WRONG, "turn:n:1")).left == 2
    assert (await house.check_pin(customer, "9028", "turn:n:1")).left == 1
    assert (await house.check_pin(customer, WRONG, "turn:n:1")).locked_until is not None


async def test_a_wrong_guess_that_comes_again_behind_a_right_one_stays_wrong(
    pool: Any, clock: StillClock
) -> None:
    house = customers(pool, clock)
    customer = await registered(house)
    await house.check_pin(customer, WRONG, "turn:n:1")
    assert (await house.check_pin(customer, PIN, "turn:n:2")).right
    assert not (await house.check_pin(customer, WRONG, "turn:n:1")).right
    await house.change_pin(customer, "3690")
    assert not (await house.check_pin(customer, WRONG, "turn:n:1")).right
    assert [(await house.check_pin(customer, "3690", "turn:n:3")).right for _ in range(2)] == [
        True, True,
    ]  # fmt: skip


async def test_in_one_batch_everybody_hears_their_own_verdict(pool: Any, clock: StillClock) -> None:
    house = customers(pool, clock)
    people = [await registered(house, Msisdn(f"+2547120001{n:02d}")) for n in range(12)]
    await lock(house, people[0], clock)
    verdicts = await asyncio.gather(
        *(house.check_pin(who, PIN if n % 2 else WRONG) for n, who in enumerate(people))
    )
    assert [v.right for v in verdicts] == [bool(n % 2) for n in range(12)]
    assert [v.locked_until is not None for v in verdicts] == [True] + [False] * 11


async def test_processes_that_guess_at_the_same_customers_never_wait_in_a_circle(
    pool: Any, clock: StillClock
) -> None:
    """Whoever waits for one holds nobody whose id comes behind, in whatever order they guessed."""
    house = customers(pool, clock)
    people = [await registered(house, phone) for phone in (PHONE, OTHER_PHONE)]
    first, second = sorted(people, key=lambda person: person.customer_id)
    lock = "select true from customer where id = $1 for update nowait"
    async with pool.acquire() as other, other.transaction():
        await other.fetchval(lock, first.customer_id)
        guessing = asyncio.gather(*(house.check_pin(who, PIN) for who in (second, first)))
        await somebody_waits(other)
        assert await other.fetchval(lock, second.customer_id)
    assert [verdict.right for verdict in await guessing] == [True, True]


async def test_a_row_that_somebody_holds_keeps_others_waiting_for_a_moment_only(
    pool: Any, clock: StillClock
) -> None:
    house = customers(pool, clock)
    one, other = await registered(house), await registered(house, OTHER_PHONE)
    # The batch has the free row when it comes to the held one.
    free, held = sorted((one, other), key=lambda customer: customer.customer_id)
    guesses = Guesses(
        pool, 1, PinKeys({1: OLD_KEY}), clock, cool_down_seconds=60, wait_seconds=LONG_SECONDS
    )
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "select from customer where msisdn = $1 for update", str(held.msisdn)
        )

        async def guess() -> list[PinVerdict | BaseException]:
            together = [guesses.check(who, PIN) for who in (free, held, free)]
            return await asyncio.gather(*together, return_exceptions=True)

        outcomes = await outwaited(connection, guess(), LONG_SECONDS)
        assert [type(outcome) for outcome in outcomes] == [TimeoutError] * 3
        assert (await guesses.check(free, PIN)).right
    assert (await guesses.check(held, WRONG)).left == ATTEMPTS_MAX - 1


async def test_each_lock_in_a_row_is_longer_and_the_fourth_waits_for_staff(
    pool: Any, clock: StillClock
) -> None:
    house = customers(pool, clock)
    customer = await registered(house)
    for hours in (0.5, 2, 24):
        assert await lock(house, customer, clock) == hours * 3600
        clock.seconds += hours * 3600 - 1
        assert (await house.check_pin(customer, PIN)).locked_until is not None
        clock.seconds += 1
    await lock(house, customer, clock)
    clock.seconds += 10 * 365 * 24 * 3600
    verdict = await house.check_pin(customer, PIN)
    assert (verdict.right, verdict.until_reset, verdict.locked_until) == (False, True, FOREVER)
    with pytest.raises(NoWayNow, match=r"no_way\.locked_until_reset"):
        verdict.require_right()
    assert await pool.fetchval("select pin_locks from customer") == LOCKS_MAX


async def test_after_a_lock_there_are_as_many_guesses_as_before(
    pool: Any, clock: StillClock
) -> None:
    house = customers(pool, clock)
    customer = await registered(house)
    clock.seconds += await lock(house, customer, clock)
    verdict = await house.check_pin(customer, WRONG)
    assert (verdict.left, verdict.locked_until) == (ATTEMPTS_MAX - 1, None)


async def test_a_right_pin_makes_the_next_lock_short_again(pool: Any, clock: StillClock) -> None:
    house = customers(pool, clock)
    customer = await registered(house)
    for _ in range(2):
        clock.seconds += await lock(house, customer, clock)
    assert (await house.check_pin(customer, PIN)).right
    assert await lock(house, customer, clock) == COOL_DOWN_SECONDS


async def test_a_right_guess_is_stored_again_under_the_newest_key(
    pool: Any, clock: StillClock
) -> None:
    customer = await registered(customers(pool, clock))
    both = customers(pool, clock, keys=BOTH_KEYS)
    assert not (await both.check_pin(customer, WRONG)).right
    assert await pool.fetchval("select pin_key from customer") == 1
    assert (await both.check_pin(customer, PIN)).right
    assert await pool.fetchval("select pin_key from customer") == 2
    new_only = customers(pool, clock, keys=PinKeys({2: NEW_KEY}))
    assert (await new_only.check_pin(customer, PIN)).right
    assert not (await new_only.check_pin(customer, WRONG)).right


async def test_a_key_that_is_not_at_hand_locks_nobody_out(pool: Any, clock: StillClock) -> None:
    """While keys are rotated, one process may meet what another has stored under the new one."""
    customer = await registered(customers(pool, clock, keys=BOTH_KEYS))
    behind = customers(pool, clock)
    for _ in range(ATTEMPTS_MAX + 1):
        with pytest.raises(OurFault, match="PIN key 2"):
            await behind.check_pin(customer, PIN)
    assert await pool.fetchval("select pin_failures from customer") == 0
    assert (await customers(pool, clock, keys=BOTH_KEYS).check_pin(customer, PIN)).right


async def test_what_is_no_pin_is_no_guess(pool: Any, clock: StillClock) -> None:
    house = customers(pool, clock)
    customer = await registered(house)
    for text in ("", "482", "48260", "48\udc262", "48a6"):
        with pytest.raises(CustomerMistake, match=r"mistake\.pin_format"):
            await house.check_pin(customer, text)
    assert await pool.fetchval("select pin_failures from customer") == 0


async def test_a_changed_pin_opens_and_the_old_one_does_not(pool: Any, clock: StillClock) -> None:
    customer = await registered(customers(pool, clock))
    house = customers(pool, clock, keys=BOTH_KEYS)
    await house.check_pin(customer, WRONG)
    for _ in range(2):  # a repeat is harmless
        await house.change_pin(customer, "3690")
    row = await pool.fetchrow("select pin_failures, pin_locks, pin_key from customer")
    assert tuple(row) == (0, 0, 2)
    assert (await house.check_pin(customer, "3690")).right
    assert not (await house.check_pin(customer, PIN)).right


async def test_a_weak_pin_is_changed_to_by_nobody(pool: Any, clock: StillClock) -> None:
    house = customers(pool, clock)
    customer = await registered(house)
    for pin, key in (("1111", "mistake.pin_weak"), ("11", "mistake.pin_format")):
        for change in (house.change_pin, house.reset_pin):
            with pytest.raises(CustomerMistake, match=key):
                await change(customer, pin)
    assert (await house.check_pin(customer, PIN)).right


async def test_a_lock_that_fell_meanwhile_outlives_a_change(pool: Any, clock: StillClock) -> None:
    house = customers(pool, clock)
    customer = await registered(house)
    assert (await house.check_pin(customer, PIN)).right
    await lock(house, customer, clock)
    with pytest.raises(NoWayNow, match=r"no_way\.locked"):
        await house.change_pin(customer, "3690")
    clock.seconds += COOL_DOWN_SECONDS
    assert (await house.check_pin(customer, PIN)).right


async def test_anothers_pin_is_never_touched(pool: Any, clock: StillClock) -> None:
    house = customers(pool, clock)
    mine = await registered(house)
    elsewhere = customers(pool, clock, tenant=2)
    theirs = await registered(elsewhere)
    assert theirs.customer_id != mine.customer_id
    await house.change_pin(mine, "3690")
    assert (await elsewhere.check_pin(theirs, PIN)).right
    with pytest.raises(AssertionError):  # no statement of another tenant's finds them
        await elsewhere.change_pin(mine, "2580")
    assert (await house.check_pin(mine, "3690")).right
    assert mine.msisdn == theirs.msisdn == PHONE

"""The customer table on a real Postgres: registration, languages, and the limit of guesses."""

import asyncio
from typing import Any

import pytest

from engine.customers.pins import PinKeys
from engine.customers.store import ATTEMPTS_MAX, COOL_DOWN_SECONDS
from engine.errors import CustomerMistake
from tests.holds import holds
from tests.integration.customers_room import NEW_KEY, OLD_KEY, PHONE, StillClock, customers


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


async def test_a_registered_customer_is_found_in_their_tenant_only(
    pool: Any, clock: StillClock
) -> None:
    house = customers(pool, clock)
    assert await house.find(PHONE) is None
    customer = await house.register(PHONE, "KE", "sw", "4826")
    assert (customer.msisdn, customer.country, customer.language) == (PHONE, "KE", "sw")
    assert await house.find(PHONE) == customer
    assert await customers(pool, clock, tenant=2).find(PHONE) is None


async def test_registering_again_keeps_the_first_pin(pool: Any, clock: StillClock) -> None:
    house = customers(pool, clock)
    first, second = await asyncio.gather(
        house.register(PHONE, "KE", "en", "4826"), house.register(PHONE, "KE", "en", "4826")
    )
    assert first == second
    assert await house.register(PHONE, "KE", "sw", "9027") == first
    assert (await house.check_pin(first, "4826")).right
    assert not (await house.check_pin(first, "9027")).right


@pytest.mark.parametrize(
    ("pin", "key"), [("0000", "mistake.pin_weak"), ("123", "mistake.pin_format")]
)
async def test_a_weak_or_misshapen_pin_registers_nobody(
    pool: Any, clock: StillClock, pin: str, key: str
) -> None:
    house = customers(pool, clock)
    with pytest.raises(CustomerMistake) as caught:
        await house.register(PHONE, "KE", "en", pin)
    assert caught.value.text_key == key
    assert await house.find(PHONE) is None


async def test_neither_pin_nor_its_plain_hash_is_stored(pool: Any, clock: StillClock) -> None:
    await customers(pool, clock).register(PHONE, "KE", "en", "4826")
    row = await pool.fetchrow("select * from customer")
    assert not holds(repr(row), "4826")
    assert len(row["pin_mac"]) == 32


async def test_the_language_can_be_changed(pool: Any, clock: StillClock) -> None:
    house = customers(pool, clock)
    customer = await house.register(PHONE, "KE", "en", "4826")
    await house.set_language(customer.customer_id, "sw")
    found = await house.find(PHONE)
    assert found is not None
    assert found.language == "sw"


async def test_three_wrong_pins_lock_until_the_cool_down_is_over(
    pool: Any, clock: StillClock
) -> None:
    house = customers(pool, clock)
    customer = await house.register(PHONE, "KE", "en", "4826")
    assert [(await house.check_pin(customer, "9027")).left for _ in range(2)] == [2, 1]
    third = await house.check_pin(customer, "9027")
    assert third.locked_until is not None
    assert third.locked_until.timestamp() == clock.epoch() + COOL_DOWN_SECONDS
    for pin in ("4826", "9027"):  # while it lasts, not even the right one is compared
        verdict = await house.check_pin(customer, pin)
        assert (verdict.right, verdict.locked_until) == (False, third.locked_until)
    clock.seconds += COOL_DOWN_SECONDS
    wrong = await house.check_pin(customer, "9027")
    assert (wrong.left, wrong.locked_until) == (2, None)
    assert (await house.check_pin(customer, "4826")).right


async def test_a_right_pin_clears_the_count(pool: Any, clock: StillClock) -> None:
    house = customers(pool, clock)
    customer = await house.register(PHONE, "KE", "en", "4826")
    for _ in range(3):
        for _ in range(2):
            await house.check_pin(customer, "9027")
        assert (await house.check_pin(customer, "4826")).right


async def test_guesses_at_the_same_moment_cannot_exceed_three(pool: Any, clock: StillClock) -> None:
    house = customers(pool, clock)
    customer = await house.register(PHONE, "KE", "en", "4826")
    wrong = [f"{n:04d}" for n in range(5000, 5030)]
    verdicts = await asyncio.gather(*(house.check_pin(customer, pin) for pin in wrong))
    assert sorted(v.left for v in verdicts if v.locked_until is None) == [1, 2]
    assert len([v for v in verdicts if v.locked_until is not None]) == 28
    row = await pool.fetchrow("select pin_failures, pin_locked_until from customer")
    assert row["pin_failures"] == ATTEMPTS_MAX
    assert not (await house.check_pin(customer, "4826")).right


async def test_a_pin_of_an_older_key_still_opens(pool: Any, clock: StillClock) -> None:
    customer = await customers(pool, clock).register(PHONE, "KE", "en", "4826")
    both = customers(pool, clock, keys=PinKeys({1: OLD_KEY, 2: NEW_KEY}))
    assert (await both.check_pin(customer, "4826")).right
    assert not (await both.check_pin(customer, "9027")).right


async def test_a_language_without_texts_is_refused(pool: Any, clock: StillClock) -> None:
    house = customers(pool, clock, languages=("en", "am"))
    customer = await house.register(PHONE, "KE", "am", "4826")
    with pytest.raises(CustomerMistake, match=r"mistake\.language"):
        await house.set_language(customer.customer_id, "sw")
    with pytest.raises(CustomerMistake, match=r"mistake\.language"):
        await house.register(PHONE, "KE", "xx", "4826")
    assert await house.find(PHONE) == customer

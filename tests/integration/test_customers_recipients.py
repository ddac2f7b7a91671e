"""Saved recipients on a real Postgres: one's own, by name, at most ten."""

import asyncio
from typing import Any

import pytest

from engine.customers.customers import Recipient
from engine.customers.recipients import RECIPIENTS_MAX
from engine.errors import CustomerMistake
from engine.msisdn import Msisdn
from tests.integration.customers_room import OTHER_PHONE, StillClock, customers, registered

MAMA, BABA = Msisdn("+256772000002"), Msisdn("+254712000077")


def number(n: int) -> Msisdn:
    return Msisdn(f"+2567720001{n:02d}")


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


async def test_recipients_come_by_name_and_a_name_can_be_given_anew(
    pool: Any, clock: StillClock
) -> None:
    house = customers(pool, clock)
    me = (await registered(house)).customer_id
    assert await house.recipients(me) == []
    await house.save_recipient(me, MAMA, "mama")
    for _ in range(2):  # a repeat is harmless
        await house.save_recipient(me, BABA, "Baba")
    assert await house.recipients(me) == [Recipient(BABA, "Baba"), Recipient(MAMA, "mama")]
    await house.save_recipient(me, MAMA, "Aisha")
    assert await house.recipients(me) == [Recipient(MAMA, "Aisha"), Recipient(BABA, "Baba")]


async def test_names_come_in_their_order_whatever_their_capitals(
    pool: Any, clock: StillClock
) -> None:
    house = customers(pool, clock)
    me = (await registered(house)).customer_id
    saved = [(5, "Zawadi"), (3, "asha"), (4, "Asha"), (9, "baba"), (2, "baba")]
    for n, name in saved:
        await house.save_recipient(me, number(n), name)
    found = [(recipient.msisdn, recipient.name) for recipient in await house.recipients(me)]
    assert found == [
        (number(4), "Asha"), (number(3), "asha"), (number(2), "baba"), (number(9), "baba"),
        (number(5), "Zawadi"),
    ]  # fmt: skip


async def test_no_more_are_shown_than_a_list_may_have(pool: Any, clock: StillClock) -> None:
    """Of a release that let more be saved."""
    house = customers(pool, clock)
    me = (await registered(house)).customer_id
    await house.save_recipient(me, number(0), "P00")
    for n in range(1, RECIPIENTS_MAX + 2):
        await pool.execute(
            "insert into recipient (tenant, customer_id, msisdn, name, saved_at)"
            " select tenant, customer_id, $2, $3, saved_at from recipient"
            " where customer_id = $1 limit 1",
            me, str(number(n)), f"P{n:02d}",
        )  # fmt: skip
    found = await house.recipients(me)
    assert [recipient.name for recipient in found] == [f"P{n:02d}" for n in range(RECIPIENTS_MAX)]


async def test_a_removed_recipient_is_gone_and_removing_again_is_harmless(
    pool: Any, clock: StillClock
) -> None:
    house = customers(pool, clock)
    me = (await registered(house)).customer_id
    await house.save_recipient(me, MAMA, "Mama")
    for _ in range(2):
        await house.remove_recipient(me, MAMA)
    assert await house.recipients(me) == []


async def test_one_more_than_may_be_is_refused_but_those_there_can_be_renamed(
    pool: Any, clock: StillClock
) -> None:
    house = customers(pool, clock)
    me = (await registered(house)).customer_id
    for n in range(RECIPIENTS_MAX):
        await house.save_recipient(me, number(n), f"P{n}")
    with pytest.raises(CustomerMistake, match=r"mistake\.recipients_full"):
        await house.save_recipient(me, number(99), "Late")
    await house.save_recipient(me, number(3), "Amina")
    found = await house.recipients(me)
    assert (len(found), found[0]) == (RECIPIENTS_MAX, Recipient(number(3), "Amina"))
    await house.remove_recipient(me, number(4))
    await house.save_recipient(me, number(99), "Late")


async def test_two_phones_cannot_both_take_the_last_place(pool: Any, clock: StillClock) -> None:
    houses = [customers(pool, clock) for _ in range(2)]
    me = (await registered(houses[0])).customer_id
    for n in range(RECIPIENTS_MAX - 1):
        await houses[0].save_recipient(me, number(n), f"P{n}")
    # All connections are open beforehand, or opening them would be the queue.
    await asyncio.gather(*(pool.fetchval("select pg_sleep(0.1)") for _ in range(8)))
    for _ in range(5):
        outcomes = await asyncio.gather(
            *(houses[n % 2].save_recipient(me, number(50 + n), "Last") for n in range(8)),
            return_exceptions=True,
        )
        assert [type(o) for o in outcomes if o is not None] == [CustomerMistake] * 7
        assert len(await houses[0].recipients(me)) == RECIPIENTS_MAX
        await houses[0].remove_recipient(me, number(50 + outcomes.index(None)))


async def test_nobody_reaches_anothers_recipients(pool: Any, clock: StillClock) -> None:
    house, elsewhere = customers(pool, clock), customers(pool, clock, tenant=2)
    me = (await registered(house)).customer_id
    you = (await registered(house, OTHER_PHONE)).customer_id
    for n in range(RECIPIENTS_MAX):
        await house.save_recipient(me, number(n), f"P{n}")
    await house.save_recipient(you, MAMA, "Mama")  # mine do not fill yours
    await house.remove_recipient(you, number(1))
    await elsewhere.remove_recipient(me, number(1))
    with pytest.raises(AssertionError):
        await elsewhere.save_recipient(me, MAMA, "Mama")
    assert await house.recipients(you) == [Recipient(MAMA, "Mama")]
    assert await elsewhere.recipients(me) == []
    assert len(await house.recipients(me)) == RECIPIENTS_MAX


async def test_a_name_without_a_letter_saves_nothing(pool: Any, clock: StillClock) -> None:
    house = customers(pool, clock)
    me = (await registered(house)).customer_id
    with pytest.raises(CustomerMistake, match=r"mistake\.name"):
        await house.save_recipient(me, MAMA, " \n ")
    assert await house.recipients(me) == []

"""A client that hears a refusal is not charged all the same: by its own first request, whose commit
was under way still.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.integration.client_room import PRICE, ClientRoom, open_client_room
from tests.integration.locks import somebody_waits
from tests.integration.owner import Owner
from tests.leap import leap

SECONDS = 20.0  # which go by at once where something hangs
OVER_SECONDS = 600  # longer than any price is promised


async def payments(room: ClientRoom) -> int:
    count: int = await room.world.pool.fetchval(
        "select count(*) from payment where customer is not null"
    )
    return count


@asynccontextmanager
async def under_way(room: ClientRoom, asked: dict[str, Any], key: str) -> AsyncIterator[None]:
    """A payment that was asked for, whose commit hangs: so far its client was told nothing."""
    async with Owner(room.world.pool).acquire() as connection:
        holding = connection.transaction()
        await holding.start()
        await connection.execute("lock table balance in exclusive mode")  # it can be read
        asking = asyncio.create_task(room.post("/payments/send", asked, key=key))
        await somebody_waits(connection)
        leap(SECONDS)
        assert (await asking).json()["code"] == "outcome_unknown"
        yield
        await holding.rollback()


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[ClientRoom]:
    async with open_client_room(seeded_url, CAPP_API_ANSWER_SECONDS_MAX="20") as opened:
        yield opened


async def asked_again_meanwhile(room: ClientRoom, asked: dict[str, Any]) -> None:
    """What hangs is asked for again once its time is over: that waits, and is answered as paid."""
    async with under_way(room, asked, "order-00001"):
        room.world.clock.pass_(OVER_SECONDS)
        again = asyncio.create_task(room.post("/payments/send", asked, key="order-00001"))
        await asyncio.sleep(0.3)
        assert not again.done(), "nobody can say yet"
    answer = await again
    assert answer.status_code == 201, answer.text
    assert await payments(room) == 1


async def test_a_price_is_not_called_over_while_it_may_have_been_paid(room: ClientRoom) -> None:
    asked = {"quote": (await room.post("/quotes", PRICE)).json()["id"]}
    await asked_again_meanwhile(room, asked)


async def test_what_waits_to_leave_until_its_price_is_over_never_does(room: ClientRoom) -> None:
    """Its client has heard elsewhere that the price is over, and has acted on that."""
    quotes = [(await room.post("/quotes", PRICE)).json()["id"] for _ in range(4)]
    asking = []
    async with Owner(room.world.pool).acquire() as connection:
        holding = connection.transaction()
        await holding.start()
        await connection.execute("lock table balance in exclusive mode")
        for number, quote in enumerate(quotes):  # more than there are writers: the last one waits
            body = {"quote": quote}
            asking.append(
                asyncio.create_task(room.post("/payments/send", body, key=f"order-{number:05d}"))
            )
            await somebody_waits(connection)
            await asyncio.sleep(0.2)
        room.world.clock.pass_(OVER_SECONDS)
        again = await room.post("/payments/send", {"quote": quotes[-1]}, key="order-00003")
        assert (again.status_code, again.json()["reason"]) == (422, "quote_expired")
        await holding.rollback()
    *left, waited = [await each for each in asking]
    assert left[0].status_code == 201, left[0].text
    assert (waited.status_code, waited.json()["reason"]) == (422, "quote_expired")
    assert await payments(room) == sum(answer.status_code == 201 for answer in left)


async def test_a_reservation_is_not_called_over_while_it_may_have_been_drawn_on(
    room: ClientRoom,
) -> None:
    set_aside = {"amount": {"minor": 1_000_000, "currency": "UGX"}, "minutes": 1}
    reserved = (await room.post("/liquidity/reserve", set_aside)).json()["id"]
    asked = {**PRICE, "reservation": reserved}
    await asked_again_meanwhile(room, asked)


async def test_a_key_whose_refusal_was_waited_for_may_be_used_again(room: ClientRoom) -> None:
    over = {"quote": (await room.post("/quotes", PRICE)).json()["id"]}
    room.world.clock.pass_(OVER_SECONDS)
    refused = await room.post("/payments/send", over, key="order-00001")
    assert (refused.status_code, refused.json()["reason"]) == (422, "quote_expired")
    assert await payments(room) == 0
    await room.engine.rates.refresh(room.world.pool)
    fresh = {"quote": (await room.post("/quotes", PRICE)).json()["id"]}
    made = await room.post("/payments/send", fresh, key="order-00001")
    assert made.status_code == 201, made.text

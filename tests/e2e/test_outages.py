"""Redis or Postgres away in the middle of the day: a clear text, and no payment is harmed."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from simulator.ussd import UssdSession
from tests.e2e.city import OPERATOR, City
from tests.e2e.servers import Databases
from tests.ticks import counted

pytestmark = pytest.mark.long("servers are away for seconds, and payments wait for them")

ANSWER_SECONDS_MAX = 7.0  # a phone waits for eight
"""Well below the ten seconds a gateway waits."""

UNAVAILABLE = "CAPP cannot answer right now."


@pytest.fixture
async def without_redis(city: City, databases: Databases) -> AsyncIterator[Databases]:
    """A test may stop Redis; afterwards it runs and the server has found it again."""
    yield databases
    if databases.redis.process.poll() is not None:
        await asyncio.to_thread(databases.start_redis)
    await _dial_works_again(city)


async def _dial_works_again(city: City) -> UssdSession:
    async def answered() -> UssdSession | None:
        session = city.phone(city.newcomer("KE"))
        screen = await session.dial(city.places.shortcode)
        return session if screen.fault is None and not screen.ends else None

    return await city.until(answered, "dialling does not work again")


async def test_without_redis_every_turn_ends_with_a_clear_text_in_time(
    city: City, without_redis: Databases
) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    under_way = await city.order(payer, payee, 500)
    await asyncio.to_thread(without_redis.stop_redis)

    for session in (city.phone(city.newcomer("UG")), city.phone(payer)):
        async with counted() as ticks:
            screen = await session.dial(city.places.shortcode)
        assert screen.fault is None and screen.ends and screen.text.startswith(UNAVAILABLE)
        assert ticks.seconds < ANSWER_SECONDS_MAX
    screen = await city.type(under_way, payer.pin)
    assert screen.ends and screen.text.startswith(UNAVAILABLE)
    assert (await city.client.get(f"{city.places.server}/health")).status_code == 200
    assert await city.payments(payer) == []

    await asyncio.to_thread(without_redis.start_redis)
    await _dial_works_again(city)


async def test_payment_ends_while_redis_is_away(city: City, without_redis: Databases) -> None:
    await city.set_approval("ask")
    payer, payee = city.newcomer("UG"), city.newcomer("KE")
    await city.pay(payer, payee, 20_000)
    await city.prompt(payer)
    await asyncio.to_thread(without_redis.stop_redis)
    await city.approve(payer)
    payment = await city.ends(payer, "PAID")
    await city.assert_moved_once(payment, payer, payee)
    await city.told(payer, "Confirmed.")


@pytest.fixture
def without_postgres(databases: Databases) -> Iterator[Databases]:
    """A test may stop Postgres; afterwards it runs, whatever became of the test."""
    yield databases
    if databases.postgres.process.poll() is not None:
        databases.start_postgres()


async def test_payments_end_once_when_postgres_crashes_in_the_middle(
    city: City, without_postgres: Databases
) -> None:
    await city.set_approval("ask")
    asked = [
        (city.newcomer("KE"), city.newcomer("UG"), 500),
        (city.newcomer("UG"), city.newcomer("KE"), 20_000),
    ]
    sessions = [await city.order(payer, payee, amount) for payer, payee, amount in asked]
    for session, (payer, _, _) in zip(sessions, asked, strict=True):
        assert (await city.type(session, payer.pin)).ends
    for payer, _, _ in asked:
        await city.prompt(payer)

    await asyncio.to_thread(without_postgres.crash_postgres)
    for payer, _, _ in asked:
        await city.approve(payer)
    response = await city.client.get(f"{city.places.server}/health")
    assert response.status_code == 503
    session = city.phone(city.newcomer("KE"))
    async with counted() as ticks:
        screen = await session.dial(city.places.shortcode)
    assert screen.fault is None and screen.ends, "without Postgres a dial ends with a text"
    assert ticks.seconds < ANSWER_SECONDS_MAX
    await city.until(lambda: _callbacks_were_refused(city), "no callback was refused")
    await asyncio.to_thread(without_postgres.start_postgres)

    for payer, payee, _ in asked:
        payment = await city.ends(payer, "PAID")
        await city.assert_moved_once(payment, payer, payee)
        await city.told(payer, "Confirmed.")
    await city.assert_books()
    await _dial_works_again(city)


async def _callbacks_were_refused(city: City) -> bool | None:
    """A callback that could not be stored is not acknowledged: each payer's operator saw a 500."""
    for country in ("KE", "UG"):
        url = city.places.operators[OPERATOR[country]]
        found = (await city.client.get(f"{url}/_sandbox/callbacks")).json()["callbacks"]
        if not any(callback["status"] == 500 for callback in found):
            return None
    return True

"""No PIN reaches an argument, a log, an error or a traceback, whatever goes wrong."""

import asyncio
import logging
import re
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from engine.clock import Ids
from engine.customers.customers import Customer
from engine.customers.pins import PinKeys
from engine.customers.store import Customers
from engine.database import Pool, open_pool
from engine.privacy.seals import Seals, seals_of
from tests.integration.customers_room import OLD_KEY, OTHER_PHONE, StillClock, registered

pytestmark = pytest.mark.long(
    "each way a PIN could leak; tests/e2e/test_what_is_left.py looks after a whole run"
)

FIRST, MARKED = "4826", "7391"
"""Neither is part of a number or a time in these tests; of ids and MACs one may be by chance."""
DRAWN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}")
CALLS: dict[str, Callable[[Customers, Customer, str], Awaitable[Any]]] = {
    "register": lambda house, _, pin: house.register(OTHER_PHONE, "KE", "en", pin),
    "check": lambda house, customer, pin: house.check_pin(customer, pin),
    "change": lambda house, customer, pin: house.change_pin(customer, pin),
    "reset": lambda house, customer, pin: house.reset_pin(customer, pin),
}


class Overheard:
    """A pool that keeps every statement and argument that is sent."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.said: list[str] = []

    def acquire(self) -> "Overheard":
        return self

    async def __aenter__(self) -> "Overheard":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing was lent."""

    async def fetchmany(self, query: str, rows: list[Any], **options: Any) -> Any:
        self.said.append(f"{query} {rows!r}")
        async with self._pool.acquire() as connection:
            return await connection.fetchmany(query, rows, **options)

    @property
    def seals(self) -> Seals:
        return seals_of(self._pool)

    def __getattr__(self, name: str) -> Any:
        async def call(query: str, *arguments: Any, **_: Any) -> Any:
            self.said.append(f"{query} {arguments!r}")
            return await getattr(self._pool, name)(query, *arguments)

        return call


def house_on(pool: Any) -> Customers:
    clock = StillClock()
    return Customers(pool, 1, PinKeys({1: OLD_KEY}), Ids(clock), clock)


def told(error: BaseException) -> str:
    """All that a log or a report could show of an error: its chain, notes, details, arguments."""
    texts = ["".join(traceback.format_exception(error))]
    seen: BaseException | None = error
    while seen is not None:
        texts += [repr(seen), repr(seen.args), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    return DRAWN.sub("drawn", "\n".join(texts))


@pytest.mark.parametrize("call", CALLS)
async def test_no_statement_is_sent_a_pin(pool: Any, call: str) -> None:
    overheard = Overheard(pool)
    house = house_on(overheard)
    customer = await registered(house, pin=FIRST)
    await pool.execute("update customer set pin_reset_until = now() + interval '20 years'")
    await CALLS[call](house, customer, MARKED)
    assert len(overheard.said) > 2
    heard = DRAWN.sub("drawn", "\n".join(overheard.said))
    assert MARKED not in heard and FIRST not in heard


@pytest.mark.parametrize("call", CALLS)
async def test_an_error_while_postgres_is_away_holds_no_pin(
    database_url: str, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    caplog.set_level(logging.DEBUG)
    pool = await open_pool(database_url)
    customer = await registered(house_on(pool), pin=FIRST)
    await pool.close()

    async def refuse() -> Any:
        return await asyncpg.connect("postgresql://capp@127.0.0.1:1/none")

    for away in (pool, Pool(refuse, size=1)):
        with pytest.raises((asyncpg.InterfaceError, OSError)) as caught:
            await CALLS[call](house_on(away), customer, MARKED)
        assert MARKED not in told(caught.value)
    assert MARKED not in caplog.text


@pytest.mark.parametrize("call", CALLS)
async def test_an_error_of_a_statement_holds_no_pin(
    pool: Any, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    """Postgres quotes the whole row that a constraint refuses, and asyncpg keeps that."""
    caplog.set_level(logging.DEBUG)
    house = house_on(pool)
    customer = await registered(house, pin=FIRST)
    await pool.execute(
        "update customer set pin_reset_until = now() + interval '20 years';"
        "alter table customer add constraint broken check (pin_failures > 9) not valid"
    )
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await CALLS[call](house, customer, MARKED)
    assert "Failing row" in told(caught.value)
    assert MARKED not in told(caught.value)
    assert MARKED not in caplog.text


@pytest.mark.parametrize("call", CALLS)
async def test_an_error_of_the_clients_own_holds_no_pin(pool: Any, call: str) -> None:
    """asyncpg quotes an argument that it cannot write."""
    house = house_on(pool)
    customer = await registered(house, pin=FIRST)
    house._tenant = house._guesses._tenant = 1 << 40
    with pytest.raises(asyncpg.DataError) as caught:
        await CALLS[call](house, customer, MARKED)
    assert "1099511627776" in told(caught.value)
    assert MARKED not in told(caught.value)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("pin", [f"{MARKED}\udc26", f"{MARKED}0", f"{MARKED}\0", f" {MARKED}"])
async def test_an_error_about_what_was_typed_does_not_repeat_it(
    pool: Any, call: str, pin: str
) -> None:
    house = house_on(pool)
    customer = await registered(house, pin=FIRST)
    with pytest.raises(Exception, match=r"mistake\.pin_format") as caught:
        await CALLS[call](house, customer, pin)
    assert MARKED not in told(caught.value)


async def test_a_caller_who_hangs_up_leaves_no_pin_behind(
    pool: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    house = house_on(pool)
    customer = await registered(house, pin=FIRST)
    asyncio.get_running_loop().set_debug(True)  # slow steps are logged with their tasks
    guess = asyncio.create_task(house.check_pin(customer, MARKED))
    await asyncio.sleep(0)
    guess.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await guess
    assert MARKED not in told(caught.value) + repr(guess) + caplog.text
    verdict = await house.check_pin(customer, MARKED)
    assert verdict.left == 1  # the guess was on its way, and counted

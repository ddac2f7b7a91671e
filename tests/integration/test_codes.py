"""A payment by its code alone: the newest days first, all days in the end, and that very code."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from engine.clock import first_id_at
from engine.ledger.entries import MANUAL_FROM
from engine.payments.codes import find_by_code
from engine.payments.lifecycle import State
from engine.payments.payment import code_of, id_ending

TENANT = 1
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AGES = (
    timedelta(), timedelta(hours=3), timedelta(days=1), timedelta(days=3), timedelta(days=40),
    timedelta(days=511), timedelta(days=512), timedelta(days=513), timedelta(days=3000),
)  # fmt: skip
RANDOM = "70008123456789abcdef"


class Asked:
    """A connection in place of a pool, that keeps what was asked through it."""

    def __init__(self, connection: Any) -> None:
        self.fetchval = connection.fetchval
        self._connection = connection
        self.windows: list[tuple[str, str]] = []

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        self.windows.append((arguments[2], arguments[3]))
        return await self._connection.fetch(sql, *arguments)

    async def keep(
        self, payment_id: str, *, tenant: int = TENANT, state: int = State.COLLECTING
    ) -> None:
        await self._connection.execute(
            "insert into payment (id, tenant, state, version, way, terms)"
            " values ($1, $2, $3, 1, 0, 1)", payment_id, tenant, state,
        )  # fmt: skip


@pytest.fixture
async def asked(database_url: str) -> AsyncIterator[Asked]:
    """Payments of all ages, in a partition of their own; nothing stays."""
    connection = await asyncpg.connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    for (name,) in await connection.fetch(
        "select inhrelid::regclass::text from pg_inherits where inhparent = 'payment'::regclass"
    ):
        await connection.execute(f"drop table {name}")
    await connection.execute("create table payment_ever partition of payment default")
    yield Asked(connection)
    await transaction.rollback()
    await connection.close()


def made(age: timedelta, number: int) -> str:
    """An id of that age. The number is the last of its random digits."""
    return f"{first_id_at(NOW - age)[:12]}{RANDOM[:-1]}{number:x}"


async def test_a_payment_of_any_age_is_found_by_its_code(asked: Asked) -> None:
    ids = [made(age, number) for number, age in enumerate(AGES)]
    for payment_id in ids:
        await asked.keep(payment_id)
    assert [await find_by_code(asked, TENANT, code_of(id_)) for id_ in ids] == ids


async def test_a_new_payment_is_found_among_the_last_day_alone(asked: Asked) -> None:
    for number, age in enumerate(AGES):
        await asked.keep(made(age, number))
    assert await find_by_code(asked, TENANT, code_of(made(AGES[1], 1))) is not None
    assert asked.windows == [(first_id_at(NOW - timedelta(days=1)), "f" * 32)]


async def test_a_code_that_nothing_has_is_looked_for_once_everywhere(asked: Asked) -> None:
    await asked.keep(made(AGES[0], 0))
    assert await find_by_code(asked, TENANT, code_of(made(AGES[0], 1))) is None
    assert asked.windows[0][1] == "f" * 32
    assert asked.windows[-1][0] == "0" * 32
    looks = zip(asked.windows, asked.windows[1:], strict=False)
    assert all(newer[0] == older[1] for newer, older in looks)


async def test_another_code_with_the_same_ending_does_not_hide_an_older_payment(
    asked: Asked,
) -> None:
    wanted = made(AGES[4], 7)
    for age in (AGES[0], AGES[4]):
        other = made(age, 7)
        # The two bits of a code that are not in the ending.
        other = f"{other[:19]}{int(other[19], 16) ^ 3:x}{other[20:]}"
        assert code_of(other) != code_of(wanted)
        assert id_ending(code_of(other)) == id_ending(code_of(wanted))
        await asked.keep(other)
    await asked.keep(wanted)
    assert await find_by_code(asked, TENANT, code_of(wanted)) == wanted


async def test_nothing_but_the_tenants_own_payments_has_a_code(asked: Asked) -> None:
    mine, anothers, manual = (made(AGES[0], number) for number in range(3))
    assert await find_by_code(asked, TENANT, code_of(mine)) is None
    await asked.keep(mine)
    await asked.keep(anothers, tenant=2)
    await asked.keep(manual, state=MANUAL_FROM)
    assert await find_by_code(asked, TENANT, code_of(mine)) == mine
    assert await find_by_code(asked, TENANT, code_of(anothers)) is None
    assert await find_by_code(asked, TENANT, code_of(manual)) is None

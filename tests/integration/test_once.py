"""Keys of requests over a real database: who may take one up, and whose answer stays."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from engine.clock import Ids
from engine.database import open_pool
from engine.once import (
    KEPT_SECONDS,
    OF_CLIENTS,
    UNDER_WAY_SECONDS,
    Answered,
    Once,
    OtherRequest,
    Request,
    Taken,
    UnderWay,
)
from tests.integration.owner import Owner
from tests.integration.world import TestClock

CLIENT = "c" * 32
ASKED = Request(CLIENT, "order-0001", b"a" * 32)


class Kept(NamedTuple):
    """The requests of a tenant's clients, and a clock that is moved by hand."""

    once: Once
    clock: TestClock
    pool: Any

    async def taken(self, request: Request = ASKED) -> Taken:
        found = await self.once.take(request)
        assert isinstance(found, Taken)
        return found


@pytest.fixture
async def kept(database_url: str) -> AsyncIterator[Kept]:
    clock, pool = TestClock(), await open_pool(database_url, size=2)
    try:
        await pool.execute(
            "insert into client (id, tenant, name, made_ms) values ($1, 1, 'shop', 1)", CLIENT
        )
        yield Kept(Once(pool, 1, clock, Ids(clock), OF_CLIENTS), clock, pool)
    finally:
        await pool.close()


async def test_what_was_answered_is_answered_again_and_never_taken_up(kept: Kept) -> None:
    await kept.once.keep(ASKED, await kept.taken(), 201, b"{}")
    for _ in range(2):
        assert await kept.once.take(ASKED) == Answered(201, b"{}")
        kept.clock.pass_(UNDER_WAY_SECONDS + 1)


async def test_what_a_dead_process_began_is_taken_up_by_the_same_request_alone(kept: Kept) -> None:
    """Another one would be carried out as what the first has made."""
    first = await kept.taken()
    other = ASKED._replace(hash=b"b" * 32)
    assert await kept.once.take(ASKED) == UnderWay(UNDER_WAY_SECONDS)
    assert await kept.once.take(other) == OtherRequest()
    kept.clock.pass_(UNDER_WAY_SECONDS + 1)
    assert await kept.once.take(other) == OtherRequest()
    again = await kept.taken()
    assert again.operation == first.operation
    assert again.begun_ms > first.begun_ms


async def test_who_was_taken_for_dead_neither_answers_nor_gives_back(kept: Kept) -> None:
    slow = await kept.taken()
    kept.clock.pass_(UNDER_WAY_SECONDS + 1)
    current = await kept.taken()
    await kept.once.keep(ASKED, slow, 422, b"slow")
    assert isinstance(await kept.once.take(ASKED), UnderWay)
    await kept.once.give_back(ASKED, slow)
    assert isinstance(await kept.once.take(ASKED), UnderWay)
    await kept.once.keep(ASKED, current, 201, b"{}")
    assert await kept.once.take(ASKED) == Answered(201, b"{}")


async def test_an_answer_that_is_kept_stays(kept: Kept) -> None:
    taken = await kept.taken()
    await kept.once.keep(ASKED, taken, 201, b"first")
    await kept.once.keep(ASKED, taken, 409, b"second")
    await kept.once.give_back(ASKED, taken)
    assert await kept.once.take(ASKED) == Answered(201, b"first")


async def test_what_was_given_back_is_taken_anew_at_once(kept: Kept) -> None:
    first = await kept.taken()
    await kept.once.give_back(ASKED, first)
    assert (await kept.taken()).operation != first.operation


async def test_what_is_a_week_old_is_forgotten_and_no_other_tenants(kept: Kept) -> None:
    old = await kept.taken()
    await kept.once.keep(ASKED, old, 201, b"{}")
    owner = Owner(kept.pool)
    await owner.execute(
        "insert into client (id, tenant, name, made_ms) values ($1, 2, 'shop', 1)", "d" * 32
    )
    await owner.execute(
        "insert into client_request (tenant, client, key, hash, operation, begun_ms)"
        " select 2, $1, key, hash, operation, begun_ms from client_request",
        "d" * 32,
    )
    kept.clock.pass_(KEPT_SECONDS)
    assert await kept.once.take(ASKED) == Answered(201, b"{}")
    kept.clock.pass_(1)
    assert (await kept.taken()).operation != old.operation
    assert await owner.fetchval("select count(*) from client_request where tenant = 2") == 1

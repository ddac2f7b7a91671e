"""What is kept long enough is forgotten, nothing younger, and never a row of the journal."""

import argparse
from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels.commands.data import run_data
from channels.settings import BadSettings
from engine.clients.quote_store import KEPT_SECONDS as QUOTES_KEPT_SECONDS
from engine.clock import Ids
from engine.once import KEPT_SECONDS, OF_STAFF, Once, Request, Taken
from engine.payments.payins.judging import Stage
from engine.privacy.retention import KEPT, KINDS, LAW_DAYS, Retention
from tests.integration.privacy_room import KEYS, House, live_a_while, open_house
from tests.integration.world import settings_for

pytestmark = pytest.mark.long("lets every kind of row grow old")

DAY = 24 * 3600


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    async with open_house(database_url, **KEYS) as opened:
        await live_a_while(opened)
        await opened.pool.execute(
            "insert into sms_report (message_id, status, tenant, failure, at_ms)"
            " values ('m1', 'delivered', 1, '', $1)",
            int(opened.room.world.clock.epoch() * 1000),
        )  # fmt: skip
        await opened.pool.execute("update money_request set closed_as = 'paid', closed_ms = 1")
        await opened.pool.execute("update pay_in set stage = 6, due_ms = null")
        await opened.pool.execute(
            "update statement_line set taken_ms = $1", int(opened.room.world.clock.epoch() * 1000)
        )
        clock = opened.room.world.clock
        once = Once(opened.pool, 1, clock, Ids(clock), OF_STAFF)
        assert isinstance(await once.take(Request("a" * 32, "key-of-this", b"h" * 32)), Taken)
        yield opened


def retention(house: House, **days: int) -> Retention:
    return Retention(house.pool, 1, house.room.world.clock, days)


async def contents(pool: Any) -> dict[str, list[Any]]:
    names = await pool.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind in ('r', 'p') and not relispartition"
    )
    return {name: sorted(map(repr, await pool.fetch(f"select * from {name}"))) for (name,) in names}


async def test_nothing_young_is_forgotten(house: House) -> None:
    await house.pool.execute("delete from clearance")  # the life's own question is of another day
    before = await contents(house.pool)
    assert await retention(house).sweep() == 0
    assert await contents(house.pool) == before


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: kept.kind)
async def test_each_kind_goes_when_it_is_old_and_alone(house: House, kept: Any) -> None:
    clock = house.room.world.clock
    clock.pass_((kept.days + 1) * DAY)
    before, due = await contents(house.pool), await retention(house).due(kept)
    assert due > 0
    assert await retention(house).forget(kept) == due
    assert await retention(house).forget(kept) == 0
    after = await contents(house.pool)
    assert {name for name in before if before[name] != after[name]} == {kept.table}


async def test_the_journal_and_the_customers_stay_for_ever(house: House) -> None:
    house.room.world.clock.pass_(100 * LAW_DAYS * DAY)
    before = await contents(house.pool)
    assert await retention(house).sweep() > 0
    after = await contents(house.pool)
    for table in ("journal", "payment", "balance", "customer", "recipient", "spending", "attempt"):
        assert after[table] == before[table], table


@pytest.mark.parametrize("stage", Stage)
async def test_of_money_that_was_paid_in_nothing_goes_before_it_is_over(
    house: House, stage: Stage
) -> None:
    [payins] = [kept for kept in KEPT if kept.kind == "payins"]
    house.room.world.clock.pass_((payins.days + 1) * DAY)
    await house.pool.execute(
        "update pay_in set stage = $1::int, due_ms = 1, payment = case when $1 = $2 then id end",
        int(stage), int(Stage.TAKEN),
    )  # fmt: skip
    assert await retention(house).due(payins) == 0  # it is looked at once more
    await house.pool.execute("update pay_in set due_ms = null")
    is_over = stage in (Stage.DENIED, Stage.TAKEN, Stage.RETURNED, Stage.FOUND)
    assert await retention(house).forget(payins) == is_over
    assert await house.pool.fetchval("select payer = '' from pay_in") is is_over


async def test_a_request_that_has_not_ended_stays_however_old(house: House) -> None:
    [requests] = [kept for kept in KEPT if kept.kind == "requests"]
    house.room.world.clock.pass_((requests.days + 1) * DAY)
    await house.pool.execute("update money_request set closed_as = null, closed_ms = null")
    assert await retention(house).forget(requests) == 0


async def test_a_house_says_how_long(house: House, database_url: str) -> None:
    [messages] = [kept for kept in KEPT if kept.kind == "messages"]
    house.room.world.clock.pass_(40 * DAY)
    assert await retention(house).due(messages) == 0
    settings = settings_for(database_url, CAPP_KEPT_MESSAGES_DAYS="36")
    assert await retention(house, **settings.kept_days).due(messages) > 0
    with pytest.raises(BadSettings, match="CAPP_KEPT_EVIDENCE_DAYS"):
        settings_for(database_url, CAPP_KEPT_EVIDENCE_DAYS="3")


async def test_what_is_answered_again_for_a_week_is_kept_no_longer_and_no_shorter() -> None:
    promised = {kept.table: kept.days for kept in KEPT if kept.is_promised}
    assert promised == {"client_quote": 7, "client_request": 7, "staff_request": 7}
    assert {kept.kind for kept in KEPT if kept.is_promised}.isdisjoint(KINDS)
    assert KEPT_SECONDS == QUOTES_KEPT_SECONDS == 7 * DAY


async def test_a_dry_run_tells_and_changes_nothing(house: House, database_url: str) -> None:
    old = "0" * 32  # an id of the first day there was
    await house.pool.execute("update money_request set id = $1", old)
    before = await contents(house.pool)
    said: list[str] = []
    settings = settings_for(database_url, **KEYS)
    asked = argparse.Namespace(word="retain", dry_run=True)
    assert await run_data(settings, asked, said.append)
    assert await contents(house.pool) == before
    assert "requests   kept 730 days: 1 rows are older" in said
    assert await run_data(settings, argparse.Namespace(word="retain", dry_run=False), said.append)
    assert (await contents(house.pool))["money_request"] == []

"""Keys change while everybody works: nothing is unreadable, lost, or left behind."""

import argparse
import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import pytest

from channels.commands.data import run_data
from channels.privacy import give_keys
from engine.clock import Clock, Ids
from engine.compliance.history import HistoryStore
from engine.customers.customers import Recipient
from engine.customers.pins import PinKeys
from engine.customers.recipients import RECIPIENTS_MAX
from engine.customers.store import Customers
from engine.database import Pool, open_pool
from engine.errors import KeyNotAtHand, StaffMistake, Tampered
from engine.ledger.auditor import Pace
from engine.msisdn import Msisdn
from engine.once import Answered
from engine.privacy.holdings import HOLDINGS
from engine.privacy.key_store import StoredKey
from engine.privacy.resealing import Resealing
from engine.privacy.ring import KeyRing
from tests.integration.offices import office_of
from tests.integration.privacy_room import (
    ANSWERED,
    ASKED,
    KEYS,
    NAMED,
    NUMBERS,
    PEOPLE,
    columns_with,
    live_a_while,
    once_of,
    open_house,
    question,
    sealed_until_killed,
)
from tests.integration.world import settings_for
from tests.until import until

pytestmark = pytest.mark.long("turns the keys of whole tables, also under load")

OLD, NEW = "1:" + bytes(range(32)).hex(), "2:" + bytes(range(32, 64)).hex()
NOTICE = 1.0


def words(word: str, **more: Any) -> argparse.Namespace:
    return argparse.Namespace(word=word, pause_ms=0, **more)


@asynccontextmanager
async def process(database_url: str, keys: str = OLD) -> AsyncIterator[tuple[Pool, KeyRing]]:
    """A pool with a ring that is kept fresh, as a process has them."""
    async with AsyncExitStack() as closing:
        pool = await open_pool(database_url, size=4)
        closing.push_async_callback(pool.close)
        ring = await give_keys(settings_for(database_url, CAPP_DATA_KEYS=keys), pool)
        assert ring is not None
        fresh = asyncio.create_task(ring.keep_fresh((OSError,), NOTICE / 4))
        closing.callback(fresh.cancel)
        yield pool, ring


def house_on(pool: Pool) -> Customers:
    return Customers(pool, 1, PinKeys({1: b"p" * 32}), Ids(Clock()), Clock())


async def versions_of(pool: Any) -> dict[str, set[str]]:
    """Under which data keys the values of each column stand."""
    found = {}
    for holding in HOLDINGS:
        for column in holding.columns:
            bytes_too = f"encode({column}, 'escape')" if column == "answer" else column
            rows = await pool.fetch(
                f"select distinct split_part({bytes_too}, '.', 2) as version from {holding.table}"
                f" where {bytes_too} like 'v1.%'"
            )
            found[f"{holding.table}.{column}"] = {row["version"] for row in rows}
    return found


async def test_what_was_plain_is_sealed_while_it_is_served(database_url: str) -> None:
    async with open_house(database_url) as house:
        await live_a_while(house)
    settings = settings_for(database_url, **KEYS)
    said: list[str] = []
    assert await run_data(settings, words("seal"), said.append)
    assert await run_data(settings, words("seal"), said.append)  # a repeat finds nothing to do
    assert len([line for line in said if line.startswith("customer:")]) == 1
    async with process(database_url) as (pool, _):
        assert await columns_with(pool, PEOPLE) == set()
        brought = await house_on(pool).find(NUMBERS[0])
        assert brought is not None and brought.msisdn == NUMBERS[0]
        [mum] = await house_on(pool).recipients(brought.customer_id)
        assert (mum.msisdn, mum.name) == (NUMBERS[2], "Mum Nakato")


async def test_rows_of_before_are_found_and_entered_once(database_url: str) -> None:
    """Between setting the keys and `capp data seal`."""
    plain = await open_pool(database_url, size=1)
    before = await house_on(plain).register(NUMBERS[0], "KE", "en", "4826")
    await house_on(plain).save_recipient(before.customer_id, NUMBERS[1], "Brian")
    await plain.close()
    async with process(database_url) as (pool, _):
        house = house_on(pool)
        assert await house.find(NUMBERS[0]) == before
        assert await house.register(NUMBERS[0], "KE", "sw", "9173") == before
        await house.save_recipient(before.customer_id, NUMBERS[1], "B")
        assert [r.name for r in await house.recipients(before.customer_id)] == ["B"]
        await house.remove_recipient(before.customer_id, NUMBERS[1])
        assert await house.recipients(before.customer_id) == []
        assert await pool.fetchval("select count(*) from customer") == 1


async def test_a_recipient_of_before_is_renamed_in_a_full_list_and_removed(
    database_url: str,
) -> None:
    friends = [Msisdn(f"+2547120{n:05d}") for n in range(RECIPIENTS_MAX)]
    plain = await open_pool(database_url, size=1)
    me = (await house_on(plain).register(NUMBERS[0], "KE", "en", "4826")).customer_id
    for friend in friends:
        await house_on(plain).save_recipient(me, friend, f"F{friend[-2:]}")
    await plain.close()
    async with process(database_url) as (pool, _):
        house = house_on(pool)
        await house.save_recipient(me, friends[0], "Asha")  # no more than there were
        assert (await house.recipients(me))[0] == Recipient(friends[0], "Asha")
        assert len(await house.recipients(me)) == RECIPIENTS_MAX
        await house.remove_recipient(me, friends[1])
        assert {r.msisdn for r in await house.recipients(me)} == {*friends} - {friends[1]}


async def test_a_rotation_under_load_loses_nothing(database_url: str) -> None:
    """Two processes write and read all the time; the one that seals is killed in the middle."""
    drawn = random.Random(20261121)
    numbers = [Msisdn(f"+2547120{n:05d}") for n in range(400)]
    fresh_number, warm, stop = count(), asyncio.Event(), asyncio.Event()
    named: dict[Msisdn, str] = {}
    unreadable: list[Exception] = []

    async def work(house: Customers, reader: Customers) -> None:
        while not stop.is_set():
            n = next(fresh_number)
            me, friend = numbers[n % 400], drawn.choice(numbers)
            try:
                customer = await house.register(me, "KE", "en", "4826")
                if n < 400:
                    await house.save_recipient(customer.customer_id, friend, f"F{n}")
                    named[me] = f"F{n}"
                if len(named) > 100:
                    warm.set()
                found = await reader.find(drawn.choice(list(named)))
                assert found is not None
                await reader.recipients(found.customer_id)
            except (KeyNotAtHand, Tampered) as error:
                unreadable.append(error)

    async with (
        process(database_url) as (one, ring),
        process(database_url) as (two, other),
        process(database_url) as (third, sealing_ring),
    ):
        houses = house_on(one), house_on(two)
        workers = [asyncio.create_task(work(*pair)) for pair in (houses, houses[::-1]) * 2]
        await warm.wait()
        await sealing_ring.rotate(NOTICE)
        await until(lambda: ring.version == other.version == sealing_ring.version == 2)
        await sealed_until_killed(third, sealing_ring, rows=50)  # there are a hundred customers
        assert {"1", "2"} in (await versions_of(third)).values()
        assert await Resealing(third, 1, sealing_ring).seal(lambda _: None)
        stop.set()
        await asyncio.gather(*workers)
        assert await Resealing(third, 1, sealing_ring).seal(lambda _: None)
        assert unreadable == []
        assert set().union(*(await versions_of(third)).values()) == {"2"}
        for number, name in named.items():
            customer = await house_on(two).find(number)
            assert customer is not None and customer.msisdn == number
            [kept] = await house_on(one).recipients(customer.customer_id)
            assert kept.name == name
        assert await Resealing(third, 1, sealing_ring).retire(1) == [1]


async def test_a_look_from_before_a_rotation_that_ends_behind_it_goes_back_to_no_older_key(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with process(database_url) as (_, ring):
        read_all, has_read, may_end = ring._store.all, asyncio.Event(), asyncio.Event()

        async def read_once_slowly() -> list[StoredKey]:
            keys = await read_all()
            if not has_read.is_set():
                has_read.set()
                await may_end.wait()
            return keys

        monkeypatch.setattr(ring._store, "all", read_once_slowly)
        looking = asyncio.create_task(ring.refresh())
        await has_read.wait()
        rotating = asyncio.create_task(ring.rotate(0))
        await asyncio.wait({rotating}, timeout=0.5)
        may_end.set()
        await asyncio.gather(looking, rotating)
        assert ring.version == 2


async def test_a_change_that_comes_between_is_never_lost(database_url: str) -> None:
    async with process(database_url) as (pool, ring):
        house = house_on(pool)
        customer = await house.register(NUMBERS[0], "KE", "en", "4826")
        await house.save_recipient(customer.customer_id, NUMBERS[1], "Old")
        await ring.rotate(0)
        await ring.refresh()
        [recipients] = [h for h in HOLDINGS if h.table == "recipient"]

        class Slow:
            """Between a row's reading and its writing the customer gives it another name."""

            async def fetch(self, *asked: Any) -> list[Any]:
                rows: list[Any] = await pool.fetch(*asked)
                if rows and "name" in rows[0].keys():  # noqa: SIM118 - a record holds values
                    await house.save_recipient(customer.customer_id, NUMBERS[1], "New")
                return rows

            fetchval = pool.fetchval

        walked = await Resealing(Slow(), 1, ring).walk(recipients)
        assert (walked.sealed, walked.missed) == (0, 1)
        assert [r.name for r in await house.recipients(customer.customer_id)] == ["New"]


async def test_payments_go_on_over_a_rotation_and_the_books_stay_sealed(database_url: str) -> None:
    """The journal is never rewritten: what was sealed under the old key is read with it."""
    async with open_house(database_url, **KEYS) as house:
        world, ring = house.room.world, house.pool.seals
        office = office_of(world, {}, pace=Pace(0, 0))
        early = await house.room.arrived()
        await office.auditor.sweep()
        journal = await house.pool.fetch("select facts from journal order by 1")
        await ring.rotate(0)
        await ring.refresh()
        assert await Resealing(house.pool, 1, ring).seal(lambda _: None)
        late = await house.room.arrived()
        assert set(journal) <= set(await house.pool.fetch("select facts from journal"))
        for payment_id in (early, late):
            quote = (await world.payment(payment_id)).quote
            assert (quote.payer, quote.payee) == NUMBERS[:2]
        report = await office.auditor.audit_all()
        assert report.findings == ()
        seen = await house.pool.fetch("select facts from journal where facts like '[[%'")
        assert {row["facts"].split('"')[3].split(".")[1] for row in seen} == {"1", "2"}
        sent = await house.room.counter.recent_payments("b" * 32, NUMBERS[1])  # type: ignore[arg-type]
        assert len(sent) == 2


async def test_no_value_but_the_journals_stays_under_the_old_key(database_url: str) -> None:
    """Answers to clients too: what is read after the rotation is what was answered before it."""
    async with open_house(database_url, **KEYS) as house:
        await live_a_while(house)
        ring = house.pool.seals
        await ring.rotate(0)
        await ring.refresh()
        assert await Resealing(house.pool, 1, ring).seal(lambda _: None)
        found = await versions_of(house.pool)
        assert set().union(*found.values()) == {"2"}
        assert found["client_request.answer"] == found["clearance.names_sealed"] == {"2"}
        assert await HistoryStore(house.pool, 1).names_of(question().quote_id) == [NAMED]
        assert await once_of(house).take(ASKED) == Answered(201, ANSWERED)


async def test_wrapping_keys_are_exchanged_without_touching_a_value(database_url: str) -> None:
    said: list[str] = []
    async with process(database_url) as (pool, _):
        customer = await house_on(pool).register(NUMBERS[0], "KE", "en", "4826")
        kept = await pool.fetchval("select msisdn_sealed from customer")
    both = settings_for(database_url, CAPP_DATA_KEYS=f"{OLD},{NEW}")
    assert await run_data(both, words("rewrap"), said.append)
    assert await run_data(both, words("rewrap"), said.append)
    assert said == ["2 keys are wrapped anew", "0 keys are wrapped anew"]
    async with process(database_url, NEW) as (pool, _):
        assert await house_on(pool).find(NUMBERS[0]) == customer
        assert await pool.fetchval("select msisdn_sealed from customer") == kept
    with pytest.raises(KeyNotAtHand, match="wrapped by key 2"):
        async with process(database_url, OLD):
            raise AssertionError("it must not come up")


async def test_a_wrapped_key_that_was_changed_or_exchanged_is_refused(database_url: str) -> None:
    async with process(database_url) as (pool, _):
        await pool.execute(
            "update data_key d set wrapped = o.wrapped from data_key o where o.purpose <> d.purpose"
        )
    with pytest.raises(Tampered):
        async with process(database_url):
            raise AssertionError("it must not come up")


async def test_processes_that_begin_together_have_the_same_keys(database_url: str) -> None:
    async with process(database_url) as (_, first):
        rings = await asyncio.gather(*[_begun(database_url) for _ in range(5)])
        kept = first.seal("Amina", "x")
        assert {ring.open(kept, "x") for ring in rings} == {"Amina"}
        assert {ring.index(NUMBERS[0]) for ring in rings} == {first.index(NUMBERS[0])}


async def _begun(database_url: str) -> KeyRing:
    async with process(database_url) as (_, ring):
        return ring


async def test_keys_are_listed_and_a_rotation_is_one_command(database_url: str) -> None:
    settings = settings_for(database_url, **KEYS)
    said: list[str] = []
    async with process(database_url) as (pool, ring):
        await house_on(pool).register(NUMBERS[0], "KE", "en", "4826")
        assert await run_data(settings, words("rotate", notice_seconds=0.1), said.append)
        assert "customer: 1 of 1 rows sealed" in said and "data key 1 is retired" in said
        await until(lambda: ring.version == 2)  # a notice so short leaves no time to look in
        assert (await house_on(pool).find(NUMBERS[0])) is not None
    said.clear()
    assert await run_data(settings, words("keys"), said.append)
    assert [line.split()[:2] for line in said] == [["data", "1"], ["data", "2"], ["index", "1"]]
    assert "retired" in said[0] and said[1].endswith("in force")
    with pytest.raises(StaffMistake):
        await run_data(settings_for(database_url), words("keys"), said.append)

"""One row that nobody can open, changed behind our back or sealed under a key that is not at hand:
what is read or looked after together with it is not kept up by it.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.clock import Ids
from engine.compliance.history import Dossier, HistoryStore, Question
from engine.desk.proposals import Kind, Person, State
from engine.errors import Tampered
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.client_store import ClientPayments, Known, payment_key
from engine.payments.evidence import ordered_by
from engine.payments.payins.judging import Stage
from engine.payments.payment import Payment
from engine.payments.store import Attempted
from engine.ports import Accepted, PaidIn
from tests.integration.counter_room import AMINA, BRIAN
from tests.integration.owner import Owner
from tests.integration.privacy_room import FRIEND, KEYS, House, open_house

PIN = "4826"
REQUESTS = "select id, code, closed_as from money_request"


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    async with open_house(database_url, **KEYS) as opened:
        yield opened


async def spoil(pool: Any, table: str, column: str, which: str, id: str, of: str) -> None:
    """Put into one row what was sealed in another."""
    async with Owner(pool).acquire() as connection, connection.transaction():
        await connection.execute("set local session_replication_role = replica")
        done = await connection.execute(
            f"update {table} t set {column} = o.{column} from {table} o"
            f" where t.{which} = $1 and o.{which} = $2 and o.{column} is not null",
            id, of,
        )  # fmt: skip
        assert done != "UPDATE 0"


async def together(*asked: Any) -> list[Any]:
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_payments_and_their_attempts(house: House) -> None:
    world = house.room.world
    good, bad = await world.confirm(), await world.confirm()
    lives = [await world.live(good), await world.live(bad)]
    await spoil(world.pool, "journal", "facts", "payment", bad, good)
    read, error = await together(world.store.payment(good), world.store.payment(bad))
    assert isinstance(read, Payment) and isinstance(error, Tampered)
    read, error = await together(*map(world.store.attempt, lives))
    assert isinstance(read, Attempted) and isinstance(error, Tampered)


async def test_references_of_attempts(house: House) -> None:
    world = house.room.world
    world.mpesa.answers += [Accepted("theirs-1"), Accepted("theirs-2")]
    attempts = []
    for _ in range(2):
        attempts.append(await world.live(await world.confirm()))
        await world.dispatched()
    good, bad = attempts
    await spoil(world.pool, "evidence", "body", "attempt", bad, good)
    read, error = await together(*map(world.store.provider_references, attempts))
    assert read == {"theirs-1"} and isinstance(error, Tampered)


async def test_ways_of_attempts(house: House) -> None:
    world = house.room.world
    attempts = []
    for way in ("old", "new"):
        payment = await world.payment(await world.confirm())
        assert payment.live is not None
        await world.payments.stepper.keep(payment, (ordered_by(payment.live, way),))
        attempts.append(payment.live)
    good, bad = attempts
    await spoil(world.pool, "evidence", "body", "attempt", bad, good)
    read, error = await together(*map(world.store.ordered_by, attempts))
    assert read == "old" and isinstance(error, Tampered)


async def test_what_clients_repeat(house: House) -> None:
    world = house.room.world
    good = await world.confirm(key=payment_key("shop", "k1"))
    bad = await world.confirm(key=payment_key("shop", "k2"))
    await spoil(world.pool, "journal", "facts", "payment", bad, good)
    own = ClientPayments(world.pool, 1, world.store)
    read, error = await together(own.by_key("shop", "k1"), own.by_key("shop", "k2"))
    assert isinstance(read, Known) and isinstance(error, Tampered)


async def test_who_two_people_are(house: House) -> None:
    clock = house.room.world.clock
    for msisdn in (AMINA.msisdn, BRIAN.msisdn):
        await house.customers.register(msisdn, "KE", "en", PIN)
    amina, brian = [
        row["id"]
        for row in await house.pool.fetch("select id from customer order by id desc limit 2")
    ]
    await spoil(house.pool, "customer", "msisdn_sealed", "id", amina, brian)
    history, ids = HistoryStore(house.pool, 1), Ids(clock)

    def look(payer: Msisdn) -> Any:
        kes = Money(1, "KES")
        asked = Question(ids.hex(), clock.now(), payer, FRIEND, kes, kes)
        return history.look(asked, near_minor=1, watched=True)

    read, *others = await together(look(FRIEND), look(AMINA.msisdn), look(BRIAN.msisdn))
    assert isinstance(read, Dossier)
    assert {type(found) for found in others} == {Dossier, Tampered}


async def test_due_payments_are_looked_after(house: House) -> None:
    """Also those that wait behind it: the sweep begins with who waits longest."""
    world = house.room.world
    bad, good = await world.confirm(), await world.confirm()
    await world.dispatched()
    await spoil(world.pool, "journal", "facts", "payment", bad, good)
    world.clock.pass_(3600)
    await world.reconciler.sweep()
    assert [order.attempt_id for order in world.mpesa.questions] == [await world.live(good)]


async def test_late_news_are_asked_about(house: House) -> None:
    world = house.room.world
    lives = {}
    for _ in range(2):
        payment_id = await world.confirm()
        lives[payment_id] = await world.live(payment_id)
        await world.dispatched()
        await world.store.put_question(await world.payment(payment_id), lives[payment_id], 0, 0)
    bad, good = lives
    await Owner(world.pool).execute("update payment set due = null")
    await spoil(world.pool, "journal", "facts", "payment", bad, good)
    world.clock.pass_(60)
    await world.reconciler.sweep()
    assert [order.attempt_id for order in world.mpesa.questions] == [lives[good]]


async def test_intents_are_taken_over_and_what_never_left_stays_unsent(house: House) -> None:
    """One that was leased in vain and then counted as sent would never be said again."""
    world = house.room.world
    for number in range(2):
        await house.room.ask(28_000 + number, key=f"k{number}")
    bad, good = [
        row["id"].hex
        for row in await world.pool.fetch(
            "select id from outbox where payload is not null order by id"
        )
    ]
    await spoil(world.pool, "outbox", "payload", "id", bad, good)
    outbox = world.dispatcher._outbox
    world.clock.pass_(600)
    assert [left.id for left in await outbox.lease_left_behind(10) if not left.unread] == [good]
    assert await world.pool.fetchval("select sent_at is null from outbox where id = $1", bad)
    assert not [left for left in await outbox.lease_left_behind(10) if left.id == bad]
    world.clock.pass_(600)
    await world.pool.execute(
        "update outbox set payload = 'receipt_payer:payer:' where id = $1", bad
    )
    left = {left.id: left.was_sent for left in await outbox.lease_left_behind(10)}
    assert left == {bad: False, good: True}
    # By now it may have left, and that is not forgotten either.
    await spoil(world.pool, "outbox", "payload", "id", bad, good)
    world.clock.pass_(600)
    assert [left.id for left in await outbox.lease_left_behind(10) if not left.unread] == [good]
    assert await world.pool.fetchval("select sent_at is not null from outbox where id = $1", bad)


async def test_an_order_whose_payment_nobody_can_read_waits_and_counts_as_never_sent(
    house: House,
) -> None:
    """Else a payer whom nobody asked would be one who may have paid."""
    world = house.room.world
    world.dispatching = False
    bad, good = await world.confirm(), await world.confirm()
    waiting = await world.live(bad)
    await spoil(world.pool, "journal", "facts", "payment", bad, good)
    world.clock.pass_(61)
    assert await world.dispatcher.sweep() == 2
    await world.dispatched()
    assert [order.attempt_id for order in world.mpesa.orders] == [await world.live(good)]
    assert await world.pool.fetchval("select sent_at is null from outbox where id = $1", waiting)
    world.clock.pass_(59)
    assert await world.dispatcher.sweep() == 0
    world.clock.pass_(2)
    (again,) = await world.dispatcher._outbox.lease_left_behind(10)
    assert (again.id, again.was_sent) == (waiting, False)


async def test_pay_ins_are_looked_at(house: House) -> None:
    till = house.till
    bad = await till.room.pay_ins.hear(
        "mpesa_ke", PaidIn("R1", Money(100, "KES"), "hello", ""), proven=True
    )
    good = await till.room.pay_ins.hear(
        "mpesa_ke", PaidIn("R2", Money(100, "KES"), "hello", ""), proven=True
    )
    await spoil(till.world.pool, "pay_in", "reference", "id", bad.id, good.id)
    assert [p.id for p in await till.room.store.listed([Stage.HEARD], 9)] == [good.id]
    till.world.clock.pass_(60)
    await till.sweep()
    assert (await till.again(good)).stage.name == "SUSPENDED"


async def test_requests_end_when_their_time_is_over(house: House) -> None:
    room = house.room
    bad, good = await room.ask(28_000, key="k1"), await room.ask(29_000, key="k2")
    ids = {row["code"]: row["id"].hex for row in await house.pool.fetch(REQUESTS)}
    await spoil(house.pool, "money_request", "requester_msisdn", "id", ids[bad], ids[good])
    room.world.clock.pass_(7 * 24 * 3600)
    assert await room.requests.expire(room.world.clock.now()) == 1
    ended = {row["code"]: row["closed_as"] for row in await house.pool.fetch(REQUESTS)}
    assert ended == {bad: None, good: "expired"}


async def test_proposals_are_carried_out(house: House) -> None:
    """Approved by two people, and then their process died."""
    desk, pool = house.till.office.desk, house.pool
    made = []
    for number in range(2):
        pay_in = await house.till.announce("whose is it?", f"R{number}")
        asked = await desk.propose(
            Kind.RETURN_PAY_IN, {"pay_in": pay_in.id}, by=Person("amina"), note="called"
        )
        made.append(asked.id)
        await pool.execute(
            "update proposal set state = 'approved', decided_by = 'brian', decided_ms = made_ms"
            " where id = $1", asked.id
        )  # fmt: skip
    bad, good = made
    await spoil(pool, "proposal", "body", "id", bad, good)
    await desk.carry_out_approved()
    states = {r["id"].hex: r["state"] for r in await pool.fetch("select id, state from proposal")}
    assert states == {bad: State.APPROVED, good: State.WAITING}

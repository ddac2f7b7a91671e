"""A year of stored payments: those of the bench are true ones, and reads find theirs by index."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest

from engine.clock import Clock, PaymentId
from engine.database import Pool, open_pool
from engine.ledger.auditor import Auditor, Pace
from engine.msisdn import Msisdn, Prefixes
from engine.payments import client_store
from engine.payments.client_store import LAST, ClientPayments
from engine.payments.lifecycle import State
from engine.payments.past_store import PastStore
from engine.payments.routing import Directory
from engine.payments.store import PaymentStore
from engine.staff.reading import Reader
from tests.bench import commit, filling
from tests.bench.filling import CLIENT, PAYEE, PAYER, Crowd
from tests.bench.lives import KENYA, TENANT, UGANDA, live_one
from tests.bench.stored_house import TABLES
from tests.integration.books import as_agreed, assert_books

CROWD = Crowd(240)
NONE = "0" * 32


@pytest.fixture(scope="module")
def filled_url(shared_database_url: str) -> str:
    """A year of finished payments, and the one that they are copies of. Nobody sweeps it up."""
    asyncio.run(_fill(shared_database_url))
    return shared_database_url


async def _fill(url: str) -> None:
    await commit.endow(url)
    await live_one(url)
    connection = await asyncpg.connect(url)
    pattern = await filling.read_life(connection)
    await connection.close()
    await filling.fill(url, CROWD, pattern)
    await filling.settle(url)


@pytest.fixture
async def year(filled_url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(filled_url, size=2)
    yield pool
    await pool.close()


DIRECTORY = Directory({f.name: f for f in (KENYA, UGANDA)}, Prefixes({}), {})


def store_of(pool: Pool) -> PaymentStore:
    return PaymentStore(pool, DIRECTORY)


async def test_stored_payments_are_whole_and_their_books_are_right(year: Pool) -> None:
    await assert_books(year)
    lives = CROWD.payments + 1
    for table, each, more in TABLES:
        # Of the one that was lived no gateway has reported.
        expected = lives * each + more - (2 if table == "sms_report" else 0)
        assert await year.fetchval(f"select count(*) from {table}") == expected, table
    assert dict(await year.fetch("select id, amount from balance")) == commit.expected_balances(
        lives
    )
    at_once = Pace(lag_seconds=0, block_seconds=0)
    auditor = Auditor(year, TENANT, {}, Clock(), at_once, lambda facts, _: facts, as_agreed)
    report = await auditor.audit_all()
    assert report.findings == ()
    assert report.checked > 200, "a block of each day was compared with the journal"


async def test_stored_payments_are_read_as_those_that_were_lived(year: Pool) -> None:
    store = store_of(year)
    past, own = PastStore(year, TENANT, store, DIRECTORY), ClientPayments(year, TENANT, store)
    ids = [
        r["id"].hex for r in await year.fetch("select id from payment where customer is not null")
    ]
    assert len(set(ids)) == CROWD.payments + 1
    for payment_id in ids[:: len(ids) // 9]:
        payment = await store.payment(PaymentId(payment_id))
        assert payment is not None
        assert (payment.state, payment.version) == (State.PAID, 3)
        attempts = await Reader(year, TENANT, store).attempts(payment)
        assert [attempt.succeeded for attempt in attempts] == [True, True]
        attempted = await store.attempt(attempts[1].id)
        assert attempted is not None and attempted.payment == payment
    listed: list[str] = []
    while page := await own.listed(CLIENT, before=(listed or [LAST])[-1], most=7):
        listed += [standing.payment.payment_id for standing in page]
    assert listed == sorted(listed, reverse=True)
    assert len(set(listed)) == CROWD.payments // filling.CLIENT_EVERY
    busy = (await year.fetchval("select id from customer where msisdn = $1", PAYER.format(0))).hex
    seen = await past.recent_payments(busy, Msisdn(PAYEE.format(0)), 20)
    assert len(seen) == 20
    assert {summary.incoming for summary in seen} == {True, False}
    of_payer = await own.listed(CLIENT, customer=busy, most=100)
    theirs = await year.fetchval(
        "select count(*) from payment p join journal j on j.payment = p.id and j.version = 1"
        " where p.customer = $1 and j.facts like $2", busy, f'%"{CLIENT}"]',
    )  # fmt: skip
    assert len(of_payer) == theirs


async def test_what_is_asked_for_together_is_found_whatever_its_order(year: Pool) -> None:
    """Only months between the first and the last of it are opened, and nothing is mixed up."""
    async with year.acquire() as connection:
        undone = connection.transaction()
        await undone.start()
        ids = [row["id"] for row in await connection.fetch("select id from payment order by id")]
        three = [ids[n].hex for n in (0, len(ids) // 2, -1)]
        # The oldest was paid out once more, when the others were over.
        last = await connection.fetchval("select id from attempt order by id desc limit 1")
        await connection.execute(
            "insert into attempt (id, payment, tenant, direction, operator)"
            " values ($1, $2, $3, 2, 9)", f"{last.int + 1:032x}", three[0], TENANT,
        )  # fmt: skip
        attempts = await connection.fetch(
            "select id, payment, direction, operator from attempt where payment = any($1)", three
        )
        said = await connection.fetch(
            "select attempt, array_agg(body) from evidence where source = 4 and payment = any($1)"
            " group by 1", three,
        )  # fmt: skip
        assert (len(attempts), len(said)) == (7, 6)
        asked = [row["id"].hex for row in attempts]
        of = {row["id"].hex: row["payment"].hex for row in attempts}
        for _ in range(len(asked)):
            asked.append(asked.pop(0))
            for order in (asked, asked[::-1]):
                payments = [of[attempt] for attempt in order]
                found = await connection.fetch("select id from payments_by_id($1)", payments)
                assert [row["id"].hex for row in found] == sorted(payments)
                found = await connection.fetch(
                    "select attempt, id, direction, operator from payments_by_attempt($1)", order
                )
                assert sorted(found) == sorted(attempts)
                found = await connection.fetch("select * from evidence_from($1, 4::int2)", order)
                assert sorted(found) == sorted(said)
        await undone.rollback()


PLANS = {
    "payments_by_id": (("ordered", "low", "high"), "uuid[], uuid, uuid"),
    "payments_sent": (
        ("of_tenant", "by_customer", "since", "most", "collecting"),
        "int, uuid, uuid, int, smallint",
    ),
    "payments_received": (("of_tenant", "payee", "most", "paid"), "int, text, int, smallint"),
    "payments_of_client": (
        ("of_tenant", "client", "before", "most"), "int, text, uuid, int",
    ),
    "payments_ending": (
        ("of_tenant", "by_customer", "since", "payees", "ending", "collecting", "paid", "sent",
         "received"),
        "int, uuid, uuid, text[], text, smallint, smallint, uuid[], uuid[]",
    ),
    "evidence_from": (("ordered", "told_by", "low", "high"), "uuid[], smallint, uuid, uuid"),
}  # fmt: skip
"""By name: what its statements name, in order, and the types of those."""


async def test_every_read_goes_by_indexes_and_opens_no_month_it_need_not(year: Pool) -> None:
    newest = (await year.fetchval("select id from payment order by id desc limit 1")).hex
    attempt = (await year.fetchval("select id from attempt order by id desc limit 1")).hex
    customer = (await year.fetchval("select id from customer limit 1")).hex
    asked = {
        "payments_by_id": f"array['{newest}']::uuid[], '{newest}', '{newest}'",
        "payments_sent": f"1, '{customer}', '{NONE}', 10, 4",
        "payments_received": f"1, '{PAYEE.format(0)}', 10, 11",
        "payments_of_client": f"1, '{CLIENT}', '{newest}', 20",
        "payments_ending": f"1, '{customer}', '{newest}', array['{PAYEE.format(0)}'],"
        " '000000000000', 4, 11, '{}', '{}'",
        "evidence_from": f"array['{attempt}']::uuid[], 4, '{attempt}', '{attempt}'",
    }
    for name in PLANS:
        for plan in await plans_in(year, name, asked[name]):
            assert not re.search(r"Seq Scan|Merge Join|Hash Join|->  Sort", plan), f"{name}\n{plan}"
    (by_id,) = await plans_in(year, "payments_by_id", asked["payments_by_id"])
    assert by_id.count("Subplans Removed") == 2, by_id
    (evidence,) = await plans_in(year, "evidence_from", asked["evidence_from"])
    assert evidence.count("Subplans Removed") == 1, evidence
    sent, *_ = await plans_in(year, "payments_ending", asked["payments_ending"])
    assert sent.count("Subplans Removed") == 1, sent


@pytest.mark.parametrize("sql", ["_LISTED", "_LISTED_OF_PAYER"])
async def test_what_is_told_beside_a_clients_payments_goes_by_indexes(year: Pool, sql: str) -> None:
    """Between two moments: nothing is read of what lies before them."""
    newest = (await year.fetchval("select id from payment order by id desc limit 1")).hex
    customer = (await year.fetchval("select id from customer limit 1")).hex
    given = [TENANT, CLIENT, LAST, 20, newest, *([customer] if sql.endswith("PAYER") else [])]
    async with year.acquire() as connection, connection.transaction():
        await connection.execute("set local enable_seqscan = off")  # keys are few here
        lines = await connection.fetch(f"explain {getattr(client_store, sql)}", *given)
    plan = "\n".join(line[0] for line in lines)
    assert "using payment_key_of_client on payment_key" in plan, plan
    assert not re.search(r"Seq Scan", plan), plan


async def test_every_read_is_planned_once_for_all_arguments(year: Pool) -> None:
    rows = await year.fetch(
        "select proname, proconfig from pg_proc where proname ~ '^(payments|evidence)_'"
        " and pronamespace = 'public'::regnamespace"
    )
    assert {row["proname"] for row in rows} == {*PLANS, "payments_by_attempt"}
    assert all("plan_cache_mode=force_generic_plan" in row["proconfig"] for row in rows)


async def plans_in(pool: Pool, name: str, arguments: str) -> list[str]:
    """How each statement on tables in a function is carried out, under the function's settings."""
    names, types = PLANS[name]
    row = await pool.fetchrow("select prosrc, proconfig from pg_proc where proname = $1", name)
    plans = []
    for begun, returned in re.findall(
        r"array\(\n(.*?)\);\n|return query(.*?);", row["prosrc"], re.DOTALL
    ):
        statement = begun or returned
        for n, argument in enumerate(names, 1):
            statement = re.sub(rf"(?<![.\w]){argument}(?!\w)", f"${n}", statement)
        plans.append(await _plan(pool, row["proconfig"], f"({types}) as {statement}", arguments))
    return plans


async def _plan(pool: Pool, settings: Sequence[str], statement: str, arguments: str) -> str:
    async with pool.acquire() as connection:
        await connection.execute("begin")
        for setting in settings:
            await connection.execute("set local " + setting.replace("=", " = ", 1))
        await connection.execute(f"prepare read_{statement}")
        lines: list[Any] = await connection.fetch(f"explain execute read_({arguments})")
        await connection.execute("deallocate read_")
        await connection.execute("rollback")
    return "\n".join(line[0] for line in lines)

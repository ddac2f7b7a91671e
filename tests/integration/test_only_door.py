"""Money moves through the commit alone: a tenant's role has no other way, nor another's money."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from engine.clock import Clock, Ids
from engine.database import connect
from engine.ledger.books import open_accounts
from engine.ledger.chart import TENANT_MAX, Account, Kind
from engine.ledger.commit import columns, commit
from engine.ledger.entries import MANUAL_FROM
from engine.ledger.plans import CREATE, Evidence, Intent, Plan, Spend, Verdict, note
from engine.row_security import as_tenant, open_tenant
from tests.conftest import WORKER
from tests.integration.books import assert_books
from tests.integration.owner import tell_owner

V = Verdict
IDS = Ids(Clock())
REFUSED = asyncpg.InsufficientPrivilegeError
LOGIN = f"door_{WORKER}"
HASH = "0123456789abcdef" * 2
FLOAT = {t: Account(t, "UGX", Kind.FLOAT, 2) for t in (1, 2)}
POOL = {t: Account(t, "UGX", Kind.POOL_AVAIL) for t in (1, 2)}
OWN, OTHERS = ((FLOAT[t].number, POOL[t].number) for t in (1, 2))
NOT_YOURS = "a plan of another tenant"


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[Any]:
    """Books of two tenants with 100 in each one's pool; they must be right after every test."""
    connection = await connect(database_url)
    await open_tenant(connection, 2)
    await open_accounts(connection, [*FLOAT.values(), *POOL.values()])
    filled = [moves(1, OWN, 100), moves(2, OTHERS, 100)]
    assert await verdicts(connection, *filled) == [V.APPLIED] * 2  # the owner serves everybody
    yield connection
    await assert_books(connection)
    await connection.close()


@pytest.fixture
async def serving(database_url: str, owner: Any) -> AsyncIterator[Any]:
    """Who serves tenant 1."""
    connection = await connect(as_tenant(database_url, 1))
    yield connection
    await connection.close()


@pytest.fixture
def login(database_url: str) -> Iterator[str]:
    """The address of a login that may become capp_tenant_1 and is nobody else."""
    tell_owner(database_url, f"create role {LOGIN} login in role capp_tenant_1")
    parts = urlsplit(database_url)
    yield urlunsplit(parts._replace(netloc=f"{LOGIN}@{parts.netloc.rpartition('@')[2]}"))
    tell_owner(database_url, f"drop role {LOGIN}")


def moves(tenant: int, accounts: tuple[int, int], minor: int = 1, **fields: Any) -> Plan:
    payment = IDS.payment()
    transfers = ((*accounts, minor),)
    return Plan(
        payment, CREATE, tenant, MANUAL_FROM, key=payment, hash=HASH, transfers=transfers, **fields
    )


async def verdicts(connection: Any, *plans: Plan, careful: bool = False) -> list[Verdict]:
    return [answer.verdict for answer in await commit(connection, plans, 1, careful=careful)]


async def pool_of(owner: Any, tenant: int) -> int:
    minor: int = await owner.fetchval(
        "select amount from balance where id = $1", POOL[tenant].number
    )
    return minor


async def test_the_last_tenant_that_may_be_commits_as_any_other(owner: Any) -> None:
    """The number after its accounts' last is more than Postgres counts to."""
    for tenant in (TENANT_MAX - 1, TENANT_MAX):
        float_, pool = (Account(tenant, "UGX", k) for k in (Kind.FLOAT, Kind.POOL_AVAIL))
        gone = owner.transaction()
        await gone.start()
        assert await open_tenant(owner, tenant) == []
        await owner.execute(f"set local role capp_tenant_{tenant}")
        await open_accounts(owner, [float_, pool])
        own = (float_.number, pool.number)
        assert await verdicts(owner, moves(tenant, own)) == [V.APPLIED]
        assert await owner.fetchval("select sum(amount) from balance where id = $1", own[1]) == 1
        with pytest.raises(REFUSED, match=NOT_YOURS):
            await _call(owner, [moves(tenant, OTHERS)])
        await gone.rollback()


# By right.

RIGHTS = {
    "attempt": {"SELECT"},
    "balance": {"SELECT", "INSERT (id, guarded)"},
    "evidence": {"SELECT", "UPDATE (body)"},
    "journal": {"SELECT", "UPDATE (facts)"},
    "payment": {"SELECT", "UPDATE (due)"},
    "spending": {"SELECT"},
}
"""All that tenants' roles may do with what the commit alone writes."""


async def test_tenants_roles_have_these_rights_and_no_others(owner: Any) -> None:
    rows = await owner.fetch(
        "select c.relname, a.privilege_type as right, null as columns from pg_class c,"
        "   aclexplode(c.relacl) a where a.grantee = 'capp_tenant'::regrole"
        " union all"
        " select c.relname, a.privilege_type, string_agg(t.attname, ', ' order by attnum)"
        "   from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a"
        "  where a.grantee = 'capp_tenant'::regrole group by 1, 2"
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        right = row["right"] + (f" ({row['columns']})" if row["columns"] else "")
        found.setdefault(row["relname"], set()).add(right)
    assert {table: found[table] for table in RIGHTS} == RIGHTS


@pytest.mark.parametrize(
    "statement",
    [
        "insert into balance (id, guarded, amount) values ((1::bigint << 42) + 5, false, 5)",
        "update balance set amount = amount + 1",
        "update balance set guarded = false",
        "delete from balance",
        "insert into journal select payment, 2, tenant, state, at_ms, debits, credits, amounts"
        " from journal",
        "update journal set amounts = '{5}'",
        "delete from journal",
        "insert into payment (id, tenant, state, version, way, terms)"
        " values (gen_random_uuid(), 1, 3, 1, 0, 1)",
        "update payment set state = 2",
        "update payment set version = version + 1",
        "delete from payment",
        "insert into attempt values (gen_random_uuid(), gen_random_uuid(), 1, 0, 1)",
        "update attempt set operator = 9",
        "insert into evidence select id, id, id, 1, 1, 1, 'paid' from payment",
        "update evidence set payment = gen_random_uuid()",
        "delete from evidence",
        "insert into spending select 1, id, 404, 1, 0, 0, 1, 0, 0 from payment",
        "update spending set day_minor = 0",
        "delete from spending",
        "select from balance for update",
    ],
)
async def test_what_the_commit_alone_writes_nobody_else_writes(
    serving: Any, statement: str
) -> None:
    with pytest.raises(REFUSED, match="permission denied"):
        await serving.execute(statement)


async def test_the_commit_writes_all_of_it_for_who_serves_the_tenant(serving: Any) -> None:
    collect, pay, said = IDS.hex(), IDS.hex(), IDS.hex()
    spend = Spend(IDS.hex(), 800, 20_000, 202_611, 40, 50, 50)
    first = moves(
        1, OWN, 5, begins=collect, intents=(Intent(collect, 1, None, 0, 0),), spend=(spend,)
    )
    second = Plan(
        first.payment, 1, 1, MANUAL_FROM, ends=collect, begins=pay, done=(collect,),
        evidence=(Evidence(collect, HASH, 1, "paid"),), intents=(Intent(said, 1, None, 0, 0),),
        transfers=((POOL[1].number, FLOAT[1].number, 3),),
    )  # fmt: skip
    over = moves(1, OWN, 5, spend=(spend,))
    short = moves(1, (POOL[1].number, FLOAT[1].number), 1_000)
    assert await verdicts(serving, first) == [V.APPLIED]
    assert await verdicts(serving, over, second) == [V.OVER_LIMIT, V.APPLIED]
    assert await verdicts(serving, short) == [V.INSUFFICIENT]
    assert await verdicts(serving, note(first.payment, 1, done=(said,))) == [V.APPLIED]
    assert await pool_of(serving, 1) == 102
    for table, rows in {
        "journal": 3,
        "attempt": 2,
        "evidence": 1,
        "spending": 1,
        "outbox": 0,
    }.items():
        assert await serving.fetchval(f"select count(*) from {table}") == rows, table


# For one's own tenant.


@pytest.mark.parametrize("careful", [False, True])
async def test_nobody_commits_for_another_tenant(serving: Any, owner: Any, careful: bool) -> None:
    own, others = moves(1, OWN), moves(2, OTHERS)
    empty = others._replace(transfers=())
    for batch in ([others], [own, others], [others, own], [own, empty], [own, moves(2, OWN)]):
        with pytest.raises(REFUSED, match=NOT_YOURS):
            await _call(serving, batch, care=2 if careful else 0)
    answers = await commit(serving, [own, others], 1, careful=careful)
    assert [(a.verdict, a.error) for a in answers] == [(V.APPLIED, None), (V.POISON, NOT_YOURS)]
    assert (await pool_of(owner, 1), await pool_of(owner, 2)) == (101, 100)
    assert not await owner.fetch("select from payment_key where payment = $1", others.payment)


@pytest.mark.parametrize(
    "accounts",
    [OTHERS, (OWN[0], OTHERS[1]), (OTHERS[0], OWN[1])],
    ids=["both", "credit", "debit"],
)
async def test_nobody_moves_an_account_of_another_tenant(
    serving: Any, owner: Any, accounts: tuple[int, int]
) -> None:
    for care in (0, 1, 2):
        with pytest.raises(REFUSED, match=NOT_YOURS):
            await _call(serving, [moves(1, OWN), moves(1, accounts)], care=care)
    # Also not by a transfer that no plan owns to, or by one that is no transfer.
    arguments = [*columns([moves(1, OWN)])]
    arguments[_LEG_PLAN] = []
    arguments[_LEG_PLAN + 1] = [accounts[0]]
    arguments[_LEG_PLAN + 2] = [accounts[1]]
    with pytest.raises(REFUSED, match=NOT_YOURS):
        await serving.fetchrow(_CALL, 0, 1, *arguments)
    arguments[_LEG_PLAN + 2] = "{null}"
    with pytest.raises(REFUSED, match=NOT_YOURS):
        await serving.fetchrow(_CALL.replace("$25", "$25::text::bigint[]"), 0, 1, *arguments)
    assert (await pool_of(owner, 1), await pool_of(owner, 2)) == (100, 100)


async def test_nobody_steps_or_holds_up_a_payment_of_another_tenant(
    serving: Any, owner: Any
) -> None:
    others = moves(2, OTHERS)
    await commit(owner, [others], 1)
    stepped = Plan(others.payment, 1, 1, 9)
    for careful in (False, True):
        assert await verdicts(serving, stepped, careful=careful) == [V.STALE]
    async with serving.transaction():
        await _call(serving, [stepped], care=2)
        await owner.execute("select from payment where tenant = 2 for update nowait")
    row = await owner.fetchrow("select state, version from payment where id = $1", others.payment)
    assert tuple(row) == (MANUAL_FROM, 1)


async def test_nobody_strikes_off_an_intent_of_another_tenant(serving: Any, owner: Any) -> None:
    intent = Intent(IDS.hex(), 1, None, 0, 0)
    await commit(owner, [moves(2, OTHERS, intents=(intent,))], 1)
    own = moves(1, OWN)
    assert await verdicts(serving, own, note(own.payment, 1, done=(intent.id,))) == [V.APPLIED] * 2
    assert await owner.fetchval("select count(*) from outbox") == 1
    assert await verdicts(owner, note(others := IDS.payment(), 2, done=(intent.id,))) == [V.APPLIED]
    assert others and not await owner.fetchval("select count(*) from outbox")


# Who called.


@pytest.mark.parametrize(
    "become",
    [
        "set role none",
        "set role capp_tenant",
        "select set_config('role', 'none', false)",
    ],
)
async def test_who_leaves_the_role_of_its_tenant_commits_nothing(
    login: str, owner: Any, become: str
) -> None:
    serving = await connect(as_tenant(login, 1))
    assert await verdicts(serving, moves(1, OWN)) == [V.APPLIED]
    await serving.execute(become)
    assert await serving.fetchval("select current_user") != "capp_tenant_1"
    with pytest.raises(REFUSED, match=NOT_YOURS):
        await _call(serving, [moves(1, OWN)])
    await serving.close()
    assert await pool_of(owner, 1) == 101


@pytest.mark.parametrize("name", ["capp_tenant_01", "capp_tenant_1x", "xcapp_tenant_1", "nobody"])
async def test_a_name_that_only_looks_like_it_commits_nothing(owner: Any, name: str) -> None:
    gone = owner.transaction()
    await gone.start()
    await owner.execute(f'create role "{name}" in role capp_tenant')
    await owner.execute(f'set local role "{name}"')
    with pytest.raises(REFUSED, match=NOT_YOURS):
        await _call(owner, [moves(1, OWN)])
    await gone.rollback()


async def test_nothing_of_a_session_makes_it_another_tenants(serving: Any, owner: Any) -> None:
    await serving.execute(
        "set search_path = pg_temp, public, pg_catalog;"
        "create table pg_temp.balance as select * from public.balance;"
        "create function pg_temp.current_setting(text) returns text language sql"
        "  return 'capp_tenant_2';"
        "create function pg_temp.calls(p text) returns void language plpgsql security definer"
        "  as $$ begin execute p; end $$"
    )
    with pytest.raises(REFUSED, match=NOT_YOURS):
        await _call(serving, [moves(2, OTHERS)], name="public.commit_plans")
    with pytest.raises(asyncpg.PostgresError):
        await serving.execute("select pg_temp.calls('set role capp_tenant_2')")
    await _call(serving, [moves(1, OWN, 7)], name="public.commit_plans")
    assert await pool_of(owner, 1) == 107


async def test_what_runs_with_the_owners_rights_looks_names_up_where_the_owner_said(
    owner: Any,
) -> None:
    found = await owner.fetch(
        "select proname, proconfig from pg_proc where prosecdef"
        " and pronamespace = 'public'::regnamespace"
    )
    assert {row["proname"] for row in found} == {"commit_plans", "make_month_ahead"}
    for row in found:
        assert "search_path=public, pg_temp" in row["proconfig"]


_LEG_PLAN = 20
"""Where among the columns stand those of the transfers: plan, debit, credit."""
_CALL = "select * from commit_plans({})".format(", ".join(f"${n}" for n in range(1, 48)))


async def _call(
    connection: Any, plans: list[Plan], *, care: int = 0, name: str = "commit_plans"
) -> Any:
    """The function itself: a refusal of one is a refusal of all."""
    call = _CALL.replace("commit_plans", name)
    return await connection.fetchrow(call, care, 1, *columns(plans))

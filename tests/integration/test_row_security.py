"""Nobody who serves a tenant reads or writes another's rows, with whatever SQL they like.

Every table of the catalog is tried. Its rows are made up: one of tenant 1, one of tenant 2.
"""

import argparse
import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from channels.commands.migrating import run_migrate
from channels.settings import BadSettings
from engine.clock import Clock, Ids, first_id_at
from engine.database import connect, ensure_months
from engine.errors import NotServed
from engine.ledger.books import open_accounts
from engine.ledger.chart import Account, Kind
from engine.ledger.commit import commit
from engine.ledger.plans import CREATE, Plan, Verdict
from engine.payments.lifecycle import State
from engine.row_security import as_tenant, look_at, open_tenant
from engine.schema import revisions
from engine.tables import metadata
from tests.conftest import WORKER
from tests.integration.owner import tell_owner

TABLES = sorted(metadata.tables)
OF_NO_TENANT = {"alembic_version": "which revision the schema has; it can be read, not written"}
REFUSED = asyncpg.InsufficientPrivilegeError
LOGIN, OWNER = f"web_{WORKER}", f"owner_{WORKER}"

_RULES = """
select c.relname, c.relispartition, c.relrowsecurity, array_agg(p.polname::text) as policies,
       min(pg_get_expr(p.polqual, p.polrelid)) as rule, min(p.polcmd::text) as commands,
       bool_and(p.polwithcheck is null and p.polpermissive and p.polroles = '{0}') as is_plain
  from pg_class c left join pg_policy p on p.polrelid = c.oid
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
 group by c.oid, c.relname order by c.relname"""


@pytest.fixture(scope="module")
def url(shared_database_url: str) -> str:
    """A database in which each table has one row of tenant 1 and one of tenant 2."""
    asyncio.run(_fill(shared_database_url))
    return shared_database_url


@pytest.fixture(scope="module")
def login(url: str) -> Iterator[str]:
    """The address of a login that may become capp_tenant_1 and is nobody else."""
    tell_owner(url, f"drop role if exists {LOGIN}")
    tell_owner(url, f"create role {LOGIN} login noinherit in role capp_tenant_1")
    yield _by(LOGIN, url)
    tell_owner(url, f"drop role {LOGIN}")


@pytest.fixture
async def owner(url: str) -> AsyncIterator[Any]:
    connection = await connect(url)
    yield connection
    await connection.close()


@pytest.fixture
async def first(url: str) -> AsyncIterator[Any]:
    """Who serves tenant 1; what the test does is undone."""
    connection = await connect(as_tenant(url, 1))
    undone = connection.transaction()
    await undone.start()
    yield connection
    if not connection.is_closed():
        await undone.rollback()
        await connection.close()


# The catalog.


async def test_every_table_keeps_tenants_apart_or_has_a_reason_not_to(owner: Any) -> None:
    rows = await owner.fetch(_RULES)
    bare = {r["relname"] for r in rows if not r["relrowsecurity"] or r["policies"] != ["tenant"]}
    assert bare == OF_NO_TENANT.keys(), "its step wants keep_tenants_apart, or a reason here"
    planned = "(CURRENT_USER = role_of_plan())"
    of_tenant = f"((tenant = held_to_tenant()) AND {planned})"
    by_number = f"(((id >> 42) = held_to_tenant()) AND {planned})"
    for row in rows:
        if row["relname"] not in OF_NO_TENANT:
            rule = by_number if row["relname"] == "balance" else of_tenant
            assert (row["rule"], row["commands"], row["is_plain"]) == (rule, "*", True), row
    tables = {r["relname"] for r in rows if not r["relispartition"]}
    assert tables == {*TABLES, *OF_NO_TENANT}, "its shape is missing in engine/tables"


async def test_every_row_says_whose_it_is(owner: Any) -> None:
    without = await owner.fetch(
        "select relname from pg_class c where relnamespace = 'public'::regnamespace"
        " and relkind in ('r', 'p') and not exists (select from pg_attribute"
        "   where attrelid = c.oid and attname = 'tenant' and attnotnull)"
    )
    assert {row["relname"] for row in without} == {"balance", *OF_NO_TENANT}


async def test_who_serves_a_tenant_owns_nothing_and_is_nothing_special(owner: Any) -> None:
    roles = await owner.fetch(
        "select rolname, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolcanlogin"
        " or rolreplication as is_special, (select count(*) from pg_class where relowner = r.oid)"
        " + (select count(*) from pg_proc where proowner = r.oid) as owned"
        " from pg_roles r where rolname ~ '^capp_tenant'"
    )
    assert {"capp_tenant", "capp_tenant_1", "capp_tenant_2"} <= {row["rolname"] for row in roles}
    assert not any(row["is_special"] or row["owned"] for row in roles)


async def test_a_table_that_was_forgotten_is_out_of_reach_and_found(url: str) -> None:
    owner = await connect(url)
    kept = owner.transaction()
    await kept.start()
    await owner.execute("create table forgotten (tenant int not null)")
    await owner.execute("set local role capp_tenant_1")
    with pytest.raises(REFUSED):
        async with owner.transaction():
            await owner.execute("select * from forgotten")
    await owner.execute("reset role")
    await owner.execute("grant select on forgotten to capp_tenant")
    await owner.execute("set local role capp_tenant_1")
    assert (await look_at(owner)).unprotected == ("forgotten",)
    await owner.execute("reset role")
    await owner.execute("select keep_tenants_apart('forgotten', 'select')")
    await owner.execute("set local role capp_tenant_1")
    assert (await look_at(owner)).unprotected == ()
    await kept.rollback()
    await owner.close()


# Across.


@pytest.mark.parametrize("table", TABLES)
async def test_nothing_of_another_tenant_is_read(first: Any, table: str) -> None:
    assert await first.fetchval(f"select count(*) from {table}") == 1
    found = await first.fetch(f"select {_tenant_of(table)} as tenant from {table}")
    assert [row["tenant"] for row in found] == [1]
    assert not await first.fetch(f"select * from {table} where {_tenant_of(table)} = 2")


@pytest.mark.long("every table; quick: no row is made for another, and none is read")
@pytest.mark.parametrize("table", TABLES)
async def test_nothing_of_another_tenant_is_written(first: Any, owner: Any, table: str) -> None:
    before = await _row(owner, table, 2)
    column = "amount" if table == "balance" else "tenant"
    tries = {
        f"update {table} set {column} = {column}": 1,
        f"update {table} set {column} = {column} where {_tenant_of(table)} = 2": 0,
        f"delete from {table}": 1,
        f"delete from {table} where {_tenant_of(table)} <> 1": 0,
    }
    for statement, touched in tries.items():
        done = await _try(first, statement)
        assert done in (str(touched), "refused", "kept"), (statement, done)
    assert await _row(owner, table, 2) == before


ONE_EACH = {"settlement_look", "hook_look", "audit_fence"}
"""Of these a tenant has one row."""
OF_THE_COMMIT = {"attempt", "balance", "evidence", "journal", "payment", "spending"}
"""In these nobody makes a row by hand, whosever (`test_only_door.py`)."""


@pytest.mark.parametrize("table", TABLES)
async def test_no_row_is_made_for_or_given_to_another_tenant(
    first: Any, owner: Any, table: str
) -> None:
    columns = await _columns(owner, table)
    ids = Ids(Clock())
    own = await _try(first, _insert(table, columns, 1, ids, salt=70))
    assert own == ("refused" if table in OF_THE_COMMIT else "taken" if table in ONE_EACH else "1")
    assert await _try(first, _insert(table, columns, 2, ids, salt=80)) == "refused"
    moved = "id = id + (1::bigint << 42)" if table == "balance" else "tenant = 2"
    assert await _try(first, f"update {table} set {moved}") in ("refused", "kept")
    assert await owner.fetchval(f"select count(*) from {table}") == 2


async def test_a_partition_that_is_named_itself_obeys_the_same(first: Any, owner: Any) -> None:
    parts = await owner.fetch(
        "select c.relname, i.inhparent::regclass::text as parent from pg_class c"
        " join pg_inherits i on i.inhrelid = c.oid where c.relkind = 'r'"
    )
    assert {part["parent"] for part in parts} >= {"payment", "journal", "attempt", "evidence"}
    seen = 0
    for part in parts:
        rows = await first.fetch(f"select tenant from {part['relname']}")
        assert {row["tenant"] for row in rows} <= {1}
        seen += len(rows)
        for verb in ("delete from {}", "update {} set tenant = 1", "truncate {}"):
            assert await _try(first, verb.format(part["relname"])) == "refused"
        columns = await _columns(owner, part["parent"])
        for tenant in (1, 2):
            made = _insert(part["relname"], columns, tenant, Ids(Clock()), salt=70)
            assert await _try(first, made) == "refused"
    assert seen == len({part["parent"] for part in parts})


@pytest.mark.parametrize("role", ["capp_tenant", "capp_tenant_3", "nobody_at_all"])
async def test_who_serves_no_tenant_sees_nothing(owner: Any, role: str) -> None:
    gone = owner.transaction()
    await gone.start()
    if role == "nobody_at_all":
        await owner.execute(f"create role {role} in role capp_tenant")
    else:
        await open_tenant(owner, 3)
    await owner.execute(f"set local role {role}")
    counts = {table: await owner.fetchval(f"select count(*) from {table}") for table in TABLES}
    assert counts == dict.fromkeys(TABLES, 0)
    await owner.execute("reset role")
    await gone.rollback()


@pytest.mark.parametrize(
    "name",
    [
        "capp_tenant_01",
        "capp_tenant_1x",
        "xcapp_tenant_1",
        "capp_tenant_1234567890",
        "capp_tenant_",
        "capp_tenant_-1",
        "capp_tenant_ 1",
        "capp_tenant_00",
        "CAPP_TENANT_1",
    ],
)
async def test_a_name_that_only_looks_like_it_serves_nobody(owner: Any, name: str) -> None:
    gone = owner.transaction()
    await gone.start()
    await owner.execute(f'create role "{name}" in role capp_tenant')
    await owner.execute(f'set local role "{name}"')
    assert await owner.fetchval("select current_tenant()") is None
    assert await owner.fetchval("select held_to_tenant()") is None
    assert await owner.fetchval("select count(*) from payment") == 0
    await owner.execute("reset role")
    await gone.rollback()


async def test_the_number_in_a_plan_is_the_one_in_the_name(owner: Any) -> None:
    for tenant in (0, 1, 10, 999_999_999):
        gone = owner.transaction()
        await gone.start()
        if not await owner.fetchval("select to_regrole($1)", f"capp_tenant_{tenant}"):
            await owner.execute(f"create role capp_tenant_{tenant}")
        await owner.execute(f"set local role capp_tenant_{tenant}")
        # Outside a rule a plan that is kept keeps the number too: each time another text.
        told = await owner.fetchrow(f"select current_tenant(), held_to_tenant(), {tenant}")
        assert tuple(told) == (tenant, tenant, tenant)
        await gone.rollback()


PLANNED = {
    "one that is planned anew": "select tenant from customer where tenant > $1",
    "one below another": "select tenant from (select * from customer offset 0) c where tenant > $1",
    "one in a with": (
        "with c as materialized (select * from customer) select tenant from c where tenant > $1"
    ),
    "one that writes": "update customer set language = language where tenant > $1 returning tenant",
}


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan", "auto"])
@pytest.mark.parametrize("query", PLANNED.values(), ids=PLANNED.keys())
async def test_no_plan_of_one_tenant_serves_another_in_the_same_connection(
    owner: Any, query: str, mode: str
) -> None:
    """A plan holds the tenant's number, so it must not outlive the role it was made for."""
    gone = owner.transaction()
    await gone.start()
    await owner.execute(f"set local plan_cache_mode = {mode}")
    prepared = await owner.prepare(query)
    for tenant in (1, 2, 1, 2):
        await owner.execute(f"set local role capp_tenant_{tenant}")
        for _ in range(7):  # more than the five after which a plan is kept
            assert [row["tenant"] for row in await prepared.fetch(0)] == [tenant]
        await owner.execute("reset role")
    assert len(await prepared.fetch(0)) == 2
    await gone.rollback()


async def test_no_plan_inside_a_function_serves_another_tenant(owner: Any) -> None:
    gone = owner.transaction()
    await gone.start()
    await owner.execute(
        "create function seen() returns int[] language plpgsql as"
        " $$ begin return (select array_agg(tenant) from customer); end $$"
    )
    for tenant in (1, 2, 1):
        await owner.execute(f"set local role capp_tenant_{tenant}")
        for _ in range(7):
            # A server without the mending of CVE-2024-10976 keeps the first one's plan: no rows.
            seen = await owner.fetchval("select seen()")
            assert seen == (tenant,) or (seen is None and tenant == 2)
        await owner.execute("reset role")
    await gone.rollback()


async def test_only_rules_lean_on_what_is_called_immutable(owner: Any) -> None:
    """An index or a constraint would keep the number of whoever wrote the row."""
    leaning = await owner.fetch(
        "select distinct classid::regclass::text as kind from pg_depend"
        " where refobjid in ('held_to_tenant'::regproc, 'role_of_plan'::regproc)"
    )
    assert [row["kind"] for row in leaning] == ["pg_policy"]
    called = await owner.fetch(
        "select proname from pg_proc where prosrc ~ '(held_to_|role_of_plan)'"
    )
    assert [row["proname"] for row in called] == ["keep_tenants_apart"]  # which writes the rule


async def test_nobodys_search_path_changes_whose_the_rows_are(first: Any) -> None:
    await first.execute("set local search_path = pg_temp, public, pg_catalog")
    await first.execute(
        "create function pg_temp.substr(name, int) returns text language sql return '2'"
    )
    assert await first.fetchval("select array_agg(tenant) from customer") == (1,)


async def test_a_function_that_tells_what_it_is_shown_is_shown_nothing(first: Any) -> None:
    """A cheap condition may be asked before a dear one, but never before the rule."""
    told: list[str] = []
    first.add_log_listener(lambda _, message: told.append(message.message))
    await first.execute(
        "create function pg_temp.tell(uuid, int) returns boolean language plpgsql cost 0.0000001"
        " as $$ begin raise notice 'payment of tenant %', $2; return true; end $$"
    )
    await first.fetch("select * from payment where pg_temp.tell(id, tenant)")
    assert told == ["payment of tenant 1"]


@pytest.mark.parametrize(
    "statement",
    [
        "alter table customer disable row level security",
        "alter table customer no force row level security",
        "drop policy tenant on customer",
        "create policy more on customer using (true)",
        "truncate customer",
        "drop table customer",
        "create table mine (tenant int)",
        "create view mine as select * from customer",
        "create function public.current_tenant(int) returns int language sql return 2",
        "create or replace function current_tenant() returns int language sql return 2",
        "create or replace function held_to_tenant() returns int language sql return 2",
        "alter role capp_tenant_1 bypassrls",
        "copy customer from program 'true'",
        "update alembic_version set version_num = 'x'",
        "select open_tenant(2)",
        "select keep_tenants_apart('customer')",
        "select make_month('2031_01', gen_random_uuid(), gen_random_uuid())",
        "select pg_read_file('pg_hba.conf')",
    ],
)
async def test_the_rules_cannot_be_changed(login: str, statement: str) -> None:
    serving = await connect(as_tenant(login, 1))
    with pytest.raises((REFUSED, asyncpg.FeatureNotSupportedError)):
        await serving.execute(statement)
    assert await serving.fetchval("select count(*) from customer") == 1
    await serving.close()


async def test_rules_that_are_switched_off_refuse_instead_of_showing_all(first: Any) -> None:
    await first.execute("set row_security = off")
    with pytest.raises(REFUSED, match="row-level security"):
        await first.fetch("select * from customer")


# The way out.

LEAVING = [
    "set role none",
    "set session authorization default",
    "select set_config('role', 'none', false)",
]


@pytest.mark.parametrize("statement", LEAVING)
async def test_who_leaves_the_role_of_a_login_for_serving_has_nothing(
    login: str, statement: str
) -> None:
    serving = await asyncpg.connect(as_tenant(login, 1))
    await serving.execute(statement)
    for table in ("customer", "payment", "journal"):
        try:
            assert await serving.fetchval(f"select count(*) from {table}") <= 1
            tenants = {r["tenant"] for r in await serving.fetch(f"select tenant from {table}")}
            assert tenants <= {1}
        except REFUSED:
            continue
    await serving.close()


@pytest.mark.parametrize(
    "statement",
    [
        "set role capp_tenant_2",
        "set role postgres",
        "set session authorization capp_tenant_2",
        "select set_config('role', 'capp_tenant_2', false)",
        "select set_config('session_authorization', 'postgres', false)",
    ],
)
async def test_a_login_for_serving_becomes_nobody_else(login: str, statement: str) -> None:
    serving = await asyncpg.connect(as_tenant(login, 1))
    with pytest.raises((REFUSED, asyncpg.InvalidParameterValueError)):
        await serving.execute(statement)
    assert await serving.fetchval("select current_user") == "capp_tenant_1"
    await serving.close()


@pytest.mark.parametrize("statement", ["reset role", "reset all", "discard all"])
async def test_whatever_resets_a_connection_comes_back_to_the_role(
    url: str, login: str, statement: str
) -> None:
    for address in (url, login):
        serving = await asyncpg.connect(as_tenant(address, 1), statement_cache_size=0)
        await serving.execute(statement)
        assert await serving.fetchval("select current_user::text") == "capp_tenant_1"
        await serving.close()


async def test_no_setting_of_a_session_says_whose_it_is(first: Any) -> None:
    for name in ("capp.tenant", "application_name"):
        await first.execute(f"set {name} = 'capp_tenant_2'")
    await first.execute("set search_path = pg_temp, public")
    assert {row["tenant"] for row in await first.fetch("select tenant from customer")} == {1}


async def test_without_the_role_there_is_no_connection(url: str, login: str) -> None:
    for address in (as_tenant(url, 77), as_tenant(login, 2)):
        with pytest.raises(NotServed, match="capp migrate"):
            await connect(address)


# What serving does.


async def test_the_commit_moves_no_money_and_keeps_no_payment_of_another_tenant(
    url: str, owner: Any
) -> None:
    accounts = [Account(t, "UGX", kind) for t in (1, 2) for kind in (Kind.LOSS, Kind.FEE_INCOME)]
    await open_accounts(owner, accounts)
    serving = await connect(as_tenant(url, 1))
    own, other = _moves(1, accounts[:2]), _moves(2, accounts[2:])
    with pytest.raises(REFUSED):
        await open_accounts(serving, [Account(2, "KES", Kind.LOSS)])
    answers = await commit(serving, [other, own, _moves(1, accounts[2:])], 1)
    await serving.close()
    told = [(answer.verdict, (answer.error or "").split(" for ")[0]) for answer in answers]
    assert told == [
        (Verdict.POISON, "a plan of another tenant"),
        (Verdict.APPLIED, ""),
        (Verdict.POISON, "a plan of another tenant"),
    ]
    moved = await owner.fetch("select id from balance where amount in (5, -5)")
    assert {row["id"] for row in moved} == {account.number for account in accounts[:2]}
    assert not await owner.fetch("select from payment where id = any($1)", [other.payment])
    await owner.execute("delete from balance where id = any($1)", [a.number for a in accounts])
    for table, key in (("payment", "id"), ("payment_key", "payment"), ("journal", "payment")):
        await owner.execute(f"delete from {table} where {key} = $1", own.payment)


@pytest.mark.parametrize(
    "asked",
    [
        "version = 1 and split_part(facts, '\"', 6) = 'x'",
        "at_ms between 5 and 6",
        "payment = '{id_of_today}'",  # there is a table for it
    ],
)
async def test_a_rule_keeps_nobody_from_an_index(first: Any, asked: str) -> None:
    await first.execute("set enable_seqscan = off")
    asked = asked.format(id_of_today=Ids(Clock()).hex())
    plan = await first.fetch(f"explain select facts from journal where {asked}")
    told = "\n".join(row[0] for row in plan)
    column = asked.removeprefix("version = 1 and ").partition(" ")[0]
    assert re.search(rf"Index Cond: .*{re.escape(column)}", told) and "Seq Scan" not in told
    assert (await look_at(first)).finds_by_index


async def test_who_serves_a_tenant_has_the_months_made_as_the_owner_would(
    url: str, login: str, owner: Any
) -> None:
    now = datetime.now(UTC)
    serving = await connect(as_tenant(login, 1))
    await serving.execute("set time zone 'Africa/Nairobi'")  # as its server may have it
    await ensure_months(serving, now)  # from the last month on
    await ensure_months(serving, now + timedelta(days=150))
    await ensure_months(serving, now + timedelta(days=150))
    await serving.close()
    bounds = (
        "select pg_get_expr(relpartbound, oid) as bound, relrowsecurity, relowner::regrole::text"
    )
    ahead = _months_after(now, 7)
    made = await owner.fetchrow(
        f"{bounds} from pg_class where relname = $1", f"journal_{ahead:%Y_%m}"
    )
    first_id, next_id = first_id_at(ahead), first_id_at(_months_after(now, 8))
    assert made["bound"].replace("-", "") == f"FOR VALUES FROM ('{first_id}') TO ('{next_id}')"
    assert made["relrowsecurity"] and made["relowner"] != LOGIN
    plain = await owner.fetchval(f"select count(*) from ({_RULES}) r where not relrowsecurity")
    assert plain == len(OF_NO_TENANT)


@pytest.mark.parametrize("month", ["2001_01", "2099_01", "2027_13", "2027_1", "x'; drop", None])
async def test_what_is_no_month_around_today_is_not_made(first: Any, month: str | None) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await first.execute("select make_month_ahead($1)", month)


async def test_a_session_cannot_turn_the_making_of_months_aside(login: str, owner: Any) -> None:
    ahead = _months_after(datetime.now(UTC), 10)
    serving = await connect(as_tenant(login, 1))
    await serving.execute("set search_path = pg_temp, public")
    await serving.execute(f"create temp table journal_{ahead:%Y_%m} (n int)")
    await serving.execute("select public.make_month_ahead($1)", f"{ahead:%Y_%m}")
    await serving.close()
    made = await owner.fetch(
        "select inhparent::regclass::text as parent from pg_inherits"
        " where inhrelid::regclass::text like '%' || $1",
        f"{ahead:%Y_%m}",
    )
    assert {row["parent"] for row in made} >= {"journal", "payment", "attempt", "evidence"}


async def test_the_owner_makes_months_of_any_time_and_they_are_held_as_well(url: str) -> None:
    owner = await connect(url)
    gone = owner.transaction()
    await gone.start()
    await ensure_months(owner, datetime(2041, 5, 1, tzinfo=UTC))
    rules = {row["relname"]: row["policies"] for row in await owner.fetch(_RULES)}
    assert rules["evidence_2041_05"] == ["tenant"]
    await gone.rollback()
    await owner.close()


# Roles.


@pytest.mark.long("migrates as somebody else")
@pytest.mark.parametrize("may_make_roles", [True, False])
@pytest.mark.usefixtures("database_url")  # whose migration made the role of all tenants
def test_an_owner_who_is_no_superuser_makes_the_roles_or_is_told_what_to_have(
    postgres_url: str, may_make_roles: bool
) -> None:
    name, tenant = f"managed_{WORKER}", 900 + may_make_roles
    server = postgres_url.rsplit("/", 1)[0]
    address = _by(OWNER, f"{server}/{name}")
    right = "createrole" if may_make_roles else "nocreaterole"
    tell_owner(
        postgres_url, f"create role {OWNER} login {right}", f"create database {name} owner {OWNER}"
    )
    try:
        if may_make_roles:  # the role of all is another database's already, and may be ours to give
            tell_owner(postgres_url, f"grant capp_tenant to {OWNER} with admin option")
        done, said = _migrated(address, tenant)
        assert done is may_make_roles
        if not may_make_roles:
            wanted = [line.strip() for line in said if line.endswith(";")]
            assert wanted == [
                f"create role capp_tenant_{tenant} nologin in role capp_tenant;",
                f"grant capp_tenant_{tenant} to {OWNER};",
            ]
            with pytest.raises(NotServed):
                asyncio.run(_standing(as_tenant(address, tenant)))
            served = True, [f"the schema is at {revisions()[-1]}"]
            assert _migrated(address, tenant, CAPP_DATABASE_ROLE="none") == served
            tell_owner(postgres_url, *wanted)
            assert _migrated(address, tenant) == served
        standing = asyncio.run(_standing(as_tenant(address, tenant)))
        assert (standing.tenant, standing.unprotected) == (tenant, ())
        assert standing.tables > len(TABLES)
        assert standing.login_reaches_more  # it owns the tables
        assert not standing.finds_by_index  # which no superuser has said yet
        assert asyncio.run(_moved(as_tenant(address, tenant), tenant)) is Verdict.APPLIED
    finally:
        tell_owner(
            postgres_url, f"drop database {name} with (force)",
            f"drop role if exists capp_tenant_{tenant}", f"drop owned by {OWNER} cascade",
            f"drop role {OWNER}",
        )  # fmt: skip


def _migrated(url: str, tenant: int, **environment: str) -> tuple[bool, list[str]]:
    said: list[str] = []
    variables = {"DATABASE_URL": url, "CAPP_TENANT": str(tenant), **environment}
    return run_migrate(variables, argparse.Namespace(to="head"), said.append), said


@pytest.mark.parametrize("tenant", ["first", "-1", "2097152", "1; drop"])
def test_what_is_no_tenant_gets_no_role(url: str, tenant: str) -> None:
    with pytest.raises(BadSettings, match="CAPP_TENANT"):
        run_migrate(
            {"DATABASE_URL": url, "CAPP_TENANT": tenant}, argparse.Namespace(to="head"), print
        )


async def test_what_a_connection_reaches_is_told(url: str, login: str) -> None:
    held = await _standing(as_tenant(login, 1))
    assert (held.role, held.tenant, held.login) == ("capp_tenant_1", 1, LOGIN)
    assert not held.login_reaches_more
    assert (await _standing(as_tenant(url, 1))).login_reaches_more
    above = await _standing(url)
    assert above.tenant is None
    assert {"payment", "customer"} <= set(above.unprotected)


async def _standing(url: str) -> Any:
    connection = await connect(url)
    try:
        return await look_at(connection)
    finally:
        await connection.close()


# Rows that were made up.


async def _fill(url: str) -> None:
    owner = await asyncpg.connect(url)
    try:
        await open_tenant(owner, 2)
        await owner.execute(_DROP_CHECKS)
        for table in TABLES:
            columns = await _columns(owner, table)
            for tenant in (1, 2):
                await owner.execute(_insert(table, columns, tenant, Ids(Clock())))
    finally:
        await owner.close()


# What a row must say besides its tenant is not the question here.
_DROP_CHECKS = """do $$ declare r record; begin
  for r in select conrelid::regclass as relation, conname from pg_constraint
            where contype = 'c' and conrelid <> 0 and coninhcount = 0
  loop execute format('alter table %s drop constraint %I', r.relation, r.conname); end loop;
  drop trigger known_beginnings on payment;
end $$"""


async def _columns(connection: Any, table: str) -> list[tuple[str, str]]:
    rows = await connection.fetch(
        "select attname, atttypid::regtype::text as kind from pg_attribute"
        " where attrelid = $1::regclass and attnum > 0 and not attisdropped and attidentity = ''",
        table,
    )
    return [(row["attname"], row["kind"]) for row in rows]


def _insert(
    table: str, columns: list[tuple[str, str]], tenant: int, ids: Ids, *, salt: int = 0
) -> str:
    values = [
        str(tenant) if name == "tenant"
        else str((tenant << 42) + (404 << 32) + salt) if table == "balance" and name == "id"
        else f"'{_made_up(kind, tenant + salt, ids)}'"
        for name, kind in columns
    ]  # fmt: skip
    return f"insert into {table} ({', '.join(n for n, _ in columns)}) values ({', '.join(values)})"


def _made_up(kind: str, number: int, ids: Ids) -> str:
    if kind.endswith("[]"):
        return "{" + _made_up(kind[:-2], number, ids) + "}"
    if kind in ("smallint", "integer", "bigint", "numeric"):
        return str(number)
    return {
        "uuid": ids.hex(),
        "boolean": "true",
        "bytea": f"\\x{number:02x}",
        "date": f"2026-01-{number % 28 + 1:02d}",
        "timestamp with time zone": "2026-01-01T00:00:00Z",
        "jsonb": "{}",
    }.get(kind, f"t{number}")


async def _row(owner: Any, table: str, tenant: int) -> str:
    row: str = await owner.fetchval(
        f"select t::text from {table} t where {_tenant_of(table)} = {tenant}"
    )
    return row


async def _try(connection: Any, statement: str) -> str:
    """How many rows it touched, or "refused" for want of a right; else what the table said."""
    try:
        async with connection.transaction():
            done: str = await connection.execute(statement)
    except REFUSED:
        return "refused"
    except asyncpg.UniqueViolationError:
        return "taken"
    except asyncpg.IntegrityConstraintViolationError as error:
        assert "append-only" in str(error)
        return "kept"
    return done.rsplit(" ", 1)[-1]


def _tenant_of(table: str) -> str:
    return "(id >> 42)" if table == "balance" else "tenant"


def _moves(tenant: int, accounts: list[Account]) -> Plan:
    ids = Ids(Clock())
    payment = ids.payment()
    return Plan(
        payment, CREATE, tenant, State.COLLECTING, key=payment, hash="1" * 32,
        transfers=((accounts[0].number, accounts[1].number, 5),),
    )  # fmt: skip


async def _moved(url: str, tenant: int) -> Verdict:
    accounts = [Account(tenant, "UGX", kind) for kind in (Kind.LOSS, Kind.FEE_INCOME)]
    connection = await connect(url)
    try:
        await open_accounts(connection, accounts)
        return (await commit(connection, [_moves(tenant, accounts)], 1))[0].verdict
    finally:
        await connection.close()


def _months_after(now: datetime, months: int) -> datetime:
    months += now.year * 12 + now.month - 1
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def _by(login: str, url: str) -> str:
    """The same address with another login. The tests' server asks nobody for a password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}"))

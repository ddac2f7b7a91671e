"""The database role that serves a tenant, and whether a connection is really held by it.

What a role may see is the affair of `migrations/sql/0020_row_security.sql`; why a role and not a
setting of the session: `migrations/decisions/0001`. It refuses to know what the tables hold.
"""

from typing import Any, NamedTuple

import asyncpg

ROLE = "capp_tenant"
"""Whose rights every tenant's own role has."""


class Standing(NamedTuple):
    """What a connection may reach."""

    role: str
    tenant: int | None  # None: the role serves nobody, or is above the law
    login: str
    login_reaches_more: bool  # whoever can run SQL of their own can leave the role for it
    tables: int  # in which it sees rows of its tenant alone
    unprotected: tuple[str, ...]  # in which it sees others' as well
    finds_by_index: bool  # else payments of a payee or a client are looked for in all of them


def role_of(tenant: int) -> str:
    """The role that serves a tenant."""
    return f"{ROLE}_{tenant}"


def as_tenant(url: str, tenant: int) -> str:
    """The address under which every connection is the tenant's role from its first moment.

    The role is part of what opens the connection, so it costs no round trip and `reset role`,
    `reset all` and `discard all` all come back to it.
    """
    address, _, asked = url.partition("?")
    kept = [part for part in asked.split("&") if part and not part.startswith("role=")]
    return f"{address}?{'&'.join([*kept, f'role={role_of(tenant)}'])}"


async def open_tenant(connection: Any, tenant: int) -> list[str]:
    """Make the tenant's role with all its rights; safe to repeat, and after every migration due.

    Returns the SQL that somebody who may make roles has to run first; empty when all is done.
    """
    try:
        await connection.execute("select open_tenant($1)", tenant)
    except asyncpg.InsufficientPrivilegeError:
        return await _to_be_run(connection, tenant)
    return []


async def _to_be_run(connection: Any, tenant: int) -> list[str]:
    role = role_of(tenant)
    missing = {
        name: await connection.fetchval("select to_regrole($1) is null", name)
        for name in (ROLE, role)
    }
    user = await connection.fetchval("select quote_ident(current_user)")
    return [
        *([f"create role {ROLE} nologin;"] if missing[ROLE] else []),
        f"create role {role} nologin in role {ROLE};" if missing[role]
        else f"grant {ROLE} to {role};",
        f"grant {role} to {user};",
    ]  # fmt: skip


async def look_at(connection: Any) -> Standing:
    """What this connection may reach, told by the catalog. Raises what asking raises."""
    found = await connection.fetchrow(_STANDING, _LAWLESS)
    return Standing(
        role=found["role"],
        tenant=None if found["is_above"] else found["tenant"],
        login=found["login"],
        login_reaches_more=found["login_reaches_more"],
        tables=found["tables"],
        unprotected=tuple(found["unprotected"]),
        finds_by_index=found["finds_by_index"],
    )


TELLS_NOTHING = "alter function pg_catalog.split_part(text, text, int) leakproof;"
"""What only a superuser may say; open_tenant does where it can."""

_LAWLESS = ["alembic_version"]
"""Of no tenant: it says which schema this is, and can be read but not written."""

# In Postgres 15 a member may become the role; from 16 on that is a right of its own.
_STANDING = """
with reachable as (
  select rolname, rolsuper or rolbypassrls as is_above, oid,
         rolname ~ '^capp_tenant_[0-9]+$' and rolname <> current_user as is_other_tenant,
         oid = (select relowner from pg_class where oid = 'payment'::regclass) as is_owner
    from pg_roles where pg_has_role(session_user, oid, case
      when current_setting('server_version_num')::int < 160000 then 'member' else 'set' end)),
reached as (
  select relname, row_security_active(oid) as is_held from pg_class
   where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')
     and relname <> all($1::text[])
     and has_table_privilege(oid, 'select, insert, update, delete, truncate'))
select current_user as role, current_tenant() as tenant, session_user as login,
       (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) as is_above,
       (select bool_or(is_above or is_other_tenant or is_owner) from reachable)
         as login_reaches_more,
       (select count(*) from reached where is_held) as tables,
       (select proleakproof from pg_proc
         where oid = 'pg_catalog.split_part(text, text, int)'::regprocedure) as finds_by_index,
       array(select relname::text from reached where not is_held order by 1) as unprotected"""

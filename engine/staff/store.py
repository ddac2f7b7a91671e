"""Members, sessions, and what they were answered, in Postgres. SQL only; it decides nothing."""

from collections.abc import Iterable
from typing import Any

from engine.desk.proposals import Person
from engine.errors import StaffMistake
from engine.staff.members import Member, MemberId, Role, Session, SessionId, write_roles


class StaffStore:
    """The staff of one tenant. Nobody is ever deleted: a name always meant the same person."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant

    async def add(self, member: Member, at_ms: int) -> bool:
        """Take somebody on; False when the name is taken."""
        row = await self._pool.fetchval(
            "insert into staff_member (id, tenant, name, roles, made_ms)"
            " values ($1, $2, $3, $4, $5) on conflict (tenant, name) do nothing returning true",
            member.id, self._tenant, member.name, _written(member.roles), at_ms,
        )  # fmt: skip
        return bool(row)

    async def member(self, name: Person) -> Member:
        """Raises StaffMistake when there is none."""
        row = await self._pool.fetchrow(
            "select m.id as member, m.name, m.roles from staff_member m"
            " where m.tenant = $1 and m.name = $2",
            self._tenant, name,
        )  # fmt: skip
        if row is None:
            raise StaffMistake(f"nobody here is called {name}")
        return _member(row)

    async def members(self) -> list[Member]:
        """By name."""
        rows = await self._pool.fetch(
            "select m.id as member, m.name, m.roles from staff_member m where m.tenant = $1"
            " order by m.name",
            self._tenant,
        )
        return [_member(row) for row in rows]

    async def grant(self, name: Person, roles: Iterable[Role]) -> Member:
        """Add roles. Safe to repeat. Raises StaffMistake when there is no such member."""
        return await self._change(
            name,
            "update staff_member m set roles = array(select distinct unnest(m.roles || $3::text[]))"
            " where m.tenant = $1 and m.name = $2 returning m.id as member, m.name, m.roles",
            roles,
        )

    async def revoke(self, name: Person, roles: Iterable[Role]) -> Member:
        """Take roles away; open sessions lose them with their next request. Likewise."""
        return await self._change(
            name,
            "update staff_member m set"
            " roles = array(select r from unnest(m.roles) r where r <> all($3::text[]))"
            " where m.tenant = $1 and m.name = $2 returning m.id as member, m.name, m.roles",
            roles,
        )

    async def open_session(self, session: Session) -> None:
        """Keep a new session."""
        await self._pool.execute(
            "insert into staff_session (id, tenant, member, made_ms, expires_ms)"
            " values ($1, $2, $3, $4, $5)",
            session.id, self._tenant, session.member.id, session.made_ms, session.expires_ms,
        )  # fmt: skip

    async def session(self, session_id: SessionId) -> Session | None:
        row = await self._pool.fetchrow(
            "select s.id, s.made_ms, s.expires_ms, s.ended_ms, m.id as member, m.name, m.roles"
            " from staff_session s join staff_member m on m.id = s.member and m.tenant = s.tenant"
            " where s.id = $1 and s.tenant = $2",
            session_id, self._tenant,
        )  # fmt: skip
        return _session(row) if row is not None else None

    async def open_sessions(self, now_ms: int) -> list[Session]:
        """Those that have not ended or expired, the newest first."""
        rows = await self._pool.fetch(
            "select s.id, s.made_ms, s.expires_ms, s.ended_ms, m.id as member, m.name, m.roles"
            " from staff_session s join staff_member m on m.id = s.member and m.tenant = s.tenant"
            " where s.tenant = $1 and s.ended_ms is null and s.expires_ms > $2"
            " order by s.id desc limit 1000",
            self._tenant, now_ms,
        )  # fmt: skip
        return [_session(row) for row in rows]

    async def end_sessions(
        self, *, name: Person | None, session_id: SessionId | None, by: str, at_ms: int
    ) -> int:
        """End all open sessions of somebody, or one; how many it ended. Safe to repeat."""
        rows = await self._pool.fetch(
            "update staff_session s set ended_ms = $4, ended_by = $5 from staff_member m"
            " where m.id = s.member and m.tenant = s.tenant and s.tenant = $1"
            " and (m.name = $2 or s.id = $3) and s.ended_ms is null returning s.id",
            self._tenant, name, session_id, at_ms, by,
        )  # fmt: skip
        return len(rows)

    async def _change(self, name: Person, statement: str, roles: Iterable[Role]) -> Member:
        row = await self._pool.fetchrow(statement, self._tenant, name, _written(roles))
        if row is None:
            raise StaffMistake(f"nobody here is called {name}")
        return _member(row)


def _written(roles: Iterable[Role]) -> list[str]:
    return [role for role in write_roles(roles).split(",") if role]


def _member(row: Any) -> Member:
    return Member(MemberId(row["member"].hex), row["name"], frozenset(map(Role, row["roles"])))


def _session(row: Any) -> Session:
    return Session(
        SessionId(row["id"].hex), _member(row), row["made_ms"], row["expires_ms"], row["ended_ms"]
    )

"""Sessions of staff that are open, and their end: a token that was lost works no more at once.

Every member may end their own; an admin sees all and may end any. Opening one is for the terminal.
"""

from typing import Annotated

import msgspec

from channels.api.endpoints import Call, Nothing
from channels.api.problems import Code, Refusal
from channels.times import iso_millis_of
from engine.clock import Clock
from engine.staff.members import Role, Session, SessionId, Staff, write_roles
from engine.staff.store import StaffStore


class SessionPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A session's whole id; whoever holds a token reads it there as `sid`."""

    session: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]


class SessionShown(msgspec.Struct, frozen=True):
    """A session that is open."""

    id: str
    member: str
    roles: list[str]  # as they are now
    made_at: str
    expires_at: str


class SessionsShown(msgspec.Struct, frozen=True):
    """Those that are open, the newest first."""

    sessions: list[SessionShown]


class SessionEnded(msgspec.Struct, frozen=True):
    """`ended`: by this request; false when it had ended before."""

    id: str
    ended: bool


class StaffSessions:
    """The handlers."""

    def __init__(self, *, store: StaffStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def listed(self, _: Call[Staff, Nothing, Nothing, Nothing]) -> SessionsShown:
        """What is open now."""
        return SessionsShown([_show(one) for one in await self._store.open_sessions(self._now_ms)])

    async def end(self, call: Call[Staff, SessionPath, Nothing, Nothing]) -> SessionEnded:
        """End one. A repeat is safe.

        It changes nothing from then on, and other processes show it nothing after three seconds.
        Raises Refusal NOT_FOUND, also to whoever may not end it: nobody learns of others' sessions.
        """
        session_id = SessionId(call.path.session)
        session = await self._store.session(session_id)
        is_theirs = session is not None and session.member.id == call.caller.member_id
        if session is None or not (is_theirs or Role.ADMIN in call.caller.roles):
            raise Refusal(Code.NOT_FOUND)
        ended = await self._store.end_sessions(
            name=None, session_id=session_id, by=call.caller.name, at_ms=self._now_ms
        )
        return SessionEnded(session_id, ended > 0)

    @property
    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _show(session: Session) -> SessionShown:
    member = session.member
    roles = [role for role in write_roles(member.roles).split(",") if role]
    return SessionShown(
        session.id,
        member.name,
        roles,
        iso_millis_of(session.made_ms),
        iso_millis_of(session.expires_ms),
    )

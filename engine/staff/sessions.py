"""Who asks: a token's session and the roles of its member, as they stand now.

What the database said is believed for a few seconds by readers, and not at all by those who are
about to change something: a revoked role or an ended session works at once where it matters.
"""

from collections import OrderedDict

from engine.clock import Clock, Ids
from engine.desk.proposals import read_person
from engine.errors import NotProven, StaffMistake
from engine.staff.members import (
    SESSION_HOURS,
    SESSION_HOURS_MAX,
    Session,
    SessionId,
    Staff,
)
from engine.staff.store import StaffStore
from engine.staff.tokens import TokenKeys

BELIEVED_SECONDS = 3.0
REMEMBERED_MAX = 1000
HOUR_MS = 3_600_000


class Sessions:
    """Opens sessions, and proves who holds a token."""

    def __init__(self, *, store: StaffStore, keys: TokenKeys, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._seen: OrderedDict[SessionId, tuple[float, Session]] = OrderedDict()

    async def open(self, name: str, *, hours: int = SESSION_HOURS) -> str:
        """A new session's token, told here and never again.

        Raises StaffMistake when there is no such member, they have no role, or it would last too
        long. A repeat opens another session.
        """
        member = await self._store.member(read_person(name))
        if not member.roles:
            raise StaffMistake(f"{member.name} has no role")
        if not 1 <= hours <= SESSION_HOURS_MAX:
            raise StaffMistake(f"a session lasts 1 to {SESSION_HOURS_MAX} hours")
        now_ms = int(self._clock.epoch()) * 1000
        session = Session(
            SessionId(self._ids.hex()), member, now_ms, now_ms + hours * HOUR_MS
        )  # fmt: skip
        await self._store.open_session(session)
        return self._keys.write(session)

    async def prove(self, token: str, *, fresh: bool) -> Staff:
        """Who holds this token. `fresh`: ask the database, whatever was known a moment ago.

        Raises NotProven, always the same, and what the pool raises.
        """
        session_id, name = self._keys.read(token, self._clock.epoch())
        session = None if fresh else self._known(session_id)
        if session is None:
            session = await self._store.session(session_id)
            self._remember(session_id, session)
        if session is None or not session.is_open(int(self._clock.epoch() * 1000)):
            raise NotProven("not proven")
        member = session.member
        if member.name != name:
            raise NotProven("not proven")
        return Staff(member.id, member.name, member.roles, session.id)

    def _known(self, session_id: SessionId) -> Session | None:
        at, session = self._seen.get(session_id, (0.0, None))
        return session if self._clock.apart(at) < BELIEVED_SECONDS else None

    def _remember(self, session_id: SessionId, session: Session | None) -> None:
        self._seen.pop(session_id, None)
        if session is not None:
            self._seen[session_id] = self._clock.epoch(), session
        while len(self._seen) > REMEMBERED_MAX:
            self._seen.popitem(last=False)

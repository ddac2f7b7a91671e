"""Members of staff as callers: nothing they read or do goes without a row in the log of actions."""

from collections.abc import Mapping
from functools import partial

from channels.api.callers import Deed, Ended
from channels.web.limits import Limit
from engine.staff.actions import Action, Actions
from engine.staff.members import Staff
from engine.staff.sessions import Sessions


class StaffCallers:
    """Implements `callers.Callers`."""

    def __init__(self, *, sessions: Sessions, actions: Actions, member: Limit) -> None:
        """`member` is how often one of them may come, wherever they are."""
        self._sessions = sessions
        self._actions = actions
        self._member = member

    def recall(self, token: str) -> Staff | None:  # noqa: ARG002 - of the protocol
        """People come seldom."""
        return None

    async def prove(self, token: str, *, fresh: bool) -> Staff:
        return await self._sessions.prove(token, fresh=fresh)

    def grants_of(self, caller: Staff) -> frozenset[str]:
        return frozenset(caller.roles)

    def owner_of(self, caller: Staff) -> str:
        return caller.member_id

    def limits_of(self, caller: Staff) -> Mapping[Limit, str]:
        return {self._member: caller.member_id}

    async def begin(self, caller: Staff, deed: Deed) -> Ended:
        return partial(self._actions.end, await self._actions.begin(_action(caller, deed)))

    async def write(self, caller: Staff, deed: Deed, outcome: str) -> None:
        await self._actions.write(_action(caller, deed), outcome)


def _action(staff: Staff, deed: Deed) -> Action:
    return Action(staff.name, deed.what, deed.subject, staff.session_id, deed.correlation_id)

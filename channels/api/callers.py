"""What `serving.py` asks about one kind of callers: who they are, how often they may come.

Members of staff are one kind and clients another; it refuses to know either.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol, TypeVar

from channels.web.limits import Limit

C = TypeVar("C")
Ended = Callable[[str], Awaitable[None]]


class Deed(NamedTuple):
    """One request as it is written down: by whom, what, about what; never a body."""

    what: str
    subject: str
    correlation_id: str


class Callers(Protocol[C]):
    """One kind of callers. Every method raises what its store raises."""

    def recall(self, token: str) -> C | None:
        """Who held this token a moment ago, without asking anybody; None where that is not known.

        It decides nothing but how their request is counted.
        """
        ...

    async def prove(self, token: str, *, fresh: bool) -> C:
        """Who holds this token. `fresh`: as they stand this moment. Raises NotProven."""
        ...

    def grants_of(self, caller: C) -> frozenset[str]:
        """What they have been given: roles or scopes."""
        ...

    def owner_of(self, caller: C) -> str:
        """Whose idempotency keys theirs are."""
        ...

    def limits_of(self, caller: C) -> Mapping[Limit, str]:
        """What counts their requests, and as whose."""
        ...

    async def begin(self, caller: C, deed: Deed) -> Ended:
        """Something is about to be changed; what comes back is told how that ended."""
        ...

    async def write(self, caller: C, deed: Deed, outcome: str) -> None:
        """Something was read, or refused."""
        ...

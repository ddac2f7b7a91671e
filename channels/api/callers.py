"""What `serving.py` asks about one kind of callers: who they are, how often they may come.

Members of staff are one kind and clients another; it refuses to know either.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol, TypeVar

from channels.limits import Limit

C = TypeVar("C")


class Deed(NamedTuple):
    """One request as it is written down: by whom, what, about what; never a body."""

    what: str
    subject: str
    correlation_id: str


class Callers(Protocol[C]):
    """One kind of callers. Every method raises what its store raises."""

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

    async def begin(self, caller: C, deed: Deed) -> str:
        """Something is about to be changed; the name of what was written down."""
        ...

    async def end(self, caller: C, deed: Deed, begun: str, outcome: str) -> None:
        """How that ended."""
        ...

    async def write(self, caller: C, deed: Deed, outcome: str) -> None:
        """Something was read, or refused."""
        ...

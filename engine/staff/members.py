"""Members of staff, their roles and their sessions, as values. Pure; it knows no token."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, NewType

from engine.desk.proposals import Person
from engine.errors import StaffMistake

MemberId = NewType("MemberId", str)
SessionId = NewType("SessionId", str)
"""Both 32 hex digits of a UUID version 7."""

SESSION_HOURS = 8
SESSION_HOURS_MAX = 24
"""A token is good for a working day; who stays longer asks for another."""


class Role(StrEnum):
    """What somebody may do. Stored by value."""

    SUPPORT = "support"  # looks at payments and asks operators again
    FINANCE = "finance"  # orders again what failed; proposes and approves what moves money
    COMPLIANCE = "compliance"  # may see whole numbers
    ADMIN = "admin"  # looks after operators; sees no payment


class Member(NamedTuple):
    """One member of staff. No roles: may do nothing, and stays known by name for ever."""

    id: MemberId
    name: Person
    roles: frozenset[Role]


class Session(NamedTuple):
    """What one token is good for. Times are epoch milliseconds."""

    id: SessionId
    member: Member
    made_ms: int
    expires_ms: int
    ended_ms: int | None = None

    def is_open(self, now_ms: int) -> bool:
        return self.ended_ms is None and self.made_ms <= now_ms < self.expires_ms


class Staff(NamedTuple):
    """Somebody who has shown who they are, with the roles they hold at this moment."""

    member_id: MemberId
    name: Person
    roles: frozenset[Role]
    session_id: SessionId


def read_roles(text: str) -> frozenset[Role]:
    """`support,finance` as roles. Raises StaffMistake for a word that is none, or for no word."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    known = {role.value: role for role in Role}
    if not words or set(words) - known.keys():
        raise StaffMistake(f"roles are {', '.join(known)}, with commas between them")
    return frozenset(known[word] for word in words)


def write_roles(roles: Iterable[Role]) -> str:
    """The inverse, in one order."""
    return ",".join(role for role in Role if role in set(roles))

"""What an endpoint is: one line of a table, with the types of all it takes and gives.

Everything that is to be known about the API can be read from the table: who may, what is asked,
what is answered. Handlers know no HTTP.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from channels.api.problems import Code
from engine.staff.members import Role

C = TypeVar("C")
P = TypeVar("P", bound=msgspec.Struct)
Q = TypeVar("Q", bound=msgspec.Struct)
B = TypeVar("B", bound=msgspec.Struct)
R = TypeVar("R", bound=msgspec.Struct)


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No path words, no query, or no body."""


@dataclass(frozen=True)
class Call(Generic[C, P, Q, B]):
    """One request as its handler sees it: read, bounded, and by somebody who may.

    `operation` is the id of what the request makes, the same however often it is tried; "" where it
    changes nothing. `key` is its idempotency key, `hash` of all that was asked and `hash_as_sent`
    what that was before `decisions/0006`, for an endpoint that keeps its key itself.
    """

    caller: C
    path: P
    query: Q
    body: B
    operation: str = ""
    key: str = ""
    hash: bytes = b""
    hash_as_sent: bytes = b""


@dataclass(frozen=True)
class Again(Generic[R]):
    """The answer of an endpoint that keeps its key, when the same request was answered before."""

    answer: R


@dataclass(frozen=True)
class Endpoint(Generic[C, P, Q, B, R]):
    """One line of the table. `grants`: whoever has one of them may; roles of staff, or scopes.

    `subject` names the word of the path, or the field of the body, that the log keeps as what it
    was about; `status` is that of a success. `keeps_key`: the effect is stored with the key, in one
    commit, and answers a repeat by itself.
    """

    method: str
    path: str  # `/transactions/{transaction}`
    what: str  # for the log, and the operation's id in the description of the API
    summary: str
    grants: frozenset[Any]
    path_type: type[P]
    query_type: type[Q]
    body_type: type[B]
    answer_type: type[R]
    handler: Callable[[Call[C, P, Q, B]], Awaitable[R | Again[R]]]
    subject: str = ""
    status: int = 200
    keeps_key: bool = False
    refuses: frozenset[Code] = frozenset()  # beyond what every endpoint may: for the description

    @property
    def changes(self) -> bool:
        """Whether it wants an idempotency key, and is written down before it is done."""
        return self.method != "GET"


AnyEndpoint = Endpoint[Any, Any, Any, Any, Any]

EVERYBODY = frozenset(Role)


def check_table(table: tuple[AnyEndpoint, ...]) -> None:
    """Raises ValueError for a table that says something twice or lets nobody in."""
    seen: set[tuple[str, str]] = set()
    names: set[str] = set()
    for endpoint in table:
        key = endpoint.method, endpoint.path
        if key in seen or endpoint.what in names:
            raise ValueError(f"{key} or {endpoint.what} stands there twice")
        words = set(re.findall(r"\{(\w+)\}", endpoint.path))
        if words != set(endpoint.path_type.__struct_fields__):
            raise ValueError(f"{key}: the words of the path are not those of its type")
        if not endpoint.grants:
            raise ValueError(f"{key} is for nobody")
        seen.add(key)
        names.add(endpoint.what)

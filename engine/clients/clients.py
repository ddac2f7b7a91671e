"""Clients, their API keys and what a key is good for, as values. Pure; it knows no secret."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, NewType

from engine.errors import StaffMistake

ClientId = NewType("ClientId", str)
KeyId = NewType("KeyId", str)
"""Both 32 hex digits of a UUID version 7."""

NAME_LENGTH_MAX = 40
_NAME_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


class Scope(StrEnum):
    """What a key may be used for. Stored by value."""

    QUOTES_READ = "quotes:read"  # asks for prices, and keeps them until they expire
    PAYMENTS_READ = "payments:read"
    PAYMENTS_WRITE = "payments:write"  # sends, withdraws, asks for refunds
    POOLS_READ = "pools:read"
    POOLS_WRITE = "pools:write"  # sets liquidity aside for its own payments, gives it back
    RATES_READ = "rates:read"
    OPERATORS_READ = "operators:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"


class Client(NamedTuple):
    """A business, or one application of it: payments and idempotency keys are its own."""

    id: ClientId
    name: str


class ApiKey(NamedTuple):
    """A key as it is stored. Times are epoch milliseconds; None: never, or not yet."""

    id: KeyId
    client: Client
    scopes: frozenset[Scope]
    mac: bytes
    mac_key: int  # the version of the key that made `mac`
    made_ms: int
    expires_ms: int | None = None
    ended_ms: int | None = None
    used_ms: int | None = None  # to the minute
    replaced_by: KeyId | None = None

    def is_good(self, now_ms: int) -> bool:
        is_over = self.expires_ms is not None and now_ms >= self.expires_ms
        return self.ended_ms is None and not is_over


class KeyHolder(NamedTuple):
    """Somebody who has shown a good key, with what it is good for at this moment."""

    client_id: ClientId
    name: str
    scopes: frozenset[Scope]
    key_id: KeyId


def read_client_name(text: str) -> str:
    """As it is stored: trimmed, lower case. Raises StaffMistake for what is none."""
    name = text.strip().lower()
    if not 0 < len(name) <= NAME_LENGTH_MAX or set(name) - _NAME_SIGNS:
        raise StaffMistake(f"a client's name has 1 to {NAME_LENGTH_MAX} of a-z, 0-9 and -_.")
    return name


def read_scopes(text: str) -> frozenset[Scope]:
    """`quotes:read,payments:write` as scopes. Raises StaffMistake for no word or an unknown one."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    known = {scope.value: scope for scope in Scope}
    if not words or set(words) - known.keys():
        raise StaffMistake(f"scopes are {', '.join(known)}, with commas between them")
    return frozenset(known[word] for word in words)


def write_scopes(scopes: Iterable[Scope]) -> list[str]:
    """By value, in one order."""
    return [scope.value for scope in Scope if scope in set(scopes)]

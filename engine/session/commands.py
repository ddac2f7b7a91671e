"""A Redis command as it travels, and the slot its key lies in. It sends nothing."""

from collections.abc import Sequence
from typing import Any

import hiredis
from redis.crc import key_slot
from redis.exceptions import DataError

SLOTS = 16_384
"""Of every Redis Cluster (cluster specification, "Key distribution model")."""

Argument = bytes | str | int | float

_ADMIN = frozenset(
    ("CLIENT", "CLUSTER", "CONFIG", "DBSIZE", "DEBUG", "FLUSHALL", "FLUSHDB", "INFO")
)
_KEYLESS = _ADMIN | {"ECHO", "PING", "SCRIPT", "TIME"}
_SCRIPTS = frozenset(("EVAL", "EVALSHA"))


def pack(command: Any) -> bytes:
    """Packed in C from a tuple. Raises DataError, quoting no argument, for what cannot be sent."""
    try:
        packed: bytes = hiredis.pack_command(command)
    except (TypeError, ValueError):
        raise DataError(f"cannot send every argument of {command[0]!r} to Redis") from None
    return packed


def slot_of(command: Sequence[Argument]) -> int | None:
    """The slot of a command's first key; None when it has none and any node can run it.

    The few commands whose key stands elsewhere are sent to the wrong node first, which names the
    right one.
    """
    key = _first_key(command)
    return None if key is None else key_slot(key)


def _first_key(command: Sequence[Argument]) -> bytes | None:
    name = _bytes(command[0]).decode("ascii", "replace").upper()
    if name in _KEYLESS or len(command) < 2:
        return None
    if name not in _SCRIPTS:
        return _bytes(command[1])
    return _bytes(command[3]) if len(command) > 3 and int(command[2]) else None


def _bytes(argument: Argument) -> bytes:
    return argument if isinstance(argument, bytes) else str(argument).encode()

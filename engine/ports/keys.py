"""What the engine asks of whoever keeps the keys that wrap data keys."""

from typing import NamedTuple, Protocol


class Wrapped(NamedTuple):
    """A data key as it may be stored. `by`: the version of the key that wrapped it."""

    by: int
    body: bytes


class KeyWrapPort(Protocol):
    """Wraps and unwraps keys of 32 bytes. What is wrapped for one `context` opens in no other."""

    @property
    def newest(self) -> int:
        """The version that wraps now."""
        ...

    async def wrap(self, key: bytes, context: str) -> Wrapped: ...

    async def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Raises KeyNotAtHand, or Tampered."""
        ...

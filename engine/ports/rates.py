"""What is asked of a source of exchange rates."""

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec


class Pair(NamedTuple):
    """Two currencies. A mid rate is major units of `quote` for one major unit of `base`."""

    base: str
    quote: str

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


_MID = re.compile(r"(?=.*[1-9])[0-9]{1,15}(\.[0-9]{1,24})?")


class Observation(msgspec.Struct, frozen=True):
    """What a rate source says of one pair. `mid` is a positive decimal in plain digits, exact."""

    pair: Pair
    mid: str
    at_ms: int  # the source's own time, epoch milliseconds

    def __post_init__(self) -> None:
        if not _MID.fullmatch(self.mid):
            raise ValueError(f"not a mid rate: {self.mid[:40]!r}")


class RateSource(Protocol):
    """Somebody who knows market rates. Asking twice changes nothing.

    `is_live`: it follows the market by itself; a table that people keep does not.
    """

    name: str
    is_live: bool
    stale_after_seconds: int  # by the source's own time; how often it publishes is its own affair

    async def fetch(self, pairs: Sequence[Pair]) -> list[Observation]:
        """At most one observation for each pair; what the source does not know is left out.

        Raises a `ProviderError`: `Unreadable` for a document that is not what it documents.
        """
        ...

    async def aclose(self) -> None: ...

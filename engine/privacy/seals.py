"""What a store asks for before it writes about people, and after it has read.

Where no keys are set all is stored as it is: for development, and for tests of other things.
"""

from typing import Any, Protocol

from engine.errors import KeyNotAtHand, Tampered
from engine.privacy.codec import read_sealed


class Seals(Protocol):
    """The keys of one tenant at work. A `place` names a column and the row, and nothing else opens
    what was sealed there: `customer.name/0190...`.
    """

    @property
    def hides(self) -> bool:
        """False where all is stored as it is."""
        ...

    def seal(self, text: str, place: str) -> str: ...

    def open(self, text: str, place: str) -> str:
        """A value nobody sealed passes as it is. Raises Tampered, or KeyNotAtHand."""
        ...

    def index(self, number: str) -> str:
        """Under which a number is stored where it must be found."""
        ...

    def indexes(self, number: str) -> list[str]:
        """All that it may be stored under: first what new rows have, then what is of before."""
        ...


class NoSeals:
    """Everything as it is."""

    hides = False

    def seal(self, text: str, place: str) -> str:  # noqa: ARG002 - as the protocol has it
        return text

    def open(self, text: str, place: str) -> str:
        if (sealed := read_sealed(text)) is not None:
            raise KeyNotAtHand(f"{place} is sealed under data key {sealed.version}; set the keys")
        return text

    def index(self, number: str) -> str:
        return number

    def indexes(self, number: str) -> list[str]:
        return [number]


PLAIN = NoSeals()


def seals_of(pool: Any) -> Seals:
    """How what goes through this pool is sealed; of a pool that says nothing, not at all."""
    found: Seals = getattr(pool, "seals", PLAIN)
    return found


def seal_maybe(seals: Seals, text: str | None, place: str) -> str | None:
    """The same of a text that may not be there."""
    return None if text is None else seals.seal(text, place)


def open_maybe(seals: Seals, text: str | None, place: str) -> str | None:
    """The same of a text that may not be there."""
    return None if text is None else seals.open(text, place)


def open_moved(seals: Seals, text: str, place: str, before: str) -> str:
    """A value of a column that shared the place `before` with another, until each had its own.

    What was sealed before opens there until `capp data seal` has moved it. Raises as `Seals.open`.
    """
    try:
        return seals.open(text, place)
    except Tampered:
        return seals.open(text, before)


def open_number(seals: Seals, kept: str, sealed: str | None, place: str) -> str:
    """A number that is kept under its index with its sealed self beside it, or plain of before."""
    return kept if sealed is None else seals.open(sealed, place)


def found_as(seals: Seals, number: str) -> tuple[str, str | None]:
    """Both that a number may stand under; the second is None where there is only one."""
    first, *before = seals.indexes(number)
    return first, before[0] if before else None

"""Who the two people of a payment are, as far as that is known at one moment, by whose word. Pure.

Names are personal: they are compared here, and kept only where a payment is held by them.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date

import msgspec

from engine.compliance.clearance import CLIENT, OPERATOR, STAFF
from engine.compliance.names import unmasked
from engine.compliance.profiles import Profile

PAYER, PAYEE = "payer", "payee"


class Name(msgspec.Struct, frozen=True):
    """A name of the payer or payee that can be compared; whose word it is; the birth with it."""

    who: str
    named_by: str
    name: str
    born: date | None


class People(msgspec.Struct, frozen=True):
    """`told` is the name by the word of each one's operator: "" where it knows none, None where it
    did not tell in time; who is not there was not asked for.
    """

    profiles: Mapping[str, Profile | None]  # `payer`, `payee` -> what staff took down
    told: Mapping[str, str | None] = {}
    expected: str = ""  # the payee's name by the word of the client that asked

    def names(self, is_same: Callable[[str, str], bool]) -> Iterator[Name]:
        """What can be compared, the word of staff first.

        The birth that staff took down is that of whom they have named: a wallet in another's name
        is nobody's of whom a birth is known.
        """
        for who, profile in self.profiles.items():
            if profile is not None and profile.name is not None:
                yield Name(who, STAFF, profile.name, profile.born)
        for who, named_by, word in self._words():
            name = unmasked(word)
            if name:
                yield Name(who, named_by, name, self._born(who, name, is_same))

    @property
    def masked(self) -> tuple[str, ...]:
        """Whose operator told too little of the name."""
        return tuple(who for who, name in self.told.items() if name and unmasked(name) is None)

    @property
    def silent(self) -> tuple[str, ...]:
        """Whose operator was asked, and did not tell in time."""
        return tuple(who for who, name in self.told.items() if name is None)

    def _words(self) -> Iterator[tuple[str, str, str]]:
        for who, name in self.told.items():
            yield who, OPERATOR, name or ""
        yield PAYEE, CLIENT, self.expected

    def _born(self, who: str, name: str, is_same: Callable[[str, str], bool]) -> date | None:
        profile = self.profiles.get(who)
        if profile is None or profile.born is None:
            return None
        return profile.born if profile.name and is_same(name, profile.name) else None

"""What staff took down about a customer: name, birth, tier. For screening, limits and reports.

A customer registers with a number and a PIN alone; who that is, only staff may say.
"""

import asyncio
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from itertools import chain
from typing import Any

import msgspec

from engine.clock import CustomerId
from engine.compliance.limits import TIERS
from engine.gather import Gatherer, alone
from engine.msisdn import Msisdn
from engine.privacy.people import read_name as open_name
from engine.privacy.people import read_number
from engine.privacy.places import name_place
from engine.privacy.seals import Seals, seals_of

NAME_LENGTH_MAX = 100
_OLDEST = date(1900, 1, 1)
_IN_NAMES = frozenset(" -.,'’")

_COLUMNS = "id, msisdn, msisdn_sealed, country, tier, name, born, created_at, tier_paused_until"
_FIND = f"select {_COLUMNS} from customer where tenant = $1 and msisdn = any($2::text[])"  # noqa: S608 - fixed names
_NUMBER_OF = "select id, msisdn, msisdn_sealed from customer where tenant = $1 and id = $2"
_ID_OF = "select id from customer where tenant = $1 and msisdn = any($2::text[])"
_DESCRIBE = f"""
update customer set tier = coalesce($3, tier), name = coalesce($4, name), born = coalesce($5, born)
where tenant = $1 and id = $2 returning {_COLUMNS}
"""  # noqa: S608 - the same


class Profile(msgspec.Struct, frozen=True):
    """A registered customer as compliance sees one. Never goes into a log or a decision."""

    customer_id: CustomerId
    msisdn: Msisdn
    country: str
    tier: int
    name: str | None
    born: date | None
    created_at: datetime
    tier_paused_until: datetime | None = None

    def tier_at(self, moment: datetime) -> int:
        """The tier that counts: for a day after a PIN was chosen anew, the lowest."""
        is_paused = self.tier_paused_until is not None and moment < self.tier_paused_until
        return TIERS[0] if is_paused else self.tier


class Profiles:
    """The profiles of one tenant, on an asyncpg pool. Every method may be repeated."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant
        self._seals = seals_of(pool)
        self._asked: Gatherer[Msisdn, Profile] = Gatherer(self._fetch)

    async def of_both(self, payer: Msisdn, payee: Msisdn) -> tuple[Profile | None, Profile | None]:
        """Who two people are, None for one who is not registered.

        Questions of the same moment travel together.
        """
        both = self._asked.get(payer), self._asked.get(payee)
        first, second = await asyncio.gather(*both)
        return first, second

    async def find(self, numbers: Sequence[Msisdn]) -> dict[Msisdn, Profile]:
        """Those of the numbers that are registered."""
        under = [name for number in numbers for name in self._seals.indexes(str(number))]
        rows = await self._pool.fetch(_FIND, self._tenant, under)
        found = (read_profile(row, self._seals) for row in rows)
        return {profile.msisdn: profile for profile in found}

    async def _fetch(self, numbers: Sequence[Msisdn]) -> dict[Msisdn, Profile | Exception]:
        under = {number: self._seals.indexes(str(number)) for number in numbers}
        rows = await self._pool.fetch(_FIND, self._tenant, [*chain.from_iterable(under.values())])
        kept = {row["msisdn"]: row for row in rows}
        return {
            number: alone("a customer", read_profile, kept[name], self._seals)
            for number, names in under.items()
            for name in names
            if name in kept
        }

    async def number_of(self, customer_id: CustomerId) -> Msisdn | None:
        """Whose number a case of a customer speaks of."""
        row = await self._pool.fetchrow(_NUMBER_OF, self._tenant, customer_id)
        return read_number(self._seals, row) if row is not None else None

    async def describe(
        self,
        msisdn: Msisdn,
        *,
        tier: int | None = None,
        name: str | None = None,
        born: date | None = None,
    ) -> Profile | None:
        """Take down what is given and keep the rest; None when the number is not registered.

        The values are those of `read_name`, `read_born` and `read_tier`.
        """
        under = self._seals.indexes(str(msisdn))
        found = await self._pool.fetchval(_ID_OF, self._tenant, under)
        if found is None:
            return None
        kept = None if name is None else self._seals.seal(name, name_place(found.hex))
        row = await self._pool.fetchrow(_DESCRIBE, self._tenant, found, tier, kept, born)
        return read_profile(row, self._seals) if row is not None else None


def read_profile(row: Any, seals: Seals) -> Profile:
    """A row that has the customer's columns."""
    return Profile(
        CustomerId(row["id"].hex), read_number(seals, row), row["country"], row["tier"],
        open_name(seals, row), row["born"], row["created_at"], row["tier_paused_until"],
    )  # fmt: skip


def read_name(text: str) -> str:
    """A name as staff typed it, in any script, blanks tidied. Raises ValueError."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name or len(name) > NAME_LENGTH_MAX or not name[0].isalpha():
        raise ValueError(f"a name begins with a letter and has at most {NAME_LENGTH_MAX} signs")
    # Letters and the marks that belong to them; what a spreadsheet would run is none.
    if any(unicodedata.category(sign)[0] not in "LM" and sign not in _IN_NAMES for sign in name):
        raise ValueError("a name has letters, blanks, hyphens, points and apostrophes only")
    return name


def read_born(text: str) -> date:
    """`YYYY-MM-DD`. Raises ValueError."""
    try:
        born = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no day like 1990-12-31") from None
    if born < _OLDEST:
        raise ValueError(f"nobody alive was born before {_OLDEST.year}")
    return born


def read_tier(text: str) -> int:
    """Raises ValueError for a tier that does not exist."""
    if text not in map(str, TIERS):
        raise ValueError(f"there are the tiers {', '.join(map(str, TIERS))}")
    return int(text)

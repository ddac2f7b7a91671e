"""Whom a customer pays again: numbers under names of the customer's own. Nobody else's are seen."""

from typing import Any

from engine.clock import Clock, CustomerId
from engine.customers.customers import Recipient
from engine.errors import CustomerMistake
from engine.msisdn import Msisdn
from engine.privacy.places import (
    recipient_name_place,
    recipient_place,
    recipient_place_before,
)
from engine.privacy.seals import open_moved, seals_of
from engine.septets import cut, transliterate

RECIPIENTS_MAX = 10
NAME_SEPTETS_MAX = 12
"""Also in `menus/texts/widths.yaml`: what fits beside a number on the smallest screen."""

_LIST = """
select msisdn, msisdn_sealed, name from recipient where tenant = $1 and customer_id = $2
"""
# Two phones cannot both take the last place. Not the customer's row: guesses at a PIN wait for it,
# and a process that is frozen in the middle of this must not hold them up.
_TAKE_TURNS = "select pg_advisory_xact_lock(hashtextextended($1, $2))"
_IS_KNOWN = "select true from customer where tenant = $1 and id = $2"
_IS_FULL = """
select count(*) >= $4 from recipient
where tenant = $1 and customer_id = $2 and msisdn <> all($3::text[])
"""
_SAVE = """
insert into recipient (tenant, customer_id, msisdn, name, saved_at, msisdn_sealed)
values ($1, $2, $3, $4, $5, $6)
on conflict (tenant, customer_id, msisdn)
do update set name = excluded.name, msisdn_sealed = excluded.msisdn_sealed
"""
_REMOVE = "delete from recipient where tenant = $1 and customer_id = $2 and msisdn = any($3)"


class Recipients:
    """The saved recipients of one tenant's customers. Every method may be repeated."""

    def __init__(self, pool: Any, tenant: int, clock: Clock) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._seals = seals_of(pool)

    async def of(self, customer_id: CustomerId) -> list[Recipient]:
        """By name, at most `RECIPIENTS_MAX`."""
        rows = await self._pool.fetch(_LIST, self._tenant, customer_id)
        saved = [self._read(customer_id, row) for row in rows]
        saved.sort(key=lambda each: (each.name.lower(), each.name, each.msisdn))
        return saved[:RECIPIENTS_MAX]

    async def save(self, customer_id: CustomerId, msisdn: Msisdn, name: str) -> None:
        """Keep a number under a name; a number that is kept already gets the new name.

        Raises CustomerMistake `mistake.name`, or `mistake.recipients_full`.
        """
        clean = clean_name(name)
        under = self._seals.indexes(str(msisdn))
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_TAKE_TURNS, f"recipients {customer_id}", self._tenant)
            known = await connection.fetchval(_IS_KNOWN, self._tenant, customer_id)
            assert known, "customers are never deleted"
            full = await connection.fetchval(
                _IS_FULL, self._tenant, customer_id, under, RECIPIENTS_MAX
            )
            if full:
                raise CustomerMistake("mistake.recipients_full")
            # One of before goes, so that nobody is saved twice.
            await connection.execute(_REMOVE, self._tenant, customer_id, under[1:])
            place = recipient_place(customer_id, under[0])
            name = self._seals.seal(clean, recipient_name_place(customer_id, under[0]))
            await connection.execute(
                _SAVE, self._tenant, customer_id, under[0], name, self._clock.now(),
                self._seals.seal(str(msisdn), place) if under[1:] else None,
            )  # fmt: skip

    async def remove(self, customer_id: CustomerId, msisdn: Msisdn) -> None:
        under = self._seals.indexes(str(msisdn))
        await self._pool.execute(_REMOVE, self._tenant, customer_id, under)

    def _read(self, customer_id: CustomerId, row: Any) -> Recipient:
        kept, sealed = row["msisdn"], row["msisdn_sealed"]
        before = recipient_place_before(customer_id, kept)
        place = recipient_place(customer_id, kept)
        number = kept if sealed is None else open_moved(self._seals, sealed, place, before)
        place = recipient_name_place(customer_id, kept)
        return Recipient(Msisdn(number), open_moved(self._seals, row["name"], place, before))


def clean_name(text: str) -> str:
    """A name as a screen can show it: one line of GSM-7, at most 12 septets, whole characters.

    A clean name comes back unchanged. Raises CustomerMistake `mistake.name` when no letter or
    digit is left of it.
    """
    line = " ".join(transliterate(text).split())
    name = cut(line, NAME_SEPTETS_MAX).strip()
    if not any(character.isalnum() for character in name):
        raise CustomerMistake("mistake.name")
    return name

"""A customer who wants to be forgotten: what is theirs goes, what the law wants kept stays sealed.

Here is what goes, in one transaction. Who agreed to it is the desk's affair, and the books are
nobody's to change: `engine/privacy/decisions/0004` says what remains, and why.
"""

from typing import Any

from engine.clock import Clock, CustomerId
from engine.errors import StaffMistake
from engine.msisdn import Msisdn
from engine.privacy.codec import TOMBSTONE
from engine.privacy.people import read_number
from engine.privacy.places import quote_place
from engine.privacy.seals import seals_of

_LOCK = """
select id, msisdn, msisdn_sealed, erased_ms from customer where tenant = $1 and id = $2 for update
"""
_IS_BUSY = """
select exists (select from payment where customer = $2 and tenant = $1 and due is not null)
    or exists (select from money_request where tenant = $1 and closed_as is null
                  and (requester = $2 or payer = any($3::text[])))
"""
_ERASE = """
update customer set msisdn = $3, msisdn_sealed = null, name = null, born = null, language = 'en',
    tier = 0, pin_mac = null, pin_key = null, pin_guess = null, pin_failures = 0, pin_locks = 0,
    pin_locked_until = null, pin_reset_asked_at = null, pin_reset_until = null,
    tier_paused_until = null, network = null, network_since_ms = null, erased_ms = $4
where tenant = $1 and id = $2
"""
_FORGET_RECIPIENTS = "delete from recipient where tenant = $1 and customer_id = $2"
_FORGET_ASKED = """
update money_request set requester_msisdn = $3 where tenant = $1 and requester = $2
"""
_FORGET_ASKED_OF = """
update money_request set payer = $3, payer_sealed = null
where tenant = $1 and payer = any($2::text[])
"""
# Of a week at most. No column says whose they are; they are opened and looked at, some at a time.
_QUOTES = """
select id, quote from client_quote where tenant = $1 and id > $2 order by id limit 1000
"""
_FORGET_QUOTES = "delete from client_quote where tenant = $1 and id = any($2::uuid[])"
_FORGET_PORTED = "delete from ported_number where tenant = $1 and msisdn = any($2::text[])"
# What was held or refused is what a compliance officer may be asked for.
_FORGET_TRACES = """
delete from clearance where tenant = $1 and decision is null
   and (payer = any($2::text[]) or payee = any($2::text[]))
"""


class Erasing:
    """The customers of one tenant, on an asyncpg pool. Safe to repeat."""

    def __init__(self, pool: Any, tenant: int, clock: Clock) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._seals = seals_of(pool)

    async def erase(self, customer_id: CustomerId) -> bool:
        """Forget a customer; False when it was done before.

        Who dials with the number afterwards is somebody new. Raises StaffMistake when there is no
        such customer, or while a payment or a request of theirs is not over.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_LOCK, self._tenant, customer_id)
            if row is None:
                raise StaffMistake(f"there is no customer {customer_id}")
            if row["erased_ms"] is not None:
                return False
            number = read_number(self._seals, row)
            under = self._seals.indexes(str(number))
            if await connection.fetchval(_IS_BUSY, self._tenant, customer_id, under):
                raise StaffMistake("a payment or a request of theirs is not over yet")
            await self._forget(connection, customer_id, under)
            await self._forget_quotes(connection, number)
        return True

    async def _forget_quotes(self, connection: Any, number: Msisdn) -> None:
        """Prices that businesses asked for, of payments to them or by them."""
        theirs, last = f'"{number}"', "0" * 32
        while rows := await connection.fetch(_QUOTES, self._tenant, last):
            found = [row["id"].hex for row in rows if theirs in self._opened(row)]
            await connection.execute(_FORGET_QUOTES, self._tenant, found)
            last = rows[-1]["id"].hex

    def _opened(self, row: Any) -> str:
        return self._seals.open(row["quote"], quote_place(row["id"].hex))

    async def _forget(self, connection: Any, customer_id: CustomerId, under: list[str]) -> None:
        tombstone, now_ms = f"{TOMBSTONE}{customer_id}", int(self._clock.epoch() * 1000)
        await connection.execute(_ERASE, self._tenant, customer_id, tombstone, now_ms)
        await connection.execute(_FORGET_RECIPIENTS, self._tenant, customer_id)
        await connection.execute(_FORGET_ASKED, self._tenant, customer_id, tombstone)
        await connection.execute(_FORGET_ASKED_OF, self._tenant, under, tombstone)
        await connection.execute(_FORGET_PORTED, self._tenant, under)
        await connection.execute(_FORGET_TRACES, self._tenant, under)

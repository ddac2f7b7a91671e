"""What stands under an idempotency key: one payment for ever, or the promise that there is none.

It knows no price and no payment's story; the key's row is written by the commit that makes the
payment, or here, by who gives the key up.
"""

from collections.abc import Sequence
from typing import Any

from engine.clock import PaymentId
from engine.ledger.plans import NIL

_BY_KEY = """
select payment, hash from payment_key where tenant = $1 and key = $2 and payment <> $3::uuid"""
# Whoever inserts what a commit under way has inserted waits until that has ended.
_WAIT = """
insert into payment_key (tenant, key, payment, hash)
values ($1, $2, $3::uuid, $3::uuid) on conflict do nothing"""
_GIVE_UP = """
insert into payment_key (tenant, key, payment, hash)
select $1, k, $3::uuid, $3::uuid from unnest($2::text[]) k order by k on conflict do nothing"""
_TAKEN = """
select payment from payment_key where tenant = $1 and key = any($2::text[]) and payment <> $3::uuid
 order by payment desc limit 1"""


class PaymentKeys:
    """The keys under which payments were made, or never will be."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def payment(self, tenant: int, key: str) -> tuple[PaymentId, str] | None:
        """The payment made under a key and the hash of its request; None also where the key was
        given up.
        """
        row = await self._pool.fetchrow(_BY_KEY, tenant, key, NIL)
        return (PaymentId(row["payment"].hex), row["hash"].hex) if row else None

    async def settled(self, tenant: int, key: str) -> tuple[PaymentId, str] | None:
        """As `payment`, once no commit that has taken the key is under way: before somebody hears
        for good that nothing was paid under it. Takes nothing, so the key may be used again.
        """
        async with self._pool.acquire() as connection:
            waiting = connection.transaction()
            await waiting.start()
            try:
                await connection.execute(_WAIT, tenant, key, NIL)
            finally:
                await waiting.rollback()
        return await self.payment(tenant, key)

    async def give_up(self, tenant: int, keys: Sequence[str]) -> PaymentId | None:
        """Take the keys, so that nothing is paid under them any more; the newest payment that was.

        A commit under way that has taken one is waited for; one that has not finds it taken and is
        refused (`Confirming.confirm`). Safe to repeat.
        """
        async with self._pool.acquire() as connection:
            await connection.execute(_GIVE_UP, tenant, keys, NIL)
            taken = await connection.fetchval(_TAKEN, tenant, keys, NIL)
        return PaymentId(taken.hex) if taken is not None else None

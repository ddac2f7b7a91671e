"""Payments that clients asked for, each client's own. Reads only; it knows a client by its id.

The id stands last in a payment's terms, so that it is stored in the very commit that takes the
payment on. Nobody else's payment is ever read and then left out.
"""

from typing import Any, NamedTuple

from engine.clock import CustomerId, PaymentId
from engine.payments.facts import Facts, read_terms
from engine.payments.payment import Payment
from engine.payments.store import PaymentStore

_COLUMNS = "p.id, p.state, p.version, p.live, p.way, p.terms, j.facts"
# As the index `journal_client` has it.
_OWN = "i.version = 1 and split_part(i.facts, '\"', -2) = $2 and right(i.facts, 3) <> '\"\"]'"
_LISTED = f"""
select {_COLUMNS}
  from journal i
  join payment p on p.id = i.payment and p.tenant = $1
  join journal j on j.payment = p.id and j.version = p.terms
 where {_OWN} and i.tenant = $1 and i.payment < $3
   and ($4::uuid is null or p.customer = $4)
 order by i.payment desc limit $5"""
_ONE = f"""
select {_COLUMNS}
  from payment p
  join journal j on j.payment = p.id and j.version = p.terms
  join journal i on i.payment = p.id and {_OWN}
 where p.tenant = $1 and p.id = $3"""
_TERMS = f"""
select i.facts from journal i where {_OWN} and i.tenant = $1 and i.payment = $3"""

LAST = "f" * 32
"""An id behind every payment's: a list begins with the newest."""


class Known(NamedTuple):
    """What an idempotency key of a client stands for."""

    payment_id: PaymentId
    hash: str  # of the request, 32 hex digits
    terms: Facts  # as they were when it was taken on, for ever


class ClientPayments:
    """The payments of one tenant's clients."""

    def __init__(self, pool: Any, tenant: int, store: PaymentStore) -> None:
        self._pool = pool
        self._tenant = tenant
        self._store = store

    async def find(self, client: str, payment_id: PaymentId) -> Payment | None:
        """A client's own payment as it stands; None for every other id."""
        row = await self._pool.fetchrow(_ONE, self._tenant, client, payment_id)
        return self._store.read(row) if row is not None else None

    async def listed(
        self, client: str, *, before: str = LAST, customer: CustomerId | None = None, most: int
    ) -> list[Payment]:
        """The newest first: those made before that one, of one payer if one is named."""
        rows = await self._pool.fetch(_LISTED, self._tenant, client, before, customer, most)
        return [self._store.read(row) for row in rows]

    async def terms(self, client: str, payment_id: PaymentId) -> Facts | None:
        """What was agreed when the payment was taken on, whatever people corrected later."""
        text = await self._pool.fetchval(_TERMS, self._tenant, client, payment_id)
        return read_terms(text) if text is not None else None

    async def by_key(self, client: str, key: str) -> Known | None:
        """The payment that was made under a client's idempotency key."""
        known = await self._store.by_key(self._tenant, payment_key(client, key))
        if known is None:
            return None
        payment_id, hash_ = known
        terms = await self.terms(client, payment_id)
        assert terms is not None, "a key of a client leads to a payment of the client"
        return Known(payment_id, hash_, terms)


def payment_key(client: str, key: str) -> str:
    """A client's idempotency key among all keys of payments; it cannot be anybody else's."""
    return f"client:{client}:{key}"

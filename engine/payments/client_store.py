"""Payments that clients asked for, each client's own. Reads only; it knows a client by its id.

The id stands last in a payment's terms, so that it is stored in the very commit that takes the
payment on. Nobody else's payment is ever read and then left out.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.clock import CustomerId, PaymentId
from engine.gather import Gatherer, alone
from engine.payments.facts import Ending, Facts, open_terms, read_step, read_terms
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.payments.store import PaymentStore
from engine.privacy.seals import seals_of

WITHOUT_PAYEE = "array[{}]".format(
    ", ".join(
        str(int(state))
        for state in (
            State.COLLECT_FAILED, State.REFUND_DUE, State.REFUNDING, State.REFUND_UNKNOWN,
            State.REFUNDED,
        )
    )
)  # fmt: skip
# When it came to the version that is shown; under which key its client knows it; and the step by
# which it was not taken, or began to go back.
_AT = f"""
(select n.at_ms from journal n where n.payment = p.id and n.version = p.version) as at_ms,
(select k.key from payment_key k
  where k.payment = p.id and k.tenant = $1 and k.key like 'client:%' limit 1) as key,
case when p.state = any({WITHOUT_PAYEE}) then
  (select w.facts from journal w where w.payment = p.id and w.state = any({WITHOUT_PAYEE})
    order by w.version limit 1) end as why"""
_COLUMNS = f"p.id, p.state, p.version, p.live, p.way, p.terms, j.facts, {_AT}"
# As the index `journal_client` has it.
_OWN = "i.version = 1 and split_part(i.facts, '\"', -2) = $2 and i.facts not like '%\"\"]'"
# Why a function: `decisions/0025-a-read-that-is-planned-once.md`.
_LISTED = f"select p.*, {_AT} from payments_of_client($1, $2, $3, $4) p where p.id >= $5"
# Begins with the payer's payments: of a client's, those of one payer are far apart.
_LISTED_OF_PAYER = f"""
select {_COLUMNS}
  from (select * from payment p where p.tenant = $1 and p.customer = $6 and p.id < $3 and p.id >= $5
         order by p.id desc offset 0) p
  cross join lateral (select from journal i
                       where {_OWN} and i.payment = p.id and i.tenant = $1 limit 1) i
  cross join lateral (select facts from journal j
                       where j.payment = p.id and j.version = p.terms limit 1) j
 order by p.id desc limit $4"""
_ONE = f"""
select {_COLUMNS}
  from payment p
  join journal j on j.payment = p.id and j.version = p.terms
  join journal i on i.payment = p.id and {_OWN}
 where p.tenant = $1 and p.id = $3"""
_KNOWN = """
select k.key, k.payment, k.hash, i.facts from payment_key k
  join journal i on i.payment = k.payment and i.version = 1
 where k.tenant = $1 and k.key = any((select $2::text[])::text[])"""

FIRST = "0" * 32
"""An id before every payment's."""
LAST = "f" * 32
"""An id behind every payment's: a list begins with the newest."""


class Known(NamedTuple):
    """What an idempotency key of a client stands for."""

    payment_id: PaymentId
    hash: str  # of the request, 32 hex digits
    terms: Facts  # as they were when it was taken on, for ever


class Standing(NamedTuple):
    """A payment as it stands, and since when.

    `key` is the client's own; `reason` why it was not taken, or went back, where an operator's
    listed code said so (`ports.Reason`).
    """

    payment: Payment
    at_ms: int
    key: str | None
    reason: str | None


class ClientPayments:
    """The payments of one tenant's clients."""

    def __init__(self, pool: Any, tenant: int, store: PaymentStore) -> None:
        self._pool = pool
        self._tenant = tenant
        self._store = store
        self._seals = seals_of(pool)
        self._by_key: Gatherer[str, Known] = Gatherer(self._fetch_known)

    async def find(self, client: str, payment_id: PaymentId) -> Standing | None:
        """A client's own payment as it stands; None for every other id."""
        row = await self._pool.fetchrow(_ONE, self._tenant, client, payment_id)
        return self._read(row) if row is not None else None

    async def listed(
        self,
        client: str,
        *,
        since: str = FIRST,
        before: str = LAST,
        customer: CustomerId | None = None,
        most: int,
    ) -> list[Standing]:
        """The newest first: those with ids from `since` on, made before that one, of one payer if
        one is named."""
        asked = (self._tenant, client, before, most, since)
        rows = await (
            self._pool.fetch(_LISTED, *asked)
            if customer is None
            else self._pool.fetch(_LISTED_OF_PAYER, *asked, customer)
        )
        return [self._read(row) for row in rows]

    def _read(self, row: Any) -> Standing:
        key = row["key"]
        return Standing(
            self._store.read(row),
            row["at_ms"],
            key.rpartition(":")[2] if key is not None else None,
            _reason_in(row["why"]),
        )

    async def by_key(self, client: str, key: str) -> Known | None:
        """The payment that was made under a client's idempotency key.

        Its terms are those of the beginning, whatever people corrected later. What many ask for at
        once is read together.
        """
        return await self._by_key.get(payment_key(client, key))

    async def settled(self, client: str, key: str) -> Known | None:
        """As `by_key`, once no commit that has taken the key is under way."""
        await self._store.keys.settled(self._tenant, payment_key(client, key))
        return await self.by_key(client, key)

    async def _fetch_known(self, keys: Sequence[str]) -> dict[str, Known | Exception]:
        rows = await self._pool.fetch(_KNOWN, self._tenant, list(keys))
        return {
            row["key"]: alone(f"payment {row['payment'].hex}", self._read_known, row)
            for row in rows
        }

    def _read_known(self, row: Any) -> Known:
        payment_id = PaymentId(row["payment"].hex)
        terms = read_terms(open_terms(row["facts"], self._seals, payment_id))
        return Known(payment_id, row["hash"].hex, terms)


def _reason_in(facts: str | None) -> str | None:
    """Of a step that people or we ourselves took there is none, nor of one of before there were."""
    if facts is None or facts.startswith("["):
        return None
    step = read_step(facts)
    return step.reason if isinstance(step, Ending) else None


def payment_key(client: str, key: str) -> str:
    """A client's idempotency key among all keys of payments; it cannot be anybody else's."""
    return f"client:{client}:{key}"

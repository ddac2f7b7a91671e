"""A forgotten PIN: the customer asks, two people of staff agree, the customer chooses a new one.

Here are the asking and the agreeing; choosing is `store.py`, and who agreed is the desk's affair.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from engine.clock import Clock, CustomerId, Ids, ms_of
from engine.customers.customers import Customer
from engine.errors import StaffMistake
from engine.msisdn import Msisdn
from engine.privacy.people import read_number
from engine.privacy.places import payload_place
from engine.privacy.seals import seals_of

PIN_RESET = "PIN_RESET"
"""The kind of the case that tells staff."""
WINDOW_SECONDS = 24 * 3600
"""How long after the agreement a new PIN may be chosen."""
ASK_AGAIN_SECONDS = 24 * 3600
"""Asking more often than that is one asking; what staff refused stays refused that long."""
ASKED_SECONDS_MAX = 7 * 24 * 3600
"""An asking older than this is nobody's wish any more."""

# The asking and its case are one statement, so that no asking is ever without somebody who sees it.
_ASK = """
with asked as (
  update customer set pin_reset_asked_at = $3 where tenant = $1 and id = $2
    and (pin_reset_asked_at is null or pin_reset_asked_at <= $4)
    and (pin_reset_until is null or pin_reset_until <= $3)
  returning id)
insert into case_file (payment, kind, hash, tenant, opened_ms, detail)
select id, $5, $6::uuid, $1, $7, $8 from asked where not exists (
  select from case_file c where c.payment = asked.id and c.kind = $5 and c.tenant = $1
    and c.closed_ms is null)
"""
# The window, the case's end and the SMS are one statement: none of them without the others.
_ALLOW = """
with allowed as (
  update customer set pin_reset_until = $4, pin_reset_by = $3 where tenant = $1 and id = $2
    and pin_reset_by is distinct from $3 and pin_reset_asked_at > $5
  returning id),
closed as (
  update case_file c set closed_ms = $6, closed_by = $7, note = $8, proposal = $3 from allowed
   where c.payment = allowed.id and c.kind = $9 and c.tenant = $1 and c.closed_ms is null),
told as (
  insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)
  select $10, id, $1, $11, $12, $13, $13 from allowed)
select true from allowed
"""
_KNOWN = """
select id, msisdn, msisdn_sealed, language, pin_reset_by
from customer where tenant = $1 and id = $2
"""

Write = Callable[[Msisdn, str], tuple[int, str]]
"""The SMS that tells a number, in a language, that a PIN may be chosen: intent kind and payload."""


class Agreement(NamedTuple):
    """What two people decided: the proposal, its maker and reason, and since when it counts."""

    proposal_id: str
    by: str
    note: str
    at: datetime


class PinResets:
    """What the customers of one tenant forgot, on an asyncpg pool. Every method may be repeated."""

    def __init__(self, pool: Any, tenant: int, clock: Clock, ids: Ids) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._ids = ids
        self._seals = seals_of(pool)

    async def ask(self, customer: Customer) -> None:
        """The customer forgot the PIN: open a case, once for as long as it is open.

        Changes nothing while an earlier asking is younger than a day or already granted.
        """
        now = self._clock.now()
        await self._pool.execute(
            _ASK, self._tenant, customer.customer_id, now,
            now - timedelta(seconds=ASK_AGAIN_SECONDS), PIN_RESET, self._ids.hex(), ms_of(now),
            f"{customer.msisdn.masked} forgot the PIN",
        )  # fmt: skip

    async def allow(self, customer_id: CustomerId, agreed: Agreement, write: Write) -> datetime:
        """Let the customer choose a new PIN, once, until the time that is answered.

        Closes the case and queues the SMS in the same statement. The same agreement again opens
        no second window and sends nothing, also when the first was used. Raises StaffMistake when
        the customer is unknown, did not ask, or the agreement is older than its window.
        """
        known = await self._pool.fetchrow(_KNOWN, self._tenant, customer_id)
        if known is None:
            raise StaffMistake(f"there is no customer {customer_id}")
        until = agreed.at + timedelta(seconds=WINDOW_SECONDS)
        if known["pin_reset_by"] == UUID(agreed.proposal_id):
            return until
        now = self._clock.now()
        if until <= now:
            raise StaffMistake("it was agreed too long ago; propose it again")
        kind, payload = write(read_number(self._seals, known), known["language"])
        intent_id = self._ids.hex()
        allowed = await self._pool.fetchval(
            _ALLOW, self._tenant, customer_id, agreed.proposal_id, until,
            now - timedelta(seconds=ASKED_SECONDS_MAX), ms_of(now), agreed.by, agreed.note,
            PIN_RESET, intent_id, kind, self._seals.seal(payload, payload_place(intent_id)),
            int(now.timestamp()),
        )  # fmt: skip
        if not allowed and not await self._was_allowed(customer_id, agreed):
            raise StaffMistake("the customer has not asked for it these seven days")
        return until

    async def _was_allowed(self, customer_id: CustomerId, agreed: Agreement) -> bool:
        """Another process was faster with the same agreement."""
        row = await self._pool.fetchrow(_KNOWN, self._tenant, customer_id)
        return row is not None and row["pin_reset_by"] == UUID(agreed.proposal_id)

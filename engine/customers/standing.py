"""How a customer's PIN and recipients stand, for staff. Never a PIN, a MAC or somebody's number."""

from datetime import datetime
from typing import Any, NamedTuple

from engine.clock import CustomerId
from engine.customers.guesses import LOCKS_MAX

_STANDING = """
select pin_locks, pin_locked_until, pin_reset_asked_at, pin_reset_until, tier_paused_until,
       (select count(*) from recipient r where r.tenant = c.tenant and r.customer_id = c.id)
         as recipients
from customer c where tenant = $1 and id = $2
"""


class Standing(NamedTuple):
    """What staff may know. Times that are over stay until something replaces them."""

    recipients: int
    is_locked_until_reset: bool
    locked_until: datetime | None
    reset_asked_at: datetime | None
    reset_until: datetime | None
    tier_paused_until: datetime | None


async def read_standing(pool: Any, tenant: int, customer_id: CustomerId) -> Standing:
    """One customer of a tenant, who is there."""
    row = await pool.fetchrow(_STANDING, tenant, customer_id)
    assert row is not None, "customers are never deleted"
    return Standing(
        row["recipients"], row["pin_locks"] >= LOCKS_MAX, row["pin_locked_until"],
        row["pin_reset_asked_at"], row["pin_reset_until"], row["tier_paused_until"],
    )  # fmt: skip

"""Who wants no messages, and which ones they get all the same.

Only what people must be told about their own money passes a STOP, and the answer to what a phone
has just asked. A sentence nobody listed here does not.
"""

from typing import Any

from engine.clock import Clock
from engine.msisdn import Msisdn
from engine.privacy.seals import seals_of

REQUIRED = frozenset(
    {
        "receipt_payer",
        "receipt_payee",
        "collect_failed",
        "expired",
        "cancelled",
        "refund_started",
        "refund_decided",
        "late_funds",
        "refunded",
        "returned",
        "taken_back",
        "delayed",
        "request_declined",
        "request_expired",
        "pin_reset",
    }
)
"""Templates of receipts, refunds, failures and delays of one's own payments, and of what one
asked for: money of somebody, or a new PIN (`decisions/0002`)."""


class OptOuts:
    """The table of numbers that said STOP. Every method may be repeated."""

    def __init__(self, pool: Any, tenant: int, clock: Clock) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._seals = seals_of(pool)

    async def are_quiet(self, msisdn: Msisdn) -> bool:
        """Whether this number wants nothing but what is required."""
        return bool(
            await self._pool.fetchval(
                "select true from sms_opt_out where tenant = $1 and msisdn = any($2)",
                self._tenant,
                self._seals.indexes(str(msisdn)),
            )
        )

    async def stop(self, msisdn: Msisdn) -> bool:
        """From now on; False when it was so already, and the first time counts."""
        return bool(
            await self._pool.fetchval(
                "insert into sms_opt_out (tenant, msisdn, since_ms) select $1, $2, $3"
                " where not exists (select from sms_opt_out where tenant = $1"
                "   and msisdn = any($4))"
                " on conflict do nothing returning true",
                self._tenant,
                self._seals.index(str(msisdn)),
                int(self._clock.epoch() * 1000),
                self._seals.indexes(str(msisdn)),
            )
        )

    async def start(self, msisdn: Msisdn) -> bool:
        """The end of it; False when there was nothing to end."""
        return bool(
            await self._pool.fetchval(
                "delete from sms_opt_out where tenant = $1 and msisdn = any($2) returning true",
                self._tenant,
                self._seals.indexes(str(msisdn)),
            )
        )

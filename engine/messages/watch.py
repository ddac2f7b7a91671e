"""What became of messages nobody was sure of: a report settles them, or staff are told.

Only reads and marks rows of `sms_message`; it sends nothing.
"""

import logging
from typing import Any

from engine.clock import Clock
from engine.desk.cases import SMS_UNKNOWN

log = logging.getLogger(__name__)

TOLD_AFTER_SECONDS = 24 * 3600
"""Reports come for as long as a network tries to deliver, a day as a rule."""

_NO_CASE = "answer"  # who got no answer asks again

# A report names our own id only where the gateway lets us put it into its address.
_SETTLE = """
update sms_message m set
    status = case when r.delivered is false then 'undelivered' else 'sent' end,
    message_id = r.message_id
from (
    select distinct on (message) message, message_id, delivered from sms_report
    where message is not null order by message, delivered nulls last
) r
where m.tenant = $1 and m.status = 'unknown' and r.message = m.id
"""
# Marked and put on the desk in one statement: no case is opened twice, none is forgotten.
_TELL = """
with told as (
    update sms_message set status = 'unknown:told'
    where tenant = $1 and status = 'unknown' and at_ms < $2 and template <> $5
    returning id, payment, template
)
insert into case_file (payment, kind, hash, tenant, opened_ms, detail)
select payment, $4, id, $1, $3, 'SMS ' || template || ': nobody knows whether it was sent'
from told on conflict do nothing
"""
_HEALTH = """
select gateway, status, count(*) as messages, sum(segments) as planned, sum(counted) as counted
from sms_message where tenant = $1 and at_ms >= $2 group by gateway, status order by 1, 2
"""


class MessageWatch:
    """Looks at one tenant's messages. Every method may be repeated, by any process."""

    def __init__(
        self,
        pool: Any,
        tenant: int,
        clock: Clock,
        *,
        told_after_seconds: float = TOLD_AFTER_SECONDS,
    ) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._told_after_ms = int(told_after_seconds * 1000)

    async def look(self) -> int:
        """Settle what was reported, tell staff of the rest that is old; how many cases opened."""
        now_ms = int(self._clock.epoch() * 1000)
        await self._pool.execute(_SETTLE, self._tenant)
        tag = await self._pool.execute(
            _TELL, self._tenant, now_ms - self._told_after_ms, now_ms, SMS_UNKNOWN, _NO_CASE
        )
        opened = int(tag.rpartition(" ")[2])
        if opened:
            log.error("%d messages: nobody knows whether they were sent", opened)
        return opened

    async def tally(self, since_ms: int) -> list[tuple[str, str, int, int, int]]:
        """Gateway, status, messages, segments planned and segments counted by the gateway."""
        rows = await self._pool.fetch(_HEALTH, self._tenant, since_ms)
        return [
            (r["gateway"], r["status"], r["messages"], r["planned"] or 0, r["counted"] or 0)
            for r in rows
        ]

"""What became of messages nobody was sure of: a report settles them, or staff are told.

Only reads and marks rows of `sms_message`; it sends nothing.
"""

import logging
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from engine.clock import Clock, first_id_at, moment_of, ms_of
from engine.desk.cases import SMS_UNKNOWN
from engine.messages.letters import ANSWER
from engine.payments.payment import code_of

log = logging.getLogger(__name__)

TOLD_AFTER_SECONDS = 24 * 3600
"""Reports come for as long as a network tries to deliver, a day as a rule."""

_NO_CASE = ANSWER  # who got no answer asks again

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
# The ids keep all but the day's partition out of it; a message is tried for a day at most.
_OF_DAY = "tenant = $1 and at_ms >= $2 and at_ms < $3 and id >= $4 and id < $5"
_TALLY = f"""
select gateway, status, count(*) as messages, sum(segments) as planned, sum(counted) as counted
from sms_message where {_OF_DAY} group by gateway, status order by 1, 2
"""  # noqa: S608 - the condition is ours
_UNCLEAR = f"""
select at_ms, template, gateway, nullif(payment, id) as payment from sms_message
where {_OF_DAY} and status like 'unknown%' order by at_ms, id
"""  # noqa: S608 - the condition is ours


class Tallied(NamedTuple):
    """One day's messages of a gateway that came to one status. `gateway`: "" if none was asked.

    `counted` are the segments by the gateway's own count, of those whose gateway tells one.
    """

    gateway: str
    status: str
    messages: int
    planned: int
    counted: int


class Unclear(NamedTuple):
    """A message that nobody knows to have been sent. `code`: of the payment, if it is about one."""

    at: datetime
    template: str
    gateway: str
    code: str


class MessageWatch:
    """Looks at one tenant's messages. Every method may be repeated, by any process."""

    def __init__(self, pool: Any, tenant: int, clock: Clock) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock

    async def look(self) -> int:
        """Settle what was reported, tell staff of the rest that is old; how many cases opened."""
        now_ms = int(self._clock.epoch() * 1000)
        await self._pool.execute(_SETTLE, self._tenant)
        tag = await self._pool.execute(
            _TELL, self._tenant, now_ms - TOLD_AFTER_SECONDS * 1000, now_ms, SMS_UNKNOWN, _NO_CASE
        )
        opened = int(tag.rpartition(" ")[2])
        if opened:
            log.error("%d messages: nobody knows whether they were sent", opened)
        return opened

    async def tally(self, day: date) -> list[Tallied]:
        """What was written down on a day (UTC), by gateway and status."""
        rows = await self._pool.fetch(_TALLY, self._tenant, *_bounds(day))
        return [
            Tallied(r["gateway"], r["status"], r["messages"], r["planned"] or 0, r["counted"] or 0)
            for r in rows
        ]

    async def unclear(self, day: date) -> list[Unclear]:
        """Those of a day (UTC) whose fate is unknown, the oldest first."""
        rows = await self._pool.fetch(_UNCLEAR, self._tenant, *_bounds(day))
        return [
            Unclear(
                moment_of(r["at_ms"]), r["template"], r["gateway"],
                code_of(r["payment"].hex) if r["payment"] else "",
            )
            for r in rows
        ]  # fmt: skip


def _bounds(day: date) -> tuple[int, int, str, str]:
    """Of `at_ms`, and of the ids that were made early enough to be written down then."""
    begins = datetime.combine(day, time(), UTC)
    ends = begins + timedelta(days=1)
    ids = (first_id_at(begins - 2 * timedelta(days=1)), first_id_at(ends))
    return ms_of(begins), ms_of(ends), *ids

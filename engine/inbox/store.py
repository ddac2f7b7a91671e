"""Which messages are done with, and their answers on the way out. In Postgres, in one statement.

A message is done with exactly when its answer is queued, so neither can be lost without the
other. No text that somebody sent us comes here.
"""

from typing import Any

from engine.clock import Clock, Ids
from engine.ledger.plans import Intent
from engine.messages.letters import REPLY, write_answer
from engine.msisdn import Msisdn
from engine.privacy.places import payload_place
from engine.privacy.seals import seal_maybe, seals_of

KEPT_SECONDS = 48 * 3600
"""Gateways repeat a message for half a day; twice that and more is safe."""

_FINISH = """
with done as (
    insert into sms_inbound (tenant, gateway, message_id, at_ms) values ($1, $2, $3, $4)
    on conflict do nothing returning tenant
)
insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)
select $5::uuid, $5::uuid, tenant, $6::smallint, $7, $8, $9 from done where $7::text is not null
"""


class InboxStore:
    """The inbound messages of one tenant."""

    def __init__(
        self, pool: Any, tenant: int, clock: Clock, ids: Ids, *, lease_seconds: int
    ) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._ids = ids
        self._seals = seals_of(pool)
        self._lease_seconds = lease_seconds

    async def is_done(self, gateway: str, message_id: str) -> bool:
        """Whether a message was carried out before."""
        return bool(
            await self._pool.fetchval(
                "select true from sms_inbound"
                " where tenant = $1 and gateway = $2 and message_id = $3",
                self._tenant, gateway, message_id,
            )
        )  # fmt: skip

    async def finish(
        self, gateway: str, message_id: str, to: Msisdn | None, answer: str | None
    ) -> Intent | None:
        """Mark it as done and queue the answer. None when there is none, or it was done before."""
        now = self._clock.epoch()
        payload = write_answer(to, answer) if to is not None and answer is not None else None
        intent = Intent(
            self._ids.intent(), REPLY, payload, int(now), int(now) + self._lease_seconds
        )
        sealed = seal_maybe(self._seals, payload, payload_place(intent.id))
        tag = await self._pool.execute(
            _FINISH, self._tenant, gateway, message_id, int(now * 1000), intent.id, intent.kind,
            sealed, intent.not_before, intent.lease_until,
        )  # fmt: skip
        return intent if tag.endswith(" 1") else None

    async def forget(self) -> int:
        """Drop what no gateway repeats any more; how many rows went."""
        before = int((self._clock.epoch() - KEPT_SECONDS) * 1000)
        tag = await self._pool.execute(
            "delete from sms_inbound where tenant = $1 and at_ms < $2", self._tenant, before
        )
        return int(tag.rpartition(" ")[2])

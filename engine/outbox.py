"""The outbox in Postgres: who may carry out an intent, and what was handed to SMS gateways.

An intent is claimed before its first byte leaves (`sent_at`), so that a process that finds it
later knows whether the outside may have heard of it.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from engine.clock import Clock, PaymentId, first_id_at
from engine.gather import Gatherer
from engine.ports import SmsReport


RETRY_SECONDS_MIN = 5
"""No intent is taken up again sooner after it was made."""


class Leased(msgspec.Struct, frozen=True):
    """An intent some process left behind. `was_sent`: the outside may have heard of it."""

    id: str
    payment_id: PaymentId
    kind: int
    payload: str | None
    was_sent: bool


class Outbox:
    """Claims, releases and endings of intents; all of them may be repeated."""

    def __init__(self, pool: Any, clock: Clock, *, lease_seconds: int) -> None:
        self._pool = pool
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._claims: Gatherer[str, bool] = Gatherer(self._claim_many)
        self._ended: Gatherer[SmsEnding, bool] = Gatherer(self._end_many)
        self._reports: Gatherer[tuple[int, SmsReport], bool] = Gatherer(self._keep_reports)

    async def claim(self, intent_id: str) -> bool:
        """Mark it as sent. False when somebody else has it, or it is done."""
        return await self._claims.get(intent_id) or False

    async def release(self, intent_id: str, retry_at: float) -> None:
        """The outside definitely did not hear of it: let any process try again then."""
        await self._pool.execute(
            "update outbox set sent_at = null, lease_until = $2 where id = $1",
            intent_id, int(retry_at),
        )  # fmt: skip

    async def lease_left_behind(self, most: int) -> list[Leased]:
        """Intents whose lease has run out, claimed for this process in the same statement.

        Only ids older than the shortest retry are looked at: they are times, and few rows live
        that long. That spares an index which every claim would have to touch.
        """
        now = int(self._clock.epoch())
        oldest = first_id_at(self._clock.now() - timedelta(seconds=RETRY_SECONDS_MIN))
        rows = await self._pool.fetch(
            "with old as (select id, sent_at from outbox where id < $4 and lease_until < $1"
            "   order by id limit $2 for update skip locked)"
            " update outbox o set lease_until = $3, sent_at = coalesce(o.sent_at, $1)"
            " from old where o.id = old.id"
            " returning o.id, o.payment, o.kind, o.payload, old.sent_at is not null as was_sent",
            now, most, now + self._lease_seconds, oldest,
        )  # fmt: skip
        return [
            Leased(r["id"].hex, PaymentId(r["payment"].hex), r["kind"], r["payload"], r["was_sent"])
            for r in rows
        ]

    async def still_there(self, intent_id: str) -> bool:
        """Whether an intent is yet to be carried out or under way."""
        return bool(await self._pool.fetchval("select true from outbox where id = $1", intent_id))

    async def end_sms(self, ending: "SmsEnding") -> None:
        """Keep what became of a message and strike its intent off, in one statement."""
        await self._ended.get(ending)

    async def keep_report(self, tenant: int, report: SmsReport) -> None:
        """A delivery report, which may come early, late, or twice."""
        await self._reports.get((tenant, report))

    async def _claim_many(self, ids: Sequence[str]) -> dict[str, bool]:
        now = int(self._clock.epoch())
        rows = await self._pool.fetch(
            "update outbox set sent_at = $2, lease_until = $3"
            " where id = any($1::uuid[]) and sent_at is null returning id",
            list(ids), now, now + self._lease_seconds,
        )  # fmt: skip
        return {row["id"].hex: True for row in rows}

    async def _keep_reports(
        self, reports: Sequence[tuple[int, SmsReport]]
    ) -> dict[tuple[int, SmsReport], bool]:
        now_ms = int(self._clock.epoch() * 1000)
        rows = [
            (r.message_id, r.status, tenant, r.delivered, r.failure, now_ms)
            for tenant, r in reports
        ]
        await self._pool.executemany(
            "insert into sms_report (message_id, status, tenant, delivered, failure, at_ms)"
            " values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
            rows,
        )
        return dict.fromkeys(reports, True)

    async def _end_many(self, endings: "Sequence[SmsEnding]") -> "dict[SmsEnding, bool]":
        now_ms = int(self._clock.epoch() * 1000)
        ids, payments, tenants, templates, statuses, messages = zip(
            *[(e.id, e.payment_id, e.tenant, e.template, e.status, e.message_id) for e in endings],
            strict=True,
        )
        await self._pool.execute(
            "with gone as (delete from outbox where id = any($1::uuid[]))"
            " insert into sms_message (id, payment, tenant, template, status, message_id, at_ms)"
            " select *, $7 from unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[],"
            " $6::text[]) on conflict do nothing",
            ids, payments, tenants, templates, statuses, messages, now_ms,
        )  # fmt: skip
        return dict.fromkeys(endings, True)


class SmsEnding(msgspec.Struct, frozen=True):
    """What became of one message: `sent`, `unknown`, or `refused:<code>`."""

    id: str
    payment_id: PaymentId
    tenant: int
    template: str
    status: str
    message_id: str = ""

"""The outbox in Postgres: who may carry out an intent, and what was handed to SMS gateways.

An intent is claimed before its first byte leaves (`sent_at`), so that a process that finds it
later knows whether the outside may have heard of it. Every claim has a number of its own: what its
holder finds out counts only while nobody else has claimed the intent since. Knows no payment.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from engine.clock import Clock, PaymentId, epoch_of, first_id_at
from engine.errors import OurFault
from engine.gather import UNHURRIED_SECONDS, Gatherer
from engine.ports import SmsReport
from engine.privacy.places import payload_place
from engine.privacy.seals import open_maybe, seals_of
from engine.restored import NEVER, Restored

log = logging.getLogger(__name__)

_NIL = "0" * 32

RETRY_SECONDS_MIN = 5
"""No intent is taken up again sooner after it was made."""

LEFT_ALONE_SECONDS_MAX = 3600.0
"""What waits for us to mend something goes on so soon after that was done."""

QUESTION = 11
"""The intent kind of a question about an attempt that is over; kinds below are sent, not asked."""

LEFT_BEHIND = (1, 2, 3, 10, 12, 13)
"""The kinds that are taken over: orders by their direction, and messages. One that this code does
not know is left to the newer code that wrote it."""

NEVER_SENT = "never_sent"
"""How a call ends of which no byte has left, and none will."""

HELD = "held"
"""Stands where an end will: the order is kept from leaving by somebody who says how it ended."""

LOOK_AT_ALL_SECONDS = 60
"""So rarely a process walks everything that waits; in between what was put off and is due by now,
and what is young."""

YOUNG_LEASES, YOUNG_SECONDS_MIN = 3, 180
"""What was made within so many leases, and seconds, is walked at every look: what a process that
dies leaves behind is nearly always due within two leases."""

_DUE = (
    "lease_until < $1 and id < $4 and kind = any((select $5::smallint[])::smallint[])"
    " order by {order} limit $2 for update skip locked"
)
# Of both a batch is looked for, and what is taken are the first of each: neither waits behind the
# other. Whatever a row says of when it was put off to, the walk finds it once it is due.
_LEASE = (
    "with late as (select id, sent_at from outbox where put_off_until < $1 and {late}),"
    " walked as (select id, sent_at from outbox where id >= $6"
    "   and (put_off_until is null or put_off_until >= $1) and {walked}),"
    " both_ as (select *, false as is_walked, row_number() over () as n from late"
    "   union all select *, true, row_number() over () from walked),"
    " old as (select * from both_ order by n limit $2)"
    " update outbox o set lease_until = $3, sent_at = coalesce(o.sent_at, $1),"
    "   claims = o.claims + 1"
    " from old where o.id = old.id"
    " returning o.id, o.payment, o.kind, o.payload, old.sent_at is not null as was_sent,"
    "   o.claims, o.ended, old.is_walked"
)


LEASE_OLDEST, LEASE_NEWEST = (
    _LEASE.format(late=_DUE.format(order="put_off_until"), walked=_DUE.format(order=order))
    for order in ("id", "id desc")
)


def ever_rarer(made: str, now: float, seconds_min: float) -> float:
    """So many seconds what nobody here can mend is left alone: half as long again as it has waited
    since that id was made, and an hour at most.
    """
    return min(max((now - epoch_of(made)) / 2, seconds_min), LEFT_ALONE_SECONDS_MAX)


class Refusal(msgspec.Struct, frozen=True):
    """How a call ended that was definitely not carried out, as it is kept until its commit."""

    code: str
    reason: str

    def written(self) -> str:
        return msgspec.json.encode(self).decode()


class Leased(msgspec.Struct, frozen=True):
    """An intent some process left behind, under a claim of ours.

    `was_sent`: the outside may have heard of it. `ended`: what `Outbox.end` wrote, if it did; then
    nobody calls any more, and whoever holds the row carries out what follows. HELD is no end.
    `unread`: why its words cannot be opened here. Then it was put back, and waits.
    """

    id: str
    payment_id: PaymentId
    kind: int
    payload: str | None
    was_sent: bool
    claim: int
    ended: str | None = None
    unread: OurFault | None = None


class Outbox:
    """Claims, releases and endings of intents; all of them may be repeated."""

    def __init__(
        self, pool: Any, clock: Clock, *, lease_seconds: int, restored: Restored = NEVER
    ) -> None:
        """Intents that a restore forgot may have left in what it lost, whatever their rows say
        (`decisions/0039` of payments).
        """
        self._pool = pool
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._young_seconds = max(YOUNG_LEASES * lease_seconds, YOUNG_SECONDS_MIN)
        self._restored = restored
        self._seals = seals_of(pool)
        self._claiming: set[str] = set()
        self._all_walked: dict[tuple[int, ...], int] = {}  # kinds -> when, in epoch seconds
        # Under a moderate load each of these would be a statement and a flush of its own.
        self._claims: Gatherer[str, int] = Gatherer(self._claim_many, patience=UNHURRIED_SECONDS)
        self._ended: Gatherer[SmsEnding, bool] = Gatherer(
            self._end_many, patience=UNHURRIED_SECONDS
        )
        self._reports: Gatherer[tuple[int, SmsReport], bool] = Gatherer(
            self._keep_reports, patience=UNHURRIED_SECONDS
        )

    @property
    def lease_seconds(self) -> int:
        """How long a claim is held that nobody renews."""
        return self._lease_seconds

    async def claim(self, intent_id: str) -> int:
        """Mark it as sent. The number of the claim; 0 when somebody else has it, or it is done."""
        if intent_id in self._claiming:  # gathered with the first claim it would get its number
            return 0
        self._claiming.add(intent_id)
        try:
            return await self._claims.get(intent_id) or 0
        finally:
            self._claiming.discard(intent_id)

    async def take_again(
        self, intent_id: str, payment_id: PaymentId, tenant: int, kind: int, ended: str | None
    ) -> int:
        """Claim an intent that was struck off, as a new one; 0 while it stands or somebody has it.

        For an order that is to leave once more (`ended` is None), or that shall not. The latter
        stands HELD until `end` says more, or `let_go`: one that stands so, or `ended` in these
        words, is taken at once by whoever says the same. It goes with the commit that follows. Of
        who dies before that an order is taken over like any other; one that was held is let go.
        """
        now, held = int(self._clock.epoch()), HELD if ended is not None else None
        claim = await self._pool.fetchval(
            "insert into outbox as o (id, payment, tenant, kind, not_before, lease_until, sent_at,"
            "  claims, ended) values ($1, $2, $3, $4, $5, $6, $5, 1, $8) on conflict (id) do update"
            " set claims = o.claims + 1, lease_until = excluded.lease_until"
            " where o.ended in ($7, $8) returning claims",
            intent_id, payment_id, tenant, kind, now, now + self._lease_seconds, ended, held,
        )  # fmt: skip
        return int(claim or 0)

    async def let_go(self, intent_id: str, claim: int) -> None:
        """Strike off what was held and came to nothing, unless somebody has taken it since."""
        await self._pool.execute(
            "delete from outbox where id = $1 and claims = $2 and ended = $3",
            intent_id, claim, HELD,
        )  # fmt: skip

    async def release(self, intent_id: str, claim: int, retry_at: float) -> None:
        """The outside definitely did not hear of it: let any process try again then.

        Does nothing when somebody has claimed it since: then it is theirs.
        """
        await self._pool.execute(
            "update outbox set sent_at = null, lease_until = $3, put_off_until = $3"
            " where id = $1 and claims = $2",
            intent_id, claim, int(retry_at),
        )  # fmt: skip

    async def put_back(self, left: Leased) -> None:
        """Whoever leased it cannot read what it is about, and others may: what has never left
        stays so. The longer that lasts, the more rarely it is looked at.
        """
        now = self._clock.epoch()
        await self._pool.execute(
            "update outbox set sent_at = case when $3 then sent_at end, lease_until = $4,"
            " put_off_until = $4 where id = $1 and claims = $2",
            left.id, left.claim, left.was_sent,
            int(now + ever_rarer(left.id, now, self._lease_seconds)),
        )  # fmt: skip

    async def renew(self, intent_id: str, claim: int) -> bool:
        """Hold a claim for another lease from now; False when it is no longer held."""
        return bool(
            await self._pool.fetchval(
                "update outbox set lease_until = $3 where id = $1 and claims = $2"
                " and sent_at is not null returning true",
                intent_id, claim, int(self._clock.epoch()) + self._lease_seconds,
            )
        )  # fmt: skip

    async def end(self, intent_id: str, claim: int, how: str) -> bool:
        """Write down how a call ended, for good; False when somebody has claimed it since.

        In one statement with the comparison, and before anything follows from it: whoever takes the
        row over later finds the end and makes no call. The row goes with the commit that follows.
        """
        return bool(
            await self._pool.fetchval(
                "update outbox set ended = $3 where id = $1 and claims = $2 returning true",
                intent_id, claim, how,
            )
        )  # fmt: skip

    async def withhold(self, intent_id: str) -> bool:
        """End an intent that nobody has claimed yet as never sent; False when it may have left.

        Safe to repeat: one that ended so is withheld.
        """
        if self.may_be_lost(intent_id):
            return False
        now = int(self._clock.epoch())
        return bool(
            await self._pool.fetchval(
                "update outbox set ended = $2, sent_at = $3, lease_until = $4, claims = claims + 1"
                " where id = $1 and (sent_at is null or ended = $2) returning true",
                intent_id, NEVER_SENT, now, now + self._lease_seconds,
            )
        )  # fmt: skip

    async def lease_left_behind(self, most: int, *, newest: bool = False) -> list[Leased]:
        """Intents whose lease has run out, claimed for this process in the same statement, the
        oldest first or the `newest`; those that are `unread` are put back already, for whoever
        tells people of them.

        Only ids older than the shortest retry are looked at: they are times, and few rows live
        that long. That spares an index which every claim would have to touch. Of what lives longer
        most was put off, and has an index of its own; whatever else is due is found within
        `LOOK_AT_ALL_SECONDS` (`decisions/0046` of payments).
        """
        return await self._lease(most, LEFT_BEHIND, newest=newest)

    async def lease_questions(self, most: int) -> list[Leased]:
        """Questions whose time has come, claimed likewise; those about late news, only."""
        return [left for left in await self._lease(most, (QUESTION,)) if left.unread is None]

    def may_be_lost(self, intent_id: str) -> bool:
        """Whether it may have left, or come to nothing, and what said so is gone with what a
        restore lost."""
        return self._restored.forgot(intent_id)

    async def still_there(self, intent_id: str) -> bool:
        """Whether an intent is yet to be carried out or under way."""
        return bool(await self._pool.fetchval("select true from outbox where id = $1", intent_id))

    async def end_sms(self, ending: "SmsEnding") -> None:
        """Keep what became of a message and strike its intent off, in one statement."""
        await self._ended.get(ending)

    async def was_said(self, payment_id: PaymentId, template: str) -> bool:
        """Whether somebody was sent this about a payment, or may have been."""
        found = await self._pool.fetchval(
            "select true from sms_message where payment = $1 and id > $1 and template = $2"
            " and status not like 'refused%' limit 1",
            payment_id, template,
        )  # fmt: skip
        return bool(found)

    async def keep_report(self, tenant: int, report: SmsReport) -> None:
        """A delivery report, which may come early, late, or twice."""
        await self._reports.get((tenant, report))

    async def _lease(
        self, most: int, kinds: Sequence[int], *, newest: bool = False
    ) -> list[Leased]:
        now = int(self._clock.epoch())
        walks_all = not 0 <= now - self._all_walked.get(tuple(kinds), 0) < LOOK_AT_ALL_SECONDS
        rows = await self._pool.fetch(
            LEASE_NEWEST if newest else LEASE_OLDEST,
            now, most, now + self._lease_seconds, self._id_before(RETRY_SECONDS_MIN), list(kinds),
            _NIL if walks_all else self._id_before(self._young_seconds),
        )  # fmt: skip
        has_more = len(rows) >= most and any(row["is_walked"] for row in rows)
        if walks_all and not has_more:
            self._all_walked[tuple(kinds)] = now
        return [await self._read(row) for row in rows]

    def _id_before(self, seconds: int) -> str:
        return first_id_at(self._clock.now() - timedelta(seconds=seconds))

    async def _read(self, row: Any) -> Leased:
        """One that cannot be opened waits for its key, and keeps up nobody else.

        Nothing of it leaves, and what has never left stays so.
        """
        intent_id, payload, unread = row["id"].hex, None, None
        try:
            payload = open_maybe(self._seals, row["payload"], payload_place(intent_id))
        except OurFault as error:
            log.error("intent %s waits: %s", intent_id, error)
            unread = error
        left = Leased(
            intent_id, PaymentId(row["payment"].hex), row["kind"], payload,
            row["was_sent"] or self.may_be_lost(intent_id), row["claims"], row["ended"], unread,
        )  # fmt: skip
        if unread is not None:
            await self.put_back(left)
        return left

    async def _claim_many(self, ids: Sequence[str]) -> dict[str, int]:
        now = int(self._clock.epoch())
        rows = await self._pool.fetch(
            "update outbox set sent_at = $2, lease_until = $3, claims = claims + 1"
            " where id = any((select $1::uuid[])::uuid[]) and sent_at is null returning id, claims",
            list(ids), now, now + self._lease_seconds,
        )  # fmt: skip
        return {row["id"].hex: row["claims"] for row in rows}

    async def _keep_reports(
        self, reports: Sequence[tuple[int, SmsReport]]
    ) -> dict[tuple[int, SmsReport], bool]:
        messages, statuses, tenants, delivered, failures, intents = zip(
            *[
                (r.message_id, r.status, tenant, r.delivered, r.failure, r.intent_id)
                for tenant, r in reports
            ],
            strict=True,
        )
        await self._pool.execute(
            "insert into sms_report"
            " (message_id, status, tenant, delivered, failure, at_ms, message)"
            " select message_id, status, tenant, delivered, failure, $7, message"
            " from unnest((select $1::text[]), (select $2::text[]), (select $3::int[]),"
            "  (select $4::boolean[]), (select $5::text[]), (select $6::uuid[]))"
            " as r (message_id, status, tenant, delivered, failure, message)"
            " order by message_id, status on conflict do nothing",
            messages, statuses, tenants, delivered, failures, intents,
            int(self._clock.epoch() * 1000),
        )  # fmt: skip
        return dict.fromkeys(reports, True)

    async def _end_many(self, endings: "Sequence[SmsEnding]") -> "dict[SmsEnding, bool]":
        now_ms = int(self._clock.epoch() * 1000)
        ids, payments, tenants, templates, statuses, messages, gateways, planned, counted = zip(
            *[
                (
                    e.id, e.payment_id, e.tenant, e.template, e.status, e.message_id, e.gateway,
                    e.segments or 0, e.counted or 0,
                )
                for e in endings
            ],
            strict=True,
        )  # fmt: skip
        await self._pool.execute(
            "with gone as (delete from outbox where id = any((select $1::uuid[])::uuid[]))"
            " insert into sms_message (id, payment, tenant, template, status, message_id, gateway,"
            "  segments, counted, at_ms)"
            " select id, payment, tenant, template, status, message_id, gateway,"
            "  nullif(segments, 0), nullif(counted, 0), $10"
            " from unnest((select $1::uuid[]), (select $2::uuid[]), (select $3::int[]),"
            "  (select $4::text[]), (select $5::text[]), (select $6::text[]),"
            "  (select $7::text[]), (select $8::smallint[]), (select $9::smallint[]))"
            " as e (id, payment, tenant, template, status, message_id, gateway, segments, counted)"
            " on conflict do nothing",
            ids, payments, tenants, templates, statuses, messages, gateways, planned, counted,
            now_ms,
        )  # fmt: skip
        return dict.fromkeys(endings, True)


class SmsEnding(msgspec.Struct, frozen=True):
    """What became of one message: `sent`, `unknown`, `quiet` (not wanted) or `refused:<code>`.

    `segments` is what was planned, `counted` what the gateway says it is.
    """

    id: str
    payment_id: PaymentId
    tenant: int
    template: str
    status: str
    message_id: str = ""
    gateway: str = ""
    segments: int | None = None
    counted: int | None = None

"""Deliveries that are due: who is waited for, one claimed, how a try ended. Knows no address's law.

A claim is a time until which nobody else tries. Who dies leaves what the next one takes over, under
the same id.
"""

from typing import Any, Final, NamedTuple

from engine.desk.cases import HOOK_PAUSED
from engine.hooks.body import Happened
from engine.hooks.events import EventKind
from engine.hooks.schedule import Patience
from engine.hooks.subscription import HookId
from engine.payments.facts import open_terms, read_terms
from engine.payments.lifecycle import State
from engine.privacy.seals import Seals, seals_of

LEASE_SECONDS: Final = 60.0


class Waiting(NamedTuple):
    """A subscription for which something is due. `failing`: its last try came to nothing."""

    subscription: HookId
    due: int
    failing: bool


class Claim(NamedTuple):
    """One delivery that is ours until the lease ends. `attempt` counts its tries from 1."""

    subscription: HookId
    url: str
    whole_numbers: bool
    happened: Happened
    attempt: int
    begun_ms: int


class Try(NamedTuple):
    """How one went. `status` is None when there was no answer; then `failure` says why."""

    at_ms: int
    elapsed_ms: int
    status: int | None
    failure: str


class HookQueue:
    """The deliveries of one tenant."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant
        self._seals = seals_of(pool)

    async def waiting(self, now_ms: int, most: int) -> list[Waiting]:
        """Who has something due, those that answer first; at most `most` counted of each."""
        rows = await self._pool.fetch(_WAITING, self._tenant, now_ms, most)
        return [Waiting(HookId(row["id"].hex), row["due"], row["failing"]) for row in rows]

    async def claim(self, id: HookId, now_ms: int, patience: Patience) -> Claim | None:
        """The next one due; None when there is none that may go.

        One waits for the earlier ones of its payment while those are tried, for some time. Raises
        ValueError or LookupError for terms that newer code wrote; the lease brings it back.
        """
        row = await self._pool.fetchrow(
            _CLAIM, self._tenant, id, now_ms, now_ms + int(LEASE_SECONDS * 1000),
            now_ms - int(patience.order_seconds * 1000),
        )  # fmt: skip
        return _claim(id, row, self._seals) if row is not None else None

    async def delivered(self, claim: Claim, tried: Try) -> None:
        """It was heard, which stands whatever another try says. Safe to repeat."""
        await self._pool.execute(_DELIVERED, *self._outcome(claim, tried))

    async def failed(
        self, claim: Claim, tried: Try, next_ms: int | None, patience: Patience, *, is_gone: bool
    ) -> str:
        """Try again then, or park it; why its subscription is paused by this, "" if it is not.

        It is paused when the target is gone, or has failed for so long, and staff get a case. A
        later claim of the same
        delivery is left alone.
        """
        why: str | None = await self._pool.fetchval(
            _FAILED, *self._outcome(claim, tried), next_ms, claim.attempt,
            "gone" if is_gone else "",
            tried.at_ms - int(patience.failing_seconds_max * 1000),
            int(patience.order_seconds * 1000),
            claim.happened.payment_id, claim.happened.sequence,
        )  # fmt: skip
        return why or ""

    def _outcome(self, claim: Claim, tried: Try) -> tuple[Any, ...]:
        return (
            self._tenant, claim.happened.event, claim.subscription, claim.attempt, tried.at_ms,
            tried.elapsed_ms, tried.status, tried.failure,
        )  # fmt: skip


def _claim(id: HookId, row: Any, seals: Seals) -> Claim:
    payment_id = row["payment"].hex
    terms = read_terms(open_terms(row["facts"], seals, payment_id))
    happened = Happened(
        row["event"].hex, EventKind(row["kind"]), payment_id, row["sequence"],
        State(row["state"]), row["at_ms"], terms.quote,
    )  # fmt: skip
    return Claim(id, row["url"], row["whole_numbers"], happened, row["attempts"], row["begun_ms"])


# A subscription's due ones are counted no further than anybody will take.
_WAITING: Final = """
select s.id, d.due, s.failing_since_ms is not null as failing
  from hook_subscription s cross join lateral (
    select count(*)::int as due from (
      select from hook_delivery d
       where d.subscription = s.id and d.state = 1 and d.due_ms <= $2 limit $3) c) d
 where s.tenant = $1 and s.state = 'active' and d.due > 0
 order by failing, s.id"""
# Single values instead of joins: tables that grew in the last minute have no statistics yet, and a
# join without them reads everything that waits (0.7 s instead of 0.4 ms at 24,000).
_CLAIM: Final = """
with head as (
  select d.event from hook_delivery d
   where d.subscription = $2 and d.tenant = $1 and d.state = 1 and d.due_ms <= $3
     and exists (select from hook_subscription s
                  where s.id = $2 and s.tenant = $1 and s.state = 'active')
     and (select e.sequence from hook_delivery e
           where e.subscription = $2 and e.payment = d.payment and e.state = 1
             and e.sequence < d.sequence and e.begun_ms > $5 limit 1) is null
   order by d.due_ms, d.event limit 1 for update of d skip locked),
claimed as (
  update hook_delivery d set due_ms = $4, attempts = attempts + 1
   where d.event = (select event from head) and d.subscription = $2 and d.tenant = $1
  returning d.event, d.payment, d.sequence, d.attempts, d.begun_ms)
select c.*, e.kind, e.state, e.at_ms, s.url, s.whole_numbers, j.facts
  from claimed c
  join hook_event e on e.id = c.event
  join hook_subscription s on s.id = $2
  join journal j on j.payment = e.payment and j.version = e.terms"""
_ATTEMPT: Final = """
  insert into hook_attempt (tenant, event, subscription, number, at_ms, elapsed_ms, status, failure)
  values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing"""
# The subscription first, as who removes it or sends again: else each could wait for the other.
_DELIVERED: Final = f"""
with tried as ({_ATTEMPT}),
heard as (
  update hook_subscription set failing_since_ms = null
   where id = $3 and tenant = $1 and failing_since_ms is not null returning id)
update hook_delivery set state = 2, due_ms = null, last_ms = $5, last_status = $7, last_failure = $8
 where (select count(*) from heard) is not null
   and event = $2 and subscription = $3 and tenant = $1 and state in (1, 3)"""  # noqa: S608 - ours
# Those behind it wait at least as long, so that nobody looks at them in vain.
_FAILED: Final = f"""
with tried as ({_ATTEMPT}),
put_off as (
  update hook_delivery
     set state = case when $9::bigint is null then 3 else 1 end, due_ms = $9,
         last_ms = $5, last_status = $7, last_failure = $8
   where event = $2 and subscription = $3 and tenant = $1 and state = 1 and attempts = $10
  returning least(begun_ms + $13, due_ms) as until_ms),
behind as (
  update hook_delivery d set due_ms = (select until_ms from put_off)
   where $9::bigint is not null and d.subscription = $3 and d.tenant = $1
     and d.payment = $14 and d.state = 1 and d.sequence > $15 and d.attempts = 0
     and d.due_ms < (select until_ms from put_off)),
paused as (
  update hook_subscription
     set failing_since_ms = coalesce(failing_since_ms, $5),
         state = case when $11::text <> '' or failing_since_ms <= $12 then 'paused' else state end,
         why = case when $11::text <> '' then $11
                    when failing_since_ms <= $12 then 'failing' else why end
   where id = $3 and tenant = $1 and state = 'active' returning id, state, why),
told as (
  insert into case_file (payment, kind, hash, tenant, opened_ms, detail)
  select id, '{HOOK_PAUSED}', $2, $1, $5,
         'webhooks of subscription ' || replace(id::text, '-', '') || ' are paused: ' || why
    from paused where state = 'paused' on conflict do nothing)
select case when state = 'paused' then why else '' end from paused"""  # noqa: S608 - ours

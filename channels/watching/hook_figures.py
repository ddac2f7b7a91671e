"""How businesses are being told of their payments, as gauges: who listens, what waits, how long.

It counts by state, never by subscription or client, and of what waits no more than anybody needs
to know that it is too much.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from prometheus_client.core import GaugeMetricFamily

from channels.watching.samples import Figure, family

COUNTED_MAX: Final = 10_000
"""Of what waits for one subscription: more is told as so many."""

# Each look follows the index of what is due, and none is longer than that.
_HOOKS: Final = """
select s.state,
       case when s.failing_since_ms is not null and s.state = 'active' then 'failing'
            else s.why end as why,
       count(*) as many, sum(w.waiting)::bigint as waiting, min(w.oldest_ms) as oldest_ms
  from hook_subscription s cross join lateral (
    select count(*) as waiting, min(d.made_ms) as oldest_ms from (
      select made_ms from hook_delivery
       where subscription = s.id and tenant = $1 and state = 1 order by due_ms limit $2) d) w
 where s.tenant = $1 and s.state <> 'removed' group by 1, 2 order by 1, 2"""
_READ: Final = "select looked_ms from hook_look where tenant = $1"


class HookRead(NamedTuple):
    """What was found at one moment. Without a subscription nothing is read or waits."""

    subscriptions: tuple[Figure, ...] = ()  # by state and why
    waiting: tuple[Figure, ...] = ()  # by the state of who waits for it
    oldest_seconds: float = 0  # since it happened, of what is being told
    unread_seconds: float = 0  # since the journal was read for what happened

    @property
    def many(self) -> int:
        """Subscriptions there are."""
        return int(sum(figure.value for figure in self.subscriptions))


async def read_hooks(connection: Any, tenant: int, now: float) -> HookRead:
    """`now` in seconds since the epoch. Raises what the connection raises."""
    rows = await connection.fetch(_HOOKS, tenant, COUNTED_MAX)
    if not rows:
        return HookRead()
    read_ms = await connection.fetchval(_READ, tenant)
    waiting: dict[str, int] = {}
    for row in rows:
        waiting[row["state"]] = waiting.get(row["state"], 0) + row["waiting"]
    told = [r["oldest_ms"] for r in rows if r["state"] == "active" and r["oldest_ms"] is not None]
    return HookRead(
        subscriptions=tuple(Figure((row["state"], row["why"]), row["many"]) for row in rows),
        waiting=tuple(Figure((state,), many) for state, many in waiting.items()),
        oldest_seconds=_age(min(told, default=None), now),
        unread_seconds=_age(read_ms, now),
    )


def hook_families(read: HookRead) -> Iterable[GaugeMetricFamily]:
    """The gauges of what was read."""
    yield family(
        "capp_hook_subscriptions",
        "Addresses of businesses, by state; why an active one is failing, or one is paused",
        ("state", "why"), read.subscriptions,
    )  # fmt: skip
    yield family(
        "capp_hook_deliveries_waiting",
        f"Events not heard yet, by the state of their subscription (of each {COUNTED_MAX} at most)",
        ("state",), read.waiting,
    )  # fmt: skip
    yield GaugeMetricFamily(
        "capp_hook_oldest_seconds",
        "How long ago the oldest event happened that an active subscription has not heard",
        value=read.oldest_seconds,
    )
    yield GaugeMetricFamily(
        "capp_hook_unread_seconds",
        "How long ago the journal was read for events: a worker does it every second",
        value=read.unread_seconds,
    )


def _age(at_ms: int | None, now: float) -> float:
    return max(0.0, now - at_ms / 1000) if at_ms is not None else 0.0

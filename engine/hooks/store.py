"""Subscriptions, their secrets, and what is seen of their deliveries, in Postgres."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from engine.clock import moment_of
from engine.errors import NoSuchHook, StaffMistake
from engine.hooks.events import EventKind
from engine.hooks.secret import Place, Sealed
from engine.hooks.subscription import (
    Attempt,
    Delivery,
    DeliveryState,
    Event,
    HookId,
    Subscription,
    Wish,
)

WAITING: Final = 1
DELIVERED: Final = 2
PARKED: Final = 3
DROPPED: Final = 4
_STATES: Final[dict[int, DeliveryState]] = {
    WAITING: "waiting",
    DELIVERED: "delivered",
    PARKED: "parked",
    DROPPED: "dropped",
}
_NO_ID: Final = "f" * 32


class KeptSecret(NamedTuple):
    """A secret as it lies there. `until_ms`: from then on nothing is signed with it.

    `overlap_ms`: so long those before it sign as well; None for the first, and where nobody knows.
    """

    place: Place
    sealed: Sealed
    made_ms: int
    until_ms: int | None
    overlap_ms: int | None = None


class Added(Enum):
    """What became of a subscription that was to be kept."""

    FRESH = auto()
    KNOWN = auto()  # the same id was kept before
    TOO_MANY = auto()


class HookStore:
    """The subscriptions of one tenant, or of one client. Every method may be repeated.

    A client finds its own, and is told of its own payments. Without one it is staff, who find all,
    and what they make is told of every payment of the tenant.
    """

    def __init__(self, pool: Any, tenant: int, client: str | None = None) -> None:
        self._pool = pool
        self.tenant = tenant
        self._client = client

    def of_client(self, client: str) -> "HookStore":
        """The same for one client alone."""
        return HookStore(self._pool, self.tenant, client)

    async def add(
        self, id: HookId, wish: Wish, secret: KeptSecret, *, at_ms: int, most: int
    ) -> Added:
        """Keep a subscription with its secret, unless there are `most` already.

        The same id again changes nothing.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_TURN, f"hook subscriptions {self.tenant}")
            counted = await connection.fetchrow(_COUNT, self.tenant, id, self._client)
            if counted["known"]:
                return Added.KNOWN
            if counted["live"] >= most:
                return Added.TOO_MANY
            await connection.execute(
                "insert into hook_subscription (id, tenant, url, events, whole_numbers, state,"
                " made_ms, client) values ($1, $2, $3, $4, $5, 'active', $6, $7)",
                id, self.tenant, wish.url, list(dict.fromkeys(wish.events)), wish.whole_numbers,
                at_ms, self._client,
            )  # fmt: skip
            await _keep_secret(connection, secret)
        return Added.FRESH

    async def all(self) -> list[Subscription]:
        """The newest first, without those that were removed."""
        rows = await self._pool.fetch(
            "select * from hook_subscription where tenant = $1 and state <> 'removed'"
            " and ($2::uuid is null or client = $2) order by made_ms desc, id desc",
            self.tenant, self._client,
        )  # fmt: skip
        return [_subscription(row) for row in rows]

    async def one(self, id: HookId) -> Subscription:
        """Raises NoSuchHook, also for one that was removed or is another tenant's."""
        row = await self._pool.fetchrow(_ONE, self.tenant, id, self._client)
        if row is None:
            raise NoSuchHook(f"no subscription {id}")
        return _subscription(row)

    async def pause(self, id: HookId) -> None:
        """What waits goes on waiting."""
        await self._pool.execute(
            "update hook_subscription set state = 'paused', why = 'asked'"
            " where tenant = $1 and id = $2 and state = 'active'"
            " and ($3::uuid is null or client = $3)",
            self.tenant, id, self._client,
        )  # fmt: skip

    async def resume(self, id: HookId, now_ms: int) -> None:
        """What waited is tried from now on for its whole time."""
        await self._pool.execute(_RESUME, self.tenant, id, now_ms, self._client)

    async def remove(self, id: HookId) -> None:
        """For good: its secrets go, and what waited is dropped."""
        async with self._pool.acquire() as connection, connection.transaction():
            tag = await connection.execute(
                "update hook_subscription set state = 'removed', why = ''"
                " where tenant = $1 and id = $2 and ($3::uuid is null or client = $3)",
                self.tenant, id, self._client,
            )  # fmt: skip
            if tag != "UPDATE 1":
                return
            await connection.execute(
                "delete from hook_secret where tenant = $1 and subscription = $2", self.tenant, id
            )
            await connection.execute(
                "update hook_delivery set state = 4, due_ms = null"
                " where tenant = $1 and subscription = $2 and state = 1",
                self.tenant, id,
            )  # fmt: skip

    # Secrets.

    async def secrets(self, id: HookId, now_ms: int) -> list[KeptSecret]:
        """Those that sign at that moment, the newest first."""
        rows = await self._pool.fetch(
            "select * from hook_secret where tenant = $1 and subscription = $2"
            " and (until_ms is null or until_ms > $3) order by made_ms desc, id desc",
            self.tenant, id, now_ms,
        )  # fmt: skip
        return [_secret(row) for row in rows]

    async def rotate(self, secret: KeptSecret, old_until_ms: int, *, most: int) -> bool:
        """A new one; those before it sign no longer than until then. False: it was done before.

        Raises NoSuchHook, and StaffMistake where more than `most` would sign; nothing changed then.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            # In turn with whoever else rotates this one, and with its removal.
            found = await connection.fetchval(
                f"{_ONE} for update", self.tenant, secret.place.subscription, self._client
            )
            if found is None:
                raise NoSuchHook(f"no subscription {secret.place.subscription}")
            if not await _keep_secret(connection, secret):
                return False
            await connection.execute(
                "delete from hook_secret where tenant = $1 and subscription = $2"
                " and until_ms <= $3",
                self.tenant, secret.place.subscription, secret.made_ms,
            )  # fmt: skip
            await connection.execute(
                "update hook_secret set until_ms = least(coalesce(until_ms, $4), $4)"
                " where tenant = $1 and subscription = $2 and id <> $3",
                self.tenant, secret.place.subscription, secret.place.secret, old_until_ms,
            )  # fmt: skip
            signing = await connection.fetchval(
                "select count(*) from hook_secret where tenant = $1 and subscription = $2"
                " and (until_ms is null or until_ms > $3)",
                self.tenant, secret.place.subscription, secret.made_ms,
            )  # fmt: skip
            if signing > most:
                raise StaffMistake(
                    f"{most} secrets sign at once already: wait until one ends, or let none overlap"
                )
        return True

    async def sealed_before(self, key_version: int) -> list[KeptSecret]:
        """What lies under another version of the key."""
        rows = await self._pool.fetch(
            "select * from hook_secret where tenant = $1 and key_version <> $2", self.tenant,
            key_version,
        )  # fmt: skip
        return [_secret(row) for row in rows]

    async def seal_anew(self, secret: KeptSecret, sealed: Sealed) -> bool:
        """Put it under another key; False when somebody else did."""
        tag = await self._pool.execute(
            "update hook_secret set key_version = $4, sealed = $5"
            " where tenant = $1 and id = $2 and key_version = $3",
            self.tenant, secret.place.secret, secret.sealed.key_version, sealed.key_version,
            sealed.bytes,
        )  # fmt: skip
        return bool(tag == "UPDATE 1")

    # What became of it.

    async def events(self, before: str, most: int) -> list[Event]:
        """The newest first, from before that id; "" for the newest of all."""
        page = (self.tenant, before or _NO_ID, most)
        rows = await (
            self._pool.fetch(_EVENTS, *page)
            if self._client is None
            else self._pool.fetch(_EVENTS_OF_CLIENT, *page, self._client)
        )
        return [
            Event(
                row["id"].hex, EventKind(row["kind"]), row["payment"].hex, row["sequence"],
                moment_of(row["at_ms"]),
            )
            for row in rows
        ]  # fmt: skip

    async def deliveries(self, id: HookId, before: str, most: int) -> list[Delivery]:
        """The newest event first, from before that event; "" for the newest of all."""
        rows = await self._pool.fetch(
            f"{_DELIVERIES} and d.event < $3 order by d.event desc limit $4",
            self.tenant, id, before or _NO_ID, most,
        )  # fmt: skip
        return [_delivery(row) for row in rows]

    async def delivery(self, id: HookId, event: str) -> Delivery:
        """Raises NoSuchHook."""
        row = await self._pool.fetchrow(f"{_DELIVERIES} and d.event = $3", self.tenant, id, event)
        if row is None:
            raise NoSuchHook(f"nothing of {event} for subscription {id}")
        return _delivery(row)

    async def attempts(self, id: HookId, event: str) -> list[Attempt]:
        """Every try of a delivery, the first one first."""
        rows = await self._pool.fetch(
            "select * from hook_attempt where tenant = $1 and subscription = $2 and event = $3"
            " order by number",
            self.tenant, id, event,
        )  # fmt: skip
        return [
            Attempt(r["number"], moment_of(r["at_ms"]), r["elapsed_ms"], r["status"], r["failure"])
            for r in rows
        ]

    async def resend(self, id: HookId, events: Sequence[str], now_ms: int) -> int:
        """Try these now, and for the whole time again; how many. Whatever became of them before."""
        tag = await self._pool.execute(
            f"{_SEND_AGAIN} and d.event = any($4::uuid[])", self.tenant, id, now_ms, list(events)
        )  # fmt: skip
        return int(tag.rpartition(" ")[2])

    async def resend_parked(self, id: HookId, since_ms: int, now_ms: int) -> int:
        """The same for all that was parked since; how many."""
        tag = await self._pool.execute(
            f"{_SEND_AGAIN} and d.state = 3 and d.made_ms >= $4", self.tenant, id, now_ms, since_ms
        )  # fmt: skip
        return int(tag.rpartition(" ")[2])


async def _keep_secret(connection: Any, secret: KeptSecret) -> bool:
    tag = await connection.execute(
        "insert into hook_secret (id, tenant, subscription, key_version, sealed, made_ms, until_ms,"
        " overlap_ms) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do nothing",
        secret.place.secret, secret.place.tenant, secret.place.subscription,
        secret.sealed.key_version, secret.sealed.bytes, secret.made_ms, secret.until_ms,
        secret.overlap_ms,
    )  # fmt: skip
    return bool(tag == "INSERT 0 1")


def _subscription(row: Any) -> Subscription:
    failing_ms = row["failing_since_ms"]
    return Subscription(
        HookId(row["id"].hex), row["url"], tuple(EventKind(kind) for kind in row["events"]),
        row["whole_numbers"], row["state"], row["why"], moment_of(row["made_ms"]),
        moment_of(failing_ms) if failing_ms is not None else None,
    )  # fmt: skip


def _secret(row: Any) -> KeptSecret:
    return KeptSecret(
        Place(row["tenant"], row["subscription"].hex, row["id"].hex),
        Sealed(row["key_version"], row["sealed"]), row["made_ms"], row["until_ms"],
        row["overlap_ms"],
    )  # fmt: skip


def _delivery(row: Any) -> Delivery:
    due_ms, last_ms = row["due_ms"], row["last_ms"]
    return Delivery(
        row["event"].hex, EventKind(row["kind"]), row["payment"].hex, row["sequence"],
        _STATES[row["state"]], row["attempts"], moment_of(row["made_ms"]),
        moment_of(due_ms) if due_ms is not None else None,
        moment_of(last_ms) if last_ms is not None else None,
        row["last_status"], row["last_failure"],
    )  # fmt: skip


_TURN: Final = "select pg_advisory_xact_lock(hashtextextended($1, 0))"
_COUNT: Final = (
    "select count(*) filter (where state <> 'removed')::int as live,"
    " coalesce(bool_or(id = $2), false) as known from hook_subscription where tenant = $1"
    " and client is not distinct from $3::uuid"
)
_ONE: Final = (
    "select * from hook_subscription where tenant = $1 and id = $2 and state <> 'removed'"
    " and ($3::uuid is null or client = $3)"
)
_RESUME: Final = """
with resumed as (
  update hook_subscription set state = 'active', why = '', failing_since_ms = null
   where tenant = $1 and id = $2 and state = 'paused' and ($4::uuid is null or client = $4)
  returning id)
update hook_delivery d set begun_ms = $3, due_ms = $3 from resumed r
 where d.subscription = r.id and d.tenant = $1 and d.state = 1"""
# In turn with its removal: what that one does not see waiting, it would leave waiting.
_SEND_AGAIN: Final = """
with live as (
  select id from hook_subscription
   where tenant = $1 and id = $2 and state <> 'removed' for share)
update hook_delivery d set state = 1, begun_ms = $3, due_ms = $3 from live
 where d.subscription = live.id and d.tenant = $1"""
# Two statements: of one for both, Postgres' generic plan is the one that finds a client's own by
# reading everybody's.
_EVENTS: Final = "select * from hook_event where tenant = $1 and id < $2 order by id desc limit $3"
_EVENTS_OF_CLIENT: Final = (
    "select * from hook_event where tenant = $1 and client = $4 and id < $2"
    " order by id desc limit $3"
)
_DELIVERIES: Final = """
select d.*, e.kind from hook_delivery d join hook_event e on e.id = d.event
 where d.tenant = $1 and d.subscription = $2"""

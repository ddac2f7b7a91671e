"""What webhooks read and write through, with the model behind it instead of Postgres.

From the contracts of `HookQueue` and `HookStore`; the reader of the journal is the engine's own,
over the statements it sends. What one transaction writes is there once it has ended, and its turn
ends with its process, with the database, or after its time.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from engine.clock import moment_of
from engine.desk.cases import HOOK_PAUSED
from engine.errors import NoSuchHook, StaffMistake
from engine.hooks import journal as sql
from engine.hooks.body import Happened
from engine.hooks.events import EventKind
from engine.hooks.queue import LEASE_SECONDS, Claim, HookQueue, Try, Waiting
from engine.hooks.schedule import Patience
from engine.hooks.store import Added, HookStore, KeptSecret
from engine.hooks.subscription import HookId, Subscription, Wish
from engine.payments.facts import read_terms
from engine.payments.lifecycle import State
from tests.simulation.hook_rows import (
    DELIVERED,
    DROPPED,
    PARKED,
    WAITING,
    DeliveryRow,
    EventRow,
    HookRow,
    HookRows,
)
from tests.simulation.model import Model
from tests.simulation.papers import Turns, TurnTransaction
from tests.simulation.wire import Wire

if TYPE_CHECKING:
    from tests.simulation.hook_change_laws import HookChangeLaws

TENANT = 1
_FIRST, _LOOK, _MARK, _NEW, _KEEP = sql._FIRST, sql._LOOK, sql._MARK, sql._NEW, sql._KEEP
_STATES = frozenset(sql._STATES)


class ModelHookStore(HookStore):
    """Subscriptions and their secrets. Lists are not simulated. `changes` hears what is done."""

    changes: "HookChangeLaws"

    def __init__(self, model: Model, wire: Wire, client: str | None = None) -> None:
        super().__init__(None, TENANT, client)
        self._model = model
        self._wire = wire

    def of_client(self, client: str) -> "ModelHookStore":
        of_client = ModelHookStore(self._model, self._wire, client)
        of_client.changes = self.changes
        return of_client

    async def add(
        self, id: HookId, wish: Wish, secret: KeptSecret, *, at_ms: int, most: int
    ) -> Added:
        def put() -> Added:
            rows = self._model.hooks
            if id in rows.subscriptions:
                return Added.KNOWN
            kept = frozenset(rows.steps)
            row = HookRow(self._client, wish.url, wish.whole_numbers, at_ms, kept)
            rows.subscriptions[id] = row
            rows.secrets[id] = [secret]
            self.changes.on_rotated(id, secret, 0)
            return Added.FRESH

        return await self._wire.ask(put)

    async def one(self, id: HookId) -> Subscription:
        def read() -> Subscription | None:
            row = self._own(id)
            if row is None:
                return None
            since = row.failing_since_ms
            return Subscription(
                id, row.url, (), row.whole_numbers,
                row.state, row.why,  # type: ignore[arg-type] # words that the rows were given
                moment_of(row.made_ms), moment_of(since) if since is not None else None,
            )  # fmt: skip

        found = await self._wire.ask(read)
        if found is None:
            raise NoSuchHook(f"no subscription {id}")
        return found

    async def resume(self, id: HookId, now_ms: int) -> None:
        def write() -> None:
            row = self._own(id)
            if row is None or row.state != "paused":
                return
            row.state, row.why, row.failing_since_ms = "active", "", None
            self.changes.on_resumed(id)
            for delivery in self._model.hooks.waiting(id):
                delivery.begun_ms = delivery.due_ms = now_ms

        await self._wire.ask(write)

    async def pause(self, id: HookId) -> None:
        def write() -> None:
            row = self._own(id)
            if row is not None and row.state == "active":
                row.state, row.why = "paused", "asked"
                self.changes.on_paused(id)

        await self._wire.ask(write)

    async def remove(self, id: HookId) -> None:
        def write() -> None:
            row = self._own(id)
            if row is None:
                return
            row.state, row.why = "removed", ""
            self._model.hooks.secrets[id] = []
            for delivery in self._model.hooks.waiting(id):
                delivery.state, delivery.due_ms = DROPPED, None
            self.changes.on_removed(id)

        await self._wire.ask(write)

    async def rotate(self, secret: KeptSecret, old_until_ms: int, *, most: int) -> bool:
        of = HookId(secret.place.subscription)

        def write() -> bool:
            if self._own(of) is None:
                raise NoSuchHook(f"no subscription {of}")
            kept = self._model.hooks.secrets[of]
            if any(known.place.secret == secret.place.secret for known in kept):
                return False
            left = [k for k in kept if k.until_ms is None or k.until_ms > secret.made_ms]
            ended = [
                k._replace(until_ms=min(k.until_ms or old_until_ms, old_until_ms)) for k in left
            ]
            if 1 + sum((k.until_ms or 0) > secret.made_ms for k in ended) > most:
                raise StaffMistake(f"{most} secrets sign at once already")
            self._model.hooks.secrets[of] = [secret, *ended]
            self.changes.on_rotated(of, secret, secret.overlap_ms or 0)
            return True

        return await self._wire.ask(write)

    async def secrets(self, id: HookId, now_ms: int) -> list[KeptSecret]:
        def read() -> list[KeptSecret]:
            kept = self._model.hooks.secrets.get(id, [])
            return [k for k in kept if k.until_ms is None or k.until_ms > now_ms]

        return await self._wire.ask(read)

    async def resend_parked(self, id: HookId, since_ms: int, now_ms: int) -> int:
        def write() -> int:
            rows = self._model.hooks.deliveries.get(id, {}).values()
            parked = [row for row in rows if row.state == PARKED]
            for row in parked:
                row.state, row.begun_ms, row.due_ms = WAITING, now_ms, now_ms
            return len(parked)

        return await self._wire.ask(write)

    def _own(self, id: str) -> HookRow | None:
        row = self._model.hooks.subscriptions.get(id)
        if row is None or row.state == "removed":
            return None
        return row if self._client in (None, row.client) else None


class ModelHookQueue(HookQueue):
    """Deliveries of the model. `on_change` hears of every write."""

    def __init__(self, model: Model, wire: Wire, on_change: Callable[[], None]) -> None:
        self._model = model
        self._wire = wire
        self._on_change = on_change

    async def waiting(self, now_ms: int, most: int) -> list[Waiting]:
        def read() -> list[Waiting]:
            rows, found = self._model.hooks, []
            for id_, row in rows.subscriptions.items():
                due = sum(now_ms >= (d.due_ms or 0) for d in rows.waiting(id_))
                if due and row.state == "active":
                    failing = row.failing_since_ms is not None
                    found.append(Waiting(HookId(id_), min(due, most), failing))
            return sorted(found, key=lambda w: (w.failing, w.subscription))

        return await self._wire.ask(read)

    async def claim(self, id: HookId, now_ms: int, patience: Patience) -> Claim | None:
        def claim() -> Claim | None:
            rows = self._model.hooks
            subscription = rows.subscriptions.get(id)
            if subscription is None or subscription.state != "active":
                return None
            order_ms = now_ms - int(patience.order_seconds * 1000)
            waiting = rows.waiting(id)
            ready = [
                (row.due_ms or 0, event)
                for event, row in rows.deliveries.get(id, {}).items()
                if row.state == WAITING
                and (row.due_ms or 0) <= now_ms
                and not any(_is_before(e, row) and e.begun_ms > order_ms for e in waiting)
            ]
            if not ready:
                return None
            _, event = min(ready)
            row = rows.deliveries[id][event]
            row.due_ms, row.attempts = now_ms + int(LEASE_SECONDS * 1000), row.attempts + 1
            self._on_change()
            return self._claimed(id, subscription, event, row)

        return await self._wire.ask(claim)

    async def delivered(self, claim: Claim, tried: Try) -> None:
        def write() -> None:
            subscription, row = self._rows_of(claim)
            if subscription is not None:
                subscription.failing_since_ms = None
            if row is not None and row.state in (WAITING, PARKED):
                row.state, row.due_ms = DELIVERED, None
            self._on_change()

        await self._wire.ask(write)

    async def failed(
        self, claim: Claim, tried: Try, next_ms: int | None, patience: Patience, *, is_gone: bool
    ) -> str:
        def write() -> str:
            subscription, row = self._rows_of(claim)
            if row is not None and row.state == WAITING and row.attempts == claim.attempt:
                row.state = PARKED if next_ms is None else WAITING
                row.due_ms = next_ms
                if next_ms is not None:
                    until_ms = min(row.begun_ms + int(patience.order_seconds * 1000), next_ms)
                    for later in self._model.hooks.waiting(claim.subscription):
                        if _is_before(row, later) and later.attempts == 0:
                            later.due_ms = max(later.due_ms or 0, until_ms)
            why = ""
            if subscription is not None and subscription.state == "active":
                why = self._pause(claim, subscription, tried.at_ms, patience, is_gone=is_gone)
            self._on_change()
            return why

        return await self._wire.ask(write)

    def _pause(
        self, claim: Claim, row: HookRow, at_ms: int, patience: Patience, *, is_gone: bool
    ) -> str:
        before_ms = at_ms - int(patience.failing_seconds_max * 1000)
        is_failing = row.failing_since_ms is not None and row.failing_since_ms <= before_ms
        if row.failing_since_ms is None:
            row.failing_since_ms = at_ms
        if not is_gone and not is_failing:
            return ""
        row.state, row.why = "paused", "gone" if is_gone else "failing"
        key = (claim.subscription, HOOK_PAUSED, claim.happened.event)
        self._model.open_case(key, f"webhooks are paused: {row.why}", at_ms)
        return row.why

    def _rows_of(self, claim: Claim) -> tuple[HookRow | None, DeliveryRow | None]:
        rows, id_ = self._model.hooks, claim.subscription
        return rows.subscriptions.get(id_), rows.deliveries.get(id_, {}).get(claim.happened.event)

    def _claimed(self, id: HookId, to: HookRow, event: str, row: DeliveryRow) -> Claim:
        told = self._model.hooks.events[event]
        terms = read_terms(str(self._model.journal[told.payment][told.terms - 1].facts))
        happened = Happened(
            event, EventKind(told.kind), told.payment, told.sequence, State(told.state),
            told.at_ms, terms.quote,
        )  # fmt: skip
        return Claim(id, to.url, to.whole_numbers, happened, row.attempts, row.begun_ms)


class ModelJournalPool:
    """The transaction of `JournalReader`, statement by statement."""

    def __init__(
        self, model: Model, wire: Wire, turns: Turns, on_change: Callable[[], None]
    ) -> None:
        self.model = model
        self.wire = wire
        self.turns = turns
        self.on_change = on_change

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["Transaction"]:
        yield Transaction(self)


class Transaction(TurnTransaction):
    """One of them; what it writes is kept until its end."""

    def __init__(self, pool: ModelJournalPool) -> None:
        super().__init__(pool.wire, pool.turns)
        self._pool = pool
        self._writes: list[Callable[[HookRows], object]] = []

    def _rows(self) -> HookRows:
        return self._pool.model.hooks

    def _write(self) -> None:
        for write in self._writes:
            write(self._rows())
        self._pool.on_change()

    async def execute(self, statement: str, *given: Any) -> None:
        if statement == _MARK:
            _, looked_ms, again_ms = given
            self._writes.append(lambda rows: setattr(rows, "look", (looked_ms, again_ms)))
        else:
            assert statement == sql._PLANNING, statement

    async def fetchval(self, statement: str, *given: Any) -> Any:
        if statement == sql._TURN:
            return await self._take(given[0])
        if statement == _FIRST:
            return await self._pool.wire.ask(self._first_ms)
        assert statement == _KEEP, statement
        _, now_ms, *columns = given
        derived = [EventRow(*rest) for _, *rest in zip(*columns, strict=True)]
        ids: Sequence[str] = columns[0]
        self._writes.append(lambda rows: _keep(rows, dict(zip(ids, derived, strict=True)), now_ms))
        return await self._pool.wire.ask(
            lambda: sum((e.payment, e.sequence) not in self._rows().steps for e in derived)
        )

    async def fetchrow(self, statement: str, tenant: int) -> Any:
        assert statement == _LOOK, statement
        look = await self._pool.wire.ask(lambda: self._rows().look)
        return dict(zip(("looked_ms", "again_ms"), look, strict=True)) if look else None

    async def fetch(
        self, statement: str, tenant: int, since_ms: int, until_ms: int, first_ms: int,
        states: Sequence[int],
    ) -> list[dict[str, Any]]:  # fmt: skip
        assert statement == _NEW, statement
        return await self._pool.wire.ask(
            lambda: unread(self._pool.model, since_ms, until_ms, first_ms)
        )

    def _first_ms(self) -> int | None:
        rows = self._rows().subscriptions.values()
        return min((row.made_ms for row in rows if row.state != "removed"), default=None)


def unread(model: Model, since_ms: int, until_ms: int, first_ms: int) -> list[dict[str, Any]]:
    """Steps nobody has kept yet, of payments that moved between the two times."""
    found = []
    for payment, path in model.journal.items():
        if model.payments[payment].tenant != TENANT or not any(
            since_ms <= row.at_ms < until_ms and row.state in _STATES for row in path
        ):
            continue
        for before, row in zip((None, *path), path, strict=False):
            of_step = range(row.version * 8, row.version * 8 + 8)
            is_kept = any((payment, sequence) in model.hooks.steps for sequence in of_step)
            if row.at_ms >= first_ms and row.state in _STATES and not is_kept:
                found.append(
                    {
                        "payment": UUID(payment),
                        "version": row.version,
                        "state": row.state,
                        "at_ms": row.at_ms,
                        "terms": model.payments[payment].terms,
                        "facts": path[0].facts,
                        "before": before.state if before is not None else 0,
                    }
                )
    return sorted(found, key=lambda r: (r["at_ms"], r["payment"].hex, r["version"]))


def _keep(rows: HookRows, derived: dict[str, EventRow], now_ms: int) -> None:
    for id_, event in derived.items():
        if (event.payment, event.sequence) in rows.steps:
            continue
        rows.steps[event.payment, event.sequence] = id_
        rows.events[id_] = event
        for subscription, to in rows.subscriptions.items():
            if (
                to.state != "removed"
                and to.client in (None, event.client)
                and event.at_ms >= to.made_ms
            ):
                row = DeliveryRow(event.payment, event.sequence, now_ms, now_ms)
                rows.deliveries.setdefault(subscription, {})[id_] = row


def _is_before(one: DeliveryRow, other: DeliveryRow) -> bool:
    return one.payment == other.payment and one.sequence < other.sequence

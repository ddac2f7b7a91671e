"""The same worlds with the real SQL: the real store and outbox, and `commit_plans` in Postgres.

Every call to Postgres is run to its end inside one simulated step, by a loop in a thread of its
own, so the world stays as deterministic as it was. The model is kept beside it: each batch must get
the same verdicts from both, and at the end both must hold the same payments and balances.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from engine.clock import Clock, PaymentId
from engine.database import connect, ensure_months
from engine.desk.proposals import Proposal
from engine.desk.store import ProposalStore
from engine.ledger.books import open_accounts
from engine.ledger.chart import read_account
from engine.ledger.commit import Committer, commit
from engine.ledger.plans import Plan, Verdicted
from engine.outbox import Outbox
from engine.payments.payment import Payment
from engine.payments.store import PaymentStore
from engine.tables import metadata
from tests.integration.books import assert_books
from tests.simulation.machine import LEASE_SECONDS, Machine
from tests.simulation.model import START, Model
from tests.simulation.surfaces import Wire, WiredCommitter
from tests.simulation.world import HOUR, Options, World

T = TypeVar("T")


class Bridge:
    """One connection to Postgres, used from a simulated world as if every call took no time."""

    def __init__(self, url: str) -> None:
        """Raises what connecting raises."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.connection = self.run(connect(url))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns or raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def empty(self) -> None:
        """Forget every row, and make the partitions of the months a world lives in.

        What staff did can be forgotten by nobody, and no world here has staff.
        """
        names = metadata.tables.keys() - {"staff_action"}
        self.run(self.connection.execute(f"truncate {', '.join(sorted(names))}"))
        self.run(ensure_months(self.connection, datetime.fromtimestamp(START, UTC)))

    def close(self) -> None:
        """Close the connection and end the thread."""
        self.run(self.connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class BridgedPool:
    """What the store and the outbox use of a pool, over a process's wire."""

    def __init__(self, bridge: Bridge, wire: Wire) -> None:
        self._bridge = bridge
        self._wire = wire

    async def fetch(self, sql: str, *values: Any) -> Any:
        return await self._ask(self._bridge.connection.fetch, sql, values)

    async def fetchrow(self, sql: str, *values: Any) -> Any:
        return await self._ask(self._bridge.connection.fetchrow, sql, values)

    async def fetchval(self, sql: str, *values: Any) -> Any:
        return await self._ask(self._bridge.connection.fetchval, sql, values)

    async def execute(self, sql: str, *values: Any) -> Any:
        return await self._ask(self._bridge.connection.execute, sql, values)

    async def _ask(
        self, call: Callable[..., Coroutine[Any, Any, Any]], sql: str, values: tuple[Any, ...]
    ) -> Any:
        return await self._wire.ask(lambda: self._bridge.run(call(sql, *values)))


class TwoDoors:
    """Commits to Postgres and to the model, and holds them to the same verdicts."""

    def __init__(self, bridge: Bridge, model: Model, disagree: Callable[..., None]) -> None:
        self._bridge = bridge
        self._model = model
        self._disagree = disagree

    def commit(self, plans: Sequence[Plan], at_ms: int) -> list[Verdicted]:
        found = self._bridge.run(commit(self._bridge.connection, plans, at_ms))
        expected = self._model.commit(plans, at_ms)
        if [v.verdict for v in found] != [v.verdict for v in expected]:
            self._disagree("Postgres and the model disagree", found=found, expected=expected)
        return found


class ShadowedStore(PaymentStore):
    """The real store; the model hears of the cases."""

    def __init__(self, pool: Any, directory: Any, model: Model) -> None:
        super().__init__(pool, directory)
        self._model = model

    async def open_case(
        self, payment: Payment, kind: str, hash_: str, detail: str, at_ms: int
    ) -> None:
        await super().open_case(payment, kind, hash_, detail, at_ms)
        self._model.open_case((payment.payment_id, kind, hash_), detail, at_ms)

    async def open_one(
        self,
        payment_id: PaymentId,
        tenant: int,
        kind: str,
        detail: str,
        at_ms: int,
        at_version: int | None = None,
    ) -> int:
        number = await super().open_one(payment_id, tenant, kind, detail, at_ms, at_version)
        self._model.open_case((payment_id, kind, f"c{number - 1:031x}"), detail, at_ms)
        return number

    async def close_answered(self, payment_id: PaymentId, kind: str, by: Proposal) -> None:
        await super().close_answered(payment_id, kind, by)
        for key, row in self._model.cases.items():
            if key[:2] == (payment_id, kind) and row.opened_ms <= (by.decided_ms or 0):
                row.closed_ms = row.closed_ms or by.decided_ms


class PostgresWorld(World):
    """A world on an empty, migrated database. What is in it is not lost."""

    may_restore = False

    def __init__(self, bridge: Bridge, seed: int, options: Options | None = None) -> None:
        self._bridge = bridge
        super().__init__(seed, options)
        self._doors = TwoDoors(bridge, self.model, self.laws.broken)

    def committer(self, wire: Wire, clock: Clock) -> Committer:
        return WiredCommitter(self._doors, wire, clock)

    def store(self, wire: Wire) -> PaymentStore:
        return ShadowedStore(BridgedPool(self._bridge, wire), self.directory, self.model)

    def outbox(self, wire: Wire, clock: Clock) -> Outbox:
        return Outbox(BridgedPool(self._bridge, wire), clock, lease_seconds=LEASE_SECONDS)

    def proposals(self, wire: Wire) -> ProposalStore:
        return ProposalStore(BridgedPool(self._bridge, wire), 1)

    def intents(self) -> list[str]:
        """Those that are left in Postgres; the model forgets the messages that are over."""
        rows = self._bridge.run(self._bridge.connection.fetch("select id from outbox"))
        left = {row["id"].hex for row in rows}
        for id_ in self.model.outbox.keys() - left:
            del self.model.outbox[id_]
        return sorted(left)

    def next_due(self) -> int | None:
        due: int | None = self._bridge.run(
            self._bridge.connection.fetchval(
                "select least((select min(lease_until) from outbox),"
                " (select min(due) from payment))"
            )
        )
        return due

    async def rest(self, machine: Machine) -> None:
        """Nobody hears of what is written in Postgres: here a worker looks now and then."""
        longest = HOUR if self.is_calm else self._late_seconds_max
        due = self.next_due()
        wait = longest if due is None else due - machine.clock.epoch()
        await asyncio.sleep(min(max(wait, 1.0), longest))

    def open_books(self) -> None:
        self._bridge.empty()
        accounts = {read_account(number) for number in self.accounts()}
        self._bridge.run(open_accounts(self._bridge.connection, sorted(accounts)))
        super().open_books()

    def endow(self, plan: Plan, at_ms: int) -> Verdicted:
        return self._doors.commit([plan], at_ms)[0]

    def check_end(self) -> None:
        """Beyond the laws: Postgres itself holds to the books, and holds what the model holds."""
        self.intents()
        super().check_end()
        run, fetch = self._bridge.run, self._bridge.connection.fetch
        run(assert_books(self._bridge.connection))
        balances = {row["id"]: row["amount"] for row in run(fetch("select * from balance"))}
        if balances != self.model.balances:
            self.laws.broken("Postgres and the model hold other balances")
        found = {
            row["id"].hex: (row["state"], row["version"])
            for row in run(fetch("select id, state, version from payment"))
        }
        if found != {i: (row.state, row.version) for i, row in self.model.payments.items()}:
            self.laws.broken("Postgres and the model hold other payments")

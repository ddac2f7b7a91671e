"""The same worlds with the real SQL: the real store and outbox, and `commit_plans` in Postgres.

Every call to Postgres is run to its end inside one simulated step, by a loop in a thread of its
own, so the world stays as deterministic as it was. The model is kept beside it: each batch must get
the same verdicts from both, and at the end both must hold the same payments and balances.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from engine.clock import AttemptId, Clock, Ids, PaymentId
from engine.database import connect, ensure_months
from engine.desk.booking import Booker
from engine.desk.proposals import Proposal, ProposalId
from engine.desk.store import ProposalStore
from engine.ledger.books import open_accounts
from engine.ledger.chart import read_account
from engine.ledger.commit import commit
from engine.ledger.plans import Plan, Verdicted
from engine.outbox import Outbox
from engine.payments.case_store import CaseStore
from engine.payments.keys import PaymentKeys
from engine.payments.payins.collected import Collected
from engine.payments.payins.judging import PayIn, Stage
from engine.payments.payins.store import PayInStore
from engine.payments.payment import Payment
from engine.payments.request_store import RequestStore
from engine.payments.statements.balances import BalanceBook
from engine.payments.statements.cases import StatementCases
from engine.payments.statements.judged import Theirs
from engine.payments.statements.lines import PaidInLine
from engine.payments.statements.ours import OursReader
from engine.payments.statements.store import StatementStore, _stored
from engine.payments.statements.suspense import Suspense
from engine.payments.store import PaymentStore
from engine.ports import PaidIn
from engine.privacy.seals import seals_of
from engine.tables import metadata
from tests.integration.books import assert_books
from tests.simulation.askers import REQUEST_CALLS, whole
from tests.simulation.machine import LEASE_SECONDS, Books, Machine, Parts
from tests.simulation.model import START, CaseRow, Model
from tests.simulation.paper_rows import LineRow
from tests.simulation.paper_terms import TERMS
from tests.simulation.papers import NobodyPaysIn, Turns, turn_of
from tests.simulation.pay_in_table import PayInTable
from tests.simulation.request_table import RequestTable
from tests.simulation.surfaces import WiredCommitter
from tests.simulation.wire import Wire
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

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["BridgedPool"]:
        """Itself: what is asked of a connection one by one needs none of its own."""
        yield self

    async def executemany(self, sql: str, rows: Sequence[Any]) -> None:
        await self._ask(self._bridge.connection.executemany, sql, (rows,))

    async def _ask(
        self, call: Callable[..., Coroutine[Any, Any, Any]], sql: str, values: tuple[Any, ...]
    ) -> Any:
        return await self._wire.ask(lambda: self._bridge.run(call(sql, *values)))


class OneConnection:
    """The bridge's connection in a pool's place, for what is run whole over there."""

    def __init__(self, connection: Any) -> None:
        self.fetch, self.fetchrow = connection.fetch, connection.fetchrow
        self.fetchval, self.execute = connection.fetchval, connection.execute
        self._connection = connection

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        yield self._connection


class BridgedStatements(StatementStore):
    """The real store: each call is made whole, and takes a turn as the model's do.

    Postgres ends a turn by its own clock, which no world here has.
    """

    def __init__(self, bridge: Bridge, wire: Wire, turns: Turns) -> None:
        super().__init__(None, 1)
        self._bridge = bridge
        self._wire = wire
        self._turns = turns
        self._real = StatementStore(OneConnection(bridge.connection), 1)

    @asynccontextmanager
    async def turn(self, operator: str) -> AsyncIterator[None]:
        async with turn_of(self._turns, self._wire, operator):
            yield

    async def ask(self, name: str, *given: Any) -> Any:
        """What the real method of that name answers."""
        return await self._wire.ask(lambda: self._bridge.run(getattr(self._real, name)(*given)))


for _name in (
    "keep", "hash_of", "taken", "listed_elsewhere", "lines", "settle", "kept_as", "undone",
    "undone_days", "set_suspended",
):  # fmt: skip
    setattr(BridgedStatements, _name, whole(_name))


class BridgedCases(StatementCases):
    """The real cases: each call is made whole."""

    def __init__(self, bridge: Bridge, wire: Wire) -> None:
        super().__init__(None, 1)
        self._bridge = bridge
        self._wire = wire
        self._real = StatementCases(OneConnection(bridge.connection), 1)

    async def ask(self, name: str, *given: Any) -> Any:
        """What the real method of that name answers."""
        return await self._wire.ask(lambda: self._bridge.run(getattr(self._real, name)(*given)))


for _name in ("open", "is_open", "open_subjects", "restate", "close", "close_over"):
    setattr(BridgedCases, _name, whole(_name))


SHOWN = ("add", "decide", "keep_outcome", "see", "end_waiting", "end_unseen", "expire")
"""What changes proposals."""


class BridgedProposals(ProposalStore):
    """The real proposals: each call is made whole. The model holds what people see of them."""

    def __init__(self, bridge: Bridge, wire: Wire, model: Model) -> None:
        super().__init__(None, 1)
        self._bridge = bridge
        self._wire = wire
        self._model = model
        self._real = ProposalStore(OneConnection(bridge.connection), 1)

    async def ask(self, name: str, *given: Any, **named: Any) -> Any:
        """What the real method of that name answers."""

        def call() -> Any:
            try:
                return self._bridge.run(getattr(self._real, name)(*given, **named))
            finally:
                if name in SHOWN:
                    self._show(given[0])

        return await self._wire.ask(call)

    def _show(self, about: Any) -> None:
        known = {ProposalId(about.id if isinstance(about, Proposal) else str(about))}
        if isinstance(about, int):  # a moment: those that have expired
            known = {ProposalId(id_) for id_ in self._model.proposals}
        rows = self._bridge.run(self._real.read(self._bridge.connection, known))
        self._model.proposals.update({ProposalId(id_): row for id_, row in rows.items()})


for _name in (*SHOWN, "get", "approved", "done_as", "noted", "under_way"):
    setattr(BridgedProposals, _name, whole(_name))


class BothRequests(RequestStore):
    """The real requests and the model's, held to the same answers."""

    def __init__(
        self, bridge: Bridge, wire: Wire, table: RequestTable, disagree: Callable[..., None]
    ) -> None:
        super().__init__(None, 1)
        self._bridge = bridge
        self._wire = wire
        self._table = table
        self._disagree = disagree
        self._real = RequestStore(OneConnection(bridge.connection), 1)

    async def ask(self, name: str, *given: Any, **named: Any) -> Any:
        """What both answer to the method of that name."""

        def both() -> Any:
            found = self._bridge.run(getattr(self._real, name)(*given, **named))
            expected = getattr(self._table, name)(*given, **named)
            if found != expected:
                self._disagree("requests disagree", name=name, found=found, expected=expected)
            return found

        return await self._wire.ask(both)


for _name in REQUEST_CALLS:
    setattr(BothRequests, _name, whole(_name))


class At(Clock):
    """Stands still."""

    def __init__(self, at_ms: int) -> None:
        self._at_ms = at_ms

    def epoch(self) -> float:
        return self._at_ms / 1000


class Given(Ids):
    """Gives out one id."""

    def __init__(self, id_: str) -> None:
        self._id = id_

    def hex(self) -> str:
        return self._id


class BothPayIns(PayInTable):
    """The real pay-ins and the model's, held to the same answers."""

    def __init__(self, bridge: Bridge, model: Model, disagree: Callable[..., None]) -> None:
        super().__init__(model)
        self._bridge = bridge
        self._disagree = disagree

    def hear(self, operator: str, paid: PaidIn, fresh: PayIn) -> PayIn:
        real = self._real(fresh.heard_ms, fresh.id).hear(operator, paid, proven=fresh.proven)
        return self._both("hear", real, super().hear(operator, paid, fresh))

    def get(self, pay_in_id: str) -> PayIn | None:
        return self._both("get", self._real().get(pay_in_id), super().get(pay_in_id))

    def lease_due(self, now_ms: int, until_ms: int, most: int) -> list[PayIn]:
        real = self._real(now_ms).lease_due((until_ms - now_ms) // 1000, most)
        found = super().lease_due(now_ms, until_ms, most)
        return self._both("lease_due", self._in_order(real), sorted(found))

    def is_turn_to_ask(self, pay_in: PayIn, again_ms: int) -> bool:
        real = self._real().is_turn_to_ask(pay_in, again_ms)
        return self._both("is_turn_to_ask", real, super().is_turn_to_ask(pay_in, again_ms))

    def prove(self, pay_in_id: str, now_ms: int) -> None:
        self._both("prove", self._real(now_ms).prove(pay_in_id), super().prove(pay_in_id, now_ms))

    def settle(
        self,
        pay_in: PayIn,
        stage: Stage,
        payment: PaymentId | None,
        return_receipt: str | None = None,
        again_ms: int | None = None,
    ) -> bool:
        real = self._real().settle(
            pay_in, stage, payment=payment, return_receipt=return_receipt, again_ms=again_ms
        )
        expected = super().settle(pay_in, stage, payment, return_receipt, again_ms)
        return self._both("settle", real, expected)

    def begin(self, pay_in: PayIn, stage: Stage, proposal: str) -> bool:
        real = self._real().begin(pay_in, stage, proposal)
        return self._both("begin", real, super().begin(pay_in, stage, proposal))

    def give_up(self, pay_in: PayIn) -> None:
        self._both("give_up", self._real().give_up(pay_in), super().give_up(pay_in))

    def claim_call(self, pay_in: PayIn, now_ms: int, again_ms: int) -> bool:
        real = self._real(now_ms).claim_call(pay_in, again_ms)
        return self._both("claim_call", real, super().claim_call(pay_in, now_ms, again_ms))

    def take_turn(self, pay_in: PayIn, again_ms: int) -> bool:
        real = self._real().take_turn(pay_in, again_ms)
        return self._both("take_turn", real, super().take_turn(pay_in, again_ms))

    def release_call(self, pay_in: PayIn) -> None:
        self._both("release_call", self._real().release_call(pay_in), super().release_call(pay_in))

    def close_case(self, pay_in: PayIn, now_ms: int) -> None:
        real = self._real(now_ms).close_case(pay_in, "over")
        self._both("close_case", real, super().close_case(pay_in, now_ms))

    def among(self, operator: str, lines: Sequence[Theirs]) -> Mapping[str, PaidInLine]:
        real = self._real().among(operator, lines)
        return self._both("among", real, super().among(operator, lines))

    def find(
        self,
        operator: str,
        owners: Sequence[tuple[str, PaymentId | None]],
        stages: Sequence[Stage],
        now_ms: int,
    ) -> int:
        real = self._real(now_ms)._find(operator, owners, stages)
        return self._both("find", real, super().find(operator, owners, stages, now_ms))

    def collection_of(self, payment_id: PaymentId) -> AttemptId | None:
        real = self._real().collection_of(payment_id)
        return self._both("collection_of", real, super().collection_of(payment_id))

    def _real(self, at_ms: int = 0, id_: str = "") -> PayInStore:
        return PayInStore(OneConnection(self._bridge.connection), 1, At(at_ms), Given(id_))

    async def _in_order(self, real: Coroutine[Any, Any, list[PayIn]]) -> list[PayIn]:
        return sorted(await real)

    def _both(self, name: str, real: Coroutine[Any, Any, T], expected: T) -> T:
        found = self._bridge.run(real)
        if found != expected:
            self._disagree("pay-ins disagree", name=name, found=found, expected=expected)
        return found


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


class ShadowedCases(CaseStore):
    """The real cases; the model hears of them."""

    def __init__(self, pool: Any, model: Model) -> None:
        super().__init__(pool)
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


class BridgedKeys(PaymentKeys):
    """The real keys. Over one connection no other commit is ever under way."""

    async def settled(self, tenant: int, key: str) -> tuple[PaymentId, str] | None:
        return await self.payment(tenant, key)


class ShadowedStore(PaymentStore):
    """The real store; the model hears of the cases."""

    def __init__(self, pool: Any, directory: Any, model: Model) -> None:
        super().__init__(pool, directory)
        self.keys = BridgedKeys(pool)
        self.cases = ShadowedCases(pool, model)


class PostgresWorld(World):
    """A world on an empty, migrated database. What is in it is not lost. Raises ValueError for
    what only the model has.
    """

    may_restore = False

    def __init__(self, bridge: Bridge, seed: int, options: Options | None = None) -> None:
        if options is not None and options.clients:
            raise ValueError("what businesses keep with us is only in the model")
        self._bridge = bridge
        super().__init__(seed, options)
        self._doors = TwoDoors(bridge, self.model, self.laws.broken)
        self.pay_in_table = BothPayIns(bridge, self.model, self.laws.broken)

    def committer(self, wire: Wire, clock: Clock) -> WiredCommitter:
        return WiredCommitter(self._doors, wire, clock)

    def store(self, wire: Wire) -> PaymentStore:
        return ShadowedStore(BridgedPool(self._bridge, wire), self.directory, self.model)

    def outbox(self, wire: Wire, clock: Clock) -> Outbox:
        return Outbox(BridgedPool(self._bridge, wire), clock, lease_seconds=LEASE_SECONDS)

    def proposals(self, wire: Wire) -> ProposalStore:
        return BridgedProposals(self._bridge, wire, self.model)

    def booker(self, parts: Parts) -> Booker:
        return Booker(BridgedPool(self._bridge, parts.wire), parts.committer, 1)

    def requests(self, wire: Wire) -> RequestStore:
        return BothRequests(self._bridge, wire, self.request_table, self.laws.broken)

    def books(self, parts: Parts) -> Books:
        pool = BridgedPool(self._bridge, parts.wire)
        kept = BridgedStatements(self._bridge, parts.wire, self.turns)
        cases = BridgedCases(self._bridge, parts.wire)
        ours = OursReader(pool, 1, parts.store, lambda *_: (), lambda *_: False)
        moves = self.moves(parts, kept)
        return Books(
            kept,
            cases,
            ours,
            BalanceBook(pool, 1, cases, ours, TERMS, parts.clock, moves),
            Suspense(pool, 1, parts.committer, parts.ids),
            NobodyPaysIn() if self.payers is None else self.pay_ins(parts),
            moves,
        )

    def collected(self, parts: Parts) -> Collected:
        return Collected(BridgedPool(self._bridge, parts.wire), 1)

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

    def _read_papers(self) -> None:
        """What the laws of statements look at, as Postgres holds it."""
        run, fetch = self._bridge.run, self._bridge.connection.fetch
        for row in run(fetch("select * from statement_line")):
            stored = _stored(row, seals_of(self._bridge.connection))
            kept = LineRow(stored.theirs.line, row["taken_ms"], stored.kind, stored.theirs.pinned)
            self.model.papers.lines[stored.theirs.line_id] = kept
        for row in run(fetch("select * from case_file")):
            key = row["payment"].hex, row["kind"], row["hash"].hex
            self.model.cases[key] = CaseRow(row["detail"], row["opened_ms"], row["closed_ms"])

    def open_books(self) -> None:
        self._bridge.empty()
        accounts = {read_account(number) for number in self.accounts()}
        self._bridge.run(open_accounts(self._bridge.connection, sorted(accounts)))
        super().open_books()

    def endow(self, plan: Plan, at_ms: int) -> Verdicted:
        return self._doors.commit([plan], at_ms)[0]

    def check_end(self) -> None:
        """Beyond the laws: Postgres itself holds to the books, and holds what the model holds."""
        self._read_papers()
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

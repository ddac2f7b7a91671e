"""What operators owe each other through us, gathered from the journal while payments commit.

The reader is the engine's own, over its statements as the model answers them, of one snapshot and
in one transaction. No window is closed here, and nothing goes to a chain. Whatever clocks say, all
that is owed is known after every reading, and each payment is owed once.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from engine.errors import CappError
from engine.ledger.chart import Kind
from engine.ledger.entries import MANUAL_FROM
from engine.ledger.plans import NOTE, Plan
from engine.payments.facts import read_terms
from engine.payments.lifecycle import State
from engine.payments.settlement import obligation_store as sql
from engine.payments.settlement.gathering import Gathering
from engine.payments.settlement.obligation_store import ObligationStore
from engine.payments.settlement.state import BatchState
from tests.simulation.loop import Handle
from tests.simulation.model import JournalRow, Model, OwedKey, OwedRow, OwedRows
from tests.simulation.papers import Turns, TurnTransaction
from tests.simulation.settle_rows import SettleRows
from tests.simulation.wire import Wire

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

WORKERS = ("worker-1", "worker-2")
HOUR = 3600.0
Marks = tuple[int, int, int]


class Owing:
    """Who reads what is owed in one world, and the laws about it."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._turns = Turns(world.loop)
        self._names = {port.facts.code: name for name, port in world.operators.items()}
        self._reads_at: Handle | None = None
        self._is_read = True
        self._pause = 2.0  # seconds until somebody looks again
        world.model.watchers.append(self._on_plan)

    def begin(self) -> None:
        """Somebody looks now and then, whatever happens."""
        self._world.loop.outside(HOUR, self._look_later)

    @property
    def is_busy(self) -> bool:
        """Whether something is owed that nobody has read."""
        return not self._is_read

    def restored(self) -> None:
        """Every transaction is gone; what came back is read anew."""
        self._turns.forget()
        self._is_read = False
        self._read_in(1.0)

    def forget_turns(self) -> None:
        """The database has fallen."""
        self._turns.forget()

    def gathering(self, machine: "Machine") -> Gathering:
        """As `engine/payments/settlement/room.py` makes it."""
        store = ObligationStore(self.pool(machine.wire), 1, self._names)
        cases: Any = CasesOfDays(self._on_case)
        return Gathering(store, cases, self._names, machine.clock)

    def pool(self, wire: Wire) -> "OwedPool":
        """Where one process reads what is owed."""
        return OwedPool(self._world.model, wire, self._turns, self._names)

    # When they read.

    def _on_plan(self, plan: Plan) -> None:
        if plan.state >= MANUAL_FROM:
            return
        if plan.version == NOTE or not any(map(_is_owed, plan.transfers)):
            return
        if self._is_read:
            self._pass_over()
        self._is_read, self._pause = False, 2.0
        if self._reads_at is None:
            self._read_in(self._chance.random() * 2.0)

    def _pass_over(self) -> None:
        """Up to this moment nothing was new, and so much is noted; or everybody was away."""
        rows = self._world.model.owed
        if rows.look is None or self._chance.random() < 0.2:
            return
        machine = self._world.machines[self._chance.choice(WORKERS)]
        now_ms = int(machine.clock.epoch() * 1000)
        again_ms, whole_ms = rows.look[1:]
        if abs(now_ms - again_ms) >= sql.READ_AGAIN_MS:
            again_ms = now_ms - int(self._chance.random() * sql.READ_AGAIN_MS)
        rows.look = (now_ms, again_ms, whole_ms)

    def _look_later(self) -> None:
        self._read_in(0.0)
        self._world.loop.outside(HOUR, self._look_later)

    def _read_in(self, seconds: float) -> None:
        if self._reads_at is not None:
            self._reads_at.cancel()
        self._reads_at = self._world.loop.outside(seconds, self._read)

    def _read(self) -> None:
        self._reads_at = None
        machine = self._world.machines[self._chance.choice(WORKERS)]
        if machine.process.alive:
            self._world.loop.spawn(self._gather(machine), machine.process)
        self._pause = min(self._pause * 2, HOUR)
        self._world.loop.outside(self._pause, self._read_again)

    def _read_again(self) -> None:
        if not self._is_read and self._reads_at is None:
            self._read_in(self._chance.random())

    async def _gather(self, machine: "Machine") -> None:
        try:
            is_whole = await machine.gathering.gather()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, CappError):
            self._world.trace("sweep failed", machine.name, "settlement")
            return
        if is_whole:
            self._world.happened["owed: whole"] += 1
            self._is_read = self._check_kept()

    # Laws.

    def _on_case(self, detail: str) -> None:
        self._world.laws.broken("what is owed does not add up", detail=detail)

    def _check_kept(self) -> bool:
        """What is kept is what the journal moved, no more; whether all of it is there."""
        model = self._world.model
        moved: dict[OwedKey, int] = {}
        for payment, path in model.journal.items():
            for row in path:
                if row.state >= MANUAL_FROM:
                    continue  # a window that is closed, or reopened
                moved |= {(payment, row.version, a): m for a, m in owed_by(row).items()}
        for key, kept in model.owed.rows.items():
            if moved.get(key) != kept.minor:
                self._world.laws.broken("owed otherwise than booked", payment=key[0])
        return moved.keys() == model.owed.rows.keys()

    def check_end(self) -> None:
        """Each that is paid is owed once, by who collected to who paid; nothing else is."""
        model = self._world.model
        if not self._check_kept():
            self._world.laws.broken("owed, and nobody knows")
        sums: Counter[str] = Counter()
        accounts: Counter[int] = Counter()
        for (payment, _, account), kept in model.owed.rows.items():
            sums[payment] += kept.minor
            accounts[account] += kept.minor
            if not kept.source or not kept.destination:
                self._world.laws.broken("owed by nobody", payment=payment)
        for account, minor in model.balances.items():
            if account >> 24 & 255 == Kind.INTERPOOL and (
                accounts[account] - model.settle.closed[account] != minor
            ):
                self._world.laws.broken("owed is not what INTERPOOL holds", account=account)
        for payment, row in model.payments.items():
            if row.state >= MANUAL_FROM:
                continue
            quote = read_terms(str(model.journal[payment][row.terms - 1].facts)).quote
            wanted = quote.value_at_mid_minor if row.state == State.PAID else 0
            if abs(sums[payment]) != wanted:
                self._world.laws.broken(
                    "not owed once", payment=payment, owed=sums[payment], wanted=wanted
                )


class CasesOfDays:
    """The surface of `BatchStore` that a reading needs."""

    def __init__(self, on_case: Callable[[str], None]) -> None:
        self._on_case = on_case

    async def open_case_of_day(self, subject: str, what: str, detail: str, now_ms: int) -> bool:
        self._on_case(detail)
        return True


class OwedPool:
    """The transaction of `ObligationStore.read_journal`."""

    def __init__(self, model: Model, wire: Wire, turns: Turns, names: Mapping[int, str]) -> None:
        self.model, self.wire, self.turns, self.names = model, wire, turns, names

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["OwedTransaction"]:
        yield OwedTransaction(self)


class Moved(NamedTuple):
    """A row of the snapshot, with what it moved and who owes whom by it."""

    payment: str
    row: JournalRow
    source: str
    destination: str


@dataclass
class Snapshot:
    """What a repeatable read sees, and what it writes."""

    moved: list[Moved]
    balances: dict[int, int]
    rows: OwedRows
    settle: SettleRows
    entries: dict[str, list[JournalRow]]  # of windows that are not over
    fresh: dict[OwedKey, OwedRow] = field(default_factory=dict)
    look: Marks | None = None


class OwedTransaction(TurnTransaction):
    """One of them, of one snapshot; what it writes is there once it has ended."""

    def __init__(self, pool: OwedPool) -> None:
        super().__init__(pool.wire, pool.turns)
        self._pool = pool
        self._seen: Snapshot | None = None

    def transaction(self, *, isolation: str) -> AbstractAsyncContextManager[None]:  # type: ignore[override]  # asyncpg's own word
        assert isolation == "repeatable_read"
        return super().transaction()

    def _write(self) -> None:
        seen, rows = self._snapshot, self._pool.model.owed
        if rows.look != seen.rows.look:
            raise asyncpg.SerializationError("somebody was faster")
        rows.rows |= seen.fresh
        rows.look = seen.look

    @property
    def _snapshot(self) -> Snapshot:
        assert self._seen is not None
        return self._seen

    async def fetchval(self, statement: str, name: str) -> bool:
        assert statement == sql._TURN

        def look() -> None:
            self._seen = _snapshot(self._pool.model, self._pool.names)

        return await self._take(name, look)

    async def fetchrow(self, statement: str, tenant: int) -> dict[str, int] | None:
        assert statement.startswith("select * from settlement_look")
        look = await self._pool.wire.ask(lambda: self._snapshot.rows.look)
        return dict(zip(sql._MARKS, look, strict=True)) if look is not None else None

    async def execute(self, statement: str, *given: Any) -> None:
        if statement == sql._MARK:
            self._snapshot.look = given[1:]
        else:
            assert statement in (sql._PLANNING, sql._NAME), statement

    async def fetch(self, statement: str, *given: Any) -> Sequence[Any]:
        if statement == sql._WRONG:
            return await self._pool.wire.ask(self._wrong)
        assert statement == sql._KEEP
        return await self._pool.wire.ask(lambda: self._keep(given[1]))

    def _keep(self, since_ms: int) -> list[dict[str, int]]:
        seen, out = self._snapshot, []
        for of in seen.moved:
            for account, minor in owed_by(of.row).items() if of.row.at_ms >= since_ms else ():
                key = (of.payment, of.row.version, account)
                if key not in seen.fresh and key not in seen.rows.rows:
                    seen.fresh[key] = OwedRow(of.source, of.destination, minor)
                    out.append({"payments": 1, "nobodys": 0})
        return out

    def _wrong(self) -> list[tuple[int, int, int]]:
        seen = self._snapshot
        gathered = between(seen.settle, seen.entries)
        gathered.subtract(seen.settle.closed)
        for (_, _, account), row in (seen.rows.rows | seen.fresh).items():
            gathered[account] += row.minor
        return [
            (account, there, gathered[account])
            for account, there in sorted(seen.balances.items())
            if there != gathered[account]
        ]


def owed_by(row: JournalRow) -> dict[int, int]:
    """What a row moves on accounts of INTERPOOL, in minor units; nothing that comes to nothing."""
    sums: Counter[int] = Counter()
    for debit, credit, minor in row.transfers:
        sums[debit] -= minor
        sums[credit] += minor
    return {a: m for a, m in sums.items() if m and a >> 24 & 255 == Kind.INTERPOOL}


def _snapshot(model: Model, names: Mapping[int, str]) -> Snapshot:
    moved = []
    for payment, path in model.journal.items():
        paid_by = ""
        for row in path:
            if row.state == State.PAID:
                floats = [c for _, c, _ in row.transfers if c >> 24 & 255 == Kind.FLOAT]
                paid_by = names[floats[0] & 0xFFFFFF] if floats else ""
            if row.state < MANUAL_FROM and owed_by(row):
                source = read_terms(str(path[0].facts)).quote.payer_operator
                moved.append(Moved(payment, row, source, paid_by))
    balances = {a: m for a, m in model.balances.items() if a >> 24 & 255 == Kind.INTERPOOL}
    settle = model.settle.copy()
    entries = {id_: list(model.journal.get(id_, ())) for id_ in settle.batches}
    return Snapshot(moved, balances, model.owed.copy(), settle, entries)


def between(rows: SettleRows, entries: Mapping[str, Sequence[JournalRow]]) -> Counter[int]:
    """What the journal has of windows whose rows do not say so yet, by account of INTERPOOL."""
    sums: Counter[int] = Counter()
    for id_, batch in rows.batches.items():
        version = {BatchState.CLOSING: 1, BatchState.REOPENING: 2}.get(batch.state)
        for row in entries[id_]:
            if row.version == version:
                sums.update(owed_by(row))
    return sums


def _is_owed(transfer: tuple[int, int, int]) -> bool:
    return any(account >> 24 & 255 == Kind.INTERPOOL for account in transfer[:2])

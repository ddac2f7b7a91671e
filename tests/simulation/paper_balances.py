"""What the comparison asks of balances, and of SUSPENSE, with the model behind it.

The surface of `BalanceBook`, and the statements that it and `Suspense` ask by themselves.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

from engine.clock import Clock
from engine.ledger.chart import Account, Kind, natural
from engine.ledger.entries import MANUAL_FROM
from engine.payments.statements.balance import Look
from engine.payments.statements.balances import LATE_LINES, BalanceBook
from engine.payments.statements.cases import StatementCases
from engine.payments.statements.judged import Class, Theirs
from engine.payments.statements.lines import Moved
from engine.payments.statements.moves import Moves
from engine.payments.statements.ours import OursReader
from engine.ports import OperatorFacts
from tests.simulation.model import Model
from tests.simulation.paper_rows import LookRow
from tests.simulation.wire import Wire

TENANT = 1


class ModelBalances(BalanceBook):
    """Looks at operators' balances, kept by the model."""

    def __init__(
        self, model: Model, wire: Wire, cases: StatementCases, ours: OursReader, terms: Any,
        clock: Clock, moves: Moves,
    ) -> None:  # fmt: skip
        super().__init__(_Looks(model, wire), TENANT, cases, ours, terms, clock, moves)
        self._model = model
        self._wire = wire

    async def listed_minor_at(self, facts: OperatorFacts, kind: Kind, day: date, at_ms: int) -> int:
        number = Account(TENANT, facts.currency, kind, facts.code).number
        minor = await self._wire.ask(lambda: self._as_of(facts.name, number, day, at_ms))
        return natural(number, minor)

    def _as_of(self, operator: str, number: int, day: date, at_ms: int) -> int:
        model = self._model
        listed = [
            row
            for row in model.papers.lines.values()
            if row.line.operator == operator
            and row.line.day >= day - LATE_LINES
            and row.line.completed_ms <= at_ms
            and row.kind in (Class.MOVED, Class.PAID_IN, Class.MISSING_HERE)
        ]
        named = {
            f"statement:{operator}:{row.line.receipt}:{row.line.amount.minor}" for row in listed
        }
        keys = [(TENANT, key) for name in named for key in (name, f"{name}:back")]
        explained = {model.keys[key][0] for key in keys if key in model.keys}
        explained |= {str(row.attempt) for row in listed if row.kind == Class.MOVED}
        receipts = {row.line.receipt for row in listed}
        explained |= {
            str(row.stands.proposal)
            for row in model.pay_ins.values()
            if row.stands.operator == operator and row.return_receipt in receipts
        }
        minor = model.balances.get(number, 0)
        for id_, path in model.journal.items():
            for row in path:
                if row.at_ms <= at_ms or (row.state >= MANUAL_FROM and id_ in explained):
                    continue
                minor -= sum(
                    amount * ((credit == number) - (debit == number))
                    for debit, credit, amount in row.transfers
                )
        return minor

    async def _episode(
        self, operator: str, *, is_snapshot: bool
    ) -> tuple[str | None, Sequence[Look]]:
        def read() -> tuple[str | None, Sequence[Look]]:
            looks = [
                (row.at_ms, n, row)
                for n, row in enumerate(self._model.papers.looks.values())
                if row.operator == operator and row.is_snapshot == is_snapshot
            ]
            inside = max((key for *key, row in looks if not row.drift_minor), default=[-1, -1])
            outside = sorted(each for each in looks if list(each[:2]) > inside)
            if not outside:
                return None, ()
            newest = [Look(row.drift_minor, is_snapshot) for *_, row in outside[-2:]]
            return outside[0][2].look, newest

        return await self._wire.ask(read)


class _Looks:
    """The one statement that `BalanceBook.judge` writes a look with."""

    def __init__(self, model: Model, wire: Wire) -> None:
        self._model = model
        self._wire = wire

    async def execute(self, sql: str, *values: Any) -> None:
        assert sql.startswith("insert into balance_look"), sql
        look, _, operator, at_ms, is_snapshot, *_, drift_minor = values
        row = LookRow(look, operator, at_ms, is_snapshot, drift_minor)
        await self._wire.ask(lambda: self._model.papers.looks.setdefault(look, row))


class SuspensePool:
    """The three statements that `Suspense` asks beside its commits."""

    def __init__(self, model: Model, wire: Wire) -> None:
        self._model = model
        self._wire = wire

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["SuspensePool"]:
        yield self

    async def executemany(self, sql: str, rows: Sequence[tuple[int, bool]]) -> None:
        assert sql.startswith("insert into balance "), sql

        def write() -> None:
            for number, is_guarded in rows:
                self._model.open(number, guarded=is_guarded)

        await self._wire.ask(write)

    async def fetchval(
        self, sql: str, tenant: int, operator: str, receipt: str, minor: int, key: str, _: str,
        own: Sequence[str],
    ) -> int | None:  # fmt: skip
        assert sql.startswith("insert into receipt_amount"), sql
        model = self._model

        def write() -> int | None:
            if any(of == tenant and k.startswith(key) and k not in own for of, k in model.keys):
                return None
            return model.receipts.setdefault((tenant, operator, receipt), minor)

        return await self._wire.ask(write)

    async def fetchrow(self, sql: str, tenant: int, key: str) -> Any:
        assert sql.startswith("select j.debits, j.credits, j.amounts"), sql

        def read() -> Any:
            found = self._model.keys.get((tenant, key))
            path = self._model.journal.get(found[0]) if found is not None else None
            return tuple(zip(*path[0].transfers, strict=True)) if path else None

        return await self._wire.ask(read)


class NobodyMoves(Moves):
    """No top-up, withdrawal or rebalancing is made here."""

    def __init__(self) -> None:
        """Needs neither proposals nor lines."""

    async def among(
        self, operator: str, lines: Sequence[Theirs], paid_in: Collection[str]
    ) -> Mapping[str, Moved | None]:
        return {}

    async def under_way(self, operator: str, *, since_ms: int, at_ms: int) -> tuple[int, int]:
        return 0, 0

"""Cases that statements lead to, as the model keeps them: the surface of `StatementCases`."""

from collections.abc import Sequence
from typing import Any

from engine.payments.statements.cases import CLOSED_BY, Case, Over, StatementCases
from engine.payments.statements.terms import Terms
from tests.simulation.model import CaseRow, Model
from tests.simulation.wire import Wire


class ModelCases(StatementCases):
    """Those of the model's one tenant."""

    def __init__(self, model: Model, wire: Wire, tenant: int) -> None:
        super().__init__(None, tenant)
        self._model = model
        self._wire = wire

    async def open(self, cases: Sequence[Case], terms: Terms, at_ms: int) -> int:
        def write() -> int:
            opened = 0
            for case in cases:
                key = case.subject, case.kind, case.hash
                known = self._model.cases.get(key)
                if known is None:
                    self._model.open_case(key, case.detail, at_ms)
                elif known.closed_ms is not None and known.closed_by == CLOSED_BY:
                    self._model.cases[key] = CaseRow(case.detail, at_ms)
                else:
                    continue
                opened += 1
            return opened

        return await self._wire.ask(write) if cases else 0

    async def is_open(self, kind: str, subject: str) -> bool:
        return await self._wire.ask(lambda: kind in self._model.open_kinds(subject))

    async def open_subjects(self, kind: str) -> frozenset[str]:
        return await self._wire.ask(
            lambda: frozenset(
                key[0]
                for key, row in self._model.cases.items()
                if key[1] == kind and row.closed_ms is None
            )
        )

    async def restate(self, kind: str, subject: str, detail: str) -> bool:
        def write() -> bool:
            stale = [
                row
                for key, row in self._model.cases.items()
                if key[:2] == (subject, kind) and row.closed_ms is None and row.detail != detail
            ]
            for row in stale:
                row.detail = detail
            return bool(stale)

        return await self._wire.ask(write)

    async def close(self, kind: str, hashes: Sequence[str], note: str, at_ms: int) -> None:
        wanted = set(hashes)
        if wanted:
            await self._wire.ask(
                lambda: self._close(at_ms, lambda key: key[1] == kind and key[2] in wanted)
            )

    async def close_over(self, kind: str, over: Sequence[Over], at_ms: int) -> None:
        but = {each.subject: each.but for each in over}

        def is_over(key: tuple[str, str, str]) -> bool:
            return key[1] == kind and key[0] in but and key[2] != but[key[0]]

        if over:
            await self._wire.ask(lambda: self._close(at_ms, is_over))

    def _close(self, at_ms: int, is_over: Any) -> None:
        for key, row in self._model.cases.items():
            if row.closed_ms is None and is_over(key):
                row.closed_ms, row.closed_by = at_ms, CLOSED_BY

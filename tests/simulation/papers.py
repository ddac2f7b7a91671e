"""Statements as the model keeps them, and what the comparison reads and writes through.

Each has the surface of the class it stands for (`StatementStore`, `OursReader`); balances and
SUSPENSE are `paper_balances.py`'s. What they decide is the engine's own. A comparison's turn is
held at the database: it is free again when the process that has it dies, when the database falls,
or after `TURN_SECONDS_MAX`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import msgspec

from engine.clock import AttemptId, PaymentId, first_id_at
from engine.ledger.entries import MANUAL_FROM
from engine.payments.evidence import Source
from engine.payments.facts import Ending, read_step
from engine.payments.statements.judged import Class, Judged, Theirs
from engine.payments.statements.lines import (
    Extent,
    Line,
    days_between,
    jumps_of,
    line_id,
    named_id,
)
from engine.payments.statements.ours import OursReader, _Ended
from engine.payments.statements.store import (
    TURN_SECONDS_MAX,
    File,
    Kept,
    StatementStore,
    Stored,
    Taken,
)
from engine.payments.statements.terms import Terms
from engine.payments.store import ORDER_SOURCES, Attempted, PaymentStore
from engine.ports import OperatorFacts
from tests.simulation.loop import CURRENT, Process, SimulatedLoop
from tests.simulation.model import Model
from tests.simulation.paper_balances import TENANT
from tests.simulation.paper_rows import FileRow, LineRow
from tests.simulation.wire import Wire

TURN_ASKED_SECONDS = 1.0


class Turns:
    """Who compares which operator's statements now."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self._held: dict[str, tuple[object, Process | None, float]] = {}

    def take(self, operator: str, token: object, process: Process | None) -> bool:
        """False while another has it. Of one that is dead or silent for too long it is taken."""
        held = self._held.get(operator)
        if held is not None and held[0] is not token:
            is_dead = held[1] is not None and not held[1].alive
            if not is_dead and self._loop.time() < held[2]:
                return False
        self._held[operator] = token, process, self._loop.time() + TURN_SECONDS_MAX
        return True

    def give_back(self, operator: str, token: object) -> bool:
        """False for whoever had lost it."""
        held = self._held.get(operator)
        if held is None or held[0] is not token or self._loop.time() >= held[2]:
            return False
        del self._held[operator]
        return True

    def forget(self) -> None:
        """Every connection is gone, and the turns with them."""
        self._held.clear()


@asynccontextmanager
async def turn_of(turns: Turns, wire: Wire, operator: str) -> AsyncIterator[None]:
    """As `StatementStore.turn`."""
    token, process = object(), CURRENT.get()
    while not await wire.ask(lambda: turns.take(operator, token, process)):  # noqa: ASYNC110 - a turn is the database's
        await asyncio.sleep(TURN_ASKED_SECONDS)
    try:
        yield
    except BaseException:
        turns.give_back(operator, token)
        raise
    if not await wire.ask(lambda: turns.give_back(operator, token)):
        raise ConnectionResetError("the turn was lost")


class TurnTransaction:
    """A transaction that has a turn until its end, and writes then; it dies with its process."""

    def __init__(self, wire: Wire, turns: Turns) -> None:
        self._wire = wire
        self._turns = turns
        self._turn: str | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            if self._turn is not None:
                self._turns.give_back(self._turn, self)
            raise
        await self._wire.ask(self._commit)

    async def _take(self, name: str, first: Callable[[], None] = lambda: None) -> bool:
        """Whether the turn is ours; `first` is done in the same moment."""
        process = CURRENT.get()

        def take() -> bool:
            first()
            return self._turns.take(name, self, process)

        is_ours = await self._wire.ask(take)
        self._turn = name if is_ours else None
        return is_ours

    def _commit(self) -> None:
        if self._turn is None:
            return
        if not self._turns.give_back(self._turn, self):
            raise ConnectionResetError("the transaction was ended")
        self._write()

    def _write(self) -> None:
        """What the statements were to leave."""
        raise NotImplementedError


class ModelStatements(StatementStore):
    """Files and lines of the model."""

    def __init__(self, model: Model, wire: Wire, turns: Turns) -> None:
        super().__init__(None, TENANT)
        self._model = model
        self._wire = wire
        self._turns = turns

    @asynccontextmanager
    async def turn(self, operator: str) -> AsyncIterator[None]:
        async with turn_of(self._turns, self._wire, operator):
            yield

    async def keep(self, file: File, lines: Sequence[Line], at_ms: int) -> Kept:
        def write() -> Kept:
            papers = self._model.papers
            papers.files.setdefault((file.operator, file.day, file.hash), FileRow(file, at_ms))
            fresh, renamed = 0, []
            for line in lines:
                id_ = line_id(TENANT, line)
                known = papers.lines.get(id_)
                if known is None:
                    fresh += 1
                    papers.lines[id_] = LineRow(line, at_ms)
                    continue
                before = known.line
                if None not in (before.reference, line.reference) and (
                    before.reference != line.reference
                ):
                    renamed.append(line.receipt)
                is_alone = known.attempt is None or known.kind == Class.AMOUNT_DIFFERS
                says_more = (before.reference is None and line.reference is not None) or (
                    before.counterparty is None and line.counterparty is not None
                )
                if is_alone and says_more:
                    known.taken_ms = at_ms
                    known.line = msgspec.structs.replace(
                        before,
                        reference=before.reference or line.reference,
                        counterparty=before.counterparty or line.counterparty,
                    )
            return Kept(fresh, tuple(sorted(renamed)))

        return await self._wire.ask(write)

    async def hash_of(self, operator: str, day: date, digest: str) -> str:
        def read() -> list[str]:
            files = self._files(operator)
            return [row.file.hash for row in files if row.file.day == day]

        known = await self._wire.ask(read)
        if digest not in known or digest == known[-1]:
            return digest
        again = named_id(digest, known[-2])
        return again if again == known[-1] else named_id(digest, known[-1])

    async def taken(self, operator: str, terms: Terms) -> Taken:
        files = await self._wire.ask(lambda: self._files(operator))
        last = {
            row.file.day: row.file for row in files if row.taken_ms >= terms.ends_ms(row.file.day)
        }
        jumps = jumps_of(
            {d: Extent(f.lines, f.opening_minor, f.closing_minor) for d, f in last.items()}
        )
        doubted = {day for jump in jumps.values() for day in days_between(jump.before, jump.day)}
        return Taken(
            frozenset(row.file.day for row in files),
            frozenset(last),
            jumps,
            frozenset(d for d, file in last.items() if not file.gaps and d not in doubted),
        )

    async def listed_elsewhere(self, day: date, ids: Sequence[str]) -> frozenset[str]:
        def read() -> frozenset[str]:
            lines = self._model.papers.lines
            return frozenset(id_ for id_ in ids if id_ in lines and lines[id_].line.day != day)

        return await self._wire.ask(read)

    async def lines(
        self, operator: str, first: date, last: date, attempts: Sequence[AttemptId]
    ) -> list[Stored]:
        wanted = set(attempts)

        def read() -> list[Stored]:
            return [
                Stored(Theirs(id_, row.line, row.attempt), row.kind, row.suspended_ms)
                for id_, row in self._model.papers.lines.items()
                if row.line.operator == operator
                and (first <= row.line.day <= last or row.attempt in wanted)
            ]

        return await self._wire.ask(read)

    async def settle(self, judged: Iterable[Judged], at_ms: int) -> None:
        kept = [j for j in judged if j.theirs is not None]

        def write() -> None:
            for j in kept:
                assert j.theirs is not None
                row = self._model.papers.lines[j.theirs.line_id]
                row.kind, row.attempt = int(j.kind), j.pair_to_keep
                if j.proves is not None:
                    row.proved_ms = row.proved_ms or at_ms

        await self._wire.ask(write)

    async def kept_as(self, operator: str, pairs: Sequence[str]) -> dict[str, str]:
        wanted = set(pairs)
        return await self._wire.ask(
            lambda: {
                row.attempt: id_
                for id_, row in self._model.papers.lines.items()
                if row.line.operator == operator and row.attempt in wanted
            }
        )

    async def undone(self, proposals: Sequence[str]) -> frozenset[str]:
        return frozenset()  # nobody reverses what was moved

    async def undone_days(self, operator: str, before: date, since_ms: int) -> list[date]:
        return []

    async def suspended_among(self, operator: str, days: Sequence[date]) -> list[date]:
        def read() -> list[date]:
            return sorted(
                {
                    row.line.day
                    for row in self._model.papers.lines.values()
                    if row.line.operator == operator and row.line.day in days
                    and row.suspended_ms is not None
                }
            )  # fmt: skip

        return await self._wire.ask(read) if days else []

    async def set_suspended(self, line: str, at_ms: int | None) -> None:
        def write() -> None:
            self._model.papers.lines[line].suspended_ms = at_ms

        await self._wire.ask(write)

    def _files(self, operator: str) -> list[FileRow]:
        """An operator's, as they were taken in."""
        found = [row for row in self._model.papers.files.values() if row.file.operator == operator]
        return sorted(found, key=lambda row: (row.taken_ms, row.file.hash))


class ModelOurs(OursReader):
    """Our side, from the model's rows."""

    def __init__(self, model: Model, wire: Wire, store: PaymentStore) -> None:
        super().__init__(None, TENANT, store, lambda _, attempt_id: (), lambda *_: False)
        self._model = model
        self._wire = wire

    async def ids_between(
        self, facts: OperatorFacts, first: date, last: date, terms: Terms
    ) -> list[AttemptId]:
        low = first_id_at(terms.begins(first))
        high = first_id_at(terms.begins(last + timedelta(days=1)))
        return await self._wire.ask(
            lambda: [
                AttemptId(id_)
                for id_, row in self._model.attempts.items()
                if low <= id_ < high and row.operator == facts.code
            ]
        )

    async def ended_ids(self, first: date, last: date, terms: Terms) -> list[AttemptId]:
        begun = first_id_at(terms.begins(first))
        low, high = terms.ends_ms(first - timedelta(days=1)), terms.ends_ms(last)

        def read() -> list[AttemptId]:
            steps = [
                read_step(row.facts)
                for id_, path in self._model.journal.items()
                if id_ < begun
                for row in path[1:]
                if low <= row.at_ms < high and row.facts is not None and row.state < MANUAL_FROM
            ]
            return [s.attempt_id for s in steps if isinstance(s, Ending) and s.attempt_id < begun]

        return await self._wire.ask(read)

    async def live_ids(self, facts: OperatorFacts) -> list[AttemptId]:
        def read() -> list[AttemptId]:
            live = [self._model.payments[id_].live for id_ in self._model.waiting]
            return [
                AttemptId(id_)
                for id_ in live
                if id_ is not None and self._model.attempts[id_].operator == facts.code
            ]

        return await self._wire.ask(read)

    async def _ended(
        self, attempted: Sequence[Attempted]
    ) -> tuple[dict[AttemptId, _Ended], dict[str, Ending]]:
        payments = {a.payment.payment_id for a in attempted}

        def read() -> tuple[dict[AttemptId, _Ended], dict[str, Ending]]:
            ended: dict[AttemptId, _Ended] = {}
            collected: dict[str, Ending] = {}
            for id_ in sorted(payments):
                for row in self._model.journal[id_][1:]:
                    step = read_step(row.facts) if row.facts is not None else None
                    if not isinstance(step, Ending):
                        continue
                    ended[step.attempt_id] = _Ended(step, row.at_ms)
                    if id_ not in collected or collected[id_].attempt_id == step.attempt_id:
                        collected[id_] = step
            return ended, collected

        return await self._wire.ask(read)

    async def _accepted(self, ids: Sequence[AttemptId]) -> dict[AttemptId, tuple[str, ...]]:
        def read() -> dict[AttemptId, tuple[str, ...]]:
            found = {
                id_: tuple(
                    msgspec.json.decode(row.body, type=str)
                    for _, row in sorted(self._model.evidence_of(id_))
                    if row.source == Source.ACCEPTED
                )
                for id_ in ids
            }
            return {id_: told for id_, told in found.items() if told}

        return await self._wire.ask(read)

    async def _left(self, attempted: Sequence[Attempted]) -> dict[AttemptId, int]:
        live = [a for a in attempted if a.payment.live == a.attempt_id]

        def read() -> dict[AttemptId, int]:
            return {a.attempt_id: self._heard_ms(a) for a in live}

        heard = await self._wire.ask(read)
        return {id_: self._store.left_by(id_, at_ms) for id_, at_ms in heard.items()}

    def _heard_ms(self, a: Attempted) -> int:
        step = self._model.journal[a.payment.payment_id][a.payment.version - 1]
        told = [
            row.at_ms
            for _, row in self._model.evidence_of(a.attempt_id)
            if row.source in ORDER_SOURCES
        ]
        return max([step.at_ms, *told])

    async def _unsent(self, ids: Sequence[AttemptId]) -> set[AttemptId]:
        return await self._wire.ask(lambda: {id_ for id_ in ids if id_ in self._model.outbox})


class NobodyPaysIn:
    """Nothing comes by itself here: every line is a collection's, or nobody's."""

    async def among(self, operator: str, lines: Sequence[Theirs]) -> Mapping[str, Any]:
        return {}

    async def collections(
        self, operator: str, lines: Sequence[Theirs], before: Any
    ) -> list[AttemptId]:
        return []

    async def find(self, operator: str, receipt: str, payment: PaymentId | None) -> bool:
        return True

    async def find_denied(self, operator: str, owners: Sequence[tuple[str, PaymentId]]) -> None:
        """Nobody ever denied any."""

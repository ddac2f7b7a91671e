"""What settlement reads and writes through, with the model behind it instead of Postgres.

From the contracts of its stores: each method is one transaction and each change a compare-and-set.
The closing of a window is a transaction with a turn: what it chose is there once it has ended.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from engine.ledger.chart import GUARDED, read_account
from engine.ledger.entries import Manual
from engine.ledger.postings import Transfers
from engine.payments.settlement.batch import Batch
from engine.payments.settlement.batch_store import (
    AWAKE,
    CASE,
    BatchStore,
    KeptApproval,
    Rest,
    hash_of,
)
from engine.payments.settlement.booking import Booking
from engine.payments.settlement.dispute_store import Dispute, DisputeStore
from engine.payments.settlement.errand_store import Errand, ErrandStore, Transaction
from engine.payments.settlement.netting import Mid
from engine.payments.settlement.obligation_store import ObligationStore, Owed, Summed
from engine.payments.settlement.state import OVER, BatchState, ErrandState, Stage
from engine.ports import Approval, Found, Instruction, Prepared, Refusal, SettlementTerms, Slot
from engine.ports import Standing as ChainStanding
from tests.simulation.model import Model
from tests.simulation.owing import OwedPool
from tests.simulation.papers import Turns, TurnTransaction
from tests.simulation.settle_rows import OwedKey, SettleRows
from tests.simulation.wire import Wire

if TYPE_CHECKING:
    from tests.simulation.settle_laws import SettleLaws

LIVE = (Stage.ALLOCATED, Stage.SIGNED)
SET_BACK_MS = 3_600_000


class ClosingPool:
    """The transaction in which a window is closed."""

    def __init__(self, model: Model, wire: Wire, turns: Turns) -> None:
        self.model, self.wire, self.turns = model, wire, turns

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["ClosingTransaction"]:
        yield ClosingTransaction(self)


class ClosingTransaction(TurnTransaction):
    """One of them; its statements are those of the stores below."""

    def __init__(self, pool: ClosingPool) -> None:
        super().__init__(pool.wire, pool.turns)
        self.writes: list[Callable[[], None]] = []

    async def turn(self, corridor: str) -> bool:
        return await self._take(f"close {corridor}")

    async def execute(self, statement: str, *_: object) -> None:
        assert "idle_in_transaction_session_timeout" in statement, statement

    async def executemany(self, statement: str, _: object) -> None:
        assert statement.startswith("insert into decision"), statement

    def _write(self) -> None:
        for write in self.writes:
            write()


class ModelObligations(ObligationStore):
    """What is owed, of the model; gathered as `owing.py` does it."""

    def __init__(self, model: Model, wire: Wire, pool: OwedPool, names: Mapping[int, str]) -> None:
        super().__init__(pool, 1, names)
        self._model = model
        self._wire = wire
        self.laws: SettleLaws

    async def adds_up(self) -> bool:
        return await self._wire.ask(
            lambda: self._model.owed.look is not None and self._model.owed.look[2] == 0
        )

    async def waiting(self, pair: tuple[str, str]) -> list[Summed]:
        def read() -> list[Summed]:
            sums: defaultdict[tuple[str, int], list[Owed]] = defaultdict(list)
            for owed in self._free(pair):
                sums[owed.source, owed.account].append(owed)
            return [
                Summed(
                    *key, len(them), min(o.at_ms for o in them), sum(o.minor for o in them),
                    max(abs(o.minor) for o in them),
                )
                for key, them in sorted(sums.items())
            ]  # fmt: skip

        return await self._wire.ask(read)

    async def oldest(
        self, connection: Any, pair: tuple[str, str], most: int, *, least: Mapping[int, int]
    ) -> list[Owed]:
        def read() -> list[Owed]:
            free = self._free(pair)
            if least:
                free = [o for o in free if abs(o.minor) >= least.get(o.account, 2**63)]
            return sorted(free, key=lambda o: (o.at_ms, o.payment, o.version, o.account))[:most]

        return await self._wire.ask(read)

    async def mark(self, connection: ClosingTransaction, batch: str, owed: Sequence[Owed]) -> int:
        def write() -> None:
            for place, one in enumerate(owed):
                key = one.payment, one.version, one.account
                self.laws.on_marked(batch, key, one)
                self._model.settle.of[key] = batch, place

        connection.writes.append(write)
        return await self._wire.ask(
            lambda: sum(
                (o.payment, o.version, o.account) not in self._model.settle.of for o in owed
            )
        )

    async def of_batch(self, batch: str) -> list[Owed]:
        def read() -> list[Owed]:
            of = [(place, key) for key, (b, place) in self._model.settle.of.items() if b == batch]
            return [self._owed(key) for _, key in sorted(of)]

        return await self._wire.ask(read)

    def _free(self, pair: tuple[str, str]) -> list[Owed]:
        rows, taken = self._model.owed.rows, self._model.settle.of
        return [
            self._owed(key)
            for key, row in rows.items()
            if key not in taken and {row.source, row.destination} == set(pair)
        ]

    def _owed(self, key: OwedKey) -> Owed:
        row = self._model.owed.rows[key]
        payment, version, account = key
        at_ms = self._model.journal[payment][version - 1].at_ms
        return Owed(payment, version, account, row.source, row.destination, row.minor, at_ms)


class ModelBatches(BatchStore):
    """Windows, their approvals and rests."""

    def __init__(self, model: Model, wire: Wire) -> None:
        super().__init__(None, 1)
        self._model = model
        self._wire = wire

    @property
    def _rows(self) -> SettleRows:
        return self._model.settle

    async def turn(self, connection: ClosingTransaction, corridor: str) -> bool:
        return await connection.turn(corridor)

    async def add(self, connection: ClosingTransaction, batch: Batch) -> None:
        connection.writes.append(lambda: self._rows.batches.update({batch.id: batch}))

    async def get(self, batch_id: str) -> Batch | None:
        return await self._wire.ask(lambda: self._rows.batches.get(batch_id))

    async def operators_of(self, batch: Batch) -> frozenset[str]:
        def read() -> frozenset[str]:
            for key, (of, place) in self._rows.of.items():
                if of == batch.id and place == 0:
                    row = self._model.owed.rows[key]
                    return frozenset((row.source, row.destination))
            return frozenset()

        return await self._wire.ask(read)

    async def unfinished(self) -> list[Batch]:
        return await self._wire.ask(
            lambda: [b for _, b in sorted(self._rows.batches.items()) if b.state not in OVER]
        )

    def _change(self, batch: Batch, **changed: Any) -> bool:
        now = self._rows.batches[batch.id]
        if now.state is not batch.state:
            return False
        self._rows.batches[batch.id] = msgspec.structs.replace(now, **changed)
        return True

    async def move(
        self, batch: Batch, state: BatchState, *, reason: str = "", now_ms: int | None = None,
        settled_at: int | None = None,
    ) -> bool:  # fmt: skip
        def write() -> bool:
            now = self._rows.batches[batch.id]
            return self._change(
                batch, state=state, reason=reason or now.reason,
                ended_ms=now.ended_ms if now_ms is None else now_ms,
                settled_at=now.settled_at if settled_at is None else settled_at,
            )  # fmt: skip

        return await self._wire.ask(write)

    async def move_approved(self, batch: Batch, terms: SettlementTerms) -> bool:
        def write() -> bool:
            now = self._rows.batches[batch.id]
            if now.state is not BatchState.CLOSED or now.expires_at != terms.expires_at:
                return False
            return self._change(now, state=BatchState.APPROVED)

        return await self._wire.ask(write)

    async def count_closed(self, batch: Batch) -> None:
        await self._wire.ask(lambda: self._counted(batch, BatchState.CLOSED, 1, None))

    async def set_free(self, batch: Batch, now_ms: int) -> bool:
        return await self._wire.ask(lambda: self._counted(batch, BatchState.REOPENED, -1, now_ms))

    def _counted(self, batch: Batch, state: BatchState, sign: int, now_ms: int | None) -> bool:
        if not self._change(batch, state=state, ended_ms=now_ms or batch.ended_ms):
            return False
        for account, minor in batch.basis.interpool.items():
            self._rows.closed[account] += sign * minor
        if state is BatchState.REOPENED:
            self._rows.of = {k: of for k, of in self._rows.of.items() if of[0] != batch.id}
        return True

    async def propose_terms(self, batch: Batch, *, expires_at: int, terms_hash: bytes) -> bool:
        def write() -> bool:
            now = self._rows.batches[batch.id]
            if now.state is not BatchState.CLOSED or now.expires_at != batch.expires_at:
                return False
            return self._change(now, expires_at=expires_at, terms_hash=terms_hash)

        return await self._wire.ask(write)

    async def approve(
        self, batch: Batch, approval: Approval, *, by_hand: str = "", now_ms: int
    ) -> None:
        def write() -> None:
            told = batch.terms_hash or b""
            key = f"{batch.id} {told.hex()}", approval.index
            self._rows.approvals.setdefault(key, (told, KeptApproval(approval, by_hand)))

        await self._wire.ask(write)

    async def approvals(self, batch: Batch) -> list[KeptApproval]:
        about = f"{batch.id} {(batch.terms_hash or b'').hex()}"
        return await self._wire.ask(
            lambda: [k for (of, _), (_, k) in sorted(self._rows.approvals.items()) if of == about]
        )

    async def accepted_mids(self, used: Sequence[Mid], pegged_to: str) -> Mapping[str, Mid]:
        return {mid.currency: mid for mid in used} | {pegged_to: Mid(pegged_to, "1", 0)}

    async def rest_of(self, corridor: str) -> Rest:
        return await self._wire.ask(lambda: self._rows.rests.get(corridor, AWAKE))

    async def rest(self, corridor: str, rest: Rest) -> None:
        await self._wire.ask(lambda: self._rows.rests.update({corridor: rest}))

    async def open_case(self, subject: str, about: str, detail: str, now_ms: int) -> bool:
        def write() -> bool:
            key = subject, CASE, hash_of(about)
            is_new = key not in self._model.cases
            self._model.open_case(key, detail, now_ms)
            return is_new

        return await self._wire.ask(write)


class ModelErrands(ErrandStore):
    """Instructions, and places in our accounts' order."""

    def __init__(self, model: Model, wire: Wire) -> None:
        super().__init__(None, 1)
        self._model = model
        self._wire = wire

    @property
    def _rows(self) -> SettleRows:
        return self._model.settle

    async def want(
        self, errand_id: str, account: str, instruction: Instruction, now_ms: int
    ) -> None:
        errand = Errand(
            errand_id, account, instruction, ErrandState.WANTED, now_ms, 0, None, None, None, None
        )
        await self._wire.ask(lambda: self._rows.errands.setdefault(errand_id, errand))

    async def get(self, errand_id: str) -> Errand | None:
        return await self._wire.ask(lambda: self._rows.errands.get(errand_id))

    async def wanted(self, account: str, now_ms: int, most: int) -> list[Errand]:
        return await self._wire.ask(
            lambda: [
                e
                for _, e in sorted(self._rows.errands.items())
                if e.account == account and e.state is ErrandState.WANTED and e.due_ms <= now_ms
            ][:most]
        )

    async def first_made_ms(self, errand_id: str) -> int | None:
        return None

    async def busy_accounts(self) -> list[str]:
        def read() -> list[str]:
            open_ = (ErrandState.WANTED, ErrandState.UNDER_WAY)
            busy = {e.account for e in self._rows.errands.values() if e.state in open_}
            busy |= {t.slot.account for t in self._rows.transactions.values() if t.stage in LIVE}
            return sorted(busy)

        return await self._wire.ask(read)

    def _move(self, errand_id: str, was: ErrandState, **changed: Any) -> bool:
        now = self._rows.errands[errand_id]
        if now.state is not was:
            return False
        self._rows.errands[errand_id] = now._replace(**changed)
        return True

    async def refuse(self, errand: Errand, refusal: Refusal) -> None:
        def write() -> None:
            refusals = self._rows.errands[errand.id].refusals + 1
            self._move(
                errand.id, ErrandState.WANTED, state=ErrandState.REFUSED, refusal=refusal,
                refusals=refusals,
            )  # fmt: skip

        await self._wire.ask(write)

    async def lapse(self, errand: Errand) -> None:
        await self._wire.ask(lambda: self._move(errand.id, errand.state, state=ErrandState.LAPSED))

    async def want_again(self, errand: Errand, due_ms: int) -> None:
        await self._wire.ask(
            lambda: self._move(
                errand.id, ErrandState.REFUSED, state=ErrandState.WANTED, due_ms=due_ms
            )
        )

    # Places.

    def _of(self, account: str, stages: Iterable[Stage]) -> list[Transaction]:
        found = [
            t
            for t in self._rows.transactions.values()
            if t.slot.account == account and t.stage in stages
        ]
        return sorted(found, key=lambda t: t.slot.sequence_number)

    async def live(self, account: str) -> list[Transaction]:
        return await self._wire.ask(lambda: self._of(account, LIVE))

    async def live_count(self, account: str) -> int:
        return await self._wire.ask(lambda: len(self._of(account, LIVE)))

    async def oldest_signed(self, account: str) -> Transaction | None:
        return await self._wire.ask(lambda: next(iter(self._of(account, [Stage.SIGNED])), None))

    def _taken(self, account: str, first: int) -> set[int]:
        kept = self._of(account, set(Stage) - {Stage.GONE})
        return {n for t in kept if (n := t.slot.sequence_number) >= first}

    async def highest(self, account: str) -> int | None:
        return await self._wire.ask(lambda: max(self._taken(account, 0), default=None))

    async def taken_from(self, account: str, number: int) -> set[int]:
        return await self._wire.ask(lambda: self._taken(account, number))

    async def called_over(self, account: str, number: int, rail_seconds: int) -> list[Transaction]:
        def read() -> list[Transaction]:
            return [
                t
                for t in self._of(account, (Stage.DONE, Stage.REFUSED))
                if t.slot.sequence_number >= number and t.slot.expires_at < rail_seconds
            ]

        return await self._wire.ask(read)

    async def ended_by(self, errand: Errand) -> Transaction | None:
        def read() -> Transaction | None:
            for t in self._rows.transactions.values():
                if t.errand == errand.id and t.prepared and t.prepared.hash == errand.hash:
                    return t
            return None

        return await self._wire.ask(read)

    async def free(self, transaction: Transaction) -> bool:
        return await self._wire.ask(lambda: self._step(transaction, stage=Stage.GONE) is not None)

    async def allocate(
        self, transaction_id: str, errand: Errand | None, slot: Slot, now_ms: int
    ) -> Transaction | None:
        def write() -> Transaction | None:
            taken = self._taken(slot.account, slot.sequence_number)
            number = slot.sequence_number
            while errand is not None and number in taken:
                number += 1
            if number in taken:
                return None
            if errand is not None and not self._move(
                errand.id, ErrandState.WANTED, state=ErrandState.UNDER_WAY, hash=None
            ):
                return None
            place = msgspec.structs.replace(slot, sequence_number=number)
            made = Transaction(
                transaction_id, errand.id if errand else None, place, Stage.ALLOCATED, None
            )
            self._rows.transactions[transaction_id] = made
            return made

        return await self._wire.ask(write)

    def _step(self, transaction: Transaction, **changed: Any) -> Transaction | None:
        now = self._rows.transactions.get(transaction.id)
        if now is None or now.stage is not transaction.stage:
            return None
        after = self._rows.transactions[transaction.id] = now._replace(**changed)
        return after

    async def keep(self, transaction: Transaction, prepared: Prepared) -> Transaction | None:
        allocated = transaction._replace(stage=Stage.ALLOCATED)
        return await self._wire.ask(
            lambda: self._step(allocated, stage=Stage.SIGNED, prepared=prepared)
        )

    async def give_up(self, transaction: Transaction) -> None:
        def write() -> None:
            if self._step(transaction, stage=Stage.GONE) is None:
                return
            if transaction.stage is Stage.ALLOCATED:
                del self._rows.transactions[transaction.id]
            if transaction.errand is not None:
                self._move(transaction.errand, ErrandState.UNDER_WAY, state=ErrandState.WANTED)

        await self._wire.ask(write)

    async def end(self, transaction: Transaction, found: Found) -> None:
        def write() -> None:
            done = found.standing is ChainStanding.DONE
            stage = Stage.DONE if done else Stage.REFUSED
            if self._step(transaction, stage=stage) is None or transaction.errand is None:
                return
            assert transaction.prepared is not None
            refusals = self._rows.errands[transaction.errand].refusals + (not done)
            self._move(
                transaction.errand, ErrandState.UNDER_WAY,
                state=ErrandState.DONE if done else ErrandState.REFUSED,
                hash=transaction.prepared.hash, version=found.version, fee=found.fee,
                refusal=None if done else found.refusal or Refusal.OTHER, refusals=refusals,
            )  # fmt: skip

        await self._wire.ask(write)

    async def hold(self, account: str, holder: str, now_ms: int, until_ms: int) -> bool:
        def write() -> bool:
            by, lease_ms = self._rows.accounts.get(account, ("", 0))
            if by not in ("", holder) and now_ms < lease_ms <= now_ms + SET_BACK_MS:
                return False
            self._rows.accounts[account] = holder, until_ms
            return True

        return await self._wire.ask(write)

    async def let_go(self, account: str, holder: str) -> None:
        def write() -> None:
            if self._rows.accounts.get(account, ("", 0))[0] == holder:
                self._rows.accounts[account] = holder, 0

        await self._wire.ask(write)


class ModelBooking(Booking):
    """The commit is a process's own; accounts and entries are read of the model."""

    def __init__(self, model: Model, wire: Wire, committer: Any) -> None:
        super().__init__(None, committer, 1)
        self._model = model
        self._wire = wire

    async def state_of(self, entry: str) -> Manual | None:
        def read() -> Manual | None:
            row = self._model.payments.get(entry)
            return None if row is None else Manual(row.state)

        return await self._wire.ask(read)

    async def minor_in(self, account: int) -> int:
        return await self._wire.ask(lambda: self._model.balances.get(account, 0))

    async def _open(self, transfers: Transfers) -> None:
        def write() -> None:
            for number in {n for debit, credit, _ in transfers for n in (debit, credit)}:
                self._model.open(number, guarded=read_account(number).kind in GUARDED)

        await self._wire.ask(write)


class NobodyDisputes(DisputeStore):
    """Disputes are not simulated."""

    def __init__(self) -> None:
        """Needs no pool."""

    async def unfinished(self) -> list[Dispute]:
        return []

"""Pay-ins in the model: the table from the contract of `PayInStore`, and the store over a wire.

Each method of the table is one transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from engine.clock import AttemptId, Clock, Ids, PaymentId, first_id_at, made_at
from engine.desk.proposals import ProposalId
from engine.desk.proposals import State as Stands
from engine.ledger.entries import MANUAL_FROM
from engine.money import Money
from engine.payments.facts import Ending, read_step
from engine.payments.payins.collected import Collected, Owner
from engine.payments.payins.judging import PayIn, Stage
from engine.payments.payins.store import (
    BOOKED,
    CODE_GOOD,
    LOOK_AGAIN_SECONDS,
    PAY_IN,
    WITH_AN_OWNER,
    PayInStore,
)
from engine.payments.payment import code_of, read_code
from engine.payments.statements.judged import Theirs
from engine.payments.statements.lines import PaidInLine, Side
from engine.ports import Direction, PaidIn
from tests.simulation.model import Model, PayInRow
from tests.simulation.wire import Wire

TENANT = 1
MADE_TOGETHER = timedelta(seconds=10)
GONE = (Stage.RETURNING, Stage.RETURNED)


class PayInTable:
    """All pay-ins of a model."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def hear(self, operator: str, paid: PaidIn, fresh: PayIn) -> PayIn:
        for row in self._model.pay_ins.values():
            if (row.stands.operator, row.stands.paid.receipt) == (operator, paid.receipt):
                row.stands = row.stands._replace(proven=row.stands.proven or fresh.proven)
                return row.stands
        self._model.pay_ins[fresh.id] = PayInRow(fresh, fresh.heard_ms)
        return fresh

    def get(self, pay_in_id: str) -> PayIn | None:
        row = self._model.pay_ins.get(pay_in_id)
        return row.stands if row is not None else None

    def lease_due(self, now_ms: int, until_ms: int, most: int) -> list[PayIn]:
        due = [(r.due_ms, id_) for id_, r in self._model.pay_ins.items() if r.due_ms is not None]
        found = [id_ for when, id_ in sorted(due) if when <= now_ms][:most]
        for id_ in found:
            self._model.pay_ins[id_].due_ms = until_ms
        return [self._model.pay_ins[id_].stands for id_ in found]

    def is_turn_to_ask(self, pay_in: PayIn, again_ms: int) -> bool:
        row = self._model.pay_ins[pay_in.id]
        if (row.stands.stage, row.stands.asked) != (Stage.HEARD, pay_in.asked):
            return False
        row.stands, row.due_ms = row.stands._replace(asked=pay_in.asked + 1), again_ms
        return True

    def prove(self, pay_in_id: str, now_ms: int) -> None:
        row = self._model.pay_ins.get(pay_in_id)
        if row is not None and row.stands.stage is Stage.HEARD:
            row.stands, row.due_ms = row.stands._replace(proven=True), now_ms

    def settle(
        self,
        pay_in: PayIn,
        stage: Stage,
        payment: PaymentId | None,
        return_receipt: str | None = None,
        again_ms: int | None = None,
    ) -> bool:
        row = self._model.pay_ins.get(pay_in.id)
        if row is None or row.stands.stage is not pay_in.stage:
            return False
        owner = payment or row.stands.payment
        if stage is Stage.TAKEN and any(
            r is not row and r.stands.stage is Stage.TAKEN and r.stands.payment == owner
            for r in self._model.pay_ins.values()
        ):
            return False
        row.stands, row.due_ms = row.stands._replace(stage=stage, payment=owner), again_ms
        row.return_receipt = return_receipt or row.return_receipt
        return True

    # What two people do with one.

    def begin(self, pay_in: PayIn, stage: Stage, proposal: str) -> bool:
        row = self._model.pay_ins.get(pay_in.id)
        if row is None:
            return False
        known = self._model.proposals.get(ProposalId(proposal))
        if (row.stands.stage, row.stands.proposal) == (stage, proposal):
            return True
        is_free = row.stands.stage is Stage.SUSPENDED and row.stands.proposal != proposal
        if not is_free or known is None or known.state is not Stands.APPROVED:
            return False
        row.stands, row.due_ms = row.stands._replace(stage=stage, proposal=proposal), None
        return True

    def give_up(self, pay_in: PayIn) -> None:
        row = self._model.pay_ins.get(pay_in.id)
        if row is None or row.stands.stage is not pay_in.stage:
            return
        if row.stands.proposal == pay_in.proposal:
            row.stands = row.stands._replace(stage=Stage.SUSPENDED, calls=0)
            row.due_ms = None

    def claim_call(self, pay_in: PayIn, now_ms: int, again_ms: int) -> bool:
        row = self._its_turn(pay_in)
        if row is None:
            return False
        is_repeat = row.stands.calls == 0 and row.stands.called_ms is not None
        calls = row.stands.calls + (2 if is_repeat else 1)
        row.stands = row.stands._replace(calls=calls, called_ms=now_ms)
        row.due_ms = again_ms
        return True

    def take_turn(self, pay_in: PayIn, again_ms: int) -> bool:
        row = self._its_turn(pay_in)
        if row is None:
            return False
        row.stands = row.stands._replace(calls=row.stands.calls + 1)
        row.due_ms = again_ms
        return True

    def release_call(self, pay_in: PayIn) -> None:
        row = self._model.pay_ins.get(pay_in.id)
        if row is None or row.stands.stage is not Stage.RETURNING:
            return
        was_repeat = pay_in.calls == 0 and pay_in.called_ms is not None
        if row.stands.calls == pay_in.calls + 1 or (was_repeat and row.stands.calls == 2):
            row.stands = row.stands._replace(calls=pay_in.calls, called_ms=pay_in.called_ms)

    def close_case(self, pay_in: PayIn, now_ms: int) -> None:
        case = self._model.cases.get((pay_in.id, PAY_IN, pay_in.id))
        if case is not None and case.closed_ms is None:
            case.closed_ms, case.closed_by = now_ms, "pay-ins"

    def _its_turn(self, pay_in: PayIn) -> PayInRow | None:
        row = self._model.pay_ins.get(pay_in.id)
        is_its = row is not None and row.stands.stage is Stage.RETURNING
        return row if is_its and row and row.stands.calls == pay_in.calls else None

    # What statements ask.

    def among(self, operator: str, lines: Sequence[Theirs]) -> Mapping[str, PaidInLine]:
        """Of those that people have the lines, and those of their ways back."""
        found: dict[str, PaidInLine] = {}
        for row in self._model.pay_ins.values():
            stands = row.stands
            if stands.operator != operator or stands.stage not in BOOKED:
                continue
            for t in lines:
                is_held = stands.stage is Stage.SUSPENDED
                if t.line.side is Side.IN and t.line.receipt == stands.paid.receipt:
                    is_there = is_held and t.line.amount == stands.paid.amount
                    known = PaidInLine(is_there, stands.paid.amount.minor)
                elif stands.stage in GONE and _is_way_back(t, row):
                    goes = stands.stage is Stage.RETURNING and stands.calls > 0
                    known = PaidInLine(False, stands.paid.amount.minor, stands.id if goes else None)
                else:
                    continue
                if stands.paid.amount in (t.line.amount, _with_fee(t)):
                    found[t.line_id] = known
        return found

    def with_a_payment(
        self, operator: str, receipts: set[str], before: datetime
    ) -> list[PaymentId]:
        return [
            row.stands.payment
            for row in self._model.pay_ins.values()
            if row.stands.operator == operator
            and row.stands.stage in WITH_AN_OWNER
            and row.stands.paid.receipt in receipts
            and row.stands.payment is not None
            and row.stands.payment < first_id_at(before)
        ]

    def find(
        self,
        operator: str,
        owners: Sequence[tuple[str, PaymentId | None]],
        stages: Sequence[Stage],
        now_ms: int,
    ) -> int:
        owner_of, found = dict(owners), 0
        for id_, row in self._model.pay_ins.items():
            receipt = row.stands.paid.receipt
            if row.stands.operator != operator or receipt not in owner_of:
                continue
            if row.stands.stage not in stages:
                continue
            found += 1
            row.stands = row.stands._replace(stage=Stage.FOUND, payment=owner_of[receipt])
            row.due_ms = now_ms + LOOK_AGAIN_SECONDS * 1000
            case = self._model.cases.get((id_, PAY_IN, id_))
            if case is not None and case.closed_ms is None:
                case.closed_ms, case.closed_by = now_ms, "statements"
        return found

    def stage_of(self, operator: str, receipt: str) -> tuple[Stage, PaymentId | None] | None:
        for row in self._model.pay_ins.values():
            if (row.stands.operator, row.stands.paid.receipt) == (operator, receipt):
                return row.stands.stage, row.stands.payment
        return None

    def named(self, code: str, since: datetime, *, waiting: bool) -> PaymentId | None:
        ids = self._model.waiting if waiting else self._model.payments
        found = [id_ for id_ in ids if id_ >= first_id_at(since) and code_of(id_) == code]
        return PaymentId(found[0]) if len(found) == 1 else None

    def collection_of(self, payment_id: PaymentId) -> AttemptId | None:
        made = made_at(payment_id)
        found = [
            id_
            for id_, row in self._model.attempts.items()
            if first_id_at(made) <= id_ < first_id_at(made + MADE_TOGETHER)
            and row.payment == payment_id
            and row.direction == Direction.COLLECT
        ]
        return AttemptId(min(found)) if found else None


class ModelPayIns(PayInStore):
    """The pay-ins of the model, over a process's wire."""

    def __init__(self, table: PayInTable, model: Model, wire: Wire, clock: Clock, ids: Ids) -> None:
        super().__init__(None, TENANT, clock, ids)
        self._table = table
        self._model = model
        self._wire = wire

    async def hear(self, operator: str, paid: PaidIn, *, proven: bool) -> PayIn:
        fresh = PayIn(self._ids.hex(), operator, paid, Stage.HEARD, self._now_ms(), proven=proven)
        return await self._wire.ask(lambda: self._table.hear(operator, paid, fresh))

    async def get(self, pay_in_id: str) -> PayIn | None:
        return await self._wire.ask(lambda: self._table.get(pay_in_id))

    async def lease_due(self, lease_seconds: int, most: int) -> list[PayIn]:
        now_ms = self._now_ms()
        until_ms = now_ms + lease_seconds * 1000
        return await self._wire.ask(lambda: self._table.lease_due(now_ms, until_ms, most))

    async def is_turn_to_ask(self, pay_in: PayIn, again_ms: int) -> bool:
        return await self._wire.ask(lambda: self._table.is_turn_to_ask(pay_in, again_ms))

    async def prove(self, pay_in_id: str) -> None:
        now_ms = self._now_ms()
        await self._wire.ask(lambda: self._table.prove(pay_in_id, now_ms))

    async def settle(
        self,
        pay_in: PayIn,
        stage: Stage,
        *,
        payment: PaymentId | None = None,
        return_receipt: str | None = None,
        again_ms: int | None = None,
    ) -> bool:
        return await self._wire.ask(
            lambda: self._table.settle(pay_in, stage, payment, return_receipt, again_ms)
        )

    async def begin(self, pay_in: PayIn, stage: Stage, proposal: str) -> bool:
        return await self._wire.ask(lambda: self._table.begin(pay_in, stage, proposal))

    async def give_up(self, pay_in: PayIn) -> None:
        await self._wire.ask(lambda: self._table.give_up(pay_in))

    async def claim_call(self, pay_in: PayIn, again_ms: int) -> bool:
        now_ms = self._now_ms()
        return await self._wire.ask(lambda: self._table.claim_call(pay_in, now_ms, again_ms))

    async def take_turn(self, pay_in: PayIn, again_ms: int) -> bool:
        return await self._wire.ask(lambda: self._table.take_turn(pay_in, again_ms))

    async def release_call(self, pay_in: PayIn) -> None:
        await self._wire.ask(lambda: self._table.release_call(pay_in))

    async def close_case(self, pay_in: PayIn, note: str) -> None:
        now_ms = self._now_ms()
        await self._wire.ask(lambda: self._table.close_case(pay_in, now_ms))

    async def among(self, operator: str, lines: Sequence[Theirs]) -> Mapping[str, PaidInLine]:
        return await self._wire.ask(lambda: self._table.among(operator, lines))

    async def collections(
        self, operator: str, lines: Sequence[Theirs], before: datetime
    ) -> list[AttemptId]:
        receipts = {t.line.receipt for t in lines if t.line.side is Side.IN}

        def read() -> list[AttemptId]:
            payments = self._table.with_a_payment(operator, receipts, before)
            found = [self._table.collection_of(payment) for payment in payments]
            return [id_ for id_ in found if id_ is not None]

        return await self._wire.ask(read)

    async def find(self, operator: str, receipt: str, payment: PaymentId | None) -> bool:
        owners = [(receipt, payment)]
        if await self._find(operator, owners, (Stage.SUSPENDED, Stage.DENIED)):
            return True
        stands = await self._wire.ask(lambda: self._table.stage_of(operator, receipt))
        if stands is None or stands[0] in (Stage.HEARD, Stage.FOUND):
            return True
        return stands == (Stage.TAKEN, payment)

    async def _find(
        self, operator: str, owners: Sequence[tuple[str, PaymentId | None]], stages: Sequence[Stage]
    ) -> int:
        now_ms = self._now_ms()
        return await self._wire.ask(lambda: self._table.find(operator, owners, stages, now_ms))

    async def waiting_payment(self, reference: str) -> PaymentId | None:
        return await self._look_for(reference, waiting=True)

    async def recent_payment(self, reference: str) -> PaymentId | None:
        return await self._look_for(reference, waiting=False)

    async def _look_for(self, reference: str, *, waiting: bool) -> PaymentId | None:
        code, since = read_code(reference), self._clock.now() - CODE_GOOD
        if code is None:
            return None
        return await self._wire.ask(lambda: self._table.named(code, since, waiting=waiting))

    async def collection_of(self, payment_id: PaymentId) -> AttemptId | None:
        return await self._wire.ask(lambda: self._table.collection_of(payment_id))

    async def open_case(self, pay_in: PayIn, detail: str, kind: str = PAY_IN) -> None:
        now_ms = self._now_ms()
        key = pay_in.id, kind, pay_in.id
        await self._wire.ask(lambda: self._model.open_case(key, detail, now_ms))


class ModelCollected(Collected):
    """What the model's books and papers say of receipts, over a process's wire."""

    def __init__(self, model: Model, wire: Wire) -> None:
        super().__init__(None, TENANT)
        self._model = model
        self._wire = wire

    async def attempts(self, operator: str, receipt: str, since_ms: int) -> list[AttemptId]:
        def read() -> list[AttemptId]:
            steps = [
                read_step(row.facts)
                for path in self._model.journal.values()
                for row in path[1:]
                if row.state < MANUAL_FROM
                if row.at_ms >= since_ms and row.facts is not None
            ]
            ended = [s.attempt_id for s in steps if isinstance(s, Ending) and s.receipt == receipt]
            listed = [
                row.attempt
                for row in self._model.papers.lines.values()
                if (row.line.operator, row.line.side, row.line.receipt)
                == (operator, Side.IN, receipt)
            ]
            return list(dict.fromkeys([*ended, *[id_ for id_ in listed if id_ is not None]]))

        return await self._wire.ask(read)

    async def beside(self, operator: str, owners: Sequence[Owner]) -> list[tuple[str, PaymentId]]:
        def read() -> list[tuple[str, PaymentId]]:
            return sorted(
                (id_, payment)
                for id_, row in self._model.pay_ins.items()
                for receipt, payment in owners
                if (row.stands.operator, row.stands.paid.receipt) == (operator, receipt)
                if row.stands.stage in BOOKED
                or (row.stands.stage is Stage.TAKEN and row.stands.payment != payment)
            )

        return await self._wire.ask(read)


def _with_fee(t: Theirs) -> Money:
    """What the customer gave or got, of a line that lists what was left or taken of it."""
    fee = Money(t.line.fee_minor, t.line.amount.currency)
    return t.line.amount + fee if t.line.side is Side.IN else t.line.amount - fee


def _is_way_back(t: Theirs, row: PayInRow) -> bool:
    """By the receipt that was told of it, or by the one it undoes."""
    if t.line.side is not Side.OUT:
        return False
    return t.line.receipt == row.return_receipt or t.line.reference == row.stands.paid.receipt

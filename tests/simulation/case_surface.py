"""Cases about payments, with the model behind them: the surface of `CaseStore`."""

from engine.clock import IntentId, PaymentId
from engine.desk.proposals import Proposal
from engine.payments.case_store import CaseStore, Standing
from engine.payments.payment import Payment
from tests.simulation.model import Model
from tests.simulation.wire import Wire


class ModelCaseStore(CaseStore):
    """Those of the model's one tenant."""

    def __init__(self, model: Model, wire: Wire) -> None:
        super().__init__(None)
        self._model = model
        self._wire = wire

    async def open_case(
        self, payment: Payment, kind: str, hash_: str, detail: str, at_ms: int
    ) -> None:
        key = payment.payment_id, kind, hash_
        await self._wire.ask(lambda: self._model.open_case(key, detail, at_ms))

    async def open_one(
        self,
        payment_id: PaymentId,
        tenant: int,
        kind: str,
        detail: str,
        at_ms: int,
        at_version: int | None = None,
    ) -> int:
        def write() -> int:
            row = self._model.payments.get(payment_id)
            if at_version is not None and (row is None or row.version != at_version):
                return 0
            return self._model.open_one(payment_id, kind, detail, at_ms)

        return await self._wire.ask(write)

    async def standing(self, payment_id: PaymentId, kind: str) -> Standing | None:
        def read() -> Standing | None:
            if (row := self._model.payments.get(payment_id)) is None:
                return None
            return Standing(1, self._model.journal[payment_id][row.version - 1].at_ms, None)

        return await self._wire.ask(read)

    async def close_answered(self, payment_id: PaymentId, kind: str, by: Proposal) -> None:
        def write() -> None:
            for key, row in self._model.cases.items():
                is_answered = row.closed_ms is None and row.opened_ms <= (by.decided_ms or 0)
                if key[:2] == (payment_id, kind) and is_answered:
                    row.closed_ms = by.decided_ms

        await self._wire.ask(write)

    async def open_of_message(
        self, intent_id: IntentId, kind: str, detail: str, at_ms: int
    ) -> bool:
        raise AssertionError("every message can be read here")

"""Which collections ended with an operator's receipt, and which pay-ins lie beside one."""

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.clock import AttemptId, PaymentId
from engine.ledger.entries import MANUAL_FROM
from engine.payments.facts import Ending, read_step
from engine.payments.payins.judging import Stage
from engine.payments.payins.store import BOOKED
from engine.payments.statements.lines import Side

Owner = tuple[str, PaymentId]
"""The receipt of a collection, and the payment that it paid."""


class Collected:
    """What the books and the statements of one tenant say of receipts."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant

    async def attempts(self, operator: str, receipt: str, since_ms: int) -> list[AttemptId]:
        """Those that ended with the receipt since then, and those whose line a statement lists
        under it, however old. At any operator: whoever asks looks at each.

        Walks the steps since that moment: for the rare pay-in whose reference names no payment.
        """
        ended = await self._ended(receipt, since_ms)
        listed = await self._pool.fetch(
            "select attempt from statement_line where tenant = $1 and operator = $2"
            " and receipt = $3 and side = $4 and attempt is not null",
            self._tenant, operator, receipt, int(Side.IN),
        )  # fmt: skip
        return list(dict.fromkeys([*ended, *[AttemptId(row["attempt"].hex) for row in listed]]))

    async def beside(self, operator: str, owners: Sequence[Owner]) -> list[tuple[str, PaymentId]]:
        """The pay-ins that go by the receipt of a payment's collection, in whatever amount, and
        that people have, or another payment; each with the payment it lies beside."""
        receipts, payments = [owner[0] for owner in owners], [owner[1] for owner in owners]
        rows = await self._pool.fetch(
            "select p.id, o.payment from pay_in p"
            " join unnest((select $3::text[]), (select $4::uuid[])) as o (receipt, payment)"
            "   on o.receipt = p.receipt"
            " where p.tenant = $1 and p.operator = $2"
            " and (p.stage = any($5::smallint[]) or p.stage = $6 and p.payment <> o.payment)"
            " order by p.id, o.payment",
            self._tenant, operator, receipts, payments, [int(stage) for stage in BOOKED],
            int(Stage.TAKEN),
        )  # fmt: skip
        return [(row["id"].hex, PaymentId(row["payment"].hex)) for row in rows]

    async def _ended(self, receipt: str, since_ms: int) -> list[AttemptId]:
        words = f'"receipt":{msgspec.json.encode(receipt).decode()}'  # as `Ending` is written
        rows = await self._pool.fetch(
            "select facts from journal where at_ms >= $1 and tenant = $2 and version > 1"
            " and state < $3 and strpos(facts, $4) > 0",
            since_ms, self._tenant, MANUAL_FROM, words,
        )  # fmt: skip
        steps = [read_step(row["facts"]) for row in rows]
        return [s.attempt_id for s in steps if isinstance(s, Ending) and s.receipt == receipt]

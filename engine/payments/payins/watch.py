"""Looks after pay-ins that a dead process or a silent operator left behind. Knows no entries."""

from engine.outages import one_by_one
from engine.payments.payins.judging import PayIn, Stage
from engine.payments.payins.owners import Owners
from engine.payments.payins.payins import LEASE_SECONDS, PayIns
from engine.payments.payins.returns import PayInReturns
from engine.payments.payins.store import WITH_AN_OWNER, PayInStore


class PayInWatch:
    """For the worker; any number may run beside each other."""

    def __init__(
        self, store: PayInStore, pay_ins: PayIns, owners: Owners, returns: PayInReturns
    ) -> None:
        self._store = store
        self._pay_ins = pay_ins
        self._owners = owners
        self._returns = returns

    async def sweep(self, most: int) -> int:
        """Look at those whose time has come; how many. What one of them raises is its own."""
        due = await self._store.lease_due(LEASE_SECONDS, most)
        await one_by_one(due, self._look, named=lambda p: f"pay-in {p.paid.receipt}")
        return len(due)

    async def _look(self, pay_in: PayIn) -> None:
        if pay_in.stage is Stage.HEARD:
            await self._pay_ins.look(pay_in.id, may_call=True)
        elif pay_in.stage is Stage.RETURNING:
            await self._returns.call_again(pay_in)
        elif pay_in.stage in (Stage.SUSPENDED, *WITH_AN_OWNER):
            await self._owners.look(pay_in)

"""Gathers what the journal makes operators owe each other, and sees that nothing is missing.

It closes nothing. While an account does not hold what its obligations add up to, no window is
closed, and somebody hears of it.
"""

import logging
from collections.abc import Mapping

from engine.clock import Clock
from engine.ledger.books import describe
from engine.payments.settlement.batch_store import BatchStore
from engine.payments.settlement.obligation_store import Discrepancy, ObligationStore, Reading

log = logging.getLogger(__name__)


class Gathering:
    """For the worker; any number may run: one at a time reads."""

    def __init__(
        self,
        obligations: ObligationStore,
        batches: BatchStore,
        operators: Mapping[int, str],
        clock: Clock,
    ) -> None:
        """`batches` keeps the cases; `operators` maps the codes in account numbers to names."""
        self._obligations = obligations
        self._batches = batches
        self._operators = dict(operators)
        self._clock = clock

    async def gather(self) -> bool:
        """Whether all that is owed is known, so that windows may be closed. Safe to repeat.

        False as well when somebody else is reading now: that one knows, and closes what is due.
        """
        now_ms = self._now_ms()
        reading = await self._obligations.read_journal(now_ms)
        if reading is None:
            return False
        await self._tell(reading, now_ms)
        return not reading.wrong

    async def _tell(self, reading: Reading, now_ms: int) -> None:
        for wrong in reading.wrong:
            await self._case(wrong.account, _off(wrong, self._operators), now_ms)
        if reading.nobodys:
            log.warning("%d entries say nothing of who owes whom", reading.nobodys)

    async def _case(self, account: int, detail: str, now_ms: int) -> None:
        if await self._batches.open_case_of_day(f"{account:032x}", detail, detail, now_ms):
            log.error("case SETTLEMENT: %s", detail)

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _off(wrong: Discrepancy, operators: Mapping[int, str]) -> str:
    """Told by the difference: while payments go on, only that stays the same."""
    more = wrong.there - wrong.expected
    return f"{describe(wrong.account, operators)} holds {more} minor units that nothing explains"

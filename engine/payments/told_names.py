"""Names of payers and payees by their operators' word, asked behind the confirm, in nobody's way.

The questions go out with the confirm, a few at a time, and are answered while the payer types the
PIN of their wallet; whoever pays out then has the answer, or asks again and waits a little. Names
are personal: they stay in memory for some minutes, and neither one nor a number is logged.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from engine.enquiries import KeptAnswers, Told
from engine.msisdn import Msisdn
from engine.payments.holders import AT_ONCE, HOLDER_SECONDS, Holders
from engine.tasks import Tasks

AHEAD_AT_ONCE = AT_ONCE // 2
"""So many questions to one operator go ahead at a time: turns are left to who waits for one."""
AHEAD_SECONDS = 10.0
"""So long may an answer take that nobody waits for yet."""
ROW_MAX = 2_000
"""So many wait to be asked ahead of one operator; further ones are asked when they are paid."""
KEPT_SECONDS = 600.0
"""So long is an answer good: from a confirm to its payout, and for the next wage of one payee."""
KEPT_MAX = 10_000

Wallet = tuple[str, Msisdn]


class ToldNames:
    """Asks operators for names, for one tenant; an answer serves several looks of one payment."""

    def __init__(
        self,
        holders: Holders,
        *,
        seconds: float = HOLDER_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`holders` asks; `seconds` is the longest that anybody waits for one answer."""
        self._holders = holders
        self._seconds = seconds
        self._kept: KeptAnswers[Wallet, str] = KeptAnswers(KEPT_SECONDS, KEPT_MAX, monotonic)
        self._asking: dict[Wallet, asyncio.Task[str | None]] = {}
        self._rows: dict[str, OrderedDict[Msisdn, None]] = {}
        self._askers: dict[str, int] = {}
        self._ahead = Tasks(failed="names were not asked for ahead of their payments")

    def tells(self, operator: str) -> bool:
        """Whether it is one that tells names; nobody asks the others."""
        return self._holders.tells_names(operator)

    def ask_ahead(self, operator: str, msisdn: Msisdn) -> None:
        """Have the answer at hand when it is needed. Never waits; what we keep is not asked for."""
        if not self.tells(operator) or self._kept.of((operator, msisdn)) is not None:
            return
        row = self._rows.setdefault(operator, OrderedDict())
        if len(row) >= ROW_MAX:
            return
        row[msisdn] = None
        if self._askers.get(operator, 0) < AHEAD_AT_ONCE:
            self._askers[operator] = self._askers.get(operator, 0) + 1
            self._ahead.start(self._work_off(operator, row))

    async def of(self, operator: str, msisdn: Msisdn) -> str | None:
        """Whose wallet it is in the operator's words: "" where it knows none, None when it did not
        tell in time. Raises nothing but a cancellation.

        Changes nothing, so a repeat is safe; within a few minutes it is no new question.
        """
        if (kept := self._kept.of((operator, msisdn))) is not None:
            return kept.answer
        asking = self._ask(operator, msisdn, self._seconds)
        await asyncio.wait({asking}, timeout=self._seconds)
        return asking.result() if asking.done() else None

    async def aclose(self) -> None:
        """Wait for questions under way, before `holders` is closed; the row is left behind."""
        await self._ahead.stop()
        if self._asking:
            await asyncio.wait(self._asking.values())

    async def _work_off(self, operator: str, row: OrderedDict[Msisdn, None]) -> None:
        try:
            while row and not self._ahead.is_stopping:
                msisdn, _ = row.popitem(last=False)
                if self._kept.of((operator, msisdn)) is None:
                    await asyncio.wait({self._ask(operator, msisdn, AHEAD_SECONDS)})
        finally:
            self._askers[operator] -= 1

    def _ask(self, operator: str, msisdn: Msisdn, seconds: float) -> "asyncio.Task[str | None]":
        """One question for all who want to know, in a task of its own: who gives up ends it for
        nobody else.
        """
        asking = self._asking.get((operator, msisdn))
        if asking is None:
            asking = asyncio.get_running_loop().create_task(self._fetch(operator, msisdn, seconds))
            self._asking[operator, msisdn] = asking
            asking.add_done_callback(lambda _: self._asking.pop((operator, msisdn)))
        return asking

    async def _fetch(self, operator: str, msisdn: Msisdn, seconds: float) -> str | None:
        name = await self._holders.name_of(operator, msisdn, seconds=seconds)
        if name is not None:
            self._kept.keep((operator, msisdn), Told(name))
        return name

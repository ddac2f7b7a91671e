"""When the SIM behind a payer's number was changed: asked of whoever tells, never in their way.

The question goes out with the confirm and is answered while the payer types the PIN of their
wallet; whoever pays out then has the answer, or asks again and waits a little. What is late,
refused or unclear is no answer, never an error; a number is never logged.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from engine.clock import Clock, ms_of
from engine.compliance.clearance import SimSeen
from engine.enquiries import Enquiries, KeptAnswers, Told
from engine.msisdn import Msisdn
from engine.ports import SimPort
from engine.tasks import Tasks

SIM_SECONDS = 1.5
"""Nobody waits longer: an operator that brought us the money waits to hear that we have it."""
KEPT_SECONDS = 300.0
"""So long is an answer good: from a confirm to its payout. A swap takes an operator longer."""
KEPT_MAX = 10_000
HOUR_MS = 3_600_000


class Sims:
    """Asks about SIMs, for one tenant; an answer serves several looks of one payment."""

    def __init__(
        self,
        tellers: Mapping[str, SimPort],
        clock: Clock,
        *,
        seconds: float = SIM_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        closes: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        """`tellers`: an operator -> who tells about its numbers; nobody is asked of the others.
        `seconds` is how long one question may take; `closes` what nobody needs after us.
        """
        self._closes = closes
        self._tellers = tellers
        self._clock = clock
        self._seconds = seconds
        self._enquiries: Enquiries[datetime | None] = Enquiries("SIM", monotonic)
        self._ahead = Tasks(failed="a SIM was not asked about ahead of its payment")
        self._kept: KeptAnswers[Msisdn, datetime | None] = KeptAnswers(
            KEPT_SECONDS, KEPT_MAX, monotonic
        )

    @property
    def operators(self) -> list[str]:
        """Those of whose numbers somebody tells."""
        return sorted(self._tellers)

    def ask_ahead(self, operator: str, msisdn: Msisdn) -> None:
        """Have the answer at hand when it is needed. Never waits; what we keep is not asked for."""
        if operator in self._tellers and self._kept.of(msisdn) is None:
            self._ahead.start(self._fetch_ahead(operator, msisdn))

    async def of(self, operator: str, msisdn: Msisdn) -> SimSeen | None:
        """What is told of the SIM now; None where nobody tells. Raises nothing.

        Changes nothing, so a repeat is safe; within a few minutes it is no new question.
        """
        if operator not in self._tellers:
            return None
        told = self._kept.of(msisdn) or await self._fetch(operator, msisdn)
        # Ours may be late, and somebody else's question about the number was answered meanwhile.
        told = told or self._kept.of(msisdn)
        if told is None:
            return SimSeen(operator, is_told=False)
        if told.answer is None:
            return SimSeen(operator, is_told=True)
        changed_ms = ms_of(told.answer)
        # What lies ahead of us is of a moment ago, by another's clock.
        hours = max(ms_of(self._clock.now()) - changed_ms, 0) // HOUR_MS
        return SimSeen(operator, is_told=True, changed_ms=changed_ms, hours=hours)

    async def aclose(self) -> None:
        """Wait for questions under way, before who answers them is closed."""
        await self._ahead.stop()
        await self._enquiries.aclose()
        for close in self._closes:
            await close()

    async def _fetch_ahead(self, operator: str, msisdn: Msisdn) -> None:
        await self._fetch(operator, msisdn)

    async def _fetch(self, operator: str, msisdn: Msisdn) -> Told[datetime | None] | None:
        if self._enquiries.rests(operator):
            return None
        question = self._tellers[operator].sim_changed_at(msisdn)
        told = await self._enquiries.ask(operator, question, self._seconds)
        if told is not None:
            self._kept.keep(msisdn, told)
        return told

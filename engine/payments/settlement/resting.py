"""How long a corridor closes no window after one that came to nothing, and who hears of it."""

import logging

from engine.clock import Clock
from engine.payments.settlement.batch import Batch
from engine.payments.settlement.batch_store import BatchStore, Rest
from engine.payments.settlement.rules import Window
from engine.payments.settlement.windows import rest_seconds
from engine.ports import Refusal

log = logging.getLogger(__name__)

REFUSALS_TOLD = 2
"""So many windows in a row that come to nothing for the same reason are somebody's affair."""
AGAIN_SECONDS_MAX = 600
LATE = "nobody carried it out in time"
_LATE_AGAIN = (
    "nobody carries a window out before its approvals end, again and again: does a worker sweep"
    " every second, does the submitter's key answer, does the rail decide?"
)


class Resting:
    """Of all corridors; a settled window ends it (`AWAKE`)."""

    def __init__(self, batches: BatchStore, window: Window, clock: Clock) -> None:
        self._batches = batches
        self._window = window
        self._clock = clock

    async def after(self, batch: Batch) -> None:
        """A batch was reopened: once for each. After a refusal longer each time in a row.

        Where nobody carried it out in time, the first makes nobody wait, as nobody said no to it,
        and those behind it ten minutes at most: the reason may pass at any moment.
        """
        is_late = batch.reason == LATE
        if not is_late and batch.reason not in set(Refusal):
            return
        now_ms = int(self._clock.epoch() * 1000)
        before = await self._batches.rest_of(batch.corridor)
        times = before.refusals + 1 if before.refusal == batch.reason else 1
        if times == REFUSALS_TOLD:
            told = _LATE_AGAIN if is_late else f"the rail refuses again and again: {batch.reason}"
            detail = f"{batch.corridor}: {told}"
            if await self._batches.open_case(batch.id, batch.reason, detail, now_ms):
                log.error("case SETTLEMENT of batch %s: %s", batch.id, detail)
        seconds = rest_seconds(self._window, times)
        if is_late:
            seconds = 0 if times == 1 else min(seconds, AGAIN_SECONDS_MAX)
        until_ms = now_ms + seconds * 1000 if seconds else 0
        await self._batches.rest(batch.corridor, Rest(until_ms, times, batch.reason))

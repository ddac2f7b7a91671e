"""How many sessions one phone may begin, whatever gateway it comes by. It knows no menu.

A turn never waits for it: while Redis is slow everybody is let in, which is counted and told.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from channels.web.limits import Limit, Limits
from channels.web.seldom import Seldom
from engine.msisdn import Msisdn

WINDOW_SECONDS: Final = 600
PATIENCE_SECONDS: Final = 0.25
"""Of the eight seconds a turn has; a healthy Redis takes a thousandth of one."""

log = logging.getLogger(__name__)


class Dials:
    """Counts sessions by phone."""

    def __init__(self, limits: Limits, most: int, note: Callable[[str], None]) -> None:
        """`note` is told of every "refused" and every "unheard": who was let in unasked."""
        self._limits = limits
        self._limit = Limit("dials", most, WINDOW_SECONDS)
        self._note = note
        self._seldom = Seldom(log)

    async def may_begin(self, msisdn: Msisdn) -> bool:
        """Count one session of this phone; False when it has begun too many. Raises nothing.

        A repeat counts again: the limit is far above what people dial.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                admitted = await self._limits.admit({self._limit: msisdn})
        except TimeoutError:
            self._note("unheard")
            self._seldom.warning("a phone was let in without asking how often it dials")
            return True
        if not admitted.is_in:
            self._note("refused")
            self._seldom.warning("a phone dials too often and was sent away")
        return admitted.is_in

"""Lines about what strangers do: the first is told, the rest of a minute is counted and told once.

Anybody can make us say such a line ten thousand times a second; a full log hides everything else.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

QUIET_SECONDS: Final = 60.0


class Seldom:
    """Warnings of one logger, each sentence at most once a minute. Sentences are ours, and few."""

    def __init__(
        self, log: logging.Logger, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._monotonic = monotonic
        self._told: dict[str, tuple[float, int]] = {}  # when it was told, how often since

    def warning(self, sentence: str) -> None:
        """Tell it, or count it. Never put what a stranger sent into the sentence."""
        now = self._monotonic()
        at, since = self._told.get(sentence, (now - QUIET_SECONDS, 0))
        if now - at < QUIET_SECONDS:
            self._told[sentence] = at, since + 1
            return
        self._told[sentence] = now, 0
        if since:
            self._log.warning("%s (and %d times since that was last told)", sentence, since)
        else:
            self._log.warning("%s", sentence)

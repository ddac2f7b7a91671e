"""What overhears our calls to companies: the log, and `traffic` where calls are kept."""

import logging

from engine.clock import AttemptId, Clock
from engine.correlation import spoken_of
from engine.traffic.log import TrafficLog
from engine.traffic.messages import Said, Way
from providers.http import Exchange

log = logging.getLogger(__name__)


def tell_log(exchange: Exchange) -> None:
    """What may be told of a call that nobody keeps: a gateway's, whose bodies are texts."""
    log.debug("%s", exchange[:5])


class Overheard:
    """What adapters tell of every call: to the log as it is, and to `traffic` once that is open.

    It costs the call some microseconds and never fails it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.traffic: TrafficLog | None = None

    def __call__(self, exchange: Exchange) -> None:
        tell_log(exchange)
        if self.traffic is None:
            return
        elapsed_ms = int(exchange.elapsed_seconds * 1000)
        self.traffic.note(
            Said(
                int(self._clock.epoch() * 1000) - elapsed_ms, Way.WE_CALLED, exchange.provider,
                exchange.operation, exchange.failure, _attempt(), exchange.status,
                elapsed_ms=elapsed_ms, asked=exchange.asked, answered=exchange.answered,
            )
        )  # fmt: skip


def _attempt() -> AttemptId | None:
    attempt = spoken_of().get("attempt")
    return AttemptId(attempt) if attempt is not None else None

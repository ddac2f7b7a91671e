"""Which gateway a message leaves by: in order of preference, at its pace, one after a definite no.

Knows no payment and no text. A message is never offered to a second gateway while the first may
have sent it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from engine.clock import Clock
from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreachable
from engine.pace import Pace
from engine.ports import Reason, Sms, SmsPort

log = logging.getLogger(__name__)

WAIT_SECONDS_MAX = 5.0
"""Longer than this nobody stands in a row: the claim on the message would grow old."""
FAILURES_MAX = 3
"""So many calls in a row without a clear answer, and a gateway is asked last for a while."""
REST_SECONDS = 30.0
REST_SECONDS_MAX = 480.0


class Handed(NamedTuple):
    """A gateway took the message; it tells of it under this id. `counted`: segments, if told."""

    gateway: str
    message_id: str
    counted: int | None


class Health:
    """Whether a gateway gives clear answers, as this process has seen it lately."""

    def __init__(self) -> None:
        self.failures = 0
        self.rests_until = float("-inf")

    def note_answer(self) -> None:
        self.failures, self.rests_until = 0, float("-inf")

    def note_silence(self, now: float) -> None:
        """Every further one doubles the rest, up to eight minutes."""
        self.failures += 1
        if self.failures >= FAILURES_MAX:
            rest = REST_SECONDS * 2 ** min(self.failures - FAILURES_MAX, 4)
            self.rests_until = now + min(rest, REST_SECONDS_MAX)


class Gateway:
    """One gateway with its pace and its health. `pace` None: as fast as they come."""

    def __init__(self, name: str, port: SmsPort, pace: Pace | None = None) -> None:
        self.name = name
        self.port = port
        self.pace = pace
        self.health = Health()


class Gateways:
    """All of them, the preferred one first."""

    def __init__(
        self,
        gateways: Sequence[Gateway],
        *,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Raises ValueError when there is none."""
        if not gateways:
            raise ValueError("no SMS gateway")
        self._gateways = tuple(gateways)
        self._clock = clock
        self._sleep = sleep

    async def send(self, message: Sms) -> Handed:
        """Offer it to each in turn until one takes it. Not to be repeated after OutcomeUnknown.

        Raises OutcomeUnknown at once: it may be on its way. Throttled or Unreachable when somebody
        may take it later, else Rejected. A phone that wants nothing is not asked by another road.
        """
        refusals: list[ProviderError] = []
        for gateway in self._in_order():
            try:
                return await self._offer(gateway, message)
            except (Rejected, Throttled, Unreachable) as error:
                log.warning("SMS to %s not taken: %s", message.to.masked, error)
                refusals.append(error)
                if isinstance(error, Rejected) and error.reason == Reason.DECLINED:
                    raise
        raise _summed_up(refusals)

    async def _offer(self, gateway: Gateway, message: Sms) -> Handed:
        await self._wait_for_turn(gateway)
        try:
            accepted = await gateway.port.send(message)
        except (Unreachable, OutcomeUnknown):
            gateway.health.note_silence(self._clock.epoch())
            raise
        except (Rejected, Throttled):
            gateway.health.note_answer()
            raise
        gateway.health.note_answer()
        return Handed(gateway.name, accepted.message_id, accepted.segments)

    async def _wait_for_turn(self, gateway: Gateway) -> None:
        """Raises Throttled rather than let a message wait for long."""
        if gateway.pace is None:
            return
        now = self._clock.epoch()
        if (wait := gateway.pace.wait(now)) > WAIT_SECONDS_MAX:
            raise Throttled(gateway.name, "our own pace", code="pace", retry_after_seconds=wait)
        if (wait := gateway.pace.take(now)) > 0:
            await self._sleep(wait)

    def _in_order(self) -> list[Gateway]:
        """Who rests comes last, but is not left out: nobody else may be there."""
        now = self._clock.epoch()
        return sorted(self._gateways, key=lambda gateway: gateway.health.rests_until > now)


def _summed_up(refusals: Sequence[ProviderError]) -> ProviderError:
    """What all their refusals come to: any hope for later counts more than a no for good."""
    throttled = [error for error in refusals if isinstance(error, Throttled)]
    if throttled:
        return min(throttled, key=lambda error: error.retry_after_seconds)
    return next((error for error in refusals if isinstance(error, Unreachable)), refusals[0])

"""An SMS gateway of a simulated world: it sends, refuses, or leaves in doubt whether it sent."""

import random
from collections import Counter
from collections.abc import Callable

from engine.errors import OutcomeUnknown, Rejected, Throttled, Unreachable, Unreadable
from engine.msisdn import Msisdn
from engine.ports import Sms, SmsAccepted, SmsCallback, SmsMessage, SmsReport
from tests.simulation.loop import SimulatedLoop
from tests.simulation.weather import Weather


class SimulatedGateway:
    """Keeps nothing: every message that reaches a phone is told to `on_sms`."""

    def __init__(
        self, *, loop: SimulatedLoop, chance: random.Random, weather: Weather,
        happened: Counter[str],
    ) -> None:  # fmt: skip
        """`happened` is told of everything that goes wrong, by its name in the weather."""
        self._loop = loop
        self._random = chance.random
        self._weather = weather
        self._happened = happened
        self.on_sms: Callable[[Sms], None] = lambda message: None

    async def send(self, message: Sms) -> SmsAccepted:
        fate = self._random()
        seconds = self._random() * 2.0
        weather = self._weather

        def arrive() -> SmsAccepted:
            point = fate - weather.sms_unreachable
            if point < 0:
                self._happened["sms_unreachable"] += 1
                if point < -weather.sms_unreachable / 2:
                    raise Throttled("sms", "busy", retry_after_seconds=5.0)
                raise Unreachable("sms", "refused")
            if (point := point - weather.sms_refused) < 0:
                self._happened["sms_refused"] += 1
                raise Rejected("sms", "no", code="406", reason="declined")
            if point - weather.sms_unclear / 2 >= 0:
                self.on_sms(message)
            if point - weather.sms_unclear < 0:  # sent half of the times
                self._happened["sms_unclear"] += 1
                raise OutcomeUnknown("sms", "silence")
            return SmsAccepted(f"m-{message.intent_id}")

        return await self._loop.remote(seconds / 2, arrive, seconds / 2)

    def read_report(self, callback: SmsCallback) -> SmsReport:
        raise Unreadable("sms", str(len(callback.body)))

    def read_message(self, callback: SmsCallback) -> SmsMessage:
        raise Unreadable("sms", str(len(callback.body)))

    async def aclose(self) -> None:
        """Nothing is open."""


class NobodyIsQuiet:
    """No one here ever said STOP."""

    async def are_quiet(self, msisdn: Msisdn) -> bool:
        return False

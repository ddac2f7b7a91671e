"""Who opens dialogues on one line, in whatever weather the network has.

It knows no display: it dials, and says what the network did to a turn.
"""

import httpx

from simulator.admin import Admin
from simulator.exchange import DEADLINE_SECONDS
from simulator.mishaps import CALM, KINDS, Mishap, Strike, Weather
from simulator.network import Network
from simulator.operators.world import World
from simulator.places import Places
from simulator.ussd import Screen, UssdSession


class Caller:
    """One subscriber's line. `name` and the order of dials decide where the weather strikes."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        places: Places,
        world: World,
        *,
        name: str,
        msisdn: str,
        weather: Weather = CALM,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self.msisdn = msisdn
        self._client = client
        self._world = world
        self._admin = Admin(client, places)
        self._shortcode = places.shortcode
        self._line = places.line(msisdn)
        self._network = Network("phone", name, weather)
        self._deadline_seconds = deadline_seconds
        self._sms_strikes: list[Strike] = []

    @property
    def network_code(self) -> str:
        """Who serves the number; it may be ported between dials."""
        return self._line.network_code

    def open(self) -> UssdSession:
        """A dialogue that was not dialled yet."""
        self._line = self._network.next_line(self._line)
        self._sms_strikes = self._network.sms_mishaps()
        return UssdSession(
            self._client,
            self._line,
            self._world,
            network=self._network,
            deadline_seconds=self._deadline_seconds,
        )

    async def dial(self, session: UssdSession, code: str) -> Screen:
        """Dial it, once the gateway's sandbox, if any, knows what is to become of SMS."""
        strikes, self._sms_strikes = self._sms_strikes, []
        for strike in strikes:
            await self._arm(strike)
        return await session.dial(code)

    async def suffer(self, session: UssdSession) -> str | None:
        """What the network did to the last turn, in words; what people do then is done."""
        strike = self._network.now
        if strike is None:
            return None
        match strike.mishap:
            case Mishap.HANG_UP:
                await session.hang_up()
            case Mishap.TWIN:
                await UssdSession(self._client, self._line, self._world).dial(self._shortcode)
        return f"{strike.mishap}: {KINDS[strike.mishap].meaning}"

    async def _arm(self, strike: Strike) -> None:
        try:
            await self._admin.set_fault(
                "gateway", on="sms", fault=strike.mishap, times=1, msisdn=self.msisdn,
                seconds=float(strike.value) if strike.value else None,
            )  # fmt: skip
        except (httpx.HTTPError, KeyError):
            return  # Nobody brings SMS here, so none can be lost.

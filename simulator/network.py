"""The network of one phone: it brings turns to the server and screens back, and does harm.

It is the `Carrier` of a dialogue. What goes wrong comes from chance (`mishaps`) or from a
transcript; each mishap is kept in `struck`. It reads no screen and knows no dialect.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from simulator import septets
from simulator.dialects import numbers
from simulator.exchange import Answer, Unanswered
from simulator.mishaps import CALM, DIAL, Mishap, Place, Strike, Weather
from simulator.ussd import Dropped, Line, Screen

Deliver = Callable[[], Awaitable[Answer]]

_LOST_CHARACTER = "?"


@dataclass(frozen=True)
class _Planned:
    """A mishap that a transcript asks for, in its next turn or in this one of the dialogue."""

    mishap: Mishap
    value: str
    turn: int | None


class Network:
    """One phone's network, for all the dialogues of one run. `play` and `phone` name its places."""

    def __init__(self, play: str, phone: str, weather: Weather = CALM) -> None:
        self.struck: list[Strike] = []
        self.now: Strike | None = None  # what strikes the turn that was carried last
        self.contradictions: list[str] = []  # the same turn was answered in two ways
        self._place = Place(play, phone, 0, DIAL)
        self._weather = weather
        self._planned: list[_Planned] = []
        self._ids: list[str] = []
        self._before: Deliver | None = None
        self._carried = 0
        self._late: set[asyncio.Task[None]] = set()

    def plan(self, mishap: Mishap, value: str, turn: int | None = None) -> None:
        """Let this happen once: in the turn that comes next, or in turn `turn` of a dialogue."""
        self._planned.append(_Planned(mishap, value, turn))

    def next_line(self, line: Line) -> Line:
        """The line for the dial that comes next: the number may have been ported."""
        strike = self._at_dial(Mishap.PORTED)
        if strike is None:
            return line
        code = strike.value or _other_network(line.network_code, Random(strike.seed))
        return replace(line, network=code)

    def sms_mishaps(self) -> list[Strike]:
        """What is to become of SMS from the dial that comes next on."""
        found = [s for s in self._weather.at_dial(self._next_dial()) if s.mishap.startswith("sms")]
        self.struck += found
        return found

    def session_id(self, fresh: str) -> str:
        """See `Carrier`: a dialogue begins, perhaps with the id of the one before."""
        reused = self._at_dial(Mishap.REUSE_SESSION) is not None and bool(self._ids)
        self._place = self._next_dial()
        self._before, self._carried, self.now = None, 0, None
        self._ids.append(self._ids[-1] if reused else fresh)
        return self._ids[-1]

    async def carry(self, deliver: Deliver, *, turn: int) -> Answer:
        """See `Carrier`. A repeat of a turn is not harmed a second time."""
        strike = self.now = self._in_turn(turn)
        before, self._before = self._before, deliver
        match strike and strike.mishap:
            case Mishap.DROP_BEFORE:
                raise Dropped("the network lost the turn before the server")
            case Mishap.DROP_AFTER:
                await _in_vain(deliver)
                raise Dropped("the network lost the server's answer")
            case Mishap.DELAY:
                assert strike is not None
                self._spawn(_after(strike.number, deliver))
                raise Dropped("the network held the turn back until the phone had given up")
            case Mishap.DUPLICATE:
                return await self._twice(deliver)
            case Mishap.REORDER if before is not None:
                answer = await deliver()
                await _in_vain(before)
                return answer
        return await deliver()

    def show(self, screen: Screen, *, turn: int) -> Screen:
        """See `Carrier`. What the phone says itself is whole."""
        strike = self.now
        if strike is None or strike.place.turn != turn or screen.fault is not None:
            return screen
        match strike.mishap:
            case Mishap.TRUNCATE:
                return replace(screen, text=septets.cut(screen.text, int(strike.number)))
            case Mishap.GARBLE:
                return replace(screen, text=_garble(screen.text, strike))
            case Mishap.LOST_END:
                return replace(screen, ends=False)
        return screen

    async def settle(self) -> None:
        """Wait until what was late has arrived."""
        await asyncio.gather(*self._late)

    def _in_turn(self, turn: int) -> Strike | None:
        if turn <= self._carried:
            return None
        self._carried = turn
        place = self._place._replace(turn=turn)
        strike = self._take_planned(place) or self._weather.in_turn(place)
        if strike is not None:
            self.struck.append(strike)
        return strike

    def _at_dial(self, mishap: Mishap) -> Strike | None:
        place = self._next_dial()
        by_chance = (s for s in self._weather.at_dial(place) if s.mishap is mishap)
        strike = self._take_planned(place, mishap) or next(by_chance, None)
        if strike is not None:
            self.struck.append(strike)
        return strike

    def _take_planned(self, place: Place, mishap: Mishap | None = None) -> Strike | None:
        """The oldest plan for this turn, or for this mishap of a dial; used up."""
        for planned in self._planned:
            if planned.mishap is mishap or (
                mishap is None and _is_of_turn(planned) and planned.turn in (None, place.turn)
            ):
                self._planned.remove(planned)
                seed = f"{self._weather.seed} {place!r} {planned.mishap}"
                return Strike(planned.mishap, place, planned.value, seed, by_chance=False)
        return None

    def _next_dial(self) -> Place:
        return self._place._replace(dial=self._place.dial + 1, turn=DIAL)

    async def _twice(self, deliver: Deliver) -> Answer:
        first, second = await asyncio.gather(deliver(), deliver())
        if (first.status, first.body) != (second.status, second.body):
            self.contradictions.append(f"{first.body!r} and {second.body!r}")
        return first

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._late.add(task)
        task.add_done_callback(self._late.discard)


def _other_network(code: str, random: Random) -> str:
    """Another network of the same country; the sandbox's own where none is known."""
    country = slice(0, 3)
    others = [c for c in numbers.WORDS if c[country] == code[country] and c != code]
    return random.choice(others) if others else numbers.SANDBOX_NETWORK


def _is_of_turn(planned: _Planned) -> bool:
    return planned.mishap not in (Mishap.REUSE_SESSION, Mishap.PORTED)


async def _in_vain(deliver: Deliver) -> None:
    """An exchange whose answer nobody hears, whatever it is."""
    with suppress(Unanswered):
        await deliver()


async def _after(seconds: float, deliver: Deliver) -> None:
    await asyncio.sleep(seconds)
    await _in_vain(deliver)


def _garble(text: str, strike: Strike) -> str:
    """Every so many-th character by chance is one that the phone cannot show."""
    random = Random(strike.seed)
    return "".join(
        _LOST_CHARACTER if sign != "\n" and random.random() * strike.number < 1 else sign
        for sign in text
    )

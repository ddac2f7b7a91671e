"""People who dial and pay while everything around them dies, and remember what they were shown.

They speak to the server as the gateway does, over HTTP. Each pays once in a life.
"""

import asyncio
import re
from random import Random

from simulator.ussd import Screen, UssdSession
from tests.chaos.draws import Order
from tests.chaos.laws import Placed
from tests.chaos.people import PAUSE_SECONDS, People
from tests.e2e.city import Person

REPEATS_MAX = 12
_STARTED = re.compile(r"(\w+) started: ")


class Callers:
    """Everything that people with phones were shown."""

    def __init__(self, people: People) -> None:
        self._people = people
        self.placed: list[Placed] = []

    async def take(self, random: Random, pin: str, order: Order) -> None:
        """One dialogue, from the first dial to the last screen. Raises Interrupted."""
        people = self._people
        payer, payee = people.pair(random, order, pin)
        async with people.dialogue(payer) as session:
            for text in ("1", payee.digits, str(order.amount), "1"):
                await people.ask(session, text)
            await people.arm(payer, payee, order)
            last = await _confirm(session, payer.pin)
            if order.repeats:
                await session.repeat()
        self.placed.append(Placed(payer.digits, payee.digits, _codes(last, payee)))


async def _confirm(session: UssdSession, pin: str) -> Screen:
    """The PIN; a gateway that hears nothing posts the same turn again, and again."""
    screen = await session.answer(pin)
    for _ in range(REPEATS_MAX):
        if screen.fault is None:
            break
        await asyncio.sleep(PAUSE_SECONDS)
        screen = await session.repeat()
    return screen


def _codes(screen: Screen, payee: Person) -> tuple[str, ...]:
    """The payment's code, if this is the screen that says it was taken."""
    started = _STARTED.match(screen.text)
    shown = screen.fault is None and screen.ends and payee.msisdn in screen.text
    return (started[1],) if started and shown else ()

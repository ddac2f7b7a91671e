"""People who dial and pay while everything around them dies, and remember what they were shown.

They speak to the server as the gateway does, over HTTP. Each pays once in a life, so that whatever
an operator moved for a number belongs to one payment.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from simulator.ussd import Screen, UssdSession
from tests.chaos.draws import Country, Order, draw_orders
from tests.chaos.laws import Placed
from tests.e2e.city import OPERATOR, City, Person

STEMS: dict[Country, str] = {"KE": "+25471", "UG": "+25677"}
OTHER: dict[Country, Country] = {"KE": "UG", "UG": "KE"}
REPEATS_MAX = 12
PAUSE_SECONDS = 0.25
_STARTED = re.compile(r"(\w+) started: ")


class Interrupted(Exception):
    """The dialogue ended before its last question: the caller hangs up."""


class Load:
    """Callers at work, and everything they were shown. `acknowledged` only grows."""

    def __init__(self, city: City, seed: str, *, fault_odds: float) -> None:
        self._city = city
        self._seed = seed
        self._fault_odds = fault_odds
        self._numbers: set[str] = set()
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.placed: list[Placed] = []
        self.interrupted = 0

    @property
    def acknowledged(self) -> int:
        return sum(placed.code is not None for placed in self.placed)

    @asynccontextmanager
    async def of(self, callers: int) -> AsyncIterator[None]:
        """So many callers at work until the block ends; every dialogue comes to its end."""
        self._tasks = [asyncio.create_task(self._call(number)) for number in range(callers)]
        try:
            yield
        finally:
            self._stopping.set()
            await asyncio.gather(*self._tasks)

    def check(self) -> None:
        """Raises what a caller met that nobody expects on a phone."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def _call(self, number: int) -> None:
        random = Random(f"{self._seed}:caller:{number}")
        pin = self._city.new_pin()
        for order in draw_orders(random, self._fault_odds):
            payer = self._newcomer(random, order.payer, pin)
            payee = self._newcomer(random, OTHER[order.payer], pin)
            try:
                await self._pay(payer, payee, order)
            except Interrupted:
                self.interrupted += 1
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))
            if self._stopping.is_set():
                return

    def _newcomer(self, random: Random, country: Country, pin: str) -> Person:
        """Numbers may not end in the PIN: that PIN is refused."""
        while True:
            msisdn = f"{STEMS[country]}{random.randrange(10**7):07d}"
            if msisdn not in self._numbers and not msisdn.endswith(pin):
                self._numbers.add(msisdn)
                return Person(msisdn, pin, country, operator=OPERATOR[country])

    async def _pay(self, payer: Person, payee: Person, order: Order) -> None:
        session = self._city.phone(payer)
        try:
            await self._ask(session, None)
            for text in ("1", payer.pin, payer.pin, "1", payee.digits, str(order.amount), "1"):
                await self._ask(session, text)
            await self._arm(payer, payee, order)
            last = await _confirm(session, payer.pin)
            if order.repeats:
                await session.repeat()
        finally:
            await session.hang_up()
            await session.notified()
        self.placed.append(Placed(payer.digits, payee.digits, _code(last, payee)))

    async def _ask(self, session: UssdSession, text: str | None) -> None:
        """One turn before the last; a dialogue that breaks off here has moved nothing."""
        if text is None:
            screen = await session.dial(self._city.places.shortcode)
        else:
            screen = await session.answer(text)
        if screen.ends or screen.fault is not None:
            await asyncio.sleep(PAUSE_SECONDS)
            raise Interrupted

    async def _arm(self, payer: Person, payee: Person, order: Order) -> None:
        for fault in order.faults:
            person = payer if fault.side == "payer" else payee
            await self._city.arm(person, fault.on, fault.name, seconds=fault.seconds)


async def _confirm(session: UssdSession, pin: str) -> Screen:
    """The PIN; a gateway that hears nothing posts the same turn again, and again."""
    screen = await session.answer(pin)
    for _ in range(REPEATS_MAX):
        if screen.fault is None:
            break
        await asyncio.sleep(PAUSE_SECONDS)
        screen = await session.repeat()
    return screen


def _code(screen: Screen, payee: Person) -> str | None:
    """The payment's code, if this is the screen that says it was taken."""
    started = _STARTED.match(screen.text)
    shown = screen.fault is None and screen.ends and payee.msisdn in screen.text
    return started[1] if started and shown else None

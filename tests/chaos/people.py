"""Newcomers with phones, seen once each, and dialogues that may break off while servers die."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from simulator.ussd import Screen, UssdSession
from tests.chaos.draws import PAID_AFTERWARDS, Country, Order
from tests.e2e.city import OPERATOR, City, Person

STEMS: dict[Country, str] = {"KE": "+25471", "UG": "+25677"}
OTHER: dict[Country, Country] = {"KE": "UG", "UG": "KE"}
PAUSE_SECONDS = 0.25
AT_THE_MENU = "CAPP"


class Interrupted(Exception):
    """The dialogue ended before its last question: the caller hangs up."""


class People:
    """Nobody is given out twice, so whatever an operator moved for a number is of one payment."""

    def __init__(self, city: City) -> None:
        self.city = city
        self._numbers: set[str] = set()
        self.may_pay_afterwards: set[str] = set()  # digits

    def pair(self, random: Random, order: Order, pin: str) -> tuple[Person, Person]:
        """Payer and payee of an order."""
        return (
            self._newcomer(random, order.payer, pin),
            self._newcomer(random, OTHER[order.payer], pin),
        )

    def _newcomer(self, random: Random, country: Country, pin: str) -> Person:
        """Numbers may not end in the PIN: that PIN is refused."""
        while True:
            msisdn = f"{STEMS[country]}{random.randrange(10**7):07d}"
            if msisdn not in self._numbers and not msisdn.endswith(pin):
                self._numbers.add(msisdn)
                return Person(msisdn, pin, country, operator=OPERATOR[country])

    @asynccontextmanager
    async def dialogue(self, person: Person) -> AsyncIterator[UssdSession]:
        """The first dial of somebody, who stands at the menu and hangs up at the block's end."""
        session = self.city.phone(person)
        try:
            await self.ask(session, None)
            for text in ("1", person.pin, person.pin):
                screen = await self.ask(session, text)
            if not screen.text.startswith(AT_THE_MENU):  # Redis was of a sudden what it was before
                raise Interrupted
            yield session
        finally:
            await session.hang_up()
            await session.notified()

    async def ask(self, session: UssdSession, text: str | None) -> Screen:
        """One turn before the last; a dialogue that breaks off here has moved nothing."""
        if text is None:
            screen = await session.dial(self.city.places.shortcode)
        else:
            screen = await session.answer(text)
        if screen.ends or screen.fault is not None:
            await asyncio.sleep(PAUSE_SECONDS)
            raise Interrupted
        return screen

    async def arm(self, payer: Person, payee: Person, order: Order) -> None:
        """Have the operators do what the order says they do wrong."""
        for fault in order.faults:
            person = payer if fault.side == "payer" else payee
            if fault.name == PAID_AFTERWARDS:
                self.may_pay_afterwards.add(person.digits)
            await self.city.arm(person, fault.on, fault.name, seconds=fault.seconds)

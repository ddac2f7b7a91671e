"""What steps act on: the people of one play, what was seen so far, the doors of the world.

It carries out no step and knows none by name.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from simulator import amounts
from simulator.admin import Admin, Prompt
from simulator.exchange import Courier
from simulator.inspect import Amount, Inspector
from simulator.mishaps import CALM, Weather
from simulator.network import Network
from simulator.operators.world import World
from simulator.places import PAYER, Places
from simulator.steps.person import Person, names_of, new_pins
from simulator.steps.step import NotSo, Step
from simulator.ussd import PHONE_FAULT, Line, Screen, UssdSession

PATIENCE_SECONDS = 30.0
"""How long an SMS, a prompt or a state may take to come."""

QUIET_SECONDS = 1.0
"""How long nothing must come before a step believes that nothing comes."""

POLL_SECONDS = 0.1

T = TypeVar("T")


@dataclass
class Stage:
    """One play's world. `bound` are the names that texts may hold, with what they stand for."""

    client: httpx.AsyncClient
    places: Places
    world: World
    play: str  # its name, under which mishaps are drawn
    weather: Weather = CALM
    patience_seconds: float = PATIENCE_SECONDS
    quiet_seconds: float = QUIET_SECONDS
    taken: set[str] = field(default_factory=set)  # numbers that somebody has already
    people: dict[str, Person] = field(default_factory=dict)
    bound: dict[str, str] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)  # msisdn -> the last SMS taken
    began_at: dict[str, int] = field(default_factory=dict)  # msisdn -> the last SMS before us
    books_before: Mapping[str, Amount] = field(default_factory=dict)
    prompt: Prompt | None = None
    faulty: set[str] = field(default_factory=set)

    @property
    def courier(self) -> httpx.AsyncClient | Courier:
        """Who brings turns to the server."""
        return self.client

    def __post_init__(self) -> None:
        self.admin = Admin(self.client, self.places)
        self.inspector = Inspector(self.client, self.places)

    async def add_person(
        self, name: str, line: Line, pins: Mapping[str, str] | None = None
    ) -> None:
        """Somebody more. Two people with one number are two handsets of one customer."""
        made = dict(pins) if pins else new_pins(self.world.random, msisdn=line.msisdn)
        self.people[name] = Person(name, line, Network(self.play, name, self.weather), made)
        self.bound.update(names_of(name, line.msisdn))
        if line.msisdn not in self.heard:
            await self.listen(line.msisdn)

    def new_line(self, msisdn: str, network: str = "") -> Line:
        """A line at the server's own short code, in the dialect that is spoken there."""
        return self.places.line(msisdn, network)

    async def person(self, step: Step) -> Person:
        """Who does this step: the one it names, else the first of the file."""
        if step.person is not None and step.person not in self.people:
            raise NotSo(f"nobody here is called {step.person!r}; say `phone` first")
        if step.person is not None:
            return self.people[step.person]
        if not self.people:
            await self.add_person("payer", self.new_line(PAYER))
        return next(iter(self.people.values()))

    async def in_session(self, step: Step) -> tuple[Person, UssdSession]:
        """Who does this step, and their dialogue, which may be over."""
        person = await self.person(step)
        if person.session is None:
            raise NotSo("nobody has dialled yet")
        return person, person.session

    def number(self, whom: str) -> str:
        """The number of a person, or the number itself."""
        if whom.startswith("+"):
            return whom
        if whom not in self.people:
            raise NotSo(f"nobody here is called {whom!r}; say `phone` first")
        return self.people[whom].msisdn

    def spell(self, text: str, person: Person) -> str:
        """The text with `{name}` filled in; only this person's PINs are within reach."""
        for name, value in {**self.bound, **person.pins}.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    async def listen(self, msisdn: str) -> None:
        """What lies in an inbox already is not what this play waits for."""
        old = await self.admin.messages(msisdn, after=0)
        last = max((message.n for message in old), default=0)
        self.heard[msisdn] = self.began_at[msisdn] = last

    async def wait(
        self,
        look: Callable[[], Awaitable[T | None]],
        excuse: Callable[[], str],
        *,
        seconds: float | None = None,
    ) -> T:
        """The first thing that `look` finds, or NotSo with the excuse after `seconds`."""
        patience = self.patience_seconds if seconds is None else seconds
        deadline = time.monotonic() + patience
        while True:
            found = await look()
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise NotSo(f"{excuse()} (waited {patience:g} s)")
            await asyncio.sleep(POLL_SECONDS)

    def take_prompt(self) -> Prompt:
        """The prompt that was seen last, once."""
        prompt, self.prompt = self.prompt, None
        if prompt is None:
            raise NotSo("no prompt was seen; say `prompt` first")
        return prompt

    async def leave(self) -> None:
        """Hang up and disarm, so that the next play finds a world in order."""
        for person in self.people.values():
            await person.network.settle()
            for session in [*person.twins, *filter(None, [person.session])]:
                await session.hang_up()
                await session.notified()
        for sandbox in self.faulty:
            await self.admin.clear_faults(sandbox)


def show(step: Step, person: Person, screen: Screen) -> str:
    """The screen's text; a bad answer is a failure unless the step expects what is shown then."""
    person.screen = screen
    if screen.complaint and (screen.fault is None or PHONE_FAULT not in step.expected):
        raise NotSo(screen.complaint)
    return screen.text


def money(step: Step) -> Amount:
    """The amount that a step names. Raises NotSo for what is none."""
    currency, amount = step.arguments["currency"], step.arguments["amount"]
    try:
        return Amount(amounts.to_minor(amount, currency), currency)
    except ArithmeticError as error:
        raise NotSo(f"{amount} is no amount") from error
    except ValueError as error:
        raise NotSo(str(error)) from error

"""Plays a transcript against a running server and its sandboxes, over HTTP only.

It carries out steps and compares texts; it knows nothing of files or of the format's words.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import TypeVar

import httpx
import msgspec

from simulator import amounts, transcript
from simulator.admin import Admin, Prompt
from simulator.inspect import Inspector
from simulator.operators.world import World
from simulator.places import PAYER, Places
from simulator.transcript import Step, Transcript
from simulator.ussd import PHONE_FAULT, Line, Screen, UssdSession

PATIENCE_SECONDS = 30.0
"""How long an SMS, a prompt or a state may take to come."""

POLL_SECONDS = 0.1

T = TypeVar("T")
Say = Callable[[str], None]


class NotSo(AssertionError):
    """The world is not as a step claims; the message says what it is instead."""


@dataclass
class Person:
    """Somebody with a phone. The PINs exist for one run only and are in no file."""

    name: str
    line: Line
    pin: str
    wrong_pin: str
    session: UssdSession | None = None
    screen: Screen | None = None

    @property
    def msisdn(self) -> str:
        return self.line.msisdn


@dataclass(frozen=True)
class Played:
    """How it went: `failure` is None when everything was as written.

    `texts` are the lines to expect from now on, by the step's line, for `transcript.rewrite`;
    `people` are the numbers that were used.
    """

    failure: str | None
    texts: Mapping[int, Sequence[str]]
    people: Mapping[str, str]


@dataclass
class _Run:
    """What one play has come to know."""

    people: dict[str, Person] = field(default_factory=dict)
    bound: dict[str, str] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)  # msisdn -> the last SMS taken
    prompt: Prompt | None = None
    faulty: set[str] = field(default_factory=set)
    texts: dict[int, Sequence[str]] = field(default_factory=dict)


class Player:
    """Plays one transcript after the other; nothing is kept between them."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        places: Places,
        world: World,
        *,
        say: Say,
        update: bool = False,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._client = client
        self._places = places
        self._world = world
        self._say = say
        self._update = update
        self._patience_seconds = patience_seconds
        self._admin = Admin(client, places)
        self._inspector = Inspector(client, places)
        self._run = _Run()
        self._verbs: Mapping[str, Callable[[Step], Awaitable[str | None]]] = {
            "phone": self._phone,
            "wallet": self._wallet,
            "fault": self._fault,
            "dial": self._dial,
            "type": self._type,
            "repeat": self._repeat,
            "hang up": self._hang_up,
            "ended": self._ended,
            "text": self._text,
            "sms": self._sms,
            "prompt": self._prompt,
            "approve": self._approve,
            "decline": self._decline,
            "payment": self._payment,
            "ledger": self._ledger,
        }

    async def play(self, script: Transcript) -> Played:
        """Carry out all steps, or up to the first that is not so."""
        self._run = _Run()
        try:
            await self._listen_from_now(script)
            for step in script.steps:
                try:
                    await self._carry_out(step)
                except NotSo as error:
                    return self._played(f"{script.name}:{step.line}: {step.source}\n  {error}")
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            return self._played(f"{script.name}: {type(error).__name__}: {error}")
        finally:
            await self._leave()
        return self._played(None)

    def _played(self, failure: str | None) -> Played:
        people = {person.name: person.msisdn for person in self._run.people.values()}
        return Played(failure, self._run.texts, people)

    async def _carry_out(self, step: Step) -> None:
        self._say(step.source)
        text = await self._verbs[step.verb](step)
        if text is None:
            return
        actual = text.split("\n")
        for line in actual:
            self._say(f"  | {line}".rstrip())
        if step.expected or self._update:
            self._compare(step, actual)

    def _compare(self, step: Step, actual: Sequence[str]) -> None:
        bound = self._run.bound
        captured = transcript.match(step.expected, actual, bound)
        if captured is not None:
            bound.update(captured)
        elif self._update:
            self._run.texts[step.line] = transcript.merge(step.expected, actual, bound)
        else:
            raise NotSo(
                "the text is not what the transcript says (- expected, + came):\n"
                + transcript.difference(step.expected, actual, bound)
            )

    async def _listen_from_now(self, script: Transcript) -> None:
        """What lies in an inbox already is not what this transcript waits for."""
        for step in script.steps:
            if step.verb == "sms" and (msisdn := step.arguments["whom"]).startswith("+"):
                await self._mark_as_heard(msisdn)

    async def _mark_as_heard(self, msisdn: str) -> None:
        old = await self._admin.messages(msisdn, after=0)
        self._run.heard[msisdn] = max((message.n for message in old), default=0)

    async def _leave(self) -> None:
        """Hang up and disarm, so that the next transcript finds a world in order."""
        for person in self._run.people.values():
            if person.session is not None:
                await person.session.hang_up()
                await person.session.notified()
        for sandbox in self._run.faulty:
            await self._admin.clear_faults(sandbox)

    # The verbs, in the order of the format's table.

    async def _phone(self, step: Step) -> None:
        msisdn = _fill(step.arguments["msisdn"], self._world.random)
        await self._add_person(step.arguments["name"], msisdn, step.arguments.get("network", ""))

    async def _wallet(self, step: Step) -> None:
        currency = step.arguments["currency"]
        try:
            balance_minor = amounts.to_minor(step.arguments["amount"], currency)
        except ArithmeticError as error:
            raise NotSo(f"{step.arguments['amount']} is no amount") from error
        except ValueError as error:
            raise NotSo(str(error)) from error
        await self._admin.set_balance(self._number(step.arguments["whom"]), balance_minor)

    async def _fault(self, step: Step) -> None:
        given = step.arguments
        whom = self._number(given["whom"]) if "whom" in given else None
        try:
            await self._admin.set_fault(
                given["sandbox"],
                on=given["on"],
                fault=given["fault"],
                times=int(given.get("times", 1)),
                msisdn=whom,
            )
        except KeyError as error:
            raise NotSo(error.args[0]) from error
        except httpx.HTTPStatusError as error:
            raise NotSo(f"the sandbox refuses the fault: {error.response.text}") from error
        self._run.faulty.add(given["sandbox"])

    async def _dial(self, step: Step) -> str:
        person = await self._person(step)
        if person.session is not None:
            await person.session.hang_up()
        person.session = UssdSession(self._client, person.line, self._world)
        code = self._spell(step.arguments["code"], person)
        return self._show(step, person, await person.session.dial(code))

    async def _type(self, step: Step) -> str:
        person, session = await self._in_session(step)
        if not session.is_open:
            raise NotSo("the session is over, nothing can be typed")
        return self._show(
            step, person, await session.answer(self._spell(step.arguments["text"], person))
        )

    async def _repeat(self, step: Step) -> str:
        person, session = await self._in_session(step)
        before, again = person.screen, await session.repeat()
        if before is not None and again != before:
            raise NotSo(f"the same turn was answered differently:\n  {again.text!r}")
        return self._show(step, person, again)

    async def _hang_up(self, step: Step) -> None:
        _, session = await self._in_session(step)
        await session.hang_up()

    async def _ended(self, step: Step) -> None:
        _, session = await self._in_session(step)
        if session.is_open:
            raise NotSo("the session is still open")

    async def _text(self, step: Step) -> None:
        """The answer, if there is one, is the next `sms`."""
        person = await self._person(step)
        await self._admin.write_sms(person.msisdn, self._spell(step.arguments["text"], person))

    async def _sms(self, step: Step) -> str:
        msisdn = self._number(step.arguments["whom"])

        async def next_message() -> str | None:
            after = self._run.heard.get(msisdn, 0)
            messages = await self._admin.messages(msisdn, after=after)
            if not messages:
                return None
            self._run.heard[msisdn] = messages[0].n
            return messages[0].text

        return await self._wait(next_message, lambda: "no SMS came")

    async def _prompt(self, step: Step) -> str:
        msisdn = self._number(step.arguments["whom"])

        async def waiting_prompt() -> Prompt | None:
            waiting = await self._admin.prompts(msisdn)
            return waiting[0] if waiting else None

        prompt = await self._wait(waiting_prompt, lambda: "no operator asks for a PIN")
        self._run.prompt = prompt
        return prompt.text

    async def _approve(self, step: Step) -> None:
        prompt = self._take_prompt()
        pin, other = self._new_pins()
        await self._admin.set_pin(prompt, pin)
        await self._admin.approve(prompt, other if "wrong" in step.arguments else pin)

    async def _decline(self, step: Step) -> None:
        del step
        await self._admin.decline(self._take_prompt())

    async def _payment(self, step: Step) -> None:
        person = await self._person(step)
        wanted, seen = step.arguments["state"], "not there"

        async def reached() -> bool | None:
            nonlocal seen
            payments = await self._inspector.payments(person.msisdn, limit=1)
            seen = payments[0].state.lower() if payments else "not there"
            return True if seen == wanted else None

        await self._wait(reached, lambda: f"the latest payment is {seen}, not {wanted}")

    async def _ledger(self, step: Step) -> None:
        del step
        if not (await self._inspector.books()).balanced:
            raise NotSo("the books do not balance")

    # What the verbs share.

    async def _wait(self, look: Callable[[], Awaitable[T | None]], excuse: Callable[[], str]) -> T:
        deadline = time.monotonic() + self._patience_seconds
        while True:
            found = await look()
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise NotSo(f"{excuse()} (waited {self._patience_seconds:g} s)")
            await asyncio.sleep(POLL_SECONDS)

    def _show(self, step: Step, person: Person, screen: Screen) -> str:
        """A bad answer is a failure unless the step expects what phones show then."""
        person.screen = screen
        if screen.fault is not None and PHONE_FAULT not in step.expected:
            raise NotSo(f"the phone shows {PHONE_FAULT!r}, because: {screen.fault}")
        return screen.text

    def _spell(self, text: str, person: Person) -> str:
        """The text with `{name}` filled in; only this person's PINs are within reach."""
        known = {**self._run.bound, "pin": person.pin, "wrong_pin": person.wrong_pin}
        for name, value in known.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    async def _person(self, step: Step) -> Person:
        people = self._run.people
        if step.person is not None and step.person not in people:
            raise NotSo(f"nobody here is called {step.person!r}; say `phone` first")
        if step.person is not None:
            return people[step.person]
        if not people:
            await self._add_person("payer", PAYER, "")
        return next(iter(people.values()))

    async def _in_session(self, step: Step) -> tuple[Person, UssdSession]:
        person = await self._person(step)
        if person.session is None:
            raise NotSo("nobody has dialled yet")
        return person, person.session

    async def _add_person(self, name: str, msisdn: str, network: str) -> None:
        places = self._places
        line = Line(msisdn, places.ussd_url, places.ussd_end_url, (places.shortcode,), network)
        pin, wrong_pin = self._new_pins(not_the_end_of=line.msisdn)
        self._run.people[name] = Person(name, line, pin, wrong_pin)
        self._run.bound[name] = msisdn
        self._run.bound[f"{name}_digits"] = msisdn.removeprefix("+")
        await self._mark_as_heard(msisdn)

    def _number(self, whom: str) -> str:
        if whom.startswith("+"):
            return whom
        if whom not in self._run.people:
            raise NotSo(f"nobody here is called {whom!r}; say `phone` first")
        return self._run.people[whom].msisdn

    def _take_prompt(self) -> Prompt:
        prompt, self._run.prompt = self._run.prompt, None
        if prompt is None:
            raise NotSo("no prompt was seen; say `prompt` first")
        return prompt

    def _new_pins(self, not_the_end_of: str = "") -> tuple[str, str]:
        """Two different PINs, neither of them the end of that number."""
        pin = _new_pin(self._world.random)
        while not_the_end_of.endswith(pin):
            pin = _new_pin(self._world.random)
        other = pin
        while other == pin or not_the_end_of.endswith(other):
            other = _new_pin(self._world.random)
        return pin, other


def _new_pin(random: Random) -> str:
    """A PIN that no rule against weak ones refuses: no repetition, no series, no year."""
    while True:
        digits = random.sample(range(10), 4)
        strides = {(after - before) % 10 for before, after in pairwise(digits)}
        if len(strides) > 1 and digits[0] not in (1, 2):
            return "".join(map(str, digits))


def _fill(pattern: str, random: Random) -> str:
    """A number with every `?` replaced by a digit of this run."""
    return "".join(str(random.randrange(10)) if sign == "?" else sign for sign in pattern)

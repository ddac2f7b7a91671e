"""One walk: a phone's people, their turns with time to think, and what is said to the tally.

It compares screens with the transcript; it opens no connection and decides not who begins when.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from simulator import transcript
from simulator.load.journey import Journey
from simulator.load.tally import Tally, Wrong
from simulator.load.wire import Wires
from simulator.mishaps import DIAL, KINDS
from simulator.steps import VERBS
from simulator.steps.person import Person
from simulator.steps.stage import Stage
from simulator.steps.step import NotSo, Step

CODES = "code"
"""Names captured from screens that begin so are payments' codes."""


class Walked(NamedTuple):
    """What is to be found in the books afterwards: whose payments, by what codes."""

    msisdn: str
    codes: frozenset[str]
    unsure: int  # turns whose screen nobody saw: each may have made one payment more


@dataclass(kw_only=True)
class Phones(Stage):
    """The people of one walk: turns go the fast way, and nobody listens for their SMS."""

    wires: Wires

    @property
    def courier(self) -> Wires:
        """See `Stage`."""
        return self.wires

    async def listen(self, msisdn: str) -> None:
        self.heard[msisdn] = self.began_at[msisdn] = 0


class Stopped(Exception):
    """The walk cannot go on; everything about it was counted."""


@dataclass
class Walk:
    """One phone's way through one journey.

    `think` gives the seconds before each key press, `now` a clock of the run in seconds from 0.
    """

    number: int
    journey: Journey
    stage: Phones
    tally: Tally
    think: Callable[[], float]
    now: Callable[[], float]
    seen: list[str] = field(default_factory=list)  # the walk as a transcript
    unsure: int = 0

    async def begin(self, seed: int) -> None:
        """Bring the people: every walk has numbers of its own."""
        for name, msisdn, network in self.journey.numbers(self.number, seed):
            await self.stage.add_person(name, self.stage.new_line(msisdn, network))

    async def go(self) -> bool:
        """Whether it came to the journey's end; why not is in the tally."""
        try:
            for place, step in enumerate(self.journey.moves):
                if place and VERBS[step.verb].shows_text:
                    await asyncio.sleep(self.think())
                await self._take(step)
        except Stopped:
            return False
        finally:
            await self.stage.leave()
        return True

    def walked(self) -> list[Walked]:
        """Whose payments to look for: the first one's of the file, who pays."""
        codes = {value for name, value in self.stage.bound.items() if name.startswith(CODES)}
        person = next(iter(self.stage.people.values()))
        return [Walked(person.msisdn, frozenset(codes), self.unsure)]

    async def _take(self, step: Step) -> None:
        self.seen.append(step.source)
        began = self.now()
        try:
            text = await VERBS[step.verb].perform(self.stage, step)
        except NotSo as error:
            await self._explain(step, error, began)
            return
        if text is None:
            return
        self.tally.answer(self.now(), self.now() - began)
        self.seen += [f"| {line}" for line in text.split("\n")]
        person = await self.stage.person(step)
        strike = person.network.now
        if strike is not None and KINDS[strike.mishap].is_seen:
            self._drop(str(strike.mishap))
        captured = match_screen(step.expected, text.split("\n"), self.stage.bound)
        if step.expected and captured is None:
            self._drop_if_dialled_otherwise(person)
            beside = transcript.difference(step, text.split("\n"), self.stage.bound)
            self._wrong(step, f"another text than expected\n{beside}")
        self.stage.bound.update(captured or {})

    async def _explain(self, step: Step, error: NotSo, began: float) -> None:
        """Why a step did not come to be: the network's doing, no answer, or a wrong one."""
        person = await self.stage.person(step)
        strike = person.network.now
        if strike is not None and KINDS[strike.mishap].is_seen:
            self._drop(str(strike.mishap))
        if person.screen is not None and person.screen.fault is not None:
            self.unsure += 1
            self.tally.no_answer(began, person.screen.fault)
            raise Stopped
        self._wrong(step, str(error))

    def _drop_if_dialled_otherwise(self, person: Person) -> None:
        """What went wrong with a dial shows on all the screens after it."""
        for strike in person.network.struck:
            if strike.place.turn == DIAL:
                self._drop(str(strike.mishap))

    def _drop(self, why: str) -> None:
        self.unsure += 1
        self.tally.dropped[why] += 1
        raise Stopped

    def _wrong(self, step: Step, what: str) -> None:
        self.unsure += 1
        where = f"{self.journey.name}:{step.line}"
        self.tally.keep_wrong(Wrong(self.number, where, what, "\n".join(self.seen)))
        raise Stopped


@lru_cache(maxsize=4_096)
def _pattern(expected: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(transcript.pattern(expected, {}))


def match_screen(
    expected: tuple[str, ...], actual: Sequence[str], bound: Mapping[str, str]
) -> Mapping[str, str] | None:
    """As `transcript.match`, by a pattern that is made once for all phones."""
    found = _pattern(expected).fullmatch(transcript.as_text(actual))
    if found is not None:
        captured = found.groupdict()
        if all(bound.get(name, value) == value for name, value in captured.items()):
            return captured
    return transcript.match(expected, actual, bound)

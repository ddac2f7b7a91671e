"""Plays a transcript against a running server and its sandboxes, over HTTP only.

It goes from step to step and compares texts; what a step does is in `steps`, and it knows nothing
of files.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath

import httpx
import msgspec

from simulator import redaction, transcript
from simulator.mishaps import CALM, KINDS, Strike, Weather
from simulator.operators.world import World
from simulator.places import Places
from simulator.steps import VERBS, books, laws
from simulator.steps.stage import PATIENCE_SECONDS, QUIET_SECONDS, Stage
from simulator.steps.step import NotSo, Step
from simulator.transcript import Transcript

__all__ = ["PATIENCE_SECONDS", "NotSo", "Played", "Player"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class Played:
    """How it went: `failure` is None when everything was as written.

    `broken_off` says where the network's own faults ended a play that nothing else is wrong with.
    `texts` are the lines to expect from now on, by the step's line, for `transcript.rewrite`;
    `people` are the numbers that were used.
    """

    failure: str | None
    texts: Mapping[int, Sequence[str]]
    people: Mapping[str, str]
    broken_off: str | None = None


class Player:
    """Plays one transcript after the other; between them only the numbers drawn are kept."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        places: Places,
        world: World,
        *,
        say: Say,
        update: bool = False,
        patience_seconds: float = PATIENCE_SECONDS,
        quiet_seconds: float = QUIET_SECONDS,
        weather: Weather = CALM,
        taken: set[str] | None = None,
    ) -> None:
        """`weather` is what the network does wrong beside what transcripts ask for.

        `taken` are numbers that others have; those that are drawn here are added.
        """
        self._say = say
        self._update = update
        self._set_stage = partial(
            Stage, client, places, world, weather=weather, patience_seconds=patience_seconds,
            quiet_seconds=quiet_seconds, taken=set() if taken is None else taken,
        )  # fmt: skip

    async def play(self, script: Transcript) -> Played:
        """Carry out all steps, or up to the first that is not so.

        A fault of the network that the caller sees ends a play too: then only the laws are looked
        at that hold whatever the network does.
        """
        play = _Play(
            script,
            self._set_stage(play=PurePath(script.name).stem),
            say=self._say,
            update=self._update,
        )
        try:
            await play.listen_from_now()
            failure = await play.carry_out_all()
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            failure = f"{script.name}: {type(error).__name__}: {error}"
        finally:
            await play.stage.leave()
        people = {person.name: person.msisdn for person in play.stage.people.values()}
        return Played(failure, play.texts, people, play.broken_off)


class _Play:
    """One play of one transcript."""

    def __init__(self, script: Transcript, stage: Stage, *, say: Say, update: bool) -> None:
        self.stage = stage
        self.texts: dict[int, Sequence[str]] = {}
        self.broken_off: str | None = None
        self._script = script
        self._say = say
        self._update = update

    async def listen_from_now(self) -> None:
        """What lies in an inbox or in the books already is not what this transcript brings."""
        for step in self._script.steps:
            whom = step.arguments.get("whom", "")
            if whom.startswith("+") and whom not in self.stage.heard:
                await self.stage.listen(whom)
        if any("change" in step.arguments for step in self._script.steps):
            self.stage.books_before = await books.balances(self.stage)

    async def carry_out_all(self) -> str | None:
        """What is not so, with its line; None when everything is, or as far as the network let."""
        for step in self._script.steps:
            try:
                await self._carry_out(step)
            except NotSo as error:
                failure = self._failure(step, error)
                return await self._excuse(step, failure) if self._strikes() else failure
        return None

    def _failure(self, step: Step, error: NotSo) -> str:
        return f"{self._script.name}:{step.line}: {step.source}\n  {error}"

    def _strikes(self) -> list[Strike]:
        """What the weather, not the transcript, did so that a caller could see it."""
        struck = (s for person in self.stage.people.values() for s in person.network.struck)
        return [strike for strike in struck if strike.by_chance and KINDS[strike.mishap].is_seen]

    async def _excuse(self, step: Step, failure: str) -> str | None:
        """Nothing when the network alone is to blame: the laws hold. Else what does not."""
        told = ", ".join(str(strike) for strike in self._strikes())
        try:
            await laws.hold(self.stage, step)
        except NotSo as error:
            return f"{failure}\n  after {told}: {error}"
        self.broken_off = f"{self._script.name}:{step.line}: broken off by {told}"
        return None

    async def _carry_out(self, step: Step) -> None:
        self._say(step.source)
        text = await VERBS[step.verb].perform(self.stage, step)
        if text is None:
            return
        actual = text.split("\n")
        for line in actual:
            self._say(f"  | {line}".rstrip())
        if step.expected or self._update:
            self._compare(step, actual)

    def _compare(self, step: Step, actual: Sequence[str]) -> None:
        bound = self.stage.bound
        captured = transcript.match(step.expected, actual, bound)
        if captured is not None:
            bound.update(captured)
        elif self._update:
            self._rewrite(step, actual)
        else:
            at = transcript.first_difference(step, actual, bound)
            raise NotSo(
                f"the text is not what {self._script.name}:{at} says (! where they part):\n"
                + transcript.difference(step, actual, bound)
            )

    def _rewrite(self, step: Step, actual: Sequence[str]) -> None:
        """Expect what came; codes and times of today are no part of it."""
        bound = self.stage.bound
        bound.update(redaction.name_codes(actual, bound))
        merged = transcript.merge(step.expected, actual, bound)
        self.texts[step.line] = [
            line if line in step.expected else redaction.hide_times(line) for line in merged
        ]

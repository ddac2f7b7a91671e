"""The simulation finds faults in what businesses are told of their payments.

As `test_finds_faults.py`: each that is put in here breaks a law within few seeds.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import msgspec
import pytest

from engine.hooks import courier, journal
from engine.hooks.body import Happened, write_body
from engine.hooks.courier import Courier
from engine.hooks.events import EventKind, kinds_of
from engine.hooks.journal import JournalReader
from engine.hooks.queue import Claim, Try
from engine.hooks.schedule import Patience
from engine.hooks.signing import sign
from engine.payments.lifecycle import State
from engine.ports import HookAnswer, HookMessage
from tests.simulation.clients import CLIENTS
from tests.simulation.finding import Fault, all_are_whole, first_breach, planted
from tests.simulation.hook_weather import HookWeather
from tests.simulation.weather import Weather
from tests.simulation.world import Options


def an_unknown_outcome_is_told_as_failed(patch: pytest.MonkeyPatch) -> None:
    """A business ships no goods, and the money comes."""

    def hasty(before: State, after: State) -> tuple[EventKind, ...]:
        if after is State.COLLECT_UNKNOWN and before is not after:
            return (EventKind.FAILED,)
        return kinds_of(before, after)

    patch.setattr(journal, "kinds_of", hasty)


def what_came_late_is_not_told(patch: pytest.MonkeyPatch) -> None:
    """A payment that was called failed, and whose money came all the same."""

    def once(before: State, after: State) -> tuple[EventKind, ...]:
        if before in (State.COLLECT_FAILED, State.EXPIRED, State.CANCELLED):
            return ()
        return kinds_of(before, after)

    patch.setattr(journal, "kinds_of", once)


def everything_is_the_first_clients(patch: pytest.MonkeyPatch) -> None:
    """Whoever asked for a payment is not looked up."""
    patch.setattr(journal, "_client_of", lambda row: CLIENTS[0])


def each_try_has_an_id_of_its_own(patch: pytest.MonkeyPatch) -> None:
    """So that nobody can tell a repeat."""
    write, tries = Courier._write, count()

    async def anew(self: Courier, claim: Claim) -> HookMessage | None:
        happened = msgspec.structs.replace(claim.happened, event=f"{next(tries):032x}")
        return await write(self, claim._replace(happened=happened))

    patch.setattr(Courier, "_write", anew)


def each_try_says_how_late_it_is(patch: pytest.MonkeyPatch) -> None:
    """A body that is another one each time."""
    tries = count()

    def written(happened: Happened, *, whole_numbers: bool) -> bytes:
        at_ms = happened.at_ms - happened.at_ms % 1000 + next(tries) % 1000
        later = msgspec.structs.replace(happened, at_ms=at_ms)
        return write_body(later, whole_numbers=whole_numbers)

    patch.setattr(courier, "write_body", written)


def numbers_are_told_whole(patch: pytest.MonkeyPatch) -> None:
    """Also to whoever may not see them."""

    def whole(happened: Happened, *, whole_numbers: bool) -> bytes:
        return write_body(happened, whole_numbers=True)

    patch.setattr(courier, "write_body", whole)


def the_body_alone_is_signed(patch: pytest.MonkeyPatch) -> None:
    """Not when, nor under which id."""

    def half(secrets: Sequence[bytes], id: str, at_seconds: int, body: bytes) -> str:
        return sign(secrets, id, 0, body)

    patch.setattr(courier, "sign", half)


def any_answer_is_one(patch: pytest.MonkeyPatch) -> None:
    """What was refused counts as heard."""
    attempt = Courier._try

    async def heard(self: Courier, message: HookMessage) -> tuple[HookAnswer | None, str]:
        answer, failure = await attempt(self, message)
        return (HookAnswer(200) if answer is not None else None), failure

    patch.setattr(Courier, "_try", heard)


def no_answer_is_given_up(patch: pytest.MonkeyPatch) -> None:
    """A message to which nobody answered is not sent again."""
    put_off = Courier._put_off

    async def once(self: Courier, claim: Claim, tried: Try, answer: HookAnswer | None) -> None:
        if answer is None:
            await self._queue.delivered(claim, tried)
        else:
            await put_off(self, claim, tried, answer)

    patch.setattr(Courier, "_put_off", once)


def nobody_reads_twice(patch: pytest.MonkeyPatch) -> None:
    """A step that stands in the books a moment before the last reading is never told."""
    patch.setattr(journal, "LATE_MS", 0)
    patch.setattr(journal, "LATE_MS_MAX", 0)
    patch.setattr(journal, "AGAIN_MS", 10**12)


def later_steps_are_told_first(patch: pytest.MonkeyPatch) -> None:
    """While the earlier ones are tried again."""
    patch.setattr(courier, "USUAL", Patience(order_seconds=0.0))


def only_the_last_step_is_kept(patch: pytest.MonkeyPatch) -> None:
    """Of a payment that took several since the last reading."""
    derive = JournalReader._derive

    def last(self: JournalReader, rows: list[Any]) -> list[Any]:
        newest = {row["payment"]: row for row in rows}
        return derive(self, list(newest.values()))

    patch.setattr(JournalReader, "_derive", last)


ROUGH = Weather(clock_jump_per_hour=0.0, restored=0.0)
"""Where clocks are right."""
TOLD = Options(payments=6, webhooks=True, weather=ROUGH, stirred=False, span_seconds=3600.0)
MANY_TIMES = replace(TOLD, hook_weather=HookWeather(fails=0.3, silent=0.2, down_per_hour=0.0))
SKEWED = replace(TOLD, span_seconds=600.0, weather=Weather(clock_jump_per_hour=60.0, restored=0.0))
TURNING = replace(ROUGH, fails=0.5, turns_around=0.5)
LATE = replace(TOLD, weather=TURNING, span_seconds=600.0)
FAULTS: Sequence[tuple[Fault, Options, str]] = [
    (an_unknown_outcome_is_told_as_failed, TOLD, "told what is not so"),
    (what_came_late_is_not_told, LATE, "an earlier one is not kept"),
    (everything_is_the_first_clients, TOLD, "told of a payment of somebody else"),
    (each_try_has_an_id_of_its_own, MANY_TIMES, "one step, two ids"),
    (each_try_says_how_late_it_is, MANY_TIMES, "told of another step"),
    (numbers_are_told_whole, TOLD, "a whole number is told"),
    (the_body_alone_is_signed, TOLD, "no receiver can tell"),
    (any_answer_is_one, MANY_TIMES, "a step nobody told"),
    (no_answer_is_given_up, MANY_TIMES, "a step nobody told"),
    (nobody_reads_twice, SKEWED, "a step nobody told"),
    (later_steps_are_told_first, MANY_TIMES, "told before what came first"),
    (only_the_last_step_is_kept, TOLD, "an earlier one is not kept"),
]


@planted("fault, options, law", FAULTS)
def test_fault_breaks_a_law_within_few_seeds(
    fault: Fault, options: Options, law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_breach(fault, options, monkeypatch, law)


def test_the_same_worlds_are_whole_without_a_fault() -> None:
    names = ("hook delivered", "hook heard again", "hook silent", "hook silent_after")
    all_are_whole((MANY_TIMES, SKEWED), 3, names)

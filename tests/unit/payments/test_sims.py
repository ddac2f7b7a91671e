"""When a payer's SIM was changed: asked once for one payment, and never in anybody's way."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from engine.clock import Clock
from engine.compliance.clearance import SimSeen
from engine.enquiries import FAILURES_MAX, REST_SECONDS
from engine.errors import Unreachable
from engine.msisdn import Msisdn
from engine.payments import sims as room
from engine.payments.sims import KEPT_SECONDS, Sims
from tests.unit.payments.examples import PAYER
from tests.until import until

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OTHER = Msisdn("+254712000099")


class StillClock(Clock):
    def epoch(self) -> float:
        return NOW.timestamp()


CLOCK = StillClock()


class Time:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Teller:
    """Answers with what it is told to, once it may."""

    answer: datetime | Exception | None = None
    asked: list[Msisdn] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    tells_sims: bool = True

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def sim_changed_at(self, msisdn: Msisdn) -> datetime | None:
        self.asked.append(msisdn)
        await self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def sims_with(teller: Teller, time: Time | None = None, seconds: float = 5.0) -> Sims:
    return Sims({"mpesa_ke": teller}, CLOCK, seconds=seconds, monotonic=time or Time())


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@pytest.mark.parametrize(
    ("ago", "hours"),
    [
        (timedelta(0), 0), (timedelta(minutes=59), 0), (timedelta(hours=1), 1),
        (timedelta(hours=71, minutes=59), 71), (timedelta(days=30), 720),
        (-timedelta(hours=3), 0),  # their clock is ahead of ours
    ],
)  # fmt: skip
async def test_whole_hours_are_told_from_then_until_now(ago: timedelta, hours: int) -> None:
    seen = await sims_with(Teller(NOW - ago)).of("mpesa_ke", PAYER)
    assert seen == SimSeen("mpesa_ke", is_told=True, changed_ms=ms(NOW - ago), hours=hours)


async def test_no_change_that_they_remember_is_an_answer() -> None:
    assert await sims_with(Teller(None)).of("mpesa_ke", PAYER) == SimSeen("mpesa_ke", is_told=True)


async def test_of_an_operator_that_nobody_tells_about_nothing_is_asked() -> None:
    teller = Teller(NOW)
    sims = sims_with(teller)
    sims.ask_ahead("airtel_ke", PAYER)
    assert await sims.of("airtel_ke", PAYER) is None
    assert teller.asked == []


async def test_who_does_not_answer_has_told_nothing_and_rests_after_a_while() -> None:
    time, teller = Time(), Teller(Unreachable("mpesa_ke", "away"))
    sims = sims_with(teller, time)
    for _ in range(FAILURES_MAX + 2):
        assert await sims.of("mpesa_ke", PAYER) == SimSeen("mpesa_ke", is_told=False)
    assert len(teller.asked) == FAILURES_MAX
    time.now += REST_SECONDS
    teller.answer = None
    assert await sims.of("mpesa_ke", PAYER) == SimSeen("mpesa_ke", is_told=True)


async def test_a_late_answer_is_none_and_serves_nobody() -> None:
    teller = Teller(NOW)
    teller.may_answer.clear()
    sims = sims_with(teller, seconds=0.02)
    assert await sims.of("mpesa_ke", PAYER) == SimSeen("mpesa_ke", is_told=False)
    teller.may_answer.set()
    await sims.aclose()
    assert teller.asked == [PAYER]


async def test_what_another_question_was_answered_meanwhile_serves_the_one_that_is_late() -> None:
    teller = Teller(NOW)
    teller.may_answer.clear()
    sims = sims_with(teller, seconds=0.2)
    late = asyncio.ensure_future(sims.of("mpesa_ke", PAYER))
    await until(lambda: teller.asked)
    held_back, teller.may_answer = teller.may_answer, asyncio.Event()
    teller.may_answer.set()
    assert await sims.of("mpesa_ke", PAYER) == await late
    seen = await late
    assert seen is not None and seen.changed_ms == ms(NOW)
    held_back.set()
    await sims.aclose()


async def test_what_was_asked_ahead_is_there_when_it_is_needed() -> None:
    teller = Teller(NOW)
    sims = sims_with(teller)
    sims.ask_ahead("mpesa_ke", PAYER)
    await until(lambda: teller.asked)
    await sims.aclose()
    seen = await sims.of("mpesa_ke", PAYER)
    assert seen is not None and seen.hours == 0
    sims.ask_ahead("mpesa_ke", PAYER)
    await sims.aclose()
    assert teller.asked == [PAYER]
    assert await sims.of("mpesa_ke", OTHER) is not None
    assert teller.asked == [PAYER, OTHER]


async def test_an_answer_is_asked_for_anew_after_some_minutes() -> None:
    time, teller = Time(), Teller(None)
    sims = sims_with(teller, time)
    await sims.of("mpesa_ke", PAYER)
    time.now += KEPT_SECONDS - 1
    await sims.of("mpesa_ke", PAYER)
    assert teller.asked == [PAYER]
    time.now += 1
    teller.answer = NOW
    seen = await sims.of("mpesa_ke", PAYER)
    assert seen is not None and seen.changed_ms == ms(NOW)


async def test_what_is_kept_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "KEPT_MAX", 2)
    teller = Teller(None)
    sims = sims_with(teller)
    people = [Msisdn(f"+2547120000{n:02}") for n in range(3)]
    for msisdn in (*people, people[2], people[1], people[0]):
        await sims.of("mpesa_ke", msisdn)
    assert teller.asked == [*people, people[0]]


async def test_closing_waits_for_what_was_asked_ahead_and_closes_what_nobody_needs_then() -> None:
    teller, closed = Teller(None), []

    async def close() -> None:
        closed.append(list(teller.asked))

    sims = Sims({"mpesa_ke": teller}, CLOCK, monotonic=Time(), closes=(close,))
    sims.ask_ahead("mpesa_ke", PAYER)
    await sims.aclose()
    assert closed == [[PAYER]]

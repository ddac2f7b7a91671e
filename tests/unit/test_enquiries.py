"""What is asked of companies and need not be answered: late is none, and who fails thrice rests."""

import asyncio
import gc
import logging

import pytest

from engine.enquiries import FAILURES_MAX, REST_SECONDS, Enquiries, Told
from engine.errors import Unreachable
from tests.until import until

COMPANY = "mtn_ug"


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Teller:
    """A company that answers once it may, or raises."""

    def __init__(self, answer: object = "yes") -> None:
        self.answer = answer
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.answered = 0

    async def __call__(self) -> object:
        await self.may_answer.wait()
        self.answered += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_an_answer_of_nothing_is_an_answer() -> None:
    enquiries: Enquiries[object] = Enquiries("word")
    assert await enquiries.ask(COMPANY, Teller(None)(), 1.0) == Told(None)


async def test_a_late_question_goes_on_and_closing_waits_for_it() -> None:
    enquiries: Enquiries[object] = Enquiries("word")
    teller = Teller()
    teller.may_answer.clear()
    assert await enquiries.ask(COMPANY, teller(), 0.01) is None
    closing = asyncio.ensure_future(enquiries.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    teller.may_answer.set()
    await closing
    assert teller.answered == 1
    await enquiries.aclose()


async def test_who_fails_several_times_in_a_row_rests_alone_and_not_for_ever() -> None:
    time = Time()
    enquiries: Enquiries[object] = Enquiries("word", time)
    away = Teller(Unreachable(COMPANY, "away"))
    for failures in range(FAILURES_MAX):
        assert not enquiries.rests(COMPANY), failures
        assert await enquiries.ask(COMPANY, away(), 1.0) is None
    assert enquiries.rests(COMPANY)
    assert not enquiries.rests("airtel_ug")
    time.now += REST_SECONDS
    assert not enquiries.rests(COMPANY)
    assert await enquiries.ask(COMPANY, away(), 1.0) is None
    assert not enquiries.rests(COMPANY)  # counted anew


async def test_an_answer_forgives_what_failed_before() -> None:
    enquiries: Enquiries[object] = Enquiries("word", Time())
    for _ in range(FAILURES_MAX):
        for answer in [Unreachable(COMPANY, "away")] * (FAILURES_MAX - 1) + ["yes"]:
            await enquiries.ask(COMPANY, Teller(answer)(), 1.0)
    assert not enquiries.rests(COMPANY)


@pytest.mark.parametrize("counted", [True, False])
async def test_who_was_kept_waiting_by_ourselves_is_not_blamed(counted: bool) -> None:
    enquiries: Enquiries[object] = Enquiries("word", Time())
    teller = Teller()
    teller.may_answer.clear()
    for _ in range(FAILURES_MAX):
        await enquiries.ask(COMPANY, teller(), 0.001, is_late_counted=counted)
    assert enquiries.rests(COMPANY) is counted
    teller.may_answer.set()
    await enquiries.aclose()


async def test_a_fault_of_ours_is_no_answer_and_is_told_also_when_it_comes_late(
    caplog: pytest.LogCaptureFixture,
) -> None:
    enquiries: Enquiries[object] = Enquiries("word")
    assert await enquiries.ask(COMPANY, Teller(KeyError("+256772000002"))(), 1.0) is None
    late = Teller(ValueError("+256772000002"))
    late.may_answer.clear()
    assert await enquiries.ask(COMPANY, late(), 0.01) is None
    late.may_answer.set()
    await enquiries.aclose()

    def told() -> list[str]:
        return [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]

    await until(lambda: len(told()) == 2)
    assert told() == [
        "no word could be asked for: KeyError", "no word could be asked for: ValueError"
    ]  # fmt: skip
    assert "256772" not in caplog.text


async def test_a_failure_is_heard_though_whoever_asked_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Else the loop tells of an error that nobody retrieved, for each customer who hung up."""
    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    enquiries: Enquiries[object] = Enquiries("word")
    for answer in (Unreachable(COMPANY, "away"), KeyError("ours")):
        teller = Teller(answer)
        teller.may_answer.clear()
        asking = asyncio.ensure_future(enquiries.ask(COMPANY, teller(), 5.0))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        teller.may_answer.set()
        await enquiries.aclose()
        del asking, teller
    gc.collect()
    assert unheard == []
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [
        "no word could be asked for: KeyError"
    ]

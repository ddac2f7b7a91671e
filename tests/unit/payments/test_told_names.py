"""Whose wallets numbers are: asked behind a payment, a few at a time, and in nobody's way."""

import asyncio
from typing import Any

import pytest

from engine.enquiries import FAILURES_MAX, REST_SECONDS
from engine.errors import Unreachable
from engine.msisdn import Msisdn
from engine.payments import told_names as room
from engine.payments.holders import AT_ONCE, Holders
from engine.payments.told_names import AHEAD_AT_ONCE, KEPT_SECONDS, ToldNames
from tests.unit.payments.examples import PAYEE
from tests.until import until


class Operator:
    """Tells the name it is given, once it may."""

    def __init__(self, name: str | Exception | None = "Sarah Nakato") -> None:
        self.name = name
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked: list[Msisdn] = []
        self.under_way = self.most_under_way = 0

    async def name_of(self, msisdn: Msisdn) -> str | None:
        self.asked.append(msisdn)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.may_answer.wait()
        finally:
            self.under_way -= 1
        if isinstance(self.name, Exception):
            raise self.name
        return self.name


class Time:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def names_of(port: Any, time: Time | None = None, seconds: float = 5.0) -> ToldNames:
    time = time or Time()
    holders = Holders({"mtn_ug": port}, seconds=seconds, monotonic=time)
    return ToldNames(holders, seconds=seconds, monotonic=time)


def people(most: int) -> list[Msisdn]:
    return [Msisdn(f"+25677{n:07}") for n in range(most)]


@pytest.mark.parametrize(
    ("told", "name"),
    [("Sarah Nakato", "Sarah Nakato"), (None, ""), (Unreachable("mtn_ug", "away"), None)],
)
async def test_a_name_none_and_no_answer_are_three_things(told: Any, name: str | None) -> None:
    assert await names_of(Operator(told)).of("mtn_ug", PAYEE) == name


async def test_who_tells_no_names_is_not_asked() -> None:
    names = names_of(object())
    names.ask_ahead("mtn_ug", PAYEE)
    names.ask_ahead("airtel_ug", PAYEE)
    assert not names.tells("mtn_ug") and not names.tells("airtel_ug")
    await names.aclose()


async def test_what_was_asked_ahead_is_there_when_it_is_needed() -> None:
    port, time = Operator(), Time()
    names = names_of(port, time)
    for _ in range(3):
        names.ask_ahead("mtn_ug", PAYEE)
    await until(lambda: port.asked)
    await names.aclose()
    assert await names.of("mtn_ug", PAYEE) == "Sarah Nakato"
    names.ask_ahead("mtn_ug", PAYEE)
    time.now += KEPT_SECONDS - 1
    assert await names.of("mtn_ug", PAYEE) == "Sarah Nakato"
    assert port.asked == [PAYEE]
    time.now, port.name = time.now + 1, None
    assert await names.of("mtn_ug", PAYEE) == ""
    assert await names.of("mtn_ug", PAYEE) == ""  # that there is none is an answer as well
    assert port.asked == [PAYEE, PAYEE]


async def test_who_needs_an_answer_that_is_under_way_waits_for_that_one() -> None:
    port = Operator()
    port.may_answer.clear()
    names = names_of(port)
    names.ask_ahead("mtn_ug", PAYEE)
    await until(lambda: port.asked)
    both = [asyncio.create_task(names.of("mtn_ug", PAYEE)) for _ in range(2)]
    gone = asyncio.create_task(names.of("mtn_ug", PAYEE))
    await asyncio.sleep(0)
    gone.cancel()  # and takes the answer from nobody
    await asyncio.wait({gone})
    port.may_answer.set()
    assert await asyncio.gather(*both) == ["Sarah Nakato"] * 2
    assert port.asked == [PAYEE]


async def test_a_thousand_wages_are_asked_about_two_at_a_time_and_leave_turns_to_who_waits() -> (
    None
):
    port, wages = Operator(), people(1_000)
    port.may_answer.clear()
    names = names_of(port)
    for msisdn in wages:
        names.ask_ahead("mtn_ug", msisdn)
    await until(lambda: len(port.asked) >= AHEAD_AT_ONCE)
    await asyncio.sleep(0.02)
    assert port.asked == wages[:AHEAD_AT_ONCE]
    hurried = asyncio.create_task(names.of("mtn_ug", wages[-1]))  # its money is here
    await until(lambda: len(port.asked) > AHEAD_AT_ONCE)
    assert port.asked == [*wages[:AHEAD_AT_ONCE], wages[-1]]
    port.may_answer.set()
    assert await hurried == "Sarah Nakato"
    await until(lambda: len(port.asked) == len(wages))
    assert sorted(port.asked) == wages and port.most_under_way < AT_ONCE
    await names.aclose()


async def test_a_row_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ROW_MAX", 2)
    port, wages = Operator(), people(5)
    names = names_of(port)
    for msisdn in wages:
        names.ask_ahead("mtn_ug", msisdn)
    await until(lambda: len(port.asked) == 2)
    await names.aclose()
    assert port.asked == wages[:2]
    assert await names.of("mtn_ug", wages[4]) == "Sarah Nakato"  # asked when it is paid


async def test_nobody_waits_longer_for_a_late_answer_which_serves_whoever_asks_again() -> None:
    port = Operator()
    port.may_answer.clear()
    names = names_of(port, seconds=0.02)
    names.ask_ahead("mtn_ug", PAYEE)
    await until(lambda: port.asked)
    assert await names.of("mtn_ug", PAYEE) is None
    port.may_answer.set()
    await names.aclose()
    assert await names.of("mtn_ug", PAYEE) == "Sarah Nakato"
    assert port.asked == [PAYEE]


async def test_who_does_not_answer_is_left_alone_for_a_while_and_delays_nobody() -> None:
    port, time = Operator(Unreachable("mtn_ug", "away")), Time()
    names = names_of(port, time)
    for msisdn in people(20):
        names.ask_ahead("mtn_ug", msisdn)
    await until(lambda: len(port.asked) >= FAILURES_MAX)
    await names.aclose()
    for msisdn in people(20):
        assert await names.of("mtn_ug", msisdn) is None
    # The question that was under way beside the last of them is the only further one.
    assert FAILURES_MAX <= len(port.asked) <= FAILURES_MAX + AHEAD_AT_ONCE - 1
    time.now, port.name = time.now + REST_SECONDS, "Sarah Nakato"
    assert await names.of("mtn_ug", PAYEE) == "Sarah Nakato"


async def test_closing_waits_for_what_is_under_way_and_leaves_the_row() -> None:
    port = Operator()
    port.may_answer.clear()
    names = names_of(port)
    for msisdn in people(10):
        names.ask_ahead("mtn_ug", msisdn)
    await until(lambda: len(port.asked) == AHEAD_AT_ONCE)
    closing = asyncio.create_task(names.aclose())
    await asyncio.sleep(0.01)
    assert not closing.done()
    port.may_answer.set()
    await closing
    assert len(port.asked) == AHEAD_AT_ONCE


async def test_neither_a_name_nor_a_number_reaches_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    for told in ("Sarah Nakato", Unreachable("mtn_ug", "away"), ValueError(PAYEE)):
        names = names_of(Operator(told))
        names.ask_ahead("mtn_ug", PAYEE)
        await names.of("mtn_ug", PAYEE)
        await names.aclose()
    assert "mtn_ug told no wallet" in caplog.text
    assert "Nakato" not in caplog.text and PAYEE[-6:] not in caplog.text

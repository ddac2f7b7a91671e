"""A wallet is there, closed, none, or nobody told: nothing else, whatever its operator does."""

import asyncio
from typing import Any

import pytest

from engine.enquiries import FAILURES_MAX, REST_SECONDS
from engine.errors import Unreachable
from engine.msisdn import Msisdn
from engine.payments.holders import AT_ONCE, Holders, WalletFound
from tests.unit.payments.examples import PAYEE
from tests.until import until


class Port:
    """An operator that answers as it is told; `late` ones wait for the end."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked: list[Msisdn] = []

    async def _answer(self, msisdn: Msisdn) -> Any:
        self.asked.append(msisdn)
        await self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Named(Port):
    async def name_of(self, msisdn: Msisdn) -> str | None:
        return await self._answer(msisdn)  # type: ignore[no-any-return]


class Active(Named):
    async def is_active(self, msisdn: Msisdn) -> bool | None:
        return await self._answer(msisdn)  # type: ignore[no-any-return]


def holders(port: Any, **options: Any) -> Holders:
    return Holders({"mtn_ug": port}, **options)


@pytest.mark.parametrize(
    ("port", "found"),
    [
        (Active(True), WalletFound.FOUND),
        (Active(False), WalletFound.CLOSED),
        (Active(None), WalletFound.NONE),
        (Named("Amina"), WalletFound.FOUND),
        (Named(None), WalletFound.UNKNOWN),  # a wallet may have no name
        (Port(True), WalletFound.UNKNOWN),
        (None, WalletFound.UNKNOWN),
        (Active(Unreachable("mtn_ug", "away")), WalletFound.UNKNOWN),
        (Active(ValueError("a mistake of ours")), WalletFound.UNKNOWN),
    ],
)
async def test_what_an_operator_says_is_told_and_what_it_does_not_say_is_unknown(
    port: Any, found: WalletFound
) -> None:
    assert await holders(port).of("mtn_ug", PAYEE) is found


@pytest.mark.parametrize(
    ("port", "name"),
    [
        (Named("Amina Wanjiru"), "Amina Wanjiru"),
        (Active("Amina"), "Amina"),
        (Named(None), ""),
        (Port(True), ""),
        (None, ""),
        (Named(" Amina\n Wanjiru "), "Amina Wanjiru"),
        (Named("A" * 1_000), "A" * 100),
        (Named(Unreachable("mtn_ug", "away")), None),
        (Named(ValueError("a mistake of ours")), None),
    ],
)
async def test_a_name_is_told_where_an_operator_tells_one(port: Any, name: str | None) -> None:
    assert holders(port).tells_names("mtn_ug") is isinstance(port, Named)
    assert await holders(port).name_of("mtn_ug", PAYEE) == name


async def test_nobody_waits_for_a_late_operator_and_its_answer_is_not_cut_off() -> None:
    port = Active(True)
    port.may_answer.clear()
    asking = holders(port, seconds=0.01)
    assert await asking.of("mtn_ug", PAYEE) is WalletFound.UNKNOWN
    port.may_answer.set()
    await asking.aclose()
    assert await asking.of("mtn_ug", PAYEE) is WalletFound.FOUND


async def test_however_many_ask_an_operator_hears_a_few_at_a_time() -> None:
    """A key that may only read asks a hundred times a second; payments need the connections."""
    port = Active(True)
    port.may_answer.clear()
    patient, hasty = holders(port, seconds=60), holders(port, seconds=0.2)
    many = [asyncio.create_task(patient.of("mtn_ug", PAYEE)) for _ in range(50)]
    await until(lambda: len(port.asked) >= AT_ONCE)
    await asyncio.sleep(0.05)
    assert len(port.asked) == AT_ONCE
    port.may_answer.set()  # the others have their turn in time
    assert set(await asyncio.gather(*many)) == {WalletFound.FOUND}
    port.may_answer.clear()
    late = [asyncio.create_task(hasty.of("mtn_ug", PAYEE)) for _ in range(AT_ONCE + 1)]
    assert set(await asyncio.gather(*late)) == {WalletFound.UNKNOWN}
    assert len(port.asked) == 50 + AT_ONCE  # who had no turn never asked
    port.may_answer.set()
    await patient.aclose()
    await hasty.aclose()


async def test_who_fails_again_and_again_is_left_alone_for_a_while() -> None:
    now = [0.0]
    port = Active(Unreachable("mtn_ug", "away"))
    asking = holders(port, monotonic=lambda: now[0])
    for _ in range(FAILURES_MAX + 2):
        assert await asking.of("mtn_ug", PAYEE) is WalletFound.UNKNOWN
    assert len(port.asked) == FAILURES_MAX
    now[0], port.answer = REST_SECONDS, True
    assert await asking.of("mtn_ug", PAYEE) is WalletFound.FOUND


async def test_who_answers_in_between_is_asked_on() -> None:
    port = Active(True)
    asking = holders(port)
    away = Unreachable("mtn_ug", "away")
    answers = [*[away] * (FAILURES_MAX - 1), True] * 3
    for port.answer in answers:
        await asking.of("mtn_ug", PAYEE)
    assert len(port.asked) == len(answers)


async def test_no_number_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for error in (Unreachable("mtn_ug", "away"), ValueError(PAYEE)):
        await holders(Active(error)).of("mtn_ug", PAYEE)
    assert "mtn_ug told no wallet" in caplog.text
    assert PAYEE not in caplog.text and PAYEE[-6:] not in caplog.text


async def test_no_name_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    port = Named("Amina Wanjiru")
    port.may_answer.clear()
    asking = holders(port, seconds=0.01)
    assert await asking.name_of("mtn_ug", PAYEE) is None
    port.may_answer.set()
    await asking.aclose()
    assert await asking.name_of("mtn_ug", PAYEE) == "Amina Wanjiru"
    assert "mtn_ug told no wallet: late" in caplog.text
    assert "Amina" not in caplog.text

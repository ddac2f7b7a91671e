"""A look-up that helps when it answers and is never in the way when it does not."""

import asyncio
import logging
from dataclasses import dataclass, field

import pytest

from engine.enquiries import FAILURES_MAX, REST_SECONDS
from engine.errors import OutcomeUnknown, Unreachable, Unreadable
from engine.msisdn import Msisdn, Prefixes
from engine.payments.portability import Source
from engine.payments.routing import Directory
from engine.payments.wallets import KEPT_SECONDS, LookUp, Wallets
from tests.ticks import counted
from tests.unit.payments.examples import MPESA, MTN, PAYEE

NAMES = Prefixes({"UG": {"mtn_ug": ["77"], "airtel_ug": ["70"]}})


@dataclass
class ScriptedPort:
    """Answers with the next of `answers`, then knows nothing."""

    answers: list[str | Exception | None] = field(default_factory=list)
    delay: float = 0.0
    asked: list[Msisdn] = field(default_factory=list)
    name: str = "scripted"

    async def operator_of(self, msisdn: Msisdn) -> str | None:
        self.asked.append(msisdn)
        await asyncio.sleep(self.delay)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        """Nothing is open."""


class Time:
    """Stands still until it is moved."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def wallets_with(port: ScriptedPort, time: Time | None = None, seconds: float = 0.5) -> Wallets:
    directory = Directory({"mpesa_ke": MPESA, "mtn_ug": MTN}, NAMES, {"64101": "airtel_ug"})
    return Wallets(directory, None, LookUp(port, seconds=seconds, monotonic=time or Time()))


async def test_a_look_up_is_believed_before_the_prefix() -> None:
    wallet = await wallets_with(ScriptedPort(["airtel_ug"])).of(PAYEE)
    assert (wallet.operator, wallet.source) == ("airtel_ug", Source.LOOKED_UP)


async def test_a_choice_asks_nobody_else() -> None:
    port = ScriptedPort(["mtn_ug"])
    wallet = await wallets_with(port).of(PAYEE, "airtel_ug")
    assert (wallet.operator, wallet.source, port.asked) == ("airtel_ug", Source.CHOSEN, [])


@pytest.mark.parametrize(
    "failure",
    [Unreachable("s", "away"), OutcomeUnknown("s", "silence"), Unreadable("s", "nonsense")],
)
async def test_a_failure_is_no_answer_and_no_error(failure: Exception) -> None:
    wallet = await wallets_with(ScriptedPort([failure])).of(PAYEE)
    assert (wallet.operator, wallet.source) == ("mtn_ug", Source.PREFIX)


async def test_nobody_waits_longer_than_the_deadline() -> None:
    async with counted() as ticks:
        wallet = await wallets_with(ScriptedPort(["airtel_ug"], delay=5), seconds=0.05).of(PAYEE)
    assert wallet.operator == "mtn_ug"
    assert ticks.seconds < 1


async def test_an_operator_nobody_here_has_a_word_for_is_no_answer() -> None:
    wallet = await wallets_with(ScriptedPort(["nobody_ug"])).of(PAYEE)
    assert (wallet.operator, wallet.source) == ("mtn_ug", Source.PREFIX)


async def test_a_number_is_asked_about_once_in_a_while_also_when_nothing_is_known() -> None:
    for answer in ("airtel_ug", None):
        port, time = ScriptedPort([answer, answer]), Time()
        wallets = wallets_with(port, time)
        first, second = await wallets.of(PAYEE), await wallets.of(PAYEE)
        assert first == second and len(port.asked) == 1
        time.now += KEPT_SECONDS
        await wallets.of(PAYEE)
        assert len(port.asked) == 2


async def test_a_service_that_fails_is_left_alone_for_a_while() -> None:
    port, time = ScriptedPort([Unreachable("s", "away")] * FAILURES_MAX), Time()
    wallets = wallets_with(port, time)
    for _ in range(FAILURES_MAX + 2):
        await wallets.of(PAYEE)
    assert len(port.asked) == FAILURES_MAX
    time.now += REST_SECONDS
    await wallets.of(PAYEE)
    assert len(port.asked) == FAILURES_MAX + 1


async def test_no_number_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await wallets_with(ScriptedPort([Unreachable("s", "away")] * FAILURES_MAX)).of(PAYEE)
    assert "scripted told no operator of a number: Unreachable" in caplog.text
    assert PAYEE.digits not in caplog.text

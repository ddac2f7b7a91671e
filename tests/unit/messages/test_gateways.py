import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from engine.clock import Clock, IntentId
from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreachable
from engine.messages.gateways import FAILURES_MAX, Gateway, Gateways, Handed
from engine.msisdn import Msisdn
from engine.pace import Pace
from engine.ports import Reason, Sms, SmsAccepted, SmsCallback, SmsMessage, SmsReport

MESSAGE = Sms(IntentId("1" * 32), Msisdn("+254712000001"), "hello")


class StillClock(Clock):
    """Moves when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 1000.0

    def epoch(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Scripted:
    """A gateway that answers with the next of its answers, then accepts."""

    answers: list[ProviderError] = field(default_factory=list)
    sent: list[Sms] = field(default_factory=list)
    asked: int = 0

    async def send(self, message: Sms) -> SmsAccepted:
        self.asked += 1
        if self.answers:
            raise self.answers.pop(0)
        self.sent.append(message)
        return SmsAccepted("m1", segments=1)

    def read_report(self, callback: SmsCallback) -> SmsReport:
        raise NotImplementedError

    def read_message(self, callback: SmsCallback) -> SmsMessage:
        raise NotImplementedError

    async def aclose(self) -> None:
        """Nothing is open."""


def no(reason: Reason) -> Rejected:
    return Rejected("first", "no", code="1", reason=reason)


def two(first: Scripted, second: Scripted) -> tuple[Gateways, StillClock]:
    clock = StillClock()
    both = [Gateway("first", first), Gateway("second", second)]
    return Gateways(both, clock=clock, sleep=clock.sleep), clock


@pytest.mark.parametrize(
    "error",
    [
        no(Reason.CONFIGURATION),
        no(Reason.NOT_REACHED),
        Throttled("first", "busy"),
        Unreachable("first", "refused"),
    ],
)
async def test_after_a_definite_no_the_second_gateway_sends(error: ProviderError) -> None:
    first, second = Scripted([error]), Scripted()
    gateways, _ = two(first, second)
    assert await gateways.send(MESSAGE) == Handed("second", "m1", 1)
    assert (first.sent, second.sent) == ([], [MESSAGE])


async def test_what_may_have_been_sent_is_offered_to_nobody_else() -> None:
    first, second = Scripted([OutcomeUnknown("first", "silence")]), Scripted()
    gateways, _ = two(first, second)
    with pytest.raises(OutcomeUnknown):
        await gateways.send(MESSAGE)
    assert second.asked == 0


async def test_a_phone_that_wants_nothing_is_not_reached_by_another_road() -> None:
    first, second = Scripted([no(Reason.DECLINED)]), Scripted()
    gateways, _ = two(first, second)
    with pytest.raises(Rejected):
        await gateways.send(MESSAGE)
    assert second.asked == 0


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (no(Reason.OTHER), Throttled("second", "busy", retry_after_seconds=7), Throttled),
        (no(Reason.OTHER), Unreachable("second", "refused"), Unreachable),
        (Unreachable("first", "x"), no(Reason.OTHER), Unreachable),
        (no(Reason.OTHER), no(Reason.NOT_REGISTERED), Rejected),
    ],
)
async def test_any_hope_for_later_counts_more_than_a_no(
    first: ProviderError, second: ProviderError, kind: type[ProviderError]
) -> None:
    gateways, _ = two(Scripted([first]), Scripted([second]))
    with pytest.raises(kind):
        await gateways.send(MESSAGE)


async def test_the_sooner_of_two_pauses_is_told() -> None:
    slow = Throttled("first", "busy", retry_after_seconds=60)
    soon = Throttled("second", "busy", retry_after_seconds=5)
    gateways, _ = two(Scripted([slow]), Scripted([soon]))
    with pytest.raises(Throttled) as caught:
        await gateways.send(MESSAGE)
    assert caught.value.retry_after_seconds == 5


async def test_a_silent_gateway_is_asked_last_until_it_has_rested() -> None:
    silence: Callable[[], ProviderError] = lambda: OutcomeUnknown("first", "silence")  # noqa: E731
    first, second = Scripted([silence() for _ in range(FAILURES_MAX)]), Scripted()
    gateways, clock = two(first, second)
    for _ in range(FAILURES_MAX):
        with pytest.raises(OutcomeUnknown):
            await gateways.send(MESSAGE)
    assert (await gateways.send(MESSAGE)).gateway == "second"
    assert first.asked == FAILURES_MAX
    clock.at += 31
    assert (await gateways.send(MESSAGE)).gateway == "first"


@pytest.mark.parametrize("clear", [None, no(Reason.CONFIGURATION), Throttled("first", "busy")])
async def test_any_clear_answer_ends_a_row_of_silences(clear: ProviderError | None) -> None:
    """One silence now and then is weather: a gateway that answers is not asked last for it."""
    silences: list[ProviderError] = [Unreachable("first", "refused")] * (FAILURES_MAX - 1)
    first, second = Scripted(list(silences)), Scripted()
    gateways, _ = two(first, second)
    for _ in silences:
        await gateways.send(MESSAGE)
    first.answers = [clear] if clear is not None else []
    await gateways.send(MESSAGE)
    first.answers = [Unreachable("first", "refused")]
    await gateways.send(MESSAGE)
    assert (await gateways.send(MESSAGE)).gateway == "first"


async def test_who_rests_is_still_asked_when_nobody_else_can() -> None:
    first = Scripted([Unreachable("first", "x")] * FAILURES_MAX)
    second = Scripted([no(Reason.OTHER)] * (FAILURES_MAX + 1))
    gateways, _ = two(first, second)
    for _ in range(FAILURES_MAX):
        with pytest.raises(Unreachable):
            await gateways.send(MESSAGE)
    assert (await gateways.send(MESSAGE)).gateway == "first"


async def test_a_gateway_is_given_no_more_than_its_pace() -> None:
    clock, port = StillClock(), Scripted()
    gateway = Gateways([Gateway("one", port, Pace(2))], clock=clock, sleep=clock.sleep)
    for _ in range(6):
        await gateway.send(MESSAGE)
    assert clock.at == pytest.approx(1002.0)  # two at once, then one each half second


async def test_a_long_row_is_not_joined() -> None:
    clock, port = StillClock(), Scripted()

    async def never(_: float) -> None:
        """Time stands still, so the row only grows."""

    gateway = Gateways([Gateway("one", port, Pace(1))], clock=clock, sleep=never)
    results = await asyncio.gather(
        *(gateway.send(MESSAGE) for _ in range(10)), return_exceptions=True
    )
    refused = [r for r in results if isinstance(r, Throttled)]
    assert len(refused) == 4
    assert all(r.code == "pace" and r.retry_after_seconds > 5 for r in refused)


def test_without_a_gateway_nothing_starts() -> None:
    with pytest.raises(ValueError, match="no SMS gateway"):
        Gateways([], clock=StillClock())

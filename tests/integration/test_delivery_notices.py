"""A word through the payer's operator once all is done: where it is wanted, never in the way."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from engine.clock import AttemptId, PaymentId
from engine.errors import OutcomeUnknown, Rejected
from engine.payments.lifecycle import State
from tests.integration.books import assert_books
from tests.integration.world import FAILED, SUCCEEDED, ScriptedOperator, World, open_world
from tests.unit.payments.examples import MPESA


@dataclass
class Herald(ScriptedOperator):
    """An operator that brings words to who has paid, if it is wanted."""

    notifies: bool = True
    brought: list[tuple[AttemptId, str]] = field(default_factory=list)
    trouble: Exception | None = None

    async def notify_delivered(self, collected: AttemptId, text: str) -> None:
        self.brought.append((collected, text))
        if self.trouble is not None:
            raise self.trouble


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url, also={"mpesa_ke": Herald(MPESA)}) as opened:
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)


def herald(world: World) -> Herald:
    port = world.dispatcher._operators["mpesa_ke"]
    assert isinstance(port, Herald)
    return port


async def ended(world: World, *findings: object) -> PaymentId:
    payment_id = await world.confirm()
    await world.dispatched()
    for finding in findings:
        await world.tell(await world.live(payment_id), finding)  # type: ignore[arg-type]
        await world.dispatched()
    return payment_id


async def test_the_payer_is_told_once_when_the_payee_has_the_money(world: World) -> None:
    payment_id = await ended(world, SUCCEEDED, SUCCEEDED)
    ((collected, text),) = herald(world).brought
    assert collected == await world.store.collected_attempt(payment_id)
    assert (await world.payment(payment_id)).code in text
    assert text in {sms.text for sms in world.sms.sent}  # the words of the receipt


@pytest.mark.parametrize(
    "trouble", [Rejected("mpesa_ke", "no", code="x", reason="other"), OutcomeUnknown("m", "lost")]
)
async def test_a_notice_that_is_not_taken_changes_nothing(
    world: World, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    herald(world).trouble = trouble
    payment_id = await ended(world, SUCCEEDED, SUCCEEDED)
    assert await world.state(payment_id) is State.PAID
    assert len(herald(world).brought) == 1
    assert "the payer's operator was not told" in caplog.text
    assert "was not carried out" not in caplog.text
    assert await world.cases() == []
    assert len(world.sms.sent) == 2


async def test_nobody_is_told_of_what_was_not_delivered_or_against_the_setting(
    world: World,
) -> None:
    await ended(world, SUCCEEDED, FAILED)
    herald(world).notifies = False
    await ended(world, SUCCEEDED, SUCCEEDED)
    assert herald(world).brought == []

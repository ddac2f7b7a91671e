"""Notices that a gateway put off, and prompts that were lost: nothing untrue is told later."""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from engine.decisions import Decision, Kind
from engine.errors import OutcomeUnknown, Throttled, Unreachable
from engine.msisdn import Msisdn
from engine.payments.evidence import Source
from engine.payments.facts import Ruling
from engine.payments.lifecycle import State
from engine.payments.policy import Clearance
from engine.ports import Finding, Outcome, Reason
from tests.integration.test_rulings import collected
from tests.integration.world import FAILED, SUCCEEDED, World, open_world
from tests.unit.payments.examples import MPESA, PAYEE, PAYER

REVERSED = Finding(Outcome.REVERSED, "reversed")
AWAY = Unreachable("scripted", "away")
LOOK_SECONDS = 61


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


def told(world: World, whom: Msisdn) -> list[str]:
    return [message.text for message in world.sms.sent if message.to == whom]


async def look(world: World, seconds: int = LOOK_SECONDS) -> None:
    world.clock.pass_(seconds)
    await world.dispatcher.sweep()
    await world.reconciler.sweep()
    await world.dispatched()


async def test_nobody_hears_that_it_takes_longer_behind_the_receipt(world: World) -> None:
    payment_id = await collected(world)
    world.sms.answers = [Throttled("scripted", "slow", code="429", retry_after_seconds=30.0)]
    live = await world.live(payment_id)
    await world.payments.record_unclear(await world.payment(payment_id), live)
    await world.dispatched()
    await world.tell(live, SUCCEEDED)
    await world.dispatched()
    await look(world)
    assert [" Confirmed. " in text for text in told(world, PAYER)] == [True]


async def test_a_delay_that_lasts_is_told_of_later(world: World) -> None:
    payment_id = await collected(world)
    world.sms.answers = [AWAY]
    await world.payments.record_unclear(
        await world.payment(payment_id), await world.live(payment_id)
    )
    await world.dispatched()
    assert told(world, PAYER) == []
    await look(world)
    assert "is taking longer than usual" in told(world, PAYER)[0]


async def test_who_waits_in_several_states_hears_of_it_once(world: World) -> None:
    """Of an operator out of reach a payout comes back to the queue over and over."""
    world.mtn.answers = [Unreachable("scripted", "away") for _ in range(2000)]
    payment_id = await collected(world)
    for _ in range(150):
        await look(world)
        if await world.state(payment_id) is State.REFUNDING:
            break
    assert await world.state(payment_id) is State.REFUNDING
    texts = told(world, PAYER)
    assert sum("is taking longer than usual" in text for text in texts) == 1
    assert "Not delivered" in texts[-1]


async def test_who_has_paid_hears_soon_that_the_payees_operator_is_out_of_reach(
    world: World,
) -> None:
    """The money has left the wallet; whoever hears nothing for a quarter of an hour pays again."""
    world.mtn.answers = [Unreachable("scripted", "away") for _ in range(100)]
    await collected(world)
    for _ in range(4):
        await look(world)
    assert ["is taking longer than usual" in text for text in told(world, PAYER)] == [True]


async def test_nobody_hears_of_money_that_went_back_meanwhile(world: World) -> None:
    """The receipts of the first payout are due while the second one is under way."""
    other = Msisdn("+256772000099")
    payment_id = await collected(world)
    world.sms.answers = [AWAY, AWAY]
    payout = await world.live(payment_id)
    await world.tell(payout, SUCCEEDED)
    await world.dispatched()
    await world.tell(payout, REVERSED, Source.QUERY)
    await world.dispatched()
    assert await world.rulings.repay(payment_id, Ruling("a new number"), payee=other)
    await world.dispatched()
    await look(world)
    assert await world.state(payment_id) is State.PAYING
    assert told(world, other) == []
    assert not any("Confirmed" in text for text in told(world, PAYER))


async def test_a_payee_hears_that_what_came_went_back_and_that_it_came_again(
    world: World,
) -> None:
    """The payee's receipt stands on the phone; a second one alone would look like more money."""
    payment_id = await collected(world)
    payout = await world.live(payment_id)
    await world.tell(payout, SUCCEEDED)
    await world.dispatched()
    await world.tell(payout, REVERSED, Source.QUERY)
    await world.dispatched()
    assert await world.rulings.repay(payment_id, Ruling("it was theirs"))
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    received, gone, again = [text[11:].split(" tarehe ")[0] for text in told(world, PAYEE)]
    assert received == f"Imethibitishwa. Umepokea UGX 28,023 kutoka {PAYER}"
    assert gone == (
        f" mtandao umerudisha UGX 28,023 kutoka {PAYER}. Hazipo tena kwenye akaunti yako."
    )
    assert again == received


async def test_a_new_payee_does_not_hear_that_money_of_another_went_back(world: World) -> None:
    other = Msisdn("+256772000099")
    payment_id = await collected(world)
    payout = await world.live(payment_id)
    await world.tell(payout, SUCCEEDED)
    await world.dispatched()
    world.sms.answers = [AWAY, AWAY]  # both notices of what went back
    await world.tell(payout, REVERSED, Source.QUERY)
    await world.dispatched()
    assert await world.rulings.repay(payment_id, Ruling("a new number"), payee=other)
    await world.dispatched()
    await look(world)
    assert told(world, other) == []


async def test_nobody_hears_that_nothing_was_charged_once_late_money_is_proven(
    world: World,
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    collection = await world.live(payment_id)
    world.sms.answers = [AWAY]
    await world.tell(collection, FAILED)
    await world.dispatched()
    assert told(world, PAYER) == [], "it was put off"
    await world.tell(collection, SUCCEEDED, Source.QUERY)
    await world.dispatched()
    await look(world)
    assert ["We are returning" in text for text in told(world, PAYER)] == [True]


async def test_nobody_hears_of_a_refund_behind_the_refund(world: World) -> None:
    payment_id = await collected(world)
    world.sms.answers = [AWAY]
    await world.tell(
        await world.live(payment_id), Finding(Outcome.FAILED, "no", reason=Reason.CANNOT_RECEIVE)
    )
    await world.dispatched()
    assert told(world, PAYER) == [], "it was put off"
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    await look(world)
    assert await world.state(payment_id) is State.REFUNDED
    assert ["was returned to you" in text for text in told(world, PAYER)] == [True]


async def test_of_what_nobody_refused_no_operator_is_said_to_have(world: World) -> None:
    """People would not let it go on; its payee's operator was asked nothing."""
    world.policy.clearance = Clearance(Decision(Kind.COMPLIANCE, "hold", "a name", {}))
    payment_id = await collected(world)
    assert await world.rulings.refund(payment_id, Ruling("looked into", by=("amina", "brian")))
    await world.dispatched()
    assert told(world, PAYER)[-1].endswith(
        " Not delivered. We are returning KES 1,020 to you. An SMS will confirm."
    )


async def test_a_refund_that_is_under_way_is_told_of_later(world: World) -> None:
    payment_id = await collected(world)
    world.sms.answers = [AWAY]
    await world.tell(
        await world.live(payment_id), Finding(Outcome.FAILED, "no", reason=Reason.CANNOT_RECEIVE)
    )
    await world.dispatched()
    await look(world)
    assert ["We are returning" in text for text in told(world, PAYER)] == [True]


async def test_a_late_receipt_says_when_it_was_paid(world: World) -> None:
    payment_id = await collected(world)
    world.sms.answers = [AWAY] * 100
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    paid_at = world.clock.now() + timedelta(hours=3)  # Nairobi
    for _ in range(5):
        await look(world, 3600)
    world.sms.answers = []
    await look(world, 3600)
    assert f" on {paid_at:%d/%m/%y %H:%M}" in told(world, PAYER)[-1]


async def test_nobody_is_asked_to_pay_hours_after_the_price(database_url: str) -> None:
    """Every call is lost before it arrives, and the operator says so each time."""
    payer = msgspec.structs.replace(MPESA, collect_repeat_is_safe=True)
    async with open_world(database_url, payer=payer) as world:
        world.mpesa.answers = [OutcomeUnknown("scripted", "lost") for _ in range(99)]
        world.mpesa.findings = [Finding(Outcome.NOT_FOUND, "unknown here") for _ in range(999)]
        payment_id = await world.confirm()
        await world.dispatched()
        for _ in range(6):
            await look(world)
        asked = len(world.mpesa.orders)
        assert asked > 1, "soon after it, they are asked again"
        for _ in range(30):
            await look(world, 3600)
        assert len(world.mpesa.orders) == asked
        assert await world.state(payment_id) is State.COLLECT_UNKNOWN
        assert await world.cases() != [], "people look after it"

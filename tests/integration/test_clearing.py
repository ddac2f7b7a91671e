"""Compliance's answers carried into real payments: what is counted, what waits for people."""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from engine.clock import CustomerId
from engine.customers.customers import Customer
from engine.money import CURRENCIES
from engine.msisdn import Msisdn
from engine.payments.clearing import Clearing
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.ports import Finding, Outcome
from tests.integration.clearing_room import BY_TWO, LISTED, POLICY, Office
from tests.integration.world import CUSTOMER, SUCCEEDED, open_world
from tests.unit.compliance.lists_of_nobody import un
from tests.unit.payments.examples import PAYEE, PAYER

OTHER = Msisdn("+256772000099")


@pytest.fixture
async def office(seeded_url: str) -> AsyncIterator[Office]:
    async with open_world(seeded_url) as world:
        yield Office(world)


async def test_what_counts_is_the_amount_before_the_fee_under_the_payers_tier(
    office: Office,
) -> None:
    quote = await office.world.quote(2_000)
    payer = Customer(CustomerId("d" * 32), PAYER, "KE", "en", 1)
    clearance = await office.clearing.clear(payer, quote)
    assert clearance.spend is not None
    assert clearance.spend.customer == payer.customer_id
    assert clearance.spend.currency == CURRENCIES["KES"].numeric
    assert clearance.spend.minor == 200_000
    ceiling = POLICY.limits.of(1, "KES")
    assert clearance.spend.day_minor_max == ceiling.day_minor_max
    assert clearance.spend.month_minor_max == ceiling.month_minor_max


async def test_a_payment_to_a_listed_name_is_collected_and_then_waits(office: Office) -> None:
    await office.load()
    await office.register(LISTED)
    world = office.world
    world.policy.clearance = await office.clearing.clear(CUSTOMER, await world.quote())
    payment_id = await world.confirm()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.ON_HOLD


async def test_a_name_listed_meanwhile_is_found_before_the_payout(office: Office) -> None:
    await office.register(LISTED)
    world = office.world
    world.policy.clearance = await office.clearing.clear(CUSTOMER, await world.quote())
    payment_id = await world.confirm()
    payment = await world.payment(payment_id)
    assert await office.clearing.clear_again(payment) is None
    await office.load()
    changed = await office.clearing.clear_again(payment)
    assert changed is not None
    assert changed.outcome == "hold"
    world.policy.changed = changed
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.ON_HOLD


async def test_an_innocent_name_is_not_held_by_a_new_list(office: Office) -> None:
    await office.register("Sarah Nakato")
    world = office.world
    world.policy.clearance = await office.clearing.clear(CUSTOMER, await world.quote())
    payment = await world.payment(await world.confirm())
    await office.load()
    assert await office.clearing.clear_again(payment) is None


async def test_a_name_that_an_operator_told_is_collected_and_then_waits(office: Office) -> None:
    await office.load()
    world = office.world
    world.policy.clearance = await office.clearing.clear(CUSTOMER, await world.quote(), LISTED)
    payment_id = await world.confirm()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.ON_HOLD


async def test_a_name_taken_down_between_confirm_and_payout_is_compared(office: Office) -> None:
    await office.load()
    await office.register("Sarah Nakato")
    world = office.world
    world.policy.asks = office.clearing.clear_again
    world.policy.clearance = await office.clearing.clear(CUSTOMER, await world.quote())
    payment_id = await world.confirm()
    await world.dispatched()
    await office.profiles.describe(PAYEE, name=LISTED)
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.ON_HOLD
    await world.dispatched()
    assert world.mtn.orders == []


async def test_a_name_taken_down_while_it_is_queued_is_compared_before_it_leaves(
    office: Office,
) -> None:
    await office.load()
    await office.register("Sarah Nakato")
    world = office.world
    world.policy.closed = {"mtn_ug"}
    payment_id = await office.collected()
    assert await world.state(payment_id) is State.PAYOUT_QUEUED
    await office.profiles.describe(PAYEE, name=LISTED)
    assert await office.leave_queue(payment_id) is State.ON_HOLD


async def test_a_name_corrected_after_a_release_holds_again_only_for_somebody_new(
    office: Office,
) -> None:
    await office.load()
    await office.register(LISTED)
    world = office.world
    payment_id = await office.collected()
    world.policy.closed = {"mtn_ug"}
    assert await world.rulings.release(payment_id, BY_TWO)
    await office.profiles.describe(PAYEE, name="Mohammed Kassem Al-Zubaidi")
    await world.rulings.order_payout(await world.payment(payment_id))
    assert await world.state(payment_id) is State.PAYOUT_QUEUED
    await office.profiles.describe(PAYEE, name="Ana Ficticia García Morales")
    assert await office.leave_queue(payment_id) is State.ON_HOLD


async def test_the_wallets_operator_is_asked_for_the_name_once_the_lists_have_changed(
    office: Office,
) -> None:
    world, asked = office.world, list[tuple[str, Msisdn]]()

    async def name_of(operator: str, msisdn: Msisdn) -> str:
        asked.append((operator, msisdn))
        return LISTED

    office.clearing = Clearing(office.compliance, world.clock, name_of)
    world.policy.asks = office.clearing.clear_again
    world.policy.clearance = await office.clearing.clear(CUSTOMER, await world.quote(), LISTED)
    payment_id = await world.confirm()
    await office.load()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.ON_HOLD
    assert asked == [("mtn_ug", PAYEE)]
    payment = await world.payment(payment_id)
    quote = msgspec.structs.replace(payment.quote, ways=("mtn_ug", "other_ug"))
    facts = msgspec.structs.replace(payment.facts, quote=quote)
    elsewhere = msgspec.structs.replace(payment, facts=facts, way=1)
    assert elsewhere.payout_operator == "other_ug"
    assert await office.clearing.clear_again(elsewhere) is not None
    assert asked == [("mtn_ug", PAYEE)] * 2


async def test_what_people_released_waits_in_the_queue_without_being_held_for_it_again(
    office: Office,
) -> None:
    await office.register(LISTED)
    world = office.world
    world.policy.closed = {"mtn_ug"}
    payment_id = await office.collected()
    await office.load()
    assert await office.leave_queue(payment_id) is State.ON_HOLD
    world.policy.closed = {"mtn_ug"}
    assert await world.rulings.release(payment_id, BY_TWO)
    assert await world.state(payment_id) is State.PAYOUT_QUEUED
    assert await office.leave_queue(payment_id) is State.PAYING


async def test_what_was_released_is_held_again_for_a_list_that_changes_after_that(
    office: Office,
) -> None:
    await office.load()
    await office.register(LISTED)
    world = office.world
    payment_id = await office.collected()
    world.policy.closed = {"mtn_ug"}
    assert await world.rulings.release(payment_id, BY_TWO)
    await office.lists.load(un(), int(world.clock.epoch() * 1000))
    await office.screener.refresh()
    assert await office.leave_queue(payment_id) is State.ON_HOLD


async def test_another_payee_is_compared_with_the_lists_though_they_have_not_changed(
    office: Office,
) -> None:
    await office.load()
    await office.register("Sarah Nakato")
    await office.register(LISTED, OTHER)
    world = office.world
    payment_id = await office.collected()
    payout = await world.live(payment_id)
    await world.tell(payout, SUCCEEDED)
    await world.tell(payout, Finding(Outcome.REVERSED, "reversed"), Source.QUERY)
    assert await world.rulings.repay(payment_id, BY_TWO, payee=OTHER)
    assert await world.state(payment_id) is State.ON_HOLD
    start = world.clock.now() - timedelta(hours=1)
    (flagged,) = await office.history.flagged(start, start + timedelta(hours=2))
    assert flagged.question.payee == OTHER
    assert await world.rulings.release(payment_id, BY_TWO)
    await world.dispatched()
    assert [order.msisdn for order in world.mtn.orders] == [PAYEE, OTHER]


async def test_the_same_payee_is_paid_again_where_no_list_has_changed(office: Office) -> None:
    await office.load()
    await office.register("Sarah Nakato")
    world = office.world
    payment_id = await office.collected()
    payout = await world.live(payment_id)
    await world.tell(payout, SUCCEEDED)
    await world.tell(payout, Finding(Outcome.REVERSED, "reversed"), Source.QUERY)
    assert await world.rulings.repay(payment_id, BY_TWO, payee=PAYEE)
    assert await world.state(payment_id) is State.PAYING

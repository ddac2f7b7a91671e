"""A required list that is not there any more when the money has been collected."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from engine.clock import DAY_MS, Ids, PaymentId
from engine.compliance.lists.listed import Source
from engine.decision_log import DecisionLog
from engine.errors import NoWayNow
from engine.payments.decided import Decided
from engine.payments.lifecycle import State
from engine.payments.unseen import Unseen
from engine.ports import Finding, Outcome, Reason
from tests.integration.clearing_room import BY_TWO, LISTED, POLICY, Office
from tests.integration.world import CUSTOMER, SUCCEEDED, open_world
from tests.unit.compliance.lists_of_nobody import sdn

SOON_SECONDS = 60
EXPIRED = "sanctions list ofac_sdn is older than 30 days"


@pytest.fixture
async def office(seeded_url: str) -> AsyncIterator[Office]:
    """Where the list is required, and expires in a minute."""
    async with open_world(seeded_url) as world:
        office = Office(world, required=(Source.OFAC_SDN,))
        expires_ms = int(world.clock.epoch() + SOON_SECONDS) * 1000
        loaded_ms = expires_ms - POLICY.screening.list_expired_days * DAY_MS
        await office.lists.load(sdn(), loaded_ms)
        await office.screener.refresh()
        await office.register("Sarah Nakato")
        yield office


async def confirmed(office: Office) -> PaymentId:
    world = office.world
    world.policy.asks = office.clearing.clear_again
    quote = msgspec.structs.replace(await world.quote(), ways=("mtn_ug", "other_ug"))
    world.policy.clearance = await office.clearing.clear(CUSTOMER, quote)
    payment_id = await world.confirm(quote=quote)
    await world.dispatched()
    return payment_id


async def put_off(office: Office) -> PaymentId:
    """A payment whose collection came in once the list had expired."""
    payment_id = await confirmed(office)
    office.world.clock.pass_(SOON_SECONDS + 1)
    await office.world.tell(await office.world.live(payment_id), SUCCEEDED)
    await office.world.dispatched()
    return payment_id


async def test_what_was_collected_waits_for_the_list_and_is_then_paid(office: Office) -> None:
    world = office.world
    payment_id = await put_off(office)
    assert await world.state(payment_id) is State.PAYOUT_QUEUED
    assert await office.leave_queue(payment_id) is State.PAYOUT_QUEUED
    assert world.mtn.orders == []
    assert any("taking longer" in sent.text or "muda" in sent.text for sent in world.sms.sent)
    with pytest.raises(NoWayNow, match=r"no_way\.busy"):
        await office.clearing.clear(CUSTOMER, await world.quote())
    await office.load()
    assert await office.leave_queue(payment_id) is State.PAYING
    assert len(world.mtn.orders) == 1
    assert await world.cases() == []


async def test_why_it_waits_is_kept_with_the_payment(office: Office) -> None:
    payment_id = await put_off(office)
    log = DecisionLog(office.world.pool, 1, Ids(office.world.clock))
    kept = await Decided(office.world.pool, 1, log).of(payment_id)
    said = [each.decision for each in kept if each.decision.outcome == "wait"]
    assert [each.reason for each in said] == [EXPIRED]


async def test_who_is_listed_by_the_next_version_is_held_when_it_leaves(office: Office) -> None:
    payment_id = await put_off(office)
    await office.register_again(LISTED)
    await office.load()
    assert await office.leave_queue(payment_id) is State.ON_HOLD
    assert office.world.mtn.orders == []


async def test_without_a_list_it_is_given_back_once_its_rate_no_longer_holds(
    office: Office,
) -> None:
    world = office.world
    payment_id = await put_off(office)
    world.clock.pass_(3 * 3600)
    assert await office.leave_queue(payment_id) is State.REFUNDING
    assert world.mtn.orders == []


async def test_another_way_after_a_no_waits_as_well(office: Office) -> None:
    world = office.world
    payment_id = await confirmed(office)
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    world.clock.pass_(SOON_SECONDS + 1)
    no = Finding(Outcome.FAILED, "down", reason=Reason.OPERATOR_FAULT)
    await world.tell(await world.live(payment_id), no)
    payment = await world.payment(payment_id)
    assert (payment.state, payment.way) == (State.PAYOUT_QUEUED, 1)
    assert (len(world.mtn.orders), len(world.other.orders)) == (1, 0)
    await office.load()
    await office.leave_queue(payment_id)
    assert (len(world.mtn.orders), len(world.other.orders)) == (1, 1)


async def test_what_was_held_is_not_released_while_nobody_can_be_compared(office: Office) -> None:
    world = office.world
    await office.register_again(LISTED)
    payment_id = await office.collected()
    assert await world.state(payment_id) is State.ON_HOLD
    world.clock.pass_(SOON_SECONDS + 1)
    log = DecisionLog(world.pool, 1, Ids(world.clock))
    unseen = Unseen(world.policy, Decided(world.pool, 1, log), log)
    asked_ms = int(world.clock.epoch() * 1000)
    looked = await unseen.look(await world.payment(payment_id), asked_ms)
    assert looked.news == f"nobody can be compared ({EXPIRED}): load it, then propose again"
    await office.load()
    assert (await unseen.look(await world.payment(payment_id), asked_ms)).news == ""


async def test_what_is_released_all_the_same_waits_under_its_terms(office: Office) -> None:
    """The list may expire between the look and the release."""
    world = office.world
    await office.register_again(LISTED)
    payment_id = await office.collected()
    terms = (await world.payment(payment_id)).facts.clearance
    world.clock.pass_(SOON_SECONDS + 1)
    assert await world.rulings.release(payment_id, BY_TWO)
    payment = await world.payment(payment_id)
    assert (payment.state, payment.facts.clearance) == (State.PAYOUT_QUEUED, terms)
    await office.load()  # the same version, confirmed
    assert await office.leave_queue(payment_id) is State.PAYING


async def test_where_none_is_required_an_old_list_serves(office: Office) -> None:
    content = Office(office.world)
    await content.screener.refresh()
    payment_id = await confirmed(content)
    office.world.clock.pass_(SOON_SECONDS + 1)
    await office.world.tell(await office.world.live(payment_id), SUCCEEDED)
    assert await office.world.state(payment_id) is State.PAYING

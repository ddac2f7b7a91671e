"""Whoever takes over a number takes over its prompts: money of a fresh SIM waits for people.

The operator is played; the payments, their terms and what people decide are stored as always.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
import pytest

from engine.clock import Ids, PaymentId
from engine.compliance.policy import SimPolicy
from engine.decision_log import DecisionLog
from engine.errors import Unreachable
from engine.msisdn import Msisdn
from engine.payments.decided import Decided
from engine.payments.lifecycle import State
from engine.payments.sims import KEPT_SECONDS, Sims
from engine.payments.unseen import Unseen
from tests.integration.clearing_room import BY_TWO, LISTED, POLICY, Office
from tests.integration.world import CUSTOMER, World, open_world
from tests.unit.compliance.lists_of_nobody import un
from tests.unit.payments.examples import PAYER


@dataclass
class Teller:
    """The payers' operator, which knows when SIMs were changed."""

    answer: datetime | Exception | None = None
    asked: list[Msisdn] = field(default_factory=list)
    tells_sims: bool = True

    async def sim_changed_at(self, msisdn: Msisdn) -> datetime | None:
        self.asked.append(msisdn)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Desk:
    """An office that asks about SIMs, and time that goes by for it."""

    def __init__(self, world: World, *, unknown: Literal["pay", "hold"] = "pay") -> None:
        self.world, self.teller, self.seconds = world, Teller(), 1_000.0
        self.sims = Sims({"mpesa_ke": self.teller}, world.clock, monotonic=lambda: self.seconds)
        policy = msgspec.structs.replace(POLICY, sim=SimPolicy(unknown=unknown))
        self.office = Office(world, sims=self.sims, policy=policy)

    def change_sim(self, hours: float = 0.0) -> None:
        """Another SIM since so many hours, and nobody remembers what was told before."""
        self.teller.answer = self.world.clock.now() - timedelta(hours=hours)
        self.seconds += KEPT_SECONDS

    async def queued(self) -> PaymentId:
        """Money that is here, of a payment whose payout waits for its operator."""
        self.world.policy.closed = {"mtn_ug"}
        return await self.office.collected()

    async def decisions(self, payment_id: PaymentId) -> list[str]:
        """What was decided about it, as staff read it."""
        log = DecisionLog(self.world.pool, 1, Ids(self.world.clock))
        kept = await Decided(self.world.pool, 1, log).of(payment_id)
        return [one.decision.reason for one in kept]

    async def case(self, payment_id: PaymentId) -> str:
        """What the case of a held payment tells."""
        told: str = await self.world.pool.fetchval(
            "select detail from case_file where payment = $1 and kind = 'ON_HOLD'", UUID(payment_id)
        )
        return told


@pytest.fixture
async def desk(seeded_url: str) -> AsyncIterator[Desk]:
    async with open_world(seeded_url) as world:
        opened = Desk(world)
        yield opened
        await opened.sims.aclose()


async def test_money_of_a_fresh_sim_is_collected_and_waits_for_people(desk: Desk) -> None:
    desk.change_sim(hours=71)
    payment_id = await desk.office.collected()
    assert await desk.world.state(payment_id) is State.ON_HOLD
    assert desk.world.mtn.orders == []
    assert desk.teller.asked == [PAYER]  # ahead, by the confirm
    assert any("SIM was changed 71 hours before" in d for d in await desk.decisions(payment_id))
    assert await desk.world.rulings.release(payment_id, BY_TWO)
    await desk.world.dispatched()
    assert await desk.world.state(payment_id) is State.PAYING
    assert len(desk.world.mtn.orders) == 1


async def test_the_question_leaves_with_the_confirm(desk: Desk) -> None:
    await desk.office.clearing.clear(CUSTOMER, await desk.world.quote())
    await desk.sims.aclose()
    assert desk.teller.asked == [PAYER]


async def test_an_old_sim_and_one_that_nobody_changed_are_paid_out(desk: Desk) -> None:
    desk.change_sim(hours=72)
    assert await desk.world.state(await desk.office.collected()) is State.PAYING
    desk.teller.answer, desk.seconds = None, desk.seconds + KEPT_SECONDS
    assert await desk.world.state(await desk.office.collected()) is State.PAYING


async def test_a_sim_that_is_changed_while_the_payment_is_under_way_is_seen(desk: Desk) -> None:
    payment_id = await desk.queued()
    assert await desk.world.state(payment_id) is State.PAYOUT_QUEUED
    desk.change_sim()
    assert await desk.office.leave_queue(payment_id) is State.ON_HOLD


async def test_what_people_released_is_not_held_again_for_the_same_change(desk: Desk) -> None:
    desk.change_sim(hours=2)
    payment_id = await desk.queued()
    assert await desk.world.state(payment_id) is State.ON_HOLD
    desk.seconds += KEPT_SECONDS
    assert await desk.world.rulings.release(payment_id, BY_TWO)
    assert await desk.world.state(payment_id) is State.PAYOUT_QUEUED
    assert await desk.office.leave_queue(payment_id) is State.PAYING


async def test_another_change_after_that_holds_it_again(desk: Desk) -> None:
    desk.change_sim(hours=2)
    payment_id = await desk.queued()
    assert await desk.world.rulings.release(payment_id, BY_TWO)
    desk.change_sim()
    assert await desk.office.leave_queue(payment_id) is State.ON_HOLD


async def test_a_change_while_it_is_held_is_shown_before_anybody_releases_it(desk: Desk) -> None:
    log = DecisionLog(desk.world.pool, 1, Ids(desk.world.clock))
    unseen = Unseen(desk.world.policy, Decided(desk.world.pool, 1, log), log)
    desk.change_sim(hours=2)
    payment_id = await desk.queued()
    held = await desk.world.payment(payment_id)
    assert await unseen.of(held) == ""
    desk.change_sim()
    assert "SIM was changed 0 hours before" in await unseen.of(held)
    assert "SIM was changed 0 hours before" in " ".join(await desk.decisions(payment_id))
    assert await unseen.of(held) == ""  # by now it was


async def test_a_list_that_changes_after_a_release_does_not_hold_for_the_sim_again(
    desk: Desk,
) -> None:
    desk.change_sim(hours=2)
    payment_id = await desk.queued()
    assert await desk.world.rulings.release(payment_id, BY_TWO)
    await desk.office.lists.load(un(), int(desk.world.clock.epoch() * 1000))
    await desk.office.screener.refresh()
    assert await desk.office.leave_queue(payment_id) is State.PAYING


async def test_both_reasons_are_told_where_a_name_holds_as_well(desk: Desk) -> None:
    await desk.office.load()
    await desk.office.register(LISTED)
    desk.change_sim(hours=2)
    payment_id = await desk.queued()
    told = await desk.case(payment_id)
    assert "payee resembles" in told
    assert "SIM was changed 2 hours before" in told
    assert await desk.world.rulings.release(payment_id, BY_TWO)
    assert await desk.office.leave_queue(payment_id) is State.PAYING


async def test_the_report_of_what_was_held_before_keeps_its_rules(desk: Desk) -> None:
    for _ in range(15):
        await desk.office.clearing.clear(CUSTOMER, await desk.world.quote())
    desk.change_sim(hours=2)
    payment_id = await desk.office.collected()
    told = await desk.case(payment_id)
    assert "rule very_many_in_an_hour" in told
    assert "SIM was changed 2 hours before" in told
    start = desk.world.clock.now() - timedelta(hours=1)
    flagged = await desk.office.history.flagged(start, start + timedelta(hours=2))
    quote_id = (await desk.world.payment(payment_id)).quote.quote_id
    (reported,) = [one for one in flagged if one.question.quote_id == quote_id]
    assert "rule very_many_in_an_hour" in reported.decision.reason


async def test_what_is_held_for_its_sim_alone_is_reported(desk: Desk) -> None:
    desk.change_sim(hours=2)
    await desk.office.collected()
    start = desk.world.clock.now() - timedelta(hours=1)
    (flagged,) = await desk.office.history.flagged(start, start + timedelta(hours=2))
    assert "SIM was changed 2 hours before" in flagged.decision.reason


@pytest.mark.parametrize(("unknown", "state"), [("pay", State.PAYING), ("hold", State.ON_HOLD)])
async def test_silence_is_no_change_unless_the_house_says_so(
    seeded_url: str, unknown: Literal["pay", "hold"], state: State
) -> None:
    async with open_world(seeded_url) as world:
        desk = Desk(world, unknown=unknown)
        desk.teller.answer = Unreachable("mpesa_ke", "away")
        payment_id = await desk.office.collected()
        assert await world.state(payment_id) is state
        if state is State.ON_HOLD:
            assert await world.rulings.release(payment_id, BY_TWO)
            await world.dispatched()
            assert await world.state(payment_id) is State.PAYING


async def test_nobody_is_asked_where_the_house_does_not_want_to_know(seeded_url: str) -> None:
    async with open_world(seeded_url) as world:
        teller = Teller(world.clock.now())
        sims = Sims({"mpesa_ke": teller}, world.clock)
        policy = msgspec.structs.replace(POLICY, sim=SimPolicy(hold_hours=0))
        office = Office(world, sims=sims, policy=policy)
        assert await world.state(await office.collected()) is State.PAYING
        assert teller.asked == []

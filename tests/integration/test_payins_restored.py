"""Pay-ins after a restore of the database, which has forgotten what was done since the backup."""

from collections.abc import AsyncIterator

import pytest

from engine.desk.proposals import Kind
from engine.desk.proposals import State as Stands
from engine.errors import OurFault, Rejected
from engine.payments.patience import ORDER_OVER_SECONDS
from engine.payments.payins.judging import Stage
from engine.restored import Restored
from tests.integration.payins_room import AMINA, BRIAN, CAME, TOTAL, Till, open_till
from tests.integration.world import FAILED

LOST_SECONDS = 300


@pytest.fixture
async def till(seeded_url: str) -> AsyncIterator[Till]:
    async with open_till(seeded_url) as opened:
        yield opened


def restored(till: Till) -> None:
    """What began by now is of before, and its end may be forgotten."""
    till.world.store._restored = Restored(till.world.clock.epoch())


async def test_what_may_have_gone_back_before_a_restore_is_assigned_by_who_has_looked_since(
    till: Till,
) -> None:
    """Proposed before; then others sent it back, the operator did, and the database forgot that."""
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody")
    fields = {"pay_in": pay_in.id, "payment": str(payment_id)}
    asked = await till.office.desk.propose(Kind.ASSIGN_PAY_IN, fields, by=AMINA, note="they called")
    till.world.clock.pass_(LOST_SECONDS)
    restored(till)
    late = await till.office.desk.approve(asked.id, by=BRIAN)
    assert late.state is Stands.FAILED and "look once more" in late.outcome
    assert (await till.again(pay_in)).stage is Stage.SUSPENDED
    assert (await till.agree(Kind.ASSIGN_PAY_IN, **fields)).state is Stands.FAILED  # too early
    till.world.clock.pass_(ORDER_OVER_SECONDS)
    assert (await till.agree(Kind.ASSIGN_PAY_IN, **fields)).state is Stands.DONE
    assert (await till.suspense(), (await till.again(pay_in)).stage) == (0, Stage.TAKEN)


@pytest.mark.parametrize("is_booked", [True, False])
async def test_an_assignment_that_a_restore_left_half_done_is_given_up_or_finished(
    till: Till, monkeypatch: pytest.MonkeyPatch, is_booked: bool
) -> None:
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody")

    async def dies(*_: object) -> None:
        raise OurFault("killed")

    with monkeypatch.context() as patch:
        patch.setattr(
            till.room.returns._strays if is_booked else till.room.pay_ins,
            "take_back" if is_booked else "take", dies,
        )  # fmt: skip
        with pytest.raises(OurFault):
            await till.agree(Kind.ASSIGN_PAY_IN, pay_in=pay_in.id, payment=str(payment_id))
    assert (await till.again(pay_in)).stage is Stage.ASSIGNING
    till.world.clock.pass_(LOST_SECONDS)
    restored(till)
    await till.office.desk.carry_out_approved()
    now = await till.again(pay_in)
    assert now.stage is (Stage.TAKEN if is_booked else Stage.SUSPENDED)


async def test_what_people_saw_before_a_restore_ends_no_return(till: Till) -> None:
    """It may have been ordered once more in what was forgotten."""
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    till.world.clock.pass_(ORDER_OVER_SECONDS)
    proposed = await till.office.desk.propose(
        Kind.RETURN_FAILED, {"proposal": asked.id}, by=AMINA, note="not there"
    )
    restored(till)
    late = await till.office.desk.approve(proposed.id, by=BRIAN)
    assert late.state is Stands.FAILED and "look once more" in late.outcome
    assert await till.held() == TOTAL.minor
    till.world.clock.pass_(ORDER_OVER_SECONDS)
    assert (await till.agree(Kind.RETURN_FAILED, proposal=asked.id)).state is Stands.DONE
    assert (await till.again(pay_in)).stage is Stage.SUSPENDED


@pytest.mark.parametrize("at_the_door", [True, False])
async def test_no_refusal_after_a_restore_is_a_failure_of_what_may_have_left_before(
    till: Till, at_the_door: bool
) -> None:
    """The first order that these books know is a repeat of one that they forgot."""
    pay_in = await till.announce("nobody")
    till.world.clock.pass_(LOST_SECONDS)
    restored(till)
    if at_the_door:
        till.mpesa.replies.append(
            Rejected("mpesa_ke", "being reversed", code="busy", reason="other")
        )
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    if not at_the_door:
        await till.room.returns.hear_return(pay_in.id, FAILED)
    assert (asked.state, (await till.again(pay_in)).stage) == (Stands.WAITING, Stage.RETURNING)
    assert (await till.suspense(), await till.held()) == (0, TOTAL.minor)
    await till.room.returns.hear_return(pay_in.id, CAME)
    assert (await till.again(pay_in)).stage is Stage.RETURNED

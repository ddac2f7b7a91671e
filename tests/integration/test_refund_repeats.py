"""Whether a refund may be sent again is a fact of its own: not what a payout's repeat would do."""

import msgspec
import pytest

from engine.errors import OutcomeUnknown
from engine.payments.lifecycle import State
from engine.ports import Accepted, Direction, Finding, Outcome
from tests.integration.books import assert_books
from tests.integration.world import FAILED, SUCCEEDED, open_world
from tests.unit.payments.examples import MPESA

NOT_FOUND = Finding(Outcome.NOT_FOUND, "no_such_reference")


@pytest.mark.parametrize("is_safe", [True, False])
async def test_a_lost_refund_is_sent_again_only_where_a_second_refund_is_refused(
    database_url: str, is_safe: bool
) -> None:
    payer = msgspec.structs.replace(
        MPESA, refund_repeat_is_safe=is_safe, disburse_repeat_is_safe=not is_safe
    )
    async with open_world(database_url, payer=payer) as world:
        world.mpesa.answers = [Accepted("R1"), OutcomeUnknown("mpesa_ke", "silence")]
        payment_id = await world.confirm()
        await world.dispatched()
        for finding in (SUCCEEDED, FAILED):
            await world.tell(await world.live(payment_id), finding)
            await world.dispatched()
        assert await world.state(payment_id) is State.REFUND_UNKNOWN
        world.clock.pass_(500)  # long enough for "no such reference" to mean something
        world.mpesa.findings = [NOT_FOUND] * 3
        await world.reconciler.sweep()
        await world.dispatched()
        refunds = [o for o in world.mpesa.orders if o.direction is Direction.REFUND]
        assert len(refunds) == 1 + is_safe
        assert len({order.attempt_id for order in refunds}) == 1
        await assert_books(world.pool)

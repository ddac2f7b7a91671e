"""A proposal about one payment, carried out once: what all executors of this floor have in common.

What is decided and whether it may be is theirs; here a ruling is found again by its proposal's id
in the payment's own journal, and a payment that moved meanwhile is left for the next try.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from engine.clock import PaymentId, moment_of
from engine.desk.proposals import Kind, Outcome, Proposal, done, failed
from engine.errors import OurFault
from engine.payments.facts import Ruling
from engine.payments.lifecycle import State
from engine.payments.patience import ORDER_OVER_SECONDS
from engine.payments.payment import Payment
from engine.payments.stepping import REFUND_BY_HAND, WAITS_FOR_PEOPLE
from engine.payments.store import PaymentStore

Decide = Callable[[Payment], Awaitable[bool | str]]
"""Whether the ruling was applied to the payment as it was; a text says why it cannot be."""


_HELD, _RETURNED = WAITS_FOR_PEOPLE[State.ON_HOLD], WAITS_FOR_PEOPLE[State.RETURNED]
_ANSWERS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.RELEASE_HOLD: (_HELD,),
    Kind.REFUSE_HOLD: (_HELD,),
    Kind.PAYOUT_SEEN: (_HELD, _RETURNED),
    Kind.REPAY_RETURNED: (_RETURNED,),
    Kind.REFUND_RETURNED: (_RETURNED,),
    Kind.REFUND_SEEN: (REFUND_BY_HAND,),
    Kind.REFUND_ELSEWHERE: (REFUND_BY_HAND,),
}
"""The kinds of the cases that a ruling answers (`engine/desk/decisions/0003`)."""


async def rule_once(
    store: PaymentStore, proposal: Proposal, payment_id: PaymentId, decide: Decide
) -> Outcome:
    """DONE also when it was ruled before, or by another process this moment; the case it answers is
    closed. Safe to repeat.

    Raises OurFault when the payment moved this moment: to be tried again.
    """
    payment = await store.payment(payment_id)
    if payment is None:
        return failed("there is no such payment")
    if await store.was_ruled(payment_id, proposal.id):
        await _close_answered(store, proposal, payment_id)
        return done(f"{payment.code} is {payment.state.name}")
    applied = await decide(payment)
    if isinstance(applied, str):
        return failed(applied)
    if not applied and not await store.was_ruled(payment_id, proposal.id):
        raise OurFault(f"{payment.code} moved this moment")
    await _close_answered(store, proposal, payment_id)
    after = await store.payment(payment_id)
    assert after is not None
    return done(f"{payment.code} is {after.state.name}")


async def _close_answered(store: PaymentStore, proposal: Proposal, payment_id: PaymentId) -> None:
    for kind in _ANSWERS.get(proposal.kind, ()):
        await store.cases.close_answered(payment_id, kind, proposal)


def seen_too_early(proposal: Proposal, left_ms: int) -> str:
    """Why what people saw may be of before an order that left then; "" when it was over by then."""
    over_ms = left_ms + ORDER_OVER_SECONDS * 1000
    if proposal.made_ms >= over_ms:
        return ""
    over = moment_of(over_ms)
    return (
        "its order had just left, or may have: look once more after"
        f" {over:%Y-%m-%d %H:%M} UTC, then propose"
    )


def ruling_of(proposal: Proposal) -> Ruling:
    """The proposal as the journal keeps it, with both people's names."""
    by = (proposal.made_by, proposal.decided_by or "")
    return Ruling(proposal.note, by=by, proposal=proposal.id)

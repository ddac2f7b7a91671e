"""Whether people were shown all that holds a payment, before they release it.

A name may be taken down or corrected, a list loaded or the payer's SIM changed while the payment is
held. What that brings is kept where people look (`capp decisions`), and those who agreed before are
asked again.
"""

from collections.abc import Iterable
from itertools import chain

import msgspec

from engine.compliance.clearance import Action, Seen, judge, seen_in
from engine.decision_log import DecisionLog
from engine.decisions import Decision, Kind
from engine.payments.decided import Decided
from engine.payments.payment import Payment
from engine.payments.policy import Policy


class Unseen:
    """What nobody has been shown of the payments of one tenant. Every question may be repeated."""

    def __init__(self, policy: Policy, decided: Decided, log: DecisionLog) -> None:
        self._policy = policy
        self._decided = decided
        self._log = log

    async def of(self, payment: Payment) -> str:
        """Why a held payment cannot be released yet; "" when all that holds it now was shown.

        What was not is shown from now on. Raises what the pool raises.
        """
        now = await self._policy.clear_again(payment)
        if now is None:
            return ""
        shown = [kept.decision for kept in await self._decided.of(payment.payment_id)]
        if not has_news(now, shown):
            return ""
        await self._log.keep([now], payment.payment_id)
        return (
            f"more holds it by now than anybody was shown ({now.reason}): look at"
            f" `capp decisions --payment {payment.code}`, then propose again"
        )


def has_news(now: Decision, shown: Iterable[Decision]) -> bool:
    """Whether compliance holds for an entry, or a change of a SIM, that none of the decisions
    before held for. Pure.
    """
    seen = _seen_in(now)
    if seen is None:
        return False
    before = [each for each in map(_seen_in, shown) if each is not None]
    known = (*seen.known, *chain.from_iterable(each.decided_on for each in before))
    sim = seen.sim
    if sim is not None and any(sim.is_same_as(each.sim) for each in before):
        sim = msgspec.structs.replace(sim, is_ruled=True)
    return judge(msgspec.structs.replace(seen, known=known, sim=sim)) is not Action.ALLOW


def _seen_in(decision: Decision) -> Seen | None:
    if decision.kind is not Kind.COMPLIANCE:
        return None
    try:
        return seen_in(decision)
    except msgspec.ValidationError:
        return None  # another release's words

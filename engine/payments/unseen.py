"""Whether people were shown all that holds a payment, before they release it.

A name may be taken down or corrected, a list loaded or the payer's SIM changed while the payment is
held. What that brings is kept where people look (`capp decisions`), and those who asked for the
release before are asked again.
"""

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

import msgspec

from engine.compliance.clearance import Action, Seen, judge, seen_in, with_ruled
from engine.decision_log import DecisionLog
from engine.decisions import Decision, Kind
from engine.payments.decided import Decided
from engine.payments.payment import Payment
from engine.payments.policy import WAIT, Policy


class Looked(NamedTuple):
    """What a look at a held payment came to: it is released by that one, and by no second."""

    news: str = ""  # why it cannot be released yet; "" when all that holds it was shown
    clearance: Decision | None = None  # for its terms once it is released; None: as they are


class Unseen:
    """What nobody has been shown of the payments of one tenant. Every question may be repeated."""

    def __init__(self, policy: Policy, decided: Decided, log: DecisionLog) -> None:
        self._policy = policy
        self._decided = decided
        self._log = log

    async def look(self, payment: Payment, asked_ms: int) -> Looked:
        """Whether those may release it who asked for that at this moment, in epoch milliseconds.

        What they could not see by then is shown from now on, to whoever asks after that: a repeat
        of the same look finds the same. Raises what the pool raises.
        """
        now = await self._policy.clear_again(payment)
        if now is not None and now.outcome == WAIT:
            return Looked(f"nobody can be compared ({now.reason}): load it, then propose again")
        kept = await self._decided.of(payment.payment_id)
        shown = [one.decision for one in kept if one.was_shown_by(asked_ms)]
        if now is not None and has_news(now, shown):
            if has_news(now, [one.decision for one in kept]):
                await self._log.keep([now], payment.payment_id)
            return Looked(
                f"more holds it by now than anybody was shown ({now.reason}): look at"
                f" `capp decisions --payment {payment.code}`, then propose again"
            )
        readable = [one for one in shown if _seen_in(one) is not None]
        return Looked(clearance=with_ruled(now or _read(payment.facts.clearance), readable))


def has_news(now: Decision, shown: Iterable[Decision]) -> bool:
    """Whether compliance holds for an entry, a change of a SIM, or an operator's silence, that none
    of the decisions before held for. Pure.
    """
    seen = _seen_in(now)
    if seen is None:
        return False
    before = [each for each in map(_seen_in, shown) if each is not None]
    known = (*seen.known, *chain.from_iterable(each.decided_on for each in before))
    sim = seen.sim
    if sim is not None and any(sim.is_same_as(each.sim) for each in before):
        sim = msgspec.structs.replace(sim, is_ruled=True)
    silence = (*seen.silence_known, *chain.from_iterable(each.silent for each in before))
    left = msgspec.structs.replace(seen, known=known, sim=sim, silence_known=silence)
    return judge(left) is not Action.ALLOW


def _read(decision: Decision | None) -> Decision | None:
    return decision if decision is not None and _seen_in(decision) is not None else None


def _seen_in(decision: Decision) -> Seen | None:
    if decision.kind is not Kind.COMPLIANCE:
        return None
    try:
        return seen_in(decision)
    except msgspec.ValidationError:
        return None  # another release's words

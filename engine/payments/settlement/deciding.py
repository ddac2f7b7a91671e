"""Why a window was closed and who pays by it, as a decision that can be made again. Pure.

What is kept is what was seen to wait, the rules, and what was chosen; no payment is named.
"""

from collections.abc import Mapping, Sequence

import msgspec

from engine.decisions import Decision, Kind
from engine.payments.settlement import netting
from engine.payments.settlement.netting import Gross, Mid
from engine.payments.settlement.rules import Window
from engine.payments.settlement.windows import Cause, Waiting, why_close

STAYS_OPEN = "stays open"
"""The outcome, made again, of a window that no rule would close."""


class Inputs(msgspec.Struct, frozen=True):
    """All that one closing was decided from. `waiting` is None where one payment goes alone."""

    corridor: str
    members: tuple[str, str]
    asset: str
    window: Window
    is_asked: bool  # somebody said so
    waiting: Waiting | None
    now_ms: int
    seen_at: tuple[Mid, ...]  # by which rates it was weighed whether a payment goes alone
    grosses: tuple[Gross, ...]  # of what was chosen
    mids: tuple[Mid, ...]  # by which that was netted: they may have moved since


def decide(inputs: Inputs) -> Decision:
    """Whom the batch debits, and why it was made."""
    cause = cause_of(inputs)
    outcome = STAYS_OPEN if cause is None else _told(inputs)
    return Decision(Kind.SETTLEMENT, outcome, cause or "", msgspec.to_builtins(inputs))


def replay(decision: Decision) -> Decision:
    """The same decision again. Raises msgspec.ValidationError, or LookupError without a rate."""
    return decide(msgspec.convert(decision.inputs, Inputs))


def cause_of(inputs: Inputs) -> Cause | None:
    """None for a window that should have stayed open."""
    if inputs.is_asked:
        return Cause.ASKED
    if inputs.waiting is not None:
        return why_close(inputs.window, inputs.waiting, inputs.now_ms)
    by_currency = {mid.currency: mid.mid for mid in inputs.seen_at}
    is_large = any(
        abs(gross.minor) >= large_from(inputs.window, gross.currency, by_currency, inputs.asset)
        for gross in inputs.grosses
    )
    return Cause.SINGLE if is_large else None


def large_from(window: Window, currency: str, mids: Mapping[str, str], asset: str) -> int:
    """The smallest amount that is settled alone, in minor units of its currency."""
    return netting.least_worth(window.single_above_minor, currency, mids[currency], asset)


def _told(inputs: Inputs) -> str:
    rates = {mid.currency: mid.mid for mid in inputs.mids}
    nets = netting.net(inputs.members, inputs.grosses, rates, inputs.asset)
    if not nets.minor:
        return f"{inputs.corridor}: nothing moves"
    return f"{inputs.corridor}: {_payer(inputs.members, nets.debits)} pays {nets.minor}"


def _payer(members: Sequence[str], debits: Sequence[int]) -> str:
    return next(name for name, minor in zip(members, debits, strict=True) if minor)

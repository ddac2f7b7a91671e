"""Kept decisions, made again: what comes out differently is a change of mind. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from engine.compliance import clearance
from engine.decisions import Decision, Kind
from engine.desk import rebalancing
from engine.fx import consensus
from engine.payments import breaker, portability, ranking
from engine.payments.lifecycle import Event
from engine.payments.settlement import deciding

Replay = Callable[[Decision], Decision | None]


def _route_again(decision: Decision) -> Decision:
    """A route is chosen when the price is made, and looked at again before each payout."""
    if "candidates" in decision.inputs:
        return ranking.replay(decision).decision
    return _payout_again(decision)


class _Payout(msgspec.Struct):
    """What `sequel.py` saw: the ways, from which on, and which were open."""

    ways: list[str]
    first: int = msgspec.field(name="from")
    open: dict[str, bool]


def _payout_again(decision: Decision) -> Decision:
    seen = msgspec.convert(decision.inputs, _Payout)
    way = next((name for name in seen.ways[seen.first :] if seen.open[name]), None)
    event = Event.PAYOUT_QUEUED if way is None else Event.PAYOUT_ORDERED
    outcome = f"{event}: {way or seen.ways[seen.first]}"
    return Decision(decision.kind, outcome, decision.reason, decision.inputs)


def _rate_again(decision: Decision) -> Decision:
    """A rate is accepted from several sources, and no longer holds for a payout that comes late."""
    if "pay_until" not in decision.inputs:
        return consensus.replay(decision).decision
    seen = msgspec.convert(decision.inputs, _Promise)
    outcome = "refund" if seen.now > seen.pay_until else "pay"
    return Decision(decision.kind, outcome, decision.reason, decision.inputs)


class _Promise(msgspec.Struct):
    """Epoch seconds."""

    pay_until: int
    now: int


REPLAYS: Mapping[Kind, Replay] = {
    Kind.ROUTE: _route_again,
    Kind.BREAKER: breaker.replay,
    Kind.RATE: _rate_again,
    Kind.COMPLIANCE: clearance.replay,
    Kind.LIQUIDITY: rebalancing.replay,
    Kind.WALLET: portability.replay,
    Kind.SETTLEMENT: deciding.replay,
}
"""How decisions of a kind are made again. Raises ValueError's kin for inputs nobody reads."""


class Difference(NamedTuple):
    """A decision and what the same inputs lead to now; None when they can no longer be read."""

    kept: Decision
    again: Decision | None


def differing(decisions: Iterable[Decision]) -> list[Difference]:
    """Those that come out differently, in their order; kinds without a replay are passed over."""
    return [
        Difference(decision, again)
        for decision in decisions
        if decision.kind in REPLAYS
        and not _is_same(decision, again := _again(decision, REPLAYS[decision.kind]))
    ]


def _again(decision: Decision, replay: Replay) -> Decision | None:
    try:
        return replay(decision)
    except (ValueError, LookupError):  # inputs of another time, or spoilt ones
        return None


def _is_same(kept: Decision, again: Decision | None) -> bool:
    """Stored inputs have been through JSON, so they are compared as that."""
    return again is not None and _plain(kept) == _plain(again)


def _plain(decision: Decision) -> bytes:
    return msgspec.json.encode(decision, order="sorted")

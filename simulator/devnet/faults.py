"""What can go wrong between a client and a node, and what is armed to go wrong next.

It knows when a fault strikes; a test arms it, by the node's own door or in the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, get_args

import msgspec
from starlette.responses import Response

from simulator.devnet.node import Sight

FaultTarget = Literal["any", "submit", "find", "simulate", "view", "read", "faucet"]
FaultName = Literal[
    "hang",
    "delay",
    "error_500",
    "error_503",
    "throttle_429",
    "html_429",
    "pool_full_507",
    "drop_after_accept",
    "fork",
    "duplicate",
    "lose_answer",
    "error_500_after",
    "truncated_json",
    "stale",
    "forked",
    "wrong_chain_id",
]

# When a fault strikes. Instead of the work; before it; on what is seen; around it; after it.
INSTEAD: frozenset[FaultName] = frozenset(
    {"hang", "error_500", "error_503", "throttle_429", "html_429", "pool_full_507"}
)
BEFORE: frozenset[FaultName] = frozenset({"delay"})
SIGHT: frozenset[FaultName] = frozenset({"stale", "forked", "wrong_chain_id"})
SUBMISSION: frozenset[FaultName] = frozenset({"drop_after_accept", "fork"})
AROUND: frozenset[FaultName] = frozenset({"duplicate"})
AFTER: frozenset[FaultName] = frozenset({"lose_answer", "error_500_after", "truncated_json"})

# The chain id that a node of another chain shows.
OTHER_CHAIN_ID = 250
_DEFAULT_SECONDS = {"hang": 30.0, "delay": 1.0}


class NodeFault(msgspec.Struct, forbid_unknown_fields=True):
    """One armed fault: strikes the next `times` matching requests, of all when None.

    `on`: submissions; questions for a transaction by hash; simulations; views; all other reading;
    the faucet. `seconds` is how long it hangs or is delayed.
    """

    fault: FaultName
    on: FaultTarget = "any"
    times: int | None = 1
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.fault in SUBMISSION | AROUND and self.on != "submit":
            raise ValueError(f"{self.fault} can only happen to submit")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1")
        if self.seconds is not None and self.seconds < 0:
            raise ValueError("seconds must not be negative")

    @property
    def seconds_or_default(self) -> float:
        """How long, when the one who armed it did not say."""
        return _DEFAULT_SECONDS.get(self.fault, 0.0) if self.seconds is None else self.seconds


class NodeFaults:
    """The armed faults of one node, oldest first; and what a stale one saw last."""

    def __init__(self) -> None:
        self._armed: list[NodeFault] = []
        self._stale: Sight | None = None

    def arm(self, fault: NodeFault, sight: Sight | None = None) -> None:
        """Let it strike from now on. `sight`: all that a stale node knows from then on."""
        if fault.fault == "stale":
            assert sight is not None, "a stale node has seen something"
            self._stale = sight
        self._armed.append(fault)

    def armed(self) -> list[NodeFault]:
        """What has not struck yet, with the strikes each has left."""
        return list(self._armed)

    def clear(self) -> None:
        """Disarm everything."""
        self._armed.clear()
        self._stale = None

    def take(self, names: frozenset[FaultName], target: FaultTarget) -> NodeFault | None:
        """The oldest armed fault of this stage for this target, used up by one; else None."""
        for fault in self._armed:
            if fault.fault in names and fault.on in ("any", target):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self._armed.remove(fault)
                return fault
        return None

    def sight(self, sight: Sight, target: FaultTarget, *, branched: Sight) -> Sight:
        """What is seen by a request of this target, however wrong; `branched`: by a forked node."""
        fault = self.take(SIGHT, target)
        if fault is None:
            return sight
        if fault.fault == "wrong_chain_id":
            return replace(sight, chain_id=OTHER_CHAIN_ID)
        if fault.fault == "forked":
            return branched
        assert self._stale is not None, "armed with what it saw"
        return self._stale


def instead(name: FaultName) -> Response | None:
    """The answer of a fault that carries nothing out; None for one that is no answer."""
    if name == "html_429":
        return Response(_HTML, 429, media_type="text/html", headers={"Retry-After": "1"})
    if name not in _BODIES:
        return None
    status, code, message = _BODIES[name]
    body = {"message": message, "error_code": code, "vm_error_code": None}
    headers = {"Retry-After": "1"} if status == 429 else {}
    return Response(msgspec.json.encode(body), status, headers, "application/json")


_HTML = "<html><body><h1>429 Too Many Requests</h1></body></html>"
_BODIES: Mapping[str, tuple[int, str, str]] = {
    "error_500": (500, "internal_error", "Internal error: storage is not there"),
    "error_500_after": (500, "internal_error", "Internal error: storage is not there"),
    "error_503": (503, "health_check_failed", "The node is too far behind"),
    "throttle_429": (429, "rate_limited", "Too many requests from this address"),
    "pool_full_507": (507, "mempool_is_full", "Mempool is full"),
}


def cut_in_half(response: Response) -> Response:
    """The answer, of which the second half is missing."""
    body = bytes(response.body)
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in ("content-length", "content-type")
    }
    return Response(body[: len(body) // 2], response.status_code, headers, "application/json")


_STAGES = INSTEAD | BEFORE | SIGHT | SUBMISSION | AROUND | AFTER
assert set(get_args(FaultName)) == _STAGES, "each fault strikes at one stage"

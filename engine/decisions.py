"""What was decided by itself: its inputs, its outcome and its reason, kept to be replayed."""

from enum import StrEnum
from typing import Any

import msgspec


class Kind(StrEnum):
    """What a decision is about."""

    ROUTE = "route"
    BREAKER = "breaker"
    RATE = "rate"
    LIQUIDITY = "liquidity"
    COMPLIANCE = "compliance"
    SETTLEMENT = "settlement"
    WALLET = "wallet"
    RESTORED = "restored"


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """One automatic decision. `inputs` is all the decision saw, as plain JSON values.

    The same inputs must lead to the same outcome again: what is random or timed is an input.
    No full phone number, name or secret belongs in here.
    """

    kind: Kind
    outcome: str
    reason: str
    inputs: dict[str, Any]

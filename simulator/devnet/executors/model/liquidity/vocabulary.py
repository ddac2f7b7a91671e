"""The words of `capp_liquidity::liquidity`: its events, its reasons, the type of a pool."""

from __future__ import annotations

from enum import IntEnum

from simulator.devnet.executors.model import assets
from simulator.devnet.executors.model.contract import Category, Contract, object_of

_PROVIDING = {
    "pool": "address",
    "provider": "address",
    "amount": "u64",
    "shares": "u64",
    "total_before": "u64",
    "total_after": "u64",
    "shares_before": "u64",
    "shares_after": "u64",
}
_RESERVING = {
    "pool": "address",
    "id": "vector<u8>",
    "amount": "u64",
    "reserved_before": "u64",
    "reserved_after": "u64",
}
LIQUIDITY = Contract(
    0xCA03,
    "liquidity",
    events={
        "PoolCreated": {
            "pool": "address",
            "governance": "address",
            "registry": "address",
            "asset": "address",
            "settler": "address",
            "operator": "address",
            "funds": "address",
            "fees": "address",
        },
        "ProviderAdmitted": {"pool": "address", "operator": "address", "provider": "address"},
        "ProviderDismissed": {"pool": "address", "operator": "address", "provider": "address"},
        "Provided": _PROVIDING,
        "Withdrawn": _PROVIDING,
        "EmergencyExited": _PROVIDING,
        "LossTaken": {"pool": "address", "total_before": "u64", "total_after": "u64"},
        "OperatorGiven": {"pool": "address", "operator": "address", "shares": "u64"},
        "FeesAdded": {
            "pool": "address",
            "payer": "address",
            "amount": "u64",
            "held_before": "u64",
            "held_after": "u64",
        },
        "FeesClaimed": {
            "pool": "address",
            "provider": "address",
            "amount": "u64",
            "held_before": "u64",
            "held_after": "u64",
        },
        "Reserved": _RESERVING,
        "Released": _RESERVING,
        "Drawn": {
            "pool": "address",
            "id": "vector<u8>",
            "amount": "u64",
            "total_before": "u64",
            "total_after": "u64",
        },
        "PutIn": {
            "pool": "address",
            "amount": "u64",
            "total_before": "u64",
            "total_after": "u64",
        },
        "PoolPaused": {"pool": "address", "by": "address"},
        "PoolUnpaused": {"pool": "address", "by": "address"},
    },
)
OBJECT = object_of("0xca03::liquidity::Pool")
METADATA = assets.METADATA


class Reason(IntEnum):
    """Why a pool says no."""

    POOL_PAUSED = 1
    NOT_SETTLER = 2
    OTHER_GOVERNANCE = 3
    NO_OPERATOR = 4
    ZERO = 5
    DRAINED = 6
    ROUNDED_AWAY = 7
    NOT_ENOUGH_SHARES = 8
    NOT_AVAILABLE = 9
    NO_PROVIDERS = 10
    RESERVATION_EXISTS = 11
    NO_RESERVATION = 12
    ABOVE_RESERVATION = 13
    ID_LENGTH = 14
    NOT_DELIVERED = 15
    NOT_OPERATOR = 16
    NOT_ADMITTED = 17


def demand_some(amount: int) -> None:
    LIQUIDITY.demand(amount > 0, Category.INVALID_ARGUMENT, Reason.ZERO)


def demand_available(amount: int, free: int) -> None:
    LIQUIDITY.demand(amount <= free, Category.RESOURCE_EXHAUSTED, Reason.NOT_AVAILABLE)

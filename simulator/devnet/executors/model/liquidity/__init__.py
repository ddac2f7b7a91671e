"""`capp_liquidity::liquidity`: pools, shares, fees, reservations. One module a noun."""

# `fees` and `providing` are called from outside alone: imported, they are on offer.
from simulator.devnet.executors.model.liquidity import fees, providing
from simulator.devnet.executors.model.liquidity.funds import draw, put
from simulator.devnet.executors.model.liquidity.pools import Pool, create_pool, total
from simulator.devnet.executors.model.liquidity.reservations import (
    Reservation,
    draw_reserved,
    release,
    reserve,
)
from simulator.devnet.executors.model.liquidity.vocabulary import (
    LIQUIDITY,
    METADATA,
    OBJECT,
    Reason,
)

__all__ = [
    "LIQUIDITY",
    "METADATA",
    "OBJECT",
    "Pool",
    "Reason",
    "Reservation",
    "create_pool",
    "draw",
    "draw_reserved",
    "fees",
    "providing",
    "put",
    "release",
    "reserve",
    "total",
]

"""What 0x1 says of the chain itself: which it is and what its clock shows."""

from __future__ import annotations

from simulator.devnet.executors.model.contract import Contract
from simulator.devnet.executors.model.world import Frame

CHAIN_ID = Contract(0x1, "chain_id")
TIMESTAMP = Contract(0x1, "timestamp")


@CHAIN_ID.view(returns=("u8",))
def get(frame: Frame) -> int:
    return frame.environment.chain_id


@TIMESTAMP.view(returns=("u64",))
def now_seconds(frame: Frame) -> int:
    return frame.now_seconds


@TIMESTAMP.view(returns=("u64",))
def now_microseconds(frame: Frame) -> int:
    return frame.environment.timestamp_microseconds

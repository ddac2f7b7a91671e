"""Who can run the contracts for the node: the Move VM, or the model of them in Python."""

from simulator.devnet.executors.opening import ExecutorKind, ExecutorMissing, open_executor

__all__ = ["ExecutorKind", "ExecutorMissing", "open_executor"]

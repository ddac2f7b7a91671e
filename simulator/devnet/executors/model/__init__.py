"""The contracts' rules in Python: one module or package a Move module, as its documentation says.

It is held against the Move VM by `tests/move/test_differential.py`, call by call.
"""

from simulator.devnet.executors.model.executor import ModelExecutor

__all__ = ["ModelExecutor"]

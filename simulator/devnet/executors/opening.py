"""One executor by its kind, with all packages loaded."""

from __future__ import annotations

import logging
from typing import Literal

from simulator.devnet.executor import Executor
from simulator.devnet.executors.model import ModelExecutor
from simulator.toolchain.libraries import ToolchainMissing

ExecutorKind = Literal["move", "model", "best"]
_LOG = logging.getLogger(__name__)


class ExecutorMissing(Exception):
    """The executor that was asked for cannot be had here; the message says why."""


def open_executor(kind: ExecutorKind) -> Executor:
    """An executor with an empty state and the five packages at 0xca01 to 0xca05.

    `best` is the Move VM where its libraries can be had, else the model. Raises `ExecutorMissing`
    for `move` without them. The first opening fetches the libraries and compiles: up to a minute.
    """
    if kind == "model":
        return ModelExecutor()
    try:
        return _open_move()
    except ExecutorMissing as missing:
        if kind == "move":
            raise
        _LOG.warning("contracts are run by the model: %s", missing)
        return ModelExecutor()


def _open_move() -> Executor:
    # Imported here alone: without the libraries nothing of the VM is touched.
    from simulator.devnet.executors.move import MoveExecutor

    try:
        return MoveExecutor.opened()
    except ToolchainMissing as missing:
        raise ExecutorMissing(str(missing)) from missing

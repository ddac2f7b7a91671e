"""Whether the Move libraries are here: a skip that says why not; on a build server a failure."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import pytest

from simulator.devnet.executors import ExecutorMissing
from simulator.toolchain.libraries import ToolchainMissing

T = TypeVar("T")


def opened_or_skipped(opening: Callable[[], T]) -> T:
    """What `opening` makes of them."""
    try:
        return opening()
    except (ToolchainMissing, ExecutorMissing) as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))

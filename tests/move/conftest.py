from __future__ import annotations

import pytest

from simulator.devnet.executors.move import MoveExecutor
from tests.move.presence import opened_or_skipped


@pytest.fixture(scope="module")
def opened() -> MoveExecutor:
    return opened_or_skipped(MoveExecutor.opened)

"""The story of one run: start everything, load and kill, make peace, wait, judge, stop everything.

What was drawn comes from the seed; what it met does not.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

import asyncpg

from simulator.child import ChildDied
from simulator.embedded import StartFailed
from simulator.stack import Stack
from tests.chaos.callers import Load
from tests.chaos.draws import draw_blows
from tests.chaos.killer import Killer, NeverBack, wait_for
from tests.chaos.laws import Reading, breaches
from tests.chaos.leftovers import left_behind
from tests.chaos.readings import broken_books, read, unended
from tests.e2e.city import City, open_city
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, running, start_stack

LEASE_SECONDS = 3
ENVIRONMENT = {
    "CAPP_COLLECT_DELAY_SECONDS": "1",
    "CAPP_FIRST_LOOK_SECONDS": "2",
    "CAPP_LEASE_SECONDS": str(LEASE_SECONDS),
}
# What takes a day in life takes under a minute here: then people are called.
POLLING = {
    "looks": [4, 8, 16, 30, 60, 120],
    "unclear_after": 10,
    "escalate_after": 30,
    "jitter": 0.1,
}
# Slow enough that a blow finds payments at every stage, and callbacks nobody takes.
SANDBOX = {"processing_seconds": 0.5, "callback_delay_seconds": 0.3}

HEARD_SECONDS_MAX = 40.0
ENDED_SECONDS_MAX = 150.0
# Whoever took over a lease too early would have moved the money a second time by now.
QUIET_SECONDS = LEASE_SECONDS + 2.0

Say = Callable[[str], None]


class Result(NamedTuple):
    """How a run went. `reading` is None when it did not come to the end."""

    breaches: list[str]
    cycles: int
    kills: Counter[str]
    interrupted: int
    reading: Reading | None
    seconds: float


class Plan(NamedTuple):
    """What one run is to do."""

    cycles: int
    seed: str
    callers: int = 6


def run(folder: Path, plan: Plan, say: Say, *, also: Callable[[City], None] | None = None) -> Result:
    """Everything from the start of the servers to their end.

    `also` is called when everything is quiet, before the laws are judged: a test falsifies
    something there. Nothing runs any more afterwards, whatever happened.
    """
    folder.mkdir(parents=True, exist_ok=True)
    polling = folder / "reconciliation.yaml"
    polling.write_text(json.dumps({"polling": {"usual": POLLING}}))  # JSON is YAML
    environment = {**ENVIRONMENT, "CAPP_RECONCILIATION_FILE": str(polling.resolve())}
    killer: Killer | None = None
    with running(folder / "databases") as databases:
        with start_stack(
            folder / "stack", databases, database="chaos", redis_number=0, environment=environment
        ) as stack:
            killer = Killer(stack, databases)
            result = asyncio.run(_Story(stack, databases, killer, plan, say, also).tell())
    alive = left_behind(killer.pids, folder)
    return result._replace(breaches=[*result.breaches, *(f"left behind: {p}" for p in alive)])

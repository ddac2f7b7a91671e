"""The second process, from the command to its end.

Importing this costs what a whole engine costs, but no routes: only who works does it (`cli.py`).
"""

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from random import SystemRandom

from channels.outages import told_once
from channels.processes import sound_ones, tell_faults_of, tune_collector
from channels.production import refuse_insecure
from channels.rounds import make_rounds
from channels.settings import Settings
from channels.starting import open_when_up
from channels.watching.memory import ending_without_memory, watch_loop
from channels.worker import run_worker


def work(settings: Settings, _: argparse.Namespace) -> int:
    """The second process: sweeps and reconciliation, until it is asked to end.

    Raises what `serve` raises.
    """
    refuse_insecure(settings)

    async def work_for_one(stop: asyncio.Event) -> None:
        await work_when_up(stop, settings)

    return _work(settings, work_for_one)


def work_street(environment: Mapping[str, str], _: argparse.Namespace) -> int:
    """The second process for every tenant of the folder. Raises what `work` raises."""
    tenants = sound_ones(environment)
    house = tenants[0].settings

    async def work_for_all(stop: asyncio.Event) -> None:
        work = partial(work_when_up, stop)
        await make_rounds(tenants, stop, work, is_strict=house.is_production)

    return _work(house, work_for_all)


def _work(settings: Settings, work: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    tune_collector()
    tell_faults_of(settings)

    async def run() -> None:
        watch_loop(asyncio.get_running_loop())
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with told_once(settings.database_url):
            await work(stop)

    with ending_without_memory():
        asyncio.run(run())
    return 0


async def work_when_up(stop: asyncio.Event, settings: Settings) -> None:
    """Its loops go on through an outage, so what they let pass is raised by the start alone."""
    await open_when_up(
        lambda: run_worker(settings, stop),
        draw=SystemRandom().random,
        wait=partial(_wait_unless, stop),
    )


async def _wait_unless(stop: asyncio.Event, seconds: float) -> bool:
    """Whether the time passed without anybody asking the process to end."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return not stop.is_set()

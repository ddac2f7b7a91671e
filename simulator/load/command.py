"""`python -m simulator load FILE...`: the command around the crowd."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import SystemRandom

import httpx
import uvloop

from simulator import mishaps, places, transcript
from simulator.inspect import Inspector
from simulator.load.crowd import NOBODY_TO_ASK, Crowd, Plan, look_at_books
from simulator.load.journey import read_journey
from simulator.load.plot import draw
from simulator.load.report import Effort, Money, progress, report
from simulator.load.wire import Wires
from simulator.places import NowhereToGo, Places

RIGHT, WRONG, UNUSABLE = 0, 1, 2
SIGNALLED = 128
"""And the number of the signal that broke the run off, as shells count it: Ctrl-C is 130."""
JOURNEYS = (
    Path("tests/transcripts/kenya_to_uganda.txt"),
    Path("tests/transcripts/check_a_price_in_english.txt"),
)
PATIENCE_SECONDS = 60.0
CALL_SECONDS = 15.0


def run_load(arguments: list[str]) -> int:
    """0: every answer as written, and the books right. 1: not so. 2: an option is of no use.

    130: Ctrl-C. What was seen until then is reported; a second one ends that too.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        where = places.from_options(options)
        plan = _plan(options)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(plan, where, options))
    except (NowhereToGo, transcript.Unreadable, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return UNUSABLE
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator load")
    parser.add_argument(
        "files", nargs="*", type=Path, default=JOURNEYS, metavar="FILE",
        help="transcripts to walk, in turn (default: a payment and a question for a price)",
    )  # fmt: skip
    parser.add_argument("--rate", type=float, default=20.0, help="journeys begun a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long new ones begin")
    parser.add_argument("--phones", type=int, default=5_000, help="at most so many at once")
    parser.add_argument(
        "--think", default="0.5..2", metavar="LOW..HIGH", help="seconds before each key press"
    )
    parser.add_argument(
        "--connections", type=int, default=500, help="at most so many to the server"
    )
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_SECONDS, metavar="SECONDS",
        help="how long payments may take to end after the last key press",
    )  # fmt: skip
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw rates and latencies")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="keep wrong answers here")
    mishaps.add_options(parser)
    places.add_options(parser)
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    """Raises ValueError and transcript.Unreadable for what is of no use."""
    if min(options.rate, options.seconds, options.phones, options.connections) <= 0:
        raise ValueError("rate, seconds, phones and connections must be more than nothing")
    seed = SystemRandom().randrange(mishaps.SEEDS) if options.seed is None else options.seed
    options.seed = seed
    journeys = [
        read_journey(transcript.parse(file.read_text("utf-8"), name=str(file)))
        for file in options.files
    ]
    plan = Plan(
        journeys, options.rate, options.seconds, options.phones, _think(options.think), seed,
        mishaps.from_options(options),
    )  # fmt: skip
    walks, room = len(plan.begins()), min(journey.room for journey in journeys)
    if walks > room:
        raise ValueError(
            f"{walks:,} walks need more numbers than the files' patterns have: {room:,}"
        )
    return plan


def _think(text: str) -> tuple[float, float]:
    low, _, high = text.partition("..")
    try:
        found = float(low), float(high or low)
    except ValueError:
        found = (-1.0, -1.0)
    if not 0 <= found[0] <= found[1] < float("inf"):
        raise ValueError(f"--think takes seconds as in 0.5..2, not {text!r}")
    return found


async def _run(plan: Plan, where: Places, options: argparse.Namespace) -> int:
    async with httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False) as client:
        return await _walk(plan, where, client, options)


async def _walk(
    plan: Plan, where: Places, client: httpx.AsyncClient, options: argparse.Namespace
) -> int:
    wires = Wires(connections_max=options.connections)
    crowd = Crowd(plan, where, client, wires)
    began, cpu = time.perf_counter(), _cpu_seconds()
    telling = asyncio.create_task(_tell(crowd))
    broken_off = 0
    try:
        broken_off = await _until_signalled(crowd)
    finally:
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling
        await wires.aclose()
    effort = Effort(time.perf_counter() - began, _cpu_seconds() - cpu)
    if broken_off:
        _say(f"broken off after {effort.seconds:.1f} s; this was seen until then:")
    money = await _money(crowd, where, client, 0.0 if broken_off else options.patience)
    weather = f"{plan.weather}" if plan.weather.chances else f"seed {plan.seed}"
    _say(report(crowd.tally, plan.journeys, money, effort, weather=weather))
    if options.plot is not None:
        options.plot.write_text(draw(f"{plan.rate:g} journeys a second", crowd.tally.seconds))
    if options.out is not None:
        _keep_wrong(crowd, options.out)
    if broken_off:
        return SIGNALLED + broken_off
    return RIGHT if crowd.tally.is_right and money.is_right else WRONG


async def _until_signalled(crowd: Crowd) -> int:
    """Let all walk to their end. The signal that broke the run off, 0 for none."""
    came = list[int]()
    walking = asyncio.create_task(crowd.run())

    def break_off(number: int) -> None:
        came.append(number)
        walking.cancel()

    with _heeding(break_off):
        try:
            await walking
        except asyncio.CancelledError:
            if not came:
                raise
    return came[0] if came else 0


@contextlib.contextmanager
def _heeding(break_off: Callable[[int], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call it. Only a program's first thread hears signals."""
    is_first = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if is_first else ()
    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.add_signal_handler(number, break_off, int(number))
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _money(
    crowd: Crowd, where: Places, client: httpx.AsyncClient, patience_seconds: float
) -> Money:
    """What the books say, where there is a door to ask at."""
    if not where.inspect_token:
        return Money()
    try:
        return await look_at_books(
            Inspector(client, where), crowd.walked, patience_seconds=patience_seconds
        )
    except NOBODY_TO_ASK as error:
        return Money(balanced=False, mistakes=[f"nobody tells of the books: {error!r}"])


async def _tell(crowd: Crowd) -> None:
    """A line a second to whoever watches."""
    while True:
        await asyncio.sleep(1.0)
        sys.stderr.write(f"{progress(crowd.tally, crowd.now())}\n")


def _keep_wrong(crowd: Crowd, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, wrong in enumerate(crowd.tally.wrong, 1):
        text = f"# phone {wrong.phone}, {wrong.where}\n{wrong.transcript}\n# {wrong.what}\n"
        (folder / f"wrong_{number:04d}.txt").write_text(text.replace("\n  ", "\n#   "), "utf-8")


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()

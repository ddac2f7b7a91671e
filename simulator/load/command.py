"""`python -m simulator load FILE...`: the command around the crowd."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import sys
import time
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
JOURNEYS = (
    Path("tests/transcripts/kenya_to_uganda.txt"),
    Path("tests/transcripts/check_a_price_in_english.txt"),
)
PATIENCE_SECONDS = 60.0
CALL_SECONDS = 15.0


def run_load(arguments: list[str]) -> int:
    """0: every answer as written, and the books right. 1: not so. 2: an option is of no use."""
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
    try:
        await crowd.run()
    finally:
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling
        await wires.aclose()
    effort = Effort(time.perf_counter() - began, _cpu_seconds() - cpu)
    money = await _money(crowd, where, client, options.patience)
    weather = f"{plan.weather}" if plan.weather.chances else f"seed {plan.seed}"
    _say(report(crowd.tally, plan.journeys, money, effort, weather=weather))
    if options.plot is not None:
        options.plot.write_text(draw(f"{plan.rate:g} journeys a second", crowd.tally.seconds))
    if options.out is not None:
        _keep_wrong(crowd, options.out)
    return RIGHT if crowd.tally.is_right and money.is_right else WRONG


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

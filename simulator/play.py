"""`python -m simulator play FILE...`: the command around the player."""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from simulator import junit, mishaps, places, transcript
from simulator.junit import Result
from simulator.mishaps import CALM, Weather
from simulator.operators.world import World
from simulator.places import NowhereToGo, Places
from simulator.player import PATIENCE_SECONDS, Played, Player
from simulator.transcript import Transcript

AS_WRITTEN, NOT_AS_WRITTEN, UNUSABLE = 0, 1, 2
CALL_SECONDS = 15.0
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=0)
"""No connection is used twice. One that rests may be closed in the very moment in which it is used:
by its server, or by the client itself, which finds it too old where the machine stood still."""


@dataclass(frozen=True)
class Manner:
    """How to play: what is shown, what is rewritten, how patient, in which weather."""

    quiet: bool = False
    update: bool = False
    patience_seconds: float = PATIENCE_SECONDS
    weather: Weather = CALM


def run_play(arguments: list[str]) -> int:
    """0: all is as written. 1: something is not. 2: a file or an option is of no use."""
    options = _parser().parse_args(arguments)
    try:
        where = places.from_options(options)
        weather = mishaps.from_options(options)
        manner = Manner(options.quiet, options.update, options.patience, weather)
        files = find(options.files, only=options.only)
        results = asyncio.run(_play_all(files, where, manner))
        if options.junit is not None:
            options.junit.write_bytes(junit.write(results, weather=weather))
    except (NowhereToGo, transcript.Unreadable, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return UNUSABLE
    return _sum_up(results, weather)


def find(wanted: Sequence[Path], *, only: str = "") -> list[Path]:
    """The files themselves, of folders every transcript in them, and of these what `only` names.

    Raises ValueError when nothing is left: a run of nothing proves nothing.
    """
    found = [
        file
        for path in wanted
        for file in (sorted(path.rglob("*.txt")) if path.is_dir() else [path])
    ]
    words = only.split(",")
    chosen = [file for file in found if any(word in file.stem for word in words)]
    if not chosen:
        raise ValueError(f"no transcript is left to play of {', '.join(map(str, wanted))}")
    return chosen


async def play_files(files: Sequence[Path], where: Places, *, quiet: bool = False) -> int:
    """Play every file and return the exit code. Raises Unreadable before anything is played."""
    return _sum_up(await _play_all(files, where, Manner(quiet=quiet)), CALM)


async def _play_all(files: Sequence[Path], where: Places, manner: Manner) -> list[Result]:
    scripts = [transcript.parse(file.read_text("utf-8"), name=str(file)) for file in files]
    if manner.weather.chances:
        _say(f"the network: {manner.weather}")
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if not manner.quiet:
            _say(line)

    results = []
    async with open_client() as client:
        player = Player(
            client, where, World(), say=say, update=manner.update,
            patience_seconds=manner.patience_seconds, weather=manner.weather,
        )  # fmt: skip
        for file, script in zip(files, scripts, strict=True):
            said.clear()
            with _timed() as watch:
                played = await player.play(script)
            if manner.update:
                _rewrite(file, script, played)
            results.append(Result(file, watch.began_at, watch.seconds, played, tuple(said)))
    return results


def open_client() -> httpx.AsyncClient:
    """The way to the server and its sandboxes; whoever opens it closes it."""
    return httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False, limits=LIMITS)


def _rewrite(file: Path, script: Transcript, played: Played) -> None:
    if played.texts:
        file.write_text(transcript.rewrite(script, played.texts), "utf-8")
        _say(f"{file}: {len(played.texts)} texts rewritten")


def _sum_up(results: Sequence[Result], weather: Weather) -> int:
    failures = [r.played.failure for r in results if r.played.failure is not None]
    broken_off = [r.played.broken_off for r in results if r.played.broken_off is not None]
    for sentence in (*broken_off, *failures):
        sys.stderr.write(f"\n{sentence}\n")
    as_written = len(results) - len(failures) - len(broken_off)
    _say(f"{as_written} of {len(results)} transcripts are as written")
    if broken_off:
        _say(f"{len(broken_off)} were broken off by the network; nothing was done twice")
    if weather.chances:
        _say(f"the same again: --seed {weather.seed}")
    return NOT_AS_WRITTEN if failures else AS_WRITTEN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator play")
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a transcript, or a folder of them"
    )
    parser.add_argument("--update", action="store_true", help="rewrite what is expected")
    parser.add_argument("--quiet", action="store_true", help="show failures only")
    parser.add_argument(
        "--only", default="", metavar="NAME,...", help="of all these, those whose name holds one"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="a report for a build server")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_SECONDS, metavar="SECONDS",
        help="how long to wait for an SMS, a prompt or a state (default %(default)s)",
    )  # fmt: skip
    mishaps.add_options(parser)
    places.add_options(parser)
    return parser


@dataclass
class _Watch:
    began_at: datetime
    seconds: float = 0.0


@contextmanager
def _timed() -> Iterator[_Watch]:
    watch, before = _Watch(datetime.now(UTC)), time.monotonic()
    yield watch
    watch.seconds = time.monotonic() - before


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()

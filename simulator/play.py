"""`python -m simulator play FILE...`: the command around the player."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx

from simulator import places, transcript
from simulator.operators.world import World
from simulator.places import NowhereToGo, Places
from simulator.player import PATIENCE_SECONDS, Player

AS_WRITTEN, NOT_AS_WRITTEN, UNUSABLE = 0, 1, 2
CALL_SECONDS = 15.0


def run_play(arguments: list[str]) -> int:
    """0: all is as written. 1: something is not. 2: a file or an option is of no use."""
    parser = argparse.ArgumentParser(prog="python -m simulator play")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--update", action="store_true", help="rewrite what is expected")
    parser.add_argument("--quiet", action="store_true", help="show failures only")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_SECONDS, metavar="SECONDS",
        help="how long to wait for an SMS, a prompt or a state (default %(default)s)",
    )  # fmt: skip
    places.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        where = places.from_options(options)
        return asyncio.run(
            play_files(
                options.files, where, quiet=options.quiet, update=options.update,
                patience_seconds=options.patience,
            )
        )  # fmt: skip
    except (NowhereToGo, transcript.Unreadable, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return UNUSABLE


async def play_files(
    files: Sequence[Path],
    where: Places,
    *,
    quiet: bool = False,
    update: bool = False,
    patience_seconds: float = PATIENCE_SECONDS,
) -> int:
    """Play every file and return the exit code. Raises Unreadable before anything is played."""
    scripts = [transcript.parse(file.read_text("utf-8"), name=str(file)) for file in files]
    failures = []
    async with httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False) as client:
        player = Player(
            client, where, World(), say=_ignore if quiet else _say, update=update,
            patience_seconds=patience_seconds,
        )  # fmt: skip
        for file, script in zip(files, scripts, strict=True):
            played = await player.play(script)
            if update and played.texts:
                file.write_text(transcript.rewrite(script, played.texts), "utf-8")
                _say(f"{file}: {len(played.texts)} texts rewritten")
            if played.failure is not None:
                failures.append(played.failure)
    for failure in failures:
        sys.stderr.write(f"\n{failure}\n")
    _say(f"{len(files) - len(failures)} of {len(files)} transcripts are as written")
    return NOT_AS_WRITTEN if failures else AS_WRITTEN


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _ignore(line: str) -> None:
    del line

"""The Move VM and the model side by side: `python -m tests.move.differential --seeds 1..100`.

Prints what was reached; at the first difference how to see it again, and exits 1. Exit code 2: a
function, a view or a reason was never reached.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from simulator.devnet.executors import ExecutorMissing
from simulator.devnet.executors.model import ModelExecutor
from simulator.devnet.executors.move import MoveExecutor
from simulator.toolchain.libraries import ToolchainMissing
from tests.move.differential.playing import PAIRS, Different, Play
from tests.move.differential.tally import Tally

CALLS = 400


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the seeds in order."""
    options = _parse(arguments)
    began, tally = time.monotonic(), Tally()
    try:
        opened = MoveExecutor.opened()
    except (ToolchainMissing, ExecutorMissing) as missing:
        _say(str(missing))
        return 1
    for seed in options.seeds:
        try:
            Play(seed, opened.fork(), ModelExecutor(), tally).run(
                options.calls, pairs=options.pairs
            )
        except Different as different:
            _say(f"{tally}\n{different}")
            return 1
    seconds = time.monotonic() - began
    _say(f"seeds {options.seeds[0]}..{options.seeds[-1]}, {seconds:.1f} s\n{tally}")
    return 2 if tally.never_done() or tally.never_viewed() or tally.never_aborted() else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.move.differential")
    parser.add_argument("--seeds", type=_seeds, default=range(1, 11), metavar="A..B")
    parser.add_argument(
        "--calls", type=int, default=CALLS, help="by chance, after the scene is set"
    )
    parser.add_argument("--pairs", type=int, default=PAIRS, help="with two faults, a function")
    return parser.parse_args(arguments)


def _seeds(text: str) -> range:
    """`7`, or `1..100` with both ends."""
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())

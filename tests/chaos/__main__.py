"""Kill and judge: `python -m tests.chaos --cycles 100 --seed 7` (make chaos CYCLES=100 SEED=7).

A line a cycle, a summary at the end; exits 1 when any law was broken, with the command that draws
the same blows again.
"""

import argparse
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from simulator import embedded
from tests.chaos.disks import NoSmallDisk
from tests.chaos.draws import (
    draw_blows,
    draw_both,
    draw_clocks,
    draw_freezes,
    draw_full_disks,
    draw_starvations,
    draw_troubles,
)
from tests.chaos.laws import TERMINAL
from tests.chaos.run import LEASE_SECONDS, Plan, Result, run

DRAWS = {
    "both": draw_both, "deaths": draw_blows, "troubles": draw_troubles, "freezes": draw_freezes,
    "clocks": draw_clocks, "disk": draw_full_disks,
    "memory": draw_starvations,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """One run in a folder of its own; the folder stays when something was wrong."""
    options = _parse(arguments)
    folder = Path(tempfile.mkdtemp(prefix="capp-chaos-"))
    began = time.monotonic()
    say_line(f"seed {options.seed}, {options.cycles} cycles, {options.callers} callers")
    draw = DRAWS[options.blows]
    plan = Plan(
        options.cycles, options.seed, options.callers,
        draw=draw, is_troubled=draw is not draw_blows, lease_seconds=options.lease,
        has_small_disk=draw is draw_full_disks,
    )  # fmt: skip
    try:
        result = run(folder, plan, say_line)
    except NoSmallDisk as why:
        say_line(str(why))
        return 2
    for line in summary(result, time.monotonic() - began):
        say_line(line)
    if not result.breaches:
        embedded.remove(folder)
        return 0
    for breach in result.breaches:
        say_line(f"BREACH: {breach}")
    say_line(f"logs and data: {folder}")
    say_line(
        "the same draws: python -m tests.chaos"
        f" --cycles {options.cycles} --seed {options.seed} --callers {options.callers}"
        f" --blows {options.blows} --lease {options.lease}"
    )
    return 1


def summary(result: Result, seconds: float) -> list[str]:
    """What happened, in a few lines."""
    kills = ", ".join(f"{victim} {count}" for victim, count in result.kills.most_common())
    lines = [f"{result.cycles} cycles in {seconds:.0f} s; struck: {kills or 'nobody'}"]
    if reading := result.reading:
        acknowledged = sum(bool(placed.codes) for placed in reading.placed)
        states = Counter(stored.state for stored in reading.stored)
        waiting = [s for s in reading.stored if s.state not in TERMINAL]
        cases = Counter(words.split(":", 1)[0] for s in reading.stored for words in s.cases)
        lines += [
            f"{len(reading.placed)} confirmed, {acknowledged} acknowledged,"
            f" {len(reading.stored)} stored; {result.interrupted} dialogues broke off before",
            f"{sum(bool(placed.business) for placed in reading.placed)} confirmed by businesses,"
            f" who were told {len(reading.told)} things",
            f"{len(reading.paid_in)} paid in by strangers:"
            f" {dict(Counter(deposit.stage for deposit in reading.deposits))}",
            f"states: {dict(states.most_common())}",
            f"{len(reading.movements)} movements in the operators' ledgers;"
            f" open cases about payments: {dict(cases) or 'none'}",
            *(f"open: {s.code} {s.state}: {'; '.join(s.cases[:1])}" for s in waiting),
        ]
    return [*lines, f"{len(result.breaches)} breaches"]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seed", default=secrets.token_hex(4), help="any word; drawn if not given")
    parser.add_argument(
        "--blows", choices=DRAWS, default="both",
        help="deaths, troubles that kill nobody, or both; of these only freezes, or clocks apart,"
        " or memory that is refused; or a full disk, which takes root",
    )  # fmt: skip
    parser.add_argument(
        "--lease", type=int, default=LEASE_SECONDS,
        help="seconds for which a call is its process's own; 60 is what it is in life",
    )  # fmt: skip
    parser.add_argument(
        "--callers",
        type=int,
        default=6,
        help="people who dial at the same time; two businesses ask besides",
    )
    return parser.parse_args(arguments)


def say_line(line: str) -> None:
    """One line at the terminal, at once."""
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())

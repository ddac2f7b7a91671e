"""Live through worlds: `python -m tests.simulation --seeds 1..100` (make simulate SEEDS=100).

Prints each world that breaks a law at once, with the command that shows it again, and exits 1; how
far it is goes to stderr. With `--log` the run goes on in chunks of seeds, a line for each, until a
file of the name `--stop` is there.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from engine.schema import migrate
from simulator import embedded
from tests.simulation.postgres import Bridge, PostgresWorld
from tests.simulation.runs import Total, in_turn, side_by_side
from tests.simulation.world import ALSO, Options

REPORT_SECONDS = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds; the first breach ends it unless `--all` is given."""
    given = _parse(arguments)
    if given.log is not None:
        return _in_chunks(given)
    if not given.postgres:
        return _report(_worlds(given, given.seeds))
    with _postgres() as bridge:
        make_world = partial(PostgresWorld, bridge)
        options = _options(given)
        return _report(in_turn(given.seeds, options, goes_on=given.all, make_world=make_world))


def _options(given: argparse.Namespace) -> Options:
    also: dict[str, Any] = dict.fromkeys(given.also, True)
    if given.postgres and given.also == ALSO:
        for name in ("clients", "webhooks", "subscriptions", "sims", "settlement"):
            del also[name]  # what they keep with us is only in the model
    return Options(payments=given.payments_per_seed, trace=given.trace, **also)


def _worlds(given: argparse.Namespace, seeds: range) -> Iterator[Total]:
    if given.processes == 1:
        return in_turn(seeds, _options(given), goes_on=given.all)
    return side_by_side(seeds, _options(given), processes=given.processes, goes_on=given.all)


def _report(totals: Iterator[Total]) -> int:
    """Add them up, and say at once what broke; how far it is goes to stderr."""
    began = reported = time.monotonic()
    total = Total()
    for part in totals:
        total.add(part)
        for breach in part.breaches:
            _say(breach)
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            print(f"so far {total}", file=sys.stderr, flush=True)  # noqa: T201
    seconds = time.monotonic() - began
    _say(f"{total}, {seconds:.1f} s, {total.payments / seconds:.0f} payments/s")
    _say(f"states: {_sorted(total.states)}\nhappened: {_sorted(total.happened)}")
    return 1 if total.broken else 0


def _in_chunks(given: argparse.Namespace) -> int:
    """A long run: a line at the end of each chunk, and a clean end whenever one is asked for."""
    seeds, status = given.seeds, 0
    for first in range(seeds.start, seeds.stop, given.chunk):
        if (given.stop is not None and given.stop.exists()) or (status and not given.all):
            break
        chunk = range(first, min(first + given.chunk, seeds.stop))
        total = Total()
        for part in _worlds(given, chunk):
            total.add(part)
            for breach in part.breaches:
                _append(given.log, breach)
                status = 1
        _append(given.log, f"seeds {chunk.start}..{chunk.stop - 1}: {total}")
    return status


def _append(log: Path, line: str) -> None:
    with log.open("a") as file:
        file.write(line + "\n")


def _sorted(counted: Counter[str]) -> dict[str, int]:
    return dict(sorted(counted.items()))


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default=range(1, 51), metavar="A..B")
    parser.add_argument("--payments-per-seed", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1, help="worlds lived through at once")
    parser.add_argument(
        "--with", dest="also", type=_also, default=(), metavar="NAME,...",
        help=f"worlds that have more than payments: {', '.join(ALSO)}, or all",
    )  # fmt: skip
    parser.add_argument("--trace", action="store_true", help="print every event")
    parser.add_argument("--postgres", action="store_true", help="the real SQL beside the model")
    parser.add_argument("--all", action="store_true", help="go on after a breach")
    parser.add_argument("--log", type=Path, help="go on in chunks, a line of this file for each")
    parser.add_argument("--chunk", type=int, default=500, help="seeds of one line of the log")
    parser.add_argument("--stop", type=Path, help="end after the chunk in which this file appears")
    return parser.parse_args(arguments)


def _also(text: str) -> tuple[str, ...]:
    """What else worlds have, by its names in the options."""
    names = ALSO if text == "all" else tuple(text.split(","))
    if unknown := set(names) - set(ALSO):
        raise argparse.ArgumentTypeError(f"nobody knows {sorted(unknown)}")
    return names


def _seeds(text: str) -> range:
    """`7`, or `1..100` with both ends."""
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


@contextmanager
def _postgres() -> Iterator[Bridge]:
    """A server of this run's own, and a migrated database in it."""
    folder = Path(tempfile.mkdtemp(prefix="capp-simulation-"))
    server = embedded.start_postgres(folder / "postgres", settings={"fsync": "off"})
    try:
        migrate(server.url)
        bridge = Bridge(server.url)
        yield bridge
        bridge.close()
    finally:
        server.stop()
        embedded.remove(folder)


if __name__ == "__main__":
    sys.exit(main())

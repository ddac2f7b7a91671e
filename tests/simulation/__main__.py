"""Live through worlds: `python -m tests.simulation --seeds 1..100` (make simulate SEEDS=100).

Prints one line at the first law that is broken, with the command that shows it again, and exits 1.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.schema import migrate
from simulator import embedded
from tests.simulation.postgres import Bridge, PostgresWorld
from tests.simulation.world import Broken, Options, World

REPORT_SECONDS = 30.0

MakeWorld = Callable[[int, Options], World]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds in order; the first breach ends it unless `--all` is given."""
    options = _parse(arguments)
    made = Options(payments=options.payments_per_seed, trace=options.trace)
    make_world: MakeWorld = World
    if not options.postgres:
        return _run(options.seeds, made, make_world, goes_on=options.all)
    with _postgres() as bridge:
        return _run(
            options.seeds, made, lambda seed, o: PostgresWorld(bridge, seed, o),
            goes_on=options.all,
        )  # fmt: skip


def _run(seeds: range, options: Options, make_world: MakeWorld, *, goes_on: bool) -> int:
    began = reported = time.monotonic()
    states: Counter[str] = Counter()
    worlds = broken = steps = deaths = 0
    for seed in seeds:
        try:
            result = make_world(seed, options).run()
        except Broken as error:
            broken += 1
            print(error if not goes_on else str(error).splitlines()[0], flush=True)  # noqa: T201
            if not goes_on:
                break
            continue
        worlds += 1
        steps += result.steps
        deaths += result.deaths
        states.update(result.states)
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            print(f"seed {seed}: {worlds} worlds, {broken} broken", flush=True)  # noqa: T201
    seconds = time.monotonic() - began
    payments = worlds * options.payments
    print(  # noqa: T201
        f"{payments} payments in {worlds} worlds, {broken} broken; {steps} steps, {deaths} deaths,"
        f" {seconds:.1f} s, {payments / seconds:.0f} payments/s\nstates: {dict(states)}"
    )
    return 1 if broken else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default=range(1, 51), metavar="A..B")
    parser.add_argument("--payments-per-seed", type=int, default=20)
    parser.add_argument("--trace", action="store_true", help="print every event")
    parser.add_argument("--postgres", action="store_true", help="the real SQL beside the model")
    parser.add_argument("--all", action="store_true", help="go on after a breach")
    return parser.parse_args(arguments)


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

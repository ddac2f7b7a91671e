"""All benches, one table: `python -m tests.bench [NAME ...] [--seconds N] [--payments N]`.

Names as below; `--payments` says how many `stored` stores.

Exit code 1 when a run is void: a reply was wrong or a book did not balance.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from tests.bench import (
    api,
    backlog,
    chain,
    commit,
    garbage,
    load,
    lookups,
    outbound,
    payments,
    reads,
    sealing,
    settlement,
    stored,
    ussd,
    ussd_flat,
    ussd_latency,
)
from tests.bench.table import CORES, Void

SECONDS = 6.0
"""Of each measured part. The default run of all benches stays below three minutes."""

USSD_SESSIONS_PER_SECOND = 150
USSD_REPEATS = 2
LOAD_WALKS_PER_SECOND = 120
API_PAYMENTS_PER_SECOND = 100
LOOKUPS_PER_SECOND = 5
READS_PER_SECOND = 50
PAYMENTS_SECONDS_PER_SECOND = 2.5
"""A payment takes longer than a life without HTTP, so its part is measured for longer."""


BENCHES: Mapping[str, Callable[[float], str]] = {
    "ussd": lambda seconds: ussd.BENCH.run(
        ussd.Options(int(seconds * USSD_SESSIONS_PER_SECOND), USSD_REPEATS)
    ),
    "latency": lambda seconds: ussd_latency.BENCH.run(ussd_latency.Options(seconds=seconds / 2)),
    "flat": lambda _: ussd_flat.BENCH.run(ussd_flat.Options()),
    "commit": lambda seconds: commit.BENCH.run(commit.Options(seconds)),
    "payments": lambda seconds: payments.BENCH.run(
        payments.Options(seconds * PAYMENTS_SECONDS_PER_SECOND)
    ),
    "load": lambda seconds: load.BENCH.run(load.Options(int(seconds * LOAD_WALKS_PER_SECOND))),
    "outbound": lambda seconds: outbound.BENCH.run(outbound.Options(seconds)),
    "chain": lambda seconds: chain.BENCH.run(chain.Options(seconds / 2)),
    "api": lambda seconds: api.BENCH.run(api.Options(int(seconds * API_PAYMENTS_PER_SECOND))),
    "reads": lambda seconds: reads.BENCH.run(reads.Options(int(seconds * READS_PER_SECOND))),
    "garbage": lambda seconds: garbage.BENCH.run(garbage.Options(seconds=seconds)),
    "lookups": lambda seconds: lookups.BENCH.run(
        lookups.Options(rounds=int(seconds * LOOKUPS_PER_SECOND))
    ),
    "sealing": lambda _: sealing.BENCH.run(sealing.Options()),
    "settlement": lambda _: settlement.BENCH.run(settlement.Options()),
    "backlog": lambda _: backlog.BENCH.run(backlog.Options()),
    "stored": lambda seconds: stored.BENCH.run(stored.Options(seconds=seconds / 3)),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benches, or all; each part is printed as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="|".join(BENCHES))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument(
        "--payments", type=int, default=stored.PAYMENTS, help="in the largest database of `stored`"
    )
    options = parser.parse_args(arguments)
    benches: Mapping[str, Callable[[float], str]] = {
        **BENCHES,
        "stored": lambda seconds: stored.BENCH.run(
            stored.Options(payments=options.payments, seconds=seconds / 3)
        ),
    }
    if unknown := set(options.benches) - set(BENCHES):
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    began, void = time.monotonic(), False
    for name in options.benches or BENCHES:
        try:
            part = benches[name](options.seconds)
        except Void as error:
            void = True
            part = f"{name}: VOID: {error}"
        sys.stdout.write(part + "\n\n")
        sys.stdout.flush()
    sys.stdout.write(
        "others' cores: taken by other programs meanwhile. loop ms: a fixed loop, the shorter the"
        f" faster the machine. Ceilings are for {CORES} cores. {time.monotonic() - began:.0f} s.\n"
    )
    return 1 if void else 0


if __name__ == "__main__":
    sys.exit(main())

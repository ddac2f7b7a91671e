"""What a payment costs when many are stored already: each crowd beside an almost empty database.

    python -m tests.bench.stored [--stored N] [--seconds N] [--repeats N]

One database is filled tenfold at a time, to `--stored` finished payments of this month; after each
filling lives are measured in it and in one that holds only what was measured, in turns. Stored
payments are whole: rows of a life that was lived, under ids of their own, balances added up. Void
unless every book of both databases is right in the end.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import asyncpg

from engine.payments.lifecycle import State
from engine.schema import migrate
from simulator import embedded
from tests.bench import commit
from tests.bench.bare import read_pattern
from tests.bench.command import Bench, main
from tests.bench.lives import TENANT
from tests.bench.table import Section

FEWEST = 10_000
STORED = 100_000
FILLED_AT_ONCE = 100_000
SECONDS = 2.0
REPEATS = 2
WAY = "reads"
"""As in production: each step reads its payment back."""
FLAT_MAX = 1.2


class Options(NamedTuple):
    """How many payments are stored in the end; how long and how often each crowd is measured."""

    stored: int = STORED
    seconds: float = SECONDS
    repeats: int = REPEATS


class Crowd(NamedTuple):
    """A life's CPU among so many stored payments, and in the small database meanwhile."""

    stored: int
    among: list[commit.Row]
    alone: list[commit.Row]

    @property
    def to_alone(self) -> float:
        return median(r.cpu_us for r in self.among) / median(r.cpu_us for r in self.alone)


class House:
    """One database, and how many whole lives are stored in it."""

    def __init__(self, url: str, postmaster: int, options: commit.Options) -> None:
        self._url = url
        self._postmaster = postmaster
        self._options = options
        self.lives = 0

    def measure(self) -> commit.Row:
        """Live some more payments. Raises Void when a step is not taken."""
        row, lived = commit.measure(WAY, self._url, self._options, self._postmaster)
        self.lives += lived
        return row

    def fill(self, lives: int) -> None:
        """Store finished payments until there are so many."""
        asyncio.run(self._fill(lives - self.lives))
        self.lives = max(lives, self.lives)

    def check(self) -> None:
        """Raises Void when a book is not right, or a life is missing."""
        asyncio.run(commit.check(self._url, self.lives, evidence_each=2))

    async def _fill(self, missing: int) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            pattern = await read_pattern(connection)
            await connection.execute(_LIFE)
            for begun in range(0, missing, FILLED_AT_ONCE):
                async with connection.transaction():
                    await copy_lives(connection, pattern, min(FILLED_AT_ONCE, missing - begun))
            await connection.execute("vacuum analyze")
            await connection.execute("checkpoint")
        finally:
            await connection.close()


_LIFE = """
    create temp table life (payment uuid, key text, hash uuid, customer uuid, collect uuid,
                            disburse uuid)
"""


async def copy_lives(connection: Any, pattern: dict[str, Any], count: int) -> None:
    """`count` copies of a life, spread over this month until now, with what they leave in balances.

    Ids are the server's own (`uuidv7` of Postgres 18, which is the embedded one).
    """
    run = connection.execute
    now = datetime.now(UTC)
    month = now - now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    payment = pattern["payment"]
    await run("truncate life")
    await run(
        "insert into life select uuidv7(ago), gen_random_uuid()::text, gen_random_uuid(),"
        " gen_random_uuid(), uuidv7(ago), uuidv7(ago)"
        " from (select -random() * $1::interval as ago from generate_series(1, $2))",
        month, count,
    )  # fmt: skip
    await run("insert into payment_key select $1, key, payment, hash from life", TENANT)
    await run(
        "insert into payment select payment, $1, $2, $3, null, null, 0, 1, customer from life",
        TENANT, State.PAID, payment["version"],
    )  # fmt: skip
    for row in pattern["journal"]:
        await run(
            "insert into journal select payment, $1, $2, $3, $4, $5, $6, $7, $8 from life",
            row["version"], TENANT, row["state"], row["at_ms"], row["debits"], row["credits"],
            row["amounts"], row["facts"],
        )  # fmt: skip
        await run(
            "update balance set amount = amount + change * $4 from ("
            " select account, sum(minor)::bigint as change from ("
            "  select unnest($1::bigint[]), -unnest($3::bigint[])"
            "  union all select unnest($2::bigint[]), unnest($3::bigint[])) leg (account, minor)"
            " group by account) moved where id = account",
            row["debits"], row["credits"], row["amounts"], count,
        )  # fmt: skip
    for number, (attempt, row) in enumerate(
        zip(("collect", "disburse"), pattern["evidence"], strict=True), 1
    ):
        await run(
            f"insert into attempt select {attempt}, payment, $1, $2, $2 from life", TENANT, number
        )
        await run(
            f"insert into evidence select {attempt}, hash, payment, $1, $2, $3, $4 from life",
            TENANT, pattern["journal"][0]["at_ms"], row["source"], row["body"],
        )  # fmt: skip


def sizes(most: int) -> Iterator[int]:
    """Tenfold at a time, `most` being the last."""
    size = FEWEST
    while size < most:
        yield size
        size *= 10
    yield most


def run(options: Options) -> Section:
    """Every crowd, and the same minutes in the small database. Raises Void."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = embedded.start_postgres(Path(folder) / "postgres", settings=commit.SETTINGS)
        try:
            migrate(postgres.url)
            many, few = asyncio.run(_open_houses(postgres, options.seconds))
            crowds = []
            for size in sizes(options.stored):
                many.fill(size)
                pairs = [(many.measure(), few.measure()) for _ in range(options.repeats)]
                crowds.append(Crowd(size, *map(list, zip(*pairs, strict=True))))
            many.check()
            few.check()
            return section(crowds)
        finally:
            postgres.stop()


async def _open_houses(postgres: embedded.Server, seconds: float) -> tuple[House, House]:
    """Two databases with a few lives in each, of which one is the pattern of those that follow."""
    driven = commit.Options(seconds=seconds)
    await commit.endow(postgres.url)
    houses = []
    for name in ("many", "few"):
        url = await commit.fresh_database(postgres.url, name)
        houses.append(House(url, postgres.pid, driven))
    for house in houses:
        await asyncio.to_thread(house.measure)
    return houses[0], houses[1]


def section(crowds: list[Crowd]) -> Section:
    """A row a crowd; the first column counts what was stored before anything was measured."""
    header = (
        "(p) payments stored",
        "CPU us",
        "Postgres",
        "few stored",
        "Postgres",
        "to few",
        "loop ms",
    )
    rows = tuple(
        (
            f"{crowd.stored:,}",
            *(
                f"{median(getattr(row, figure) for row in rows_):.0f}"
                for rows_ in (crowd.among, crowd.alone)
                for figure in ("cpu_us", "postgres_us")
            ),
            f"{crowd.to_alone:.2f}",
            f"{median(row.loop_ms for row in crowd.among):.1f}",
        )
        for crowd in crowds
    )
    worst = max(crowd.to_alone for crowd in crowds)
    remark = f"a life of `{WAY}`; flat: {worst:.2f} at the most, goal: {FLAT_MAX}; books checked"
    return Section(header, rows, (remark,))


BENCH = Bench(
    module="tests.bench.stored",
    about=__doc__,
    options=Options,
    run=lambda options: run(options).written(),
)


if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))

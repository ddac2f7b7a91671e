"""What a payment costs when many are stored already, and what else reads among stored payments.

    python -m tests.bench.stored [--payments N] [--seconds N] [--repeats N] [--warm N]
                                 [--reads N] [--memory M] [--folder F]

A database for ten thousand finished payments, one for ten times as many, and so on to `--payments`:
whole payments of the last year (`filling.py`), on one server. Then lives are lived in each of them
in turns, by customers picked from all, and afterwards each read asks each of them. Every figure
stands beside that of the fewest. What is filled in `--folder` is kept, and found there again;
`--repeats 0` fills and measures nothing.
Void unless every book of every database is right in the end and no life is missing.
"""

import asyncio
import hashlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import cycle, product
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import asyncpg
import msgspec

from engine.clock import Clock, CustomerId, Ids
from engine.compliance.history import HistoryStore, Question
from engine.customers.customers import Customer
from engine.database import connect, open_pool
from engine.fx.quotes import Quote
from engine.ledger.committer import Committer
from engine.ledger.plans import Intent
from engine.msisdn import Msisdn
from engine.outbox import Outbox
from engine.payments.payment import Payment
from engine.payments.policy import Clearance
from engine.ports import SmsReport
from engine.row_security import as_tenant
from engine.schema import migrate
from simulator import embedded
from tests.bench import commit, filling, stored_reads
from tests.bench.command import Bench, main
from tests.bench.filling import PAYEE, PAYER, Crowd
from tests.bench.lives import TENANT, Counting, Lives, live_one, new_quote
from tests.bench.stored_house import Driven, House, Since, Task
from tests.bench.table import (
    Section,
    Void,
    hear_from_parent,
    percentile_ms,
    progress,
    say_to_parent,
)

FEWEST = 10_000
PAYMENTS = 100_000
SECONDS = 2.0
REPEATS = 3
READS = 40
CLIENTS = 100
PICKED = 15_000
"""So many customers, of all that there are, pay in one measuring: as many in every database."""
NEAR_MINOR = 3_500_000
FLAT_MAX = 1.2
STOP_SECONDS = 600.0
DISK_BYTES_EACH = 4_700
"""What a stored payment takes, its indexes included, and the log and sorting beside it."""


class Options(NamedTuple):
    """How many payments are stored in the largest database; how long and often each is measured.

    `warm`: so many rounds go before that are not counted, until what is touched often lies in
    memory. `reads`: how often each read is asked, 0 for none. `memory`: Postgres' `shared_buffers`.
    `folder`: where the databases are kept for the next run; a temporary one by default.
    """

    payments: int = PAYMENTS
    seconds: float = SECONDS
    repeats: int = REPEATS
    warm: int = 0
    reads: int = READS
    memory: str = commit.SETTINGS["shared_buffers"]
    folder: str = ""


# A driving process: lives of customers who are there already.


class Watching(Counting):
    """Limits that nobody reaches, and the trace of every payment, with what went before it."""

    def __init__(self, history: HistoryStore, clock: Clock) -> None:
        self._history = history
        self._clock = clock

    async def clear(
        self, payer: Customer, quote: Quote, told: str = "", *, expected: str = ""
    ) -> Clearance:
        asked = Question(
            quote.quote_id, self._clock.now(), Msisdn(quote.payer), Msisdn(quote.payee),
            quote.amount, quote.receives,
        )  # fmt: skip
        await self._history.look(asked, near_minor=NEAR_MINOR, watched=True)
        return await super().clear(payer, quote, told)


class Reported(Lives):
    """Lives whose receipts arrive: the gateway's own word for each comes back."""

    def __init__(self, *arguments: Any, outbox: Outbox) -> None:
        super().__init__(*arguments)
        self._reports = outbox

    async def _send(self, payment: Payment, intent: Intent) -> None:
        await super()._send(payment, intent)
        word = hashlib.md5(intent.id.encode(), usedforsecurity=False).hexdigest()
        await self._reports.keep_report(TENANT, SmsReport(f"ATXid_{word}", "Success", True))


async def drive(task: Task) -> None:
    """Pick customers, say so, live until the word, say so, measure, tell."""
    chance = random.Random(task.stored)
    people = await _pick(task, chance)
    say_to_parent("picked")
    hear_from_parent()
    clock = Clock()
    ids = Ids(clock)
    url = as_tenant(task.url, TENANT)
    committer = Committer(partial(connect, url), clock, writers=commit.WRITERS)
    await committer.start()
    pool = await open_pool(url)
    lives = Reported(
        "dispatch", pool, committer, clock, ids, Watching(HistoryStore(pool, TENANT), clock),
        outbox=Outbox(pool, clock, lease_seconds=60),
    )  # fmt: skip
    payers = cycle(people)
    priced = new_quote(ids, people[0].msisdn, people[0].msisdn)

    async def client() -> None:
        while time.perf_counter() < until:
            payer = next(payers)
            payee = PAYEE.format(chance.randrange(Crowd(task.payments).registered))
            asked = msgspec.structs.replace(priced, payer=payer.msisdn, payee=Msisdn(payee))
            # As sessions make them: the minute, the rest by chance.
            word = f"{ids.hex()[:8]}{chance.getrandbits(64):016x}"
            await lives.live(payer, asked, f"turn:{word}:6")

    async def all_clients() -> None:
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        await lives.settled()

    until = time.perf_counter() + commit.WARM_SECONDS
    await all_clients()
    say_to_parent("warm")
    hear_from_parent()
    before, lives.steps = lives.lived, []
    began, cpu = time.perf_counter(), time.process_time()
    until = began + task.seconds
    await all_clients()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    await committer.stop()
    await pool.close()
    paces = (percentile_ms(lives.steps, share) for share in (0.5, 0.99))
    say_to_parent(Driven(lives.lived - before, lives.lived, seconds, cpu, *paces))


async def _pick(task: Task, chance: random.Random) -> list[Customer]:
    """Some of the stored customers, in no order. The busy one is none of them."""
    all_ = range(1, Crowd(task.payments).registered)
    numbers = chance.sample(all_, PICKED)
    connection = await asyncpg.connect(task.url)
    rows = await connection.fetch(
        "select id, msisdn from customer where tenant = $1 and msisdn = any($2::text[])",
        TENANT, [PAYER.format(number) for number in numbers],
    )  # fmt: skip
    await connection.close()
    people = [
        Customer(CustomerId(row["id"].hex), Msisdn(row["msisdn"]), "KE", "en", 0) for row in rows
    ]
    if len(people) != len(numbers):
        raise Void(f"{len(numbers)} customers were picked, {len(people)} are there")
    chance.shuffle(people)
    return people


def sizes(most: int) -> Iterator[int]:
    """Tenfold at a time, `most` being the last."""
    size = FEWEST
    while size < most:
        yield size
        size *= 10
    yield most


# The run.


def run(options: Options) -> str:
    """Fill what is missing, measure each database in turns, ask each every read. Raises Void."""
    with _folder(options) as folder:
        _fill(folder, tuple(sizes(options.payments)))
        if not options.repeats:
            return "filled"
        settings = {**commit.SETTINGS, "shared_buffers": options.memory}
        postgres = embedded.start_postgres(folder, settings=settings)
        try:
            base = postgres.url.rpartition("/")[0]
            houses = [House(base, size) for size in sizes(options.payments)]
            for house in houses:
                migrate(house.url)  # what an earlier run has filled
                asyncio.run(house.count())
                asyncio.run(house.read_in())
            for number in range(options.warm + options.repeats):
                for house, since in product(houses, Since):
                    row = house.measure(postgres.pid, options.seconds, since)
                    if number >= options.warm:
                        house.rows[since].append(row)
            parts = [section(houses)]
            if options.reads:
                urls = {house.payments: house.url for house in houses}
                asked = asyncio.run(stored_reads.ask(urls, options.reads))
                parts.append(stored_reads.section(list(urls), asked))
            for house in houses:
                asyncio.run(house.check())
        finally:
            postgres.stop(STOP_SECONDS)
    return "\n\n".join(part.written() for part in parts)


@contextmanager
def _folder(options: Options) -> Iterator[Path]:
    """Where the server's files lie. Raises Void when the disk has no room for what is missing."""
    with ExitStack() as closing:
        at = options.folder or closing.enter_context(tempfile.TemporaryDirectory())
        Path(at).mkdir(parents=True, exist_ok=True)
        folder = Path(at) / "postgres"
        if not folder.exists():
            needed = DISK_BYTES_EACH * sum(sizes(options.payments))
            if shutil.disk_usage(at).free < needed:
                raise Void(f"{needed / 1e9:.0f} GB are needed for so many payments")
        yield folder


def _fill(folder: Path, wanted: tuple[int, ...]) -> None:
    """Fill the databases that are not there, under settings that nothing is measured with."""
    postgres = embedded.start_postgres(folder, settings=filling.SETTINGS)
    try:
        there = asyncio.run(_databases(postgres.url))
        missing = [size for size in wanted if f"bench_stored_{size}" not in there]
        if not missing:
            return
        if "bench_pattern" not in there:
            migrate(postgres.url)
            asyncio.run(commit.endow(postgres.url))
        pattern_url = asyncio.run(commit.fresh_database(postgres.url, "pattern"))
        asyncio.run(live_one(pattern_url))
        for size in missing:
            began = time.monotonic()
            asyncio.run(_fill_one(postgres.url, pattern_url, size))
            progress(f"{size:,} payments were stored in {time.monotonic() - began:.0f} s")
    finally:
        postgres.stop(STOP_SECONDS)


async def _fill_one(url: str, pattern_url: str, size: int) -> None:
    """Under another name until it is whole."""
    connection = await asyncpg.connect(pattern_url)
    pattern = await filling.read_life(connection)
    await connection.close()
    filled = await commit.fresh_database(url, "filling")
    await filling.fill(filled, Crowd(size), pattern)
    await filling.settle(filled)
    connection = await asyncpg.connect(url)
    await connection.execute(f"alter database bench_filling rename to bench_stored_{size}")
    await connection.close()


async def _databases(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("select datname from pg_database")
    await connection.close()
    return {row["datname"] for row in rows}


def section(houses: list[House]) -> Section:
    """A row a database, right after a checkpoint and long after one.

    Ratios are to the fewest, of the same minutes.
    """
    header = (
        "(p) payments stored", "", "CPU us", "Python", "Postgres", "to fewest", "log bytes",
        "images", "pages", "pages read", "step p50", "p99", "loop ms",
    )  # fmt: skip
    fewest = houses[0]
    rows = tuple(
        (
            f"{house.payments:,}",
            since,
            *(_told(house, since, name) for name in ("cpu_us", "python_us", "postgres_us")),
            f"{_to(house, fewest, since, 'cpu_us'):.2f}",
            _told(house, since, "log_bytes"),
            *(_told(house, since, name, 1) for name in ("log_images", "pages", "pages_read")),
            f"{_to(house, fewest, since, 'p50_ms'):.2f}",
            f"{_to(house, fewest, since, 'p99_ms'):.2f}",
            _told(house, since, "loop_ms", 1),
        )
        for since in Since
        for house in houses
    )
    worst = (
        f"{max(_to(house, fewest, since, 'cpu_us') for house in houses):.2f} {since}"
        for since in Since
    )
    remarks = (
        f"flat: {', '.join(worst)}, goal: {FLAT_MAX}; books checked. Right after a checkpoint"
        " images of pages are as many as they can be; long after there are next to none",
        "step p50 and p99 to the fewest; log, images and pages a life, the warming up included",
    )
    return Section(header, rows, remarks)


def _told(house: House, since: Since, figure: str, digits: int = 0) -> str:
    return f"{median(getattr(row, figure) for row in house.rows[since]):,.{digits}f}"


def _to(house: House, fewest: House, since: Since, figure: str) -> float:
    """The median of the rounds' own ratios, which a neighbour disturbs less."""
    pairs = zip(house.rows[since], fewest.rows[since], strict=True)
    return float(median(getattr(row, figure) / getattr(least, figure) for row, least in pairs))


async def _drive() -> None:
    await drive(Task(*hear_from_parent()))


BENCH = Bench(
    module="tests.bench.stored",
    about=__doc__,
    options=Options,
    run=run,
    children={"drive": _drive},
)


if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))

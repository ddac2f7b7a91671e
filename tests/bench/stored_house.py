"""The databases of the bench of stored payments: what is measured in each, and how."""

import asyncio
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import asyncpg

from tests.bench import commit
from tests.bench.table import Driver, Pace, Void, family_cpu_seconds, progress
from tests.integration.books import assert_books


class Task(NamedTuple):
    """What a driving process is to do."""

    url: str
    payments: int
    seconds: float
    stored: int  # differs from run to run, and with it who pays under which keys


class Driven(NamedTuple):
    """What it did. `lives` were measured, `stored` are all, the warming up included."""

    lives: int
    stored: int
    seconds: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float


class Reading(NamedTuple):
    """What Postgres had done until a moment, in one database; the log is the server's."""

    log_bytes: int
    log_images: int
    pages: int
    pages_read: int


class Row(NamedTuple):
    """One measuring. CPU in microseconds a life, steps in milliseconds, the rest a life."""

    lives: int
    python_us: float
    postgres_us: float
    log_bytes: float
    log_images: float
    pages: float
    pages_read: float
    p50_ms: float
    p99_ms: float
    loop_ms: float

    @property
    def cpu_us(self) -> float:
        return self.python_us + self.postgres_us


class Since(StrEnum):
    """How many pages go into the log whole: all that a life touches, or none.

    A page does when it is the first to be touched since a checkpoint. Where payments are few, most
    checkpoints are followed by first touches alone; where they are so many that their cost
    matters, a page is touched often between two.
    """

    CHECKPOINT = "after a checkpoint"
    LONG = "long after"


class House:
    """One database with its crowd, and how many whole lives are stored in it."""

    def __init__(self, base: str, payments: int) -> None:
        self.payments = payments
        self.name = f"stored_{payments}"
        self.url = f"{base}/bench_{self.name}"
        self.rows: dict[Since, list[Row]] = {since: [] for since in Since}
        self._lives = 0

    async def count(self) -> None:
        """What is stored, from an earlier run as well."""
        connection = await asyncpg.connect(self.url)
        self._lives = await connection.fetchval(
            "select count(*) from payment where customer is not null"
        )
        await connection.close()

    async def read_in(self) -> None:
        """Have the machine hold this month's pages, as one does that has just written them."""
        connection = await asyncpg.connect(self.url)
        home = Path(await connection.fetchval("show data_directory"))
        files = [home / row["path"] for row in await connection.fetch(_OF_THIS_MONTH)]
        await connection.close()
        size = 0
        for file in files:
            for part in (file, *file.parent.glob(f"{file.name}.*")):  # a file for each GB
                with part.open("rb") as pages:
                    while some := pages.read(_AT_ONCE_BYTES):
                        size += len(some)
        progress(f"{self.payments:,}: {size / 1e6:,.0f} MB of {len(files)} relations lie in memory")

    def measure(self, postmaster: int, seconds: float, since: Since) -> Row:
        """Live some more payments. Raises Void when a step is not taken."""
        asyncio.run(_write_images(self.url, since is Since.CHECKPOINT))
        with ExitStack() as closing:
            driver = closing.enter_context(Driver("tests.bench.stored", "drive"))
            driver.tell(Task(self.url, self.payments, seconds, self._lives))
            driver.listen()
            asyncio.run(_checkpoint(self.url))
            before = asyncio.run(_read(self.url))
            driver.tell("go")
            driver.listen()
            cpu = family_cpu_seconds(postmaster)
            with Pace() as pace:
                driver.tell("go")
                done = Driven(*driver.listen())
            cpu = family_cpu_seconds(postmaster) - cpu
        # What a server process has counted is told when it ends, and all of the driver's have.
        after = asyncio.run(_read(self.url))
        self._lives += done.stored
        row = Row(
            lives=done.lives,
            python_us=done.cpu_seconds / done.lives * 1e6,
            postgres_us=cpu / done.lives * 1e6,
            log_bytes=(after.log_bytes - before.log_bytes) / done.stored,
            log_images=(after.log_images - before.log_images) / done.stored,
            pages=(after.pages - before.pages) / done.stored,
            pages_read=(after.pages_read - before.pages_read) / done.stored,
            p50_ms=done.p50_ms,
            p99_ms=done.p99_ms,
            loop_ms=pace.loop_ms,
        )
        progress(f"{self.payments:,}, {since}: {row}")
        return row

    async def check(self) -> None:
        """Raises Void when a book is not right, or a life is missing."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute("set work_mem = '512MB'")
            await assert_books(connection)
            for table, each, more in TABLES:
                found = await connection.fetchval(f"select count(*) from {table}")
                if found != self._lives * each + more:
                    raise Void(f"{self.name}: {found} rows of {table}, {self._lives} lives")
            found = dict(await connection.fetch("select id, amount from balance"))
            if found != commit.expected_balances(self._lives):
                raise Void(f"{self.name}: the balances are not those of {self._lives} lives")
        except AssertionError as error:
            raise Void(f"{self.name}: {error}") from error
        finally:
            await connection.close()


TABLES = (
    ("payment", 1, 1), ("payment_key", 1, 1), ("journal", 3, 1), ("attempt", 2, 0),
    ("evidence", 4, 0), ("sms_message", 2, 0), ("sms_report", 2, 0), ("outbox", 0, 0),
    ("case_file", 0, 0),
)  # fmt: skip
"""(table, rows of each life, rows of the endowment)."""


_AT_ONCE_BYTES = 1 << 20
# Tables and indexes of this month's partitions, and of tables that have none.
_OF_THIS_MONTH = """
select pg_relation_filepath(r.oid) as path
  from pg_class c
 cross join lateral (select c.oid union all
                     select i.indexrelid from pg_index i where i.indrelid = c.oid) r
 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
   and (not c.relispartition or c.relname like '%' || to_char(now(), 'YYYY_MM'))"""


async def _checkpoint(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("checkpoint")
    await connection.close()


async def _write_images(url: str, wanted: bool) -> None:
    """A setting of the whole server; a checkpoint follows before anything is measured."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"alter system set full_page_writes = {'on' if wanted else 'off'}")
    await connection.execute("select pg_reload_conf()")
    await connection.close()


async def _read(url: str) -> Reading:
    await asyncio.sleep(0.5)  # the last processes of those before end
    connection = await asyncpg.connect(url)
    row = await connection.fetchrow(
        "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as log, wal_fpi, blks_hit + blks_read"
        " as pages, blks_read from pg_stat_wal, pg_stat_database where datname = current_database()"
    )
    await connection.close()
    return Reading(int(row["log"]), row["wal_fpi"], row["pages"], row["blks_read"])

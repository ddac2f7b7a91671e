"""The databases of the end-to-end run and the stacks on them. Their ports survive a restart."""

import asyncio
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from simulator import embedded
from simulator.settling import Windows
from simulator.stack import ANY_PORTS, EVERY, Approval, Ports, Stack

# A crash of the server process loses nothing with fsync off; only a crash of the machine would.
POSTGRES = {"fsync": "off", "full_page_writes": "off", "max_connections": "100"}


class Databases:
    """One Postgres and one Redis that tests may stop and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = embedded.start_postgres(folder / "postgres", settings=POSTGRES)
        try:
            self.redis = embedded.start_redis(folder / "redis")
        except BaseException:
            self.postgres.stop()
            raise

    def crash_postgres(self) -> None:
        """Immediate shutdown: no checkpoint, every connection cut, recovery at the next start."""
        self.postgres.process.send_signal(signal.SIGQUIT)
        self.postgres.process.wait(120)

    def start_postgres(self) -> None:
        port = self.postgres.port
        self.postgres = embedded.start_postgres(
            self.folder / "postgres", port=port, settings=POSTGRES
        )
        assert self.postgres.port == port, "somebody took the port meanwhile"

    def dump(self, database: str, file: Path) -> None:
        """As staff back it up."""
        self._run("pg_dump", "--format=custom", f"--file={file}", database)

    def restore(self, database: str, file: Path) -> None:
        """What was there is gone, whoever was connected."""
        self._run("dropdb", "--force", database)
        self._run("createdb", database)
        self._run("pg_restore", "--exit-on-error", f"--dbname={database}", str(file))

    def _run(self, program: str, *arguments: str) -> None:
        address = ["--host=127.0.0.1", f"--port={self.postgres.port}", "--username=postgres"]
        command = [str(embedded.program(program)), *address, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def stop_redis(self) -> None:
        self.redis.stop()

    def start_redis(self) -> None:
        port = self.redis.port
        self.redis = embedded.start_redis(self.folder / "redis", port=port)
        assert self.redis.port == port, "somebody took the port meanwhile"

    def stop(self) -> None:
        self.redis.stop()
        self.postgres.stop()


@contextmanager
def running(folder: Path) -> Iterator[Databases]:
    """Both servers for as long as the block lasts."""
    databases = Databases(folder)
    try:
        yield databases
    finally:
        databases.stop()


def start_stack(
    folder: Path,
    databases: Databases,
    *,
    database: str,
    redis_number: int,
    environment: Mapping[str, str],
    approval: Approval = "approve",
    operators: Iterable[str] = EVERY,
    windows: Windows | None = None,
    kind: type[Stack] = Stack,
    ports: Ports = ANY_PORTS,
) -> Stack:
    """The product on a database of its own, made now."""
    server = databases.postgres.url.rsplit("/", 1)[0]
    asyncio.run(_make_database(databases.postgres.url, database))
    redis = databases.redis.url.rsplit("/", 1)[0]
    return kind.start(
        folder,
        operators=operators,
        approval=approval,
        database_url=f"{server}/{database}",
        redis_url=f"{redis}/{redis_number}",
        windows=windows,
        ports=ports,
        environment=environment,
    )


async def _make_database(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"create database {name}")
    finally:
        await connection.close()

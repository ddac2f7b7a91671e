"""Who is frozen stands with what it holds, and wakes, also when whoever froze it is killed."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from simulator.stack import PROJECT
from tests.chaos.freezes import Freezer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SLEEPS = "import time; time.sleep(600)"
HAS_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPS!r}])"
FREEZES = """
import sys, time
from tests.chaos.freezes import Freezer
Freezer().freeze([int(sys.argv[1])])
print("frozen", flush=True)
time.sleep(600)
"""
PATIENCE_SECONDS = 120.0


@contextmanager
def running(program: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", program, *arguments]
    with subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def stands_still(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def child_of(pid: int) -> int | None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def wait_until(so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def test_a_server_stands_still_with_all_of_its_processes_and_wakes() -> None:
    freezer = Freezer()
    with running(HAS_A_CHILD) as process:
        wait_until(lambda: child_of(process.pid))
        child = child_of(process.pid)
        assert child is not None
        freezer.freeze_server(process.pid)
        assert stands_still(process.pid) and stands_still(child)
        freezer.thaw()
        wait_until(lambda: not stands_still(process.pid) and not stands_still(child))


def test_who_is_gone_freezes_nobody() -> None:
    with running(SLEEPS) as process:
        pass
    Freezer().freeze([process.pid])


def test_who_was_frozen_wakes_when_the_run_is_killed() -> None:
    with running(SLEEPS) as victim, running(FREEZES, str(victim.pid)) as run:
        assert run.stdout is not None and run.stdout.readline() == b"frozen\n"
        assert stands_still(victim.pid)
        run.kill()
        wait_until(lambda: not stands_still(victim.pid))


async def test_a_backend_is_frozen_that_has_written_and_keeps_its_lock(database_url: str) -> None:
    freezer = Freezer()
    connections = [await asyncpg.connect(database_url) for _ in range(3)]
    idle, writes, waits = connections
    try:
        await idle.execute("create table frozen (n int)")
        await idle.execute("insert into frozen values (0)")
        await writes.execute("begin")
        await writes.execute("update frozen set n = 1")
        await asyncio.to_thread(freezer.freeze_backend, database_url)
        assert stands_still(writes.get_server_pid())
        assert not stands_still(idle.get_server_pid())
        with pytest.raises(asyncpg.QueryCanceledError):
            await waits.execute("set statement_timeout = 200; update frozen set n = n + 10")
        freezer.thaw()
        await writes.execute("commit")
        assert await idle.fetchval("select n from frozen") == 1
    finally:
        freezer.thaw()
        for connection in connections:
            await connection.close()

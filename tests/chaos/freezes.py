"""Processes that stand still for longer than anybody waits, and then go on with what they held.

Nothing of theirs is lost: connections stay open, locks stay taken, answers wait in the kernel. It
knows nothing of payments.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterable
from pathlib import Path

import asyncpg

from simulator.guard import Guard

PREFERRED_SECONDS = 5.0
"""So long somebody is looked for who is in the middle of moving money."""
MET_SECONDS_MAX = 10.0
"""And so long one who is in the middle of anything."""
ANSWER_SECONDS_MAX = 60.0
"""While nobody stands still yet: then a look takes no longer than the machine is busy."""
LOOK_SECONDS_MAX = 2.0
STOPPED_SECONDS_MAX = 20.0
_BACKEND = (
    "select pid, backend_xid is not null as is_writing,"
    " strpos(query, 'commit_plans') > 0 as moves_money from pg_stat_activity"
    " where backend_type = 'client backend' and pid <> pg_backend_pid()"
    " and datname = current_database() and ($1::int is null or pid = $1)"
    " order by backend_xid is not null desc, strpos(query, 'commit_plans') > 0 desc,"
    " state = 'active' desc, backend_start limit 1"
)


class Freezer:
    """Stops processes by SIGSTOP and wakes them all; they wake as well when we are killed."""

    def __init__(self) -> None:
        self._stopped: dict[int, Guard] = {}

    def freeze(self, pids: Iterable[int]) -> None:
        """Returns once all stand still; of who is gone meanwhile nothing is stopped."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self._stopped[pid] = Guard(pid, signal.SIGCONT)
        deadline = time.monotonic() + STOPPED_SECONDS_MAX
        while any(_state(pid) not in "TZ" for pid in self._stopped) and time.monotonic() < deadline:
            time.sleep(0.005)

    def freeze_server(self, pid: int) -> None:
        """A server and all of its processes: the parent first, that it makes none meanwhile."""
        self.freeze([pid])
        self.freeze(children_of(pid))

    def freeze_backend(self, url: str) -> None:
        """One that has moved money and not committed yet; if none is met, that wrote anything, or
        any."""
        asyncio.run(self._freeze_backend(url))

    def thaw(self) -> None:
        """All of them. Safe to repeat."""
        while self._stopped:
            pid, guard = self._stopped.popitem()
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            guard.dismiss()

    async def _freeze_backend(self, url: str) -> None:
        connection = await asyncpg.connect(url, command_timeout=LOOK_SECONDS_MAX)
        try:
            began = time.monotonic()
            while True:
                row = await connection.fetchrow(_BACKEND, None, timeout=ANSWER_SECONDS_MAX)
                waited = time.monotonic() - began
                is_over = waited > MET_SECONDS_MAX
                is_met = row and row["is_writing"]
                if is_met and waited < PREFERRED_SECONDS:
                    is_met = row["moves_money"]
                if is_met or (row and is_over):
                    await asyncio.to_thread(self.freeze, [row["pid"]])
                    if is_over or await _holds(connection, row["pid"]):
                        return
                    self.thaw()  # it was faster than we were
                assert row or not is_over, "nobody is connected to Postgres"
                await asyncio.sleep(0.001)
        finally:
            connection.terminate()


async def _holds(connection: asyncpg.Connection, pid: int) -> bool:
    """Whether it stands still before its commit. Who keeps even us waiting holds more than rows."""
    try:
        row = await connection.fetchrow(_BACKEND, pid)
    except TimeoutError:
        return True
    return bool(row and row["is_writing"])


def _state(pid: int) -> str:
    """T for one that is stopped; one that is gone is like a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def children_of(pid: int) -> Collection[int]:
    """The processes it has made that live."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == pid:
                found.append(int(process.name))
    return found

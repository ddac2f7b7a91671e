"""Kills real processes in a loop, and starts them again; brings trouble, and ends it.

It knows nothing of payments.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence

import asyncpg
import httpx

from simulator.child import ChildDied
from simulator.stack import Stack
from tests.chaos.draws import Blow, Trouble, Victim
from tests.chaos.troubles import Troubles
from tests.crowding import crowding
from tests.e2e.servers import Databases

BACK_SECONDS_MAX = 40.0
"""As long as a start may take where every program has a processor."""
FELT_SECONDS_MAX = 20.0
POLL_SECONDS = 0.1
UP = b"worker is up"

_A_BACKEND = (
    "select pid from pg_stat_activity where backend_type = 'client backend'"
    " and pid <> pg_backend_pid() and datname = current_database()"
    " order by state = 'active' desc, backend_start limit 1"
)
# Servers before those who need them.
ORDER = (Victim.POSTGRES, Victim.BACKEND, Victim.REDIS, Victim.WEB, Victim.WORKER)


class NeverBack(AssertionError):
    """The product did not recover from a blow within `BACK_SECONDS_MAX`, on a crowded machine so
    many times as long as programs want each processor."""


class Patience:
    """Begins now. `is_over` when nobody waits any longer, for whatever the machine has to do."""

    def __init__(self, seconds: float) -> None:
        self._began, self._seconds, self._crowding = time.monotonic(), seconds, 1.0

    @property
    def is_over(self) -> bool:
        self._crowding = max(self._crowding, crowding())
        return self.waited > self._seconds * self._crowding

    @property
    def waited(self) -> float:
        """In seconds."""
        return time.monotonic() - self._began


class Killer:
    """Holds the life of one stack and its databases. `pids` are all that ever lived."""

    def __init__(self, stack: Stack, databases: Databases, troubles: Troubles) -> None:
        self._stack = stack
        self._databases = databases
        self.troubles = troubles
        self.pids: set[int] = set()
        self.remember()

    def remember(self) -> None:
        """Write down who lives now, to look for them when everything has been stopped."""
        stack, databases = self._stack, self._databases
        found = (
            stack.web.pid, stack.worker.pid, stack.sandboxes.pid,
            databases.postgres.pid, databases.redis.pid, *self.troubles.pids,
        )  # fmt: skip
        self.pids |= {pid for pid in found if pid is not None}

    async def strike(self, blow: Blow) -> list[str]:
        """Kill, wait, start again. Who ended without having been killed; he is started again too.

        Raises NeverBack when health does not come back.
        """
        victims = [victim for victim in blow.victims if isinstance(victim, Victim)]
        troubles = [trouble for trouble in blow.victims if isinstance(trouble, Trouble)]
        for victim in victims:
            if victim is Victim.BACKEND:
                await self._kill_backend()
            else:
                await asyncio.to_thread(self._kill, victim)
        for trouble in troubles:
            await asyncio.to_thread(self.troubles.begin, trouble, blow.off_seconds)
        await asyncio.sleep(blow.down_seconds)
        await self._until_felt(troubles)
        for trouble in troubles:
            await asyncio.to_thread(self.troubles.end, trouble, blow.off_seconds)
        for victim in sorted(victims, key=ORDER.index):
            await asyncio.to_thread(self._start, victim)
        self.remember()
        await self._healthy(after=", ".join(blow.victims))
        return await asyncio.to_thread(self._revive)

    async def _until_felt(self, troubles: Sequence[Trouble]) -> None:
        """What is refused is refused to who asks for it: on a slow machine that takes longer."""
        patience = Patience(FELT_SECONDS_MAX)
        for trouble in troubles:
            while not await asyncio.to_thread(self.troubles.is_felt, trouble):
                if patience.is_over:
                    return
                await asyncio.sleep(POLL_SECONDS)

    def _revive(self) -> list[str]:
        died: list[str] = []
        for child, victim in ((self._stack.web, Victim.WEB), (self._stack.worker, Victim.WORKER)):
            try:
                child.check()
            except ChildDied as error:
                died.append(f"not killed, and yet: {error}")
                self._start(victim)
        self.remember()
        return died

    def _kill(self, victim: Victim) -> None:
        match victim:
            case Victim.WEB:
                self._stack.kill_web()
            case Victim.WORKER:
                self._stack.kill_worker()
            case Victim.POSTGRES:
                self._databases.crash_postgres()
            case Victim.REDIS:
                self._databases.redis.process.kill()
                self._databases.redis.process.wait(120)

    def _start(self, victim: Victim) -> None:
        match victim:
            case Victim.WEB:
                self._stack.restart_web()
            case Victim.WORKER:
                self._start_worker()
            case Victim.POSTGRES:
                self._databases.start_postgres()
            case Victim.REDIS:
                self._databases.start_redis()

    def _start_worker(self) -> None:
        """Until it says that it is up: whoever begins while Postgres is away ends with a sentence.

        To begin anew is then a supervisor's affair, which is not played here. Dies a worker by
        itself before it is up, then `_revive` tells.
        """
        worker = self._stack.worker
        said = worker.log.read_bytes().count(UP)
        self._stack.restart_worker()
        patience = Patience(BACK_SECONDS_MAX)
        while worker.log.read_bytes().count(UP) == said and worker.is_alive:
            if patience.is_over:
                raise NeverBack(f"the worker was not up for {patience.waited:.0f} s")
            time.sleep(POLL_SECONDS)

    async def _kill_backend(self) -> None:
        """SIGKILL to one connection's process: Postgres throws all out and recovers by itself."""
        connection = await asyncpg.connect(self._stack.database_url)
        patience = Patience(BACK_SECONDS_MAX)
        try:
            while (pid := await connection.fetchval(_A_BACKEND)) is None:
                if patience.is_over:
                    raise NeverBack(f"nobody was connected to Postgres for {patience.waited:.0f} s")
                await asyncio.sleep(POLL_SECONDS)
            os.kill(pid, signal.SIGKILL)
        finally:
            connection.terminate()

    async def _healthy(self, *, after: str) -> None:
        """Until the server calls itself healthy."""
        patience = Patience(BACK_SECONDS_MAX)
        while not await asyncio.to_thread(self._is_healthy):
            if patience.is_over:
                raise NeverBack(f"not healthy for {patience.waited:.0f} s after {after}")
            await asyncio.sleep(POLL_SECONDS)

    def _is_healthy(self) -> bool:
        try:
            url = f"{self._stack.places.server}/health"
            return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


async def wait_for(claim: Callable[[], bool], excuse: str, seconds: float) -> None:
    """Raises NeverBack with `excuse` when the claim has not come true by then; on a crowded machine
    so much later."""
    patience = Patience(seconds)
    while not claim():
        if patience.is_over:
            raise NeverBack(f"{excuse} (waited {patience.waited:.0f} s)")
        await asyncio.sleep(POLL_SECONDS)

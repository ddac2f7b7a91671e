"""What goes wrong while everybody lives: networks, servers that refuse, processes that stand still.

Each begins and ends. It knows nothing of payments.
"""

import asyncio
import os
import signal
import socket
import struct
import time

import asyncpg
import redis

from simulator.child import Child
from simulator.stack import Stack
from tests.chaos.draws import Trouble
from tests.chaos.relay import HOST, Network, Weather
from tests.e2e.servers import Databases

POSTGRES, REDIS, GATEWAY, CALLBACKS = "postgres", "redis", "gateway", "callbacks"
"""Ways of the network; the others lead to operators by their names."""
OPERATORS = "operators"

TAKEN_SECONDS = 1.5
WOKEN_SECONDS = 1.5
"""So long two workers are at it together after one that stood still has woken up."""
LED_TO = frozenset({POSTGRES, REDIS, CALLBACKS, OPERATORS})
"""Whom a weather can part from us; with the operators the SMS gateway."""
BEGUN_OTHERWISE = frozenset({
    Trouble.POSTGRES_FULL, Trouble.POSTGRES_READ_ONLY, Trouble.REDIS_FULL, Trouble.REDIS_EMPTIED,
    Trouble.WEB_STOPPED, Trouble.WORKER_STOPPED,
})  # fmt: skip


class Troubles:
    """Begins and ends them, one at a time. `pids`: of processes that were started for it."""

    def __init__(self, stack: Stack, databases: Databases, network: Network) -> None:
        self._stack = stack
        self._databases = databases
        self._network = network
        self._second: Child | None = None
        self._taken: list[socket.socket] = []  # connections of Postgres
        self.pids: list[int | None] = []

    def begin(self, trouble: Trouble) -> None:
        if trouble not in BEGUN_OTHERWISE:
            whom, what = trouble.split()
            self._network.change(self._ways(whom), Weather(what))
            return
        match trouble:
            case Trouble.POSTGRES_FULL:
                self._take_connections()
            case Trouble.POSTGRES_READ_ONLY:
                asyncio.run(self._let_write(is_open=False))
            case Trouble.REDIS_FULL:
                self._redis("config", "set", "maxmemory", "1")
            case Trouble.REDIS_EMPTIED:
                self._redis("flushall")
            case Trouble.WEB_STOPPED:
                _signal(self._stack.web, signal.SIGSTOP)
            case Trouble.WORKER_STOPPED:
                _signal(self._stack.worker, signal.SIGSTOP)
                self._start_second()

    def end(self, trouble: Trouble) -> None:
        if trouble not in BEGUN_OTHERWISE:
            whom, _ = trouble.split()
            self._network.change(self._ways(whom), Weather.CLEAR)
            return
        match trouble:
            case Trouble.POSTGRES_FULL:
                for connection in self._taken:
                    connection.close()
                self._taken.clear()
            case Trouble.POSTGRES_READ_ONLY:
                asyncio.run(self._let_write(is_open=True))
            case Trouble.REDIS_FULL:
                self._redis("config", "set", "maxmemory", "0")
            case Trouble.WEB_STOPPED:
                _signal(self._stack.web, signal.SIGCONT)
            case Trouble.WORKER_STOPPED:
                _signal(self._stack.worker, signal.SIGCONT)
                time.sleep(WOKEN_SECONDS)
                assert self._second is not None
                self._second.stop()

    def _ways(self, whom: str) -> list[str]:
        if whom != OPERATORS:
            return [whom]
        return [GATEWAY, *self._stack.places.operators]

    def _start_second(self) -> None:
        if self._second is None:
            self._second = self._stack.second_worker()
        else:
            self._second.start()
        self.pids.append(self._second.pid)

    def _redis(self, *command: str) -> None:
        with redis.Redis.from_url(self._databases.redis.url) as client:
            client.execute_command(*command)

    async def _let_write(self, *, is_open: bool) -> None:
        connection = await asyncpg.connect(self._databases.postgres.url)
        try:
            await connection.execute("set default_transaction_read_only = off")
            await connection.execute(
                f"alter system set default_transaction_read_only = {'off' if is_open else 'on'}"
            )
            await connection.execute("select pg_reload_conf()")
        finally:
            await connection.close()

    def _take_connections(self) -> None:
        """All there are, the server's among them: it finds none for a new one."""
        port = self._databases.postgres.port
        deadline = time.monotonic() + TAKEN_SECONDS
        is_cut = False
        while time.monotonic() < deadline:
            taken = _taken(port)
            if taken is not None:
                self._taken.append(taken)
            elif is_cut:
                time.sleep(0.02)
            else:
                is_cut = True
                self._network.change([POSTGRES], Weather.CUT)
                self._network.change([POSTGRES], Weather.CLEAR)


_STARTUP = b"\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00"


def _taken(port: int) -> socket.socket | None:
    """A connection of Postgres that nobody uses; None when it has no more to give."""
    taken = socket.create_connection((HOST, port), timeout=5)
    taken.sendall(struct.pack("!i", len(_STARTUP) + 4) + _STARTUP)
    first = taken.recv(1)  # R: welcome; E: too many are here
    if first == b"R":
        return taken
    taken.close()
    return None


def _signal(child: Child, number: signal.Signals) -> None:
    assert child.pid is not None
    os.kill(child.pid, number)

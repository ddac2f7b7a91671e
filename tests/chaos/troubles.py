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
from tests.chaos.clocks import Clocks
from tests.chaos.disks import SmallDisk
from tests.chaos.draws import CLOCKS, FREEZES, OVERTAKES, STARVES, Trouble
from tests.chaos.freezes import Freezer, children_of
from tests.chaos.hunger import Hunger
from tests.chaos.relay import HOST, Network, Weather
from tests.e2e.servers import Databases

POSTGRES, REDIS, GATEWAY, CALLBACKS = "postgres", "redis", "gateway", "callbacks"
"""Ways of the network; the others lead to operators by their names."""
OPERATORS = "operators"

TAKEN_SECONDS = 1.5
WOKEN_SECONDS = 1.5
"""So long two workers are at it together after one that stood still has woken up."""
CAUGHT_SECONDS = 1.5
"""So long calls gather that hang with operators, before one is frozen who waits for them."""
LED_TO = frozenset({POSTGRES, REDIS, CALLBACKS, OPERATORS})
"""Whom a weather can part from us; with the operators the SMS gateway."""
BEGUN_OTHERWISE = frozenset({
    Trouble.POSTGRES_FULL, Trouble.POSTGRES_READ_ONLY, Trouble.REDIS_FULL, Trouble.REDIS_EMPTIED,
    Trouble.REDIS_LAGGED,
    Trouble.WEB_STOPPED, Trouble.WORKER_STOPPED, *FREEZES, *CLOCKS,
    *STARVES, Trouble.DISK_FULL,
})  # fmt: skip


Copied = list[tuple[bytes, int, bytes]]
"""Keys of Redis, for how many milliseconds longer each is kept, and what stands there."""


class Troubles:
    """Begins and ends them, one at a time. `pids`: of processes that were started for it."""

    def __init__(
        self,
        stack: Stack,
        databases: Databases,
        network: Network,
        disk: SmallDisk | None = None,
    ) -> None:
        """`disk`: what Postgres keeps its files on, if that can be filled."""
        self._stack = stack
        self._databases = databases
        self._network = network
        self._disk = disk
        self._second: Child | None = None
        self._taken: list[socket.socket] = []  # connections of Postgres
        self._copied: Copied = []  # what Redis held a while ago
        self._freezer = Freezer()
        self._hunger = Hunger()
        self._refusals = 0  # which Postgres had written down before
        self.clocks = Clocks(stack)
        self.pids: list[int | None] = []

    def begin(self, trouble: Trouble, off_seconds: float = 0.0) -> None:
        """`off_seconds`: by how much a clock is moved, either way."""
        whom, what = trouble.split()
        if trouble not in BEGUN_OTHERWISE:
            self._network.change(self._ways(whom), Weather(what))
        elif trouble in CLOCKS:
            self.clocks.move(whom, off_seconds if what == "ahead" else -off_seconds)
        elif trouble in FREEZES:
            self._freeze(trouble)
        elif trouble in STARVES:
            self._refusals = self._count_refusals()
            self._hunger.begin(self._hungry(trouble))
        else:
            self._begin(trouble)

    def _begin(self, trouble: Trouble) -> None:
        match trouble:
            case Trouble.POSTGRES_FULL:
                self._take_connections()
            case Trouble.POSTGRES_READ_ONLY:
                asyncio.run(self._let_write(is_open=False))
            case Trouble.REDIS_FULL:
                self._redis("config", "set", "maxmemory", "1")
            case Trouble.REDIS_EMPTIED:
                self._redis("flushall")
            case Trouble.REDIS_LAGGED:
                self._copied = self._copy_redis()
            case Trouble.WEB_STOPPED:
                _signal(self._stack.web, signal.SIGSTOP)
            case Trouble.WORKER_STOPPED:
                _signal(self._stack.worker, signal.SIGSTOP)
                self._start_second()
            case Trouble.DISK_FULL:
                assert self._disk is not None, "this run has no disk that can be filled"
                self._disk.fill()

    def end(self, trouble: Trouble, off_seconds: float = 0.0) -> None:
        """What `begin` began. Whoever was overtaken works with the others for a while."""
        whom, what = trouble.split()
        if trouble not in BEGUN_OTHERWISE:
            self._network.change(self._ways(whom), Weather.CLEAR)
        elif trouble in CLOCKS:
            self.clocks.put_right(whom, off_seconds if what == "ahead" else -off_seconds)
        elif trouble in FREEZES:
            self._freezer.thaw()
            if trouble is Trouble.WORKER_OVERTAKEN:
                self._stop_second()
        elif trouble in STARVES:
            self._hunger.end()
            self._start_the_starved(trouble)
        else:
            self._end(trouble)

    def release(self) -> None:
        """Nobody stands still or starves any more, whatever was begun and not ended. Safe to
        repeat.
        """
        self._freezer.thaw()
        self._hunger.end()

    def _end(self, trouble: Trouble) -> None:
        match trouble:
            case Trouble.POSTGRES_FULL:
                for connection in self._taken:
                    connection.close()
                self._taken.clear()
            case Trouble.POSTGRES_READ_ONLY:
                asyncio.run(self._let_write(is_open=True))
            case Trouble.REDIS_FULL:
                self._redis("config", "set", "maxmemory", "0")
            case Trouble.REDIS_LAGGED:
                self._put_back(self._copied)
            case Trouble.WEB_STOPPED:
                _signal(self._stack.web, signal.SIGCONT)
            case Trouble.WORKER_STOPPED:
                _signal(self._stack.worker, signal.SIGCONT)
                self._stop_second()
            case Trouble.DISK_FULL:
                self._make_room()

    def _freeze(self, trouble: Trouble) -> None:
        stack, databases = self._stack, self._databases
        if trouble in OVERTAKES:
            self._network.change(self._ways(OPERATORS), Weather.STILL)
            time.sleep(CAUGHT_SECONDS)
        match trouble:
            case Trouble.WEB_FROZEN | Trouble.WEB_OVERTAKEN:
                self._freezer.freeze([_pid(stack.web)])
            case Trouble.WORKER_FROZEN | Trouble.WORKER_OVERTAKEN:
                self._freezer.freeze([_pid(stack.worker)])
            case Trouble.REDIS_FROZEN:
                self._freezer.freeze([databases.redis.pid])
            case Trouble.BACKEND_FROZEN:
                self._freezer.freeze_backend(stack.database_url)
            case Trouble.POSTGRES_FROZEN:
                self._freezer.freeze_server(databases.postgres.pid)
            case Trouble.MACHINE_FROZEN:
                self._freezer.freeze([_pid(stack.web), _pid(stack.worker), databases.redis.pid])
                self._freezer.freeze_server(databases.postgres.pid)
        if trouble is Trouble.WORKER_OVERTAKEN:
            self._start_second()
        if trouble in OVERTAKES:  # what hung is carried out, and its answers wait for who sleeps
            self._network.change(self._ways(OPERATORS), Weather.CLEAR)

    def _hungry(self, trouble: Trouble) -> list[int]:
        """Of Postgres all but the first: who connects meanwhile is served as ever."""
        match trouble:
            case Trouble.WEB_STARVED:
                return [_pid(self._stack.web)]
            case Trouble.WORKER_STARVED:
                return [_pid(self._stack.worker)]
        return [*children_of(self._databases.postgres.pid)]

    def is_felt(self, trouble: Trouble) -> bool:
        """Whether somebody was refused memory by now; of any other trouble it is not asked."""
        match trouble:
            case Trouble.WEB_STARVED:
                return not self._stack.web.is_alive
            case Trouble.WORKER_STARVED:
                return not self._stack.worker.is_alive
            case Trouble.POSTGRES_STARVED:
                return self._count_refusals() > self._refusals
        return True

    def _count_refusals(self) -> int:
        log = self._databases.folder / "postgres" / "server.log"
        return log.read_bytes().count(b"out of memory")

    def _start_the_starved(self, trouble: Trouble) -> None:
        """Who was refused memory has ended, and a supervisor starts it again."""
        stack = self._stack
        if trouble is Trouble.WEB_STARVED and not stack.web.is_alive:
            stack.restart_web()
        if trouble is Trouble.WORKER_STARVED and not stack.worker.is_alive:
            stack.restart_worker()

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

    def _make_room(self) -> None:
        """Where there was none for its own journal Postgres has ended: people start it again."""
        assert self._disk is not None
        self._disk.clear()
        if self._databases.postgres.process.poll() is not None:
            self._databases.start_postgres()

    def _stop_second(self) -> None:
        time.sleep(WOKEN_SECONDS)
        assert self._second is not None
        self._second.stop()

    def _redis(self, *command: str) -> None:
        with redis.Redis.from_url(self._databases.redis.url) as client:
            client.execute_command(*command)

    def _copy_redis(self) -> Copied:
        with redis.Redis.from_url(self._databases.redis.url) as client:
            found = [(key, client.pttl(key), client.dump(key)) for key in client.scan_iter()]
        return [(key, max(left, 0), told) for key, left, told in found if told is not None]

    def _put_back(self, copied: Copied) -> None:
        """In one moment, as when a replica takes over that was so far behind."""
        with redis.Redis.from_url(self._databases.redis.url) as client:
            at_once = client.pipeline(transaction=True)
            at_once.flushall()
            for key, left_ms, told in copied:
                at_once.restore(key, left_ms, told)
            at_once.execute()

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
    os.kill(_pid(child), number)


def _pid(child: Child) -> int:
    assert child.pid is not None
    return child.pid

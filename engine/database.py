"""Connections to Postgres, and the partitions of the months ahead."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import asyncpg

from engine.arrays import register_codecs
from engine.clock import first_id_at
from engine.errors import NotServed
from engine.privacy.seals import PLAIN, Seals

log = logging.getLogger(__name__)

MONTHS_AHEAD = 3
POOL_SIZE = 8
OLDEST_POSTGRES = 15

CONNECT_SECONDS_MAX = 10.0
ANSWER_SECONDS_MAX = 30.0
"""How long a process that serves waits for one statement. Who has heard nothing for so long talks
to a machine, a balancer or a pooler that has lost the connection without a word, and would wait for
ever."""
CLOSE_SECONDS_MAX = 10.0
"""So long a pool that closes waits for what was lent, and for the server to hang up as well."""
WHO_IS_GONE = {  # milliseconds; what an address says itself is left to it
    # A process that is frozen says nothing more, and its kernel goes on answering for it: its
    # transaction would keep its locks for ever. What stands open for longer says so (`stand_open`).
    "idle_in_transaction_session_timeout": "10000",
    # Who has hung up waits for nothing, yet what he asked would go on, and wait for its locks.
    "client_connection_check_interval": "5000",
}
"""What the server is to do about us when we are gone. Neither ever ends a commit that waits for a
standby: it would be stored here, told as done to whoever asks again, and lost with this machine
(`ledger/decisions/0010`)."""
POOLERS = "deploy/pooler.md"
_KEPT_ALIVE = (
    ("SOL_SOCKET", "SO_KEEPALIVE", 1),
    ("IPPROTO_TCP", "TCP_KEEPIDLE", 30),  # seconds; a firewall forgets who is silent for minutes
    ("IPPROTO_TCP", "TCP_KEEPINTVL", 10),
    ("IPPROTO_TCP", "TCP_KEEPCNT", 3),
    ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 60_000),  # milliseconds
)

# The role in an address does not exist, or is not the login's to take on.
_NOT_SERVED = (asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError)


async def connect(url: str, *, answer_seconds_max: float | None = None) -> Any:
    """One connection whose array types are packed by our own codecs (`arrays.py`).

    It is whom the address says, a tenant's role where we serve (`row_security.as_tenant`). Who is
    not answered within `answer_seconds_max` gets TimeoutError, an OSError: what was asked may have
    been done, and the connection must be ended: seconds later the server gives up what was asked.
    Without it a statement may take for ever.

    Raises NotServed when it cannot be whom the address says, when what lies between refused or
    dropped that, or where Postgres is too old; and what `asyncpg.connect` raises.
    """
    try:
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_SECONDS_MAX,
            command_timeout=answer_seconds_max,
            server_settings=who_is_gone(url),
        )
    except _NOT_SERVED as error:
        raise NotServed(f"{error}: `capp migrate` makes it, or says who must") from error
    except asyncpg.ProtocolViolationError as error:  # what PgBouncer says of all its troubles
        if "startup parameter" not in str(error):
            raise
        raise NotServed(f"{error}: what a pooler must be told stands in {POOLERS}") from error
    try:
        _keep_alive(connection)
        must_be_new_enough(connection)
        register_codecs(connection)
        await _must_be_who_was_asked_for(connection, url)
    except BaseException:
        connection.terminate()
        raise
    return connection


def must_be_new_enough(connection: Any) -> None:
    """Raises NotServed on a Postgres that lacks what the schema and our statements need."""
    major = connection.get_server_version().major
    if major < OLDEST_POSTGRES:
        raise NotServed(f"this is Postgres {major}: {OLDEST_POSTGRES} or newer is needed")


async def _must_be_who_was_asked_for(connection: Any, url: str) -> None:
    """A pooler may drop the role without a word: its login may be above the rules of tenants."""
    asked = parse_qs(urlsplit(url).query).get("role", [])
    if not asked:
        return
    found = await connection.fetchval("select current_user::text")
    if found != asked[-1]:
        raise NotServed(
            f"this connection is {found}, not {asked[-1]}: what lies between dropped the role. What"
            f" a pooler must be told stands in {POOLERS}"
        )


async def lost_on_the_way(connection: Any, url: str) -> list[str]:
    """Which words of WHO_IS_GONE the server never heard: it would wait for us for ever."""
    asked = list(who_is_gone(url))
    off = "select array(select name from unnest($1::text[]) name where current_setting(name) = '0')"
    lost: list[str] = await connection.fetchval(off, asked)
    return lost


def who_is_gone(url: str) -> dict[str, str]:
    """How a connection to that address is to be opened, so that whoever is gone holds no locks."""
    return {name: value for name, value in WHO_IS_GONE.items() if f"{name}=" not in url}


async def stand_open(connection: Any, seconds: int) -> None:
    """Let this transaction wait so long for our next word: something is worked out in it, or others
    are asked. Where its process is stopped it keeps its locks for as long.
    """
    await connection.execute(
        "select set_config('idle_in_transaction_session_timeout', $1, true)", f"{seconds}s"
    )


def _keep_alive(connection: Any) -> None:
    """Have the system find out that nobody is there any more, also while nothing is asked."""
    transport = connection._transport  # asyncpg has no other door to its socket
    bare = transport.get_extra_info("socket")
    if bare is None or bare.family not in (socket.AF_INET, socket.AF_INET6):
        return
    for level, option, value in _KEPT_ALIVE:
        if hasattr(socket, option):  # not every system has each
            bare.setsockopt(getattr(socket, level), getattr(socket, option), value)


async def must_take_writes(connection: Any) -> None:
    """Raises asyncpg.ReadOnlySQLTransactionError where nothing can be stored; takes a pool too."""
    if await connection.fetchval("show transaction_read_only") == "on":
        raise asyncpg.ReadOnlySQLTransactionError(
            "it takes no writes: a standby, a full disk, or default_transaction_read_only"
        )


async def open_pool(url: str, *, size: int = POOL_SIZE) -> "Pool":
    """A pool for reads and small writes; the commit has connections of its own.

    The first connection is opened here: raises what `connect` raises.
    """
    pool = Pool(partial(connect, url), size=size)
    async with pool.acquire():
        return pool


class Pool:
    """At most `size` connections, opened when needed, each lent to one caller at a time.

    It does for us what asyncpg's own pool does, whose lending costs more CPU than a short
    statement: 115 µs beside 75, here 20. Nothing is ever sent twice: who catches a connection that
    has just died gets the error, and the next caller a new connection. No statement of ours
    changes a connection, so none is reset.
    """

    def __init__(self, open_connection: Callable[[], Awaitable[Any]], *, size: int) -> None:
        self._open = open_connection
        self._size = size
        self._free = asyncio.Semaphore(size)
        self._resting: list[Any] = []  # the last one back is the next to go: it is the warmest
        self._is_closed = False
        self.seals: Seals = PLAIN  # set before stores are built; they ask `seals_of`

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        async with self.acquire() as connection:
            rows: list[Any] = await connection.fetch(query, *arguments)
            return rows

    async def fetchrow(self, query: str, *arguments: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchval(query, *arguments)

    async def execute(self, query: str, *arguments: Any) -> str:
        async with self.acquire() as connection:
            status: str = await connection.execute(query, *arguments)
            return status

    async def executemany(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        async with self.acquire() as connection:
            await connection.executemany(query, rows)

    def acquire(self) -> "_Loan":
        """`async with pool.acquire() as connection`, for several statements or a transaction.

        Or `await` it, and call `release`. Raises asyncpg.InterfaceError when the pool is closed,
        and what connecting raises.
        """
        return _Loan(self)

    async def release(self, connection: Any) -> None:
        """Give back what was awaited from `acquire`."""
        self.give_back(connection, is_sound=True)

    async def close(self) -> None:
        """Wait until everything lent is back, then hang up. Safe to repeat.

        A server that stands still says nothing, not even goodbye: after `CLOSE_SECONDS_MAX` the
        rest is left, and ends with the process.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                for _ in range(self._size):
                    await self._free.acquire()
                while self._resting:
                    await self._resting.pop().close()
        except TimeoutError:
            log.warning("Postgres does not let go: its connections are given up")
            self.let_go_of_the_resting()

    async def take(self) -> Any:
        """For `acquire`, which also gives back."""
        if self._is_closed:
            raise asyncpg.InterfaceError("the pool is closed")
        await self._free.acquire()
        try:
            while self._resting:
                connection = self._resting.pop()
                if not connection.is_closed():
                    return connection
            return await self._open()
        except BaseException:
            self._free.release()
            raise

    def give_back(self, connection: Any, *, is_sound: bool) -> None:
        """An unsound connection may be in the middle of something: nobody gets it again."""
        if not is_sound or connection.is_in_transaction():
            connection.terminate()
        elif not connection.is_closed():
            self._resting.append(connection)
        self._free.release()

    def let_go_of_the_resting(self) -> None:
        """They lead where nobody answers, too: each would cost the next caller the same wait."""
        while self._resting:
            self._resting.pop().terminate()


class _Loan:
    """Written out, because a generator as a context manager would cost as much as the lending."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __await__(self) -> Generator[Any, None, Any]:
        return self._pool.take().__await__()

    async def __aenter__(self) -> Any:
        self._connection = await self._pool.take()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        # An Exception is an answer, or the end of the connection; anything else is a caller who
        # gave up while his statement was under way.
        is_confused = isinstance(error, asyncpg.InternalClientError)
        # Who was first and is a standby now answers on, for ever: another connection may find more.
        # Whose answer did not come in time may be gone for good.
        no_use = (asyncpg.ReadOnlySQLTransactionError, TimeoutError)
        is_of_no_use = is_confused or isinstance(error, no_use)
        is_sound = kind is None or (issubclass(kind, Exception) and not is_of_no_use)
        self._pool.give_back(self._connection, is_sound=is_sound)
        if isinstance(error, TimeoutError):
            self._pool.let_go_of_the_resting()
        if is_confused:
            # What asyncpg says when the server's farewell meets the next statement half-way.
            raise asyncpg.ConnectionDoesNotExistError("the connection has ended") from error


async def ensure_months(connection: Any, now: datetime) -> None:
    """Make the partitions from last month to `MONTHS_AHEAD` after `now`. Safe to repeat.

    Who serves a tenant can do so for months around today's alone.
    """
    for offset in range(-1, MONTHS_AHEAD + 1):
        first, after = _month(now, offset), _month(now, offset + 1)
        await connection.execute(
            "select ensure_month($1, $2, $3)",
            f"{first:%Y_%m}",
            UUID(first_id_at(first)),
            UUID(first_id_at(after)),
        )


async def have_months(connection: Any, now: datetime) -> None:
    """`ensure_months` for a start, which needs this month and the next: what comes later can wait.

    What kept others from being made is logged; the worker tries again. Raises it where one of the
    two is missing. Safe to repeat.
    """
    try:
        await ensure_months(connection, now)
    except asyncpg.PostgresError as error:
        needed = [f"{_month(now, offset):%Y_%m}" for offset in (0, 1)]
        if await connection.fetchval(_LACKS_A_MONTH, needed):
            raise
        log.warning("partitions: %s", error)


_LACKS_A_MONTH = """
select exists (
  select from pg_partitioned_table join pg_class t on t.oid = partrelid, unnest($1::text[]) month
   where t.relnamespace = current_schema()::regnamespace
     and not exists (select from pg_inherits join pg_class part on part.oid = inhrelid
                      where inhparent = t.oid and part.relname = t.relname || '_' || month))"""


def _month(now: datetime, offset: int) -> datetime:
    months = now.year * 12 + now.month - 1 + offset
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)

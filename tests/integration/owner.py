"""What no serving connection may do and a test must: forge, forget, stand in for another tenant."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg


class Owner:
    """The tables' owner on the connections of a pool, whoever its connections serve otherwise.

    The tests' login owns everything, so it only has to leave the tenant's role for a moment.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as connection:
            await connection.execute("set role none")
            try:
                yield connection
            finally:
                await connection.execute("reset role")

    async def execute(self, query: str, *arguments: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.execute(query, *arguments)

    async def force(self, query: str, *arguments: Any) -> Any:
        """The same past what tables themselves refuse: what a newer version's may allow, or
        somebody who has switched that off."""
        async with self.acquire() as connection, connection.transaction():
            await connection.execute("set local session_replication_role = replica")
            return await connection.execute(query, *arguments)

    async def executemany(self, query: str, rows: Any) -> None:
        async with self.acquire() as connection:
            await connection.executemany(query, rows)

    async def fetch(self, query: str, *arguments: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchval(query, *arguments)


def tell_owner(url: str, *statements: str) -> None:
    """On a connection of its own, for where no loop is running yet: roles, and steps back."""
    asyncio.run(_tell(url, statements))


async def _tell(url: str, statements: Sequence[str]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()

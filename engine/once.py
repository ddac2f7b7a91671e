"""The same request twice is one: what was answered under a key is answered again, byte for byte.

A request is taken under its key before it is carried out, with an id for whatever it makes. Whoever
takes it up again after a crash makes the same thing again, which every room of ours bears. It
refuses to know who asks: each kind of callers has a book of its own.
"""

from typing import Any, Final, NamedTuple

from engine.clock import Clock, Ids
from engine.privacy.places import answer_place
from engine.privacy.seals import seals_of

UNDER_WAY_SECONDS = 60
"""So long a request may be under way; then its process is taken for dead and a repeat goes on."""
KEPT_SECONDS = 7 * 24 * 3600
FORGOTTEN_AT_ONCE = 100


class Book(NamedTuple):
    """Where the requests of one kind of callers are kept: the table, and its word for a caller."""

    table: str
    owner: str


OF_STAFF: Final = Book("staff_request", "member")
OF_CLIENTS: Final = Book("client_request", "client")


class Request(NamedTuple):
    """Who asked under which key. `hash` is of everything that was asked."""

    owner: str
    key: str
    hash: bytes


class Taken(NamedTuple):
    """It is ours to carry out. `operation` is the id of what it makes."""

    operation: str
    begun_ms: int


class Answered(NamedTuple):
    """It was carried out before, and this was answered."""

    status: int
    body: bytes


class UnderWay(NamedTuple):
    """It is being carried out this moment, or was when its process died."""

    seconds: int  # until a repeat would go on with it


class OtherRequest(NamedTuple):
    """The key stands for something else."""


class Once:
    """Requests of one tenant's callers. Every method raises what the pool raises."""

    def __init__(self, pool: Any, tenant: int, clock: Clock, ids: Ids, book: Book) -> None:
        self._sql = _Statements.of(book)
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._ids = ids
        self._seals = seals_of(pool)

    async def take(self, request: Request) -> Taken | Answered | UnderWay | OtherRequest:
        """Take a request, or say why not. What is older than a week is forgotten here."""
        now_ms = int(self._clock.epoch() * 1000)
        await self._forget(now_ms - KEPT_SECONDS * 1000)
        row = await self._pool.fetchrow(
            self._sql.take, *self._name(request), request.hash, self._ids.hex(), now_ms,
            now_ms - UNDER_WAY_SECONDS * 1000,
        )  # fmt: skip
        if row is not None:
            return Taken(row["operation"].hex, row["begun_ms"])
        row = await self._pool.fetchrow(self._sql.look, *self._name(request))
        if row is None:  # given back this moment
            return UnderWay(1)
        if row["hash"] != request.hash:
            return OtherRequest()
        if row["status"] is not None:
            place = answer_place(row["operation"].hex)
            answer = self._seals.open(row["answer"].decode(), place)
            return Answered(row["status"], answer.encode())
        return UnderWay(max(1, UNDER_WAY_SECONDS - (now_ms - row["begun_ms"]) // 1000))

    async def keep(self, request: Request, taken: Taken, status: int, body: bytes) -> None:
        """What is answered from now on; nothing is kept by one who was taken for dead."""
        sealed = self._seals.seal(body.decode(), answer_place(taken.operation)).encode()
        await self._pool.execute(
            self._sql.keep, *self._name(request), taken.begun_ms, status, sealed
        )

    async def give_back(self, request: Request, taken: Taken) -> None:
        """Nothing came of it, and it may be tried again under the same key at once."""
        await self._pool.execute(self._sql.give_back, *self._name(request), taken.begun_ms)

    def _name(self, request: Request) -> tuple[int, str, str]:
        return self._tenant, request.owner, request.key

    async def _forget(self, before_ms: int) -> None:
        await self._pool.execute(self._sql.forget, self._tenant, before_ms, FORGOTTEN_AT_ONCE)


class _Statements(NamedTuple):
    """The same five for each book; only fixed names are put together."""

    take: str
    look: str
    keep: str
    give_back: str
    forget: str

    @classmethod
    def of(cls, book: Book) -> "_Statements":
        table, owner = book
        one = f"where tenant = $1 and {owner} = $2 and key = $3"
        return cls(
            take=f"insert into {table} as r (tenant, {owner}, key, hash, operation, begun_ms)"
            f" values ($1, $2, $3, $4, $5, $6) on conflict (tenant, {owner}, key)"
            " do update set begun_ms = excluded.begun_ms"
            " where r.status is null and r.hash = excluded.hash and r.begun_ms < $7"
            " returning operation, begun_ms",
            look=f"select hash, operation, begun_ms, status, answer from {table} {one}",
            keep=f"update {table} set status = $5, answer = $6 {one} and begun_ms = $4"
            " and status is null",
            give_back=f"delete from {table} {one} and begun_ms = $4 and status is null",
            forget=f"delete from {table} where (tenant, {owner}, key) in (select tenant, {owner},"
            f" key from {table} where tenant = $1 and begun_ms < $2 limit $3)",
        )

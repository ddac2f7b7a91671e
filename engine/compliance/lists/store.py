"""The versions of the lists that were loaded, whole and for ever; the newest is in force."""

import hashlib
import zlib
from typing import Any

import msgspec

from engine.compliance.lists.listed import Listed, ListFile, Source, published_on
from engine.errors import Unreadable

_NEWEST = """
select distinct on (source) source, version, published, loaded_ms, entry_count, digest
  from screening_list where tenant = $1 order by source, version desc
"""
_ENTRIES = """
select entries from screening_list where tenant = $1 and source = $2 and version = $3
"""
_INSERT = """
insert into screening_list (tenant, source, version, published, loaded_ms, entry_count, digest,
                            entries)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_CONFIRM = """
insert into screening_confirmation as c (tenant, source, confirmed_ms) values ($1, $2, $3)
on conflict (tenant, source)
  do update set confirmed_ms = greatest(c.confirmed_ms, excluded.confirmed_ms)
"""
_CONFIRMED = "select source, confirmed_ms from screening_confirmation where tenant = $1"
_TAKE_TURNS = "select pg_advisory_xact_lock(hashtext('screening_list'), $1)"


class Version(msgspec.Struct, frozen=True):
    """A list as it was loaded once. `published` is the publisher's word for its date."""

    source: Source
    version: int
    published: str
    loaded_ms: int
    entry_count: int
    digest: str


class Loaded(msgspec.Struct, frozen=True):
    """What came of loading a file. `fresh` is False when it says what is in force already."""

    version: Version
    fresh: bool


class ListStore:
    """The lists of one tenant, on an asyncpg pool."""

    def __init__(self, pool: Any, tenant: int, *, smaller_percent_min: int) -> None:
        """A file with fewer entries than `smaller_percent_min` of the one in force is refused."""
        self._pool = pool
        self._tenant = tenant
        self._smaller_percent_min = smaller_percent_min

    async def newest(self) -> dict[Source, Version]:
        """The versions in force."""
        rows = await self._pool.fetch(_NEWEST, self._tenant)
        found = (Version(Source(row["source"]), *list(row.values())[1:]) for row in rows)
        return {version.source: version for version in found}

    async def confirmed(self) -> dict[Source, int]:
        """When the version in force was loaded last, again or for the first time, in epoch ms.

        Nothing of a list that was loaded only before this was kept.
        """
        rows = await self._pool.fetch(_CONFIRMED, self._tenant)
        return {Source(row["source"]): row["confirmed_ms"] for row in rows}

    async def entries(self, version: Version) -> tuple[Listed, ...]:
        """All entries of a version."""
        packed = await self._pool.fetchval(_ENTRIES, self._tenant, version.source, version.version)
        return _unpack(packed)

    async def load(
        self,
        file: ListFile,
        at_ms: int,
        *,
        accept_smaller: bool = False,
        accept_older: bool = False,
    ) -> Loaded:
        """Put a file in force, in one step. The same entries again only confirm what is in force.

        Raises Unreadable, and the old version stays, when the file is empty, suddenly much smaller
        or published on an earlier day; `accept_...` is the word of a person who has looked.
        """
        packed = zlib.compress(msgspec.msgpack.encode(file.entries), 9)
        digest = hashlib.sha256(msgspec.msgpack.encode(file.entries)).hexdigest()
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_TAKE_TURNS, self._tenant)
            row = next(
                (r for r in await connection.fetch(_NEWEST, self._tenant)
                 if r["source"] == file.source),
                None,
            )  # fmt: skip
            known = Version(Source(row["source"]), *list(row.values())[1:]) if row else None
            if known is not None and known.digest == digest:
                await connection.execute(_CONFIRM, self._tenant, file.source, at_ms)
                return Loaded(known, fresh=False)
            self._refuse_shrunk(file, known, accept_smaller=accept_smaller)
            if not accept_older:
                _refuse_older(file, known)
            version = Version(
                file.source, known.version + 1 if known else 1, file.published, at_ms,
                len(file.entries), digest,
            )  # fmt: skip
            await connection.execute(
                _INSERT, self._tenant, *msgspec.structs.astuple(version), packed
            )
            await connection.execute(_CONFIRM, self._tenant, file.source, at_ms)
        return Loaded(version, fresh=True)

    def _refuse_shrunk(
        self, file: ListFile, known: Version | None, *, accept_smaller: bool
    ) -> None:
        count = len(file.entries)
        if not count:
            raise Unreadable(file.source, "the file has no entries; the list in force stays")
        if known is None or accept_smaller:
            return
        if count * 100 < known.entry_count * self._smaller_percent_min:
            raise Unreadable(
                file.source,
                f"{count} entries where version {known.version} has {known.entry_count};"
                " the list in force stays",
            )


def _refuse_older(file: ListFile, known: Version | None) -> None:
    theirs = published_on(file.published)
    ours = published_on(known.published) if known is not None else None
    if known is not None and theirs is not None and ours is not None and theirs < ours:
        raise Unreadable(
            file.source,
            f"published {file.published}, and version {known.version} of {known.published} is in"
            " force; it stays",
        )


def _unpack(packed: bytes) -> tuple[Listed, ...]:
    return msgspec.msgpack.decode(zlib.decompress(packed), type=tuple[Listed, ...])

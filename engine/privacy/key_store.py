"""Wrapped data keys in Postgres. A key that is stored is never changed, only wrapped anew."""

from typing import Any, NamedTuple

from engine.ports import Wrapped

DATA, INDEX = "data", "index"


class StoredKey(NamedTuple):
    """One key of a tenant; times are epoch milliseconds."""

    purpose: str
    version: int
    wrapped: Wrapped
    made_ms: int
    since_ms: int
    retired_ms: int | None


class KeyStore:
    """The keys of one tenant. Every method may be repeated."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant

    async def all(self) -> list[StoredKey]:
        """By purpose, the newest last."""
        rows = await self._pool.fetch(
            "select purpose, version, wrapped, wrapped_by, made_ms, since_ms, retired_ms"
            " from data_key where tenant = $1 order by purpose, version",
            self._tenant,
        )
        return [
            StoredKey(
                r["purpose"], r["version"], Wrapped(r["wrapped_by"], r["wrapped"]), r["made_ms"],
                r["since_ms"], r["retired_ms"],
            )
            for r in rows
        ]  # fmt: skip

    async def add(
        self, purpose: str, version: int, wrapped: Wrapped, *, now_ms: int, since_ms: int
    ) -> bool:
        """Keep a new key; False when that version is there already, and then it stands."""
        return bool(
            await self._pool.fetchval(
                "insert into data_key"
                " (tenant, purpose, version, wrapped, wrapped_by, made_ms, since_ms)"
                " values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning true",
                self._tenant, purpose, version, wrapped.body, wrapped.by, now_ms, since_ms,
            )
        )  # fmt: skip

    async def rewrap(self, key: StoredKey, wrapped: Wrapped) -> bool:
        """The same key, wrapped by another; False when somebody else has done it."""
        return bool(
            await self._pool.fetchval(
                "update data_key set wrapped = $4, wrapped_by = $5 where tenant = $1"
                " and purpose = $2 and version = $3 and wrapped_by = $6 returning true",
                self._tenant, key.purpose, key.version, wrapped.body, wrapped.by, key.wrapped.by,
            )
        )  # fmt: skip

    async def retire(self, version: int, now_ms: int) -> None:
        """Nothing that can be sealed again is under this data key any more."""
        await self._pool.execute(
            "update data_key set retired_ms = $3 where tenant = $1 and purpose = 'data'"
            " and version = $2 and retired_ms is null",
            self._tenant, version, now_ms,
        )  # fmt: skip

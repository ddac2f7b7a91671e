"""Clients and their keys in Postgres. SQL only; it decides nothing and never sees a secret."""

from collections.abc import Sequence
from typing import Any

from engine.clients.clients import ApiKey, Client, ClientId, KeyId, Scope, write_scopes
from engine.gather import Gatherer

_KEY = (
    "select k.id, k.client, c.name, k.scopes, k.mac, k.mac_key, k.made_ms, k.expires_ms,"
    " k.ended_ms, k.used_ms, k.replaced_by"
    " from api_key k join client c on c.id = k.client and c.tenant = k.tenant where k.tenant = $1"
)
_SCOPES = {scope.value: scope for scope in Scope}


class ClientStore:
    """The clients of one tenant. None is ever deleted: a name always meant the same one."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant
        self._keys: Gatherer[str, ApiKey] = Gatherer(self._fetch)

    async def client(self, client_id: ClientId, name: str, at_ms: int) -> Client:
        """The client of this name; the id is its own if it is new."""
        await self._pool.execute(
            "insert into client (id, tenant, name, made_ms) values ($1, $2, $3, $4)"
            " on conflict (tenant, name) do nothing",
            client_id, self._tenant, name, at_ms,
        )  # fmt: skip
        known = await self._pool.fetchval(
            "select id from client where tenant = $1 and name = $2", self._tenant, name
        )
        return Client(ClientId(known.hex), name)

    async def add(self, key: ApiKey) -> None:
        """Keep a new key."""
        await self._pool.execute(_ADD, self._tenant, *_columns(key))

    async def replace(self, old: KeyId, new: ApiKey, old_expires_ms: int) -> bool:
        """Keep a new key for an old one, which is good until then at the longest.

        False when the old one has a successor already or was ended: nothing is kept then.
        """
        replaced = await self._pool.fetchval(
            "with old as (update api_key set replaced_by = $2,"
            "   expires_ms = least(expires_ms, $12)"
            "   where tenant = $1 and id = $11 and replaced_by is null and ended_ms is null"
            "   returning id),"
            " new as (insert into api_key (tenant, id, client, scopes, mac, mac_key, made_ms,"
            "   expires_ms, ended_ms, used_ms)"
            "   select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 from old returning id)"
            " select true from new",
            self._tenant, *_columns(new), old, old_expires_ms,
        )  # fmt: skip
        return bool(replaced)

    async def end(self, key_id: KeyId, by: str, at_ms: int) -> bool:
        """Revoke a key. False when there is none, or it was revoked before."""
        ended = await self._pool.fetchval(
            "update api_key set ended_ms = $3, ended_by = $4"
            " where tenant = $1 and id = $2 and ended_ms is null returning true",
            self._tenant, key_id, at_ms, by,
        )  # fmt: skip
        return bool(ended)

    async def key(self, key_id: KeyId) -> ApiKey | None:
        """A key as it stands now; what many ask for at once is read together."""
        return await self._keys.get(key_id)

    async def keys(self) -> list[ApiKey]:
        """By client, the oldest first."""
        rows = await self._pool.fetch(f"{_KEY} order by c.name, k.id", self._tenant)
        return [_key(row) for row in rows]

    async def note_used(self, key_id: KeyId, at_ms: int, not_after_ms: int) -> None:
        """That a key was used, unless somebody noted it after that moment."""
        await self._pool.execute(
            "update api_key set used_ms = $3 where tenant = $1 and id = $2"
            " and (used_ms is null or used_ms < $4)",
            self._tenant, key_id, at_ms, not_after_ms,
        )  # fmt: skip

    async def _fetch(self, ids: Sequence[str]) -> dict[str, ApiKey]:
        among = " and k.id = any((select $2::uuid[])::uuid[])"
        rows = await self._pool.fetch(_KEY + among, self._tenant, list(ids))
        return {row["id"].hex: _key(row) for row in rows}


_ADD = (
    "insert into api_key (tenant, id, client, scopes, mac, mac_key, made_ms, expires_ms, ended_ms,"
    " used_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
)


def _columns(key: ApiKey) -> tuple[Any, ...]:
    return (
        key.id, key.client.id, write_scopes(key.scopes), key.mac, key.mac_key, key.made_ms,
        key.expires_ms, key.ended_ms, key.used_ms,
    )  # fmt: skip


def _key(row: Any) -> ApiKey:
    """A scope that this code does not know opens nothing."""
    successor = row["replaced_by"]
    return ApiKey(
        KeyId(row["id"].hex), Client(ClientId(row["client"].hex), row["name"]),
        frozenset(_SCOPES[word] for word in row["scopes"] if word in _SCOPES), row["mac"],
        row["mac_key"], row["made_ms"], row["expires_ms"], row["ended_ms"], row["used_ms"],
        KeyId(successor.hex) if successor else None,
    )  # fmt: skip

"""Who asks: the client of a key, as it stands now; and keys made, rotated and revoked.

What the database said is believed for a few seconds by readers, and not at all by those who are
about to change something: a revoked key moves no money from that moment on.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from engine.clients.clients import (
    ApiKey,
    Client,
    ClientId,
    KeyHolder,
    KeyId,
    Scope,
    read_client_name,
)
from engine.clients.keys import SECRET_BYTES, KeyMacs, read_key, write_key
from engine.clients.store import ClientStore
from engine.clock import DAY_MS, Clock, Ids
from engine.errors import NotProven, StaffMistake

BELIEVED_SECONDS: Final = 3.0
REMEMBERED_MAX: Final = 1000
USED_MS: Final = 60_000
"""Last use is written once in so long, however busy a key is."""
OVERLAP_HOURS: Final = 24
DAYS_MAX: Final = 3650
OVERLAP_HOURS_MAX: Final = DAYS_MAX * 24


class Keys:
    """The API keys of one tenant."""

    def __init__(
        self,
        *,
        store: ClientStore,
        macs: KeyMacs,
        clock: Clock,
        ids: Ids,
        random: Callable[[int], bytes],
    ) -> None:
        """`random` gives so many random bytes: the secrets."""
        self._store = store
        self._macs = macs
        self._clock = clock
        self._ids = ids
        self._random = random
        self._seen: OrderedDict[KeyId, tuple[float, ApiKey]] = OrderedDict()
        self._noted: OrderedDict[KeyId, int] = OrderedDict()

    def recall(self, text: str) -> KeyHolder | None:
        """Who held this key a few seconds ago at the most; None when nobody was seen with it.

        The secret is compared, the database is not asked: to move money this is not enough.
        """
        try:
            key_id, secret = read_key(text)
        except NotProven:
            return None
        key = self._known(key_id)
        if key is None or not self._macs.is_right(key, key_id, secret):
            return None
        return _holder(key) if key.is_good(self._now_ms()) else None

    async def prove(self, text: str, *, fresh: bool) -> KeyHolder:
        """Who holds this key. `fresh`: ask the database, whatever was known a moment ago.

        Raises NotProven, always the same, and what the pool raises.
        """
        key_id, secret = read_key(text)
        key = None if fresh else self._known(key_id)
        if key is None:
            key = await self._store.key(key_id)
            self._remember(key_id, key)
        now_ms = self._now_ms()
        if not self._macs.is_right(key, key_id, secret) or key is None or not key.is_good(now_ms):
            raise NotProven("not proven")
        await self._note_use(key, now_ms)
        return _holder(key)

    async def create(
        self, name: str, scopes: Iterable[Scope], *, days: int | None = None
    ) -> tuple[ApiKey, str]:
        """A key of the client of this name, and its text, told here and never again.

        A client that nobody knows is taken down. A repeat makes another key. Raises StaffMistake.
        """
        client_name, now_ms = read_client_name(name), self._now_ms()
        if days is not None and not 1 <= days <= DAYS_MAX:
            raise StaffMistake(f"a key lasts 1 to {DAYS_MAX} days")
        client = await self._store.client(ClientId(self._ids.hex()), client_name, now_ms)
        expires_ms = None if days is None else now_ms + days * DAY_MS
        key, text = self._make(client, frozenset(scopes), now_ms, expires_ms)
        await self._store.add(key)
        return key, text

    async def rotate(
        self, key_id: KeyId, *, overlap_hours: int = OVERLAP_HOURS
    ) -> tuple[ApiKey, str]:
        """A new key of the same client for the same; the old one is good for the overlap yet.

        Raises StaffMistake where there is no such key, or it is over or has a successor, and for an
        overlap that is none.
        """
        old, now_ms = await self._store.key(key_id), self._now_ms()
        if not 0 <= overlap_hours <= OVERLAP_HOURS_MAX:
            raise StaffMistake(f"keys overlap for 0 to {OVERLAP_HOURS_MAX} hours")
        if old is None or not old.is_good(now_ms):
            raise StaffMistake("there is no such key, or it is over: create one")
        lasts_ms = None if old.expires_ms is None else old.expires_ms - old.made_ms
        expires_ms = None if lasts_ms is None else now_ms + lasts_ms
        key, text = self._make(old.client, old.scopes, now_ms, expires_ms)
        if not await self._store.replace(key_id, key, now_ms + overlap_hours * 3_600_000):
            raise StaffMistake(f"{key_id} was rotated or revoked before")
        return key, text

    async def revoke(self, key_id: KeyId, *, by: str) -> bool:
        """At once. False when there is none, or it was revoked before."""
        return await self._store.end(key_id, by, self._now_ms())

    def _make(
        self, client: Client, scopes: frozenset[Scope], now_ms: int, expires_ms: int | None
    ) -> tuple[ApiKey, str]:
        key_id, secret = KeyId(self._ids.hex()), self._random(SECRET_BYTES).hex()
        version = self._macs.newest
        mac = self._macs.mac(version, key_id, secret)
        key = ApiKey(key_id, client, scopes, mac, version, now_ms, expires_ms)
        return key, write_key(key_id, secret)

    async def _note_use(self, key: ApiKey, now_ms: int) -> None:
        noted = max(self._noted.get(key.id, 0), key.used_ms or 0)
        if now_ms - noted < USED_MS:
            return
        self._noted[key.id] = now_ms
        while len(self._noted) > REMEMBERED_MAX:
            self._noted.popitem(last=False)
        await self._store.note_used(key.id, now_ms, now_ms - USED_MS)

    def _known(self, key_id: KeyId) -> ApiKey | None:
        at, key = self._seen.get(key_id, (0.0, None))
        return key if self._clock.apart(at) < BELIEVED_SECONDS else None

    def _remember(self, key_id: KeyId, key: ApiKey | None) -> None:
        self._seen.pop(key_id, None)
        if key is not None:
            self._seen[key_id] = self._clock.epoch(), key
        while len(self._seen) > REMEMBERED_MAX:
            self._seen.popitem(last=False)

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _holder(key: ApiKey) -> KeyHolder:
    return KeyHolder(key.client.id, key.client.name, key.scopes, key.id)

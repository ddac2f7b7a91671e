"""The keys of one tenant in one process: unwrapped once, kept in memory, looked for anew in time.

A new data key is stored before it is written with, and all processes look every few seconds, so
that each can read what another writes. It refuses to know what is sealed.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.clock import Clock
from engine.errors import KeyNotAtHand, OurFault
from engine.ports import KeyWrapPort
from engine.privacy.codec import (
    KEY_BYTES,
    BlindIndex,
    Sealed,
    Writer,
    derive,
    open_sealed,
    read_sealed,
)
from engine.privacy.key_store import DATA, INDEX, KeyStore, StoredKey

log = logging.getLogger(__name__)

REFRESH_SECONDS = 5.0
NOTICE_SECONDS = 15.0
"""So long is a new key known before anybody writes with it: three looks of every process."""
INDEXES_KEPT = 16_384
"""A number is looked up several times on its way through a payment."""
SUBKEYS_KEPT = 4_096
"""Of those that read. A process makes a new one at its start and every million values."""


class KeyRing:
    """Seals and opens for one tenant (`seals.Seals`), on an asyncpg pool."""

    def __init__(
        self,
        pool: Any,
        tenant: int,
        wrap: KeyWrapPort,
        random: Callable[[int], bytes],
        clock: Clock,
    ) -> None:
        """`random` must not give the same bytes to two processes, forked ones included."""
        self._store = KeyStore(pool, tenant)
        self._tenant = tenant
        self._of_tenant = f"{tenant}/"
        self._wrap = wrap
        self._random = random
        self._clock = clock
        self._keys: dict[int, bytes] = {}
        self._subkeys: dict[tuple[int, bytes], AESGCM] = {}
        self._writer: Writer | None = None
        self._index: Callable[[str], str] | None = None
        self._missed = asyncio.Event()
        self._looking = asyncio.Lock()

    # What stores ask for (`seals.Seals`).

    hides = True

    def seal(self, text: str, place: str) -> str:
        assert self._writer is not None, "a ring is refreshed before it is used"
        return self._writer.seal(text, self._of_tenant + place)

    def open(self, text: str, place: str) -> str:
        """Raises KeyNotAtHand, and looks for the key meanwhile; Tampered as `codec.open_sealed`."""
        if (sealed := read_sealed(text)) is None:
            return text
        return open_sealed(self._subkey(sealed), sealed, self._of_tenant + place)

    def index(self, number: str) -> str:
        assert self._index is not None, "a ring is refreshed before it is used"
        return self._index(number)

    def indexes(self, number: str) -> list[str]:
        return [self.index(number), number]

    # Keys.

    @property
    def version(self) -> int:
        """Of the data key that is written with."""
        assert self._writer is not None, "a ring is refreshed before it is used"
        return self._writer.version

    async def begin(self) -> None:
        """Read the keys; the first process of a tenant makes them. Raises what unwrapping raises.

        Safe to repeat, and for several processes at once: the key that was stored first stands.
        """
        known = {key.purpose for key in await self._store.all()}
        for purpose in (DATA, INDEX):
            if purpose not in known:
                await self._make(purpose, 1, since_ms=0)
        await self.refresh()

    async def refresh(self) -> None:
        """Take up keys that were made meanwhile, and write with the newest whose time has come.

        One look after the other: one that had read the keys before and came to its end behind a
        later one would go back to the key of before.
        """
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        now_ms = self._now_ms()
        in_force: StoredKey | None = None
        for key in await self._store.all():
            if key.purpose == DATA:
                if key.version not in self._keys:
                    self._keys[key.version] = await self._unwrapped(key)
                if key.since_ms <= now_ms:
                    in_force = key
            elif self._index is None:
                index = BlindIndex(key.version, await self._unwrapped(key), self._tenant)
                self._index = lru_cache(INDEXES_KEPT)(index.of)
        if in_force is None:
            raise OurFault("no data key is in force")
        if self._writer is None or self._writer.version != in_force.version:
            version = in_force.version
            self._writer = Writer(version, self._keys[version], self._random)

    async def keep_fresh(
        self, away: tuple[type[Exception], ...], seconds: float = REFRESH_SECONDS
    ) -> None:
        """Refresh for ever; at once when a value came whose key is not known here."""
        going_on: tuple[type[Exception], ...] = (*away, OurFault)
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._missed.wait(), seconds)
            self._missed.clear()
            try:
                await self.refresh()
            except going_on as error:
                log.warning("data keys wait: %s", error)
                await asyncio.sleep(seconds)

    async def rotate(self, notice_seconds: float = NOTICE_SECONDS) -> int:
        """Make a new data key, in force after the notice; its version. A repeat makes another."""
        versions = [key.version for key in await self._store.all() if key.purpose == DATA]
        version = max(versions) + 1
        since_ms = self._now_ms() + int(notice_seconds * 1000)
        if not await self._make(DATA, version, since_ms=since_ms):
            raise OurFault(f"data key {version} was made by somebody else at this moment")
        await self.refresh()
        return version

    async def rewrap(self) -> int:
        """Wrap every key by the newest wrapping key; how many were. No value is sealed anew."""
        done = 0
        for key in await self._store.all():
            if key.wrapped.by != self._wrap.newest:
                wrapped = await self._wrap.wrap(await self._unwrapped(key), self._context(key))
                done += await self._store.rewrap(key, wrapped)
        return done

    async def _make(self, purpose: str, version: int, *, since_ms: int) -> bool:
        context = f"{self._tenant}/{purpose}/{version}"
        wrapped = await self._wrap.wrap(self._random(KEY_BYTES), context)
        now_ms = self._now_ms()
        return await self._store.add(purpose, version, wrapped, now_ms=now_ms, since_ms=since_ms)

    async def _unwrapped(self, key: StoredKey) -> bytes:
        return await self._wrap.unwrap(key.wrapped, self._context(key))

    def _context(self, key: StoredKey) -> str:
        return f"{self._tenant}/{key.purpose}/{key.version}"

    def _subkey(self, sealed: Sealed) -> AESGCM:
        name = sealed.version, sealed.salt
        if (found := self._subkeys.get(name)) is None:
            if (key := self._keys.get(sealed.version)) is None:
                self._missed.set()
                raise KeyNotAtHand(f"data key {sealed.version} is not known here yet")
            if len(self._subkeys) >= SUBKEYS_KEPT:
                self._subkeys.pop(next(iter(self._subkeys)))
            found = self._subkeys[name] = derive(key, sealed.salt)
        return found

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)

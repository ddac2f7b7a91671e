"""What a business or staff may do about subscriptions: the story behind the API and `capp hooks`.

It calls nobody's address; whether one may be called is asked of whoever would do it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from engine.clock import Clock, moment_of, ms_of
from engine.errors import NoSuchHook, StaffMistake
from engine.hooks.secret import Place, SecretKeys
from engine.hooks.signing import SECRET_BYTES, write_secret
from engine.hooks.store import Added, HookStore, KeptSecret
from engine.hooks.subscription import (
    Attempt,
    Delivery,
    Event,
    HookId,
    Rotated,
    Subscribed,
    Subscription,
    Wish,
)

SUBSCRIPTIONS_MOST: Final = 20
OVERLAP_HOURS: Final = 24
OVERLAP_HOURS_MAX: Final = 7 * 24
SECRETS_MOST: Final = 10
"""So many sign at once. Each adds to a header of every message, and servers bound those."""
PAGE_MOST: Final = 100
_HOUR_MS: Final = 3_600_000


class Uncallable(StaffMistake):
    """An address that we do not call; the message says why."""


class Hooks:
    """The subscriptions of one tenant, or of one client. Ids of others are not found, as ids of
    nobody.
    """

    def __init__(
        self,
        *,
        store: HookStore,
        keys: SecretKeys,
        fault_in: Callable[[str], str],
        clock: Clock,
    ) -> None:
        """`fault_in` says why an address is never called, "" when it may be."""
        self._store = store
        self._keys = keys
        self._fault_in = fault_in
        self._clock = clock

    def of_client(self, client: str) -> "Hooks":
        """What a client may do about its own, which are told of its own payments alone."""
        return Hooks(
            store=self._store.of_client(client), keys=self._keys, fault_in=self._fault_in,
            clock=self._clock,
        )  # fmt: skip

    async def subscribe(self, operation: HookId, wish: Wish) -> Subscribed:
        """A subscription under that id, with its secret; the same id again gives what was made.

        Raises Uncallable, StaffMistake for one too many, and NoSuchHook where what was made under
        that id has been removed.
        """
        if fault := self._fault_in(wish.url):
            raise Uncallable(f"url: {fault}")
        drawn = self._draw(Place(self._store.tenant, operation, operation))
        added = await self._store.add(
            operation, wish, drawn, at_ms=drawn.made_ms, most=SUBSCRIPTIONS_MOST
        )
        if added is Added.TOO_MANY:
            raise StaffMistake(f"there are {SUBSCRIPTIONS_MOST} subscriptions: remove one first")
        subscription = await self._store.one(operation)
        secret = self._shown(await self._kept(operation, operation))
        return Subscribed(subscription, secret, added is Added.FRESH)

    async def subscriptions(self) -> list[Subscription]:
        """The newest first."""
        return await self._store.all()

    async def subscription(self, id: HookId) -> Subscription:
        """Raises NoSuchHook."""
        return await self._store.one(id)

    async def pause(self, id: HookId) -> Subscription:
        """Events are gathered on, and wait. Raises NoSuchHook; safe to repeat."""
        await self._store.pause(id)
        return await self._store.one(id)

    async def resume(self, id: HookId) -> Subscription:
        """What waited goes out now. Raises NoSuchHook; safe to repeat."""
        await self._store.resume(id, self._now_ms())
        return await self._store.one(id)

    async def remove(self, id: HookId) -> None:
        """For good; what waited is dropped. Safe to repeat."""
        await self._store.remove(id)

    async def rotate(
        self, id: HookId, operation: HookId, overlap_hours: int = OVERLAP_HOURS
    ) -> Rotated:
        """A new secret; the old ones sign as well for so long.

        The same operation again gives what was made, also for another overlap: the answer tells.

        Raises NoSuchHook, and StaffMistake for an overlap that is none, or where too many secrets
        would sign at once; without an overlap it is the new one alone.
        """
        if not 0 <= overlap_hours <= OVERLAP_HOURS_MAX:
            raise StaffMistake(f"secrets overlap for 0 to {OVERLAP_HOURS_MAX} hours")
        drawn = self._draw(Place(self._store.tenant, id, operation))
        drawn = drawn._replace(overlap_ms=overlap_hours * _HOUR_MS)
        old_until_ms = drawn.made_ms + overlap_hours * _HOUR_MS
        is_fresh = await self._store.rotate(drawn, old_until_ms, most=SECRETS_MOST)
        kept = await self._kept(id, operation)
        if kept.overlap_ms is not None:  # else it is older than its overlap is kept
            overlap_hours = kept.overlap_ms // _HOUR_MS
        until = moment_of(kept.made_ms + overlap_hours * _HOUR_MS)
        return Rotated(self._shown(kept), until, overlap_hours, is_fresh)

    async def events(self, *, before: str = "", most: int = 50) -> list[Event]:
        """The newest first; `before` is the id of the last one seen."""
        return await self._store.events(before, min(most, PAGE_MOST))

    async def deliveries(self, id: HookId, *, before: str = "", most: int = 50) -> list[Delivery]:
        """The newest first; `before` is the event of the last one seen. Raises NoSuchHook."""
        await self._store.one(id)
        return await self._store.deliveries(id, before, min(most, PAGE_MOST))

    async def attempts(self, id: HookId, event: str) -> list[Attempt]:
        """Every try of a delivery. Raises NoSuchHook."""
        await self._store.one(id)
        await self._store.delivery(id, event)
        return await self._store.attempts(id, event)

    async def resend(self, id: HookId, event: str) -> Delivery:
        """Once more, under the same id, whether it was heard or not. Raises NoSuchHook."""
        await self._store.one(id)
        await self._store.resend(id, [event], self._now_ms())
        return await self._store.delivery(id, event)

    async def resend_parked(self, id: HookId, since: datetime) -> int:
        """All that nobody tries any more; how many. Raises NoSuchHook."""
        await self._store.one(id)
        return await self._store.resend_parked(id, ms_of(since), self._now_ms())

    async def seal_anew(self) -> int:
        """Put every secret under the newest key, so that older ones may be dropped; how many."""
        done = 0
        for kept in await self._store.sealed_before(self._keys.newest):
            opened = self._keys.open(kept.sealed, kept.place)
            done += await self._store.seal_anew(kept, self._keys.seal(opened, kept.place))
        return done

    def _draw(self, place: Place) -> KeptSecret:
        sealed = self._keys.seal(self._keys.draw(SECRET_BYTES), place)
        return KeptSecret(place, sealed, self._now_ms(), None)

    async def _kept(self, id: HookId, secret: str) -> KeptSecret:
        """As it was kept, which after a repeat is not what was just drawn."""
        for kept in await self._store.secrets(id, 0):
            if kept.place.secret == secret:
                return kept
        raise NoSuchHook("that secret was replaced long ago")

    def _shown(self, kept: KeptSecret) -> str:
        return write_secret(self._keys.open(kept.sealed, kept.place))

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)

"""Webhooks over a real database and over HTTP: payments, a business that hears, and a courier."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from engine.clock import Ids, PaymentId
from engine.hooks.courier import Courier
from engine.hooks.events import EventKind
from engine.hooks.hooks import Hooks
from engine.hooks.journal import JournalReader
from engine.hooks.queue import HookQueue
from engine.hooks.schedule import HookTry
from engine.hooks.secret import SecretKeys
from engine.hooks.store import HookStore
from engine.hooks.subscription import Delivery, HookId, Wish
from engine.ports import HookPort
from providers.webhooks import Webhooks
from simulator.receiver import Receiver, receiver_app
from simulator.serving import serving
from tests.integration.owner import Owner
from tests.integration.world import FAILED, SUCCEEDED, World, open_world

ANSWER_SECONDS = 10.0
"""As no business here takes that is not to be given up: for that they go by at once."""

KEYS = {1: bytes(range(32))}
LONG_SECONDS = 600.0
_SWEPT = (
    "truncate hook_subscription, hook_secret, hook_look, hook_event, hook_delivery, hook_attempt,"
    " case_file, journal, payment, payment_key, attempt, evidence, outbox, spending;"
    " drop table if exists held"
)
LIFE = [EventKind.CREATED, EventKind.COLLECTED, EventKind.PAID]


@dataclass
class HookHall:
    """One process's webhooks, and the business it tells."""

    world: World
    receiver: Receiver
    url: str
    carrier: Webhooks
    ids: Ids
    tries: list[HookTry] = field(default_factory=list)
    keys: SecretKeys = field(default_factory=lambda: SecretKeys(KEYS, os.urandom))

    def __post_init__(self) -> None:
        self.hooks = self.another_hooks(self.keys)
        self.journal = self.another_journal(self.world.pool)
        self.courier = self.another_courier()

    @property
    def owner(self) -> Owner:
        """For what no process may do and a test must."""
        return Owner(self.world.pool)

    def another_hooks(self, keys: SecretKeys) -> Hooks:
        return Hooks(
            store=HookStore(self.world.pool, 1), keys=keys, fault_in=self.carrier.fault_in,
            clock=self.world.clock,
        )  # fmt: skip

    def another_journal(self, pool: Any) -> JournalReader:
        return JournalReader(pool, 1, self.world.clock, self.ids)

    def another_courier(
        self, pool: Any = None, port: HookPort | None = None, keys: SecretKeys | None = None
    ) -> Courier:
        pool = pool or self.world.pool
        return Courier(
            queue=HookQueue(pool, 1), store=HookStore(pool, 1), keys=keys or self.keys,
            port=port or self.carrier, clock=self.world.clock, draw=lambda: 0.0,
            note=self.tries.append,
        )  # fmt: skip

    async def subscribe(
        self, *events: EventKind, whole_numbers: bool = False, path: str = "/hook"
    ) -> HookId:
        """The receiver's own subscription; it knows the secret from now on."""
        id_ = HookId(self.ids.hex())
        wish = Wish(self.url + path, events, whole_numbers)
        subscribed = await self.hooks.subscribe(id_, wish)
        self.receiver.secrets.append(subscribed.secret)
        return id_

    async def paid(self) -> PaymentId:
        """A payment from its confirmation to its end, a moment for every step."""
        payment_id = await self.begun()
        await self.step(payment_id)
        await self.step(payment_id)
        return payment_id

    async def begun(self) -> PaymentId:
        self.world.clock.pass_(0.01)
        payment_id = await self.world.confirm(key=self.ids.hex())
        await self.world.dispatched()
        return payment_id

    async def step(self, payment_id: PaymentId, *, succeeds: bool = True) -> None:
        """The operator answers what is under way."""
        self.world.clock.pass_(0.01)
        finding = SUCCEEDED if succeeds else FAILED
        await self.world.tell(await self.world.live(payment_id), finding)
        await self.world.dispatched()

    async def rest(self, seconds: float) -> None:
        """Time in which nothing happened, and the journal was read all along."""
        self.world.clock.pass_(seconds)
        now_ms = int(self.world.clock.epoch() * 1000)
        await self.world.pool.execute("update hook_look set looked_ms = $1, again_ms = $1", now_ms)

    async def told(self, *, seconds: float = 0.0) -> None:
        """Everything that is due after so long is read and tried once through."""
        await (self.rest(seconds) if seconds > LONG_SECONDS else self._pass(seconds))
        await self.journal.sweep()
        while await self.courier.sweep():
            await self.courier.idle()
            if await self._nothing_due():
                return

    async def _pass(self, seconds: float) -> None:
        self.world.clock.pass_(seconds)

    async def _nothing_due(self) -> bool:
        now_ms = int(self.world.clock.epoch() * 1000)
        return not await HookQueue(self.world.pool, 1).waiting(now_ms, 1)

    def kinds(self, payment_id: PaymentId | None = None) -> list[str]:
        return [
            event["type"]
            for event in self.receiver.events
            if payment_id in (None, event["data"]["payment_id"])
        ]

    async def deliveries(self, id_: HookId) -> list[Delivery]:
        """The oldest first."""
        return (await self.hooks.deliveries(id_))[::-1]


@asynccontextmanager
async def open_hook_hall(database_url: str) -> AsyncIterator[HookHall]:
    """Payments go as the test says; nothing is read or sent before the test says so.

    A database may be shared: what earlier tests left is swept up.
    """
    async with open_world(database_url) as world:
        await Owner(world.pool).execute(_SWEPT)
        receiver = Receiver(now=world.clock.epoch)
        async with serving({"business": (receiver_app(receiver), 0)}) as urls:
            carrier = Webhooks(local=True, answer_seconds=ANSWER_SECONDS)
            hall = HookHall(world, receiver, urls["business"], carrier, Ids(world.clock))
            yield hall
            await hall.courier.stop()
            await carrier.aclose()

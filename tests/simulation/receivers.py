"""Businesses that are told of their payments: their endpoints, and the people who look after those.

An endpoint answers, refuses, fails or says nothing, before it acted or after; it is down for hours,
or says that it is gone. It acts once on each id. Its people resume what was paused, and have sent
again what nobody tries any more.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING

from engine.errors import NoSuchHook, OutcomeUnknown, Unreachable
from engine.hooks.hooks import Hooks
from engine.hooks.subscription import HookId, Wish
from engine.ports import HookAnswer, HookMessage
from tests.simulation.clients import CLIENTS, HOUR
from tests.simulation.hook_change_laws import signature
from tests.simulation.hook_rows import PARKED
from tests.simulation.model import START

if TYPE_CHECKING:
    from tests.simulation.hook_laws import HookLaws
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

LOOKED_AFTER_EVERY = 5 * HOUR
ANSWERED_WITHIN = 15.0


@dataclass
class Receiver:
    """One endpoint. `client` None: staff's. `acted`: bodies by id, in the order they were taken."""

    id: HookId
    client: str | None
    whole_numbers: bool = False
    secret: str = ""
    secrets: dict[str, float] = field(default_factory=dict)  # that it takes, and until when
    is_deaf: bool = False  # something came that it could not prove
    acted: dict[str, bytes] = field(default_factory=dict)
    down_until: float = 0.0
    refuses: dict[str, float] = field(default_factory=dict)  # ids, and until when

    @property
    def url(self) -> str:
        return f"https://shop-{self.id[-1]}.example/hook"

    def take_secret(self, secret: str, old_until: float) -> None:
        """Another one; those before it are taken until then, in epoch seconds."""
        self.secrets = {known: min(until, old_until) for known, until in self.secrets.items()}
        self.secret = secret
        self.secrets[secret] = inf

    def can_prove(self, message: HookMessage) -> bool:
        """By any that it takes, whenever it was signed: an endpoint compares no clocks here."""
        given = message.signature.split(" ")
        return any(
            signature(message, secret) in given
            for secret, until in self.secrets.items()
            if until >= message.at_seconds
        )


class Receivers:
    """All endpoints of one world; a `HookPort`."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._weather = world.hook_weather
        self.tried: Counter[str] = Counter()  # by id
        self.laws: HookLaws  # given by whoever makes both
        wanted = [*((client, False) for client in CLIENTS), (None, True), (None, False)]
        self.all = {
            HookId(f"{0x400 + n:032x}"): Receiver(HookId(f"{0x400 + n:032x}"), client, whole)
            for n, (client, whole) in enumerate(wanted)
        }
        self._by_url = {receiver.url: receiver for receiver in self.all.values()}

    def begin(self) -> None:
        """Each subscribes, one of them in the midst of things."""
        *first, late = self.all.values()
        for receiver in first:
            self._world.loop.spawn(self.subscribe(receiver))
        when = self._chance.random() * self._world.span
        self._world.loop.outside(when, lambda: self._world.loop.spawn(self.subscribe(late)))
        self._world.loop.outside(LOOKED_AFTER_EVERY, self._look_after_later)
        self._fall_later()

    @property
    def is_busy(self) -> bool:
        """Whether anything is still to be told."""
        rows = self._world.model.hooks
        is_left = any(
            rows.waiting(id_)
            or any(d.state == PARKED for d in rows.deliveries.get(id_, {}).values())
            for id_, row in rows.subscriptions.items()
            if row.state != "removed"
        )
        return is_left or bool(self.laws.untold())

    async def subscribe(self, receiver: Receiver) -> None:
        wish = Wish(receiver.url, whole_numbers=receiver.whole_numbers)

        async def subscribe(machine: "Machine") -> str:
            subscribed = await self.hooks_of(machine, receiver).subscribe(receiver.id, wish)
            return subscribed.secret

        secret = await self._world.served(subscribe, self._chance, tries=50)
        if secret is not None and receiver.secret not in ("", secret):
            self._world.laws.broken("one subscription, two secrets", subscription=receiver.id)
        if secret is not None:
            receiver.take_secret(secret, inf)

    def add_beside(self, before: Receiver) -> Receiver:
        """Another endpoint of the same business, that nobody subscribes yet."""
        id_ = HookId(f"{0x400 + len(self.all):032x}")
        other = Receiver(id_, before.client, before.whole_numbers)
        self.all[id_] = self._by_url[other.url] = other
        return other

    def hooks_of(self, machine: "Machine", receiver: Receiver) -> Hooks:
        hooks = machine.hooks
        return hooks if receiver.client is None else hooks.of_client(receiver.client)

    # Their people.

    def _look_after_later(self) -> None:
        self._world.loop.spawn(self._look_after())
        self._world.loop.outside(LOOKED_AFTER_EVERY, self._look_after_later)

    async def _look_after(self) -> None:
        """Once the endpoint is there again what is paused goes on, and what was given up."""
        for receiver in list(self.all.values()):
            row = self._world.model.hooks.subscriptions.get(receiver.id)
            if row is None or row.state == "removed" or self._is_down(receiver):
                continue
            if row.state == "paused":
                self._world.happened["hook resumed"] += 1
            await self._world.served(lambda m, r=receiver: self._go_on(m, r), self._chance)  # type: ignore[misc]

    async def _go_on(self, machine: "Machine", receiver: Receiver) -> None:
        hooks = self.hooks_of(machine, receiver)
        try:
            await hooks.resume(receiver.id)
        except NoSuchHook:
            return  # a restore forgot it, or it is removed this moment
        began = datetime.fromtimestamp(START, UTC)
        try:
            again = await hooks.resend_parked(receiver.id, began)
        except NoSuchHook:
            return
        self._world.happened["hook resent"] += again
        self._world.telling.wake()

    # Their endpoints.

    def fault_in(self, url: str) -> str:
        return "" if url in self._by_url else "is nobody's"

    async def deliver(self, message: HookMessage) -> HookAnswer:
        receiver = self._by_url[message.url]
        self._world.trace("hook", receiver.id[-1], message.id)
        self.laws.on_message(receiver, message)
        self.tried[message.id] += 1
        fate, seconds = self._fate(), self._chance.random() * 0.3
        if fate == "slow":
            seconds = self._chance.uniform(2.0, ANSWERED_WITHIN - 1)
        elif fate.startswith("silent"):
            seconds = ANSWERED_WITHIN
        return await self._world.loop.remote(
            self._chance.random() * 0.3, lambda: self._answer(receiver, message, fate), seconds
        )

    async def aclose(self) -> None:
        """Nothing is open."""

    def _answer(self, receiver: Receiver, message: HookMessage, fate: str) -> HookAnswer:
        if self._is_down(receiver):
            self._world.happened["hook down"] += 1
            raise Unreachable("webhooks", "nobody is there", code="ConnectError")
        if not receiver.secret:  # it has not heard yet how to tell who sends
            return HookAnswer(401)
        if self._world.options.subscriptions and not receiver.can_prove(message):
            self._world.happened["hook not proven"] += 1
            receiver.is_deaf = True
            return HookAnswer(401)
        if receiver.refuses.get(message.id, 0.0) > self._world.loop.time():
            return HookAnswer(400)
        if fate:
            self._world.happened[f"hook {fate}"] += 1
        if fate == "refuses_for_hours":
            hours = self._chance.choice((0.3, 3.0, 30.0))
            receiver.refuses[message.id] = self._world.loop.time() + hours * HOUR
        if fate in ("", "slow", "silent_after", "fails_after"):
            self._act(receiver, message)
        if fate.startswith("silent"):
            raise OutcomeUnknown("webhooks", "no answer", code="ReadTimeout")
        return self._said(fate)

    def _said(self, fate: str) -> HookAnswer:
        if fate in ("", "slow"):
            return HookAnswer(self._chance.choice((200, 202, 204)))
        if fate == "gone":
            return HookAnswer(410)
        if fate in ("refused", "refuses_for_hours"):
            return HookAnswer(self._chance.choice((301, 400, 401, 404, 409)))
        asked = self._chance.choice((None, 7.0, 400.0, 86_400.0))
        return HookAnswer(503 if asked else 500, asked)

    def _act(self, receiver: Receiver, message: HookMessage) -> None:
        if message.id in receiver.acted:
            self._world.happened["hook heard again"] += 1
        receiver.acted.setdefault(message.id, message.body)

    def _fate(self) -> str:
        """What becomes of a message, by its name in the weather; "" for nothing bad."""
        drawn = self._chance.random()
        for name in (
            "refused", "fails", "fails_after", "silent", "silent_after", "slow", "gone",
            "refuses_for_hours",
        ):  # fmt: skip
            if (drawn := drawn - getattr(self._weather, name)) < 0:
                return name
        return ""

    def _is_down(self, receiver: Receiver) -> bool:
        return not self._world.is_calm and receiver.down_until > self._world.loop.time()

    def _fall_later(self) -> None:
        if per_hour := self._weather.down_per_hour:
            wait = self._chance.expovariate(per_hour / HOUR)
            self._world.loop.outside(wait, self._fall)

    def _fall(self) -> None:
        if self._world.is_calm:
            return
        receiver = self._chance.choice(list(self.all.values()))
        hours = self._chance.random() * self._weather.down_hours_max
        receiver.down_until = self._world.loop.time() + hours * HOUR
        self._world.trace("hook down", receiver.id[-1], f"{hours:.1f} h")
        self._fall_later()

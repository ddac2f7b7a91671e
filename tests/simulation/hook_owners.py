"""People of businesses who change their subscriptions while notices are under way.

They rotate a secret, with an overlap or without; they pause, and resume hours later; they remove
one, and make another for another address in its place. Whoever hears nothing asks again.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from engine.errors import NoSuchHook, StaffMistake
from engine.hooks.subscription import HookId
from tests.simulation.receivers import Receiver, Receivers

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

HOUR = 3600.0
CHANGES = 10
OVERLAPS = (0, 0, 1, 24)
REPLACED_MAX = 4
TRIES = 60


class HookOwners:
    """Whoever looks after the subscriptions of one world."""

    def __init__(self, world: "World", chance: random.Random, receivers: Receivers) -> None:
        self._world = world
        self._chance = chance
        self._receivers = receivers
        self._busy = 0
        self._replaced = 0
        self.gone: set[HookId] = set()

    @property
    def is_busy(self) -> bool:
        """Whether somebody has begun what is not done."""
        return self._busy > 0 or any(
            row.state != "removed"
            for id_, row in self._world.model.hooks.subscriptions.items()
            if id_ in self.gone
        )

    def begin(self) -> None:
        """At moments of chance, some of them close to each other."""
        loop, span = self._world.loop, self._world.span
        for _ in range(CHANGES // 2):
            when = self._chance.random() * span
            loop.outside(when, self._change)
            loop.outside(when + self._chance.expovariate(1 / 20.0), self._change)
        loop.outside(HOUR, self._see_to_it)

    def restored(self) -> None:
        """What was removed may be there again: they remove it once more."""

    def _see_to_it(self) -> None:
        for id_ in sorted(self.gone):
            row = self._world.model.hooks.subscriptions.get(id_)
            if row is not None and row.state != "removed":
                self._start(self._remove, self._receivers.all[id_])
        for receiver in self._receivers.all.values():
            if receiver.is_deaf and receiver.id not in self.gone and receiver.secrets:
                self._start(self._rotate, receiver)
        self._world.loop.outside(HOUR, self._see_to_it)

    def _change(self) -> None:
        receiver = self._chance.choice(list(self._receivers.all.values()))
        if receiver.id in self.gone or not receiver.secret or self._world.is_calm:
            return
        match self._chance.random():
            case odds if odds < 0.5:
                self._start(self._rotate, receiver)
            case odds if odds < 0.75:
                self._start(self._pause, receiver)
            case _ if self._replaced < REPLACED_MAX:
                self._start(self._replace, receiver)

    def _start(self, what: Callable[[Receiver], Awaitable[None]], receiver: Receiver) -> None:
        async def do() -> None:
            self._busy += 1
            try:
                await what(receiver)
            finally:
                self._busy -= 1

        self._world.loop.spawn(do())

    async def _rotate(self, receiver: Receiver) -> None:
        operation = HookId(f"{self._chance.getrandbits(128):032x}")
        hours = self._chance.choice(OVERLAPS)
        receiver.is_deaf = False

        async def rotate(machine: "Machine") -> tuple[str, float] | None:
            hooks = self._receivers.hooks_of(machine, receiver)
            try:
                told = await hooks.rotate(receiver.id, operation, hours)
            except (NoSuchHook, StaffMistake):
                return None
            return told.secret, told.old_until.timestamp()

        told = await self._world.served(rotate, self._chance, tries=TRIES)
        self._world.trace("rotates", receiver.id[-1], hours, told is not None)
        if told is not None:
            receiver.take_secret(*told)

    async def _pause(self, receiver: Receiver) -> None:
        async def pause(machine: "Machine") -> None:
            try:
                await self._receivers.hooks_of(machine, receiver).pause(receiver.id)
            except NoSuchHook:
                return

        await self._world.served(pause, self._chance, tries=TRIES)
        self._world.trace("pauses", receiver.id[-1])

    async def _replace(self, receiver: Receiver) -> None:
        """Another one first, as one does who wants to miss nothing; or afterwards."""
        self._replaced += 1
        self.gone.add(receiver.id)
        other = self._receivers.add_beside(receiver)
        if self._chance.random() < 0.5:
            await self._receivers.subscribe(other)
            await self._remove(receiver)
        else:
            await self._remove(receiver)
            await self._receivers.subscribe(other)

    async def _remove(self, receiver: Receiver) -> None:
        async def remove(machine: "Machine") -> None:
            await self._receivers.hooks_of(machine, receiver).remove(receiver.id)

        await self._world.served(remove, self._chance, tries=TRIES)
        self._world.trace("removes", receiver.id[-1])

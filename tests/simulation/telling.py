"""When workers read what businesses are told, and when they tell it.

The real worker reads and sends every second. Here it does so when there is something to read or to
send; readings that found nothing are taken as made, unless everybody was away for a while.
"""

import random
from typing import TYPE_CHECKING

from engine.hooks.journal import AGAIN_MS
from engine.hooks.schedule import Patience
from engine.ledger.plans import NOTE, Plan
from tests.simulation.hook_rows import DeliveryRow
from tests.simulation.loop import Handle
from tests.simulation.model import START

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

WORKERS = ("worker-1", "worker-2")
ORDER_MS = int(Patience().order_seconds * 1000)


class Telling:
    """The looks of one world's workers."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._reads_at: Handle | None = None
        self._tells_at: Handle | None = None
        self._unread: set[str] = set()  # payments that moved since the last reading
        world.model.watchers.append(self._on_plan)

    def restored(self) -> None:
        """Whatever came back is read anew."""
        self._unread = set(self._world.model.journal)
        self._read_in(self._chance.uniform(0.0, 1.0))
        self.wake()

    # Reading.

    def _on_plan(self, plan: Plan) -> None:
        if plan.version == NOTE:
            return
        if not self._unread:
            self._pass_over()
        self._unread.add(plan.payment)
        if self._reads_at is None:
            self._read_in(self._chance.uniform(0.0, 1.0))

    def _pass_over(self) -> None:
        """Up to this moment there was nothing to read, and so much is noted."""
        rows = self._world.model.hooks
        if rows.look is None or self._chance.random() < self._world.hook_weather.away:
            return
        now_ms = int(self._worker().clock.epoch() * 1000) - int(self._chance.random() * 1000)
        again_ms = rows.look[1]
        if abs(now_ms - again_ms) >= AGAIN_MS:
            again_ms = now_ms - int(self._chance.random() * AGAIN_MS)
        rows.look = (now_ms, again_ms)

    def _read_in(self, seconds: float) -> None:
        if self._reads_at is not None:
            self._reads_at.cancel()
        self._reads_at = self._world.loop.outside(seconds, self._read)

    def _read(self) -> None:
        self._reads_at = None
        worker = self._worker()
        if worker.process.alive:
            self._world.loop.spawn(worker.read_journal(), worker.process)
        # A usual reading looks a few seconds back, and only every few minutes one far back.
        self._world.loop.outside(1.0, self._read_again)

    def _read_again(self) -> None:
        self._unread = {id_ for id_ in self._unread if self._world.hook_laws.untold_of(id_)}
        if self._unread and self._reads_at is None:
            self._read_in(self._chance.choice((0.0, 1.0, 60.0, 310.0)))

    # Sending.

    def wake(self) -> None:
        """Something has changed: the next look comes when anything may go."""
        if self._tells_at is not None:
            self._tells_at.cancel()
            self._tells_at = None
        if (due_ms := self._next_ms()) is not None:
            worker = self._worker()
            wait = due_ms / 1000 - worker.clock.epoch() + self._chance.random()
            self._tells_at = self._world.loop.outside(max(wait, 0.5), self._tell, worker)

    def _tell(self, worker: "Machine") -> None:
        self._tells_at = None
        if worker.process.alive:
            self._world.loop.spawn(worker.tell_businesses(), worker.process)
        self._tells_at = self._world.loop.outside(self._chance.uniform(1.0, 3.0), self.wake)

    def _next_ms(self) -> int | None:
        rows = self._world.model.hooks
        times = []
        for id_, row in rows.subscriptions.items():
            if row.state == "active":
                waiting = rows.waiting(id_)
                times += [_may_go_ms(each, waiting) for each in waiting]
        return min(times, default=None)

    def _worker(self) -> "Machine":
        return self._world.machines[self._chance.choice(WORKERS)]


def now_ms(world: "World") -> int:
    """By the clock that is right."""
    return int((START + world.loop.time()) * 1000)


def _may_go_ms(row: DeliveryRow, waiting: list[DeliveryRow]) -> int:
    behind = [
        e.begun_ms + ORDER_MS
        for e in waiting
        if e.payment == row.payment and e.sequence < row.sequence
    ]
    return max(row.due_ms or 0, *behind, 0)

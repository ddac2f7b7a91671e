"""The batcher: any number of tasks submit plans, a few writers commit them in groups.

There is no timer. A batch leaves whenever a writer is idle, so under light load a batch is one
plan and under heavy load it is whatever gathered while the writers were busy.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from engine.clock import Clock
from engine.errors import CommitUnknown, LeftTooLate, OurFault
from engine.gather import UNHURRIED_SECONDS
from engine.ledger.commit import commit
from engine.ledger.plans import APPLIED, Plan, Verdict, Verdicted
from engine.memory import end_if_refused
from engine.outages import AWAY
from engine.tasks import for_life

log = logging.getLogger(__name__)

TOLD_SECONDS = 60.0
"""So often it is said that nothing can be stored; the same plans are tried every other second."""
LAST_TRIES_SECONDS = 5.0
"""So long a process that ends goes on trying what could not be stored; then it is given up."""
TROUBLED_SECONDS = 40.0
"""So long after a batch was lost the trouble counts as lasting, unless one was stored since: where
nobody answers the next is lost half a minute later."""


def _refuse(batch: list[tuple[Plan, asyncio.Future[Verdicted]]], error: OurFault) -> None:
    for _, answer in batch:
        if not answer.done():
            answer.set_exception(type(error)(str(error)))  # each its own: tracebacks gather


def as_it_is(plan: Plan) -> Plan:
    """A plan is stored in its own words."""
    return plan


class Committer:
    """The batcher: any number of tasks submit, a few writers commit.

    Two writers keep Postgres busy while one waits for its flush to disk; a third only adds
    waiting. `batch_max` bounds how long one commit holds the hot balance rows.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        clock: Clock,
        *,
        writers: int = 2,
        batch_max: int = 250,
        seal: Callable[[Plan], Plan] = as_it_is,
    ) -> None:
        """`seal` says how a plan is written down; what it is about stays the same."""
        self._connect = connect
        self._clock = clock
        self._writers = writers
        self._batch_max = batch_max
        self._seal = seal
        self._waiting: deque[tuple[Plan, asyncio.Future[Verdicted]]] = deque()
        self._patient: deque[tuple[Plan, asyncio.Future[Verdicted]]] = deque()
        self._until: dict[asyncio.Future[Verdicted], float] = {}
        self._under_way: set[asyncio.Future[None]] = set()  # one for each batch that has left
        self._idle: deque[asyncio.Future[None]] = deque()
        self._tasks: list[asyncio.Task[None]] = []
        self._short_until = 0.0  # while money is short, optimism would only do the work twice
        self._trouble = ""  # why the last batch was lost, and when
        self._trouble_at = 0.0
        self._tell_at = 0.0
        self._tries_until: float | None = None
        self.batches = 0
        self.plans = 0

    def trouble(self) -> str:
        """Why nothing can be stored these moments, by the error's name; "" when it can."""
        lasts = asyncio.get_running_loop().time() < self._trouble_at + TROUBLED_SECONDS
        return self._trouble if lasts else ""

    async def start(self) -> None:
        """Open the writers' connections. Raises what connecting raises."""
        for _ in range(self._writers):
            connection = await self._connect()
            self._tasks.append(for_life(self._write(connection)))
        await asyncio.sleep(0)  # a task that is cancelled before it has begun closes nothing

    def end_soon(self) -> None:
        """The process ends: what cannot be stored in `LAST_TRIES_SECONDS` is given up, and whoever
        waits for it hears CommitUnknown, as after a kill. To be said before they are waited for.
        """
        if self._tries_until is None:
            self._tries_until = asyncio.get_running_loop().time() + LAST_TRIES_SECONDS

    async def stop(self) -> None:
        """Finish what was submitted, or give it up as after `end_soon`; then hang up."""
        self.end_soon()
        await self._drained()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _drained(self) -> None:
        """A batch that has left is waited for even where nobody waits for an answer any more: to
        hang up would undo it.
        """
        self._hurry()
        while unfinished := self._under_way.union(a for _, a in self._waiting if not a.done()):
            await asyncio.wait(unfinished)

    def submit(
        self, plan: Plan, *, is_urgent: bool = True, until: float | None = None
    ) -> asyncio.Future[Verdicted]:
        """Queue one plan. The future's error is CommitUnknown when the reply was lost; one that is
        cancelled before its plan has left keeps it from leaving. At `until`, in epoch seconds, it
        does not leave any more, and the error is LeftTooLate.

        One that is not urgent would be a batch and a flush by itself: it goes with the next that
        leaves, or after `UNHURRIED_SECONDS`.
        Raises what sealing it raises: it is this plan's fault, and no other waits for it.
        """
        sealed = self._seal(plan)
        answer: asyncio.Future[Verdicted] = asyncio.get_running_loop().create_future()
        if until is not None:
            self._until[answer] = until
        if is_urgent:
            self._waiting.append((sealed, answer))
            self._wake()
        else:
            if not self._patient:
                asyncio.get_running_loop().call_later(UNHURRIED_SECONDS, self._hurry)
            self._patient.append((sealed, answer))
        return answer

    def _hurry(self) -> None:
        self._waiting.extend(self._patient)
        self._patient.clear()
        self._wake()

    def _wake(self) -> None:
        if self._waiting and self._idle:
            self._idle.popleft().set_result(None)

    async def submit_until_known(
        self, plan: Plan, *, is_urgent: bool = True, until: float | None = None
    ) -> Verdicted:
        """Like `submit`, but repeats the same plan while replies are lost.

        A plan that turns out to be stored already is answered as applied: a create by its own id
        under its key, a move by the attempt or version it left behind being one's own is not
        decidable here, so a repeated move that is stale stays STALE and the caller reloads.
        Raises CommitUnknown where the database refuses it by an error after a reply was lost, for
        that speaks of the repeat and what came first may be stored; and when the process ends
        before anybody knows; and LeftTooLate, of its last repeat.
        """
        pause = 0.05
        unsure = False
        while True:
            try:
                answer = await self.submit(plan, is_urgent=is_urgent, until=until)
            except CommitUnknown as error:
                if self._is_over():
                    log.error("a plan is given up, for this process ends: %s", str(error))
                    raise
                unsure = True
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
                continue
            if unsure and answer.verdict is Verdict.DUPLICATE and answer.known == plan.payment:
                return APPLIED
            if unsure and answer.verdict is Verdict.POISON:
                raise CommitUnknown(f"a reply was lost, and the repeat refused: {answer.error}")
            return answer

    async def _write(self, connection: Any) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                if not self._waiting:
                    wake: asyncio.Future[None] = loop.create_future()
                    self._idle.append(wake)
                    await wake
                    continue
                if connection.is_closed():  # nothing was sent on it, so nothing is in doubt
                    connection = await self._reconnect()
                    continue  # meanwhile the other writers may have taken all there was
                batch = self._next_batch()
                if not batch:
                    continue
                if not await self._commit_batch(connection, batch):
                    connection.terminate()
                    connection = await self._reconnect()
        finally:
            connection.terminate()

    def _next_batch(self) -> list[tuple[Plan, asyncio.Future[Verdicted]]]:
        """What leaves now. Who was told that nobody knows, and waits no more, is as dead: of theirs
        nothing is sent that has not left, however long it was kept from leaving.
        """
        size = min(len(self._waiting), self._batch_max)
        batch = [self._waiting.popleft() for _ in range(size)]
        while self._patient and len(batch) < self._batch_max:
            batch.append(self._patient.popleft())
        if self._until:
            self._end_the_late(batch)
        return [waiting for waiting in batch if not waiting[1].done()]

    def _end_the_late(self, batch: list[tuple[Plan, asyncio.Future[Verdicted]]]) -> None:
        now = self._clock.epoch()
        for _, answer in batch:
            if self._until.pop(answer, now + 1) <= now and not answer.done():
                answer.set_exception(LeftTooLate("it was kept from leaving for too long"))

    async def _commit_batch(
        self, connection: Any, batch: list[tuple[Plan, asyncio.Future[Verdicted]]]
    ) -> bool:
        """Whether the connection is still good."""
        plans = [plan for plan, _ in batch]
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way.add(ended)
        try:
            return await self._answer_batch(connection, batch, plans)
        finally:
            self._under_way.remove(ended)
            ended.set_result(None)

    async def _answer_batch(
        self,
        connection: Any,
        batch: list[tuple[Plan, asyncio.Future[Verdicted]]],
        plans: list[Plan],
    ) -> bool:
        loop = asyncio.get_running_loop()
        self.batches += 1
        self.plans += len(plans)
        at_ms = int(self._clock.epoch() * 1000)
        try:
            careful = loop.time() < self._short_until
            verdicts = await commit(connection, plans, at_ms, careful=careful)
        except CommitUnknown as error:
            self._tell(error, len(plans))
            _refuse(batch, error)
            return False
        except Exception as error:  # The loop must go on, and whoever waits must hear.
            end_if_refused(error)
            log.exception("a batch of %d plans failed in a way nobody foresaw", len(batch))
            _refuse(batch, OurFault(f"the commit failed: {type(error).__name__}"))
            return False
        self._trouble = ""
        for (_, answer), verdict in zip(batch, verdicts, strict=True):
            if not answer.done():
                answer.set_result(verdict)
            if verdict is not APPLIED and verdict.verdict is Verdict.INSUFFICIENT:
                self._short_until = loop.time() + 1
        return True

    def _tell(self, error: CommitUnknown, plans: int) -> None:
        """Whoever submitted tries again, for as long as it takes: without a word a full disk of
        Postgres looks like turns that are late.
        """
        now = asyncio.get_running_loop().time()
        self._trouble, self._trouble_at = type(error.__cause__ or error).__name__, now
        if now >= self._tell_at:
            self._tell_at = now + TOLD_SECONDS
            log.warning("a batch of %d plans was not stored, it is tried again: %s", plans, error)

    async def _reconnect(self) -> Any:
        pause = 0.05
        while True:
            try:
                return await self._connect()
            except Exception as error:  # a writer that ends is missed by nobody, and plans wait
                end_if_refused(error)
                if not isinstance(error, AWAY):
                    log.exception("a writer cannot connect for a reason nobody foresaw")
                if self._is_over():
                    _refuse([*self._waiting, *self._patient], CommitUnknown("Postgres is away"))
                    self._waiting.clear()
                    self._patient.clear()
                    self._until.clear()
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)

    def _is_over(self) -> bool:
        """Whether the process ends, and what fails now is not tried again."""
        until = self._tries_until
        return until is not None and asyncio.get_running_loop().time() >= until

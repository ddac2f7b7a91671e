"""Many transactions of one account on their way at once, and never a hole in its order.

For whoever sends more than now and then: what goes out is numbered here, a number is never given
up, and the outcomes of a hundred are asked for in one question. It stores nothing: a caller that
must survive a crash numbers and stores by itself, and uses `engine.ports.SettlementPort` alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, Final, NamedTuple, Protocol

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreachable
from engine.ports import Found, Instruction, Position, Prepared, Slot, Standing
from providers.aptos.answers import Transaction, bytes_of, whole

PAUSE_SECONDS: Final = 0.05
PAUSE_SECONDS_MAX: Final = 2.0
WATCH_SECONDS_MAX: Final = 0.5
_GROWTH: Final = 2.0
_FINAL: Final = frozenset({Standing.DONE, Standing.REFUSED})

Sleep = Callable[[float], Awaitable[None]]
Prepare = Callable[[Slot], Awaitable[Prepared]]
"""Signs one instruction for a place. Called again, with a later expiry, only when the first
signature can never be used any more."""


class Rail(Protocol):
    """What of `SettlementPort` is needed here, and the two questions about many."""

    expires_seconds: int
    in_flight_max: int

    async def position(self) -> Position: ...

    async def next_sequence_number(self, account: str) -> int: ...

    async def prepare_nothing(self, slot: Slot) -> Prepared: ...

    async def send(self, prepared: Prepared) -> None: ...

    async def find(self, prepared: Prepared) -> Found: ...

    async def committed(self, account: str, *, first: int) -> tuple[list[Transaction], Position]:
        """Its next transactions in order, from that number on; at most a hundred."""
        ...

    def settled(self, transaction: Transaction) -> Found:
        """What a committed transaction says."""
        ...


class SendingRail(Rail, Protocol):
    """One that also says which account sends what."""

    def account_for(self, instruction: Instruction) -> str: ...

    async def prepare(
        self, instruction: Instruction, slot: Slot, *, units_max: int
    ) -> Prepared: ...


class Carried(NamedTuple):
    """One transaction and what became of it: DONE or REFUSED."""

    prepared: Prepared
    found: Found


class _Undecided(NamedTuple):
    prepare: Prepare
    prepared: Prepared
    outcome: "asyncio.Future[Carried]"


class Lane:
    """One account. Nobody else may use the account while the lane is open.

    At most `in_flight_max` numbers are undecided at once; whoever comes then waits. An account
    that nobody pays for stops its lane until somebody does: `refused` says why it stands still.
    """

    def __init__(
        self,
        rail: Rail,
        account: str,
        *,
        sleep: Sleep = asyncio.sleep,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds` is any steady clock: it carries the chain's clock on between two answers."""
        self._rail = rail
        self._account = account
        self._sleep = sleep
        self._seconds = seconds
        self._free = asyncio.Semaphore(rail.in_flight_max)
        self._undecided: dict[int, _Undecided] = {}
        self._next = 0
        self._ledger_seconds, self._told_at = 0, 0.0
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.holes_filled = 0
        self.resent = 0
        self.undecided_most = 0
        self.refused: Rejected | None = None

    async def __aenter__(self) -> "Lane":
        self._next = await self._rail.next_sequence_number(self._account)
        self._hear(await self._rail.position())
        self._start(self._watch_outcomes())
        return self

    async def __aexit__(self, *exc: object) -> None:
        """What is undecided stays so: whoever waits for it is cancelled."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for undecided in self._undecided.values():
            undecided.outcome.cancel()

    async def carry(self, prepare: Prepare) -> Carried:
        """Number it, sign it, hand it in until it is decided.

        A caller that gives up leaves it on its way. Raises what `prepare` raises, once its place
        has been filled by what does nothing.
        """
        await self._free.acquire()
        # A number that is taken must be used, whoever goes away meanwhile.
        task = self._start(self._carry_through(prepare))
        task.add_done_callback(lambda _: self._free.release())
        return await asyncio.shield(task)

    async def _carry_through(self, prepare: Prepare) -> Carried:
        outcome: asyncio.Future[Carried] = asyncio.get_running_loop().create_future()
        failed = await self._place(prepare, outcome)
        carried = await outcome
        if failed is not None:
            raise failed
        return carried

    async def _place(
        self, prepare: Prepare, outcome: "asyncio.Future[Carried]"
    ) -> ProviderError | None:
        """The next number, and something signed for it: those behind it wait for it."""
        number, self._next = self._next, self._next + 1
        failed = None
        try:
            prepared = await prepare(self._slot(number))
        except ProviderError as error:
            failed, prepare = error, self._rail.prepare_nothing
            self.holes_filled += 1
            prepared = await self._insist(prepare, number)
        self._undecided[number] = _Undecided(prepare, prepared, outcome)
        self.undecided_most = max(self.undecided_most, len(self._undecided))
        self._wake.set()
        self._start(self._hand_in(number))
        return failed

    async def _insist(self, prepare: Prepare, number: int) -> Prepared:
        pause = PAUSE_SECONDS
        while True:
            try:
                return await prepare(self._slot(number))
            except ProviderError:
                await self._sleep(pause)
                pause = min(pause * _GROWTH, PAUSE_SECONDS_MAX)

    def _slot(self, number: int) -> Slot:
        ledger_seconds = self._ledger_seconds + int(self._seconds() - self._told_at)
        return Slot(self._account, number, ledger_seconds + self._rail.expires_seconds)

    def _hear(self, position: Position) -> None:
        if position.seconds >= self._ledger_seconds:
            self._ledger_seconds, self._told_at = position.seconds, self._seconds()

    def _start(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if task.cancelled() or isinstance(task.exception(), ProviderError | None):
            return
        error = task.exception()
        assert error is not None
        # A bug of ours must not leave anybody waiting for ever.
        for undecided in self._undecided.values():
            if not undecided.outcome.done():
                undecided.outcome.set_exception(error)

    # Handing in.

    async def _hand_in(self, number: int) -> None:
        """The same bytes until the rail has them, or somebody finds them decided."""
        pause = PAUSE_SECONDS
        while (undecided := self._undecided.get(number)) is not None:
            try:
                await self._rail.send(undecided.prepared)
                return
            except Throttled as error:
                pause = max(pause, min(error.retry_after_seconds, PAUSE_SECONDS_MAX))
            except (Unreachable, OutcomeUnknown, Rejected) as error:
                if isinstance(error, Rejected):
                    self.refused = error
                # Also a refusal says nothing of an earlier hand-in: ask by hash.
                await self._look(number)
            self.resent += 1
            await self._sleep(pause)
            pause = min(pause * _GROWTH, PAUSE_SECONDS_MAX)

    # Outcomes.

    async def _watch_outcomes(self) -> None:
        pause = PAUSE_SECONDS
        while True:
            if not self._undecided:
                self._wake.clear()
                await self._wake.wait()
                pause = PAUSE_SECONDS
            await self._sleep(pause)
            decided = await self._decide_many()
            pause = PAUSE_SECONDS if decided else min(pause * _GROWTH, WATCH_SECONDS_MAX)

    async def _decide_many(self) -> bool:
        """One question for all that follow the oldest; by hash, when the oldest may be lost."""
        if not self._undecided:
            return False
        oldest = min(self._undecided)
        try:
            committed, position = await self._rail.committed(self._account, first=oldest)
            self._hear(position)
            for transaction in committed:
                await self._decide(transaction)
        except ProviderError:
            return False
        undecided = self._undecided.get(oldest)
        if undecided is not None and position.seconds > undecided.prepared.slot.expires_at:
            await self._look(oldest)
        return bool(committed)

    async def _decide(self, transaction: Transaction) -> None:
        number = whole(transaction.sequence_number)
        undecided = None if number is None else self._undecided.get(number)
        if number is None or undecided is None:
            return
        if bytes_of(transaction.hash) == undecided.prepared.hash:
            self._finish(number, self._rail.settled(transaction))
        else:
            # Bytes that are not ours have the place, against the law of the lane: take another.
            del self._undecided[number]
            self._next = max(self._next, number + 1)
            await self._place(undecided.prepare, undecided.outcome)

    async def _look(self, number: int) -> None:
        undecided = self._undecided.get(number)
        if undecided is None:
            return
        try:
            found = await self._rail.find(undecided.prepared)
        except ProviderError:
            return
        if self._undecided.get(number) is not undecided:
            return  # decided or signed anew while we asked
        if found.standing in _FINAL:
            self._finish(number, found)
        elif found.standing is Standing.GONE:
            gone = [number, *await self._gone_behind(number, undecided)]
            await asyncio.gather(*[self._sign_anew(each) for each in gone])

    async def _gone_behind(self, number: int, undecided: _Undecided) -> list[int]:
        """Whose places were never reached because of this one, and who expired no later than it."""
        try:
            reached = await self._rail.next_sequence_number(self._account)
        except ProviderError:
            return []
        if reached > number:
            return []  # other bytes have its place, so those behind it may be anywhere
        expires_at = undecided.prepared.slot.expires_at
        return [
            behind
            for behind, other in self._undecided.items()
            if behind > number and other.prepared.slot.expires_at <= expires_at
        ]

    async def _sign_anew(self, number: int) -> None:
        """The old bytes can never happen, and everything behind them waits for this place."""
        undecided = self._undecided.get(number)
        if undecided is None:
            return
        prepared = await self._insist(undecided.prepare, number)
        if self._undecided.get(number) is undecided:
            self.holes_filled += 1
            self._undecided[number] = undecided._replace(prepared=prepared)
            self._start(self._hand_in(number))

    def _finish(self, number: int, found: Found) -> None:
        undecided = self._undecided.pop(number)
        if not undecided.outcome.done():
            undecided.outcome.set_result(Carried(undecided.prepared, found))


class Submitters:
    """A lane for every account that sends something: a corridor always goes by the same one."""

    def __init__(self, rail: SendingRail, *, units_max: int, sleep: Sleep = asyncio.sleep) -> None:
        """`units_max`: what every instruction is allowed; the rail caps it by its own budget."""
        self._rail = rail
        self._units_max = units_max
        self._sleep = sleep
        self._lanes: dict[str, Lane] = {}
        self._opening = asyncio.Lock()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "Submitters":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._open.aclose()

    async def carry(self, instruction: Instruction) -> Carried:
        """As `Lane.carry`, by the account that must send it."""
        lane = await self._lane(self._rail.account_for(instruction))

        async def prepare(slot: Slot) -> Prepared:
            return await self._rail.prepare(instruction, slot, units_max=self._units_max)

        return await lane.carry(prepare)

    async def _lane(self, account: str) -> Lane:
        async with self._opening:
            if account not in self._lanes:
                lane = Lane(self._rail, account, sleep=self._sleep)
                self._lanes[account] = await self._open.enter_async_context(lane)
        return self._lanes[account]

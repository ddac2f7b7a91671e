"""Sends instructions to the rail, each carried out once, through crashes and lost answers.

A place in an account's order is kept before anything is signed for it, what was signed before its
first byte leaves, and only the hash tells what became of it. Nothing new is signed while something
that was may still happen. Many are on their way at once, as many as the rail takes, and as places
come free the next go out. It knows no batches. Why so: `decisions/0002-one-place-one-hash.md`,
`decisions/0005-many-on-their-way.md`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from engine.clock import Clock, Ids
from engine.correlation import speaking_of
from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreachable
from engine.payments.settlement.batch_store import BatchStore, hash_of
from engine.payments.settlement.errand_store import Errand, ErrandStore, Transaction
from engine.payments.settlement.state import ErrandState
from engine.ports import (
    Found,
    Instruction,
    Reason,
    Refusal,
    Settlement,
    SettlementPort,
    Slot,
    Standing,
)
from engine.tasks import together

log = logging.getLogger(__name__)
Item = TypeVar("Item")

LEASE_SECONDS = 120
PATIENCE_SECONDS = 2.0
"""How long the rail is given to decide the oldest before the next sweep asks again."""
TEND_SECONDS_MAX = 10.0
"""How long one sweep goes on with an account that always has more to send: batches wait for it."""
AT_ONCE = 16
"""How many instructions are tried, signed and handed in at a time: the node's connections."""
UNSEEN_SECONDS = 3600
"""So long after nothing of it can happen any more, by the rail's clock, what was said to be done
and that no node has in its books is somebody's affair: the one that said so may have been wrong."""
_DECIDED = frozenset({Standing.DONE, Standing.REFUSED})


class _Start(NamedTuple):
    """What all that are begun together need to know of the rail."""

    rail_seconds: int
    number: int  # the first that the rail has not used
    allocating: asyncio.Lock


class Submitting:
    """The submitter of every account. Any number may run: an account has one sweep at a time."""

    def __init__(
        self,
        errands: ErrandStore,
        batches: BatchStore,
        rail: SettlementPort,
        *,
        clock: Clock,
        ids: Ids,
        patience_seconds: float = PATIENCE_SECONDS,
        lease_seconds: int = LEASE_SECONDS,
    ) -> None:
        """`batches` keeps the cases that are opened for people.

        So long after it died in the middle of an account, nobody else sends from that one.
        """
        self._errands = errands
        self._batches = batches
        self._rail = rail
        self._clock = clock
        self._ids = ids
        self._patience_seconds = patience_seconds
        self._lease_ms = lease_seconds * 1000

    async def want(self, errand_id: str, instruction: Instruction) -> None:
        """Have it carried out. The same id again changes nothing."""
        account = self._rail.account_for(instruction)
        await self._errands.want(errand_id, account, instruction, self._now_ms())

    async def sweep(self, rail_seconds: int) -> int:
        """Look after every account that has something to do; how many have.

        What one account's rail or signer raises is its own: it is tried again next time.
        """
        busy = await self._errands.busy_accounts()
        await together(*[self._look_after(account, rail_seconds) for account in busy])
        return len(busy)

    async def _look_after(self, account: str, rail_seconds: int) -> None:
        # Of this sweep alone: two of one process keep out of each other's way as well.
        holder = self._ids.hex()
        if not await self._hold(account, holder):
            return
        try:
            await self._tend(account, holder, rail_seconds)
        except Rejected as error:
            # No time mends that: it is not in the settings any more, or has no key.
            await self._call_somebody(account, error)
        except ProviderError as error:
            log.warning("settlement account %s is looked at again later: %s", account, error)
        finally:
            await self._errands.let_go(account, holder)

    async def _tend(self, account: str, holder: str, rail_seconds: int) -> None:
        until = self._clock.epoch() + TEND_SECONDS_MAX
        left = await self._hear(account, await self._errands.live(account))
        await _some_at_once(self._follow, left)
        await self._hand_in(account, holder)
        await self._fill(account, rail_seconds)
        while await self._wait(account) and self._clock.epoch() < until:
            await self._hand_in(account, holder)

    async def never_was(self, errand: Errand) -> bool:
        """Whether what is said to be done stands nowhere, and by the rail's own order never will.

        Of what was said to be done before, by bytes that we do not know, the rail's own trial says
        so once the approvals are past: it looks for the batch first. Raises what the rail raises.
        """
        if errand.refusal is Refusal.DONE_BEFORE:
            return await self._rail.estimate(errand.instruction) is Refusal.APPROVALS
        ended = await self._errands.ended_by(errand)
        return ended is not None and await self._is_gone(ended)

    async def again_if_never_was(self, errand: Errand, ended: Transaction) -> bool:
        """The same of a step that the rail itself takes once, and of what is said to have `ended`
        it: then it is wanted anew at once.

        Whatever is true after all, its second time is refused. Raises what the rail raises.
        """
        if not await self._is_gone(ended):
            return False
        if not await self._errands.want_anew(errand, ended):
            return False
        await self._tell_of_free_place(ended)
        return True

    async def _is_gone(self, transaction: Transaction) -> bool:
        if transaction.prepared is None:
            return False
        return (await self._rail.find(transaction.prepared)).standing is Standing.GONE

    # What may still happen.

    async def _hear(self, account: str, live: Sequence[Transaction]) -> list[Transaction]:
        """End what the rail has decided, by one question; what it says nothing of is left."""
        signed = [each.prepared for each in live if each.prepared is not None]
        if len(signed) < 2:
            return list(live)
        first = signed[0].slot.sequence_number
        try:
            told = dict(await self._rail.carried_out(account, first=first))
        except ProviderError as error:  # a rail may forget its old order, never a hash
            log.info("the order of %s is not told, each hash is asked for: %s", account, error)
            return list(live)
        left = list[Transaction]()
        for transaction in live:
            found = told.get(transaction.prepared.hash) if transaction.prepared else None
            if found is None:
                left.append(transaction)
            else:
                await self._conclude(transaction, found)
        return left

    async def _follow(self, transaction: Transaction) -> None:
        with speaking_of(errand=transaction.errand or ""):  # a batch's errand has its id
            if transaction.prepared is None:
                # Nothing signed for it was kept, so nothing has left, and nothing will: whoever
                # still has such bytes in hand does not find the place to keep them in.
                await self._errands.give_up(transaction)
                return
            found = await self._rail.find(transaction.prepared)
            if found.standing is Standing.UNKNOWN:
                await self._send(transaction)
            else:
                await self._conclude(transaction, found)

    async def _send(self, transaction: Transaction) -> None:
        """The same bytes, however often. What became of them only their hash says."""
        assert transaction.prepared is not None
        try:
            await self._rail.send(transaction.prepared)
        except Rejected as error:
            # It says nothing of an earlier hand-in: only the hash does.
            if error.reason == Reason.CONFIGURATION:
                await self._call_somebody(transaction.slot.account, error)
        except (OutcomeUnknown, Throttled, Unreachable) as error:
            log.info("whether the rail has it, its hash will say: %s", error)

    async def _wait(self, account: str) -> bool:
        """Give the rail time to decide the oldest; whether it did, and there may be more to do.

        The rail decides an account's own in their order, so the oldest is decided first.
        """
        oldest = await self._errands.oldest_signed(account)
        if oldest is None:
            return False
        assert oldest.prepared is not None
        found = await self._rail.wait(oldest.prepared, seconds=self._patience_seconds)
        await self._conclude(oldest, found)
        if found.standing not in _DECIDED:
            return False
        await self._hear(account, await self._errands.live(account))
        return True

    async def _conclude(self, transaction: Transaction, found: Found) -> None:
        match found.standing:
            case Standing.DONE | Standing.REFUSED:
                await self._errands.end(transaction, found)
            case Standing.GONE:
                await self._errands.give_up(transaction)
            case Standing.WAITING | Standing.UNKNOWN:
                pass  # it may happen: asked again by the next sweep

    # What is to happen.

    async def _hand_in(self, account: str, holder: str) -> None:
        """As many of those that are wanted as there are places free, counted while we hold it."""
        if not await self._hold(account, holder):
            return
        free = self._rail.in_flight_max - await self._errands.live_count(account)
        wanted = await self._errands.wanted(account, self._now_ms(), free) if free > 0 else []
        if not wanted:
            return
        # The rail's clock anew: those before may have taken seconds to decide.
        position = await self._rail.position()
        start = _Start(position.seconds, await self._first_number(account), asyncio.Lock())
        await _some_at_once(lambda errand: self._try(errand, start), wanted)

    async def _try(self, errand: Errand, start: _Start) -> None:
        """What is wrong with one must not keep the account's others waiting."""
        is_batch = isinstance(errand.instruction, Settlement)
        with speaking_of(**{"batch" if is_batch else "errand": errand.id}):
            try:
                await self._begin(errand, start)
            except Rejected as error:
                await self._call_somebody(errand.account, error)

    async def _begin(self, errand: Errand, start: _Start) -> None:
        instruction = errand.instruction
        if has_lapsed(instruction, start.rail_seconds):
            await self._errands.lapse(errand)
            return
        units_max = await self._rail.estimate(instruction)
        if isinstance(units_max, Refusal):
            await self._errands.refuse(errand, units_max)
            return
        slot = Slot(errand.account, start.number, self._expiry(instruction, start.rail_seconds))
        async with start.allocating:
            allocated = await self._errands.allocate(self._ids.hex(), errand, slot, self._now_ms())
        if allocated is None:
            return
        prepared = await self._rail.prepare(instruction, allocated.slot, units_max=units_max)
        kept = await self._errands.keep(allocated, prepared)
        if kept is not None:
            await self._send(kept)

    async def _fill(self, account: str, rail_seconds: int) -> None:
        """What stands behind an empty place waits until it is filled."""
        live = await self._errands.live(account)
        if not live:
            return
        first = await self._rail.next_sequence_number(account)
        await self._free_what_never_was(account, first, rail_seconds)
        taken = await self._errands.taken_from(account, first)
        for number in range(first, live[-1].slot.sequence_number):
            if number not in taken:
                slot = Slot(account, number, rail_seconds + self._rail.expires_seconds)
                await self._fill_place(slot)

    async def _free_what_never_was(self, account: str, first: int, rail_seconds: int) -> None:
        """What was called over stands in the account's order, or a node was wrong: then its place
        is empty, and it can be in it no more. Whoever takes it, one number is used once.
        """
        for transaction in await self._errands.called_over(account, first, rail_seconds):
            assert transaction.prepared is not None
            if await self._is_gone(transaction) and await self._errands.free(transaction):
                await self._tell_of_free_place(transaction)

    async def _tell_of_free_place(self, transaction: Transaction) -> None:
        account, number = transaction.slot.account, transaction.slot.sequence_number
        detail = f"the rail called over what it never did: number {number} of {account}"
        await self._open_case(account, f"never {transaction.id}", detail)

    async def _fill_place(self, slot: Slot) -> None:
        allocated = await self._errands.allocate(self._ids.hex(), None, slot, self._now_ms())
        if allocated is None:
            return
        kept = await self._errands.keep(allocated, await self._rail.prepare_nothing(slot))
        if kept is not None:
            await self._send(kept)

    async def _first_number(self, account: str) -> int:
        """The first that the rail has not used; of those, the first free one is taken."""
        number = await self._rail.next_sequence_number(account)
        ours = await self._errands.highest(account)
        if ours is not None and number > ours + 1:
            detail = f"somebody else sends from {account}: the rail is at {number}, we at {ours}"
            await self._open_case(account, "foreign", detail)
        return number

    def _expiry(self, instruction: Instruction, rail_seconds: int) -> int:
        """Never past the approvals: after them nothing of it can happen, whoever has the bytes."""
        expires_at = rail_seconds + self._rail.expires_seconds
        if isinstance(instruction, Settlement):
            return min(expires_at, instruction.terms.expires_at)
        return expires_at

    async def _hold(self, account: str, holder: str) -> bool:
        now_ms = self._now_ms()
        return await self._errands.hold(account, holder, now_ms, now_ms + self._lease_ms)

    async def _call_somebody(self, account: str, error: Rejected) -> None:
        await self._open_case(account, f"rejected {error.code}", f"{account} cannot send: {error}")

    async def _open_case(self, account: str, about: str, detail: str) -> None:
        subject = hash_of(f"account {account}")
        if await self._batches.open_case_of_day(subject, about, detail, self._now_ms()):
            log.error("case SETTLEMENT %s", detail)

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


async def _some_at_once(work: Callable[[Item], Awaitable[None]], items: Sequence[Item]) -> None:
    free = asyncio.Semaphore(AT_ONCE)

    async def in_turn(item: Item) -> None:
        async with free:
            await work(item)

    await together(*map(in_turn, items))


def has_lapsed(instruction: Instruction, rail_seconds: int) -> bool:
    """Whether its approvals are worth nothing any more, by the rail's clock."""
    return isinstance(instruction, Settlement) and instruction.terms.expires_at <= rail_seconds


def may_happen(errand: Errand | None) -> bool:
    """Whether something signed for it may still be carried out, or is about to be signed."""
    return errand is not None and errand.state in (ErrandState.WANTED, ErrandState.UNDER_WAY)

"""The story of settlement: gather, close, book, approve, send, see it done, book that; or undo.

Each sweep takes every batch as far as it goes now; a crash anywhere leaves something that the next
sweep takes up. The rail may be away for days: windows go on to be closed, and payments never wait.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from engine.clock import Clock
from engine.correlation import speaking_of
from engine.errors import CappError, OurFault, ProviderError, Rejected, StaffMistake
from engine.ledger.entries import Manual
from engine.ledger.pool_postings import turned_round
from engine.ledger.postings import Transfers
from engine.payments.settlement import posting
from engine.payments.settlement.approving import Approving
from engine.payments.settlement.batch import Batch, fits
from engine.payments.settlement.batch_store import AWAKE, BatchStore
from engine.payments.settlement.booking import Booking
from engine.payments.settlement.closing import Closing
from engine.payments.settlement.disputes import Disputes
from engine.payments.settlement.errand_store import Errand, ErrandStore
from engine.payments.settlement.gathering import Gathering
from engine.payments.settlement.resting import AGAIN_SECONDS_MAX, LATE, Resting
from engine.payments.settlement.rules import Rules
from engine.payments.settlement.standing import Standings
from engine.payments.settlement.state import BatchState, ErrandState
from engine.payments.settlement.submitting import UNSEEN_SECONDS, Submitting, may_happen
from engine.ports import Recorded, Refusal, SettlementPort

log = logging.getLogger(__name__)

Step = Callable[[Batch], Awaitable[bool]]

MAY_PASS = frozenset({Refusal.PAUSED, Refusal.SHORT, Refusal.FROZEN, Refusal.BARRED, Refusal.FEE})
"""Refusals that may pass while the approvals are still good: the same batch is tried again."""
AGAIN_SECONDS_MIN = 10
CHECK_SECONDS = 60
UNSEEN = (
    "said to be done, and in none of the rail's books: ask another node (`node` in the settlement"
    " file). Once one shows it, it is booked; once one shows that it never was, two hours after its"
    " approvals at the earliest, a window takes its payments again: both by itself"
)
NEVER_SECONDS = 2 * UNSEEN_SECONDS
"""So long people and other nodes may still show it; what by the rail's own order never was done
then goes into a window again."""


class Settling:
    """For the worker; any number may run beside each other."""

    def __init__(
        self,
        gathering: Gathering,
        closing: Closing,
        approving: Approving,
        submitting: Submitting,
        disputes: Disputes,
        standings: Standings,
        batches: BatchStore,
        errands: ErrandStore,
        booking: Booking,
        rail: SettlementPort,
        rules: Rules,
        book: posting.Book,
        operators: Mapping[str, int],
        clock: Clock,
    ) -> None:
        """`operators` maps names to the codes in account numbers."""
        self._gathering = gathering
        self._closing = closing
        self._approving = approving
        self._submitting = submitting
        self._disputes = disputes
        self._standings = standings
        self._batches = batches
        self._errands = errands
        self._booking = booking
        self._rail = rail
        self._rules = rules
        self._book = book
        self._operators = dict(operators)
        self._clock = clock
        self._resting = Resting(batches, rules.window, clock)
        self._checked_ms = 0

    async def sweep(self) -> int:
        """One round; how many steps were taken. Safe to repeat, and to stop anywhere.

        Raises only what our own database raises; the rail being away is in the log.
        """
        steps = 0
        if await self._gathering.gather():
            steps += len(await self._closing.close_due())
        steps += await self._each(self._settle_with_the_books)
        try:
            steps += await self._settle_with_the_rail()
        except ProviderError as error:
            log.warning("the rail is away; settlement waits for it: %s", error)
        return steps

    async def take_up_again(self, batch_id: str) -> BatchState:
        """A parked batch goes on where it stood: whatever it was parked for is mended.

        Everything is looked at anew, so it is parked again if not. In which state it is now.
        Raises StaffMistake when it is not parked.
        """
        batch = await self._batches.get(batch_id)
        if batch is None or batch.state is not BatchState.PARKED:
            raise StaffMistake(f"no batch {batch_id} is parked")
        sent = await self._errands.get(batch.id) is not None
        state = BatchState.SUBMITTED if sent else BatchState.CLOSED
        await self._batches.move(batch, state, reason="taken up again")
        return state

    async def _settle_with_the_rail(self) -> int:
        if not await self._has_business():
            return 0
        position = await self._rail.position()
        steps = await self._each(lambda batch: self._approve(batch, position.seconds))
        steps += await self._submitting.sweep(position.seconds)
        steps += await self._each(lambda batch: self._look(batch, position.seconds))
        steps += await self._each(self._settle_with_the_books)
        steps += await self._disputes.sweep(position.seconds)
        await self._check()
        return steps

    async def _has_business(self) -> bool:
        """Whether there is anything to ask the rail: somebody else pays for its answers."""
        return bool(
            self._is_time_to_check()
            or await self._batches.unfinished()
            or await self._errands.busy_accounts()
            or await self._disputes.are_any_open()
        )

    async def _check(self) -> None:
        """Now and then, whether every pool holds what the books say."""
        if self._is_time_to_check():
            self._checked_ms = self._now_ms()
            await self._standings.check()

    def _is_time_to_check(self) -> bool:
        return abs(self._now_ms() - self._checked_ms) >= CHECK_SECONDS * 1000

    async def _each(self, step: Step) -> int:
        """Take every unfinished batch one step. What one of them raises is its own."""
        taken = 0
        for batch in await self._batches.unfinished():
            with speaking_of(batch=batch.id):
                taken += await self._one(step, batch)
        return taken

    async def _one(self, step: Step, batch: Batch) -> bool:
        try:
            return await step(batch)
        except Rejected as error:
            # No time mends that: a key that is not there, a corridor that is not placed.
            detail = f"{batch.corridor}: it cannot go on: {error}"
            if await self._batches.open_case_of_day(batch.id, detail, detail, self._now_ms()):
                log.error("case SETTLEMENT of batch %s: %s", batch.id, detail)
        except ProviderError as error:
            log.warning("settlement batch %s is looked at again later: %s", batch.id, error)
        except CappError:
            log.exception("settlement batch %s is looked at again later", batch.id)
        return False

    # Between batches and books.

    async def _settle_with_the_books(self, batch: Batch) -> bool:
        """What was begun in our own books is finished there, whether the rail is there or not."""
        if batch.state is BatchState.CLOSING:
            await self._booking.first(
                batch.id, Manual.SETTLEMENT_CLOSED, self._closed(batch),
                key=f"settlement:{batch.id}", facts=_facts(batch),
            )  # fmt: skip
            await self._batches.count_closed(batch)
            return True
        if batch.state is BatchState.REOPENING:
            await self._turn_round(batch)
            return True
        return False

    async def _turn_round(self, batch: Batch) -> None:
        legs = turned_round(self._closed(batch))
        if not await self._booking.follow(
            batch.id, Manual.SETTLEMENT_REOPENED, legs, _facts(batch)
        ):
            await self._park(batch, "the books have it as final, and it was to be reopened")
            return
        if not await self._batches.set_free(batch, self._now_ms()):
            return  # somebody else did, and counts the refusal
        await self._resting.after(batch)
        log.warning("settlement batch %s reopened: %s", batch.id, batch.reason)

    # Between batches and the rail.

    async def _approve(self, batch: Batch, rail_seconds: int) -> bool:
        if batch.state is not BatchState.CLOSED:
            return False
        try:
            approved = await self._approving.approve(batch, rail_seconds)
        except OurFault as error:
            await self._park(batch, f"it is not what its payments come to: {error}")
            return True
        if approved is None or not await self._batches.move_approved(batch, approved.terms):
            return False
        # At once, not by the next sweep: where sweeps are rare, approvals would be past by then.
        if await self._misfit(batch) is None:
            await self._submitting.want(batch.id, approved)
        return True

    async def _look(self, batch: Batch, rail_seconds: int) -> bool:
        """What has become of an approved batch, and what follows."""
        if batch.state not in (BatchState.APPROVED, BatchState.SUBMITTED):
            return False
        if misfit := await self._misfit(batch):
            await self._park(batch, misfit)
            return True
        errand = await self._errands.get(batch.id)
        if errand is None:
            return await self._want(batch)
        match errand.state:
            case ErrandState.WANTED:
                return await self._lapse(batch, errand, rail_seconds)
            case ErrandState.UNDER_WAY:
                return batch.state is BatchState.APPROVED and await self._batches.move(
                    batch, BatchState.SUBMITTED
                )
            case ErrandState.DONE:
                return await self._said_done(batch, errand, rail_seconds)
            case ErrandState.REFUSED:
                return await self._refused(batch, errand, rail_seconds)
            case ErrandState.LAPSED:
                return await self._reopen(batch, errand, _why_lapsed(errand), rail_seconds)

    async def _lapse(self, batch: Batch, errand: Errand, rail_seconds: int) -> bool:
        """Whose approvals are past is not tried again, however long it was to wait for that."""
        if batch.expires_at is None or rail_seconds < batch.expires_at:
            return False
        await self._errands.lapse(errand)
        return True

    async def _want(self, batch: Batch) -> bool:
        approved = await self._approving.approved(batch)
        if approved is None:
            # The file asks for more than it did. Nothing was sent: more may still approve.
            return await self._batches.move(batch, BatchState.CLOSED)
        await self._submitting.want(batch.id, approved)
        return True

    async def _refused(self, batch: Batch, errand: Errand, rail_seconds: int) -> bool:
        assert errand.refusal is not None and batch.expires_at is not None
        if errand.refusal is Refusal.DONE_BEFORE:
            return await self._said_done(batch, errand, rail_seconds)
        if rail_seconds >= batch.expires_at:
            return await self._reopen(batch, errand, errand.refusal.value, rail_seconds)
        if errand.refusal in MAY_PASS:
            wait = min(AGAIN_SECONDS_MIN << min(errand.refusals, 16), AGAIN_SECONDS_MAX)
            await self._errands.want_again(errand, self._now_ms() + wait * 1000)
        elif batch.reason != errand.refusal.value:
            detail = f"{batch.corridor}: the rail does not take it: {errand.refusal.value}"
            await self._open_case(batch, errand.refusal.value, detail)
        if batch.reason == errand.refusal.value:
            return False
        return await self._batches.move(batch, batch.state, reason=errand.refusal.value)

    async def _said_done(self, batch: Batch, errand: Errand, rail_seconds: int) -> bool:
        return await self._confirm(batch, rail_seconds) or await self._doubt(
            batch, errand, rail_seconds
        )

    async def _confirm(self, batch: Batch, rail_seconds: int) -> bool:
        """Booked as done only when the rail's own books say exactly what was approved."""
        recorded = await self._rail.recorded(batch.corridor, bytes.fromhex(batch.id))
        if recorded is None:
            # A node that has not come that far; the next sweep asks again.
            if batch.expires_at is not None and rail_seconds >= batch.expires_at + UNSEEN_SECONDS:
                detail = f"{batch.corridor}: {UNSEEN}"
                if await self._batches.open_case_of_day(batch.id, detail, detail, self._now_ms()):
                    log.error("case SETTLEMENT of batch %s: %s", batch.id, detail)
            return False
        if differences := _differences(batch, recorded):
            await self._park(batch, f"the rail's record differs: {', '.join(differences)}")
            return True
        if not await self._booking.follow(
            batch.id, Manual.SETTLEMENT_FINAL, self._final(batch), _facts(batch)
        ):
            await self._park(batch, "the rail has carried out what the books have as reopened")
            return True
        await self._batches.rest(batch.corridor, AWAKE)
        return await self._batches.move(
            batch, BatchState.SETTLED, now_ms=self._now_ms(), settled_at=recorded.settled_at
        )

    async def _doubt(self, batch: Batch, errand: Errand, rail_seconds: int) -> bool:
        """What one node called done may never have been. Only the account's own order can say so,
        long after its approvals: then not even the rail can carry it out any more.
        """
        assert batch.expires_at is not None
        if rail_seconds < batch.expires_at + NEVER_SECONDS:
            return False
        if not await self._submitting.never_was(errand):
            return False
        log.error(
            "settlement batch %s was called done, and by the rail's order never was", batch.id
        )
        await self._errands.lapse(errand)
        return True

    async def _reopen(self, batch: Batch, errand: Errand, reason: str, rail_seconds: int) -> bool:
        """Only when the rail itself can carry it out no more, whoever asks: approvals are past by
        its clock, nothing of ours may still happen, and it is not in its books.
        """
        assert batch.expires_at is not None
        if may_happen(errand) or rail_seconds < batch.expires_at:
            return False
        if await self._rail.recorded(batch.corridor, bytes.fromhex(batch.id)) is not None:
            return await self._confirm(batch, rail_seconds)
        return await self._batches.move(batch, BatchState.REOPENING, reason=reason)

    async def _misfit(self, batch: Batch) -> str | None:
        """What of the settlement file has changed under the batch; it would be booked wrongly."""
        corridor = self._rules.corridor(batch.corridor)
        if corridor is None:
            return "its corridor is not in the settlement file any more"
        operators = await self._batches.operators_of(batch)
        if not fits(batch, operators, corridor.members, self._rules.asset.code):
            return "its corridor has other members, or in another order, than when it was closed"
        return None

    async def _park(self, batch: Batch, why: str) -> None:
        """Nothing happens to it any more until people have looked: each time they are told."""
        await self._open_case(batch, f"parked {why} {self._now_ms()}", f"{batch.corridor}: {why}")
        await self._batches.move(batch, BatchState.PARKED, reason=why)

    async def _open_case(self, batch: Batch, about: str, detail: str) -> None:
        if await self._batches.open_case(batch.id, about, detail, self._now_ms()):
            log.error("case SETTLEMENT of batch %s: %s", batch.id, detail)

    # Postings.

    def _closed(self, batch: Batch) -> Transfers:
        return posting.close(self._book, batch.basis.interpool, batch.net_minor)

    def _final(self, batch: Batch) -> Transfers:
        corridor = self._rules.corridor(batch.corridor)
        if corridor is None:
            raise OurFault(f"no corridor {batch.corridor} in the settlement file")
        first, second = (self._operators[name] for name in corridor.members)
        payer, payee = (first, second) if batch.debits[0] else (second, first)
        return posting.finish(self._book, batch.net_minor, payer=payer, payee=payee)

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _facts(batch: Batch) -> str:
    return msgspec.json.encode({"settlement": batch.id, "corridor": batch.corridor}).decode()


def _why_lapsed(errand: Errand) -> str:
    if errand.refusal is not None and errand.refusal is not Refusal.DONE_BEFORE:
        return errand.refusal.value
    if errand.refusal or errand.hash:  # what is signed anew keeps no hash of what was before
        return "it was called done, and never was"
    return LATE


def _differences(batch: Batch, recorded: Recorded) -> list[str]:
    said = {
        "terms": (batch.terms_hash, recorded.terms_hash),
        "root": (batch.merkle_root, recorded.merkle_root),
        "number of payments": (batch.payment_count, recorded.payment_count),
        "debits": (batch.debits, recorded.debits),
        "credits": (batch.credits, recorded.credits),
    }
    return [what for what, (ours, theirs) in said.items() if ours != theirs]

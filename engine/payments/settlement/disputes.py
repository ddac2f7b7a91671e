"""Disputes about settled payments: opened, answered, ruled, refunded, each step on the rail once.

The rail's books say where a dispute stands; ours follow, and what it refunds is booked once. It
judges nothing: whether a step is allowed is the rail's word.
"""

import logging
from collections.abc import Mapping

from engine.clock import Clock, Ids
from engine.errors import CappError, OurFault, ProviderError, Rejected, StaffMistake
from engine.ledger.entries import Manual
from engine.payments.settlement import posting
from engine.payments.settlement.batch import Batch, fits
from engine.payments.settlement.batch_store import BatchStore
from engine.payments.settlement.booking import Booking
from engine.payments.settlement.dispute_store import Dispute, DisputeStore
from engine.payments.settlement.errand_store import Errand, ErrandStore, kind_of
from engine.payments.settlement.receipts import Receipts
from engine.payments.settlement.rules import Rules
from engine.payments.settlement.state import DisputeStage, ErrandState
from engine.payments.settlement.submitting import UNSEEN_SECONDS, Submitting
from engine.ports import (
    DisputeAnswer,
    DisputeOpening,
    DisputeRefund,
    DisputeRuling,
    DisputeStanding,
    Instruction,
    SettlementPort,
)

log = logging.getLogger(__name__)

_STAGES = {
    "open": DisputeStage.OPEN,
    "contested": DisputeStage.CONTESTED,
    "ruled": DisputeStage.RULED,
    "closed": DisputeStage.CLOSED,
}
_SHOWN_FROM: dict[type[Instruction], DisputeStage] = {
    DisputeOpening: DisputeStage.OPEN,
    DisputeAnswer: DisputeStage.CONTESTED,
    DisputeRuling: DisputeStage.RULED,
    DisputeRefund: DisputeStage.CLOSED,
}
"""The stage from which on the rail's books show that a step was done: none leads back."""

BACK_SECONDS = 600
"""So long, by the rail's clock, books that show less than before are those of a node behind."""


class Disputes:
    """The disputes of one tenant. Every method may be repeated."""

    def __init__(
        self,
        store: DisputeStore,
        batches: BatchStore,
        errands: ErrandStore,
        submitting: Submitting,
        receipts: Receipts,
        booking: Booking,
        rail: SettlementPort,
        rules: Rules,
        book: posting.Book,
        operators: Mapping[str, int],
        *,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """`operators` maps names to the codes in account numbers."""
        self._store = store
        self._batches = batches
        self._errands = errands
        self._submitting = submitting
        self._receipts = receipts
        self._booking = booking
        self._rail = rail
        self._rules = rules
        self._book = book
        self._operators = dict(operators)
        self._clock = clock
        self._ids = ids
        self._back_since: dict[str, int] = {}  # by dispute, in the rail's seconds

    async def open(self, payment: str, member: str, amount_minor: int, *, by: str) -> bytes:
        """A member says that so much of the asset should not have moved for a payment.

        A member whose key is not ours opens it on the rail by itself: from here on it is followed,
        with the amount that stands there. One that was seen on the rail and is not there any more
        is asked for anew. The dispute's id on the rail; the same for the same payment. Raises
        StaffMistake when the payment is in no settled batch, the operator is not of its corridor,
        the settlement file has other members of it by now, or the rail does not have a dispute
        that we cannot open; and then what the rail raises.
        """
        if amount_minor <= 0:
            raise StaffMistake("a dispute is about more than nothing")
        found = await self._receipts.leaf_of(payment)
        if found is None:
            raise StaffMistake(f"payment {payment} is in no settled batch")
        batch, place = found.batch, self._place(found.batch.corridor, member)
        if not await self._fits(batch):
            raise StaffMistake(f"the settlement file has other members of {batch.corridor} by now")
        opening = DisputeOpening(
            batch.corridor, bytes.fromhex(batch.id), found.hash, found.place, found.proof, place,
            1 - place, amount_minor,
        )  # fmt: skip
        dispute = Dispute(
            self._ids.hex(), batch.corridor, self._rail.dispute_id(opening), batch.id, payment,
            found.leaf.version, place, 1 - place, amount_minor, 0, DisputeStage.OPEN,
            self._ids.hex(), by, "", self._now_ms(),
        )  # fmt: skip
        try:
            account = self._rail.account_for(opening)
        except Rejected:
            await self._follow_anothers(dispute, member)
        else:
            if not await self._store.add(dispute, account, opening):
                await self._open_anew(dispute, account, opening)
        return dispute.dispute

    async def _open_anew(self, dispute: Dispute, account: str, opening: DisputeOpening) -> None:
        """It is in our books already. A second opening of what stands there the rail refuses."""
        known = await self._get(dispute.dispute)
        if known.errand is not None or known.stage is DisputeStage.CLOSED:
            return
        if await self._rail.dispute(known.corridor, known.dispute) is None:
            await self._store.ask(known, self._ids.hex(), account, opening, self._now_ms())

    async def _follow_anothers(self, dispute: Dispute, member: str) -> None:
        standing = await self._rail.dispute(dispute.corridor, dispute.dispute)
        if standing is None:
            raise StaffMistake(
                f"{member} signs elsewhere, and has opened none on the rail; its id would be"
                f" {dispute.dispute.hex()}"
            )
        opened = dispute._replace(errand=None, amount_minor=standing.amount_minor)
        await self._store.follow(opened)

    async def answer(self, dispute: bytes, *, accepts: bool, evidence_hash: bytes) -> None:
        """The other member agrees, or says by hash why not. Raises StaffMistake when it is not
        its turn."""
        found = await self._get(dispute)
        await self._ask(
            found, {DisputeStage.OPEN},
            DisputeAnswer(found.corridor, dispute, found.against, accepts, evidence_hash),
        )  # fmt: skip

    async def rule(self, dispute: bytes, refund_minor: int) -> None:
        """The arbiter's word. Raises StaffMistake for more than is disputed, or out of turn."""
        found = await self._get(dispute)
        if not 0 <= refund_minor <= found.amount_minor:
            raise StaffMistake(f"between nothing and {found.amount_minor}")
        await self._ask(
            found, {DisputeStage.OPEN, DisputeStage.CONTESTED},
            DisputeRuling(found.corridor, dispute, refund_minor),
        )  # fmt: skip

    async def refund(self, dispute: bytes) -> None:
        """Have paid what was ruled. Raises StaffMistake while nothing is."""
        found = await self._get(dispute)
        await self._ask(found, {DisputeStage.RULED}, DisputeRefund(found.corridor, dispute))

    async def are_any_open(self) -> bool:
        """Whether the rail has to be asked about one."""
        return bool(await self._store.unfinished())

    async def sweep(self, rail_seconds: int) -> int:
        """Follow the rail's books; how many disputes have moved. What one raises is its own.

        `rail_seconds` is the rail's clock.
        """
        moved = 0
        for dispute in await self._store.unfinished():
            try:
                moved += await self._look(dispute, rail_seconds)
            except Rejected as error:
                await self._call_somebody(dispute, f"a dispute cannot be looked at: {error}")
            except ProviderError as error:
                log.warning("dispute %s is looked at again later: %s", dispute.id, error)
            except CappError:
                log.exception("dispute %s is looked at again later", dispute.id)
        return moved

    async def _look(self, dispute: Dispute, rail_seconds: int) -> bool:
        standing = await self._rail.dispute(dispute.corridor, dispute.dispute)
        stage = _stage_of(standing) if standing is not None else None
        errand = await self._errands.get(dispute.errand) if dispute.errand is not None else None
        if errand is not None and errand.state is ErrandState.DONE and not _shows(stage, errand):
            await self._doubt(dispute, errand, rail_seconds)
        refusal = errand.refusal.value if errand is not None and errand.refusal else ""
        if standing is not None:
            assert stage is not None
            if await self._is_behind(dispute, stage, rail_seconds):
                return False
            asked = None if errand is None or _is_over(stage, errand) else errand.id
            return await self._follow(dispute, standing, stage, asked, refusal)
        is_refused = errand is not None and errand.state is ErrandState.REFUSED
        if errand is not None and is_refused and isinstance(errand.instruction, DisputeOpening):
            return await self._store.move(
                dispute, DisputeStage.REFUSED, errand=None, amount_minor=dispute.amount_minor,
                reason=refusal,
            )  # fmt: skip
        if errand is None or is_refused:
            await self._miss(dispute)
        return False  # it is not there yet, or this node has not come that far

    async def _doubt(self, dispute: Dispute, errand: Errand, rail_seconds: int) -> None:
        """What one node called done the rail's books do not show: a node is behind, or was wrong.

        What by the account's order never was is asked for again. Else people are called.
        """
        ended = await self._errands.ended_by(errand)
        expired_at = ended.slot.expires_at if ended is not None else 0
        if rail_seconds <= expired_at:
            return
        what = kind_of(errand.instruction)
        if ended is not None and await self._submitting.again_if_never_was(errand, ended):
            log.error(
                "the %s of dispute %s was called done, and never was: it is asked for again", what,
                dispute.dispute.hex(),
            )  # fmt: skip
        elif rail_seconds >= expired_at + UNSEEN_SECONDS:
            await self._call_somebody(
                dispute,
                f"the {what} of dispute {dispute.dispute.hex()} was said to be done, and stands in"
                " none of the rail's books: ask another node; it is asked for again by itself once"
                " a node shows that it never was",
            )

    async def _is_behind(self, dispute: Dispute, stage: DisputeStage, rail_seconds: int) -> bool:
        """Whether the rail's books show less than they did, as a node does that is behind.

        What lasts is followed back: a step that a node showed never was, and can be asked for anew.
        """
        if stage >= dispute.stage:
            self._back_since.pop(dispute.id, None)
            return False
        if rail_seconds - self._back_since.setdefault(dispute.id, rail_seconds) < BACK_SECONDS:
            return True
        del self._back_since[dispute.id]
        await self._call_somebody(
            dispute,
            f"dispute {dispute.dispute.hex()} was {dispute.stage.name.lower()} in the rail's books,"
            f" and is {stage.name.lower()} again: ask for the step anew if it is to be",
        )
        return False

    async def _miss(self, dispute: Dispute) -> None:
        """It was seen on the rail, and is not there. A node that is behind soon shows it again."""
        if self._now_ms() - dispute.at_ms >= UNSEEN_SECONDS * 1000:
            await self._call_somebody(
                dispute,
                f"dispute {dispute.dispute.hex()} stood in the rail's books, and does not any more:"
                " ask another node; if it stands nowhere, open it anew",
            )

    async def _follow(
        self,
        dispute: Dispute,
        standing: DisputeStanding,
        stage: DisputeStage,
        errand: str | None,
        reason: str,
    ) -> bool:
        if (stage, errand) == (dispute.stage, dispute.errand):
            return False
        if stage is DisputeStage.CLOSED:
            await self._book_refund(dispute, standing)
        # Another one may have opened it before us, about another amount: that one stands.
        return await self._store.move(
            dispute, stage, errand=errand, amount_minor=standing.amount_minor,
            refund_minor=standing.refund_minor, reason=reason,
        )  # fmt: skip

    async def _book_refund(self, dispute: Dispute, standing: DisputeStanding) -> None:
        """Once, under the dispute's own id, whoever asked the rail for it."""
        corridor = self._rules.corridor(dispute.corridor)
        if corridor is None:
            raise await self._waits(dispute, "it is not in the settlement file any more")
        batch = await self._batches.get(dispute.batch)
        if batch is None or not await self._fits(batch):
            raise await self._waits(dispute, "it has other members in the settlement file by now")
        codes = [self._operators[name] for name in corridor.members]
        await self._booking.first(
            dispute.id, Manual.CHAIN_REFUNDED,
            posting.refund(
                self._book, standing.refund_minor, payer=codes[dispute.against],
                payee=codes[dispute.member],
            ),
            key=f"settlement dispute:{dispute.dispute.hex()}",
            facts=f'{{"dispute":"{dispute.dispute.hex()}"}}',
        )  # fmt: skip

    async def _waits(self, dispute: Dispute, why: str) -> OurFault:
        """Nothing but people can mend that, so they are told."""
        await self._call_somebody(dispute, f"a refund waits: {why}")
        return OurFault(f"{dispute.corridor}: {why}")

    async def _call_somebody(self, dispute: Dispute, why: str) -> None:
        detail = f"{dispute.corridor}: {why}"
        if await self._batches.open_case_of_day(dispute.batch, detail, detail, self._now_ms()):
            log.error("case SETTLEMENT of dispute %s: %s", dispute.dispute.hex(), detail)

    async def _ask(
        self, dispute: Dispute, stages: set[DisputeStage], instruction: Instruction
    ) -> None:
        if dispute.stage not in stages:
            raise StaffMistake(f"the dispute is {dispute.stage.name.lower()}")
        account = self._rail.account_for(instruction)
        errand = self._ids.hex()
        if not await self._store.ask(dispute, errand, account, instruction, self._now_ms()):
            raise StaffMistake("the rail is being asked already; look again in a moment")

    async def _get(self, dispute: bytes) -> Dispute:
        found = await self._store.get(dispute)
        if found is None:
            raise StaffMistake(f"no dispute {dispute.hex()}")
        return found

    async def _fits(self, batch: Batch) -> bool:
        """Whether its members still stand in the file at their places: a dispute names places."""
        corridor = self._rules.corridor(batch.corridor)
        operators = await self._batches.operators_of(batch)
        return corridor is not None and fits(
            batch, operators, corridor.members, self._rules.asset.code
        )

    def _place(self, corridor_name: str, member: str) -> int:
        corridor = self._rules.corridor(corridor_name)
        if corridor is None or member not in corridor.members:
            raise StaffMistake(f"{member} is no member of {corridor_name}")
        return corridor.members.index(member)

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _stage_of(standing: DisputeStanding) -> DisputeStage:
    stage = _STAGES.get(standing.status)
    if stage is None:
        raise OurFault(f"a dispute of a status that nobody knows: {standing.status}")
    return stage


def _shows(stage: DisputeStage | None, errand: Errand) -> bool:
    """Whether the rail's books show that this step was done."""
    return stage is not None and stage >= _SHOWN_FROM[type(errand.instruction)]


def _is_over(stage: DisputeStage, errand: Errand) -> bool:
    """Whether the next step may be asked for."""
    return errand.state is ErrandState.REFUSED or (
        errand.state is ErrandState.DONE and _shows(stage, errand)
    )

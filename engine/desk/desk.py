"""Two people: one proposes, another approves, and then anybody may carry it out.

Knows no kind by name: what a proposal does is its executor's affair. Carrying out is safe to
repeat, so a crash between approval and execution is mended by the next sweep.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from engine.clock import Clock, Ids
from engine.desk.proposals import (
    Check,
    Executor,
    Kind,
    Outcome,
    Person,
    Proposal,
    ProposalId,
    Rivals,
    State,
    failed,
    read_body,
    read_line,
    spelled,
)
from engine.desk.store import ProposalStore
from engine.errors import AlreadyDecided, SamePerson, StaffMistake
from engine.outages import one_by_one

log = logging.getLogger(__name__)

Ahead = Callable[[], Awaitable[float]]
"""Seconds by which this process's clock is ahead of the database's for certain; below zero it is
behind."""

EXPIRES_AFTER_SECONDS = 3 * 24 * 3600
"""What nobody agreed to over a weekend is asked for again, by somebody who still wants it."""


class Desk:
    """The proposals of one tenant. Every method may be repeated."""

    def __init__(
        self,
        *,
        store: ProposalStore,
        executors: Mapping[Kind, Executor],
        checks: Mapping[Kind, Check] | None = None,
        clock: Clock,
        ids: Ids,
        ahead: Ahead,
    ) -> None:
        """`checks` refuse at once what could never be carried out, by StaffMistake. `ahead` says by
        how much the clock is ahead of the database's, for dates that others go by.
        """
        self._store = store
        self._executors = dict(executors)
        self._checks = dict(checks or {})
        self._clock = clock
        self._ids = ids
        self._ahead = ahead

    def new_id(self) -> ProposalId:
        """An id for a proposal that is about to be made; with it a lost answer can be repeated."""
        return ProposalId(self._ids.hex())

    async def propose(
        self,
        kind: Kind,
        fields: Mapping[str, Any],
        *,
        by: Person,
        note: str,
        proposal_id: ProposalId | None = None,
        rivals: Rivals | None = None,
    ) -> Proposal:
        """Ask for something. The same `proposal_id` again is the same proposal.

        Raises AlreadyProposed where one of its `rivals` stands, StaffMistake when the fields are
        not what the kind needs, nobody could carry the kind out, there is no reason given, or the
        id was used for something else.
        """
        if kind not in self._executors:
            raise StaffMistake(f"nobody here can carry out {kind}")
        note = read_line(note)
        read = read_body(kind, fields)
        if kind in self._checks:
            self._checks[kind](read)
        body = msgspec.json.encode(read).decode()
        made_ms = await self._dated_ms()
        asked = Proposal(
            proposal_id or self.new_id(), kind, body, note, State.PROPOSED, by, made_ms,
            made_ms + EXPIRES_AFTER_SECONDS * 1000,
        )  # fmt: skip
        await self._store.add(asked, rivals)
        kept = await self._store.get(asked.id)
        if (kept.kind, kept.body, kept.made_by) != (kind, body, by):
            raise StaffMistake(f"{kept.id} is another proposal")
        return kept

    async def approve(self, proposal_id: ProposalId, *, by: Person) -> Proposal:
        """Agree, and carry it out at once; the answer tells how far that came.

        Raises SamePerson to whoever made it, AlreadyDecided when it was rejected or has expired.
        """
        await self._decide(proposal_id, State.APPROVED, by)
        return await self._carry_out(await self._store.get(proposal_id))

    async def reject(self, proposal_id: ProposalId, *, by: Person) -> Proposal:
        """Refuse. Raises SamePerson, and AlreadyDecided when it was approved or has expired."""
        await self._decide(proposal_id, State.REJECTED, by)
        return await self._store.get(proposal_id)

    async def see(self, proposal_id: ProposalId, reference: str, *, by: Person) -> Proposal:
        """The outside was seen to have moved: an operator's or a bank's reference says so.

        Raises StaffMistake when the proposal waits for nothing, was seen under another reference,
        the reference, however spelled, belongs to another proposal or is no line.
        """
        reference = read_line(reference)
        first = await self._store.see(proposal_id, reference, by)
        proposal = await self._store.get(proposal_id)
        if not first and spelled(proposal.reference or "") != spelled(reference):
            raise StaffMistake(f"{proposal_id} is {proposal.state}, {_seen(proposal)}")
        return await self._carry_out(proposal)

    async def carry_out_approved(self, most: int = 100) -> int:
        """Carry out what was approved and left behind, end what expired; how many there were."""
        expired = await self._store.expire(self._now_ms())
        left = await self._store.approved(self._executors, most)
        await one_by_one(left, self._carry_out, named=lambda p: f"proposal {p.id}")
        return expired + len(left)

    async def _decide(self, proposal_id: ProposalId, wanted: State, by: Person) -> None:
        proposal = await self._store.get(proposal_id)
        if proposal.made_by == by:
            raise SamePerson(f"{by} made this proposal; another person must decide")
        if await self._store.decide(proposal_id, wanted, by, self._now_ms()):
            log.info("proposal %s %s: %s by %s", proposal_id, proposal.kind, wanted, by)
            return
        now = await self._store.get(proposal_id)
        if now.state in (State.PROPOSED, State.EXPIRED):
            raise AlreadyDecided(f"{proposal_id} has expired; propose it again")
        if (now.state is State.REJECTED) != (wanted is State.REJECTED):
            raise AlreadyDecided(f"{proposal_id} is {now.state}: {now.decided_by} was first")

    async def _carry_out(self, proposal: Proposal) -> Proposal:
        if proposal.state is not State.APPROVED:
            return proposal
        outcome = await self._outcome(proposal)
        await self._store.keep_outcome(proposal, outcome)
        log.info("proposal %s %s: %s", proposal.id, outcome.state, outcome.text)
        return await self._store.get(proposal.id)

    async def _outcome(self, proposal: Proposal) -> Outcome:
        executor = self._executors.get(proposal.kind)
        if executor is None:
            raise StaffMistake(f"nobody here can carry out {proposal.kind}")
        try:
            return await executor(proposal)
        except StaffMistake as error:  # it will not be more possible later
            return failed(str(error))

    async def _dated_ms(self) -> int:
        """No later than the database's clock says: what people saw counts by when they proposed it,
        and a clock of ours that is ahead would have it count too early.
        """
        ahead = await self._ahead()
        return int((self._clock.epoch() - max(ahead, 0.0)) * 1000)

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _seen(proposal: Proposal) -> str:
    return f"seen as {proposal.reference}" if proposal.reference else "nothing was seen"

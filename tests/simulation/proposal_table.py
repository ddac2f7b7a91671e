"""What people agree on, in the model: proposals, and how one of them reaches the books.

Each call is one transaction, from the contracts of `ProposalStore` and `Booker`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from engine.desk.booking import Booker
from engine.desk.proposals import Kind, Outcome, Person, Proposal, ProposalId, Rivals, spelled
from engine.desk.proposals import State as Stands
from engine.desk.store import ProposalStore
from engine.errors import StaffMistake
from engine.ledger.chart import GUARDED, read_account
from engine.ledger.committer import Committer
from engine.ledger.entries import Manual
from tests.simulation.model import Model
from tests.simulation.wire import Wire

MAY_HAVE_MOVED = {Stands.APPROVED, Stands.WAITING, Stands.DONE}
OPEN = {Stands.APPROVED, Stands.WAITING}


class ModelProposals(ProposalStore):
    """What people ask for and agree on."""

    def __init__(self, model: Model, wire: Wire) -> None:
        self._model = model
        self._wire = wire

    async def add(self, proposal: Proposal, rivals: Rivals | None = None) -> None:
        assert rivals is None, "nobody in these worlds proposes what another may at once"
        await self._wire.ask(lambda: self._model.proposals.setdefault(proposal.id, proposal))

    async def get(self, proposal_id: ProposalId) -> Proposal:
        found = await self._wire.ask(lambda: self._model.proposals.get(proposal_id))
        if found is None:
            raise StaffMistake(f"there is no proposal {proposal_id}")
        return found

    async def decide(self, proposal_id: ProposalId, state: Stands, by: Person, at_ms: int) -> bool:
        def write() -> bool:
            known = self._model.proposals.get(proposal_id)
            if known is None or known.state is not Stands.PROPOSED or known.expires_ms <= at_ms:
                return False
            self._put(known, state=state, decided_by=by, decided_ms=at_ms)
            return True

        return await self._wire.ask(write)

    async def approved(self, kinds: Iterable[Kind], most: int) -> list[Proposal]:
        wanted = set(kinds)

        def read() -> list[Proposal]:
            found = [
                p
                for p in self._model.proposals.values()
                if p.state is Stands.APPROVED and p.kind in wanted
            ]
            return sorted(found, key=lambda p: (p.decided_ms or 0, p.id))[:most]

        return await self._wire.ask(read)

    async def keep_outcome(self, proposal: Proposal, outcome: Outcome) -> None:
        def write() -> None:
            known = self._model.proposals.get(proposal.id)
            if known is None or known.state is not Stands.APPROVED:
                return
            if known.reference == proposal.reference:
                self._put(known, state=outcome.state, outcome=outcome.text)

        await self._wire.ask(write)

    async def expire(self, now_ms: int) -> int:
        def write() -> int:
            over = [
                p
                for p in self._model.proposals.values()
                if p.state is Stands.PROPOSED and p.expires_ms <= now_ms
            ]
            for proposal in over:
                self._put(proposal, state=Stands.EXPIRED)
            return len(over)

        return await self._wire.ask(write)

    def _put(self, proposal: Proposal, **changes: Any) -> None:
        self._model.proposals[proposal.id] = msgspec.structs.replace(proposal, **changes)

    # What waits for the outside.

    async def see(self, proposal_id: ProposalId, reference: str, by: Person) -> bool:
        def write() -> bool:
            same = spelled(reference)
            for other in self._model.proposals.values():
                if other.id != proposal_id and spelled(other.reference or "") == same:
                    raise StaffMistake(f"{reference} belongs to another proposal")
            known = self._model.proposals.get(proposal_id)
            if known is None or known.state is not Stands.WAITING or known.reference is not None:
                return False
            self._put(known, state=Stands.APPROVED, reference=reference, reference_by=by)
            return True

        return await self._wire.ask(write)

    async def end_waiting(self, proposal_id: ProposalId, outcome: Outcome) -> None:
        def write() -> None:
            known = self._model.proposals.get(proposal_id)
            if known is not None and known.state in OPEN:
                self._put(known, state=outcome.state, outcome=outcome.text)

        await self._wire.ask(write)

    async def end_unseen(self, proposal_id: ProposalId, outcome: Outcome) -> bool:
        def write() -> bool:
            known = self._model.proposals.get(proposal_id)
            if known is None or known.state is not Stands.WAITING or known.reference is not None:
                return False
            self._put(known, state=outcome.state, outcome=outcome.text)
            return True

        return await self._wire.ask(write)

    # What statements ask.

    async def done_as(self, references: Iterable[str]) -> list[Proposal]:
        wanted = {spelled(reference) for reference in references}

        def read() -> list[Proposal]:
            return [
                p
                for p in self._model.proposals.values()
                if p.state is Stands.DONE and p.reference and spelled(p.reference) in wanted
            ]

        return await self._wire.ask(read)

    async def noted(self, kind: Kind, note: str) -> list[Proposal]:
        return await self._wire.ask(
            lambda: [p for p in self._model.proposals.values() if (p.kind, p.note) == (kind, note)]
        )

    async def under_way(
        self, kinds: Iterable[Kind], *, since_ms: int, at_ms: int
    ) -> list[Proposal]:
        wanted = set(kinds)

        def read() -> list[Proposal]:
            return [
                p
                for p in self._model.proposals.values()
                if p.kind in wanted
                and p.state in MAY_HAVE_MOVED
                and since_ms <= (p.decided_ms or 0) <= at_ms
                and all(row.at_ms > at_ms for row in self._model.journal.get(p.id, ()))
            ]

        return await self._wire.ask(read)


class ModelBooker(Booker):
    """How an approved proposal reaches the model's books."""

    def __init__(self, model: Model, wire: Wire, committer: Committer, tenant: int) -> None:
        super().__init__(None, committer, tenant)
        self._model = model
        self._wire = wire

    async def state_of(self, proposal_id: str) -> Manual | None:
        def read() -> Manual | None:
            row = self._model.payments.get(proposal_id)
            return Manual(row.state) if row is not None else None

        return await self._wire.ask(read)

    async def minor_in(self, account: int) -> int:
        return await self._wire.ask(lambda: self._model.balances.get(account, 0))

    async def _open(self, transfers: Sequence[tuple[int, int, int]]) -> None:
        numbers = {n for debit, credit, _ in transfers for n in (debit, credit)}

        def write() -> None:
            for number in sorted(numbers):
                self._model.open(number, guarded=read_account(number).kind in GUARDED)

        await self._wire.ask(write)

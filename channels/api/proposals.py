"""What one of the staff proposed to give back, and another decides.

Kinds that do not give a payment back are decided at the desk's own terminal.
"""

import logging
from typing import Annotated, Any

import msgspec

from channels.api.endpoints import Call, Nothing
from channels.api.problems import Code, Refusal
from channels.times import iso_millis_of
from engine.clock import PaymentId
from engine.desk.desk import Desk
from engine.desk.proposals import OfPayment, Proposal, ProposalId, Rivals, read_body, read_line
from engine.desk.store import ProposalStore
from engine.errors import OurFault, StaffMistake
from engine.payments.payment import code_of
from engine.staff.members import Staff
from engine.staff.remedies import REVERSALS

log = logging.getLogger(__name__)

MOST = 200
OPEN_MOST = 1000


def check_reason(why: str) -> None:
    """A reason is one line that every terminal may show: it stands beside proposals of others.

    Raises ValueError, which says so. Blanks of any kind are taken: word processors write some that
    break no line.
    """
    try:
        read_line(why)
    except StaffMistake:
        raise ValueError("`why` is one line of printable characters") from None


class ProposalPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A proposal's whole id."""

    proposal: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]


class ProposalShown(msgspec.Struct, frozen=True):
    """A proposal as it stands. `outcome` says what carrying it out led to."""

    id: str
    kind: str
    transaction: str  # the payment's code
    state: str  # "proposed", "approved", "done", "failed", "rejected" or "expired"
    note: str
    made_by: str
    made_at: str
    expires_at: str
    decided_by: str | None
    outcome: str


class ProposalsShown(msgspec.Struct, frozen=True):
    """Those that wait, the newest first."""

    proposals: list[ProposalShown]


class Proposals:
    """The handlers."""

    def __init__(self, *, desk: Desk, store: ProposalStore) -> None:
        self._desk = desk
        self._store = store

    async def waiting(self, _: Call[Staff, Nothing, Nothing, Nothing]) -> ProposalsShown:
        """What waits for a second person."""
        listed = await self._store.listed(only_open=True, most=MOST, kinds=REVERSALS)
        return ProposalsShown([show(proposal) for proposal in listed.proposals])

    async def approve(self, call: Call[Staff, ProposalPath, Nothing, Nothing]) -> ProposalShown:
        """Agree, and carry it out. A repeat is safe.

        Raises SamePerson to whoever made it, AlreadyDecided, Refusal NOT_FOUND.
        """
        proposal = await self._find(call.path.proposal)
        try:
            return show(await self._desk.approve(proposal.id, by=call.caller.name))
        except OurFault as error:  # agreed, and not done: the desk's sweep tries again
            log.warning("proposal %s stays approved: %s", proposal.id, error)
            return show(await self._store.get(proposal.id))

    async def reject(self, call: Call[Staff, ProposalPath, Nothing, Nothing]) -> ProposalShown:
        """Refuse. Likewise."""
        proposal = await self._find(call.path.proposal)
        return show(await self._desk.reject(proposal.id, by=call.caller.name))

    async def _find(self, proposal_id: str) -> Proposal:
        try:
            proposal = await self._store.get(ProposalId(proposal_id))
        except StaffMistake:
            raise Refusal(Code.NOT_FOUND) from None
        if proposal.kind not in REVERSALS:
            raise Refusal(Code.NOT_FOUND)
        return proposal


async def open_about(store: ProposalStore, payment_id: PaymentId) -> list[Proposal]:
    """Open proposals to give this payment back."""
    listed = await store.listed(only_open=True, most=OPEN_MOST, kinds=REVERSALS)
    return [proposal for proposal in listed.proposals if _gives_back(proposal) == payment_id]


def rivals_of(payment_id: PaymentId) -> Rivals:
    """Other proposals to give this payment back, of whoever asks at the same time."""
    return Rivals(
        f"giving {payment_id} back", tuple(REVERSALS), lambda p: _gives_back(p) == payment_id
    )


def _gives_back(proposal: Proposal) -> str | None:
    if proposal.kind not in REVERSALS or not proposal.body:  # one that cannot be read: told then
        return None
    body: Any = read_body(proposal.kind, proposal.body)
    assert isinstance(body, OfPayment), "these speak of a payment"
    return body.payment


def show(proposal: Proposal) -> ProposalShown:
    """A proposal that gives a payment back, as the API shows it."""
    body: Any = read_body(proposal.kind, proposal.body)
    assert isinstance(body, OfPayment), "these speak of a payment"
    return ProposalShown(
        proposal.id, proposal.kind, code_of(body.payment), proposal.state, proposal.note,
        proposal.made_by, iso_millis_of(proposal.made_ms), iso_millis_of(proposal.expires_ms),
        proposal.decided_by, proposal.outcome,
    )  # fmt: skip

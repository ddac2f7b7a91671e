"""What two people saw at an operator about an attempt that it cannot be asked about.

It is evidence like any other and goes the same way; nothing is decided here. Of an attempt that is
not unknown the operator's own word stands, and what people saw before an order was repeated is no
proof that it came to nothing (`decisions/0034`).
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec

from engine.clock import AttemptId
from engine.desk.proposals import (
    Executor,
    Kind,
    OfAttempt,
    Outcome,
    Proposal,
    done,
    failed,
    read_body,
)
from engine.errors import OurFault, StaffMistake
from engine.outbox import Outbox
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.ruled_once import seen_too_early
from engine.payments.service import Payments
from engine.payments.store import Attempted, PaymentStore
from engine.payments.withholding import withhold
from engine.ports import Finding, Reason
from engine.ports import Outcome as Found

UNKNOWN: Final = frozenset({State.COLLECT_UNKNOWN, State.PAYOUT_UNKNOWN, State.REFUND_UNKNOWN})
SEEN: Final = "seen"


class Attested:
    """Safe to repeat: an attempt that has ended so is done, one that ended otherwise is refused."""

    def __init__(self, *, payments: Payments, store: PaymentStore, outbox: Outbox) -> None:
        self._payments = payments
        self._store = store
        self._outbox = outbox

    def executors(self) -> Mapping[Kind, Executor]:
        return {Kind.ATTEMPT_SEEN: self.carry_out}

    def check(self, body: OfAttempt) -> None:
        """Raises StaffMistake when money is said to have moved without a reference."""
        if body.outcome == "succeeded" and not body.reference.strip():
            raise StaffMistake("what moved has a reference at the operator: name it")

    async def carry_out(self, proposal: Proposal) -> Outcome:
        """FAILED when there is no such attempt, it ended otherwise, or its operator is still to
        answer; where it is said to have failed also when its order left again since people looked,
        or is under way.

        Raises OurFault when the payment moved this moment: to be tried again.
        """
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, OfAttempt)
        self.check(body)
        attempt_id, succeeded = AttemptId(body.attempt), body.outcome == "succeeded"
        found = await self._store.attempt(attempt_id)
        if found is None:
            return failed("there is no such attempt")
        code = found.payment.code
        if (outcome := await self._outcome(found, succeeded=succeeded)) is not None:
            return outcome
        if found.payment.live != attempt_id or found.payment.state not in UNKNOWN:
            return failed(f"{code} is {found.payment.state.name}: its operator is still to answer")
        if not succeeded and (moving := await self._keep_from_leaving(proposal, found)):
            if await self._outcome(found, succeeded=succeeded) is not None:
                raise OurFault(f"{code} moved this moment")
            return failed(moving)
        await self._tell(proposal, body, found, succeeded=succeeded)
        outcome = await self._outcome(found, succeeded=succeeded)
        if outcome is None:
            raise OurFault(f"{code} moved this moment")
        return outcome

    async def _outcome(self, found: Attempted, *, succeeded: bool) -> Outcome | None:
        """By how the attempt has ended, whoever said so first; None while that is unknown."""
        ended = await self._store.ended_how(found.payment.payment_id, found.attempt_id)
        if ended is None:
            return None
        how = "succeeded" if ended else "failed"
        told = f"{found.direction.name.lower()} of {found.payment.code} has {how}"
        return done(told) if ended == succeeded else failed(told)

    async def _keep_from_leaving(self, proposal: Proposal, found: Attempted) -> str:
        """As `withhold`; also why what was seen was seen too early."""
        look = partial(self._seen_too_early, proposal, found)
        if early := await look():
            return early
        return await withhold(
            self._outbox, found.payment, found.attempt_id, found.direction, code=SEEN, look=look
        )  # fmt: skip

    async def _seen_too_early(self, proposal: Proposal, found: Attempted) -> str:
        """Why what people saw may be of before the order left; "" when it was over by then.

        Nor is anything kept from leaving that has ended since: nobody would strike that off.
        """
        now = await self._payments.stepper.again(found.payment)
        if now.live != found.attempt_id:
            return f"{now.code} moved this moment"
        return seen_too_early(proposal, await self._store.heard_last(now, found.attempt_id))

    async def _tell(
        self, proposal: Proposal, body: OfAttempt, found: Attempted, *, succeeded: bool
    ) -> None:
        finding = Finding(
            Found.SUCCEEDED if succeeded else Found.FAILED,
            code=SEEN,
            reason=None if succeeded else Reason.OTHER,
            receipt=body.reference.strip() or None,
        )
        kept = {
            "proposal": proposal.id,
            "by": [proposal.made_by, proposal.decided_by],
            "outcome": body.outcome,
            "reference": body.reference.strip(),
        }
        text = msgspec.json.encode(kept).decode()
        await self._payments.apply_finding(found.attempt_id, finding, Source.PEOPLE, text)

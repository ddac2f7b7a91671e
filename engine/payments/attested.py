"""What two people saw at an operator about an attempt that it cannot be asked about.

It is evidence like any other and goes the same way; nothing is decided here. Of an attempt that is
not unknown the operator's own word stands.
"""

from collections.abc import Mapping
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
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.service import Payments
from engine.payments.store import Attempted, PaymentStore
from engine.ports import Finding, Reason
from engine.ports import Outcome as Found

UNKNOWN: Final = frozenset({State.COLLECT_UNKNOWN, State.PAYOUT_UNKNOWN, State.REFUND_UNKNOWN})


class Attested:
    """Safe to repeat: an attempt that has ended so is done, one that ended otherwise is refused."""

    def __init__(self, *, payments: Payments, store: PaymentStore) -> None:
        self._payments = payments
        self._store = store

    def executors(self) -> Mapping[Kind, Executor]:
        return {Kind.ATTEMPT_SEEN: self.carry_out}

    def check(self, body: OfAttempt) -> None:
        """Raises StaffMistake when money is said to have moved without a reference."""
        if body.outcome == "succeeded" and not body.reference.strip():
            raise StaffMistake("what moved has a reference at the operator: name it")

    async def carry_out(self, proposal: Proposal) -> Outcome:
        """FAILED when there is no such attempt, or it is known how it ended.

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
        ended = await self._store.ended_how(found.payment.payment_id, attempt_id)
        if ended is not None:
            how = f"{found.direction.name.lower()} of {code} has {_word(ended)}"
            return done(how) if ended == succeeded else failed(how)
        if found.payment.live != attempt_id or found.payment.state not in UNKNOWN:
            return failed(f"{code} is {found.payment.state.name}: its operator is still to answer")
        await self._tell(proposal, body, found, succeeded=succeeded)
        if await self._store.ended_how(found.payment.payment_id, attempt_id) is None:
            raise OurFault(f"{code} moved this moment")
        return done(f"{found.direction.name.lower()} of {code} has {_word(succeeded)}")

    async def _tell(
        self, proposal: Proposal, body: OfAttempt, found: Attempted, *, succeeded: bool
    ) -> None:
        finding = Finding(
            Found.SUCCEEDED if succeeded else Found.FAILED,
            code="seen",
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


def _word(succeeded: bool) -> str:
    return "succeeded" if succeeded else "failed"

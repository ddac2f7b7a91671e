"""Carrying out what two people agreed on about a forgotten PIN.

The customer asked (`engine/customers/resets.py`), staff made sure who that is, and now a new PIN
may be chosen on the phone. Nobody here ever sees, makes or sends one.
"""

from engine.clock import CustomerId, moment_of
from engine.customers.resets import Agreement, PinResets, Write
from engine.desk.proposals import Executor, Kind, OfCustomer, Outcome, Proposal, done, read_body


class PinResetting:
    """The executor of PIN_RESET; repeating it comes to the same end and to one SMS."""

    def __init__(self, resets: PinResets, write: Write) -> None:
        """`write` makes the intent of the SMS that tells the customer."""
        self._resets = resets
        self._write = write

    def executors(self) -> dict[Kind, Executor]:
        return {Kind.PIN_RESET: self.allow}

    async def allow(self, proposal: Proposal) -> Outcome:
        """A new PIN may be chosen for a day from the agreement on, however late this comes.

        Raises StaffMistake when the customer is unknown or did not ask for it.
        """
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, OfCustomer)
        assert proposal.decided_ms is not None, "only what was agreed on is carried out"
        at = moment_of(proposal.decided_ms)
        agreed = Agreement(proposal.id, proposal.made_by, proposal.note, at)
        until = await self._resets.allow(CustomerId(body.customer), agreed, self._write)
        return done(f"a new PIN may be chosen until {until:%Y-%m-%d %H:%M} UTC")

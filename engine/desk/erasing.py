"""Carrying out what two people agreed on about a customer who wants to be forgotten."""

from engine.clock import CustomerId
from engine.customers.erasing import Erasing
from engine.desk.proposals import Executor, Kind, OfCustomer, Outcome, Proposal, done, read_body


class Forgetting:
    """The executor of ERASE_CUSTOMER; a repeat comes to the same end."""

    def __init__(self, erasing: Erasing) -> None:
        self._erasing = erasing

    def executors(self) -> dict[Kind, Executor]:
        return {Kind.ERASE_CUSTOMER: self.erase}

    async def erase(self, proposal: Proposal) -> Outcome:
        """Raises StaffMistake as `Erasing.erase`; the proposal names the customer by id alone."""
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, OfCustomer)
        await self._erasing.erase(CustomerId(body.customer))
        return done("name, number, PIN and recipients are gone; the books keep what the law wants")

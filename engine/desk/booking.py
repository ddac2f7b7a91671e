"""How an approved proposal reaches the books: under its own id, so that it happens once."""

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.desk.proposals import Outcome, Proposal, failed
from engine.ledger.books import open_accounts
from engine.ledger.chart import read_account
from engine.ledger.committer import Committer
from engine.ledger.entries import Manual
from engine.ledger.plans import CREATE, Plan, Verdict
from engine.ledger.postings import Transfers


class Booker:
    """Makes journal rows of approved proposals. Safe to repeat with the same proposal."""

    def __init__(self, pool: Any, committer: Committer, tenant: int) -> None:
        self._pool = pool
        self._committer = committer
        self.tenant = tenant

    async def book(
        self,
        proposal: Proposal,
        state: Manual,
        transfers: Transfers,
        *,
        key: str | None = None,
        facts: str | None = None,
    ) -> Outcome | None:
        """The first row of a proposal; None when it is booked, now or before, else what is wrong.

        `key` replaces the proposal's own where something else must happen only once.
        """
        await self._open(transfers)
        plan = Plan(
            proposal.id, CREATE, self.tenant, state, key=key or f"proposal:{proposal.id}",
            hash=proposal.id, facts=facts or _facts(proposal), transfers=transfers,
        )  # fmt: skip
        answer = await self._committer.submit_until_known(plan)
        match answer.verdict:
            case Verdict.APPLIED | Verdict.DUPLICATE:
                return None
            case Verdict.CONFLICT:
                return failed(f"it was done before, by {answer.known}")
            case verdict:
                return _refused(verdict, answer.error)

    async def follow(
        self, proposal: Proposal, first: str, state: Manual, transfers: Transfers
    ) -> Outcome | None:
        """The second and last row of the proposal `first`; None when it stands in `state` now."""
        await self._open(transfers)
        plan = Plan(first, 1, self.tenant, state, facts=_facts(proposal), transfers=transfers)
        answer = await self._committer.submit_until_known(plan)
        if answer.verdict is Verdict.APPLIED:
            return None
        if answer.verdict is not Verdict.STALE:
            return _refused(answer.verdict, answer.error)
        now = await self.state_of(first)
        return None if now is state else failed(f"it is {now.name if now else 'not there'} already")

    async def state_of(self, proposal_id: str) -> Manual | None:
        """Where a proposal's rows have come to; None when nothing is booked."""
        state = await self._pool.fetchval("select state from payment where id = $1", proposal_id)
        return None if state is None else Manual(state)

    async def minor_in(self, account: int) -> int:
        """An account's stored amount, credit positive; zero when it was never used."""
        found = await self._pool.fetchval("select amount from balance where id = $1", account)
        return int(found or 0)

    async def _open(self, transfers: Sequence[tuple[int, int, int]]) -> None:
        numbers = {n for debit, credit, _ in transfers for n in (debit, credit)}
        await open_accounts(self._pool, map(read_account, sorted(numbers)))


def _refused(verdict: Verdict, error: str | None) -> Outcome:
    if verdict is Verdict.INSUFFICIENT:
        return failed("an account would fall below zero: there is not that much in it")
    return failed(f"the books refused it: {verdict.name} {error or ''}".strip())


def _facts(proposal: Proposal) -> str:
    """Only ids and a reference: the rest is in the proposal."""
    return msgspec.json.encode({"proposal": proposal.id, "reference": proposal.reference}).decode()

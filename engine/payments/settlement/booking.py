"""How settlement reaches the books: an entry under a batch's own id, each step of it once.

The journal decides what a batch came to: of FINAL and REOPENED one alone can follow CLOSED.
"""

from typing import Any

from engine.errors import OurFault
from engine.ledger.books import open_accounts
from engine.ledger.chart import read_account
from engine.ledger.committer import Committer
from engine.ledger.entries import Manual
from engine.ledger.plans import CREATE, Plan, Verdict
from engine.ledger.postings import Transfers


class Booking:
    """Makes the journal rows of settlement. Every method may be repeated."""

    def __init__(self, pool: Any, committer: Committer, tenant: int) -> None:
        self._pool = pool
        self._committer = committer
        self._tenant = tenant

    async def first(
        self, entry: str, state: Manual, transfers: Transfers, *, key: str, facts: str
    ) -> str:
        """The first row of an entry; the id under which it is booked, now or before.

        `key` says what it is about: another id under the same key books nothing. Raises OurFault
        when the books refuse it.
        """
        await self._open(transfers)
        plan = Plan(
            entry, CREATE, self._tenant, state, key=key, hash=_hash_of(key), facts=facts,
            transfers=transfers,
        )  # fmt: skip
        answer = await self._committer.submit_until_known(plan)
        match answer.verdict:
            case Verdict.APPLIED:
                return entry
            case Verdict.DUPLICATE if answer.known is not None:
                return answer.known.replace("-", "")
            case verdict:
                raise OurFault(f"{key}: the books refused it: {verdict.name} {answer.error or ''}")

    async def follow(self, entry: str, state: Manual, transfers: Transfers, facts: str) -> bool:
        """The second and last row; whether the entry stands in `state` now.

        False when it came to something else before. Raises OurFault when the books refuse it.
        """
        await self._open(transfers)
        plan = Plan(entry, 1, self._tenant, state, facts=facts, transfers=transfers)
        answer = await self._committer.submit_until_known(plan)
        if answer.verdict is Verdict.APPLIED:
            return True
        if answer.verdict is not Verdict.STALE:
            raise OurFault(
                f"{entry}: the books refused it: {answer.verdict.name} {answer.error or ''}"
            )
        return await self.state_of(entry) is state

    async def state_of(self, entry: str) -> Manual | None:
        """What an entry has come to; None when nothing is booked."""
        state = await self._pool.fetchval(
            "select state from payment where id = $1 and tenant = $2", entry, self._tenant
        )
        return None if state is None else Manual(state)

    async def minor_in(self, account: int) -> int:
        """An account's stored amount, credit positive; zero when it was never used."""
        found = await self._pool.fetchval("select amount from balance where id = $1", account)
        return int(found or 0)

    async def _open(self, transfers: Transfers) -> None:
        numbers = {n for debit, credit, _ in transfers for n in (debit, credit)}
        await open_accounts(self._pool, map(read_account, sorted(numbers)))


def _hash_of(key: str) -> str:
    """One key is always one request here, whoever asks."""
    return key.encode().hex()[-32:].rjust(32, "0")

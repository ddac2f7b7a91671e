"""Money an operator lists for us that belongs to nobody we know: into SUSPENSE and back.

It never touches a payment: finding the owner is the matching's affair, or two people's.
"""

from typing import Any

from engine.clock import Ids
from engine.errors import OurFault
from engine.ledger.books import open_accounts
from engine.ledger.chart import Account, Kind
from engine.ledger.committer import Committer
from engine.ledger.entries import Manual
from engine.ledger.plans import CREATE, Plan, Verdict
from engine.ledger.pool_postings import turned_round
from engine.ledger.postings import Transfers
from engine.payments.facts import Ruling, write
from engine.payments.statements.lines import Line, line_id
from engine.ports import OperatorFacts


class Suspense:
    """Both entries of a line, each once: the key is named after operator and receipt."""

    def __init__(self, pool: Any, tenant: int, committer: Committer, ids: Ids) -> None:
        self._pool = pool
        self._tenant = tenant
        self._committer = committer
        self._ids = ids

    async def put(self, facts: OperatorFacts, line: Line) -> bool:
        """Book a receipt that nobody claims; False where it is booked in another amount, also by
        whoever is at it this moment: which of the two moved is for people. Safe to repeat."""
        if not await self.is_put(line) and not await self.claim(line):
            return False
        accounts = _accounts(self._tenant, facts)
        async with self._pool.acquire() as connection:
            await open_accounts(connection, accounts)
        await self._book(Manual.SUSPENDED, self.key_of(line), line, _transfers(accounts, line))
        return True

    async def claim(self, line: Line) -> bool:
        """Before anything is booked under the line's receipt: it is booked in this amount from now
        on, and in no other. False where another one was first. Safe to repeat.

        What was put here before receipts were claimed is known by its key.
        """
        receipt = f"statement:{line.operator}:{line.receipt}:"
        minor = await self._pool.fetchval(
            "insert into receipt_amount as known (tenant, operator, receipt, minor)"
            " select $1, $2, $3, $4 where not exists ("
            "   select from payment_key where tenant = $1 and key >= $5 and key < $6"
            # A receipt may hold a colon: what follows this one is an amount.
            "   and substr(key, length($5) + 1) ~ '^[0-9]+(:back)?$' and key <> all($7::text[]))"
            " on conflict (tenant, operator, receipt) do update set minor = known.minor"
            " returning minor",
            self._tenant, line.operator, line.receipt, line.amount.minor,
            receipt, f"{receipt[:-1]};", [self.key_of(line), self.key_back(line)],
        )  # fmt: skip
        return bool(minor == line.amount.minor)

    async def take_back(self, line: Line) -> None:
        """Its owner was found: the same entry turned round, whatever fee is known by now; nothing
        where none was made. Safe to repeat."""
        there = await self._entry(line)
        if there is not None:
            back = turned_round(zip(*there, strict=True))
            await self._book(Manual.UNSUSPENDED, self.key_back(line), line, back)

    async def is_put(self, line: Line) -> bool:
        """Whether its money was ever put there, also where it has come out again."""
        return await self._entry(line) is not None

    async def _entry(self, line: Line) -> Any:
        return await self._pool.fetchrow(
            "select j.debits, j.credits, j.amounts from payment_key k"
            " join journal j on j.payment = k.payment and j.version = 1"
            " where k.tenant = $1 and k.key = $2",
            self._tenant, self.key_of(line),
        )  # fmt: skip

    async def _book(self, kind: Manual, key: str, line: Line, transfers: Transfers) -> None:
        named = line_id(self._tenant, line)
        why = f"{line.operator} lists {line.receipt}, which nobody here made"
        plan = Plan(
            self._ids.payment(), CREATE, self._tenant, kind, key=key, hash=named,
            facts=write(Ruling(reason=why)), transfers=transfers,
        )  # fmt: skip
        answer = await self._committer.submit_until_known(plan)
        if answer.verdict not in (Verdict.APPLIED, Verdict.DUPLICATE):
            raise OurFault(f"{key}: {answer.verdict.name} {answer.error or ''}")

    def key_of(self, line: Line) -> str:
        """What makes the entry of a line happen once."""
        return f"statement:{line.operator}:{line.receipt}:{line.amount.minor}"

    def key_back(self, line: Line) -> str:
        """The same of the entry that takes it back."""
        return f"{self.key_of(line)}:back"


def _accounts(tenant: int, facts: OperatorFacts) -> tuple[Account, Account, Account]:
    float_, cost, suspense = (
        Account(tenant, facts.currency, kind, facts.code)
        for kind in (Kind.FLOAT, Kind.OPERATOR_COST, Kind.SUSPENSE)
    )
    return float_, cost, suspense


def _transfers(accounts: tuple[Account, Account, Account], line: Line) -> Transfers:
    """What the customer gave is owed to them, whatever the operator kept of it."""
    float_, cost, suspense = (account.number for account in accounts)
    transfers = (
        (float_, suspense, line.amount.minor - line.fee_minor),
        (cost, suspense, line.fee_minor),
    )
    return tuple(t for t in transfers if t[2] > 0)

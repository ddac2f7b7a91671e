"""Carrying out what mends the books: reversals, adjustments and write-offs, always a new row."""

from collections.abc import Mapping
from typing import Any

from engine.desk.booking import Booker
from engine.desk.proposals import (
    Adjustment,
    Check,
    Correction,
    Executor,
    Kind,
    Outcome,
    Proposal,
    WriteOff,
    done,
    read_body,
)
from engine.errors import StaffMistake
from engine.ledger.account_names import read_name
from engine.ledger.chart import Account
from engine.ledger.corrections import (
    adjustment,
    correction_facts,
    read_row,
    reversal,
    reversal_key,
)
from engine.ledger.entries import Manual
from engine.ledger.pool_postings import write_off
from engine.money import CURRENCIES, Money


class Mending:
    """The executors of corrections; each may be repeated and comes to the same end."""

    def __init__(self, pool: Any, booker: Booker, operators: Mapping[str, int]) -> None:
        """`operators` maps names to the codes in account numbers."""
        self._pool = pool
        self._booker = booker
        self._operators = dict(operators)

    def executors(self) -> dict[Kind, Executor]:
        return {
            Kind.CORRECTION: self.reverse,
            Kind.ADJUSTMENT: self.adjust,
            Kind.WRITE_OFF: self.write_off,
        }

    def checks(self) -> dict[Kind, Check]:
        return {
            Kind.ADJUSTMENT: self._check_transfer,
            Kind.WRITE_OFF: _check_currency,
        }

    async def reverse(self, proposal: Proposal) -> Outcome:
        """Undo one row of the journal, once. It goes on speaking of the payment that one did."""
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, Correction)
        ended = done(f"version {body.version} of {body.payment} is reversed")
        if await self._booker.state_of(proposal.id) is not None:
            return ended
        row = await read_row(self._pool, self._booker.tenant, body.payment, body.version)
        facts = correction_facts(about=row.about, version=row.version, proposal=proposal.id)
        wrong = await self._booker.book(
            proposal, Manual.REVERSED, reversal(row), key=reversal_key(row), facts=facts
        )
        return wrong or ended

    async def adjust(self, proposal: Proposal) -> Outcome:
        """One free-form transfer; of a payment it speaks of, only once that is at rest."""
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, Adjustment)
        debit, credit = self._transfer(body)
        ended = done(f"{Money(body.minor, debit.currency)} from {body.debit} to {body.credit}")
        if await self._booker.state_of(proposal.id) is not None:
            return ended
        if body.payment:
            row = await read_row(self._pool, self._booker.tenant, body.payment, 1)
            if not row.at_rest:
                raise StaffMistake(f"{body.payment} is still under way; let it end first")
        about = body.payment or proposal.id
        wrong = await self._booker.book(
            proposal,
            Manual.ADJUSTED,
            adjustment(debit, credit, body.minor, about=body.payment),
            facts=correction_facts(about=about, version=0, proposal=proposal.id),
        )
        return wrong or ended

    async def write_off(self, proposal: Proposal) -> Outcome:
        """Give up hope of what we wanted back."""
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, WriteOff)
        _check_currency(body)
        transfers = write_off(self._booker.tenant, body.currency, body.minor)
        wrong = await self._booker.book(proposal, Manual.WRITTEN_OFF, transfers)
        return wrong or done(f"{Money(body.minor, body.currency)} is a loss")

    def _check_transfer(self, body: Adjustment) -> None:
        self._transfer(body)

    def _transfer(self, body: Adjustment) -> tuple[Account, Account]:
        tenant = self._booker.tenant
        debit = read_name(body.debit, tenant, self._operators)
        credit = read_name(body.credit, tenant, self._operators)
        adjustment(debit, credit, body.minor, about=body.payment)
        return debit, credit


def _check_currency(body: WriteOff) -> None:
    if body.currency not in CURRENCIES:
        raise StaffMistake(f"no such currency: {body.currency}")

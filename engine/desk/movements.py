"""Carrying out what moves liquidity: top-up, withdrawal, its cancellation, and rebalancing.

We cannot move the owner's money at an operator ourselves; people do, and say under which
reference it was seen. Until then a proposal waits, and what is withdrawn cannot be promised.
"""

from collections.abc import Mapping

from engine.desk.booking import Booker
from engine.desk.proposals import (
    Cancellation,
    Check,
    Executor,
    Kind,
    Movement,
    Outcome,
    Proposal,
    ProposalId,
    Rebalancing,
    done,
    failed,
    read_body,
    waiting,
)
from engine.desk.store import ProposalStore
from engine.errors import StaffMistake
from engine.ledger import pool_postings as postings
from engine.ledger.chart import Account
from engine.ledger.chart import Kind as AccountKind
from engine.ledger.entries import Manual
from engine.money import Money
from engine.ports import OperatorFacts


class Movements:
    """The executors of liquidity; each may be repeated and comes to the same end."""

    def __init__(
        self, booker: Booker, store: ProposalStore, operators: Mapping[str, OperatorFacts]
    ) -> None:
        """`operators` by name: those whose wallets are ours to fill."""
        self._booker = booker
        self._store = store
        self._operators = dict(operators)

    def executors(self) -> dict[Kind, Executor]:
        return {
            Kind.TOP_UP: self.top_up,
            Kind.WITHDRAWAL: self.withdraw,
            Kind.CANCEL_WITHDRAWAL: self.cancel_withdrawal,
            Kind.REBALANCE: self.rebalance,
        }

    def checks(self) -> dict[Kind, Check]:
        return {
            Kind.TOP_UP: self._check_operator,
            Kind.WITHDRAWAL: self._check_operator,
            Kind.REBALANCE: self._check_pair,
        }

    async def top_up(self, proposal: Proposal) -> Outcome:
        """Booked when the money was seen, not when it was promised."""
        body, operator, amount = self._movement(proposal)
        if proposal.reference is None:
            return waiting(f"until {amount} is seen at {body.operator}")
        transfers = postings.pay_in(*self._at(operator), body.minor)
        wrong = await self._booker.book(proposal, Manual.TOPPED_UP, transfers)
        return wrong or done(f"{amount} at {body.operator}, {proposal.reference}")

    async def withdraw(self, proposal: Proposal) -> Outcome:
        """Reserved at once; booked as gone when the operator confirmed it."""
        body, operator, amount = self._movement(proposal)
        now = await self._booker.state_of(proposal.id)
        if now is None and (lacks := await self._lacks(operator, body.minor)):
            # It may be what somebody else has reserved for this very proposal meanwhile.
            now = await self._booker.state_of(proposal.id)
            if now is None:
                raise StaffMistake(lacks)
        if now is None:
            transfers = postings.reserve_withdrawal(*self._at(operator), body.minor)
            wrong = await self._booker.book(proposal, Manual.WITHDRAWAL_RESERVED, transfers)
            if wrong:
                return wrong
        elif now is Manual.WITHDRAWAL_CANCELLED:
            return failed("it was cancelled; the pool has it again")
        if proposal.reference is None:
            return waiting(f"until {amount} has left {body.operator}")
        transfers = postings.complete_withdrawal(*self._at(operator), body.minor)
        wrong = await self._booker.follow(proposal, proposal.id, Manual.WITHDRAWN, transfers)
        return wrong or done(f"{amount} left {body.operator}, {proposal.reference}")

    async def cancel_withdrawal(self, proposal: Proposal) -> Outcome:
        """Give back what did not leave; two people say so, because nobody can take that back.

        Of a top-up or a rebalancing that nobody has seen nothing is booked: it waits no more.
        """
        wanted = read_body(proposal.kind, proposal.body)
        assert isinstance(wanted, Cancellation)
        withdrawal = await self._store.get(ProposalId(wanted.withdrawal))
        if withdrawal.kind in (Kind.TOP_UP, Kind.REBALANCE):
            return await self._give_up(withdrawal, proposal)
        if withdrawal.kind is not Kind.WITHDRAWAL:
            raise StaffMistake(f"{withdrawal.id} is no withdrawal")
        if withdrawal.reference is not None:
            raise StaffMistake(f"it has left already, {withdrawal.reference}")
        body, operator, amount = self._movement(withdrawal)
        transfers = postings.cancel_withdrawal(*self._at(operator), body.minor)
        wrong = await self._booker.follow(
            proposal, withdrawal.id, Manual.WITHDRAWAL_CANCELLED, transfers
        )
        if wrong:
            return wrong
        await self._store.end_waiting(withdrawal.id, failed(f"cancelled by {proposal.id}"))
        return done(f"{amount} may be promised again")

    async def rebalance(self, proposal: Proposal) -> Outcome:
        """Booked when the float was seen at the second operator."""
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, Rebalancing)
        source, target = self._pair(body)
        amount = Money(body.minor, source.currency)
        if proposal.reference is None:
            return waiting(f"until {amount} of {body.source} is seen at {body.target}")
        transfers = postings.move_float(
            self._booker.tenant, source.currency, source=source.code, target=target.code,
            minor=body.minor,
        )  # fmt: skip
        wrong = await self._booker.book(proposal, Manual.REBALANCED, transfers)
        return wrong or done(f"{amount} from {body.source} to {body.target}, {proposal.reference}")

    async def _give_up(self, waits: Proposal, proposal: Proposal) -> Outcome:
        ended = failed(f"cancelled by {proposal.id}")
        if not await self._store.end_unseen(waits.id, ended):
            now = await self._store.get(waits.id)
            if now.outcome != ended.text:
                told = now.outcome or now.state
                return failed(f"{waits.id} waits for nothing any more: {told}")
        return done(f"nothing was booked for {waits.id}, and nothing will be")

    def _check_operator(self, body: Movement) -> None:
        self._operator(body.operator)

    def _check_pair(self, body: Rebalancing) -> None:
        self._pair(body)

    def _movement(self, proposal: Proposal) -> tuple[Movement, OperatorFacts, Money]:
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, Movement)
        operator = self._operator(body.operator)
        return body, operator, Money(body.minor, operator.currency)

    def _operator(self, name: str) -> OperatorFacts:
        if name not in self._operators:
            raise StaffMistake(f"no operator {name!r}; known: {', '.join(sorted(self._operators))}")
        return self._operators[name]

    def _pair(self, body: Rebalancing) -> tuple[OperatorFacts, OperatorFacts]:
        source, target = self._operator(body.source), self._operator(body.target)
        if source.name == target.name or source.currency != target.currency:
            raise StaffMistake("float moves between two operators of one currency")
        return source, target

    def _at(self, operator: OperatorFacts) -> tuple[int, str, int]:
        return self._booker.tenant, operator.currency, operator.code

    async def _lacks(self, operator: OperatorFacts, minor: int) -> str:
        """What is missing, empty for nothing.

        The pool is guarded by the books; a float is not, because operators charge late.
        """
        tenant, currency, code = self._at(operator)
        held = Account(tenant, currency, AccountKind.WITHDRAWAL_HELD, code)
        float_ = Account(tenant, currency, AccountKind.FLOAT, code)
        there = -await self._booker.minor_in(float_.number)
        promised = await self._booker.minor_in(held.number)
        if there - promised >= minor:
            return ""
        free = Money(max(there - promised, 0), currency)
        return f"only {free} of our float at {operator.name} can leave"

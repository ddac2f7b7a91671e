"""Our books beside the operators', put together from what a process has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from channels.reconciliation import read_statement_terms
from channels.wiring import Engine
from engine.clock import AttemptId, Clock, Ids
from engine.desk.store import ProposalStore
from engine.ledger.committer import Committer
from engine.outbox import Outbox
from engine.payments.health import Record, unheard
from engine.payments.payins.store import PayInStore
from engine.payments.service import Payments
from engine.payments.statements.balances import BalanceBook, Balances
from engine.payments.statements.cases import StatementCases
from engine.payments.statements.consequences import Consequences
from engine.payments.statements.fees import FeeBook
from engine.payments.statements.importing import Statements
from engine.payments.statements.moves import Moves
from engine.payments.statements.ours import OursReader
from engine.payments.statements.pay_ins import (
    HearOwners,
    HearReturn,
    nobody_paid_in,
    nobody_returns,
)
from engine.payments.statements.store import StatementStore
from engine.payments.statements.suspense import Suspense
from engine.payments.statements.terms import TermsBook
from engine.payments.store import PaymentStore
from engine.ports import BalancePort, OperatorPort, StatementPort, WayPort


@dataclass(frozen=True)
class Comparison:
    """Our books beside the operators': statements, balances, and what is stored of both."""

    statements: Statements
    balances: Balances
    book: BalanceBook
    store: StatementStore
    cases: StatementCases
    terms: TermsBook


def open_comparison(engine: Engine) -> Comparison:
    """The comparison of a running engine. Raises BadSettings for a senseless file."""
    settings = engine.settings
    return assemble(
        pool=engine.pool,
        tenant=settings.tenant,
        operators=engine.operators,
        terms=read_statement_terms(settings),
        payments=engine.payments,
        store=engine.store,
        committer=engine.committer,
        address=engine.addresses.address,
        clock=engine.clock,
        ids=engine.ids,
        record=engine.health.record,
        hear_return=engine.pay_ins.returns.hear_return,
        hear_owners=engine.pay_ins.owners.hear,
        lease_seconds=settings.lease_seconds,
    )


def assemble(
    *,
    pool: Any,
    tenant: int,
    operators: Mapping[str, OperatorPort],
    terms: TermsBook,
    payments: Payments,
    store: PaymentStore,
    committer: Committer,
    address: Callable[[int, AttemptId], str],
    clock: Clock,
    ids: Ids,
    record: Record = unheard,
    hear_return: HearReturn = nobody_returns,
    hear_owners: HearOwners = nobody_paid_in,
    lease_seconds: int = 60,
) -> Comparison:
    """The comparison from its parts; `record` is told of operators that could not be reached,
    `hear_return` of pay-ins that went back, `hear_owners` of collections they may be,
    `lease_seconds` is how long an order is held that a statement says has failed."""

    def references_of(operator: str, attempt_id: AttemptId) -> tuple[str, ...]:
        port = operators[operator]
        return port.references_of(attempt_id) if isinstance(port, StatementPort) else ()

    def pays_back(operator: str, by: str) -> bool:
        port = operators[operator]
        if isinstance(port, WayPort):
            return port.refunds_by_payout(by)
        return port.facts.refund_is_payout

    facts = {name: port.facts for name, port in operators.items()}
    kept, cases = StatementStore(pool, tenant), StatementCases(pool, tenant)
    ours = OursReader(pool, tenant, store, references_of, pays_back)
    proposals = ProposalStore(pool, tenant)
    moves = Moves(proposals, kept)
    book = BalanceBook(pool, tenant, cases, ours, terms, clock, moves)
    suspense = Suspense(pool, tenant, committer, ids)
    outbox = Outbox(pool, clock, lease_seconds=lease_seconds)
    pay_ins = PayInStore(pool, tenant, clock, ids)
    statements = Statements(
        tenant=tenant,
        operators=facts,
        terms=terms,
        store=kept,
        cases=cases,
        ours=ours,
        consequences=Consequences(
            kept, cases, payments, suspense, pay_ins, terms, clock, (store, outbox), hear_return
        ),
        balances=book,
        pay_ins=pay_ins,
        moves=moves,
        fees=FeeBook(proposals, kept, cases, tenant),
        clock=clock,
        hear_owners=hear_owners,
    )
    telling = {
        name: (port.facts, port)
        for name, port in operators.items()
        if isinstance(port, BalancePort)
    }
    balances = Balances(pool, tenant, book, telling, address, clock, ids, record=record)
    return Comparison(statements, balances, book, kept, cases, terms)

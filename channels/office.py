"""Where staff tools become objects: the desk with all its executors, cases, liquidity, auditor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.clock import Clock, Ids
from engine.customers.erasing import Erasing
from engine.customers.resets import PinResets
from engine.desk.agreed import Agreed
from engine.desk.booking import Booker
from engine.desk.cases import Cases
from engine.desk.desk import Ahead, Desk
from engine.desk.erasing import Forgetting
from engine.desk.liquidity import Liquidity
from engine.desk.mending import Mending
from engine.desk.movements import Movements
from engine.desk.pin_resets import PinResetting
from engine.desk.proposals import Executor, Kind
from engine.desk.store import ProposalStore
from engine.ledger.auditor import Auditor, Pace
from engine.ledger.books import Books
from engine.ledger.committer import Committer
from engine.msisdn import Msisdn
from engine.payments.lifecycle import moves
from engine.payments.notices import MESSAGE, Message, write_message
from engine.payments.old_terms import as_written
from engine.ports import OperatorFacts
from engine.privacy.seals import seals_of


@dataclass(frozen=True)
class Office:
    """What people who look after an installation work with."""

    tenant: int
    clock: Clock
    ids: Ids
    pool: Any
    operators: Mapping[str, OperatorFacts]
    desk: Desk
    proposals: ProposalStore
    cases: Cases
    liquidity: Liquidity
    auditor: Auditor
    books: Books

    @property
    def codes(self) -> dict[str, int]:
        """Operator names to the codes in account numbers."""
        return {name: facts.code for name, facts in self.operators.items()}

    @property
    def names(self) -> dict[int, str]:
        """The inverse."""
        return {facts.code: name for name, facts in self.operators.items()}


def build_office(
    *,
    tenant: int,
    pool: Any,
    committer: Committer,
    operators: Mapping[str, OperatorFacts],
    clock: Clock,
    ids: Ids,
    ahead: Ahead,
    executors: Mapping[Kind, Executor] | None = None,
    pace: Pace | None = None,
) -> Office:
    """`executors` are those of the floors above the desk: releasing a hold, paying again. `ahead`
    as in `Desk`.
    """
    names = {facts.code: name for name, facts in operators.items()}
    store = ProposalStore(pool, tenant)
    booker = Booker(pool, committer, tenant)
    movements = Movements(booker, store, operators)
    mending = Mending(pool, booker, {name: facts.code for name, facts in operators.items()})
    resetting = PinResetting(PinResets(pool, tenant, clock, ids), write_pin_reset)
    cases = Cases(pool, tenant, clock)
    desk = Desk(
        store=store,
        executors={
            **movements.executors(),
            **mending.executors(),
            **cases.executors(),
            **resetting.executors(),
            **Forgetting(Erasing(pool, tenant, clock)).executors(),
            **(executors or {}),
        },
        checks={**movements.checks(), **mending.checks(), **cases.checks()},
        clock=clock,
        ids=ids,
        ahead=ahead,
    )
    return Office(
        tenant,
        clock,
        ids,
        pool,
        operators,
        desk,
        store,
        cases,
        Liquidity(pool, tenant, operators, clock),
        Auditor(
            pool,
            tenant,
            names,
            clock,
            pace or Pace(),
            _as_written(pool),
            Agreed(store, tenant, operators).differing,
            moves(),
        ),
        Books(pool, tenant, names),
    )


def _as_written(pool: Any) -> Callable[[str, str], str]:
    """How the auditor reads terms whose numbers were sealed later, with what keys there are now."""
    return lambda facts, payment_id: as_written(facts, seals_of(pool), payment_id)


def write_pin_reset(msisdn: Msisdn, language: str) -> tuple[int, str]:
    """The SMS after an agreed PIN reset, as an intent's kind and payload."""
    return MESSAGE, write_message(Message(msisdn, language, "pin_reset"))

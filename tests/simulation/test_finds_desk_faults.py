"""The simulation finds faults in what people do at the desk: pay-ins, liquidity, what came back.

As `test_finds_faults.py`: each that is put in here breaks a law within few seeds.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from engine.clock import PaymentId
from engine.desk.movements import Movements
from engine.desk.proposals import Movement, Outcome, Proposal, done, read_body
from engine.errors import OutcomeUnknown
from engine.ledger import pool_postings
from engine.ledger.chart import Account
from engine.ledger.chart import Kind as AccountKind
from engine.ledger.entries import Manual
from engine.ledger.postings import Transfers
from engine.payments.facts import Ruling
from engine.payments.lifecycle import State
from engine.payments.payins.judging import PayIn, Stage
from engine.payments.payins.returns import PayInReturns
from engine.payments.payins.strays import Strays
from engine.payments.rulings import Rulings
from engine.payments.statements.judged import Theirs
from engine.payments.statements.lines import Moved
from engine.payments.statements.moves import Moves
from engine.ports import Finding
from engine.ports import Outcome as Found
from tests.simulation.finding import Fault, first_breach, planted
from tests.simulation.pay_in_table import PayInTable
from tests.simulation.weather import Weather
from tests.simulation.world import Options, World

# Pay-ins.


def both_may_begin(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether another pair has begun with it."""

    def begin(self: PayInTable, pay_in: PayIn, stage: Stage, proposal: str) -> bool:
        row = self._model.pay_ins[pay_in.id]
        row.stands = row.stands._replace(stage=stage, proposal=proposal)
        return True

    patch.setattr(PayInTable, "begin", begin)


def a_refused_repeat_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    """What a repeat is refused for is taken for what became of the first order."""
    inner = PayInReturns.hear_return

    async def hear_return(self: PayInReturns, pay_in_id: str, finding: Finding) -> bool:
        pay_in = await self._store.get(pay_in_id)
        if finding.outcome is Found.FAILED and pay_in and pay_in.stage is Stage.RETURNING:
            proposal = await self._proposals.get(pay_in.proposal)  # type: ignore[arg-type]
            ended = await self._fail(pay_in, proposal, finding.code)
            await self._proposals.end_waiting(proposal.id, ended)
            return True
        return await inner(self, pay_in_id, finding)

    patch.setattr(PayInReturns, "hear_return", hear_return)


def nobody_looks_before_it_goes_back(patch: pytest.MonkeyPatch) -> None:
    """Two people send back what a payment has collected."""

    async def collected_since(*_: object) -> None:
        return None

    patch.setattr(PayInReturns, "_collected_since", collected_since)


def silence_is_a_return(patch: pytest.MonkeyPatch) -> None:
    """An order that nobody answered is booked as carried out."""
    inner = PayInReturns._call

    async def call(self: PayInReturns, pay_in: PayIn, proposal: Proposal) -> Outcome:
        ports = self._operators
        self._operators = {name: _Certain(port) for name, port in ports.items()}
        try:
            return await inner(self, pay_in, proposal)
        except _Silence:
            return await self._complete(pay_in, proposal, None)
        finally:
            self._operators = ports

    patch.setattr(PayInReturns, "_call", call)


def what_was_assigned_stays_aside(patch: pytest.MonkeyPatch) -> None:
    """It is a payment's, and lies in SUSPENSE as well."""

    async def take_back(self: Strays, pay_in: PayIn) -> None:
        return None

    patch.setattr(Strays, "take_back", take_back)


def what_did_not_go_stays_held(patch: pytest.MonkeyPatch) -> None:
    """Nobody books that it is here again."""

    async def suspend_again(self: PayInReturns, *_: Any) -> Outcome | None:
        return None

    patch.setattr(PayInReturns, "_suspend_again", suspend_again)


# Liquidity.


def what_is_promised_is_there(patch: pytest.MonkeyPatch) -> None:
    """A top-up is booked before anybody has seen it."""

    async def top_up(self: Movements, proposal: Proposal) -> Outcome:
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, Movement)
        facts = self._operators[body.operator]
        transfers = pool_postings.pay_in(1, facts.currency, facts.code, body.minor)
        wrong = await self._booker.book(proposal, Manual.TOPPED_UP, transfers)
        return wrong or done("it will come")

    patch.setattr(Movements, "top_up", top_up)


def nothing_is_reserved(patch: pytest.MonkeyPatch) -> None:
    """What is on its way to the owner is promised to payments as well."""

    def nowhere(tenant: int, currency: str, operator: int, minor: int) -> Transfers:
        there = Account(tenant, currency, AccountKind.POOL_AVAIL).number
        return ((there, there, minor),)

    patch.setattr(pool_postings, "reserve_withdrawal", nowhere)


def float_moves_the_other_way(patch: pytest.MonkeyPatch) -> None:
    """What left one operator is booked as having left the other."""
    inner = pool_postings.move_float

    def move_float(
        tenant: int, currency: str, *, source: int, target: int, minor: int
    ) -> Transfers:
        return inner(tenant, currency, source=target, target=source, minor=minor)

    patch.setattr(pool_postings, "move_float", move_float)


def what_was_put_in_is_no_liquidity(patch: pytest.MonkeyPatch) -> None:
    """A top-up is kept beside the pool."""

    def pay_in(tenant: int, currency: str, operator: int, minor: int) -> Transfers:
        float_, aside = (
            Account(tenant, currency, kind, operator).number
            for kind in (AccountKind.FLOAT, AccountKind.SUSPENSE)
        )
        return ((float_, aside, minor),)

    patch.setattr(pool_postings, "pay_in", pay_in)


def what_people_moved_is_nobodys(patch: pytest.MonkeyPatch) -> None:
    """Statements do not know of top-ups."""

    async def among(
        self: Moves, operator: str, lines: Sequence[Theirs], paid_in: Collection[str]
    ) -> Mapping[str, Moved | None]:
        return {}

    patch.setattr(Moves, "among", among)


# What came back.


def what_people_saw_paid_is_paid_once_more(patch: pytest.MonkeyPatch) -> None:
    """Of a payout that came back nobody books that they have paid it by hand: it leaves again."""
    inner = Rulings.pay_seen

    async def pay_seen(
        self: Rulings, payment_id: PaymentId, ruling: Ruling, *, operator: str
    ) -> bool:
        payment = await self._payment(payment_id)
        if payment.state is not State.RETURNED:
            return await inner(self, payment_id, ruling, operator=operator)
        return await self.repay(payment_id, ruling)

    patch.setattr(Rulings, "pay_seen", pay_seen)


class _Silence(Exception):
    """Nobody answered."""


class _Certain:
    """An operator whose silence is an answer."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.facts = port.facts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    async def return_pay_in(self, *given: Any) -> Any:
        try:
            return await self._port.return_pay_in(*given)
        except OutcomeUnknown as error:
            raise _Silence from error


LOSSY = Weather(never_acts=0.2, answer_lost=0.3, fails=0.6, silent=0.25, acts_late=0.2)
STRAYS = Options(payments=15, strays=True, weather=LOSSY, stirred=False, span_seconds=172_800.0)
ANNOUNCED = replace(STRAYS, weather=Weather(callback_late=0.3, silent=0.3))
LIQUIDITY = Options(payments=5, liquidity=True, stirred=False, span_seconds=7200.0)
LISTED = replace(LIQUIDITY, statements=True)
TURNING = Weather(turns_around=0.7, restored=0.5)
RETURNED = Options(payments=20, portals=True, weather=TURNING, stirred=False, span_seconds=172_800)
FAULTS: Sequence[tuple[Fault, Options]] = [
    (both_may_begin, STRAYS),
    (a_refused_repeat_is_a_failure, STRAYS),
    (nobody_looks_before_it_goes_back, ANNOUNCED),
    (silence_is_a_return, STRAYS),
    (what_was_assigned_stays_aside, STRAYS),
    (what_did_not_go_stays_held, STRAYS),
    (what_is_promised_is_there, LIQUIDITY),
    (nothing_is_reserved, LIQUIDITY),
    (float_moves_the_other_way, LIQUIDITY),
    (what_was_put_in_is_no_liquidity, LIQUIDITY),
    (what_people_moved_is_nobodys, LISTED),
    (what_people_saw_paid_is_paid_once_more, RETURNED),
]


@planted("fault, options", FAULTS)
def test_fault_breaks_a_law_within_few_seeds(
    fault: Fault, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_breach(fault, options, monkeypatch)


def test_the_same_worlds_are_whole_without_a_fault() -> None:
    for options in (STRAYS, LIQUIDITY, LISTED, RETURNED):
        for seed in range(1, 6):
            World(seed, options).run()

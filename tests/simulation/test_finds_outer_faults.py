"""The simulation finds faults in what stands around payments: statements, pay-ins, requests.

As `test_finds_faults.py`: each that is put in here breaks a law within few seeds.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engine.ledger.entries import Manual
from engine.ledger.plans import Plan
from engine.payments.payins.judging import PayIn, Stage
from engine.payments.payins.owners import Owners
from engine.payments.payins.payins import PayIns
from engine.payments.payins.strays import Strays
from engine.payments.request_store import Intended, Stored
from engine.payments.statements import consequences
from engine.payments.statements.judged import Class, Judged
from engine.payments.statements.lines import Line
from engine.payments.statements.suspense import Suspense
from engine.payments.views import RequestState
from tests.simulation.finding import Fault, first_breach, planted
from tests.simulation.model import _Batch
from tests.simulation.paper_weather import PaperWeather
from tests.simulation.papers import ModelStatements
from tests.simulation.request_table import RequestTable
from tests.simulation.weather import Weather
from tests.simulation.world import Options, World

# Statements.


def nothing_is_taken_back(patch: pytest.MonkeyPatch) -> None:
    """What lies in SUSPENSE stays there although its owner is known."""

    async def take_back(self: Suspense, line: Line) -> None:
        return None

    patch.setattr(Suspense, "take_back", take_back)


def only_what_was_known_before_is_taken_back(patch: pytest.MonkeyPatch) -> None:
    """What a line itself proves goes to its payment, and stays aside as well."""

    def is_a_payments(judged: Judged) -> bool:
        return judged.proves is None and judged.kind in (Class.MATCHED, Class.NEXT_DAY)

    patch.setattr(consequences, "_is_a_payments", is_a_payments)


def another_number_keeps_it_aside(patch: pytest.MonkeyPatch) -> None:
    """Also where its payment has that very receipt."""
    patch.setattr(consequences, "_is_held", lambda judged: False)


def nobody_notes_what_is_put_aside(patch: pytest.MonkeyPatch) -> None:
    """It is booked, the line does not know, and nobody asks the books."""
    inner = ModelStatements.set_suspended

    async def set_suspended(self: ModelStatements, line: str, at_ms: int | None) -> None:
        if at_ms is None:
            await inner(self, line, at_ms)

    async def lies_unnoted(*_: object) -> bool:
        return False

    patch.setattr(ModelStatements, "set_suspended", set_suspended)
    patch.setattr(consequences.Consequences, "_lies_unnoted", lies_unnoted)


def nothing_ages(patch: pytest.MonkeyPatch) -> None:
    """What nobody here made is put aside at once, before it could be late."""
    patch.setattr(consequences, "timedelta", lambda days: timedelta(0))


def nothing_is_put_aside(patch: pytest.MonkeyPatch) -> None:
    """What came in for nobody stands nowhere in the books."""

    async def put(self: Suspense, facts: Any, line: Line) -> None:
        return None

    patch.setattr(Suspense, "put", put)


def what_is_put_aside_again_is_booked_again(patch: pytest.MonkeyPatch) -> None:
    """The key of a receipt lets in whoever comes with it, also who died before it was noted."""
    inner = _Batch._repeats

    def repeats(self: _Batch, plan: Plan, first: Any) -> Any:
        return None if plan.state == Manual.SUSPENDED else inner(self, plan, first)

    patch.setattr(_Batch, "_repeats", repeats)


# Pay-ins.


def anybody_may_have_sent_it(patch: pytest.MonkeyPatch) -> None:
    """The code alone makes it a payment's, whoever the operator says has paid."""
    patch.setattr(PayIns, "_agrees", lambda *_: True)


def notices_need_no_proof(patch: pytest.MonkeyPatch) -> None:
    """An unsigned notice is believed in any amount."""
    patch.setattr(PayIns, "_needs_proof", lambda *_: False)


def a_restive_pay_in_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What people must look at is settled before it is booked."""

    async def suspend(self: PayIns, pay_in: PayIn, why: str) -> None:
        await self._store.settle(pay_in, Stage.SUSPENDED)

    patch.setattr(PayIns, "_suspend", suspend)


def an_announced_collection_is_a_strangers(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks whose receipt it is, neither when it is told nor when a day is compared."""

    async def of(*_: object) -> None:
        return None

    async def hear(*_: object) -> int:
        return 0

    patch.setattr(Owners, "of", of)
    patch.setattr(Owners, "hear", hear)


def whoever_is_slower_leaves_it_aside(patch: pytest.MonkeyPatch) -> None:
    """What was put aside after its owner was found stays there."""

    async def look(self: Owners, pay_in: PayIn) -> None:
        await self._store.settle(pay_in, pay_in.stage)

    async def nothing(*_: object) -> None:
        return None

    patch.setattr(Owners, "look", look)
    patch.setattr(Strays, "take_back", nothing)


# Requests.


def what_is_being_paid_is_open(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether a payment for it is under way."""

    def state_at(self: Stored, now_ms: int) -> RequestState:
        if self.closed_as is not None:
            return self.closed_as
        return RequestState.OPEN if now_ms < self.expires_ms else RequestState.EXPIRED

    patch.setattr(Stored, "state_at", state_at)


def whoever_closes_takes_no_key(patch: pytest.MonkeyPatch) -> None:
    """A request is closed while somebody begins to pay it."""

    def close(
        self: RequestTable, request: Stored, closed_as: RequestState, now_ms: int, told: Intended
    ) -> bool:
        row = self._model.requests[request.id]
        if row.closed_as is not None:
            return False
        row.closed_as = closed_as
        self._owe(request.id, told)
        self.on_closed(request, closed_as)
        return True

    patch.setattr(RequestTable, "close", close)


def what_was_paid_is_never_settled(patch: pytest.MonkeyPatch) -> None:
    """Its time passes, and nobody closes it."""
    patch.setattr(RequestTable, "settle", lambda *_: None)


SLOW = PaperWeather(slow_news=1.0, wrong_number=0.3, unnamed=0.6, left_out_at_first=0.0)
STATEMENTS = Options(payments=15, statements=True, papers=SLOW, stirred=False, span_seconds=7200.0)
WAITING = Weather(never_acts=0.6)  # nobody answers a prompt: what comes by itself is awaited
FORGED = replace(WAITING, callback_forged=0.9)
PAY_INS = Options(
    payments=15, pay_ins=True, weather=WAITING, stirred=False, span_seconds=7200.0
)  # fmt: skip
ANNOUNCED = Options(payments=15, pay_ins=True, stirred=False, span_seconds=7200.0)
REQUESTS = Options(payments=5, requests=True, stirred=False, span_seconds=7200.0)
FAULTS: Sequence[tuple[Fault, Options]] = [
    (nothing_is_taken_back, STATEMENTS),
    (only_what_was_known_before_is_taken_back, STATEMENTS),
    (another_number_keeps_it_aside, STATEMENTS),
    (nobody_notes_what_is_put_aside, STATEMENTS),
    (nothing_ages, STATEMENTS),
    (nothing_is_put_aside, STATEMENTS),
    (what_is_put_aside_again_is_booked_again, PAY_INS),
    (anybody_may_have_sent_it, PAY_INS),
    (notices_need_no_proof, replace(PAY_INS, weather=FORGED)),
    (a_restive_pay_in_is_forgotten, PAY_INS),
    (an_announced_collection_is_a_strangers, ANNOUNCED),
    (whoever_is_slower_leaves_it_aside, ANNOUNCED),
    (what_is_being_paid_is_open, REQUESTS),
    (whoever_closes_takes_no_key, REQUESTS),
    (what_was_paid_is_never_settled, REQUESTS),
]


@planted("fault, options", FAULTS)
def test_fault_breaks_a_law_within_few_seeds(
    fault: Fault, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_breach(fault, options, monkeypatch)


def test_the_same_worlds_are_whole_without_a_fault() -> None:
    for options in (STATEMENTS, PAY_INS, ANNOUNCED, REQUESTS):
        for seed in range(1, 6):
            World(seed, options).run()

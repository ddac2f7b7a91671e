"""The simulation finds faults in what is given back where corridors keep the fee.

As `test_finds_faults.py`: each that is put in here breaks a law within few seeds.
"""

from collections.abc import Sequence

import pytest

from engine.ledger import postings
from engine.ledger.chart import Route
from engine.ledger.postings import Price, Transfers
from engine.payments import stepping
from engine.payments.facts import Facts
from tests.simulation.finding import Fault, all_are_whole, first_breach, planted
from tests.simulation.weather import Weather
from tests.simulation.world import Options

FEES = Options(
    payments=15,
    fees_kept=True,
    stirred=False,
    weather=Weather(restored=0.0, turns_around=0.6, fails=0.3),
)


def what_came_late_lacks_the_fee(patch: pytest.MonkeyPatch) -> None:
    """Nothing was done for it."""

    def as_they_are(facts: Facts) -> Facts:
        return facts

    patch.setattr(stepping, "given_back_whole", as_they_are)


def what_is_kept_is_no_fee(patch: pytest.MonkeyPatch) -> None:
    """It is earned as something else, and the entry balances."""
    owe_refund = postings.owe_refund

    def elsewhere(quote: Price, route: Route) -> Transfers:
        return tuple(
            (debit, route.rounding if credit == route.fee_income else credit, minor)
            for debit, credit, minor in owe_refund(quote, route)
        )

    patch.setattr(postings, "owe_refund", elsewhere)


FAULTS: Sequence[tuple[Fault]] = [(what_came_late_lacks_the_fee,), (what_is_kept_is_no_fee,)]


@planted("fault", FAULTS)
def test_fault_breaks_a_law_within_few_seeds(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    first_breach(fault, FEES, monkeypatch, "another fee is kept than was promised")


def test_the_same_worlds_are_whole_without_a_fault() -> None:
    all_are_whole([FEES], 8, ["a fee kept", "a fee given back", "a fee that came late kept"])

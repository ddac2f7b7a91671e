"""The simulation finds it where what an operator says of another amount is believed."""

from collections import Counter

import pytest

from engine.payments import evidence
from engine.payments.evidence import disagreement
from engine.payments.payment import Payment
from engine.ports import Direction, Finding
from tests.simulation.finding import Fault, first_breach
from tests.simulation.world import Options, World

ODD = Options(payments=10, odd_answers=True, span_seconds=7200.0)


def any_amount_will_do(patch: pytest.MonkeyPatch) -> None:
    """What is said of the amount is not looked at."""

    def silent(payment: Payment, direction: Direction, finding: Finding, **how: object) -> None:
        return None

    patch.setattr(evidence, "disagreement", silent)


def the_currency_is_not_read(patch: pytest.MonkeyPatch) -> None:
    """As many units of another currency are the same."""

    def numbers_alone(
        payment: Payment, direction: Direction, finding: Finding, **how: object
    ) -> str | None:
        said, ordered = finding.amount, payment.amount_of(direction)
        if said is not None and said.minor == ordered.minor:
            return None
        return disagreement(payment, direction, finding, **how)  # type: ignore[arg-type]

    patch.setattr(evidence, "disagreement", numbers_alone)


@pytest.mark.parametrize("fault", [any_amount_will_do, the_currency_is_not_read])
def test_fault_breaks_a_law_within_few_seeds(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    _, breach = first_breach(fault, ODD, monkeypatch)
    assert "another amount" in str(breach)


def test_the_same_worlds_are_whole_without_a_fault() -> None:
    happened: Counter[str] = Counter()
    for seed in range(1, 6):
        happened.update(World(seed, ODD).run().happened)
    assert happened["odd amount"]

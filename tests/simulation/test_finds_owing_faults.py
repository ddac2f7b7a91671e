"""The simulation finds faults in how what operators owe each other is gathered.

As `test_finds_faults.py`: each that is put in here breaks a law within few seeds.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from engine.payments.settlement import obligation_store
from engine.payments.settlement.obligation_store import Discrepancy, ObligationStore
from tests.simulation.finding import Fault, first_breach, planted
from tests.simulation.weather import Weather
from tests.simulation.world import Options, World

backwards = obligation_store._backwards


def nobody_reads_far_back(patch: pytest.MonkeyPatch) -> None:
    """What is seen late, for somebody's clock is wrong, is missing."""

    def near(marks: Mapping[str, int], now_ms: int) -> Iterator[tuple[str, int]]:
        yield next(backwards(dict(marks) | {"again_ms": now_ms}, now_ms) if marks else iter(FIRST))

    patch.setattr(obligation_store, "_backwards", near)


def the_balances_are_not_asked(patch: pytest.MonkeyPatch) -> None:
    """Whether all was read."""
    nobody_reads_far_back(patch)

    async def nothing_wrong(self: ObligationStore, connection: Any) -> tuple[Discrepancy, ...]:
        return ()

    patch.setattr(ObligationStore, "_wrong", nothing_wrong)


FIRST = (("whole_ms", 0),)
SKEWED = Options(
    payments=8, owing=True, span_seconds=600.0, stirred=False,
    weather=Weather(clock_jump_per_hour=60.0, restored=0.0),
)  # fmt: skip
FAULTS: Sequence[tuple[Fault, Options, str]] = [
    (nobody_reads_far_back, SKEWED, "what is owed does not add up"),
    (the_balances_are_not_asked, SKEWED, "owed, and nobody knows"),
]


@planted("fault, options, law", FAULTS)
def test_fault_breaks_a_law_within_few_seeds(
    fault: Fault, options: Options, law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_breach(fault, options, monkeypatch, law)


def test_the_same_worlds_are_whole_without_a_fault() -> None:
    happened: Counter[str] = Counter()
    states: Counter[str] = Counter()
    for seed in range(1, 13):
        result = World(seed, SKEWED).run()
        happened.update(result.happened)
        states.update(result.states)
    # As in `test_simulation.py`: where none of it comes about every law is kept as well.
    assert happened["owed: whole"]
    assert states["PAID"]

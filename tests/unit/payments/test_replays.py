from typing import Any

import msgspec
import pytest

from engine.compliance.clearance import Seen, Thresholds, clear
from engine.decisions import Decision, Kind
from engine.payments.breaker import Breaker, BreakerRules, Inputs, decide, run_of
from engine.payments.health import Tally, Told
from engine.payments.replays import differing
from engine.ports import Direction
from tests.unit.payments.candidates import candidate, ranked

LATE = Decision(
    Kind.RATE, "refund", "the quote's rate no longer holds", {"pay_until": 100, "now": 101}
)
QUEUED = Decision(
    Kind.ROUTE,
    "payout queued: mtn_ug",
    "the first open way",
    {"ways": ["mtn_ug", "airtel_ug"], "from": 0, "open": {"mtn_ug": False, "airtel_ug": False}},
)


def opened() -> Decision:
    inputs = Inputs(
        "mtn_ug", Direction.COLLECT, "UG", Breaker(), run_of([Told.UNCLEAR] * 5), Tally(), 10**12,
        BreakerRules(),
    )  # fmt: skip
    decision = decide(inputs)[1]
    assert decision is not None
    return decision


def test_what_is_decided_the_same_again_differs_in_nothing() -> None:
    seen = Seen(Thresholds(80, 95, 50, 100), lists={"ofac": 3}, collected=False, named=("payer",))
    cleared = clear(seen, None).decision
    kept = [ranked(candidate(), candidate("airtel_ug")).decision, opened(), QUEUED, LATE, cleared]
    stored = msgspec.json.decode(msgspec.json.encode(kept), type=list[Decision])
    assert differing(stored) == []


@pytest.mark.parametrize(
    "changes",
    [{"outcome": "airtel_ug>mtn_ug"}, {"reason": "a whim"}, {"outcome": "none"}],
)
def test_a_decision_that_comes_out_otherwise_is_named_with_what_it_would_be(
    changes: dict[str, Any],
) -> None:
    for right in (ranked(candidate(), candidate("airtel_ug")).decision, opened()):
        wrong = msgspec.structs.replace(right, **changes)
        (difference,) = differing([right, wrong])
        assert difference.kept == wrong
        assert difference.again is not None
        assert (difference.again.outcome, difference.again.reason) == (right.outcome, right.reason)


def test_another_way_was_open_than_the_one_that_was_taken() -> None:
    wrong = msgspec.structs.replace(QUEUED, outcome="payout ordered: airtel_ug")
    (difference,) = differing([wrong])
    assert difference.again == QUEUED


def test_a_rate_that_still_held_was_no_reason_to_refund() -> None:
    inputs = {"pay_until": 100, "now": 100}
    (difference,) = differing([msgspec.structs.replace(LATE, inputs=inputs)])
    assert difference.again is not None
    assert difference.again.outcome == "pay"


@pytest.mark.parametrize("inputs", [{}, {"candidates": 5}, {"ways": ["a"], "from": 0, "open": {}}])
def test_inputs_nobody_can_read_any_more_differ(inputs: dict[str, Any]) -> None:
    (difference,) = differing([Decision(Kind.ROUTE, "mtn_ug", "best", inputs)])
    assert difference.again is None


def test_kinds_that_nobody_replays_are_passed_over() -> None:
    assert differing([Decision(Kind.RESTORED, "x", "y", {})]) == []

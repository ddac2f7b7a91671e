"""Candidates that the tests of routing share."""

from typing import Any

from engine.payments.ranking import Candidate, Ranking, RouteRules, rank

RULES = RouteRules()
LAST_DRAW = 999_999


def candidate(operator: str = "mtn_ug", **changes: Any) -> Candidate:
    """An operator in Uganda that can pay out UGX 28,000 for UGX 300."""
    known: dict[str, Any] = {
        "is_own": operator == "mtn_ug",
        "amount_minor": 28_000,
        "amount_minor_min": 500,
        "amount_minor_max": 5_000_000,
        "unit_minor": 1,
        "cost_minor": 300,
        "available_minor": 100_000_000,
        "float_minor": 50_000_000,
    }
    return Candidate(operator, **{**known, **changes})


def ranked(
    *candidates: Candidate, draw_ppm: int = LAST_DRAW, payer: Candidate | None = None
) -> Ranking:
    """The lot falls on the best unless a test says otherwise."""
    return rank(candidates, draw_ppm, RULES, margin_minor=700, payer=payer)

"""Which terms of a corridor make sense: each at its edge."""

import msgspec
import pytest

from engine.fx.quotes import WHOLE_BP, Corridor
from engine.money import MINOR_MAX

GOOD = Corridor("mpesa_ke", "mtn_ug", 100, 2_000, 50, 1_000, 10_000_000, 30, 500)


@pytest.mark.parametrize(
    ("term", "least", "most"),
    [
        ("spread_bp", 0, WHOLE_BP - 1),  # all of it would leave the payee nothing
        ("fee_minor", 0, MINOR_MAX),
        ("fee_bp", 0, WHOLE_BP),
        ("collection_cost_bp", 0, WHOLE_BP),
        ("payout_cost_minor", 0, MINOR_MAX),
        ("amount_minor_min", 1, GOOD.amount_minor_max),
        ("amount_minor_max", GOOD.amount_minor_min, MINOR_MAX),
    ],
)
def test_a_term_makes_sense_up_to_its_edges(term: str, least: int, most: int) -> None:
    for value, is_right in ((least - 1, False), (least, True), (most, True), (most + 1, False)):
        changed = msgspec.structs.replace(GOOD, **{term: value})
        assert (changed.senseless == "") is is_right, f"{term}: {value}"

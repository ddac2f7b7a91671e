"""Why a window was closed is kept with all that was seen, and comes out the same again."""

import msgspec
import pytest

from engine.decisions import Decision
from engine.payments.replays import differing
from engine.payments.settlement.deciding import STAYS_OPEN, Inputs, decide
from engine.payments.settlement.netting import Gross, Mid
from engine.payments.settlement.rules import Window
from engine.payments.settlement.windows import Waiting

WINDOW = Window(seconds=60, payments=10, exposure_minor=1_000, single_above_minor=500_000)
GROSSES = (Gross("mpesa_ke", "KES", 100_000), Gross("mtn_ug", "UGX", 20_000))
MIDS = (Mid("KES", "0.0077", 5), Mid("UGX", "0.00027", 6))
# 1,000 shillings of Kenya are 7.70 dollars, 20,000 of Uganda 5.40: of six decimals 2,300,000.
SEEN = Inputs(
    "ke-ug",
    ("mpesa_ke", "mtn_ug"),
    "USDC",
    WINDOW,
    False,
    Waiting(10, 0, 0),
    1,
    MIDS,
    GROSSES,
    MIDS,
)


def seen(**changes: object) -> Inputs:
    return msgspec.structs.replace(SEEN, **changes)


@pytest.mark.parametrize(
    ("inputs", "outcome", "reason"),
    [
        (SEEN, "ke-ug: mpesa_ke pays 2300000", "count"),
        (seen(waiting=Waiting(2, 0, 1_000)), "ke-ug: mpesa_ke pays 2300000", "exposure"),
        (seen(waiting=Waiting(2, 0, 0), now_ms=60_000), "ke-ug: mpesa_ke pays 2300000", "time"),
        (seen(waiting=Waiting(2, 0, 0), now_ms=59_999), STAYS_OPEN, ""),
        (seen(waiting=None, is_asked=True, grosses=GROSSES[1:]), "ke-ug: mtn_ug pays 5400000",
         "asked"),
        (seen(waiting=None, grosses=GROSSES[:1]), "ke-ug: mpesa_ke pays 7700000", "single"),
        (seen(waiting=None, grosses=(Gross("mpesa_ke", "KES", 6_493),)), STAYS_OPEN, ""),
        (seen(waiting=None, grosses=(Gross("mpesa_ke", "KES", 6_494),)),
         "ke-ug: mpesa_ke pays 500038", "single"),
        (seen(grosses=()), "ke-ug: nothing moves", "count"),
        # More came back than was paid: the other one owes it.
        (seen(grosses=(Gross("mpesa_ke", "KES", -100_000),)), "ke-ug: mtn_ug pays 7700000",
         "count"),
    ],
)  # fmt: skip
def test_who_pays_and_why(inputs: Inputs, outcome: str, reason: str) -> None:
    decision = decide(inputs)
    assert (decision.outcome, decision.reason) == (outcome, reason)


def test_what_was_kept_is_made_again_and_a_whim_is_named() -> None:
    kept = decide(SEEN)
    stored = msgspec.json.decode(msgspec.json.encode(kept), type=Decision)
    assert differing([stored]) == []
    for changes in ({"outcome": "ke-ug: mtn_ug pays 2300000"}, {"reason": "time"}):
        (difference,) = differing([msgspec.structs.replace(stored, **changes)])
        assert difference.again is not None
        assert difference.again.outcome == kept.outcome
    (unread,) = differing([msgspec.structs.replace(stored, inputs={"mids": []})])
    assert unread.again is None

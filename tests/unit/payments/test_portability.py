import pytest

from engine.decisions import Decision, Kind
from engine.payments.portability import Hints, Source, decide, replay
from engine.payments.replays import REPLAYS, differing

EVERYBODY = Hints(
    prefix="prefix_ug", chosen="chosen_ug", looked_up="looked_ug", dialled="dialled_ug",
    dialled_since_ms=2, put_down="put_ug", put_down_ms=1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("hints", "operator", "source"),
    [
        (EVERYBODY, "chosen_ug", Source.CHOSEN),
        (Hints(prefix="p_ug", looked_up="l_ug", dialled="d_ug", put_down="s_ug"), "l_ug",
         Source.LOOKED_UP),
        (Hints(prefix="p_ug", dialled="d_ug", dialled_since_ms=2, put_down="s_ug", put_down_ms=1),
         "d_ug", Source.DIALLED),
        (Hints(prefix="p_ug", dialled="d_ug", dialled_since_ms=1, put_down="s_ug", put_down_ms=2),
         "s_ug", Source.PUT_DOWN),
        (Hints(prefix="p_ug", dialled="d_ug", dialled_since_ms=2, put_down="s_ug", put_down_ms=2),
         "d_ug", Source.DIALLED),
        (Hints(prefix="p_ug", put_down="s_ug", put_down_ms=1), "s_ug", Source.PUT_DOWN),
        (Hints(prefix="p_ug", dialled="d_ug", dialled_since_ms=1), "d_ug", Source.DIALLED),
        (Hints(prefix="p_ug"), "p_ug", Source.PREFIX),
        (Hints(dialled="d_ug"), "d_ug", Source.DIALLED),
        (Hints(), None, Source.PREFIX),
    ],
)  # fmt: skip
def test_who_knows_best_is_believed(hints: Hints, operator: str | None, source: Source) -> None:
    wallet = decide(hints)
    assert (wallet.operator, wallet.source) == (operator, source)


def test_the_reason_names_who_is_believed_and_everybody_who_disagrees() -> None:
    decision = decide(EVERYBODY).decision
    assert decision is not None
    assert (decision.kind, decision.outcome) == (Kind.WALLET, "chosen_ug")
    assert decision.reason == (
        "chosen; dialled: dialled_ug; looked_up: looked_ug; prefix: prefix_ug; put_down: put_ug"
    )


def test_who_agrees_is_no_doubt() -> None:
    decision = decide(Hints(prefix="mtn_ug", dialled="mtn_ug", dialled_since_ms=1)).decision
    assert decision is not None and decision.reason == "dialled"


def test_a_prefix_alone_is_no_decision_to_keep() -> None:
    assert decide(Hints(prefix="mtn_ug")).decision is None


def test_a_kept_decision_is_made_again_to_the_letter() -> None:
    decision = decide(EVERYBODY).decision
    assert decision is not None
    assert replay(decision) == decision
    assert REPLAYS[Kind.WALLET] is replay
    assert differing([decision]) == []


def test_a_decision_that_would_fall_differently_today_is_found() -> None:
    kept = Decision(Kind.WALLET, "put_ug", "put_down", {"prefix": "p_ug", "dialled": "d_ug"})
    (difference,) = differing([kept])
    assert difference.again is not None and difference.again.outcome == "d_ug"

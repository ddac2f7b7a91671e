"""What people were shown before they let a held payment go."""

import pytest

from engine.compliance.clearance import Resemblance, Seen, Thresholds, clear
from engine.compliance.lists.listed import Source
from engine.compliance.matching import BirthSays, Match
from engine.decisions import Decision, Kind
from engine.payments.unseen import has_news

THRESHOLDS = Thresholds(name_hold=90, name_refuse=97, points_hold=60, points_refuse=120)
OTHERS = (
    Decision(Kind.ROUTE, "paid", "the first open way", {}),
    Decision(Kind.COMPLIANCE, "hold", "of another release", {"score": 1}),
)


def held(*entries: str, known: tuple[str, ...] = ()) -> Decision:
    """A decision that names these entries of a list, `known` from before."""
    seen = Seen(
        THRESHOLDS, {"un": 1}, collected=True, named=("payee",),
        resemblances=tuple(map(resembling, entries)), known=tuple(map(resembling, known)),
    )  # fmt: skip
    return clear(seen, None).decision


def resembling(entry_id: str) -> Resemblance:
    return Resemblance("payee", Match(Source.UN, entry_id, 0, 95, BirthSays.NOTHING))


@pytest.mark.parametrize(
    ("now", "shown", "news"),
    [
        (held("1"), [], True),
        (held("1"), [held("1")], False),
        (held("1"), [held("2")], True),
        (held("1", "2"), [held("1"), held("2")], False),
        (held("1", "2", known=("1",)), [], True),
        (held("1", known=("1",)), [], False),
        (held("1"), [held("2", known=("1",))], False),
        (OTHERS[0], [], False),
        (OTHERS[1], [], False),
    ],
)
def test_an_entry_that_no_decision_before_held_for_is_news(
    now: Decision, shown: list[Decision], news: bool
) -> None:
    assert has_news(now, [*OTHERS, *shown]) is news

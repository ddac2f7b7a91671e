"""What people were shown before they let a held payment go."""

import msgspec
import pytest

from engine.compliance.clearance import (
    Resemblance,
    Seen,
    SimSeen,
    Thresholds,
    clear,
    of_sim_alone,
    replay,
    seen_in,
    with_ruled,
)
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


def of_sim(changed_ms: int | None, *, is_told: bool = True) -> Decision:
    """A decision about a payer whose SIM was changed, or of whom nobody told."""
    limits = msgspec.structs.replace(THRESHOLDS, sim_hours=72, sim_unknown_holds=True)
    sim = SimSeen("mpesa_ke", is_told, changed_ms, None if changed_ms is None else 1)
    return clear(Seen(limits, {}, collected=True, named=(), sim=sim), None).decision


def of_silence(*people: str) -> Decision:
    """A decision about people whose operators told no name, in a house that wants one."""
    limits = msgspec.structs.replace(THRESHOLDS, silence_holds=True)
    seen = Seen(limits, {"un": 1}, collected=True, named=(), silent=people)
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
        (of_sim(1), [], True),
        (of_sim(1), [of_sim(1)], False),
        (of_sim(2), [of_sim(1)], True),
        (of_sim(1), [held("1")], True),
        (of_sim(None, is_told=False), [of_sim(1)], True),
        (of_sim(None, is_told=False), [of_sim(None, is_told=False)], False),
        (of_silence("payee"), [held("1")], True),
        (of_silence("payee"), [of_silence("payee")], False),
        (of_silence("payee", "payer"), [of_silence("payee")], True),
        (of_silence("payee", "payer"), [of_silence("payee"), of_silence("payer")], False),
        (OTHERS[0], [], False),
        (OTHERS[1], [], False),
    ],
)
def test_an_entry_that_no_decision_before_held_for_is_news(
    now: Decision, shown: list[Decision], news: bool
) -> None:
    assert has_news(now, [*OTHERS, *shown]) is news


def test_a_release_states_every_change_that_people_were_shown_and_each_once() -> None:
    first, second = of_sim(1), of_sim(2)
    stated = with_ruled(held("1"), [first, held("2"), second, first])
    assert stated is not None and replay(stated) == stated
    seen = seen_in(stated)
    assert [sim.changed_ms for sim in seen.ruled] == [1, 2]
    assert [found.match.entry_id for found in seen.resemblances] == ["1"]


def test_a_release_of_which_nobody_was_shown_a_change_states_what_it_did() -> None:
    assert with_ruled(held("1"), [held("2")]) == held("1")
    assert with_ruled(None, []) is None


def test_for_another_payee_only_what_was_ruled_of_the_sim_stands() -> None:
    stated = of_sim_alone(with_ruled(of_sim(2), [of_sim(1)]))
    assert stated is not None and replay(stated) == stated
    seen = seen_in(stated)
    assert {sim.changed_ms for sim in seen.ruled} == {1, 2}
    assert (seen.lists, seen.named, seen.was_told) == ({}, (), ("payee",))
    assert of_sim_alone(held("1")) is None
    assert of_sim_alone(None) is None

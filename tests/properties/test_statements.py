"""Whatever is listed and whatever we hold: matching forgets nothing and does not mind the order."""

import random
from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.payments.statements.judged import Class, Judged, Ours, Standing, Theirs
from engine.payments.statements.lines import Line, Side, line_id
from engine.payments.statements.neutral import read_statement, write_statement
from engine.ports import Direction
from tests.unit.payments.statements.examples import (
    DAY,
    DAY_MS,
    DAYS,
    HOUR,
    NOON,
    TERMS,
    judge,
    line,
    ours,
    theirs,
)

RECEIPTS = st.sampled_from(["R1", "R2", "R3", "R4"])
REFERENCES = st.sampled_from(["x", "y", "z"])
MINORS = st.sampled_from([100, 200, 201])
TIMES = st.integers(-2 * DAY_MS, DAY_MS).map(lambda away: NOON + away)


@st.composite
def attempts(draw: st.DrawFn) -> list[Ours]:
    made = []
    for n in range(draw(st.integers(0, 6))):
        begun = draw(TIMES)
        made.append(
            ours(
                n,
                draw(st.sampled_from(list(Standing))),
                direction=draw(st.sampled_from(list(Direction))),
                minor=draw(MINORS),
                begun_ms=begun,
                ended_ms=begun + draw(st.sampled_from([1_000, 30 * HOUR])),
                receipt=draw(st.none() | RECEIPTS),
                references=tuple(draw(st.sets(REFERENCES, max_size=2))),
            )
        )
    return list({o.attempt_id: o for o in made}.values())


@st.composite
def listed(draw: st.DrawFn, known: list[Ours]) -> list[Theirs]:
    pins = [None, *(o.attempt_id for o in known)]
    out = []
    for _ in range(draw(st.integers(0, 8))):
        named = REFERENCES | RECEIPTS | st.none()
        if known:
            named |= st.sampled_from([o.attempt_id for o in known] + [o.code for o in known])
        out.append(
            theirs(
                draw(RECEIPTS),
                side=draw(st.sampled_from(list(Side))),
                minor=draw(MINORS),
                at_ms=draw(TIMES),
                day=DAY + timedelta(days=draw(st.integers(-1, 1))),
                reference=draw(named),
                fee_minor=draw(st.sampled_from([0, 1])),
                pinned=draw(st.sampled_from(pins)),
            )
        )
    return out


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Ours], list[Theirs], frozenset[date], int]:
    known = draw(attempts())
    days = frozenset(draw(st.sets(st.sampled_from(sorted(DAYS)))))
    return known, draw(listed(known)), days, draw(st.integers(0, 2**32))


@given(worlds())
@settings(max_examples=80, deadline=None)
def test_every_line_and_every_attempt_ends_in_exactly_one_class(
    world: tuple[list[Ours], list[Theirs], frozenset[date], int],
) -> None:
    known, lines, taken, _ = world
    judged = judge(known, lines, taken=taken)
    assert Counter(j.theirs for j in judged if j.theirs) == Counter(lines)
    assert Counter(j.ours for j in judged if j.ours) == Counter(known)


@pytest.mark.long("eighty whole days")
@given(worlds())
@settings(max_examples=80, deadline=None)
def test_the_order_of_lines_and_attempts_changes_nothing(
    world: tuple[list[Ours], list[Theirs], frozenset[date], int],
) -> None:
    known, lines, taken, seed = world
    shuffler = random.Random(seed)
    other_known = shuffler.sample(known, len(known))
    other_lines = shuffler.sample(lines, len(lines))
    assert judge(other_known, other_lines, taken=taken) == judge(known, lines, taken=taken)


@pytest.mark.long("eighty whole days")
@given(worlds())
@settings(max_examples=80, deadline=None)
def test_a_judgement_that_was_written_down_is_made_again(
    world: tuple[list[Ours], list[Theirs], frozenset[date], int],
) -> None:
    known, lines, taken, _ = world
    first = judge(known, lines, taken=taken)
    stored = [
        Theirs(j.theirs.line_id, j.theirs.line, j.pair_to_keep)
        for j in first
        if j.theirs and j.kind is not Class.DUPLICATE_LINE
    ]
    assert pairs(judge(known, stored, taken=taken)) == pairs(first)


@pytest.mark.long("eighty whole days")
@given(worlds())
@settings(max_examples=80, deadline=None)
def test_nothing_is_paired_that_moved_the_other_way_or_in_another_amount_unsaid(
    world: tuple[list[Ours], list[Theirs], frozenset[date], int],
) -> None:
    known, lines, taken, _ = world
    for j in judge(known, lines, taken=taken):
        if (
            j.kind in (Class.MATCHED, Class.NEXT_DAY, Class.UNKNOWN_RESOLVED)
            and j.theirs
            and j.ours
        ):
            assert j.theirs.line.side is j.ours.side
            away = abs(j.theirs.line.amount.minor - j.ours.amount.minor)
            assert away in (0, j.theirs.line.fee_minor)


def pairs(judged: tuple[Judged, ...]) -> set[tuple[str, str]]:
    return {(j.theirs.line_id, j.ours.attempt_id) for j in judged if j.theirs and j.ours}


LINES = st.builds(
    line,
    RECEIPTS,
    side=st.sampled_from(list(Side)),
    minor=st.integers(1, 10**12),
    at_ms=st.integers(NOON - HOUR, NOON + HOUR),
    reference=st.none() | st.text("abcXYZ019_-", min_size=1, max_size=40),
    counterparty=st.none() | st.just("+2547*****001"),
    balance_minor=st.none() | st.integers(-(10**12), 10**12),
)


@given(st.lists(LINES, max_size=5))
@settings(max_examples=80, deadline=None)
def test_reading_and_writing_a_statement_are_inverses(lines: list[Line]) -> None:
    body = write_statement(lines)
    again, faults = read_statement("mpesa_ke", "KES", DAY, body, TERMS)
    assert faults == ()
    assert [line_id(1, got) for got in again] == [line_id(1, made) for made in lines]
    assert write_statement(again) == body

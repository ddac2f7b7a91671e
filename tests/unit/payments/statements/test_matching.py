"""Every way a line and an attempt can stand to each other, as tables."""

from datetime import date

import msgspec
import pytest

from engine.clock import AttemptId
from engine.money import Money
from engine.payments.statements.judged import Class, Ours, Standing, Theirs
from engine.payments.statements.lines import Moved, PaidInLine, Side
from engine.payments.statements.terms import Terms
from engine.ports import Direction, Outcome
from tests.unit.payments.statements.examples import (
    DAY,
    DAY_MS,
    DAYS,
    HOUR,
    NOON,
    TERMS,
    judge,
    kinds,
    ours,
    theirs,
)

C, S, D = Class, Standing, Direction


@pytest.mark.parametrize(
    ("attempt", "line"),
    [
        (ours(receipt="R1"), theirs("R1")),
        (ours(references=("ws_CO_1",)), theirs("R1", reference="ws_CO_1")),
        (ours(), theirs("R1", reference=ours().attempt_id)),
        (ours(), theirs("R1", reference=ours().code)),
        (ours(direction=D.REFUND, receipt="R1"), theirs("R1", side=Side.OUT)),
        (ours(direction=D.DISBURSE, receipt="R1"), theirs("R1", side=Side.OUT)),
        (ours(receipt="R1"), theirs("R1", counterparty="+2547*****001")),
        (ours(receipt="R1"), theirs("R1", counterparty="254***0001")),  # another way of masking
        (ours(receipt="R1"), theirs("R1", counterparty="254*****0001")),  # as many stars as ours
        (ours(receipt="R1"), theirs("R1", counterparty="25471****0001")),  # as long as ours
    ],
)
def test_a_line_finds_its_attempt_by_receipt_reference_or_code(attempt: Ours, line: Theirs) -> None:
    (judged,) = judge([attempt], [line])
    assert (judged.kind, judged.ours, judged.theirs) == (C.MATCHED, attempt, line)
    assert judged.proves is None


@pytest.mark.parametrize(
    ("side", "booked", "minor", "fee", "kind", "difference", "unbooked"),
    [
        (Side.IN, 0, 102_000, 0, C.MATCHED, 0, 0),
        (Side.IN, 0, 102_000, 510, C.MATCHED, 0, 510),  # gross, and the fee beside it
        (Side.IN, 510, 101_490, 510, C.MATCHED, 0, 0),  # net of the fee
        (Side.OUT, 300, 102_300, 300, C.MATCHED, 0, 0),  # the fee on top
        (Side.IN, 0, 102_510, 510, C.AMOUNT_DIFFERS, 510, 510),  # a fee explains one way only
        (Side.IN, 0, 101_000, 0, C.AMOUNT_DIFFERS, -1_000, 0),
        (Side.OUT, 0, 101_700, 300, C.AMOUNT_DIFFERS, -300, 300),
    ],
)
def test_an_amount_agrees_or_is_explained_by_the_listed_fee_or_differs(
    side: Side, booked: int, minor: int, fee: int, kind: Class, difference: int, unbooked: int
) -> None:
    direction = D.COLLECT if side is Side.IN else D.DISBURSE
    attempt = ours(direction=direction, receipt="R1", booked_fee_minor=booked)
    (judged,) = judge([attempt], [theirs("R1", side=side, minor=minor, fee_minor=fee)])
    assert (judged.kind, judged.difference_minor, judged.unbooked_fee_minor) == (
        kind, difference, unbooked,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("standing", "kind", "proves"),
    [
        (S.SUCCEEDED, C.MATCHED, None),
        (S.OPEN, C.UNKNOWN_RESOLVED, Outcome.SUCCEEDED),
        (S.UNSENT, C.UNKNOWN_RESOLVED, Outcome.SUCCEEDED),
        (S.FAILED, C.CONTRADICTION, Outcome.SUCCEEDED),
    ],
)
def test_a_listed_attempt_has_happened_whatever_we_held(
    standing: Standing, kind: Class, proves: Outcome | None
) -> None:
    attempt = ours(1, standing, receipt="R1")
    (judged,) = judge([attempt], [theirs("R1")])
    assert (judged.kind, judged.proves) == (kind, proves)


def test_another_amount_proves_nothing_about_an_unknown_attempt() -> None:
    (judged,) = judge([ours(1, S.OPEN, references=("x",))], [theirs(reference="x", minor=1)])
    assert (judged.kind, judged.proves) == (C.AMOUNT_DIFFERS, None)


def test_a_receipt_in_two_amounts_under_no_name_is_for_people_in_both() -> None:
    """Both were put aside by themselves: one movement, booked twice."""
    lines = [
        theirs("R1", minor=5_000), theirs("R1", minor=6_000, at_ms=NOON + HOUR),
        theirs("R1", minor=5_000, side=Side.OUT), theirs("R2", minor=5_000),
    ]  # fmt: skip
    judged = judge([], lines)
    assert kinds(judged) == [C.MISSING_HERE] * 4
    doubted = {(j.theirs.line.side, j.theirs.line.receipt) for j in judged
               if j.theirs and j.is_doubted}  # fmt: skip
    assert doubted == {(Side.IN, "R1")}
    assert all(("in two amounts" in j.why) == j.is_doubted for j in judged)


def test_another_number_is_a_contradiction_that_proves_nothing() -> None:
    (judged,) = judge([ours(receipt="R1")], [theirs("R1", counterparty="+2547*****999")])
    assert (judged.kind, judged.proves, judged.why) == (C.CONTRADICTION, None, "another number")


@pytest.mark.parametrize(
    ("standing", "ended_ms", "taken", "kind"),
    [
        (S.SUCCEEDED, NOON, DAYS, C.MISSING_THERE),
        (S.SUCCEEDED, NOON, frozenset({DAY}), C.WAITING),  # the next day's may list it
        (S.SUCCEEDED, NOON + DAY_MS, DAYS, C.OTHER_DAY),  # over on the 21st, judged then
        (S.FAILED, NOON, DAYS, C.NOTHING_MOVED),
        (S.OPEN, None, DAYS, C.WAITING),
        (S.UNSENT, None, DAYS, C.WAITING),
    ],
)
def test_an_attempt_that_is_not_listed(
    standing: Standing, ended_ms: int | None, taken: frozenset[date], kind: Class
) -> None:
    (judged,) = judge([ours(1, standing, ended_ms=ended_ms)], [], taken=taken)
    assert (judged.kind, judged.proves) == (kind, None)


@pytest.mark.parametrize(
    ("standing", "days", "today", "complete", "proves"),
    [
        (S.OPEN, 1, date(2026, 11, 22), DAYS, Outcome.FAILED),
        (S.OPEN, 1, date(2026, 11, 21), DAYS, None),  # that day is not over
        (S.OPEN, 0, date(2026, 12, 21), DAYS, None),  # the operator does not say it is complete
        (S.OPEN, 1, date(2026, 11, 22), frozenset({DAY}), None),
        (S.OPEN, 1, date(2026, 11, 22), DAYS - {DAY}, None),  # its balance shows a gap
        (S.UNSENT, 1, date(2026, 11, 22), DAYS, None),  # it may yet be sent
    ],
)
def test_absence_proves_failure_only_where_the_statement_is_complete_and_time_is_over(
    standing: Standing, days: int, today: date, complete: frozenset[date], proves: Outcome | None
) -> None:
    terms = Terms(utc_offset_minutes=180, absence_proves_after_days=days)
    (judged,) = judge([ours(1, standing)], [], today=today, complete=complete, terms=terms)
    assert judged.proves is proves
    assert judged.kind is (C.UNKNOWN_RESOLVED if proves else C.WAITING)


@pytest.mark.parametrize(
    ("day", "proves"), [(21, None), (22, None), (23, Outcome.FAILED)], ids=lambda value: str(value)
)
def test_absence_is_counted_from_the_day_on_which_an_order_left_last(
    day: int, proves: Outcome | None
) -> None:
    """It was sent once more on the 21st: a statement of the 20th and that day cannot lack it."""
    terms = Terms(utc_offset_minutes=180, absence_proves_after_days=1)
    mine = msgspec.structs.replace(ours(1, S.OPEN), left_ms=NOON + DAY_MS)
    complete = frozenset({*DAYS, date(2026, 11, 22)})
    (judged,) = judge([mine], [], today=date(2026, 11, day), complete=complete, terms=terms)
    assert judged.proves is proves


@pytest.mark.parametrize(
    ("line_day", "ended_ms", "kind"),
    [
        (date(2026, 11, 21), NOON, C.NEXT_DAY),
        (date(2026, 11, 19), NOON, C.NEXT_DAY),
        (date(2026, 11, 21), NOON + DAY_MS, C.MATCHED),  # we learned of it a day later
    ],
)
def test_a_line_in_the_file_beside_its_day_agrees_all_the_same(
    line_day: date, ended_ms: int, kind: Class
) -> None:
    (judged,) = judge([ours(receipt="R1", ended_ms=ended_ms)], [theirs("R1", day=line_day)])
    assert judged.kind is kind


def test_the_operators_midnight_counts_not_ours() -> None:
    before, after = NOON + 11 * HOUR, NOON + 13 * HOUR  # 20:00 and 22:00 in UTC, both the 20th
    (mine,) = judge([ours(1, S.SUCCEEDED, begun_ms=before)], [])
    (next_day,) = judge([ours(1, S.SUCCEEDED, begun_ms=after)], [])
    assert (mine.kind, next_day.kind) == (C.MISSING_THERE, C.OTHER_DAY)


def test_a_movement_we_never_made_is_missing_here() -> None:
    assert kinds(judge([], [theirs("R1")])) == [C.MISSING_HERE]
    assert kinds(judge([], [theirs("R1", day=date(2026, 11, 21))])) == [C.OTHER_DAY]


def test_a_doubled_line_counts_once() -> None:
    attempt = ours(receipt="R1")
    judged = judge([attempt], [theirs("R1"), theirs("R1"), theirs("R1")])
    assert sorted(kinds(judged)) == [C.MATCHED, C.DUPLICATE_LINE, C.DUPLICATE_LINE]


def test_a_second_receipt_under_one_reference_is_money_we_did_not_order() -> None:
    attempt = ours(references=("x",), receipt="R1")
    judged = judge([attempt], [theirs("R2", reference="x"), theirs("R1", reference="x")])
    by_receipt = {j.theirs.line.receipt: j for j in judged if j.theirs}
    assert by_receipt["R1"].kind is C.MATCHED
    assert by_receipt["R2"].kind is C.MISSING_HERE
    assert by_receipt["R2"].hint == attempt
    assert attempt.code in by_receipt["R2"].why


@pytest.mark.parametrize("direction", [D.COLLECT, D.DISBURSE])
@pytest.mark.parametrize("minor", [102_000, 5])
@pytest.mark.parametrize("pinned", [None, ours().attempt_id])
def test_a_second_receipt_under_the_code_is_no_line_of_ours_though_ours_is_not_listed_yet(
    direction: Direction, minor: int, pinned: AttemptId | None
) -> None:
    """Else money that somebody sent a second time hides behind the first, and nobody is called."""
    attempt = ours(direction=direction, receipt="R1")
    side = attempt.side
    second = theirs("R2", reference=attempt.code, minor=minor, side=side, pinned=pinned)
    judged = {j.kind: j for j in judge([attempt], [second])}
    assert judged.keys() == {C.MISSING_HERE, C.MISSING_THERE}
    assert judged[C.MISSING_HERE].why == f"names {attempt.code}, whose receipt is R1"
    first = theirs("R1", reference=attempt.code, side=side)
    by_line = {j.theirs: j.kind for j in judge([attempt], [second, first])}
    assert by_line == {first: C.MATCHED, second: C.MISSING_HERE}


@pytest.mark.parametrize(
    ("attempt", "line", "kind"),
    [
        pytest.param(ours(), ours().code, C.MATCHED, id="done, and no receipt was told"),
        pytest.param(
            ours(1, S.FAILED, receipt="R1"), ours().code, C.CONTRADICTION, id="late money"
        ),
        pytest.param(ours(receipt="R1"), ours().attempt_id, C.MATCHED, id="our own word for it"),
        pytest.param(
            ours(receipt="R1", references=("x",)), "x", C.MATCHED, id="the operator's word for it"
        ),
    ],
)
def test_another_receipt_is_believed_where_more_than_the_code_names_it(
    attempt: Ours, line: str, kind: Class
) -> None:
    (judged,) = judge([attempt], [theirs("R2", reference=line)])
    assert (judged.kind, judged.ours) == (kind, attempt)


def test_of_two_lines_under_one_reference_the_one_of_our_amount_is_taken() -> None:
    attempt = ours(references=("x",))
    early = theirs("R1", reference="x", minor=5, at_ms=NOON - HOUR)
    judged = judge([attempt], [early, theirs("R2", reference="x")])
    by_receipt = {j.theirs.line.receipt: j.kind for j in judged if j.theirs}
    assert by_receipt == {"R1": C.MISSING_HERE, "R2": C.MATCHED}


def test_one_receipt_in_two_amounts_is_for_a_person_and_never_money_for_nobody() -> None:
    attempt = ours(receipt="R1")
    right, wrong = theirs("R1"), theirs("R1", minor=102_001)
    for lines in ([right, wrong], [wrong, right]):
        judged = {j.theirs: j for j in judge([attempt], lines)}
        assert judged[right].kind is C.MATCHED
        assert judged[wrong].kind is C.AMOUNT_DIFFERS
        assert (judged[wrong].hint, judged[wrong].difference_minor) == (attempt, 1)


def test_a_pair_of_another_amount_is_not_kept_once_the_right_line_comes() -> None:
    attempt = ours(receipt="R1")
    (judged,) = judge([attempt], [theirs("R1", minor=1)])
    assert (judged.kind, judged.pair_to_keep) == (C.AMOUNT_DIFFERS, attempt.attempt_id)
    wrong = msgspec.structs.replace(theirs("R1", minor=1), pinned=attempt.attempt_id)
    right = theirs("R1")
    judged_by = {j.theirs: j for j in judge([attempt], [wrong, right])}
    assert (judged_by[right].kind, judged_by[right].ours) == (C.MATCHED, attempt)
    assert (judged_by[wrong].ours, judged_by[wrong].hint) == (None, attempt)


def test_a_pair_of_another_amount_is_not_kept_though_the_right_line_only_names_it() -> None:
    attempt = ours(references=("x",))
    wrong = theirs("R1", minor=1, reference="x", pinned=attempt.attempt_id)
    right = theirs("R2", reference="x")
    judged_by = {j.theirs: j for j in judge([attempt], [wrong, right])}
    assert (judged_by[right].kind, judged_by[right].ours) == (C.MATCHED, attempt)
    assert (judged_by[wrong].kind, judged_by[wrong].hint) == (C.MISSING_HERE, attempt)


def test_as_much_of_another_currency_is_never_the_same_movement() -> None:
    attempt, line = ours(receipt="R1"), theirs("R1")
    other = msgspec.structs.replace(line.line, amount=Money(102_000, "UGX"))
    judged = judge([attempt], [msgspec.structs.replace(line, line=other)])
    assert sorted(kinds(judged)) == [C.MISSING_HERE, C.MISSING_THERE]


def test_a_code_with_two_attempts_goes_to_the_one_that_succeeded() -> None:
    failed, paid = ours(1, S.FAILED), ours(2)
    paid = msgspec.structs.replace(paid, code=failed.code)
    judged = judge([failed, paid], [theirs(reference=failed.code)])
    assert {(j.kind, j.ours) for j in judged} == {(C.MATCHED, paid), (C.NOTHING_MOVED, failed)}


def test_a_line_stays_with_the_attempt_it_was_paired_with() -> None:
    first, second = ours(1, references=("x",)), ours(2, references=("x",))
    pinned = theirs("R1", reference="x", pinned=second.attempt_id)
    judged = judge([first, second], [pinned])
    assert {(j.kind, j.ours) for j in judged} == {(C.MATCHED, second), (C.MISSING_THERE, first)}


def test_the_very_receipt_is_stronger_than_what_was_paired_before() -> None:
    attempt = ours(references=("x",), receipt="R1")
    second = theirs("R2", reference="x", pinned=attempt.attempt_id)
    judged = judge([attempt], [second, theirs("R1")])
    by_receipt = {j.theirs.line.receipt: j.kind for j in judged if j.theirs}
    assert by_receipt == {"R1": C.MATCHED, "R2": C.MISSING_HERE}


def test_a_line_whose_receipt_is_anothers_leaves_what_it_was_paired_with_before() -> None:
    before, owner = ours(1), ours(2, receipt="R1")
    judged = judge([before, owner], [theirs("R1", pinned=before.attempt_id)])
    assert {(j.kind, j.ours) for j in judged} == {(C.MATCHED, owner), (C.MISSING_THERE, before)}


def test_a_pin_to_an_attempt_out_of_sight_leaves_the_line_alone() -> None:
    judged = judge([], [theirs("R1", pinned=AttemptId("0" * 32), day=date(2026, 11, 19))])
    assert kinds(judged) == [C.OTHER_DAY]


@pytest.mark.parametrize(
    ("standing", "receipt", "minor", "kind"),
    [
        (S.OPEN, None, 102_000, C.UNKNOWN_RESOLVED),
        (S.SUCCEEDED, None, 102_000, C.MATCHED),  # "already reversed" tells no receipt
        (S.SUCCEEDED, "R8", 102_000, None),
        (S.OPEN, None, 50_000, None),
        (S.UNSENT, None, 102_000, None),
        (S.FAILED, None, 102_000, None),
    ],
)
def test_what_undid_a_collection_is_our_refund_of_it_that_told_no_receipt(
    standing: Standing, receipt: str | None, minor: int, kind: Class | None
) -> None:
    attempts = [
        ours(receipt="R1"),
        ours(2, standing, direction=D.REFUND, gives_back=("R1", "A1"), receipt=receipt),
        ours(3, Standing.OPEN, direction=D.REFUND, gives_back=("R2",)),
    ]
    lines = [theirs("R1"), theirs("R9", side=Side.OUT, reference="R1", minor=minor)]
    (found,) = (j for j in judge(attempts, lines) if j.theirs and j.theirs.line.receipt == "R9")
    assert found.ours is (attempts[1] if kind else None)
    assert kind in (None, found.kind)


@pytest.mark.parametrize(
    ("standings", "chosen"),
    [
        ((S.SUCCEEDED, S.FAILED), 0),
        ((S.FAILED, S.SUCCEEDED), 1),
        ((S.FAILED, S.OPEN), 1),
        ((S.OPEN, S.UNSENT), 0),
        ((S.SUCCEEDED, S.SUCCEEDED), 0),  # as likely: the earlier
    ],
)
def test_of_two_attempts_under_one_name_a_line_is_the_likelier(
    standings: tuple[Standing, ...], chosen: int
) -> None:
    """A try that failed and the next one share a code: its money is no proof against the first."""
    attempts = [ours(n, standing, references=("X",)) for n, standing in enumerate(standings)]
    (paired,) = (j for j in judge(attempts, [theirs("R1", reference="X")]) if j.theirs)
    assert paired.ours is attempts[chosen]


@pytest.mark.parametrize("standing", [S.FAILED, S.OPEN, S.UNSENT])
def test_what_never_succeeded_was_not_undone(standing: Standing) -> None:
    attempt = ours(1, standing, direction=D.DISBURSE, receipt="R1")
    judged = judge([attempt], [theirs("R9", side=Side.IN, reference="R1")])
    (line,) = (j for j in judged if j.theirs)
    assert (line.kind, line.proves, line.hint) == (C.MISSING_HERE, None, attempt)


@pytest.mark.parametrize(
    ("direction", "side", "minor", "proves"),
    [
        (D.DISBURSE, Side.IN, 102_000, Outcome.REVERSED),
        (D.COLLECT, Side.OUT, 102_000, Outcome.REVERSED),
        (D.COLLECT, Side.OUT, 50_000, None),  # a part of it: for people
    ],
)
def test_a_line_the_other_way_that_names_our_receipt_undid_it(
    direction: Direction, side: Side, minor: int, proves: Outcome | None
) -> None:
    attempt = ours(direction=direction, receipt="R1")
    done = theirs("R1", side=Side.OUT if side is Side.IN else Side.IN)
    undone = theirs("R9", side=side, reference="R1", minor=minor)
    judged = {j.theirs.line.receipt: j for j in judge([attempt], [done, undone]) if j.theirs}
    assert judged["R1"].kind is C.MATCHED
    assert judged["R9"].proves is proves
    assert judged["R9"].hint == attempt
    assert judged["R9"].kind is (C.CONTRADICTION if proves else C.MISSING_HERE)


@pytest.mark.parametrize(
    ("attempt", "line", "kind"),
    [
        (ours(1, S.OPEN), theirs("R1", reference=ours().code), C.PAID_IN),
        (ours(1, S.OPEN), theirs("R1", reference=ours().attempt_id), C.UNKNOWN_RESOLVED),
        (ours(receipt="R1"), theirs("R1", reference=ours().code), C.MATCHED),
        (ours(receipt="R2"), theirs("R1", reference=ours().attempt_id), C.PAID_IN),
        (
            ours(receipt="R2"),
            theirs("R1", reference=ours().attempt_id, pinned=ours().attempt_id),
            C.PAID_IN,
        ),
        (ours(), theirs("R1", minor=5, reference=ours().attempt_id), C.PAID_IN),
        (ours(), theirs("R1", reference=ours().code, pinned=ours().attempt_id), C.PAID_IN),
        (ours(), theirs("R1", reference=ours().attempt_id, pinned=ours().attempt_id), C.MATCHED),
    ],
)
def test_a_suspended_pay_in_is_a_payments_by_the_operators_words_not_by_what_was_typed(
    attempt: Ours, line: Theirs, kind: Class
) -> None:
    judged = {
        j.theirs: j
        for j in judge(
            [attempt], [line], paid_in={line.line_id: PaidInLine(True, line.line.amount.minor)}
        )
    }
    assert judged[line].kind is kind
    assert (judged[line].ours is None) is (kind is C.PAID_IN)


@pytest.mark.parametrize("pinned", [None, ours().attempt_id])
def test_what_is_with_people_or_went_back_is_never_paired(pinned: AttemptId | None) -> None:
    attempt = ours(1, S.FAILED, receipt="R1")
    line = theirs("R1", reference=attempt.attempt_id, pinned=pinned)
    judged = judge(
        [attempt], [line], paid_in={line.line_id: PaidInLine(False, line.line.amount.minor)}
    )
    assert sorted(kinds(judged)) == [C.NOTHING_MOVED, C.PAID_IN]


def test_of_two_lines_under_our_reference_the_one_that_is_no_pay_in_is_taken() -> None:
    attempt = ours(references=("x",))
    early = theirs("R1", reference="x", at_ms=NOON - HOUR)
    judged = judge(
        [attempt],
        [early, theirs("R2", reference="x")],
        paid_in={early.line_id: PaidInLine(True, early.line.amount.minor)},
    )
    by_receipt = {j.theirs.line.receipt: j.kind for j in judged if j.theirs}
    assert by_receipt == {"R1": C.PAID_IN, "R2": C.MATCHED}


def test_the_usual_terms_let_absence_prove_nothing() -> None:
    assert TERMS.absence_proves_after_days == 0


@pytest.mark.parametrize(
    ("side", "booked", "beyond"),
    [(Side.IN, 102_000, 7), (Side.IN, 101_993, 0), (Side.OUT, 102_000, 7), (Side.OUT, 102_007, 0)],
    ids=["came whole", "came less the fee", "left without the fee", "left with it"],
)
def test_the_fee_of_what_no_payment_made_is_told_unless_it_is_booked(
    side: Side, booked: int, beyond: int
) -> None:
    line = theirs("M1", side=side, minor=102_000, fee_minor=7)
    (moved,) = judge([], [line], moved={line.line_id: Moved("p" * 32, booked)})
    (paid_in,) = judge([], [line], paid_in={line.line_id: PaidInLine(False, booked)})
    assert (moved.kind, moved.unbooked_fee_minor) == (C.MOVED, beyond)
    assert (paid_in.kind, paid_in.unbooked_fee_minor) == (C.PAID_IN, beyond)


@pytest.mark.parametrize("name", ["x", "attempt", "code"])
@pytest.mark.parametrize("pinned", [False, True])
def test_a_prompt_that_is_paid_beside_money_sent_by_hand_is_money_we_did_not_order(
    name: str, pinned: bool
) -> None:
    """What was sent by hand has a line of its own, known as a pay-in: the prompt is another."""
    attempt = msgspec.structs.replace(ours(references=("x",), receipt="R1"), by_pay_in=True)
    reference = {"attempt": attempt.attempt_id, "code": attempt.code}.get(name, name)
    prompt = theirs("R2", reference=reference, pinned=attempt.attempt_id if pinned else None)
    kinds = {j.theirs: j.kind for j in judge([attempt], [prompt])}
    assert kinds[prompt] is C.MISSING_HERE
    by_hand = theirs("R1", reference=attempt.code)
    kinds = {j.theirs: j.kind for j in judge([attempt], [prompt, by_hand])}
    assert (kinds[by_hand], kinds[prompt]) == (C.MATCHED, C.MISSING_HERE)

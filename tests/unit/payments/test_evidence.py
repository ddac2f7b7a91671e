import msgspec
import pytest

from engine.clock import AttemptId
from engine.money import Money
from engine.payments.evidence import Source, body_hash, came_twice, disagreement, needs_proof
from engine.payments.facts import Ending
from engine.payments.lifecycle import State
from engine.ports import Direction, Finding, Outcome
from tests.unit.payments.examples import PAYEE, payment

PAYMENT = payment(State.PAYING)
RIGHT = Money(28_023, "UGX")


@pytest.mark.parametrize(
    ("finding", "disagrees"),
    [
        (Finding(Outcome.SUCCEEDED, "ok"), False),
        (Finding(Outcome.SUCCEEDED, "ok", amount=RIGHT, msisdn=PAYEE), False),
        (Finding(Outcome.SUCCEEDED, "ok", amount=Money(28_022, "UGX")), True),
        (Finding(Outcome.SUCCEEDED, "ok", amount=Money(28_023, "KES")), True),
        (Finding(Outcome.SUCCEEDED, "ok", msisdn="+256772000003"), True),
    ],
)
def test_what_the_operator_says_differently_is_named(finding: Finding, disagrees: bool) -> None:
    assert (disagreement(PAYMENT, Direction.DISBURSE, finding) is not None) is disagrees


def test_amounts_are_told_as_people_read_them() -> None:
    """In cents, a shilling's difference read as a hundred."""
    told = Finding(Outcome.SUCCEEDED, "ok", amount=Money(102_550, "KES"))
    said = disagreement(payment(State.COLLECTING), Direction.COLLECT, told)
    assert said == "amount KES 1,025.50, ordered KES 1,020"
    told = Finding(Outcome.SUCCEEDED, "ok", amount=Money(28_023, "KES"))
    said = disagreement(PAYMENT, Direction.DISBURSE, told)
    assert said == "amount KES 280.23, ordered UGX 28,023"


@pytest.mark.parametrize(
    ("told", "known", "disagrees"),
    [
        ("R1", {"R1"}, False),
        ("R1", {"R2", "R1"}, False),
        ("R1", set(), False),  # nobody told us one: then any will do
        (None, {"R1"}, False),  # silence agrees
        ("R2", {"R1"}, True),
        ("r1", {"R1"}, True),
    ],
)
def test_another_reference_speaks_of_something_else(
    told: str | None, known: set[str], disagrees: bool
) -> None:
    for outcome in Outcome:
        finding = Finding(outcome, "x", provider_reference=told)
        said = disagreement(PAYMENT, Direction.DISBURSE, finding, references=known)
        assert (said is not None) is disagrees
        assert said is None or "R1" not in said  # some references open what they name


def test_the_same_word_of_the_same_source_has_one_hash_for_ever() -> None:
    """Evidence of years ago is known again by it."""
    body = '{"ResultCode":0,"é":1}'
    assert body_hash(Source.CALLBACK, body) == "16d4b97015f552ee53680d319e7d6ded"
    assert body_hash(Source.STATEMENT, body) == "af60af588439372e0ece0fdaf4a5d0a3"
    assert len({body_hash(source, body) for source in Source}) == len(Source)


def test_a_disagreement_holds_no_phone_number() -> None:
    wrong = Finding(Outcome.SUCCEEDED, "ok", msisdn="+256772000003")
    said = disagreement(PAYMENT, Direction.DISBURSE, wrong)
    assert said is not None
    assert "772000" not in said


@pytest.mark.parametrize(
    ("outcome", "above", "asked"),
    [
        (Outcome.SUCCEEDED, 28_022, True),
        (Outcome.SUCCEEDED, 28_023, False),
        (Outcome.FAILED, 28_022, True),
        (Outcome.PENDING, 0, False),
    ],
)
def test_an_end_above_the_threshold_needs_proof_whichever_it_is(
    outcome: Outcome, above: int, asked: bool
) -> None:
    finding = Finding(outcome, "x")
    assert needs_proof(PAYMENT, Direction.DISBURSE, finding, above) is asked


def test_the_same_body_from_another_source_is_other_evidence() -> None:
    hashes = {body_hash(source, "{}") for source in Source}
    assert len(hashes) == len(Source)
    assert body_hash(Source.CALLBACK, "{}") == body_hash(Source.CALLBACK, "{}")
    assert all(len(h) == 32 for h in hashes)


_BEFORE = Ending(AttemptId("a" * 32), True, "0", Source.CALLBACK, receipt="NLJ7RT61SV")
_OTHER = Finding(Outcome.SUCCEEDED, "0", receipt="NLJ7RT61SW")


@pytest.mark.parametrize(
    ("ending", "finding", "source", "is_other_money"),
    [
        (_BEFORE, _OTHER, Source.CALLBACK, True),
        (_BEFORE, _OTHER, Source.QUERY, False),  # it may spell the first one otherwise
        (msgspec.structs.replace(_BEFORE, source=Source.QUERY), _OTHER, Source.CALLBACK, False),
        (_BEFORE, Finding(Outcome.SUCCEEDED, "0", receipt=" nlj7 rt61sv"), Source.CALLBACK, False),
        (_BEFORE, Finding(Outcome.SUCCEEDED, "0"), Source.CALLBACK, False),
        (msgspec.structs.replace(_BEFORE, receipt=None), _OTHER, Source.CALLBACK, False),
        (msgspec.structs.replace(_BEFORE, succeeded=False), _OTHER, Source.CALLBACK, False),
        (_BEFORE, Finding(Outcome.FAILED, "1032", receipt="NLJ7RT61SW"), Source.CALLBACK, False),
    ],
)
def test_only_two_callbacks_under_two_receipts_are_two_payments(
    ending: Ending, finding: Finding, source: Source, is_other_money: bool
) -> None:
    assert came_twice(ending, finding, source) is is_other_money

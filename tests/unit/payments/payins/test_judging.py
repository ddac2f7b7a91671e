"""Whose money it is: every way in which what was told may fit, or not, a payment."""

import msgspec
import pytest

from engine.clock import AttemptId
from engine.money import Money
from engine.payments.evidence import Source, came_otherwise
from engine.payments.facts import Ending
from engine.payments.lifecycle import State
from engine.payments.payins.judging import PayIn, Stage, Verdict, judge, refusal, shown
from engine.ports import Finding, Outcome, PaidIn, PayInRefusal, Reason
from tests.unit.payments.examples import payment, quote

RECEIPT = "RKL51ZDR4F"
TOTAL = quote().total
ATTEMPT, REFUND = AttemptId("a" * 32), AttemptId("b" * 32)
PAID = PaidIn(RECEIPT, TOTAL, "7KQ2M4XW9D", "2547 ***** 001")
PAY_IN = PayIn("d" * 32, "mpesa_ke", PAID, Stage.HEARD, 0)

BY_PROMPT = Ending(ATTEMPT, True, "0", Source.CALLBACK, "TKK7RT61SV")
BY_QUERY = Ending(ATTEMPT, True, "0", Source.QUERY)
DECLINED = Ending(ATTEMPT, False, "1032", Source.CALLBACK)
BY_ITSELF = Ending(ATTEMPT, True, "paid_in", Source.PAY_IN, RECEIPT)
PAID_OUT = Ending(REFUND, True, "0", Source.CALLBACK, RECEIPT)
GIVEN_BACK = Ending(REFUND, True, "0", Source.CALLBACK)

WAITS = (State.COLLECTING, State.COLLECT_UNKNOWN)
ENDED = (State.COLLECT_FAILED, State.EXPIRED, State.CANCELLED)
CASES = [
    *[(state, (), Verdict.COLLECTS) for state in WAITS],
    *[(state, (DECLINED,), Verdict.LATE) for state in ENDED],
    (State.CANCELLED, (), Verdict.LATE),
    (State.PAYING, (BY_ITSELF,), Verdict.KNOWN),
    (State.REFUNDED, (DECLINED, BY_ITSELF, GIVEN_BACK), Verdict.KNOWN),
    (State.PAID, (BY_QUERY,), Verdict.ASSUMED),
    (State.PAID, (BY_PROMPT, PAID_OUT), Verdict.STRANGE),  # of another operator's, the same number
    (State.PAID, (BY_PROMPT,), Verdict.STRANGE),
    (State.PAYING, (BY_PROMPT,), Verdict.STRANGE),
    (State.REFUND_DUE, (BY_PROMPT,), Verdict.STRANGE),
    (State.REFUNDED, (BY_PROMPT, GIVEN_BACK), Verdict.STRANGE),
]


@pytest.mark.parametrize(("state", "endings", "verdict"), CASES)
def test_where_a_payment_stands_decides_what_its_money_is(
    state: State, endings: tuple[Ending, ...], verdict: Verdict
) -> None:
    found = payment(state, live=ATTEMPT if state in WAITS else None)
    assert judge(PAY_IN, found, endings, payer_agrees=True).verdict is verdict


@pytest.mark.parametrize("state", [*WAITS, *ENDED])
@pytest.mark.parametrize("wrong", ["amount", "operator", "payer"])
def test_another_amount_operator_or_payer_is_for_people(state: State, wrong: str) -> None:
    pay_in = PAY_IN
    if wrong == "amount":
        other = msgspec.structs.replace(PAID, amount=Money(TOTAL.minor + 100, "KES"))
        pay_in = pay_in._replace(paid=other)
    elif wrong == "operator":
        pay_in = pay_in._replace(operator="airtel_ke")
    verdict, why = judge(pay_in, payment(state), (), payer_agrees=wrong != "payer")
    assert verdict is Verdict.STRANGE
    assert why


def test_a_reference_that_names_nothing_is_for_people() -> None:
    assert judge(PAY_IN, None, (), payer_agrees=True).verdict is Verdict.STRANGE


@pytest.mark.parametrize("state", list(State))
def test_only_a_payment_that_waits_for_its_collection_wants_money(state: State) -> None:
    if state is State.NEW:
        return
    wanted = refusal("mpesa_ke", PAID, payment(state), payer_agrees=True)
    assert wanted is (None if state in WAITS else PayInRefusal.REFERENCE)


@pytest.mark.parametrize(
    ("ending", "finding", "is_other"),
    [
        (BY_ITSELF, Finding(Outcome.SUCCEEDED, "0", receipt=RECEIPT), False),
        (BY_ITSELF, Finding(Outcome.SUCCEEDED, "0", receipt="TKK7RT61SV"), True),
        (BY_ITSELF, Finding(Outcome.SUCCEEDED, "0"), True),
        (BY_ITSELF, Finding(Outcome.FAILED, "1032", reason=Reason.DECLINED), True),
        (BY_PROMPT, Finding(Outcome.SUCCEEDED, "0", receipt="other"), False),
        (DECLINED, Finding(Outcome.SUCCEEDED, "0", receipt=RECEIPT), False),
    ],
)
def test_only_after_money_came_by_itself_the_prompt_speaks_of_other_money(
    ending: Ending, finding: Finding, is_other: bool
) -> None:
    assert came_otherwise(ending, finding) is is_other


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("7KQ2M4XW9D", "'7KQ2M4XW9D'"),
        ("0712345678", "'0712*****678'"),
        ("fees 254712345678 x", "'fees 2547*****678 x'"),
        ("a\nb", r"'a\nb'"),
    ],
)
def test_what_was_typed_is_shown_without_numbers_and_on_one_line(typed: str, seen: str) -> None:
    assert shown(typed) == seen


def test_what_a_customer_typed_is_not_in_the_repr() -> None:
    told = repr(msgspec.structs.replace(PAID, reference="0712345678"))
    assert "0712345678" not in told
    assert "2547" not in told

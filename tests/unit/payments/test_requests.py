"""How a request for money stands, by what the tables say of it."""

import pytest

from engine.clock import CustomerId
from engine.money import Money
from engine.payments.confirming import request_key
from engine.payments.lifecycle import State
from engine.payments.planning import GIVES_BACK
from engine.payments.request_store import Stored
from engine.payments.views import RequestState
from tests.unit.payments.examples import PAYEE, PAYER

R, S = RequestState, State
EXPIRES = 1_000


def stored(
    closed_as: RequestState | None = None, tries: int = 0, last_try: State | None = None
) -> Stored:
    return Stored(
        "1" * 32, "0123456789", CustomerId("c" * 32), PAYEE, "mtn_ug", PAYER,
        Money(5_000, "UGX"), EXPIRES, closed_as, tries, last_try,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "before", "after"),
    [
        (stored(), R.OPEN, R.EXPIRED),
        (stored(R.DECLINED), R.DECLINED, R.DECLINED),
        (stored(R.EXPIRED), R.EXPIRED, R.EXPIRED),
        (stored(R.PAID), R.PAID, R.PAID),
        (stored(None, 1, S.COLLECTING), R.TAKEN, R.TAKEN),
        (stored(None, 1, S.PAID), R.PAID, R.PAID),
        (stored(None, 1, S.RETURNED), R.TAKEN, R.TAKEN),
        (stored(None, 1, S.REFUNDING), R.TAKEN, R.TAKEN),
        (stored(None, 3, S.REFUNDED), R.OPEN, R.EXPIRED),
        (stored(None, 1), R.TAKEN, R.TAKEN),  # a key without a payment that we can see
    ],
)
def test_a_request_stands_as_its_last_try_does(
    request_: Stored, before: RequestState, after: RequestState
) -> None:
    assert request_.state_at(EXPIRES - 1) is before
    assert request_.state_at(EXPIRES) is after


def test_only_a_payment_that_gave_the_money_back_opens_it_again() -> None:
    opens = {state for state in State if stored(None, 1, state).state_at(0) is R.OPEN}
    assert opens == GIVES_BACK == {S.COLLECT_FAILED, S.EXPIRED, S.CANCELLED, S.REFUNDED}


def test_the_keys_of_tries_sort_as_they_were_made() -> None:
    keys = [request_key("0123456789", tried) for tried in (0, 1, 9, 10, 99_999, 100_000)]
    assert keys == sorted(keys)
    assert all("request:0123456789:" <= key < "request:0123456789;" for key in keys)

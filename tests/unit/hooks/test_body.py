"""What a business reads of an event."""

import msgspec

from engine.hooks.body import Happened, write_body
from engine.hooks.events import EventKind
from engine.payments.lifecycle import State
from engine.payments.payment import code_of
from tests.unit.payments.examples import PAYEE, PAYER, quote

HAPPENED = Happened(
    "e" * 32, EventKind.PAID, "0190a000000070008000000000000001", 24, State.PAID,
    1_700_000_000_007, quote(),
)  # fmt: skip


def test_a_body_says_what_happened_when_to_which_payment() -> None:
    body = msgspec.json.decode(write_body(HAPPENED, whole_numbers=False))
    assert body == {
        "type": "payment.paid",
        "timestamp": "2023-11-14T22:13:20.007Z",
        "data": {
            "payment_id": HAPPENED.payment_id,
            "code": code_of(HAPPENED.payment_id),
            "state": "PAID",
            "sequence": 24,
            "amount": {"minor": 100_000, "currency": "KES"},
            "fee": {"minor": 2_000, "currency": "KES"},
            "receives": {"minor": 28_023, "currency": "UGX"},
            "payer": PAYER.masked,
            "payee": PAYEE.masked,
            "payer_operator": "mpesa_ke",
            "payee_operator": "mtn_ug",
            "given_back": None,
        },
    }


def test_what_went_back_is_said_once_it_has_gone() -> None:
    for state, given in ((State.REFUNDING, None), (State.REFUNDED, 102_000)):
        happened = msgspec.structs.replace(HAPPENED, state=state)
        told = msgspec.json.decode(write_body(happened, whole_numbers=False))["data"]["given_back"]
        assert told == (given and {"minor": given, "currency": "KES"})


def test_numbers_are_whole_only_for_who_may_see_them() -> None:
    masked, whole = (write_body(HAPPENED, whole_numbers=allowed) for allowed in (False, True))
    for number in (PAYER, PAYEE):
        assert number.encode() in whole
        assert number.lstrip("+").encode() not in masked


def test_the_same_event_is_the_same_bytes() -> None:
    assert write_body(HAPPENED, whole_numbers=True) == write_body(HAPPENED, whole_numbers=True)

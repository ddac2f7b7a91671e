import pytest

from engine.money import Money
from engine.msisdn import Msisdn
from engine.outbox import QUESTION
from engine.payments.lifecycle import State
from engine.payments.notices import (
    MESSAGE,
    SMS,
    Message,
    Notice,
    notices_of,
    read_message,
    read_notice,
    write_message,
)
from engine.ports import Direction

S = State


@pytest.mark.parametrize(
    ("path", "reason", "owed"),
    [
        ((S.RESERVED, S.COLLECTING), None, []),
        ((S.COLLECTED, S.PAYING), None, []),
        ((S.PAID,), None, [Notice("receipt_payer"), Notice("receipt_payee", to_payee=True)]),
        ((S.COLLECT_FAILED,), "declined", [Notice("collect_failed", reason="declined")]),
        ((S.COLLECT_FAILED,), None, [Notice("collect_failed", reason="other")]),
        ((S.EXPIRED,), None, [Notice("expired", reason="other")]),
        ((S.PAYOUT_UNKNOWN,), None, [Notice("delayed", reason="other")]),
        (
            (S.PAYOUT_FAILED, S.REFUND_DUE, S.REFUNDING), "limit",
            [Notice("refund_started", reason="limit")],
        ),
        ((S.LATE_FUNDS, S.REFUND_DUE), None, [Notice("late_funds", reason="other")]),
        (
            (S.RETURNED,), None,
            [Notice("returned", reason="other"), Notice("taken_back", to_payee=True)],
        ),
        ((S.REFUNDING,), None, []),
        ((S.REFUNDED,), None, [Notice("refunded", reason="other")]),
    ],
)  # fmt: skip
def test_each_state_is_told_once_and_to_whom_it_concerns(
    path: tuple[State, ...], reason: str | None, owed: list[Notice]
) -> None:
    assert [read_notice(payload) for payload in notices_of(path, reason, S.NEW)] == owed


@pytest.mark.parametrize(
    ("came_from", "told"),
    [
        (S.ON_HOLD, ["refund_decided"]),  # whoever is going to give it back
        (S.PAYOUT_QUEUED, ["refund_decided"]),
        (S.REFUNDING, []),  # it was told when it was decided, and is due again
        (S.REFUND_UNKNOWN, []),
    ],
)
def test_a_refund_is_announced_when_it_is_decided_and_not_when_one_has_failed(
    came_from: State, told: list[str]
) -> None:
    owed = notices_of((S.REFUND_DUE,), None, came_from)
    assert [read_notice(payload).template for payload in owed] == told


def test_a_failure_is_never_announced_while_the_outcome_is_unknown() -> None:
    for state in (S.COLLECT_UNKNOWN, S.PAYOUT_UNKNOWN, S.REFUND_UNKNOWN):
        told = [read_notice(p).template for p in notices_of((state,), "declined", S.NEW)]
        assert set(told) <= {"delayed"}


def test_a_message_without_a_payment_says_all_there_is_to_say() -> None:
    variables: dict[str, Money | str] = {"amount": Money(5, "UGX"), "code": "0123456789"}
    message = Message(Msisdn("+254712000001"), "sw", "request", variables)
    read = read_message(write_message(message))
    assert read == message
    assert isinstance(read.to, Msisdn)


def test_kinds_of_intents_are_told_apart() -> None:
    assert len({*Direction, SMS, QUESTION, MESSAGE}) == len(Direction) + 3

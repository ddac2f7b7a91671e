"""What a correction may touch."""

import pytest

from engine.errors import StaffMistake
from engine.ledger.chart import GUARDED, Account, Kind
from engine.ledger.corrections import (
    STANDS_FOR_PAYMENTS,
    JournalRow,
    adjustment,
    correction_facts,
    reversal,
    reversal_key,
)
from engine.ledger.entries import MANUAL_FROM, NEEDS_NOBODY, Manual
from engine.ledger.pool_postings import (
    cancel_withdrawal,
    complete_withdrawal,
    move_float,
    pay_in,
    reserve_withdrawal,
    turned_round,
    write_off,
)
from engine.payments.lifecycle import State

PAYMENT = "a" * 32


def account(kind: Kind, currency: str = "UGX", owner: int = 0) -> Account:
    return Account(1, currency, kind, owner)


def row(*transfers: tuple[int, int, int], at_rest: bool = True) -> JournalRow:
    return JournalRow(PAYMENT, 2, 11, transfers, PAYMENT, at_rest)


def test_a_reversal_undoes_the_last_transfer_first() -> None:
    a, b, c = (account(k).number for k in (Kind.LOSS, Kind.ROUNDING, Kind.FX_SPREAD))
    assert reversal(row((a, b, 5), (b, c, 7))) == ((c, b, 7), (b, a, 5))
    assert reversal_key(row((a, b, 5))) == f"reversal:{PAYMENT}:2"


def test_what_may_not_be_reversed() -> None:
    live = row((account(Kind.LOSS).number, account(Kind.ROUNDING).number, 1), at_rest=False)
    for refused, why in ((live, "under way"), (row(), "moved no money")):
        with pytest.raises(StaffMistake, match=why):
            reversal(refused)


WAYS_BACK = [
    (Kind.WITHDRAWAL_HELD, "a withdrawal is cancelled"),
    (Kind.RETURN_HELD, "back to its sender"),
    (Kind.POOL_RESERVED, "a reservation is released"),
    (Kind.CHAIN_IN_FLIGHT, "settlement"),
    (Kind.FX_POSITION, "settlement"),
]
"""Of what is held there for somebody. Another beside it would pay it out twice."""
RAIL = [(Kind.CHAIN_TREASURY, "settlement"), (Kind.CHAIN_CAPITAL, "settlement")]


@pytest.mark.parametrize(("kind", "why"), [*WAYS_BACK, *RAIL])
def test_what_has_a_way_back_of_its_own_is_not_reversed(kind: Kind, why: str) -> None:
    ours, other = account(kind, owner=1).number, account(Kind.LOSS).number
    for debit, credit in ((ours, other), (other, ours)):
        with pytest.raises(StaffMistake, match=why):
            reversal(row((debit, credit, 5)))


@pytest.mark.parametrize(("kind", "why"), WAYS_BACK)
def test_nor_is_it_adjusted(kind: Kind, why: str) -> None:
    ours, other = account(kind, owner=1), account(Kind.LOSS)
    for debit, credit in ((ours, other), (other, ours)):
        with pytest.raises(StaffMistake, match=why):
            adjustment(debit, credit, 5, about=PAYMENT)


OF_PAYMENTS = [
    Kind.POOL_HELD, Kind.CUSTOMER_FUNDS, Kind.PAYOUT_IN_FLIGHT, Kind.REFUND_IN_FLIGHT,
    Kind.REFUND_DUE, Kind.RETURNED,
]  # fmt: skip


@pytest.mark.parametrize("kind", OF_PAYMENTS)
def test_money_of_payments_is_adjusted_only_with_the_payment_named(kind: Kind) -> None:
    other = account(Kind.SUSPENSE, owner=1)
    for debit, credit in ((account(kind, owner=1), other), (other, account(kind, owner=1))):
        with pytest.raises(StaffMistake, match="which one"):
            adjustment(debit, credit, 5, about="")
        assert adjustment(debit, credit, 5, about=PAYMENT) == ((debit.number, credit.number, 5),)


@pytest.mark.parametrize(
    ("debit", "credit", "minor"),
    [
        (account(Kind.LOSS), account(Kind.LOSS), 5),
        (account(Kind.LOSS), account(Kind.ROUNDING), 0),
        (account(Kind.LOSS), account(Kind.ROUNDING), -5),
        (account(Kind.LOSS), account(Kind.ROUNDING, "KES"), 5),
        (account(Kind.WITHDRAWAL_HELD, owner=1), account(Kind.ROUNDING), 5),
        (account(Kind.LOSS), account(Kind.WITHDRAWAL_HELD, owner=1), 5),
        (account(Kind.LOSS), account(Kind.FX_POSITION), 5),
        (account(Kind.CHAIN_IN_FLIGHT), account(Kind.LOSS), 5),
    ],
)
def test_what_is_no_adjustment_is_refused(debit: Account, credit: Account, minor: int) -> None:
    with pytest.raises(StaffMistake):
        adjustment(debit, credit, minor, about=PAYMENT)


def test_the_facts_begin_with_the_payment_they_speak_of() -> None:
    told = correction_facts(about=PAYMENT, version=2, proposal="b" * 32)
    assert told.startswith(f'{{"about":"{PAYMENT}",')


def test_states_of_no_payment_never_meet_those_of_payments() -> None:
    assert max(State) < MANUAL_FROM <= min(Manual)
    assert not NEEDS_NOBODY & {
        Manual.REVERSED,
        Manual.ADJUSTED,
        Manual.TOPPED_UP,
        Manual.WITHDRAWN,
        Manual.WRITTEN_OFF,
    }


def test_every_account_that_stands_for_payments_is_guarded() -> None:
    assert STANDS_FOR_PAYMENTS <= GUARDED


def test_postings_of_liquidity_stay_in_their_book_and_undo_each_other() -> None:
    reserved = reserve_withdrawal(1, "UGX", 2, 5)
    assert cancel_withdrawal(1, "UGX", 2, 5) == turned_round(reserved)
    entries = [
        pay_in(1, "UGX", 2, 5), reserved, complete_withdrawal(1, "UGX", 2, 5),
        move_float(1, "UGX", source=2, target=4, minor=5), write_off(1, "UGX", 5),
    ]  # fmt: skip
    assert all(d >> 32 == c >> 32 and x == 5 for entry in entries for d, c, x in entry)


def test_a_withdrawal_leaves_the_pool_and_then_the_float() -> None:
    moved: dict[Kind, int] = {}
    steps = reserve_withdrawal(1, "UGX", 2, 5) + complete_withdrawal(1, "UGX", 2, 5)
    for debit, credit, minor in steps:
        for number, delta in ((debit, -minor), (credit, minor)):
            kind = Kind(number >> 24 & 255)
            moved[kind] = moved.get(kind, 0) + delta
    assert moved == {Kind.POOL_AVAIL: -5, Kind.WITHDRAWAL_HELD: 0, Kind.FLOAT: 5}

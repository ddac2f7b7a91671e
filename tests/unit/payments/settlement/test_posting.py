"""Every posting of settlement: in one book, and undone or finished to the last unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ledger.chart import Account, Kind, natural, read_account
from engine.ledger.pool_postings import turned_round
from engine.ledger.postings import Transfers
from engine.money import CURRENCIES
from engine.payments.settlement.posting import Book, close, finish, provide, refund

BOOK = Book(1, "USDC")


def interpool(currency: str, towards: str) -> int:
    return Account(1, currency, Kind.INTERPOOL, CURRENCIES[towards].numeric).number


KENYA, UGANDA = interpool("KES", "UGX"), interpool("UGX", "KES")


def moved(*entries: Transfers) -> dict[str, int]:
    """What each account has gained, with the sign a bookkeeper expects."""
    out: dict[str, int] = {}
    for debit, credit, minor in (transfer for entry in entries for transfer in entry):
        assert debit >> 32 == credit >> 32
        assert minor > 0
        for number, change in ((debit, -minor), (credit, minor)):
            account = read_account(number)
            name = f"{account.kind.name} {account.currency} {account.owner}"
            out[name] = out.get(name, 0) + natural(number, change)
    return {name: minor for name, minor in out.items() if minor}


def test_a_window_turns_what_is_owed_into_positions_and_an_amount_on_its_way() -> None:
    assert moved(close(BOOK, {KENYA: 98_499, UGANDA: 27_000}, 452_710)) == {
        "INTERPOOL KES 800": -98_499, "FX_POSITION KES 0": 98_499,
        "INTERPOOL UGX 404": -27_000, "FX_POSITION UGX 0": 27_000,
        "FX_POSITION USDC 0": -452_710, "CHAIN_IN_FLIGHT USDC 0": 452_710,
    }  # fmt: skip


def test_when_more_came_back_than_was_paid_the_direction_turns_round() -> None:
    assert moved(close(BOOK, {KENYA: -5}, 0)) == {
        "INTERPOOL KES 800": 5, "FX_POSITION KES 0": -5,
    }  # fmt: skip


def test_nothing_owed_and_nothing_to_move_posts_nothing() -> None:
    assert close(BOOK, {KENYA: 0}, 0) == ()
    assert finish(BOOK, 0, payer=1, payee=2) == ()
    assert refund(BOOK, 0, payer=1, payee=2) == ()


def test_what_the_rail_moved_leaves_one_treasury_for_the_other() -> None:
    closed, done = close(BOOK, {KENYA: 5}, 7), finish(BOOK, 7, payer=1, payee=2)
    assert moved(closed, done) == {
        "INTERPOOL KES 800": -5, "FX_POSITION KES 0": 5,
        "CHAIN_TREASURY USDC 1": -7, "CHAIN_TREASURY USDC 2": 7,
    }  # fmt: skip


def test_a_refund_goes_the_other_way() -> None:
    assert moved(refund(BOOK, 3, payer=2, payee=1)) == {
        "CHAIN_TREASURY USDC 2": -3, "CHAIN_TREASURY USDC 1": 3,
    }  # fmt: skip


@pytest.mark.parametrize("minor", [9, -9])
def test_capital_comes_and_goes(minor: int) -> None:
    assert moved(provide(BOOK, 2, minor)) == {
        "CHAIN_TREASURY USDC 2": minor, "CHAIN_CAPITAL USDC 2": minor,
    }  # fmt: skip


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), st.integers(0, 10**9))
def test_reopening_undoes_all_of_it(kenya: int, uganda: int, net_minor: int) -> None:
    closed = close(BOOK, {KENYA: kenya, UGANDA: uganda}, net_minor)
    assert moved(closed, turned_round(closed)) == {}

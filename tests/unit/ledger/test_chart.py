import itertools

import pytest

from engine.ledger.chart import (
    TENANT_MAX,
    Account,
    Kind,
    natural,
    read_account,
    route_accounts,
)
from engine.money import CURRENCIES


@pytest.mark.parametrize("kind", list(Kind))
def test_an_account_number_is_read_back(kind: Kind) -> None:
    for tenant, currency in itertools.product((1, TENANT_MAX), sorted(CURRENCIES)):
        account = Account(tenant, currency, kind, 999)
        assert read_account(account.number) == account
        assert 0 < account.number < 2**63


def test_two_tenants_and_two_currencies_never_share_a_book() -> None:
    books = {
        Account(tenant, currency, Kind.FLOAT).number >> 32
        for tenant in (1, 2)
        for currency in CURRENCIES
    }
    assert len(books) == 2 * len(CURRENCIES)


def test_a_debit_natured_account_shows_its_debit_as_positive() -> None:
    assert natural(Account(1, "KES", Kind.FLOAT, 1).number, -500) == 500
    assert natural(Account(1, "KES", Kind.POOL_AVAIL).number, 500) == 500


def test_a_route_has_each_account_once_and_in_its_own_currency() -> None:
    route = route_accounts(1, source=("KES", 1), destination=("UGX", 2))
    assert len(set(route)) == len(route)
    in_ugx = {
        name for name in route._fields if read_account(getattr(route, name)).currency == "UGX"
    }
    assert in_ugx == {
        "pool_avail", "pool_held", "payout_in_flight", "destination_float", "returned",
    }  # fmt: skip
    assert read_account(route.source_float).owner == 1
    assert read_account(route.destination_float).owner == 2


def test_who_gives_back_instead_has_its_own_float_and_its_own_exposure() -> None:
    usual = route_accounts(1, source=("KES", 1), destination=("UGX", 2))
    sent = route_accounts(1, source=("KES", 1), destination=("UGX", 2), refunds_at=4)
    other = {name for name in usual._fields if getattr(usual, name) != getattr(sent, name)}
    assert other == {"source_float", "refund_in_flight"}
    assert [read_account(getattr(sent, name)).owner for name in sorted(other)] == [4, 4]

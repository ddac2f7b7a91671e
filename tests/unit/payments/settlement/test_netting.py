"""What is left to move: exact, never more than is owed, the same whoever reckons."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.payments.settlement.netting import Gross, Nets, least_worth, net, owed, worth

PAIR = ("mpesa_ke", "mtn_ug")
MIDS = {"KES": "0.00775", "UGX": "0.00027027", "USD": "1"}


@pytest.mark.parametrize(
    ("grosses", "nets"),
    [
        # KES 1,000.00 at 0.00775 is 7.75 dollars.
        ([Gross("mpesa_ke", "KES", 100_000)], Nets((7_750_000, 0), (0, 7_750_000))),
        ([Gross("mtn_ug", "UGX", 27_000)], Nets((0, 7_297_290), (7_297_290, 0))),
        (
            [Gross("mpesa_ke", "KES", 100_000), Gross("mtn_ug", "UGX", 27_000)],
            Nets((452_710, 0), (0, 452_710)),
        ),
        # More came back than was paid: the other one owes.
        ([Gross("mpesa_ke", "KES", -100_000)], Nets((0, 7_750_000), (7_750_000, 0))),
        ([Gross("mpesa_ke", "KES", 5), Gross("mtn_ug", "KES", 5)], Nets((0, 0), (0, 0))),
        ([], Nets((0, 0), (0, 0))),
        # Less than one minor unit of the asset moves nothing.
        ([Gross("mpesa_ke", "UGX", 0)], Nets((0, 0), (0, 0))),
    ],
)  # fmt: skip
def test_who_pays_what(grosses: list[Gross], nets: Nets) -> None:
    assert net(PAIR, grosses, MIDS, "USDC") == nets


def test_fractions_are_kept_until_the_end() -> None:
    # A third of a minor unit each: one floor at the end, not three on the way.
    mids = {"UGX": "0.0000003"}
    assert worth(1, "UGX", mids["UGX"], "USDC") == Fraction(3, 10)
    grosses = [Gross("mpesa_ke", "UGX", 1)] * 10
    assert net(PAIR, grosses, mids, "USDC").minor == 3


amounts = st.integers(-(10**12), 10**12)
gross = st.builds(Gross, st.sampled_from(PAIR), st.sampled_from(["KES", "UGX", "USD"]), amounts)


@given(st.lists(gross, max_size=12), st.randoms())
def test_nets_balance_and_never_move_more_than_is_owed(
    grosses: list[Gross], random: object
) -> None:
    nets = net(PAIR, grosses, MIDS, "USDC")
    first_owes = owed(PAIR, grosses, MIDS, "USDC")
    assert sum(nets.debits) == sum(nets.credits) == nets.minor
    assert not any(debit and credit for debit, credit in zip(*nets, strict=True))
    assert 0 <= abs(first_owes) - nets.minor < 1
    assert nets.debits[0 if first_owes > 0 else 1] == nets.minor
    random.shuffle(grosses)  # type: ignore[attr-defined]
    assert net(PAIR, grosses, MIDS, "USDC") == nets
    turned = [Gross(g.source, g.currency, -g.minor) for g in grosses]
    assert net(PAIR, turned, MIDS, "USDC") == Nets(nets.credits, nets.debits)


@given(st.integers(1, 10**12), st.sampled_from(sorted(MIDS)))
def test_the_least_that_is_worth_more_is_the_least(minor: int, currency: str) -> None:
    least = least_worth(minor, currency, MIDS[currency], "USDC")
    assert worth(least, currency, MIDS[currency], "USDC") > minor
    assert worth(least - 1, currency, MIDS[currency], "USDC") <= minor


def test_a_stranger_or_an_unknown_rate_is_refused() -> None:
    with pytest.raises(KeyError):
        net(PAIR, [Gross("mpesa_ke", "ETB", 1)], MIDS, "USDC")
    with pytest.raises(ValueError, match="not in"):
        net(PAIR, [Gross("airtel_ug", "KES", 1)], MIDS, "USDC")

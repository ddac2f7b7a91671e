"""Airtel Money's fourteen countries as data. Facts: reference `airtel-money.md`, section 11.

It refuses to know an address: each country has its own host, and it is a setting (section 1).
"""

from typing import Final, NamedTuple

from engine.money import CURRENCIES
from engine.ports import CallbackTrust, OperatorFacts


class Market(NamedTuple):
    """One country. `dialling_code` is what E.164 has and Airtel must not get (section 5.1)."""

    facts: OperatorFacts
    dialling_code: str
    signs: bool = False  # whether requests are signed there unless a setting says otherwise


def _market(
    code: int, country: str, currency: str, dialling_code: str, most: int, *, signs: bool = False
) -> Market:
    """`most` in major units."""
    # No unit and no limit is published. Whole units certainly pass; the most is our own caution,
    # some 1,000 to 1,500 dollars, and the real limits come back as codes. Both are settings.
    unit_minor = int(10 ** CURRENCIES[currency].decimals)
    facts = OperatorFacts(
        code=code,
        name=f"airtel_{country.lower()}",
        country=country,
        currency=currency,
        unit_minor=unit_minor,
        collect_minor_min=unit_minor,
        collect_minor_max=most * unit_minor,
        disburse_minor_min=unit_minor,
        disburse_minor_max=most * unit_minor,
        # A used id is refused (ESB000041), but of collections no text says so plainly.
        collect_repeat_is_safe=False,
        disburse_repeat_is_safe=True,  # DP00900001017 (section 6)
        refund_repeat_is_safe=True,  # by a payout; a refund of Airtel's own is another matter
        # Section 8: confirm by enquiry before crediting. A callback also tells no amount.
        confirm_callback_above_minor=0,
        callback=CallbackTrust.UNSIGNED,
        refund_is_payout=True,
        webhooks=("airtel-money",),
    )
    return Market(facts, dialling_code, signs)


MARKETS: Final = {
    market.facts.country: market
    for market in (
        _market(20, "KE", "KES", "254", 150_000),
        _market(21, "UG", "UGX", "256", 5_000_000),
        _market(22, "TZ", "TZS", "255", 3_000_000),
        _market(23, "RW", "RWF", "250", 1_500_000),
        _market(24, "ZM", "ZMW", "260", 30_000, signs=True),  # its portal wants it (section 9)
        _market(25, "MW", "MWK", "265", 2_000_000),
        _market(26, "NG", "NGN", "234", 2_000_000),
        _market(27, "GA", "XAF", "241", 800_000),  # the texts print "CFA": `currency_word`
        _market(28, "CG", "XAF", "242", 800_000),
        _market(29, "TD", "XAF", "235", 800_000),
        _market(30, "NE", "XOF", "227", 800_000),
        _market(31, "CD", "CDF", "243", 3_500_000),
        _market(32, "SC", "SCR", "248", 18_000),
        _market(33, "MG", "MGA", "261", 6_000_000),
    )
}

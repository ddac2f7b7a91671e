"""The markets of MTN MoMo as data: what is said in `X-Target-Environment`, and our facts of each.

Facts: reference `mtn-momo.md`, section 1. Currencies are the national ones; none but Uganda's was
ever seen with a live wallet.
"""

from typing import NamedTuple

import msgspec

from engine.ports import OperatorFacts

_FOREIGN_MINOR_MAX = {"USD": 130_000, "EUR": 120_000}
"""Our caution (`_market`) for wallets that hold other money than their country's: dollars in
Liberia (section 1), and euros in MTN's own sandbox."""


class Market(NamedTuple):
    """One country of MTN. The name of the target environment is a setting too."""

    facts: OperatorFacts
    target_environment: str


def facts_in(facts: OperatorFacts, currency: str) -> OperatorFacts:
    """The facts of a market whose wallets hold that currency: figures in another mean nothing.

    Where we have none nothing is paid before limits are set, and no callback is believed.
    """
    if currency == facts.currency:
        return facts
    most = _FOREIGN_MINOR_MAX.get(currency, 0)
    return msgspec.structs.replace(
        facts,
        currency=currency,
        collect_minor_max=most,
        disburse_minor_max=most,
        confirm_callback_above_minor=_believed_up_to(most),
    )


def _believed_up_to(minor_max: int) -> int:
    """Section 10 would ask after every callback; the unguessable address of each attempt, its
    amount and its number are enough for small ones. A setting (0 asks always)."""
    return minor_max * 6 // 100


def _market(
    code: int, country: str, currency: str, minor_max: int, target_environment: str
) -> Market:
    """MTN publishes no limits (section 13): the maximum is our own caution, about USD 1,300.

    The real ones come back as PAYER_LIMIT_REACHED and PAYEE_NOT_ALLOWED_TO_RECEIVE.
    """
    facts = OperatorFacts(
        code=code,
        name=f"mtn_{country.lower()}",
        country=country,
        currency=currency,
        unit_minor=1,  # section 5: decimal digits; whole numbers where the currency has no decimals
        collect_minor_min=1,
        collect_minor_max=minor_max,
        disburse_minor_min=1,
        disburse_minor_max=minor_max,
        collect_repeat_is_safe=True,  # the X-Reference-Id is the idempotency key (section 13)
        disburse_repeat_is_safe=True,
        refund_repeat_is_safe=True,
        confirm_callback_above_minor=_believed_up_to(minor_max),
        webhooks=("mtn-momo",),
    )
    return Market(facts, target_environment)


MARKETS = {
    market.facts.name: market
    for market in (
        _market(2, "UG", "UGX", 5_000_000, "mtnuganda"),
        _market(80, "GH", "GHS", 1_500_000, "mtnghana"),
        _market(81, "CI", "XOF", 800_000, "mtnivorycoast"),
        _market(82, "ZM", "ZMW", 3_000_000, "mtnzambia"),
        _market(83, "CM", "XAF", 800_000, "mtncameroon"),
        _market(84, "BJ", "XOF", 800_000, "mtnbenin"),
        _market(85, "CG", "XAF", 800_000, "mtncongo"),
        _market(86, "SZ", "SZL", 2_400_000, "mtnswaziland"),
        _market(87, "GN", "GNF", 11_000_000, "mtnguineaconakry"),
        _market(88, "ZA", "ZAR", 2_400_000, "mtnsouthafrica"),
        _market(89, "LR", "LRD", 25_000_000, "mtnliberia"),  # or USD, section 1: a setting
        _market(90, "RW", "RWF", 1_800_000, "mtnrwanda"),
        _market(91, "SS", "SSP", 500_000_000, "mtnsouthsudan"),
        _market(92, "NG", "NGN", 200_000_000, "mtnnigeria"),
    )
}
UGANDA = MARKETS["mtn_ug"].facts

"""Orange's countries as data: which API each one is served by, in which currency, within what.

Facts: reference `orange-money.md`, section 6. Which API a country offers is a matter of contract
there; the README says what is unconfirmed.
"""

from enum import StrEnum
from typing import NamedTuple

from engine.msisdn import Msisdn
from engine.ports import CallbackTrust, OperatorFacts


class Api(StrEnum):
    """Which of Orange's four interfaces."""

    WEB_PAYMENT = "web_payment"  # section 1: a page for the payer's browser; no payouts at all
    B2B = "b2b"  # section 2: a prompt on the phone
    CORE = "core"  # section 3: a prompt on the phone
    WALLET = "wallet"  # section 4: payouts at once; collections by a link or a code


class Market(NamedTuple):
    """One country. Amounts are whole major units; the maxima are our own caution (no limits are
    published): the real ones come back as refusals."""

    code: int
    country: str
    dialling_code: str
    currency: str
    unit_minor: int  # whole amounts everywhere (section 6), also where ISO has decimals
    units_max: int
    api: Api
    currencies: tuple[str, ...] = ()  # what else a contract may be in

    @property
    def name(self) -> str:
        return f"orange_{self.country.lower()}"


MARKETS = {
    market.name: market
    for market in (
        Market(40, "CI", "225", "XOF", 1, 1_000_000, Api.WEB_PAYMENT),
        Market(41, "SN", "221", "XOF", 1, 1_000_000, Api.WALLET),
        Market(42, "ML", "223", "XOF", 1, 1_000_000, Api.WEB_PAYMENT),
        Market(43, "BF", "226", "XOF", 1, 1_000_000, Api.WEB_PAYMENT),
        Market(44, "NE", "227", "XOF", 1, 1_000_000, Api.WEB_PAYMENT),
        Market(45, "GN", "224", "GNF", 1, 15_000_000, Api.WEB_PAYMENT),
        Market(46, "CM", "237", "XAF", 1, 1_000_000, Api.CORE),
        Market(47, "MG", "261", "MGA", 100, 5_000_000, Api.WEB_PAYMENT),
        Market(48, "CD", "243", "CDF", 100, 5_000_000, Api.B2B, ("CDF", "USD")),
    )
}
KINDS = ("callback", "status")
"""The two addresses businesses know; both take the same body, and we give the first."""

_USD_MAX = 2_000


def facts_of(
    market: Market,
    *,
    collects: bool = True,
    pays_out: bool = True,
    by_link: bool = False,
    callback: CallbackTrust = CallbackTrust.UNSIGNED,
    confirm_above_minor: int = 0,
    currency: str = "",
) -> OperatorFacts:
    """What the house must know of a country under our contract there.

    Every callback is confirmed by a query unless a setting says otherwise: the reference asks for
    that in all four APIs. Raises ValueError for a currency the country's wallets do not hold.
    """
    currency = currency or market.currency
    if currency not in (market.currencies or (market.currency,)):
        raise ValueError(f"{market.name}: no wallets in {currency}")
    most = _USD_MAX if currency == "USD" else market.units_max
    low, high = market.unit_minor, most * market.unit_minor
    return OperatorFacts(
        code=market.code,
        name=market.name,
        country=market.country,
        currency=currency,
        unit_minor=market.unit_minor,
        collect_minor_min=low if collects else 0,
        collect_minor_max=high if collects else 0,
        disburse_minor_min=low if pays_out else 0,
        disburse_minor_max=high if pays_out else 0,
        # Nowhere does the reference promise that a reference sent twice has one effect.
        collect_repeat_is_safe=False,
        disburse_repeat_is_safe=False,
        refund_repeat_is_safe=False,
        confirm_callback_above_minor=confirm_above_minor,
        callback=callback,
        refund_is_payout=pays_out,
        can_refund=pays_out,
        collects_by_link=by_link,
        webhooks=("orange-money",),
    )


def national(market: Market, msisdn: Msisdn) -> str:
    """The number as Orange takes it: without the country's code, zeros kept."""
    return msisdn.digits.removeprefix(market.dialling_code)


def international(market: Market, digits: str) -> str | None:
    """E.164 of a number from the wire, with or without the country's code; None when it is none."""
    digits = digits.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 13):
        return None
    # Nine or ten national digits never begin with the country's own three: 8 to 10 are national.
    return f"+{digits}" if len(digits) > 10 else f"+{market.dialling_code}{digits}"

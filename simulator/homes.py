"""Where the people of the simulated world have their wallets: by the beginning of their number.

Facts: reference msisdn.md. Only operators of `markets.py`; ported numbers are not known here.
"""

from collections.abc import Iterable, Mapping
from typing import Final

CURRENCIES: Final[Mapping[str, str]] = {
    "ke": "KES", "ug": "UGX", "ng": "NGN", "gh": "GHS", "ci": "XOF", "sn": "XOF", "zm": "ZMW",
}  # fmt: skip
_COUNTRIES: Mapping[str, str] = {
    "+254": "ke", "+256": "ug", "+234": "ng", "+233": "gh", "+225": "ci", "+221": "sn",
    "+260": "zm",
}  # fmt: skip
_OPERATORS: Mapping[str, str] = {
    "+25473": "airtel_ke", "+25478": "airtel_ke", "+25410": "airtel_ke",
    "+254": "mpesa_ke",
    "+26097": "airtel_zm", "+26077": "airtel_zm", "+26057": "airtel_zm",
    "+26096": "mtn_zm", "+26076": "mtn_zm", "+26056": "mtn_zm",
    "+260": "zamtel_zm",
    "+256": "mtn_ug", "+234": "mtn_ng", "+225": "orange_ci", "+221": "orange_sn",
}  # fmt: skip
_NAMES: Mapping[str, str] = {
    "mpesa": "M-PESA", "mtn": "MTN MoMo", "airtel": "Airtel Money", "orange": "Orange Money",
    "zamtel": "Zamtel Money",
}  # fmt: skip


def currency_of(msisdn: str) -> str:
    """What wallets of the number's country hold; "" for a country that nobody plays."""
    return CURRENCIES.get(_COUNTRIES.get(msisdn[:4], ""), "")


def homes_of(msisdn: str, operators: Iterable[str]) -> list[str]:
    """Those of the operators that are in the number's country, its own one first."""
    country = _COUNTRIES.get(msisdn[:4])
    found = [name for name in operators if country and name.endswith(f"_{country}")]
    own = _own_of(msisdn)
    return sorted(found, key=lambda name: name != own)


def name_of(msisdn: str) -> str:
    """What the number's own operator calls its wallets; "" where the beginning does not tell."""
    return _NAMES.get(_own_of(msisdn).partition("_")[0], "")


def _own_of(msisdn: str) -> str:
    return next((name for stem, name in _OPERATORS.items() if msisdn.startswith(stem)), "")

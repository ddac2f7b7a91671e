"""Dialled codes and the networks behind numbers, for every dialect.

Facts: reference africas-talking.md, section 5 (codes of country and network); msisdn.md.
"""

from collections.abc import Mapping, Sequence
from typing import Final

SANDBOX_NETWORK: Final = "99999"

NETWORKS: Final[Mapping[str, str]] = {
    "+254": "63902",
    "+25473": "63903",
    "+25478": "63903",
    "+25410": "63903",
    "+256": "64110",
    "+233": "62001",
    "+23320": "62002",
    "+23350": "62002",
    "+23326": "62006",
    "+23327": "62006",
    "+23356": "62006",
    "+23357": "62006",
}
"""The network a number is served by unless told otherwise; others: the sandbox's."""

WORDS: Final[Mapping[str, str]] = {
    "62001": "MTN", "62002": "Vodafone", "62006": "AirtelTigo", "62120": "Airtel",
    "62130": "MTN", "62150": "Glo", "62160": "9mobile", "63510": "MTN", "63513": "Tigo",
    "63514": "Airtel", "63601": "EthioTelecom", "63902": "Safaricom", "63903": "Airtel",
    "63907": "Telkom", "63999": "Equitel", "64002": "Tigo", "64003": "Zantel",
    "64004": "Vodacom", "64005": "Airtel", "64007": "TTCL", "64009": "Halotel",
    "64101": "Airtel", "64110": "MTN", "64111": "UTL", "64114": "Africell", "64501": "Airtel",
    "64502": "MTN", "65001": "TNM", "65010": "Airtel", "65501": "Vodacom", "65502": "Telkom",
    "65507": "CellC", "65510": "MTN",
}  # fmt: skip
"""A network's name, for dialects that send words."""


def network_of(msisdn: str) -> str:
    """The code of the network that usually serves the number; the longest prefix wins."""
    for length in range(len(msisdn), 3, -1):
        if msisdn[:length] in NETWORKS:
            return NETWORKS[msisdn[:length]]
    return SANDBOX_NETWORK


def word_of(network: str) -> str:
    """The network's name; what is no known code is taken to be a name already."""
    return WORDS.get(network, "" if network == SANDBOX_NETWORK else network)


def split_code(code: str, shortcodes: Sequence[str]) -> tuple[str, str]:
    """What was dialled, as (published code, text): the longest published prefix wins.

    A code that nobody published is passed on as it is.
    """
    for shortcode in sorted(shortcodes, key=len, reverse=True):
        stem = shortcode.removesuffix("#")
        if code == shortcode:
            return shortcode, ""
        if code.startswith(f"{stem}*") and code.endswith("#"):
            return shortcode, code[len(stem) + 1 : -1]
    return code, ""


def bare_code(shortcode: str) -> str:
    """`713*4` for `*713*4#`, as some gateways write it."""
    return shortcode.removeprefix("*").removesuffix("#")

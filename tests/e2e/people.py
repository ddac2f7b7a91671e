"""Who lives in the city of the end-to-end tests, by operator, and what stands where at first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

import yaml

from providers.airtel_money import MARKETS as AIRTEL
from providers.mtn_momo import MARKETS as MTN
from providers.orange_money import MARKETS as ORANGE
from providers.zamtel.adapter import ZAMBIA
from simulator.markets import MARKETS
from simulator.operators.zamtel.orders import CUTS_PAID, FATES, HANGS, HANGS_PAID
from simulator.seeding import FILES

Country = Literal["KE", "UG", "NG", "GH", "CI", "SN", "ZM"]
Language = Literal["en", "sw", "fr"]

OPERATOR: Mapping[Country, str] = {
    "KE": "mpesa_ke",
    "UG": "mtn_ug",
    "NG": "mtn_ng",
    "GH": "mtn_gh",
    "CI": "orange_ci",
    "SN": "orange_sn",
    "ZM": "zamtel_zm",
}
"""Whose customer somebody is unless a test says otherwise."""

CODES: Mapping[str, int] = {
    "mpesa_ke": 1,
    "zamtel_zm": ZAMBIA.code,
    **{name: market.facts.code for name, market in MTN.items()},
    **{market.facts.name: market.facts.code for market in AIRTEL.values()},
    **{name: market.code for name, market in ORANGE.items()},
}
"""As they stand in account numbers and callback addresses."""

# The beginning of each operator's numbers, and how many digits follow.
_STEMS: Mapping[str, tuple[str, int]] = {
    "mpesa_ke": ("+25471", 7),
    "airtel_ke": ("+25473", 7),
    "mtn_ug": ("+25677", 7),
    "mtn_ng": ("+234803", 7),
    "mtn_gh": ("+23324", 7),
    "orange_ci": ("+22507", 8),
    "orange_sn": ("+22177", 7),
    "zamtel_zm": ("+26095", 7),
    "airtel_zm": ("+26097", 7),
    "mtn_zm": ("+26096", 7),
}
NETWORKS = {"airtel_ke": "63903", "mtn_ng": "62130", "airtel_zm": "64501", "mtn_zm": "64502"}
"""Whose network carries a dial, where the simulator's usual guess would be another."""

# Numbers whose end tells Zamtel's sandbox what is to happen to them.
_FATED = (*FATES, HANGS, HANGS_PAID, CUTS_PAID)


class Start(NamedTuple):
    """What was at an operator before the first payment: in our books, and in its own."""

    ours: int
    theirs: int


def _seeded() -> dict[str, int]:
    seeds = [yaml.safe_load(file.read_text("utf-8")) for file in FILES]
    return {line["operator"]: line["minor"] for seed in seeds for line in seed["floats"]}


START_MINOR = {
    name: Start(_seeded().get(name, 0), market.float_minor) for name, market in MARKETS.items()
}
"""The seed's float, and what the sandboxes begin with; the seed's is a part of theirs."""


@dataclass(frozen=True)
class Person:
    """Somebody with a phone. The PIN is CAPP's, made for this run."""

    msisdn: str
    pin: str
    country: Country
    language: Language = "en"
    operator: str = ""

    @property
    def network(self) -> str:
        """The code that a gateway gives with this person's dials; "" for the usual guess."""
        return NETWORKS.get(self.operator, "")

    @property
    def digits(self) -> str:
        return self.msisdn.removeprefix("+")


def new_msisdn(operator: str, random: Random, *, taken: Collection[str], pin: str) -> str:
    """A number of that operator that nobody has; it does not end like the PIN."""
    stem, length = _STEMS[operator]
    while True:
        msisdn = f"{stem}{random.randrange(10**length):0{length}d}"
        if msisdn not in taken and not msisdn.endswith((pin, *_FATED)):
            return msisdn

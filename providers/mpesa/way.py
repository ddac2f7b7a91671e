"""By which of Daraja's ways money leaves, and from where: kept with an attempt, read back later.

Facts: reference `mpesa.md`, sections 8 and 9.2. It sends nothing.
"""

from typing import NamedTuple

from providers.mpesa.answers import NAME
from providers.mpesa.settings import MpesaSettings
from providers.ways import unknown_way


class Way(NamedTuple):
    """What of the settings an order must keep for as long as it lives."""

    payout_version: str
    refund_by: str
    shortcode: str  # which pays out

    @property
    def names_payouts(self) -> bool:
        """Whether a payout carries an id of ours: v1 has no such field (section 8)."""
        return self.payout_version == "v3"

    def __str__(self) -> str:
        return " ".join(self)


def way_of(settings: MpesaSettings) -> Way:
    """How orders leave from now on."""
    return Way(settings.payout_version, settings.refund_by, settings.b2c_shortcode)


def read_way(word: str) -> Way:
    """Of an attempt's word. Raises Rejected for one that other code wrote: nothing is sent."""
    parts = word.split(" ")
    if len(parts) != len(Way._fields) or parts[0] not in ("v1", "v3"):
        raise unknown_way(NAME)
    return Way(*parts)

"""By which of Airtel's ways money leaves, and by which application: kept with an attempt.

Facts: reference `airtel-money.md`, sections 5.3 and 6. It sends nothing.
"""

from typing import NamedTuple

from providers.airtel_money.settings import AirtelMoneySettings, RefundBy
from providers.redaction import mark_of
from providers.ways import unknown_way


class Way(NamedTuple):
    """What of the settings an order must keep for as long as it lives."""

    disbursement_version: int
    refund_by: RefundBy
    application: str  # a mark of its client id

    def __str__(self) -> str:
        return f"{self.disbursement_version} {self.refund_by} {self.application}"


def way_of(settings: AirtelMoneySettings) -> Way:
    """How orders leave from now on."""
    application = mark_of(settings.client_id)
    return Way(settings.disbursement_version, settings.refund_by, application)


def read_way(name: str, word: str) -> Way:
    """Of an attempt's word. Raises Rejected for one that other code wrote: nothing is sent."""
    try:
        version, refund_by, application = word.split(" ")
        if version not in ("1", "2", "3"):
            raise ValueError("no such version")
        return Way(int(version), RefundBy(refund_by), application)
    except ValueError as error:
        raise unknown_way(name) from error

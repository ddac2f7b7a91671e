"""Who dials: the values other rooms use. Storage is `store.py`, the rules of PINs `pins.py`."""

from datetime import UTC, datetime

import msgspec

from engine.clock import CustomerId
from engine.errors import CustomerMistake, NoWayNow
from engine.msisdn import Msisdn

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of a lock that only a reset ends."""


class Customer(msgspec.Struct, frozen=True):
    """A registered caller. `country` is ISO 3166 alpha-2, `language` a texts file.

    `tier` is the one that counts now: for a day after a PIN was chosen anew it is the lowest.
    `may_reset_pin`: staff agreed that this customer chooses a new PIN without the old one.
    `network` is the code of the network that served the last dial; "" where that is not known.
    """

    customer_id: CustomerId
    msisdn: Msisdn
    country: str
    language: str
    tier: int
    may_reset_pin: bool = False
    network: str = ""


class Recipient(msgspec.Struct, frozen=True, array_like=True):
    """Somebody to pay. `name` is clean: GSM-7, one line, at most 12 septets."""

    msisdn: Msisdn
    name: str


class PinVerdict(msgspec.Struct, frozen=True):
    """What came of one guess. `left` tries remain; `locked_until` is set when there is none.

    `until_reset`: the lock has no end of its own, and `locked_until` is FOREVER.
    """

    right: bool
    left: int
    locked_until: datetime | None = None
    until_reset: bool = False

    def require_right(self) -> None:
        """Raises CustomerMistake `mistake.pin_wrong`, NoWayNow `no_way.locked` and its kin."""
        if self.until_reset:
            raise NoWayNow("no_way.locked_until_reset")
        if self.locked_until is not None:
            raise NoWayNow("no_way.locked", time=self.locked_until)
        if not self.right:
            raise CustomerMistake("mistake.pin_wrong", left=self.left)

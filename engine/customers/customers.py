"""Who dials: the values other rooms use. Storage is `store.py`, the rules of PINs `pins.py`."""

from datetime import datetime

import msgspec

from engine.clock import CustomerId
from engine.msisdn import Msisdn


class Customer(msgspec.Struct, frozen=True):
    """A registered caller. `country` is ISO 3166 alpha-2, `language` a texts file."""

    customer_id: CustomerId
    msisdn: Msisdn
    country: str
    language: str
    tier: int


class PinVerdict(msgspec.Struct, frozen=True):
    """What came of one guess. `left` tries remain; `locked_until` is set when there is none."""

    right: bool
    left: int
    locked_until: datetime | None = None

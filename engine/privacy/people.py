"""Where what belongs to a customer's row stands: for the rooms that read and write that row.

It knows the row's columns and no SQL.
"""

from typing import Any

from engine.msisdn import Msisdn
from engine.privacy.places import name_place, number_place
from engine.privacy.seals import Seals, open_maybe


def seal_number(seals: Seals, customer_id: str, msisdn: Msisdn) -> str | None:
    """What `msisdn_sealed` holds; None where the number itself stands in `msisdn`."""
    return seals.seal(str(msisdn), number_place(customer_id)) if seals.hides else None


def read_number(seals: Seals, row: Any) -> Msisdn:
    """The number of a row with `id`, `msisdn` and `msisdn_sealed`."""
    sealed = row["msisdn_sealed"]
    if sealed is None:  # of before, or no keys are set
        return Msisdn(row["msisdn"])
    return Msisdn(seals.open(sealed, number_place(row["id"].hex)))


def read_name(seals: Seals, row: Any) -> str | None:
    """The name in a row with `id` and `name`."""
    return open_maybe(seals, row["name"], name_place(row["id"].hex))

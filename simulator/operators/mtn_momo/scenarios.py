"""The numbers with a fate of their own, as MTN publishes them for its sandbox.

Facts: reference mtn-momo.md, section 11: the published table, with the measured outcomes where
there are some. Every other number behaves like a customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from simulator.operators.mtn_momo.wire import Kind


@dataclass(frozen=True)
class Fails:
    """Accepted, then FAILED with this reason."""

    reason: str


@dataclass(frozen=True)
class Refused:
    """Not accepted: the error comes at once and nothing is stored."""

    code: str


@dataclass(frozen=True)
class Waits:
    """Accepted, then in `status` for a long time before its end."""

    status: Literal["PENDING", "CREATED"]


Scenario = Fails | Refused | Waits

_COMMON: Mapping[str, Scenario] = {
    "46733123450": Fails("INTERNAL_PROCESSING_ERROR"),
    "46733123451": Fails("APPROVAL_REJECTED"),
    "46733123452": Fails("EXPIRED"),
    "46733123453": Waits("PENDING"),
    "46733123454": Waits("CREATED"),
    "46733123464": Fails("TRANSFER_TYPE_UNKNOWN"),
}
SCENARIOS: Mapping[Kind, Mapping[str, Scenario]] = {
    "requesttopay": {
        **_COMMON,
        "46733123455": Fails("PAYER_NOT_FOUND"),
        "46733123456": Fails("PAYEE_NOT_ALLOWED_TO_RECEIVE"),
        "46733123457": Refused("NOT_ALLOWED"),
        "46733123458": Refused("NOT_ALLOWED_TARGET_ENVIRONMENT"),
        "46733123459": Refused("INVALID_CALLBACK_URL_HOST"),
        "46733123460": Refused("INVALID_CURRENCY"),
        "46733123461": Refused("INTERNAL_PROCESSING_ERROR"),
        "46733123462": Refused("SERVICE_UNAVAILABLE"),
        "46733123463": Fails("COULD_NOT_PERFORM_TRANSACTION"),
    },
    "transfer": {
        **_COMMON,
        "46733123455": Fails("NOT_ENOUGH_FUNDS"),
        "46733123456": Fails("PAYER_LIMIT_REACHED"),
        "46733123457": Fails("PAYEE_NOT_FOUND"),
        "46733123458": Refused("NOT_ALLOWED"),
        "46733123459": Refused("NOT_ALLOWED_TARGET_ENVIRONMENT"),
        "46733123460": Refused("INVALID_CALLBACK_URL_HOST"),
        "46733123461": Refused("INVALID_CURRENCY"),
        "46733123462": Refused("INTERNAL_PROCESSING_ERROR"),
        "46733123463": Refused("SERVICE_UNAVAILABLE"),
    },
    "refund": {},
}
# What `accountholder/.../active` answers: an error code, or None for {"result": false}.
ACTIVE: Mapping[str, str | None] = {
    "46733123450": "RESOURCE_NOT_FOUND",
    "46733123451": None,
    "46733123452": "NOT_ALLOWED",
    "46733123453": "NOT_ALLOWED_TARGET_ENVIRONMENT",
    "46733123454": "INTERNAL_PROCESSING_ERROR",
    "46733123455": "SERVICE_UNAVAILABLE",
}

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

NOBODY: Mapping[str, str] = {"partyIdType": "MSISDN", "partyId": "46733123400"}
"""Who is shown as the payee of a refund that was only staged."""

_COMMON: Mapping[str, Scenario] = {
    "46733123450": Fails("INTERNAL_PROCESSING_ERROR"),
    "46733123451": Fails("APPROVAL_REJECTED"),
    "46733123452": Fails("EXPIRED"),
    "46733123453": Waits("PENDING"),
    "46733123454": Waits("CREATED"),
    "46733123464": Fails("TRANSFER_TYPE_UNKNOWN"),
}
_TAKING: Mapping[str, Scenario] = {
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
}
_PAYING: Mapping[str, Scenario] = {
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
}
# Withdrawals and deposits have one column of their own, which ends at 463.
_CASH = {number: fate for number, fate in _TAKING.items() if number != "46733123464"}
SCENARIOS: Mapping[Kind, Mapping[str, Scenario]] = {
    "requesttopay": _TAKING,
    "requesttowithdraw": _CASH,
    "transfer": _PAYING,
    "deposit": _CASH,
    "refund": {},
    # No column of its own: remittance pays as a transfer does.
    "remittance": _PAYING,
    "cashtransfer": _PAYING,
}
# By `referenceIdToRefund`.
REFUNDS: Mapping[str, Scenario] = {
    "1": Refused("RESOURCE_NOT_FOUND"),
    "2": Fails("INTERNAL_PROCESSING_ERROR"),
    "3": Fails("APPROVAL_REJECTED"),
    "4": Fails("EXPIRED"),
    "5": Waits("PENDING"),
    "6": Waits("CREATED"),
    "7": Refused("NOT_ALLOWED"),
    "8": Refused("NOT_ALLOWED_TARGET_ENVIRONMENT"),
    "9": Refused("INVALID_CALLBACK_URL_HOST"),
    "10": Refused("INVALID_CURRENCY"),
    "11": Refused("INTERNAL_PROCESSING_ERROR"),
    "12": Refused("SERVICE_UNAVAILABLE"),
    "13": Fails("COULD_NOT_PERFORM_TRANSACTION"),
}
PREAPPROVALS: Mapping[str, Scenario] = {
    "46733123450": Fails("INTERNAL_PROCESSING_ERROR"),
    "46733123451": Fails("APPROVAL_REJECTED"),
    "46733123452": Fails("EXPIRED"),
    "46733123453": Waits("PENDING"),
    "46733123454": Waits("CREATED"),
    "46733123455": Refused("RESOURCE_NOT_FOUND"),
    "46733123456": Refused("NOT_ALLOWED"),
    "46733123457": Refused("NOT_ALLOWED_TARGET_ENVIRONMENT"),
    "46733123458": Refused("INVALID_CALLBACK_URL_HOST"),
    "46733123459": Refused("INVALID_CURRENCY"),
    "46733123460": Refused("INTERNAL_PROCESSING_ERROR"),
    "46733123461": Refused("SERVICE_UNAVAILABLE"),
}
NEVER_PREAPPROVED = "46733123469"
"""Whatever this one approves, the list of approved ones stays empty."""

# What `accountholder/.../active` answers: an error code, or None for {"result": false}.
ACTIVE: Mapping[str, str | None] = {
    "46733123450": "RESOURCE_NOT_FOUND",
    "46733123451": None,
    "46733123452": "NOT_ALLOWED",
    "46733123453": "NOT_ALLOWED_TARGET_ENVIRONMENT",
    "46733123454": "INTERNAL_PROCESSING_ERROR",
    "46733123455": "SERVICE_UNAVAILABLE",
}
ACTIVE_BY_MAIL: Mapping[str, str | None] = {
    "notfound@email.com": "RESOURCE_NOT_FOUND",
    "notactive@email.com": None,
    "notallowed@email.com": "NOT_ALLOWED",
    "notallowedtargetenvironment@email.com": "NOT_ALLOWED_TARGET_ENVIRONMENT",
    "internalprocessingerror@email.com": "INTERNAL_PROCESSING_ERROR",
    "serviceunavailable@email.com": "SERVICE_UNAVAILABLE",
}

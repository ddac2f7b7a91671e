"""The state of the Zamtel sandbox: settings, the merchant's account, which faults can happen here.

Facts: reference zamtel.md, sections 1, 2 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from starlette.responses import Response

from simulator.faults import (
    AFTER_THE_WORK,
    AT_THE_DOOR,
    PAYEE_OUTCOMES,
    PAYER_OUTCOMES,
    STATEMENT,
    UNKNOWN_STATUS,
    Fault,
    FaultAnswers,
    FaultBook,
    FaultName,
    FaultTarget,
)
from simulator.operators import credentials
from simulator.operators.admin import json_response
from simulator.operators.base import MinorUnits, Sandbox, Seconds, Settings
from simulator.operators.world import World

_CALL = AT_THE_DOOR | AFTER_THE_WORK | UNKNOWN_STATUS
_CATALOGUE: Mapping[FaultTarget, frozenset[FaultName]] = {
    "collect": _CALL | PAYER_OUTCOMES,
    "disburse": _CALL | PAYEE_OUTCOMES,
    "statement": STATEMENT,
}


class ZamtelSettings(Settings, kw_only=True, forbid_unknown_fields=True):
    """What only Zamtel has. Amounts in ngwee.

    `repeats`: whether a ConversationId that came before is carried out again. Nothing is known
    about it (section 3), so the worst is the default. `hang_seconds` is how long the numbers that
    hang do.
    """

    default_balance_minor: MinorUnits = 500_000
    business_name: str = "CAPP"
    repeats: Literal["done_again", "refused"] = "done_again"
    hang_seconds: Seconds = 600.0


class _Faults(FaultBook):
    """Without callbacks, tokens and questions, half of the catalogue could never strike."""

    def arm(self, fault: Fault) -> None:
        if fault.fault not in _CATALOGUE.get(fault.on, frozenset()):
            raise ValueError(f"{fault.fault} cannot happen to {fault.on} at Zamtel")
        super().arm(fault)


@dataclass(frozen=True)
class Merchant:
    """Who may call, and the tills."""

    third_party_id: str = credentials.ZAMTEL_SANDBOX_THIRD_PARTY_ID
    password: str = credentials.ZAMTEL_SANDBOX_PASSWORD
    shortcode: str = credentials.ZAMTEL_SANDBOX_SHORTCODE
    initiator: str = credentials.ZAMTEL_SANDBOX_INITIATOR
    initiator_password: str = credentials.ZAMTEL_SANDBOX_INITIATOR_PASSWORD


def _page(status: int, title: str) -> Response:
    return Response(
        f"<html><body><h1>{title}</h1></body></html>", status_code=status, media_type="text/html"
    )


# Error bodies are not known; a Java container's pages are the likeliest.
_FAULT_ANSWERS: FaultAnswers = {
    "error_500": lambda: json_response({"status": "-1", "message": "Internal error"}, 500),
    "error_503": lambda: _page(503, "Service Unavailable"),
    "throttle_429": lambda: _page(429, "Too Many Requests"),
    "html_200": lambda: _page(200, "Welcome"),
}


class ZamtelSandbox(Sandbox[ZamtelSettings]):
    """Everything the handlers share."""

    currency = "ZMW"
    fault_answers = _FAULT_ANSWERS

    def __init__(
        self,
        world: World,
        settings: ZamtelSettings,
        *,
        collection_minor: int,
        disbursement_minor: int,
    ) -> None:
        super().__init__(
            world,
            settings,
            collection_minor=collection_minor,
            disbursement_minor=disbursement_minor,
        )
        self.merchant = Merchant()
        self.faults = _Faults()
        self.seen: set[str] = set()  # every ConversationId that was let in

"""Collection and payout: let in, carried out, answered; all in one call.

Facts: reference zamtel.md, sections 1, 2 and 6. What the reference leaves open is marked so.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import (
    PAYEE_OUTCOMES,
    PAYER_OUTCOMES,
    UNKNOWN_STATUS,
    Fault,
    Refusal,
    Silence,
)
from simulator.operators.admin import json_response
from simulator.operators.wallets import ShortOfFunds, Wallet
from simulator.operators.zamtel.sandbox import ZamtelSandbox

_NUMBER = re.compile(r"260(95|75|55)[0-9]{7}")  # section 5
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,9})(\.[0-9]{1,2})?")

Kind = Literal["collect", "disburse"]
PAID, WRONG_PIN, SHORT, UNABLE, INTERNAL = "0", "E8003", "2006", "E8027", "-1"
INITIATOR, LIMIT, UNLISTED = "2001", "2005", "E9999"
_MESSAGES = {
    PAID: "Success",
    WRONG_PIN: "Initiator information is invalid",
    SHORT: "Insufficient balance",
    UNABLE: "Unable to process the request",
    INTERNAL: "Internal error",
    INITIATOR: "Initiator authentication error",
    LIMIT: "Declined due to limit rule",
}

# The fate of a number by its last four digits (section 6 suggests it; the digits are our own).
FATES: Mapping[str, str] = {
    "8003": WRONG_PIN,
    "2006": SHORT,
    "8027": UNABLE,
    "2001": INITIATOR,
    "2005": LIMIT,
    "9001": INTERNAL,
    "9999": UNLISTED,
}
HANGS, HANGS_PAID, CUTS_PAID = "9100", "9101", "9102"
"""Never answers, nothing done; never answers, but done; done, and the connection is closed."""


@dataclass(frozen=True)
class Order:
    """What a call asks for."""

    kind: Kind
    msisdn: str
    amount_minor: int
    conversation_id: str
    reference: str

    @property
    def fate(self) -> str:
        return self.msisdn[-4:]


class Orders:
    """The handlers of both calls."""

    def __init__(self, sandbox: ZamtelSandbox) -> None:
        self._sandbox = sandbox

    async def collect(self, request: Request) -> Response:
        """GET .../Req: blocks while the customer enters the PIN."""
        return await self._serve(request, "collect")

    async def pay(self, request: Request) -> Response:
        """GET .../B2CReq."""
        return await self._serve(request, "disburse")

    async def _serve(self, request: Request, kind: Kind) -> Response:
        values = dict(request.query_params)
        msisdn = values.get("Msisdn")

        async def perform() -> Response:
            self._admit(values)
            if kind == "disburse":
                self._check_initiator(values)
            order = self._read(values, kind)
            return await self._carry_out(order)

        return await self._sandbox.answer(kind, msisdn, perform)

    def _admit(self, values: Mapping[str, str]) -> None:
        """Who does not know the password gets 403 (the real answer is not known)."""
        merchant = self._sandbox.merchant
        given = values.get("ThirdPartyID"), values.get("Password")
        if given != (merchant.third_party_id, merchant.password):
            raise Refusal(Response("Forbidden", status_code=403, media_type="text/plain"))

    def _check_initiator(self, values: Mapping[str, str]) -> None:
        """The case of the two names is not known: any will do."""
        merchant = self._sandbox.merchant
        lowered = {name.lower(): value for name, value in values.items()}
        given = lowered.get("identifier"), lowered.get("credential")
        if given != (merchant.initiator, merchant.initiator_password):
            raise Refusal(_answer(INITIATOR))

    def _read(self, values: Mapping[str, str], kind: Kind) -> Order:
        """Names nobody knows are left alone; a parameter that lacks or is senseless is a "-1"."""
        amount, msisdn = values.get("Amount", ""), values.get("Msisdn", "")
        conversation_id = values.get("ConversationId", "")
        is_sound = _AMOUNT.fullmatch(amount) and Decimal(amount) > 0 and conversation_id
        if not is_sound or not re.fullmatch(r"260[0-9]{9}", msisdn):
            raise Refusal(_answer(INTERNAL))
        if values.get("Shortcode") != self._sandbox.merchant.shortcode:
            raise Refusal(_answer(UNABLE))
        if not _NUMBER.fullmatch(msisdn):  # another network's
            raise Refusal(_answer(UNABLE))
        sandbox = self._sandbox
        if conversation_id in sandbox.seen and sandbox.settings.repeats == "refused":
            raise Refusal(_answer(UNABLE))
        sandbox.seen.add(conversation_id)
        minor = int(Decimal(amount) * 100)
        return Order(kind, msisdn, minor, conversation_id, values.get("Reference", ""))

    async def _carry_out(self, order: Order) -> Response:
        if order.fate == HANGS:
            return Silence(self._sandbox.settings.hang_seconds)
        code, receipt = await self._decide(order)
        if order.fate == HANGS_PAID:
            return Silence(self._sandbox.settings.hang_seconds)
        if order.fate == CUTS_PAID:
            return Silence(0)
        if self._sandbox.faults.take(UNKNOWN_STATUS, order.msisdn, order.kind):
            code = UNLISTED
        return _answer(code, receipt)

    async def _decide(self, order: Order) -> tuple[str, str | None]:
        """How it ended, and the number of the transaction when money moved."""
        if (armed := self._armed(order)) or (armed := FATES.get(order.fate)):
            await asyncio.sleep(self._sandbox.settings.processing_seconds)
            return armed, None
        wallet = self._sandbox.wallets.find(order.msisdn)
        if wallet is None or not wallet.active:
            return UNABLE, None
        if order.kind == "collect":
            return await self._collect(order, wallet)
        await asyncio.sleep(self._sandbox.settings.processing_seconds)
        return self._move(order, wallet)

    def _armed(self, order: Order) -> str | None:
        outcomes = PAYER_OUTCOMES if order.kind == "collect" else PAYEE_OUTCOMES
        match self._sandbox.faults.take(outcomes, order.msisdn, order.kind):
            case Fault(fault="insufficient_funds"):
                return SHORT
            case Fault(fault="wrong_pin"):
                return WRONG_PIN
            case Fault(fault="recipient_rejected"):
                return LIMIT
            case Fault():
                return UNABLE
        return None

    async def _collect(self, order: Order, wallet: Wallet) -> tuple[str, str | None]:
        """What a declined or forgotten prompt answers is not known: "unable to process"."""
        approval = await self._sandbox.ask_approval(
            wallet, amount_minor=order.amount_minor, text=self._prompt_text(order)
        )
        if approval == "approved":
            return self._move(order, wallet)
        return (WRONG_PIN if approval == "wrong_pin" else UNABLE), None

    def _move(self, order: Order, wallet: Wallet) -> tuple[str, str | None]:
        sandbox = self._sandbox
        receipt = sandbox.world.digits(12)
        ledger = sandbox.ledger
        change = ledger.collect if order.kind == "collect" else ledger.pay
        try:
            change(
                wallet,
                amount_minor=order.amount_minor,
                currency=sandbox.currency,
                reference=order.conversation_id,
                receipt=receipt,
            )
        except ShortOfFunds:
            return SHORT, None
        return PAID, receipt

    def _prompt_text(self, order: Order) -> str:
        amount = f"{Decimal(order.amount_minor) / 100:,.2f}"
        return (
            f"Pay ZMW {amount} to {self._sandbox.settings.business_name}?\n"
            "Enter Zamtel Money PIN to confirm:"
        )


def _answer(code: str, receipt: str | None = None) -> Response:
    message = _MESSAGES.get(code, "Unknown")
    body = {"status": code, "message": message, "TransactionId": receipt or ""}
    return json_response(body)

"""C2B: where a shortcode's payments are announced, and customers who pay one by themselves.

Facts: reference mpesa.md, section 7. There is no prompt: whoever pays by hand has decided already.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

import httpx
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import PAYER_OUTCOMES, Refusal
from simulator.operators.admin import json_response
from simulator.operators.base import Lie, Notice
from simulator.operators.mpesa import wire
from simulator.operators.mpesa.results import new_originator_id
from simulator.operators.mpesa.sandbox import MpesaSandbox, PayIn, Registration
from simulator.operators.mpesa.wire import Fields
from simulator.operators.wallets import ShortOfFunds

_TOKEN_REFUSED = (400, "400.003.01")
_BROKEN = ("400.002.05", "Invalid Request Payload")
_TYPES = {"CustomerPayBillOnline": "Pay Bill", "CustomerBuyGoodsOnline": "Buy Goods"}
_REJECTED = frozenset(f"C2B0001{n}" for n in range(1, 7))


class C2bApi:
    """The handlers of registration and simulation."""

    def __init__(self, sandbox: MpesaSandbox) -> None:
        self._sandbox = sandbox

    async def register_v1(self, request: Request) -> Response:
        """POST /mpesa/c2b/v1/registerurl: callbacks will carry a hash of the payer's number."""
        return await self._register(request, "v1")

    async def register_v2(self, request: Request) -> Response:
        """POST /mpesa/c2b/v2/registerurl: callbacks will carry a masked number."""
        return await self._register(request, "v2")

    async def simulate(self, request: Request) -> Response:
        """POST /mpesa/c2b/v2/simulate: a customer pays by hand. What becomes of it comes later."""
        fields = await wire.read_fields(request, self._sandbox.world, broken=_BROKEN)
        msisdn = fields.peek("Msisdn")

        async def perform() -> Response:
            self._sandbox.check_token(request, "collect", msisdn, _TOKEN_REFUSED)
            paid = self._accept(fields)
            await self._sandbox.start("collect", paid.msisdn, self._carry_out(paid))
            return self._taken("Accept the service request successfully.")

        return await self._sandbox.answer("collect", msisdn, perform)

    async def _register(self, request: Request, version: str) -> Response:
        sandbox = self._sandbox
        fields = await wire.read_fields(request, sandbox.world, broken=_BROKEN)

        async def perform() -> Response:
            sandbox.check_token(request, "query", None, _TOKEN_REFUSED)
            wanted = Registration(
                shortcode=fields.shortcode("ShortCode"),
                response_type=fields.one_of("ResponseType", "Completed", "Cancelled"),
                confirmation_url=fields.url("ConfirmationURL"),
                validation_url=fields.url("ValidationURL"),
                version=version,
            )
            if sandbox.settings.registers_once and wanted.shortcode in sandbox.registrations:
                raise Refusal(
                    wire.envelope(
                        sandbox.world, 500, "500.003.1001", "Urls are already registered."
                    )
                )
            sandbox.registrations[wanted.shortcode] = wanted
            return self._taken("Success")

        return await sandbox.answer("query", None, perform)

    def _accept(self, fields: Fields) -> PayIn:
        sandbox = self._sandbox
        command = fields.one_of("CommandID", *_TYPES)
        by_hand = command == "CustomerPayBillOnline"
        return PayIn(
            shortcode=fields.shortcode("ShortCode"),
            command=command,
            shillings=fields.shillings("Amount", low=1, high=250_000),
            msisdn=fields.msisdn("Msisdn"),
            bill_reference=fields.text("BillRefNumber", high=20) if by_hand else "",
            submitted_at=sandbox.world.clock(),
            receipt=wire.new_receipt(sandbox.world),
        )

    async def _carry_out(self, paid: PayIn) -> None:
        registered = self._sandbox.registrations.get(paid.shortcode)
        refused = await self._refusal(paid, registered)
        paid.finish(refused if refused is not None else self._move(paid), self._now())
        if paid.result_code != wire.SUCCESS or registered is None:
            return
        await self._sandbox.notify(
            Notice(
                on="collect",
                msisdn=paid.msisdn,
                url=registered.confirmation_url,
                body=lambda lie: self._message(paid, registered, self._balance(), lie),
                content_type="application/json",
            )
        )

    async def _refusal(
        self, paid: PayIn, registered: Registration | None
    ) -> wire.ResultCode | None:
        """Why the money may not move; None when nothing speaks against it."""
        sandbox = self._sandbox
        if paid.shortcode not in (
            sandbox.credentials.shortcode,
            sandbox.credentials.payout_shortcode,
        ):
            return wire.NOT_PERMITTED
        if sandbox.faults.take(PAYER_OUTCOMES, paid.msisdn, "collect"):
            return wire.INSUFFICIENT_FUNDS
        wallet = sandbox.wallets.find(paid.msisdn)
        if wallet is None or not wallet.active:
            return wire.UNREACHABLE
        if wallet.balance_minor < paid.shillings * 100:
            return wire.INSUFFICIENT_FUNDS
        if registered is None or not sandbox.settings.validation:
            return None
        return None if await self._is_wanted(paid, registered) else wire.CANCELLED

    async def _is_wanted(self, paid: PayIn, registered: Registration) -> bool:
        """What the merchant answers; no usable answer is what ResponseType says it is."""
        body = self._message(paid, registered, "", None)
        try:
            async with httpx.AsyncClient(
                trust_env=False,
                timeout=self._sandbox.settings.validation_seconds,
                verify=registered.validation_url.startswith("https"),
            ) as client:
                answer = await client.post(
                    registered.validation_url,
                    content=body,
                    headers={"Content-Type": "application/json"},
                )
            told = msgspec.json.decode(answer.content, type=dict[str, object])
            code = str(told.get("ResultCode", "")) if answer.is_success else ""
        except (httpx.HTTPError, msgspec.MsgspecError):
            code, told = "", {}
        if code == "0":
            paid.third_party_id = str(told.get("ThirdPartyTransID", ""))
            return True
        return False if code in _REJECTED else registered.response_type == "Completed"

    def _move(self, paid: PayIn) -> wire.ResultCode:
        sandbox = self._sandbox
        try:
            sandbox.ledger.collect(
                sandbox.wallets.open(paid.msisdn),
                amount_minor=paid.shillings * 100,
                currency=wire.CURRENCY,
                reference=paid.bill_reference,
                receipt=paid.receipt,
            )
        except ShortOfFunds:
            return wire.INSUFFICIENT_FUNDS
        sandbox.by_receipt[paid.receipt] = paid
        return wire.SUCCESS

    def _message(
        self, paid: PayIn, registered: Registration, balance: str, lie: Lie | None
    ) -> bytes:
        """Validation and confirmation have one shape; all values are strings."""
        first, _, last = self._sandbox.wallets.open(paid.msisdn).name.upper().partition(" ")
        shillings = paid.shillings + (1 if lie == "wrong_amount" else 0)
        return msgspec.json.encode(
            {
                "TransactionType": _TYPES[paid.command],
                "TransID": paid.receipt,
                "TransTime": wire.stamp(paid.submitted_at),
                "TransAmount": f"{shillings}.00",
                "BusinessShortCode": paid.shortcode,
                "BillRefNumber": paid.bill_reference,
                "InvoiceNumber": "",
                "OrgAccountBalance": balance,
                "ThirdPartyTransID": paid.third_party_id,
                "MSISDN": hidden(paid.msisdn, registered.version),
                "FirstName": first,
                "MiddleName": "",
                "LastName": last,
            }
        )

    def _balance(self) -> str:
        return f"{self._sandbox.ledger.balances_minor['collection'] / 100:.2f}"

    def _taken(self, description: str) -> Response:
        return json_response(
            {
                "OriginatorCoversationID": new_originator_id(self._sandbox.world),  # Misspelt.
                "ResponseCode": "0",
                "ResponseDescription": description,
            }
        )

    def _now(self) -> datetime:
        return self._sandbox.world.clock()


def hidden(msisdn: str, version: str) -> str:
    """How a callback tells the payer: v1 a SHA-256 of the twelve digits, v2 masked."""
    if version == "v1":
        return hashlib.sha256(msisdn.encode()).hexdigest()
    return f"{msisdn[:4]} ***** {msisdn[-3:]}"

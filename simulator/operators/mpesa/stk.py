"""STK push and its query: the prompt on the payer's phone, its callback, its state.

Facts: reference mpesa.md, sections 4 to 6. A payer who is unknown, switched off or silent ends
as 1037, the operator's one code for "cannot be reached".
"""

from __future__ import annotations

import asyncio
import hmac

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import PAID_AFTERWARDS, PAYER_OUTCOMES, UNKNOWN_STATUS, Refusal
from simulator.operators.admin import json_response
from simulator.operators.base import Approval, Lie, Notice
from simulator.operators.mpesa import wire
from simulator.operators.mpesa.access import stk_password
from simulator.operators.mpesa.sandbox import MpesaSandbox, StkPush
from simulator.operators.mpesa.wire import Fields, ResultCode
from simulator.operators.wallets import ShortOfFunds

_TOKEN_REFUSED = (404, "404.001.03")
_BY_APPROVAL: dict[Approval, ResultCode] = {
    "declined": wire.CANCELLED,
    "wrong_pin": wire.INVALID_INITIATOR,
    "expired": wire.UNREACHABLE,
}
_BY_FAULT: dict[str, ResultCode] = {
    "insufficient_funds": wire.INSUFFICIENT_FUNDS,
    "wrong_pin": wire.INVALID_INITIATOR,
    "decline": wire.CANCELLED,
}


class StkApi:
    """The handlers of both calls."""

    def __init__(self, sandbox: MpesaSandbox) -> None:
        self._sandbox = sandbox

    async def push(self, request: Request) -> Response:
        """POST /mpesa/stkpush/v1/processrequest. Not idempotent: sent twice, it asks twice."""
        fields = await wire.read_fields(request, self._sandbox.world)
        msisdn = fields.peek("PhoneNumber")

        async def perform() -> Response:
            self._sandbox.check_token(request, "collect", msisdn, _TOKEN_REFUSED)
            push = self._accept(fields)
            await self._sandbox.start("collect", push.msisdn, self._carry_out(push))
            return json_response(
                {
                    "MerchantRequestID": push.merchant_request_id,
                    "CheckoutRequestID": push.checkout_request_id,
                    "ResponseCode": "0",
                    "ResponseDescription": "Success. Request accepted for processing",
                    "CustomerMessage": "Success. Request accepted for processing",
                }
            )

        return await self._sandbox.answer("collect", msisdn, perform)

    async def query(self, request: Request) -> Response:
        """POST /mpesa/stkpushquery/v1/query. Changes nothing but how the next one is answered."""
        fields = await wire.read_fields(request, self._sandbox.world)
        push = self._sandbox.pushes.get(fields.peek("CheckoutRequestID"))
        msisdn = push.msisdn if push else None

        async def perform() -> Response:
            self._sandbox.check_token(request, "query", msisdn, _TOKEN_REFUSED)
            self._check_password(fields)
            fields.text("CheckoutRequestID")
            if push is None:
                raise self._failure("The transaction does not Exist")
            return self._state_of(push)

        return await self._sandbox.answer("query", msisdn, perform)

    def _accept(self, fields: Fields) -> StkPush:
        world = self._sandbox.world
        self._check_password(fields)
        transaction_type = fields.one_of(
            "TransactionType", "CustomerPayBillOnline", "CustomerBuyGoodsOnline"
        )
        shillings = fields.shillings("Amount", low=1, high=250_000)
        fields.msisdn("PartyA")
        party_b = fields.shortcode("PartyB")
        msisdn = fields.msisdn("PhoneNumber")
        callback_url = fields.url("CallBackURL")
        account_reference = fields.text("AccountReference", high=12)
        self._check_description(fields)
        if msisdn in self._sandbox.locked_subscribers:
            raise self._failure(
                "Unable to lock subscriber, a transaction is already in process for the "
                "current subscriber"
            )
        push = StkPush(
            merchant_request_id=f"{world.hex(4)}-{world.hex(4)}-{world.hex(4)}-{world.hex(12)}"
            f"{world.digits(4)}",
            checkout_request_id=self._new_checkout_request_id(msisdn),
            msisdn=msisdn,
            shillings=shillings,
            party_b=party_b,
            transaction_type=transaction_type,
            callback_url=callback_url,
            account_reference=account_reference,
            submitted_at=world.clock(),
        )
        self._sandbox.pushes[push.checkout_request_id] = push
        self._sandbox.locked_subscribers.add(msisdn)
        return push

    def _check_password(self, fields: Fields) -> None:
        """Shortcode, password and timestamp; in that order, as the messages show."""
        credentials = self._sandbox.credentials
        shortcode = fields.shortcode("BusinessShortCode")
        password = fields.text("Password")
        timestamp = fields.timestamp("Timestamp")
        if shortcode != credentials.shortcode:
            raise self._failure("Merchant does not exist")
        expected = stk_password(
            shortcode=shortcode, passkey=credentials.passkey, timestamp=timestamp
        )
        if not hmac.compare_digest(password.encode(), expected.encode()):
            raise self._failure("[MerchantValidate] - Wrong credentials")

    def _check_description(self, fields: Fields) -> None:
        # Documented as optional; left out, the sandbox answered "Invalid Remarks" (section 4).
        if not 1 <= len(fields.peek("TransactionDesc")) <= 13:
            raise fields.refuse("Remarks")

    def _failure(self, message: str) -> Refusal:
        """500.001.1001 is not one condition; only the message tells (section 3)."""
        return Refusal(wire.envelope(self._sandbox.world, 500, "500.001.1001", message))

    def _new_checkout_request_id(self, msisdn: str) -> str:
        now = self._sandbox.world.clock().astimezone(wire.NAIROBI)
        milliseconds = now.microsecond // 1000
        while True:
            candidate = f"ws_CO_{now:%d%m%Y%H%M%S}{milliseconds:03d}{msisdn[3:]}"
            if candidate not in self._sandbox.pushes:
                return candidate
            milliseconds += 1

    async def _carry_out(self, push: StkPush) -> None:
        sandbox = self._sandbox
        try:
            if late := sandbox.faults.take(PAID_AFTERWARDS, push.msisdn, "collect"):
                push.finish(wire.UNREACHABLE, sandbox.world.clock())
                await self._tell(push)
                await asyncio.sleep(late.seconds_or_default)
            code, receipt = await self._decide(push)
            push.finish(code, sandbox.world.clock(), receipt)
        finally:
            sandbox.locked_subscribers.discard(push.msisdn)
        await self._tell(push)

    async def _tell(self, push: StkPush) -> None:
        await self._sandbox.notify(
            Notice(
                on="collect",
                msisdn=push.msisdn,
                url=push.callback_url,
                body=lambda lie: _callback(push, lie),
                content_type="application/json;charset=UTF-8",
                headers={"Businessshortcode": self._sandbox.credentials.shortcode},
            )
        )

    async def _decide(self, push: StkPush) -> tuple[ResultCode, str]:
        """The result, and the receipt if money moved."""
        sandbox = self._sandbox
        if fault := sandbox.faults.take(PAYER_OUTCOMES, push.msisdn, "collect"):
            return _BY_FAULT[fault.fault], ""
        paybill = push.transaction_type == "CustomerPayBillOnline"
        if paybill and push.party_b != sandbox.credentials.shortcode:
            return wire.NOT_PERMITTED, ""
        wallet = sandbox.wallets.find(push.msisdn)
        if wallet is None or not wallet.active:
            return wire.UNREACHABLE, ""
        approval = await sandbox.ask_approval(
            wallet, amount_minor=push.shillings * 100, text=self._prompt_text(push)
        )
        if approval != "approved":
            return _BY_APPROVAL[approval], ""
        receipt = wire.new_receipt(sandbox.world)
        try:
            sandbox.ledger.collect(
                wallet,
                amount_minor=push.shillings * 100,
                currency=wire.CURRENCY,
                reference=push.checkout_request_id,
                receipt=receipt,
            )
        except ShortOfFunds:
            return wire.INSUFFICIENT_FUNDS, ""
        sandbox.by_receipt[receipt] = push
        return wire.SUCCESS, receipt

    def _prompt_text(self, push: StkPush) -> str:
        return (
            f"Do you want to pay Ksh{push.shillings:,}.00 to "
            f"{self._sandbox.settings.business_name} Account no. {push.account_reference}?\n"
            "Enter M-PESA PIN:"
        )

    def _state_of(self, push: StkPush) -> Response:
        code = push.result_code
        if self._sandbox.faults.take(UNKNOWN_STATUS, push.msisdn, "query"):
            code = wire.UNLISTED
        if code is None:
            push.times_queried += 1
            if push.times_queried == 1:  # Both forms were seen for "not yet" (section 6).
                raise self._failure("The transaction is being processed")
            code = wire.STILL_PROCESSING
        return json_response(
            {
                "ResponseCode": "0",
                "ResponseDescription": "The service request has been accepted successsfully",
                "MerchantRequestID": push.merchant_request_id,
                "CheckoutRequestID": push.checkout_request_id,
                "ResultCode": str(code),
                "ResultDesc": wire.RESULT_TEXTS[code],
            }
        )


def _callback(push: StkPush, lie: Lie | None) -> bytes:
    code = push.result_code
    assert code is not None and push.finished_at is not None
    if lie == "unknown_status":
        code = wire.UNLISTED
    callback: dict[str, object] = {
        "MerchantRequestID": push.merchant_request_id,
        "CheckoutRequestID": push.checkout_request_id,
        "ResultCode": code,
        "ResultDesc": wire.RESULT_TEXTS[code],
    }
    if code == wire.SUCCESS:
        shillings = push.shillings + (1 if lie == "wrong_amount" else 0)
        callback["CallbackMetadata"] = {
            "Item": [
                {"Name": "Amount", "Value": float(shillings)},
                {"Name": "MpesaReceiptNumber", "Value": push.receipt},
                {"Name": "Balance"},
                {"Name": "TransactionDate", "Value": int(wire.stamp(push.finished_at))},
                {"Name": "PhoneNumber", "Value": int(push.msisdn)},
            ]
        }
    return msgspec.json.encode({"Body": {"stkCallback": callback}})

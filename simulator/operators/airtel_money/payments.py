"""Collections: a prompt on the payer's phone, its enquiry, its callback, its refund.

Facts: reference airtel-money.md, sections 5, 8 and 10.
"""

from __future__ import annotations

import asyncio
import base64
import hmac

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import PAYEE_OUTCOMES, PAYER_OUTCOMES
from simulator.operators.airtel_money import wire
from simulator.operators.airtel_money.enquiry import answer_enquiry
from simulator.operators.airtel_money.sandbox import AirtelSandbox, Transaction
from simulator.operators.airtel_money.wire import COLLECTION, Order
from simulator.operators.base import Approval, Lie, Notice
from simulator.operators.wallets import ShortOfFunds

_BY_APPROVAL: dict[Approval, tuple[str, str]] = {
    "declined": ("TF", COLLECTION + "008"),
    "wrong_pin": ("TF", COLLECTION + "002"),
    "expired": ("TE", COLLECTION + "029"),
}
_BY_FAULT = {
    "insufficient_funds": COLLECTION + "007",
    "wrong_pin": COLLECTION + "002",
    "decline": COLLECTION + "008",
}
_UNLISTED_STATUS = "TX"


class CollectionApi:
    """The handlers."""

    def __init__(self, sandbox: AirtelSandbox) -> None:
        self._sandbox = sandbox

    async def create(self, request: Request) -> Response:
        """POST /merchant/v1|v2/payments/. A used id is refused and changes nothing."""
        sandbox = self._sandbox
        body, values = await request.body(), await wire.read_json(request)
        msisdn = wire.peek_msisdn(values, sandbox.country)
        is_signed = "/v2/" in request.url.path

        async def perform() -> Response:
            sandbox.admit(request, "collect", msisdn)
            if is_signed:
                sandbox.check_signature(request, body, COLLECTION + "026")
            order = wire.read_order(values, "subscriber", sandbox.currency)
            wire.check_place(values, sandbox.settings.country, sandbox.currency)
            sandbox.refuse_by_code("collect", msisdn)
            transaction = self._accept(order)
            work = self._carry_out(transaction)
            await sandbox.start("collect", transaction.msisdn, work)
            told = {"transaction": {"id": order.id, "status": "SUCCESS"}}
            return wire.envelope(COLLECTION + "006", message="SUCCESS", data=told)

        return await sandbox.answer("collect", msisdn, perform)

    async def show(self, request: Request) -> Response:
        """GET /standard/v1/payments/{id}, by our own id."""
        id_ = request.path_params["id"]
        return await answer_enquiry(self._sandbox, request, "collection", id_)

    async def refund(self, request: Request) -> Response:
        """POST /standard/v1|v2/payments/refund: the whole amount, once."""
        sandbox = self._sandbox
        body, values = await request.body(), await wire.read_json(request)
        wanted = wire.child(values, "transaction").get("airtel_money_id")
        original = self._original(wanted)
        msisdn = original.msisdn if original else None
        is_signed = "/v2/" in request.url.path

        async def perform() -> Response:
            sandbox.admit(request, "refund", msisdn)
            if is_signed:
                sandbox.check_signature(request, body, COLLECTION + "026")
            if not isinstance(wanted, str):
                raise wire.refusal("ROUTER003")
            sandbox.refuse_by_code("refund", msisdn)
            if original is None:
                raise wire.refusal(COLLECTION + "025", result="ESB000045")
            return self._give_back(original)

        return await sandbox.answer("refund", msisdn, perform)

    def _original(self, airtel_money_id: object) -> Transaction | None:
        for transaction in self._sandbox.transactions.values():
            if (transaction.kind, transaction.status) == ("collection", "TS") and (
                transaction.airtel_money_id == airtel_money_id
            ):
                return transaction
        return None

    def _give_back(self, original: Transaction) -> Response:
        """The reference names no code for a second refund; the generic refusal stands for it."""
        sandbox = self._sandbox
        wallet = sandbox.wallets.find(original.msisdn)
        fault = sandbox.faults.take(PAYEE_OUTCOMES, original.msisdn, "refund")
        if fault or original.is_refunded or wallet is None or not wallet.active:
            raise wire.refusal(COLLECTION + "009")
        receipt = sandbox.receipt("MP")
        try:
            sandbox.ledger.pay(
                wallet,
                amount_minor=original.order.amount_minor,
                currency=sandbox.currency,
                reference=original.id,
                receipt=receipt,
                kind="refund",
                account="collection",
            )
        except ShortOfFunds:
            raise wire.refusal(COLLECTION + "009") from None
        original.is_refunded = True
        told = {"transaction": {"airtel_money_id": receipt, "status": "SUCCESS"}}
        return wire.envelope(COLLECTION + "001", data=told)

    def _accept(self, order: Order) -> Transaction:
        sandbox, settings = self._sandbox, self._sandbox.settings
        lenient = settings.lenient_msisdn
        national = wire.check_msisdn(order.msisdn, sandbox.country, lenient=lenient)
        msisdn = sandbox.country.code + national
        if ("collection", order.id) in sandbox.transactions:
            raise wire.refusal("ESB000041")
        if order.amount_minor < max(1, settings.amount_minor_min):
            raise wire.refusal(COLLECTION + "004")
        if order.amount_minor > settings.amount_minor_max:
            raise wire.refusal(COLLECTION + "003")
        if sandbox.wallets.find(msisdn) is None:
            raise wire.refusal(COLLECTION + "005", message="Msisdn Not Found")
        transaction = Transaction("collection", order.id, order, msisdn)
        sandbox.transactions["collection", order.id] = transaction
        return transaction

    async def _carry_out(self, transaction: Transaction) -> None:
        status, code = await self._decide(transaction)
        transaction.code = code
        transaction.airtel_money_id = transaction.airtel_money_id or self._sandbox.receipt("MP")
        transaction.status = status
        if status in ("TS", "TF"):  # nothing is promised when the customer ignores the prompt
            await self._notify(transaction)

    async def _decide(self, transaction: Transaction) -> tuple[str, str]:
        sandbox, order = self._sandbox, transaction.order
        if (end := self._set_end(transaction)) is not None:
            await asyncio.sleep(sandbox.settings.processing_seconds)
            return "TF", end
        wallet = sandbox.wallets.find(transaction.msisdn)
        if wallet is None or not wallet.active:
            return "TF", COLLECTION + "010"
        approval = await sandbox.ask_approval(
            wallet, amount_minor=order.amount_minor, text=self._prompt_text(order)
        )
        if approval != "approved":
            return _BY_APPROVAL[approval]
        receipt = sandbox.receipt("MP")
        try:
            sandbox.ledger.collect(
                wallet,
                amount_minor=order.amount_minor,
                currency=sandbox.currency,
                reference=transaction.id,
                receipt=receipt,
            )
        except ShortOfFunds:
            return "TF", COLLECTION + "007"
        transaction.airtel_money_id = receipt
        return "TS", COLLECTION + "001"

    def _set_end(self, transaction: Transaction) -> str | None:
        """The code with which a fault, or a code that was set, ends it."""
        if code := self._sandbox.take_code("collect", transaction.msisdn, ends=True):
            return code.code
        fault = self._sandbox.faults.take(PAYER_OUTCOMES, transaction.msisdn, "collect")
        return _BY_FAULT[fault.fault] if fault else None

    def _prompt_text(self, order: Order) -> str:
        currency = self._sandbox.currency
        amount = wire.format_minor(order.amount_minor, currency)
        business = self._sandbox.settings.business_name
        return (
            f"Pay {currency} {amount} to {business} for {order.reference}. Enter Airtel Money PIN:"
        )

    async def _notify(self, transaction: Transaction) -> None:
        """To the one address of the portal, if there is one."""
        settings = self._sandbox.settings
        if settings.callback_url is None:
            return
        headers: dict[str, str] = {}
        if settings.callback_key and settings.callback_hash == "header":
            # The header is over the body that is sent, so it is made where no lie is told.
            body = self._callback_body(transaction, None)
            headers["X-Airtel-Signature"] = self._hash(body)
        await self._sandbox.notify(
            Notice(
                on="collect",
                msisdn=transaction.msisdn,
                url=settings.callback_url,
                body=lambda lie: self._callback_body(transaction, lie),
                content_type="application/json",
                headers=headers,
            )
        )

    def _callback_body(self, transaction: Transaction, lie: Lie | None) -> bytes:
        settings, currency = self._sandbox.settings, self._sandbox.currency
        minor = transaction.order.amount_minor + (1 if lie == "wrong_amount" else 0)
        amount = wire.format_minor(minor, currency)
        paid = transaction.status == "TS"
        message = (
            f"Paid {currency} {amount} to {settings.business_name} Charge {currency} 0, "
            f"Trans ID {transaction.airtel_money_id}."
            if paid
            else wire.MESSAGES.get(transaction.code, "Transaction failed")
        )
        told = {
            "id": transaction.id,
            "message": message,
            "status_code": _UNLISTED_STATUS if lie == "unknown_status" else transaction.status,
            "airtel_money_id": transaction.airtel_money_id,
        }
        body: dict[str, object] = {"transaction": told}
        if settings.callback_key and settings.callback_hash != "header":
            over: object = told if settings.callback_hash == "transaction" else body
            body = {**body, "hash": self._hash(msgspec.json.encode(over))}
        return msgspec.json.encode(body)

    def _hash(self, text: bytes) -> str:
        key = self._sandbox.settings.callback_key.encode()
        return base64.b64encode(hmac.digest(key, text, "sha256")).decode()

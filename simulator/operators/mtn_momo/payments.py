"""Everything that moves money: accepted with 202, finished later, asked about by reference.

Facts: reference mtn-momo.md, sections 5 to 7, 9 and 10.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import (
    PAID_AFTERWARDS,
    PAYEE_OUTCOMES,
    PAYER_OUTCOMES,
    UNKNOWN_STATUS,
    Fault,
    FaultTarget,
    Refusal,
)
from simulator.operators.admin import json_response
from simulator.operators.base import Approval, Lie, Notice
from simulator.operators.mtn_momo import wire
from simulator.operators.mtn_momo.sandbox import ApiUser, MtnSandbox, Transaction
from simulator.operators.mtn_momo.scenarios import (
    NOBODY,
    REFUNDS,
    SCENARIOS,
    Fails,
    Refused,
    Scenario,
    Waits,
)
from simulator.operators.mtn_momo.wire import TAKES, Kind, Order, Product
from simulator.operators.wallets import ShortOfFunds, Wallet

PATHS: dict[Kind, tuple[Product, str, tuple[str, ...]]] = {
    "requesttopay": ("collection", "requesttopay", ("v1_0",)),
    "requesttowithdraw": ("collection", "requesttowithdraw", ("v1_0", "v2_0")),
    "transfer": ("disbursement", "transfer", ("v1_0",)),
    "deposit": ("disbursement", "deposit", ("v1_0", "v2_0")),
    "refund": ("disbursement", "refund", ("v1_0", "v2_0")),
    "remittance": ("remittance", "transfer", ("v1_0",)),
    "cashtransfer": ("remittance", "cashtransfer", ("v2_0",)),
}
"""Each kind's product, resource and versions (sections 5 to 7)."""
_BY_APPROVAL: dict[Approval, str] = {
    "declined": "APPROVAL_REJECTED",
    "wrong_pin": "PAYMENT_NOT_APPROVED",
    "expired": "EXPIRED",
}
_BY_FAULT = {
    "insufficient_funds": "NOT_ENOUGH_FUNDS",
    "wrong_pin": "PAYMENT_NOT_APPROVED",
    "decline": "APPROVAL_REJECTED",
    "recipient_rejected": "PAYEE_NOT_ALLOWED_TO_RECEIVE",
}
_UNLISTED_STATUS = "PARKED"


class PaymentApi:
    """The handlers of one kind of payment."""

    def __init__(self, sandbox: MtnSandbox, kind: Kind) -> None:
        self._sandbox = sandbox
        self._kind = kind
        self._product = PATHS[kind][0]
        self._on: FaultTarget = "collect" if kind in TAKES else "disburse"
        if kind == "refund":
            self._on = "refund"

    async def create(self, request: Request) -> Response:
        """The creating POST. A repeated X-Reference-Id is a 409 and changes nothing."""
        values = await wire.read_json(request)
        msisdn = wire.peek_msisdn(values) or self._payer_refunded(values)

        async def perform() -> Response:
            wire.check_content_length(request)
            user = self._sandbox.admit(request, self._product, self._on, msisdn)
            transaction = self._accept(request, user, wire.read_order(values, self._kind))
            await self._sandbox.start(self._on, transaction.msisdn, self._carry_out(transaction))
            return Response(status_code=202)

        return await self._sandbox.answer(self._on, msisdn, perform)

    async def show(self, request: Request) -> Response:
        """The status GET, by the reference id of the creating POST."""
        transaction = self._found(request)
        msisdn = transaction.msisdn if transaction else None

        async def perform() -> Response:
            self._sandbox.admit(request, self._product, "query", msisdn)
            if transaction is None:
                raise Refusal(wire.error("RESOURCE_NOT_FOUND"))
            fault = self._sandbox.faults.take(UNKNOWN_STATUS, msisdn, "query")
            return json_response(self._body(transaction, "unknown_status" if fault else None))

        return await self._sandbox.answer("query", msisdn, perform)

    async def notify(self, request: Request) -> Response:
        """POST .../deliverynotification: a word to the payer, once the payment succeeded.

        What an earlier or failed payment is answered with is not documented: NOT_ALLOWED here.
        """
        values = await wire.read_json(request)
        transaction = self._found(request)
        msisdn = transaction.msisdn if transaction else None

        async def perform() -> Response:
            wire.check_content_length(request)
            self._sandbox.admit(request, self._product, "query", msisdn)
            if transaction is None:
                raise Refusal(wire.error("RESOURCE_NOT_FOUND"))
            message = wire.read_notification(values)
            if transaction.status != "SUCCESSFUL":
                raise Refusal(wire.error("NOT_ALLOWED"))
            transaction.notifications.append(message)
            return Response(status_code=200)

        return await self._sandbox.answer("query", msisdn, perform)

    def _accept(self, request: Request, user: ApiUser, order: Order) -> Transaction:
        sandbox = self._sandbox
        reference_id = request.headers.get("x-reference-id", "").lower()
        if not wire.is_uuid4(reference_id):
            raise Refusal(wire.bad_request())
        if (self._kind, reference_id) in sandbox.transactions:
            raise Refusal(wire.error("RESOURCE_ALREADY_EXIST"))
        callback_url = request.headers.get("x-callback-url")
        if callback_url and urlsplit(callback_url).hostname != sandbox.callback_host_of(user):
            raise Refusal(wire.error("INVALID_CALLBACK_URL_HOST"))
        if order.currency != sandbox.currency:
            raise Refusal(wire.error("INVALID_CURRENCY"))
        is_staged = order.reference_id_to_refund in REFUNDS
        original = None
        if self._kind == "refund" and not is_staged:
            original = self._check_refund(order)
        transaction = Transaction(
            kind=self._kind,
            reference_id=reference_id,
            order=order,
            party=dict(original.party if original else order.party or NOBODY),
            callback_url=callback_url,
            original=original,
        )
        self._refuse_at_once(transaction)
        sandbox.transactions[self._kind, reference_id] = transaction
        if original is not None:  # Reserved now, so that two refunds cannot share what is left.
            original.refunded_minor += order.amount_minor
        return transaction

    def _found(self, request: Request) -> Transaction | None:
        return self._sandbox.transactions.get((self._kind, request.path_params["id"].lower()))

    def _collected(self, reference_id: str) -> Transaction | None:
        return self._sandbox.transactions.get(("requesttopay", reference_id))

    def _payer_refunded(self, values: dict[str, object]) -> str | None:
        original = self._collected(str(values.get("referenceIdToRefund", "")))
        return original.msisdn if original else None

    def _check_refund(self, order: Order) -> Transaction:
        """The original of a refund: a successful collection with enough of it left."""
        original = self._collected(order.reference_id_to_refund.lower())
        if original is None:
            raise Refusal(wire.error("RESOURCE_NOT_FOUND"))
        left_minor = original.order.amount_minor - original.refunded_minor
        if original.status != "SUCCESSFUL" or order.amount_minor > left_minor:
            raise Refusal(wire.error("NOT_ALLOWED"))
        return original

    def _refuse_at_once(self, transaction: Transaction) -> None:
        at_once = self._sandbox.settings.refuse_at_once
        match self._scenario(transaction):
            case Refused(code=code):
                raise Refusal(wire.error(code))
            case Fails(reason=reason) if at_once:
                raise Refusal(wire.error(reason))
        if at_once and self._wallet(transaction) is None:
            raise Refusal(wire.error(self._not_found))

    def _scenario(self, transaction: Transaction) -> Scenario | None:
        staged = REFUNDS.get(transaction.order.reference_id_to_refund)
        return staged or SCENARIOS[self._kind].get(transaction.msisdn)

    @property
    def _not_found(self) -> str:
        return "PAYER_NOT_FOUND" if self._kind in TAKES else "PAYEE_NOT_FOUND"

    def _wallet(self, transaction: Transaction) -> Wallet | None:
        return self._sandbox.wallets.find(transaction.msisdn) if transaction.msisdn else None

    async def _carry_out(self, transaction: Transaction) -> None:
        if late := self._sandbox.faults.take(PAID_AFTERWARDS, transaction.msisdn, self._on):
            transaction.status, transaction.reason = "FAILED", "EXPIRED"
            await self._tell(transaction)
            await asyncio.sleep(late.seconds_or_default)
        reason = await self._decide(transaction)
        if reason is None:
            transaction.status, transaction.reason = "SUCCESSFUL", None
        else:
            transaction.status, transaction.reason = "FAILED", reason
            if transaction.original is not None:
                transaction.original.refunded_minor -= transaction.order.amount_minor
        await self._tell(transaction)

    async def _tell(self, transaction: Transaction) -> None:
        if transaction.callback_url is None:  # Without the header there is never a callback.
            return
        await self._sandbox.notify(
            Notice(
                on=self._on,
                msisdn=transaction.msisdn,
                url=transaction.callback_url,
                body=lambda lie: msgspec.json.encode(self._body(transaction, lie)),
                content_type="application/json; charset=utf-8",
                method=self._sandbox.settings.callback_method,
                headers={"User-Agent": "LWAC Http Client 1.0"},
            )
        )

    async def _decide(self, transaction: Transaction) -> str | None:
        """Why it failed; None when the money moved."""
        outcomes = PAYER_OUTCOMES if self._kind in TAKES else PAYEE_OUTCOMES
        match self._sandbox.faults.take(outcomes, transaction.msisdn, self._on):
            case Fault(fault=name):
                await asyncio.sleep(self._sandbox.settings.processing_seconds)
                return _BY_FAULT[name]
        match self._scenario(transaction):
            case Fails(reason=reason):
                await asyncio.sleep(self._sandbox.settings.processing_seconds)
                return reason
            case Waits(status=status):
                if failure := await self._wait_long(transaction, status):
                    return failure
        wallet = self._wallet(transaction)
        if wallet is None:
            return self._not_found
        if self._kind in TAKES:
            return await self._collect(transaction, wallet)
        return await self._pay(transaction, wallet)

    async def _wait_long(self, transaction: Transaction, status: str) -> str | None:
        settings = self._sandbox.settings
        transaction.status = status
        if status == "CREATED":
            await asyncio.sleep(settings.delayed_seconds)
            return None
        await asyncio.sleep(settings.ongoing_seconds)
        return None if settings.ongoing_ends == "SUCCESSFUL" else "EXPIRED"

    async def _collect(self, transaction: Transaction, wallet: Wallet) -> str | None:
        if not wallet.active:
            return "SENDER_ACCOUNT_NOT_ACTIVE"
        order = transaction.order
        approval: Approval = "approved"
        if not self._sandbox.approved(transaction.msisdn):
            approval = await self._sandbox.ask_approval(
                wallet, amount_minor=order.amount_minor, text=self._prompt_text(order)
            )
        if approval != "approved":
            return _BY_APPROVAL[approval]
        receipt = self._sandbox.world.digits(10)
        try:
            self._sandbox.ledger.collect(
                wallet,
                amount_minor=order.amount_minor,
                currency=order.currency,
                reference=transaction.reference_id,
                receipt=receipt,
            )
        except ShortOfFunds:
            return "NOT_ENOUGH_FUNDS"
        transaction.financial_transaction_id = receipt
        return None

    async def _pay(self, transaction: Transaction, wallet: Wallet) -> str | None:
        await asyncio.sleep(self._sandbox.settings.processing_seconds)
        if not wallet.active:
            return "PAYEE_NOT_ALLOWED_TO_RECEIVE"
        order = transaction.order
        receipt = self._sandbox.world.digits(10)
        try:
            self._sandbox.ledger.pay(
                wallet,
                amount_minor=order.amount_minor,
                currency=order.currency,
                reference=transaction.reference_id,
                receipt=receipt,
                kind="refund" if self._kind == "refund" else "disbursement",
                account=self._product,
            )
        except ShortOfFunds:
            return "NOT_ENOUGH_FUNDS"
        transaction.financial_transaction_id = receipt
        return None

    def _prompt_text(self, order: Order) -> str:
        amount = wire.format_minor(order.amount_minor, order.currency)
        whole, dot, decimals = amount.partition(".")
        return (
            f"You are about to pay {order.currency} {int(whole):,}{dot}{decimals} to "
            f"{self._sandbox.settings.business_name}. Reference: {order.external_id or '-'}.\n"
            "Enter MoMo PIN to approve:"
        )

    def _body(self, transaction: Transaction, lie: Lie | None) -> dict[str, object]:
        """The status body and the callback body: the same, without the reference id."""
        order = transaction.order
        amount = wire.add_one(order.amount) if lie == "wrong_amount" else order.amount
        body: dict[str, object] = {
            "amount": amount,
            "currency": order.currency,
            "externalId": order.external_id,
            "payer" if self._kind in TAKES else "payee": transaction.party,
            "payerMessage": order.payer_message,
            "payeeNote": order.payee_note,
            "status": transaction.status,
        }
        if lie == "unknown_status":
            body["status"] = _UNLISTED_STATUS
        elif transaction.status == "SUCCESSFUL":
            body["financialTransactionId"] = transaction.financial_transaction_id
        elif transaction.reason is not None:
            body["reason"] = self._reason(transaction.reason)
        return body

    def _reason(self, reason: str) -> object:
        if self._sandbox.settings.reason_as_object:
            return {"code": reason, "message": wire.MESSAGES.get(reason, reason)}
        return reason

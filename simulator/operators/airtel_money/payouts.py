"""Disbursements: usually over when they are answered. Facts: airtel-money.md, sections 6 and 9."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import PAYEE_OUTCOMES
from simulator.operators.airtel_money import wire
from simulator.operators.airtel_money.enquiry import answer_enquiry, told_of
from simulator.operators.airtel_money.sandbox import AirtelSandbox, Transaction
from simulator.operators.airtel_money.wire import DISBURSEMENT, Order
from simulator.operators.wallets import ShortOfFunds

PIN_DIGITS = 4
_BY_FAULT = {
    "insufficient_funds": DISBURSEMENT + "007",
    "recipient_rejected": DISBURSEMENT + "010",
}


class PayoutApi:
    """The handlers of one version."""

    def __init__(self, sandbox: AirtelSandbox, version: int) -> None:
        self._sandbox = sandbox
        self._version = version

    async def create(self, request: Request) -> Response:
        """POST /standard/v{version}/disbursements/. A used id is DP00900001017."""
        sandbox = self._sandbox
        body, values = await request.body(), await wire.read_json(request)
        msisdn = wire.peek_msisdn(values, sandbox.country)

        async def perform() -> Response:
            sandbox.admit(request, "disburse", msisdn)
            if self._version > 1:
                sandbox.check_signature(request, body, DISBURSEMENT + "016")
            order = wire.read_order(values, "payee", sandbox.currency)
            self._check_version(values)
            wire.check_place(values, sandbox.settings.country, sandbox.currency)
            self._check_pin(values)
            sandbox.refuse_by_code("disburse", msisdn)
            return await self._answer(self._accept(order))

        return await sandbox.answer("disburse", msisdn, perform)

    async def show(self, request: Request) -> Response:
        """GET /standard/v{version}/disbursements/{id}, by our own id."""
        id_ = request.path_params["id"]
        return await answer_enquiry(self._sandbox, request, "disbursement", id_)

    def _check_version(self, values: Mapping[str, Any]) -> None:
        """What only some versions have (the table of section 6)."""
        kind = wire.child(values, "transaction").get("type", None if self._version > 1 else "B2C")
        if kind not in ("B2C", "B2B"):
            raise wire.refusal("ROUTER003")
        wallet = wire.child(values, "payee").get("wallet_type", "")
        if self._version == 3 and wallet not in ("NORMAL", "SALARY"):
            raise wire.refusal("ROUTER003")

    def _check_pin(self, values: Mapping[str, Any]) -> None:
        settings = self._sandbox.settings
        sealed = values.get(settings.pin_field)
        if not isinstance(sealed, str) or not sealed:
            raise wire.refusal("ROUTER003")
        pin = self._sandbox.pin_key.open(sealed, settings.pin_padding)
        # PKCS#1 v1.5 opens a text that was sealed otherwise to random bytes, sometimes to a digit.
        if pin is None or len(pin) != PIN_DIGITS or not pin.isdigit():
            raise wire.refusal("ROUTER116")
        if pin.decode() != settings.pin:
            raise wire.refusal("ROUTER115")

    def _accept(self, order: Order) -> Transaction:
        sandbox, settings = self._sandbox, self._sandbox.settings
        lenient = settings.lenient_msisdn
        national = wire.check_msisdn(order.msisdn, sandbox.country, lenient=lenient)
        msisdn = sandbox.country.code + national
        if ("disbursement", order.id) in sandbox.transactions:
            raise wire.refusal(DISBURSEMENT + "017", result="ESB000041")
        if not settings.amount_minor_min <= order.amount_minor <= settings.amount_minor_max:
            raise wire.refusal(DISBURSEMENT + "004")
        if sandbox.wallets.find(msisdn) is None:
            raise wire.refusal(DISBURSEMENT + "012")
        transaction = Transaction("disbursement", order.id, order, msisdn)
        sandbox.transactions["disbursement", order.id] = transaction
        return transaction

    async def _answer(self, transaction: Transaction) -> Response:
        sandbox = self._sandbox
        if sandbox.settings.payouts == "later":
            sandbox.spawn(self._carry_out(transaction))
        else:
            await self._carry_out(transaction)
        if transaction.status == "TF" and sandbox.settings.payout_failures == "error":
            raise wire.refusal(transaction.code)
        told = told_of(sandbox, transaction)
        told["reference_id"] = sandbox.world.digits(12)
        code = transaction.code or DISBURSEMENT + "006"
        return wire.envelope(code, data={"transaction": told})

    async def _carry_out(self, transaction: Transaction) -> None:
        await asyncio.sleep(self._sandbox.settings.processing_seconds)
        transaction.code = self._pay(transaction)
        transaction.status = "TS" if transaction.code == DISBURSEMENT + "001" else "TF"

    def _pay(self, transaction: Transaction) -> str:
        """Its code: the money has moved with …001 alone."""
        sandbox = self._sandbox
        if code := sandbox.take_code("disburse", transaction.msisdn, ends=True):
            return code.code
        if fault := sandbox.faults.take(PAYEE_OUTCOMES, transaction.msisdn, "disburse"):
            return _BY_FAULT[fault.fault]
        wallet = sandbox.wallets.find(transaction.msisdn)
        if wallet is None or not wallet.active:
            return DISBURSEMENT + "010"
        receipt = f"pay-{sandbox.receipt('CI')}"
        try:
            sandbox.ledger.pay(
                wallet,
                amount_minor=transaction.order.amount_minor,
                currency=sandbox.currency,
                reference=transaction.id,
                receipt=receipt,
            )
        except ShortOfFunds:
            return DISBURSEMENT + "007"
        transaction.airtel_money_id = receipt
        return DISBURSEMENT + "001"

"""B2B: cash out of a payer's wallet after a prompt, cash into a payee's; asked about by their id.

Facts: reference orange-money.md, section 2.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.faults import UNKNOWN_STATUS, FaultTarget, Refusal
from simulator.operators import credentials
from simulator.operators.admin import json_response
from simulator.operators.base import Lie, Notice
from simulator.operators.orange_money.sandbox import OrangeSandbox, Payment
from simulator.operators.orange_money.wire import Reader

_UNLISTED_STATUS = "EN_COURS"


def routes(sandbox: OrangeSandbox) -> list[Route]:
    """`cashin` goes by a second name too (section 2)."""
    api = _B2b(sandbox)
    below = f"/orange-money-b2b/v1/{sandbox.settings.country_code}/transactions"
    cashout = sandbox.calling("collect", api.cash_out, api.number_of)
    cashin = sandbox.calling("disburse", api.cash_in, api.number_of)
    return [
        Route("/oauth/{version}/token", sandbox.issue_token, methods=["POST"]),
        Route(f"{below}/cashout", cashout, methods=["POST"]),
        Route(f"{below}/cashin", cashin, methods=["POST"]),
        Route(f"{below}/omdcashin", cashin, methods=["POST"]),
        Route(below + "/{id}", api.show, methods=["GET"]),
    ]


class _B2b:
    def __init__(self, sandbox: OrangeSandbox) -> None:
        self._sandbox = sandbox

    def number_of(self, values: dict[str, object]) -> str | None:
        number = values.get("peerId")
        return self._sandbox.international(number) if isinstance(number, str) else None

    async def cash_out(self, request: Request, values: dict[str, object]) -> Response:
        del request
        return await self._accept(self._read(values, "collection"), "collect")

    async def cash_in(self, request: Request, values: dict[str, object]) -> Response:
        del request
        if not self._sandbox.settings.cashin_allowed:
            raise Refusal(self._sandbox.words.not_found())
        return await self._accept(self._read(values, "disbursement"), "disburse")

    async def show(self, request: Request) -> Response:
        """By the caller's own id."""
        sandbox = self._sandbox
        payment = sandbox.payments.get(request.path_params["id"])
        msisdn = payment.msisdn if payment else None

        async def perform() -> Response:
            sandbox.admit(request, "query", msisdn)
            if payment is None:
                raise Refusal(sandbox.words.not_found())
            is_odd = sandbox.faults.take(UNKNOWN_STATUS, msisdn, "query")
            return json_response(self._shown(payment, _UNLISTED_STATUS if is_odd else None))

        return await sandbox.answer("query", msisdn, perform)

    def _read(self, values: dict[str, object], kind: str) -> Payment:
        sandbox = self._sandbox
        reader = Reader(values, sandbox.words)
        reader.one_of("peerIdType", "msisdn")
        reader.one_of("currency", sandbox.currency)
        reader.one_of("posId", credentials.ORANGE_SANDBOX_POS_ID)
        transaction_id = reader.text("transactionId", length_max=36)
        if not _is_uuid(transaction_id):
            raise reader.wrong("transactionId")
        if transaction_id in sandbox.payments:
            # What the real one says to a doubled id is written nowhere: this is the sandbox's own.
            raise Refusal(sandbox.words.bad_request("transactionId already used"))
        return Payment(
            transaction_id,
            "collection" if kind == "collection" else "disbursement",
            sandbox.international(reader.digits("peerId", 9)),
            reader.amount_minor("amount", sandbox.currency),
            "PENDING",
            sandbox.world.clock(),
            receipt=sandbox.receipt(),
        )

    async def _accept(self, payment: Payment, on: FaultTarget) -> Response:
        self._sandbox.payments[payment.reference] = payment
        accepted = json_response(self._shown(payment, None), 202)
        await self._sandbox.start(on, payment.msisdn, self._carry_out(payment, on))
        return accepted

    async def _carry_out(self, payment: Payment, on: FaultTarget) -> None:
        sandbox = self._sandbox
        wallet = sandbox.wallets.find(payment.msisdn)
        failure = sandbox.forced_failure(payment, on)
        if failure is None and wallet is not None and payment.kind == "collection":
            failure = await sandbox.approved(payment, wallet)
        else:
            await asyncio.sleep(sandbox.settings.processing_seconds)
        if failure is None:
            failure = sandbox.move(payment, wallet) if wallet else "no_wallet"
        payment.status = "FAILED" if failure else "SUCCESS"
        if not sandbox.settings.notify_url:
            return
        agreed = sandbox.settings.notify_authorization
        await sandbox.notify(
            Notice(
                on=on,
                msisdn=payment.msisdn,
                url=sandbox.settings.notify_url,
                body=lambda lie: self._notification(payment, lie),
                content_type="application/json",
                headers={"Authorization": agreed} if agreed else {},
            )
        )

    def _facts(self, payment: Payment) -> dict[str, object]:
        return {
            "peerId": self._sandbox.national(payment.msisdn),
            "peerIdType": "msisdn",
            "amount": self._sandbox.major(payment.amount_minor),
            "currency": self._sandbox.currency,
        }

    def _shown(self, payment: Payment, status: str | None) -> dict[str, object]:
        status = status or payment.status
        if self._sandbox.settings.flat_answers:
            return {
                "transactionId": payment.reference,
                "status": status,
                "reference": payment.receipt,
            }
        return {
            "status": status,
            "message": "Your request has been received",
            "transactionData": {
                "type": "cashout" if payment.kind == "collection" else "cashin",
                **self._facts(payment),
                "posId": credentials.ORANGE_SANDBOX_POS_ID,
                "transactionId": payment.reference,
                "txnId": payment.receipt,
            },
        }

    def _notification(self, payment: Payment, lie: Lie | None) -> bytes:
        told = {
            "transactionId": payment.reference,
            "status": _UNLISTED_STATUS if lie == "unknown_status" else payment.status,
            **self._facts(payment),
            "reference": payment.receipt,
        }
        if lie == "wrong_amount":
            told["amount"] = self._sandbox.major(payment.amount_minor) + 1
        return msgspec.json.encode(told)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False

"""Cameroon's core API: init, pay, push and paymentstatus, for payments, cash in and cash out.

Facts: reference orange-money.md, section 3.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.faults import UNKNOWN_STATUS, FaultTarget, Refusal
from simulator.operators import credentials
from simulator.operators.admin import json_response
from simulator.operators.base import Lie, Notice
from simulator.operators.orange_money import wire
from simulator.operators.orange_money.sandbox import Failure, OrangeSandbox, Payment
from simulator.operators.orange_money.wire import Reader

Product = Literal["mp", "cashin", "cashout"]
_TARGETS: dict[Product, FaultTarget] = {
    "mp": "collect",
    "cashin": "disburse",
    "cashout": "collect",
}
_UNLISTED_STATUS = "EN_COURS"
# What a refused `pay` says. 60019 is documented; the other codes are this sandbox's own.
_REFUSALS: dict[Failure, tuple[str, str]] = {
    "no_money": ("60019", "Le solde du compte du payeur est insuffisant"),
    "no_wallet": ("00017", "Beneficiaire introuvable"),
    "barred": ("00042", "Utilisateur bloque"),
    "wrong_pin": ("00068", "Le code PIN est incorrect"),
}


def routes(sandbox: OrangeSandbox) -> list[Route]:
    """Three products with the same four calls; cash in has no push."""
    found = [Route("/token", sandbox.issue_token, methods=["POST"])]
    products: tuple[Product, ...] = ("mp", "cashin", "cashout")
    for product in products:
        api = _Core(sandbox, product)
        base = f"/omcoreapis/1.0.2/{product}"
        found += [
            Route(f"{base}/init", api.init, methods=["POST"]),
            Route(f"{base}/pay", api.pay, methods=["POST"]),
            Route(base + "/paymentstatus/{token}", api.show, methods=["GET"]),
        ]
        if product != "cashin":
            found.append(Route(base + "/push/{token}", api.show, methods=["GET"]))
    return found


class _Core:
    def __init__(self, sandbox: OrangeSandbox, product: Product) -> None:
        self._sandbox = sandbox
        self._product = product
        self._on = _TARGETS[product]
        self._free: set[str] = set()

    async def init(self, request: Request) -> Response:
        async def perform() -> Response:
            self._admit(request, "query", None)
            now = self._sandbox.world.clock()
            token = f"MP{now:%y%m%d}{self._sandbox.world.receipt_letters(10)}"
            self._free.add(token)
            return json_response(
                {
                    "message": "Payment request successfully initiated",
                    "data": {"payToken": token},
                }
            )

        # A fault of the payment must not be used up by the call that only prepares it.
        return await self._guarded(perform)

    async def pay(self, request: Request) -> Response:
        values = await wire.read_json(request)
        number = values.get("subscriberMsisdn")
        msisdn = self._sandbox.international(number) if isinstance(number, str) else None

        async def perform() -> Response:
            self._admit(request, self._on, msisdn)
            return await self._pay(Reader(values, self._sandbox.words))

        return await self._sandbox.answer(self._on, msisdn, perform)

    async def show(self, request: Request) -> Response:
        """paymentstatus, and push, which shows the prompt again where it still is on screen."""
        payment = self._sandbox.payments.get(request.path_params["token"])
        msisdn = payment.msisdn if payment else None

        async def perform() -> Response:
            self._admit(request, "query", msisdn)
            if payment is None:
                raise Refusal(json_response({"message": "Transaction introuvable"}, 404))
            body = self._body(payment, payment.note or "Payment request successfully initiated")
            if self._sandbox.faults.take(UNKNOWN_STATUS, msisdn, "query"):
                body["data"]["status"] = _UNLISTED_STATUS
            return json_response(body)

        return await self._sandbox.answer("query", msisdn, perform)

    async def _guarded(self, perform: Callable[[], Awaitable[Response]]) -> Response:
        try:
            return await perform()
        except Refusal as refusal:
            return refusal.response

    async def _pay(self, reader: Reader) -> Response:
        sandbox = self._sandbox
        reader.one_of("channelUserMsisdn", credentials.ORANGE_SANDBOX_CHANNEL_MSISDN)
        token = reader.text("payToken")
        payment = Payment(
            reader.text("orderId", length_max=20),
            "collection" if self._product != "cashin" else "disbursement",
            sandbox.international(reader.digits("subscriberMsisdn", 9)),
            reader.amount_minor("amount", sandbox.currency, as_text=True),
            "PENDING",
            sandbox.world.clock(),
            notify_url=reader.text("notifUrl"),
            receipt=sandbox.receipt(),
            token=token,
        )
        if token not in self._free:
            raise Refusal(self._refused(payment, ("00404", "payToken inconnu ou deja utilise")))
        failure = self._refusal(payment, reader.text("pin"))
        if failure is not None:
            raise Refusal(self._refused(payment, _REFUSALS[failure]))
        self._free.remove(token)
        sandbox.payments[token] = payment
        answer = json_response(self._body(payment, "Merchant payment successfully initialized"))
        await sandbox.start(self._on, payment.msisdn, self._carry_out(payment))
        return answer

    def _refusal(self, payment: Payment, pin: str) -> Failure | None:
        """What is seen before anybody is asked."""
        sandbox = self._sandbox
        if pin != credentials.ORANGE_SANDBOX_PIN:
            return "wrong_pin"
        forced = sandbox.forced_failure(payment, self._on)
        if forced is not None and forced in _REFUSALS:
            return forced
        if forced is not None:
            payment.code = forced
        wallet = sandbox.wallets.find(payment.msisdn)
        if wallet is None:
            return "no_wallet"
        if not wallet.active:
            return "barred"
        held = (
            wallet.balance_minor
            if payment.kind == "collection"
            else sandbox.ledger.balances_minor["disbursement"]
        )
        return "no_money" if held < payment.amount_minor else None

    async def _carry_out(self, payment: Payment) -> None:
        sandbox = self._sandbox
        wallet = sandbox.wallets.open(payment.msisdn)
        failure: str | None = payment.code or None
        if payment.kind == "collection" and failure is None:
            failure = await sandbox.approved(payment, wallet)
        else:
            await asyncio.sleep(sandbox.settings.processing_seconds)
        if failure is None:
            failure = sandbox.move(payment, wallet)
        payment.status = "SUCCESSFULL"
        if failure is not None:
            payment.status = {"declined": "CANCELLED", "expired": "EXPIRED"}.get(failure, "FAILED")
        await sandbox.notify(
            Notice(
                on=self._on,
                msisdn=payment.msisdn,
                url=payment.notify_url,
                body=lambda lie: self._notification(payment, lie),
                content_type="application/json",
            )
        )

    def _refused(self, payment: Payment, why: tuple[str, str]) -> Response:
        payment.status, (code, text) = "FAILED", why
        body = self._body(payment, text)
        body["data"]["inittxnstatus"], body["data"]["inittxnmessage"] = code, text
        return json_response(body, 417)

    def _body(self, payment: Payment, message: str) -> dict[str, Any]:
        sandbox = self._sandbox
        return {
            "message": message,
            "data": {
                "id": len(sandbox.payments) + 1,
                "createtime": str(int(payment.created_at.timestamp())),
                "subscriberMsisdn": sandbox.national(payment.msisdn),
                "amount": sandbox.major(payment.amount_minor),
                "payToken": payment.token,
                "txnid": payment.receipt,
                "txnmode": payment.reference,
                "inittxnmessage": "Paiement initie, a confirmer avec le code PIN",
                "inittxnstatus": "200",
                "confirmtxnstatus": "200" if payment.status == "SUCCESSFULL" else None,
                "confirmtxnmessage": None,
                "status": payment.status,
                "notifUrl": payment.notify_url,
                "description": "demo",
                "channelUserMsisdn": credentials.ORANGE_SANDBOX_CHANNEL_MSISDN,
            },
        }

    def _notification(self, payment: Payment, lie: Lie | None) -> bytes:
        """No amount is in it, so it cannot lie about one."""
        status = _UNLISTED_STATUS if lie == "unknown_status" else payment.status
        told = {"payToken": payment.token, "status": status, "message": "Transaction terminee"}
        return msgspec.json.encode(told)

    def _admit(self, request: Request, on: FaultTarget, msisdn: str | None) -> None:
        self._sandbox.admit(request, on, msisdn)
        both = f"{credentials.ORANGE_SANDBOX_API_USER}:{credentials.ORANGE_SANDBOX_API_PASSWORD}"
        if _decoded(request.headers.get("x-auth-token", "")) != both:
            words = self._sandbox.words
            raise Refusal(words.error(403, "900908", "Resource forbidden"))


def _decoded(header: str) -> str:
    try:
        return base64.b64decode(header, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""

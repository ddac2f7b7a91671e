"""Sonatel's eWallet: links that are paid in Orange's own app, payments by code, cash in, search.

Facts: reference orange-money.md, section 4.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.faults import UNKNOWN_STATUS, FaultTarget, Refusal
from simulator.operators import credentials
from simulator.operators.admin import PREFIX, json_response
from simulator.operators.base import Lie, Notice
from simulator.operators.mpesa.access import process_key
from simulator.operators.orange_money import wire
from simulator.operators.orange_money.sandbox import OrangeSandbox, Payment
from simulator.operators.orange_money.wire import Reader

KEY_REVOKED, LINK_EXPIRED = "4003", "4004"
_REFUSED = "2020"  # this sandbox's own: of business codes only the two above are documented
_DAY_SECONDS = 86400
_UNLISTED_STATUS = "EN_COURS"
_PAGE = '<html><body><form method="post"><input name="msisdn"></form><p>{note}</p></body></html>'


def routes(sandbox: OrangeSandbox) -> list[Route]:
    """The token is served under its older path too."""
    api = _EWallet(sandbox)

    async def token(request: Request) -> Response:
        return await sandbox.issue_token(request, by_form=True)

    wallet = "/api/eWallet/v1"
    link = sandbox.calling("collect", api.make_link, lambda _: None)
    cashin = sandbox.calling("disburse", api.cash_in, api.customer_of)
    onestep = sandbox.calling("collect", api.pay_by_code, api.customer_of)
    code = sandbox.calling("query", api.show_code, lambda _: None)
    register = sandbox.calling("query", api.register, lambda _: None)
    return [
        Route("/oauth/v1/token", token, methods=["POST"]),
        Route("/oauth/token", token, methods=["POST"]),
        Route("/api/account/v1/publicKeys", api.show_key, methods=["GET"]),
        Route("/api/eWallet/v4/qrcode", link, methods=["POST"]),
        Route("/links/{id}", api.open_link, methods=["GET", "POST"]),
        Route(f"{wallet}/cashins", cashin, methods=["POST"]),
        Route(f"{wallet}/payments/onestep", onestep, methods=["POST"]),
        Route(f"{wallet}/payments/otp", code, methods=["POST"]),
        Route(f"{wallet}/transactions", api.search, methods=["GET"]),
        Route(wallet + "/transactions/{id}/status", api.show_status, methods=["GET"]),
        Route("/api/notification/v1/merchantcallback", register, methods=["POST"]),
        Route(f"{PREFIX}/otp", sandbox.tell_code, methods=["POST"]),
    ]


class _EWallet:
    def __init__(self, sandbox: OrangeSandbox) -> None:
        self._sandbox = sandbox
        self._links: dict[str, Payment] = {}
        self._validity_seconds: dict[str, int] = {}
        self._registered_url = ""

    def customer_of(self, values: dict[str, Any]) -> str | None:
        customer = values.get("customer")
        number = customer.get("id") if isinstance(customer, dict) else None
        return self._sandbox.international(number) if isinstance(number, str) else None

    async def show_key(self, request: Request) -> Response:
        async def perform() -> Response:
            self._sandbox.admit(request, "query", None)
            spki = (
                process_key()
                .public_key()
                .public_bytes(
                    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )
            key = base64.b64encode(spki).decode()
            return json_response({"keyId": self._sandbox.world.hex(8), "key": key})

        try:  # a fault that is armed for a question must not be used up by this one
            return await perform()
        except Refusal as refusal:
            return refusal.response

    async def make_link(self, request: Request, values: dict[str, Any]) -> Response:
        """QR code and links; paid once or more often, as the restrictions say."""
        sandbox = self._sandbox
        reader = Reader(values, sandbox.words)
        reader.one_of("code", credentials.ORANGE_SANDBOX_MERCHANT_CODE)
        reader.text("name")
        validity = values.get("validity")
        if type(validity) is not int or not 0 < validity <= _DAY_SECONDS:
            raise reader.wrong("validity")
        link_id = sandbox.world.hex(16)
        self._links[link_id] = Payment(
            str(values.get("reference", "")), "collection", "", self._amount(reader),
            "PRE_INITIATED", sandbox.world.clock(),
            notify_url=request.headers.get("x-callback-url", self._registered_url),
        )  # fmt: skip
        self._validity_seconds[link_id] = validity
        url = f"{sandbox.origin(request)}/links/{link_id}"
        return json_response(
            {
                "qrId": link_id,
                "qrCode": "iVBORw0KGgo=",
                "deepLink": url,
                "deepLinks": {"MAXIT": url, "OM": url},
                "shortLink": url,
                "validity": validity,
                "validFor": {"startDateTime": self._links[link_id].created_at.isoformat()},
            }
        )

    async def open_link(self, request: Request) -> Response:
        """The payer's app; a POST names the wallet, whose holder is then asked for the PIN."""
        sandbox = self._sandbox
        link_id = request.path_params["id"]
        payment = self._links.get(link_id)
        if payment is None:
            return sandbox.words.not_found()
        age = (sandbox.world.clock() - payment.created_at).total_seconds()
        if age > self._validity_seconds[link_id]:
            return sandbox.words.error(400, LINK_EXPIRED, "QR code expired")
        if request.method == "POST" and payment.status == "PRE_INITIATED":
            form = await wire.read_form(request)
            payment.msisdn = sandbox.international(form.get("msisdn", ""))
            payment.status, payment.receipt = "INITIATED", sandbox.receipt()
            sandbox.payments[payment.receipt] = payment
            await sandbox.start("collect", payment.msisdn, self._pay_by_link(payment))
        return Response(_PAGE.format(note=payment.status), media_type="text/html")

    async def cash_in(self, request: Request, values: dict[str, Any]) -> Response:
        """Over at once."""
        del request
        sandbox = self._sandbox
        reader = Reader(values, sandbox.words)
        partner = reader.child("partner")
        partner.one_of("idType", "MSISDN")
        partner.one_of("id", credentials.ORANGE_SANDBOX_AGENT_MSISDN)
        self._check_pin(partner.text("encryptedPinCode", length_max=1024))
        payment = self._ordered(reader, "disbursement")
        failure = sandbox.forced_failure(payment, "disburse")
        wallet = sandbox.wallets.find(payment.msisdn)
        if failure is None:
            failure = sandbox.move(payment, wallet) if wallet else "no_wallet"
        if failure is not None:
            raise Refusal(sandbox.words.error(400, _REFUSED, failure))
        return self._done(payment)

    async def pay_by_code(self, request: Request, values: dict[str, Any]) -> Response:
        """One step: the payer told their one-time code to the merchant."""
        del request
        sandbox = self._sandbox
        reader = Reader(values, sandbox.words)
        reader.child("partner").one_of("id", credentials.ORANGE_SANDBOX_MERCHANT_CODE)
        payment = self._ordered(reader, "collection")
        if not sandbox.spend_code(payment.msisdn, reader.child("customer").text("otp")):
            raise Refusal(sandbox.words.error(400, _REFUSED, "wrong one-time code"))
        wallet = sandbox.wallets.find(payment.msisdn)
        failure = sandbox.move(payment, wallet) if wallet else "no_wallet"
        if failure is not None:
            raise Refusal(sandbox.words.error(400, _REFUSED, failure))
        return self._done(payment)

    async def show_code(self, request: Request, values: dict[str, Any]) -> Response:
        """A one-time code for tests; only the real sandbox has this too."""
        del request
        sandbox = self._sandbox
        reader = Reader(values, sandbox.words)
        msisdn = sandbox.international(reader.digits("id", 9))
        wallet = sandbox.wallets.find(msisdn)
        if wallet is None or self._opened(reader.text("encryptedPinCode", length_max=1024)) != (
            wallet.pin
        ):
            raise Refusal(sandbox.words.error(400, _REFUSED, "wrong PIN"))
        sandbox.codes[msisdn] = sandbox.world.digits(6)
        return json_response({"otp": sandbox.codes[msisdn]})

    async def search(self, request: Request) -> Response:
        """Every transaction that fits what is asked."""
        sandbox, wanted = self._sandbox, request.query_params
        found = [
            payment
            for payment in sandbox.payments.values()
            if wanted.get("reference") in (None, payment.reference)
            and wanted.get("status") in (None, payment.status)
            and wanted.get("type") in (None, _type(payment))
        ]
        msisdn = found[0].msisdn if found else None

        async def perform() -> Response:
            sandbox.admit(request, "query", msisdn)
            is_odd = sandbox.faults.take(UNKNOWN_STATUS, msisdn, "query")
            lie: Lie | None = "unknown_status" if is_odd else None
            return json_response([self._shown(payment, lie) for payment in found])

        return await sandbox.answer("query", msisdn, perform)

    async def show_status(self, request: Request) -> Response:
        sandbox = self._sandbox
        payment = sandbox.payments.get(request.path_params["id"])
        msisdn = payment.msisdn if payment else None

        async def perform() -> Response:
            sandbox.admit(request, "query", msisdn)
            if payment is None:
                raise Refusal(sandbox.words.not_found())
            is_odd = sandbox.faults.take(UNKNOWN_STATUS, msisdn, "query")
            return json_response({"status": _UNLISTED_STATUS if is_odd else payment.status})

        return await sandbox.answer("query", msisdn, perform)

    async def register(self, request: Request, values: dict[str, Any]) -> Response:
        """Where notifications go that no call directs elsewhere."""
        del request
        reader = Reader(values, self._sandbox.words)
        reader.one_of("code", credentials.ORANGE_SANDBOX_MERCHANT_CODE)
        self._registered_url = reader.text("callbackUrl")
        return json_response({"code": reader.text("code"), "callbackUrl": self._registered_url})

    async def _pay_by_link(self, payment: Payment) -> None:
        sandbox = self._sandbox
        wallet = sandbox.wallets.find(payment.msisdn)
        payment.status = "PENDING"
        failure = sandbox.forced_failure(payment, "collect")
        if failure is None and wallet is not None:
            failure = await sandbox.approved(payment, wallet)
        if failure is None:
            failure = sandbox.move(payment, wallet) if wallet else "no_wallet"
        payment.status = "SUCCESS"
        if failure is not None:
            payment.status = "CANCELLED" if failure == "declined" else "FAILED"
        if payment.notify_url:
            await self._notify(payment, "collect")

    def _done(self, payment: Payment) -> Response:
        payment.status = "SUCCESS"
        assert payment.receipt is not None
        self._sandbox.payments[payment.receipt] = payment
        return json_response({"transactionId": payment.receipt, "status": payment.status})

    def _ordered(self, reader: Reader, kind: str) -> Payment:
        customer = reader.child("customer")
        customer.one_of("idType", "MSISDN")
        return Payment(
            reader.text("reference"),
            "collection" if kind == "collection" else "disbursement",
            self._sandbox.international(customer.digits("id", 9)),
            self._amount(reader),
            "INITIATED",
            self._sandbox.world.clock(),
            receipt=self._sandbox.receipt("CI" if kind == "disbursement" else "MP"),
        )

    def _amount(self, reader: Reader) -> int:
        amount = reader.child("amount")
        amount.one_of("unit", self._sandbox.currency)
        return amount.amount_minor("value", self._sandbox.currency)

    def _check_pin(self, sealed: str) -> None:
        sandbox = self._sandbox
        if sandbox.settings.retires_key:
            sandbox.settings.retires_key = False
            raise Refusal(sandbox.words.error(400, KEY_REVOKED, "Key revoked"))
        if self._opened(sealed) != credentials.ORANGE_SANDBOX_PIN:
            raise Refusal(sandbox.words.error(400, _REFUSED, "wrong PIN"))

    @staticmethod
    def _opened(sealed: str) -> str | None:
        """RSA PKCS#1 v1.5 over the PIN, in Base64."""
        try:
            opened = process_key().decrypt(base64.b64decode(sealed, validate=True), _PADDING)
            return opened.decode()
        except (binascii.Error, ValueError):
            return None

    async def _notify(self, payment: Payment, on: FaultTarget) -> None:
        """The signature is over the very bytes, so it is made when they are, lies included."""
        sandbox = self._sandbox
        headers = {
            "Authorization": f"Basic {credentials.ORANGE_SANDBOX_API_KEY}",
            "X-Sonatel-Idempotency-Key": sandbox.world.hex(32),
        }

        def write(lie: Lie | None) -> bytes:
            body = msgspec.json.encode(self._shown(payment, lie))
            if sandbox.settings.signs:
                headers["X-Sonatel-Signature"] = self._signature(body)
            return body

        await sandbox.notify(
            Notice(
                on=on,
                msisdn=payment.msisdn,
                url=payment.notify_url,
                body=write,
                content_type="application/json",
                headers=headers,
            )
        )

    def _signature(self, body: bytes) -> str:
        at = str(int(self._sandbox.world.clock().timestamp()))
        secret = credentials.ORANGE_SANDBOX_SIGNING_SECRET.encode()
        signed = hmac.new(secret, at.encode() + b"," + body, hashlib.sha256).hexdigest()
        return f"t={at},v1={signed}"

    def _shown(self, payment: Payment, lie: Lie | None) -> dict[str, Any]:
        sandbox = self._sandbox
        more = 1 if lie == "wrong_amount" else 0
        return {
            "amount": {
                "value": sandbox.major(payment.amount_minor) + more,
                "unit": sandbox.currency,
            },
            "partner": {"idType": "CODE", "id": credentials.ORANGE_SANDBOX_MERCHANT_CODE},
            "customer": {"idType": "MSISDN", "id": sandbox.national(payment.msisdn)},
            "reference": payment.reference,
            "type": _type(payment),
            "channel": "API",
            "transactionId": payment.receipt,
            "paymentMethod": "QRCODE",
            "status": _UNLISTED_STATUS if lie == "unknown_status" else payment.status,
            "metadata": {},
        }


_PADDING = padding.PKCS1v15()


def _type(payment: Payment) -> str:
    return "MERCHANT_PAYMENT" if payment.kind == "collection" else "CASHIN"

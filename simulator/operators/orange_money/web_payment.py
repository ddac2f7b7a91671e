"""Web Payment: a page per order, paid by a number and its one-time code, asked about by token.

Facts: reference orange-money.md, section 1.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.faults import UNKNOWN_STATUS, Refusal
from simulator.operators import credentials
from simulator.operators.admin import PREFIX, json_response
from simulator.operators.base import Lie, Notice
from simulator.operators.orange_money import wire
from simulator.operators.orange_money.sandbox import OrangeSandbox, Payment
from simulator.operators.orange_money.wire import Reader

_TEXT_MAX = 30
_URL_MAX = 120
_UNLISTED_STATUS = "EN_COURS"
_PAGE = """<html><body><form method="post"><input name="msisdn"><input name="otp">
<button>Confirmer</button></form><p>{note}</p></body></html>"""


def routes(sandbox: OrangeSandbox) -> list[Route]:
    """Every version of the token's path works; the page's is whatever `payment_url` says."""
    api = _WebPayment(sandbox)
    below = f"/orange-money-webpay/{sandbox.settings.country_code}/v1"
    start = sandbox.calling("collect", api.start, lambda _: None)
    status = sandbox.calling("query", api.status, lambda values: api.payer_of(values))
    return [
        Route("/oauth/{version}/token", sandbox.issue_token, methods=["POST"]),
        Route(f"{below}/webpayment", start, methods=["POST"]),
        Route(f"{below}/transactionstatus", status, methods=["POST"]),
        Route("/payment/pay_token/{token}", api.page, methods=["GET", "POST"]),
        Route(f"{PREFIX}/otp", sandbox.tell_code, methods=["POST"]),
    ]


class _WebPayment:
    def __init__(self, sandbox: OrangeSandbox) -> None:
        self._sandbox = sandbox
        self._order_ids: set[str] = set()

    def payer_of(self, values: dict[str, object]) -> str | None:
        payment = self._sandbox.payments.get(str(values.get("pay_token")))
        return payment.msisdn or None if payment else None

    async def start(self, request: Request, values: dict[str, object]) -> Response:
        """201, the page and both tokens (1.2)."""
        sandbox = self._sandbox
        reader = Reader(values, sandbox.words)
        if reader.text("merchant_key") != credentials.ORANGE_SANDBOX_MERCHANT_KEY:
            raise reader.wrong("merchant_key")
        currency = "OUV" if sandbox.settings.country_code == "dev" else sandbox.currency
        reader.one_of("currency", currency)
        reader.one_of("lang", "fr", "en")
        reader.text("reference", length_max=_TEXT_MAX)
        for name in ("return_url", "cancel_url", "notif_url"):
            self._check_url(reader, name)
        order_id = reader.text("order_id", length_max=_TEXT_MAX)
        amount_minor = reader.amount_minor("amount", sandbox.currency)
        if order_id in self._order_ids:
            raise Refusal(sandbox.words.error(403, "50", "order_id already used"))
        self._order_ids.add(order_id)
        payment = Payment(
            order_id, "collection", "", amount_minor, "INITIATED", sandbox.world.clock(),
            notify_url=reader.text("notif_url"), token=sandbox.world.hex(64),
            note=sandbox.world.hex(32),
        )  # fmt: skip
        sandbox.payments[payment.token] = payment
        return json_response(
            {
                "status": 201,
                "message": "OK",
                "pay_token": payment.token,
                "payment_url": f"{sandbox.origin(request)}/payment/pay_token/{payment.token}",
                "notif_token": payment.note,
            },
            201,
        )

    async def status(self, request: Request, values: dict[str, object]) -> Response:
        """All three of the start call must match (1.4)."""
        del request
        sandbox = self._sandbox
        reader = Reader(values, sandbox.words)
        payment = sandbox.payments.get(reader.text("pay_token"))
        if (
            payment is None
            or payment.reference != reader.text("order_id")
            or payment.amount_minor != reader.amount_minor("amount", sandbox.currency)
        ):
            raise Refusal(sandbox.words.not_found())
        is_odd = sandbox.faults.take(UNKNOWN_STATUS, payment.msisdn or None, "query")
        return json_response(
            {
                "status": _UNLISTED_STATUS if is_odd else payment.status,
                "order_id": payment.reference,
                "txnid": payment.receipt,
            },
            201,
        )

    async def page(self, request: Request) -> Response:
        """What the payer sees; a POST is the press on "confirm"."""
        payment = self._sandbox.payments.get(request.path_params["token"])
        if payment is None:
            return Response("<html>404</html>", 404, media_type="text/html")
        if request.method == "POST" and payment.status == "INITIATED":
            form = await wire.read_form(request)
            msisdn = self._sandbox.international(form.get("msisdn", ""))
            if not self._sandbox.spend_code(msisdn, form.get("otp", "")):
                return Response(_PAGE.format(note="Code invalide"), media_type="text/html")
            payment.msisdn, payment.status = msisdn, "PENDING"
            await self._sandbox.start("collect", msisdn, self._carry_out(payment))
        return Response(_PAGE.format(note=payment.status), media_type="text/html")

    async def _carry_out(self, payment: Payment) -> None:
        """The one-time code was the approval; a page that was too old takes no money."""
        sandbox = self._sandbox
        age = sandbox.world.clock() - payment.created_at
        if age > timedelta(seconds=sandbox.settings.page_seconds):
            payment.status = "EXPIRED"
            return
        wallet = sandbox.wallets.find(payment.msisdn)
        failure = sandbox.forced_failure(payment, "collect")
        if failure is None:
            failure = sandbox.move(payment, wallet) if wallet else "no_wallet"
        payment.status = "FAILED" if failure else "SUCCESS"
        await sandbox.notify(
            Notice(
                on="collect",
                msisdn=payment.msisdn,
                url=payment.notify_url,
                body=lambda lie: self._notification(payment, lie),
                content_type="application/json",
            )
        )

    def _notification(self, payment: Payment, lie: Lie | None) -> bytes:
        """Neither order nor amount is in it, so it cannot lie about an amount (1.3)."""
        status = _UNLISTED_STATUS if lie == "unknown_status" else payment.status
        return msgspec.json.encode(
            {"status": status, "notif_token": payment.note, "txnid": payment.receipt}
        )

    def _check_url(self, reader: Reader, name: str) -> None:
        host = urlsplit(reader.text(name, length_max=_URL_MAX)).hostname
        if not host or (self._sandbox.settings.refuses_localhost and host in _LOCAL):
            raise reader.wrong(name)


_LOCAL = ("localhost", "127.0.0.1")

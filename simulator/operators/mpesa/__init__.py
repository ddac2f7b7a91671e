"""A sandbox of Safaricom's M-PESA (Daraja), by its reference alone.

Any client of the real service works against it unchanged but for the base URL. It keeps wallets,
asks payers, refuses what the operator refuses, and can be told to fail.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.faults import TOKEN
from simulator.operators.admin import PREFIX, Handler, admin_routes, json_response
from simulator.operators.authorization import basic_credentials
from simulator.operators.mpesa.business import BusinessApi
from simulator.operators.mpesa.c2b import C2bApi
from simulator.operators.mpesa.enquiries import EnquiryApi
from simulator.operators.mpesa.payouts import PayoutApi
from simulator.operators.mpesa.sandbox import MpesaSandbox, MpesaSettings
from simulator.operators.mpesa.sims import SimApi
from simulator.operators.mpesa.stk import StkApi
from simulator.operators.mpesa.wire import envelope

__all__ = ["MpesaSandbox", "MpesaSettings", "mpesa_app"]


def mpesa_app(sandbox: MpesaSandbox) -> Starlette:
    """The ASGI application around one sandbox's state."""
    stk, payouts, enquiries = StkApi(sandbox), PayoutApi(sandbox), EnquiryApi(sandbox)
    c2b, business, sims = C2bApi(sandbox), BusinessApi(sandbox), SimApi(sandbox)

    async def generate_token(request: Request) -> Response:
        return await _generate_token(sandbox, request)

    async def certificate(request: Request) -> Response:
        del request
        return Response(sandbox.initiator.certificate_pem(), media_type="application/x-pem-file")

    async def not_found(request: Request, error: Exception) -> Response:
        del request, error
        return envelope(sandbox.world, 404, "404.001.01", "Resource not found")

    async def wrong_method(request: Request, error: Exception) -> Response:
        del request, error
        return envelope(sandbox.world, 405, "405.001", "Method Not Allowed")

    return Starlette(
        routes=[
            _post("/mpesa/stkpush/v1/processrequest", stk.push),
            _post("/mpesa/b2c/v3/paymentrequest", payouts.pay_v3),
            Route("/oauth/v1/generate", generate_token, methods=["GET"]),
            _post("/mpesa/stkpushquery/v1/query", stk.query),
            _post("/mpesa/b2c/v1/paymentrequest", payouts.pay_v1),
            _post("/mpesa/transactionstatus/v1/query", enquiries.transaction_status),
            _post("/mpesa/accountbalance/v1/query", enquiries.account_balance),
            _post("/mpesa/reversal/v1/request", enquiries.reverse),
            _post("/mpesa/c2b/v2/registerurl", c2b.register_v2),
            _post("/mpesa/c2b/v1/registerurl", c2b.register_v1),
            _post("/mpesa/c2b/v2/simulate", c2b.simulate),
            _post("/mpesa/c2b/v1/simulate", c2b.simulate),
            _post("/mpesa/b2b/v1/paymentrequest", business.pay),
            _post("/imsi/v2/checkATI", sims.check),
            Route(f"{PREFIX}/certificate", certificate, methods=["GET"]),
            *admin_routes(sandbox),
        ],
        exception_handlers={404: not_found, 405: wrong_method},
        lifespan=sandbox.lifespan,
    )


def _post(path: str, handler: Handler) -> Route:
    return Route(path, handler, methods=["POST"])


async def _generate_token(sandbox: MpesaSandbox, request: Request) -> Response:
    """GET /oauth/v1/generate, section 2. A wrong key or secret is a 400 with no body at all."""

    async def perform() -> Response:
        world, settings = sandbox.world, sandbox.settings
        given = basic_credentials(request.headers.get("authorization", ""))
        if given is None:
            message = "Invalid authentication type passed"
            return envelope(world, 400, "400.008.01", message)
        if request.query_params.get("grant_type") != "client_credentials":
            return envelope(world, 400, "400.008.02", "Invalid grant type passed")
        if given != (sandbox.credentials.consumer_key, sandbox.credentials.consumer_secret):
            return Response(status_code=400)
        if settings.new_token_revokes_old:
            sandbox.tokens.revoke_all()
        token = world.receipt_letters(28)
        if not sandbox.faults.take(TOKEN, None, "token"):
            sandbox.tokens.issue(token, seconds=settings.token_seconds)
        return json_response(
            {"access_token": token, "expires_in": str(max(settings.token_seconds - 1, 0))}
        )

    return await sandbox.answer("token", None, perform)

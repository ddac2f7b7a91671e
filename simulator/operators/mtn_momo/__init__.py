"""A sandbox of MTN MoMo's Open API, by its reference alone.

Any client of the real service works against it unchanged but for the base URL. It is strict
where the real sandbox was seen to be lax: a token is good for its own product only.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.operators.admin import admin_routes
from simulator.operators.mtn_momo.accounts import AccountApi
from simulator.operators.mtn_momo.payments import PATHS, PaymentApi
from simulator.operators.mtn_momo.preapprovals import PreapprovalApi
from simulator.operators.mtn_momo.sandbox import MtnSandbox, MtnSettings
from simulator.operators.mtn_momo.wire import Product, error

__all__ = ["MtnSandbox", "MtnSettings", "mtn_momo_app"]

_PRODUCTS: tuple[Product, ...] = ("collection", "disbursement", "remittance")


def mtn_momo_app(sandbox: MtnSandbox) -> Starlette:
    """The ASGI application around one sandbox's state."""

    async def not_found(request: Request, exception: Exception) -> Response:
        del request, exception
        return error("RESOURCE_NOT_FOUND")

    return Starlette(
        routes=[
            *_payment_routes(sandbox),
            *_preapproval_routes(sandbox),
            *_account_routes(sandbox),
            *admin_routes(sandbox),
        ],
        exception_handlers={404: not_found},
        lifespan=sandbox.lifespan,
    )


def _payment_routes(sandbox: MtnSandbox) -> list[Route]:
    routes = []
    for kind, (product, resource, versions) in PATHS.items():
        api = PaymentApi(sandbox, kind)
        for version in versions:
            path = f"/{product}/{version}/{resource}"
            routes.append(Route(path, api.create, methods=["POST"]))
            routes.append(Route(path + "/{id}", api.show, methods=["GET"]))
        if kind == "requesttopay":
            notice = f"/{product}/v1_0/{resource}/{{id}}/deliverynotification"
            routes.append(Route(notice, api.notify, methods=["POST"]))
    return routes


def _preapproval_routes(sandbox: MtnSandbox) -> list[Route]:
    api, base = PreapprovalApi(sandbox), "/collection"
    return [
        Route(f"{base}/v2_0/preapproval", api.create, methods=["POST"]),
        Route(base + "/v2_0/preapproval/{id}", api.show, methods=["GET"]),
        Route(base + "/v1_0/preapproval/{id}", api.cancel, methods=["DELETE"]),
        Route(base + "/v1_0/preapprovals/{type}/{id}", api.approved, methods=["GET"]),
    ]


def _account_routes(sandbox: MtnSandbox) -> list[Route]:
    api = AccountApi(sandbox)
    routes = [
        Route("/v1_0/apiuser", api.create_user, methods=["POST"]),
        Route("/v1_0/apiuser/{id}", api.show_user, methods=["GET"]),
        Route("/v1_0/apiuser/{id}/apikey", api.create_key, methods=["POST"]),
    ]
    for product in _PRODUCTS:
        base = f"/{product}/v1_0"
        holder = base + "/accountholder/{type}/{id}"
        routes += [
            Route(f"/{product}/token/", api.issue_token(product), methods=["POST"]),
            Route(f"{base}/account/balance", api.balance(product), methods=["GET"]),
            Route(base + "/account/balance/{currency}", api.balance(product), methods=["GET"]),
            Route(holder + "/active", api.is_active(product), methods=["GET"]),
            Route(holder + "/basicuserinfo", api.basic_user_info(product), methods=["GET"]),
        ]
    return routes

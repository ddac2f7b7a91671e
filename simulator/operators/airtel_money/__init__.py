"""A sandbox of Airtel Money's Open API in one country, by its reference alone.

Any client of the real service works against it unchanged but for the base URL.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from simulator.operators.admin import PREFIX, admin_routes
from simulator.operators.airtel_money.accounts import AccountApi
from simulator.operators.airtel_money.payments import CollectionApi
from simulator.operators.airtel_money.payouts import PayoutApi
from simulator.operators.airtel_money.sandbox import AirtelSandbox, AirtelSettings

__all__ = ["AirtelSandbox", "AirtelSettings", "airtel_money_app"]


def airtel_money_app(sandbox: AirtelSandbox) -> Starlette:
    """The ASGI application around one sandbox's state."""
    return Starlette(
        routes=[
            *_account_routes(sandbox),
            *_collection_routes(sandbox),
            *_payout_routes(sandbox),
            *admin_routes(sandbox),
        ],
        lifespan=sandbox.lifespan,
    )


def _account_routes(sandbox: AirtelSandbox) -> list[Route]:
    api = AccountApi(sandbox)
    return [
        Route("/auth/oauth2/token", api.issue_token, methods=["POST"]),
        Route("/v1/rsa/encryption-keys", api.show_keys, methods=["GET"]),
        Route("/standard/v1/users/balance", api.balance, methods=["GET"]),
        Route("/standard/v2/users/balance", api.balance, methods=["GET"]),
        Route("/standard/v1/users/{msisdn}", api.show_user, methods=["GET"]),
        Route(PREFIX + "/codes", api.set_code, methods=["POST"]),
        Route(PREFIX + "/keys", api.rotate_keys, methods=["POST"]),
    ]


def _collection_routes(sandbox: AirtelSandbox) -> list[Route]:
    api = CollectionApi(sandbox)
    routes = [Route("/standard/v1/payments/{id}", api.show, methods=["GET"])]
    for version in (1, 2):
        refund = f"/standard/v{version}/payments/refund"
        routes.append(Route(refund, api.refund, methods=["POST"]))
        path = f"/merchant/v{version}/payments"
        routes += [Route(each, api.create, methods=["POST"]) for each in (path, path + "/")]
    return routes


def _payout_routes(sandbox: AirtelSandbox) -> list[Route]:
    routes = []
    for version in (1, 2, 3):
        api = PayoutApi(sandbox, version)
        path = f"/standard/v{version}/disbursements"
        routes += [Route(each, api.create, methods=["POST"]) for each in (path, path + "/")]
        routes.append(Route(path + "/{id}", api.show, methods=["GET"]))
    return routes

"""Sandboxes of Orange Money's four APIs, by their reference alone; one instance is one API.

Any client of the real services works against them unchanged but for the base URL. What the
reference does not say (the code of a wrong PIN, a doubled id) is this sandbox's own and marked so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.operators.admin import admin_routes
from simulator.operators.orange_money import b2b, core, wallet, web_payment
from simulator.operators.orange_money.sandbox import (
    DEFAULTS,
    Api,
    OrangeSandbox,
    OrangeSettings,
)

__all__ = ["DEFAULTS", "Api", "OrangeSandbox", "OrangeSettings", "orange_money_app"]

_ROUTES: Mapping[Api, Callable[[OrangeSandbox], list[Route]]] = {
    "web_payment": web_payment.routes,
    "b2b": b2b.routes,
    "core": core.routes,
    "wallet": wallet.routes,
}


def orange_money_app(sandbox: OrangeSandbox) -> Starlette:
    """The ASGI application around one sandbox's state."""

    async def not_found(request: Request, exception: Exception) -> Response:
        del request, exception
        return sandbox.words.not_found()

    return Starlette(
        routes=[*_ROUTES[sandbox.settings.api](sandbox), *admin_routes(sandbox)],
        exception_handlers={404: not_found},
        lifespan=sandbox.lifespan,
    )

"""A sandbox of Zamtel Money, by its reference alone: two GETs that answer when all is over.

There is nothing else: no token, no callback, no status enquiry, no balance. What a caller did not
hear it can only find in the statement.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from simulator.operators.admin import admin_routes
from simulator.operators.zamtel.orders import Orders
from simulator.operators.zamtel.sandbox import ZamtelSandbox, ZamtelSettings

__all__ = ["ZamtelSandbox", "ZamtelSettings", "zamtel_app"]

# Sections 1 and 2; which of the two is a test system is inferred from their names alone.
_BASES = ("/ZampayRest", "/ZampayRestProd")


def zamtel_app(sandbox: ZamtelSandbox) -> Starlette:
    """The ASGI application around one sandbox's state."""
    orders = Orders(sandbox)
    return Starlette(
        routes=[
            *(Route(f"{base}/Req", orders.collect, methods=["GET"]) for base in _BASES),
            *(Route(f"{base}/B2CReq", orders.pay, methods=["GET"]) for base in _BASES),
            *admin_routes(sandbox),
        ],
        lifespan=sandbox.lifespan,
    )

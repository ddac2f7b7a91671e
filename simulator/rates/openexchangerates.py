"""A sandbox of Open Exchange Rates, by its public reference: `/api/latest.json` and its errors."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.operators.admin import json_response
from simulator.operators.credentials import OPENEXCHANGERATES_SANDBOX_APP_ID
from simulator.rates.market import Document, Market, Refusals

_BASE = "USD"
# The reference's table of errors: HTTP status and `message`.
_STATUS: Mapping[str, int] = {
    "missing_app_id": 401,
    "invalid_app_id": 401,
    "not_allowed": 429,
    "invalid_base": 400,
}


def openexchangerates_app(market: Market) -> Starlette:
    """The ASGI application around one market; the base is US dollars, as on a free plan."""

    async def latest(request: Request) -> Response:
        given, base = request.query_params.get("app_id"), request.query_params.get("base", _BASE)
        if given != OPENEXCHANGERATES_SANDBOX_APP_ID:
            return _error("invalid_app_id" if given else "missing_app_id")
        if base != _BASE:
            return _error("not_allowed" if base in market.settings.per_dollar else "invalid_base")
        return market.answer(_write, _REFUSALS)

    return Starlette(routes=[Route("/api/latest.json", latest), *market.routes()])


def _write(document: Document) -> Response:
    # Put together as text, so that every number stands there with its own digits.
    rates = {_BASE: Decimal(1), **document.per_dollar}
    lines = ",\n".join(f'    "{code}": {rates[code]:f}' for code in sorted(rates))
    body = (
        '{\n  "disclaimer": "Sandbox: these rates are made up.",\n'
        '  "license": "Sandbox: no licence is needed.",\n'
        f'  "timestamp": {int(document.at.timestamp())},\n'
        f'  "base": "{_BASE}",\n  "rates": {{\n{lines}\n  }}\n}}\n'
    )
    return Response(body, media_type="application/json")


def _error(message: str, status: int | None = None) -> Response:
    status = status or _STATUS[message]
    content = {
        "error": True,
        "status": status,
        "message": message,
        "description": f"Sandbox: {message.replace('_', ' ')}.",
    }
    return json_response(content, status)


_REFUSALS: Refusals = {
    "error_500": lambda: Response(
        "<html>Internal Server Error</html>", 500, media_type="text/html"
    ),
    "throttle_429": lambda: _error("access_restricted", 429),
    "garbage": lambda: Response(
        '{"timestamp": 17, "rates": {"KES": ', media_type="application/json"
    ),
}

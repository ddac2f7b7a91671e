"""A sandbox of FloatRates, by documents it published: `/daily/<base>.xml` for any base."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from email.utils import format_datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from simulator.rates.market import Document, Market, Refusals

_PLACES = Decimal(1).scaleb(-8)
_DOLLAR = "USD"


def floatrates_app(market: Market) -> Starlette:
    """The ASGI application around one market."""

    async def daily(request: Request) -> Response:
        base = request.path_params["base"].upper()
        if base != _DOLLAR and base not in market.settings.per_dollar:
            return PlainTextResponse("Not Found", 404)
        return market.answer(lambda document: _write(document, base), _REFUSALS)

    return Starlette(routes=[Route("/daily/{base:str}.xml", daily), *market.routes()])


def _write(document: Document, base: str) -> Response:
    prices = {_DOLLAR: Decimal(1), **document.per_dollar}
    published = format_datetime(document.at, usegmt=True)
    items = "".join(
        _item(base, code, prices[code] / prices[base], published)
        for code in sorted(prices)
        if code != base and base in prices
    )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<channel>\n'
        f"\t<title>XML Daily Foreign Exchange Rates ({base})</title>\n"
        f"\t<baseCurrency>{base}</baseCurrency>\n\t<pubDate>{published}</pubDate>\n"
        f"{items}</channel>\n"
    )
    return Response(body, media_type="text/xml")


def _item(base: str, code: str, price: Decimal, published: str) -> str:
    rate = price.quantize(_PLACES, ROUND_HALF_EVEN)
    inverse = (1 / price).quantize(_PLACES, ROUND_HALF_EVEN)
    fields = {
        "title": f"1 {base} = {rate:,f} {code}",
        "pubDate": published,
        "baseCurrency": base,
        "targetCurrency": code,
        "exchangeRate": f"{rate:,f}",
        "inverseRate": f"{inverse:,f}",
    }
    lines = "".join(f"\t\t<{name}>{text}</{name}>\n" for name, text in fields.items())
    return f"\t<item>\n{lines}\t</item>\n"


_REFUSALS: Refusals = {
    "error_500": lambda: PlainTextResponse("Internal Server Error", 500),
    "throttle_429": lambda: PlainTextResponse("Too Many Requests", 429),
    "garbage": lambda: Response(
        '<!DOCTYPE channel [<!ENTITY rate "3650.1">]>\n'
        "<channel><item><exchangeRate>&rate;</exchangeRate></item></channel>",
        media_type="text/xml",
    ),
}

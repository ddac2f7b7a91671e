"""What both rate sandboxes share: a market with a little noise, its faults, the admin routes.

A document is published every `publish_seconds` and stays the same until the next. It knows what
things cost, never what that looks like on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.faults import Silence
from simulator.operators.admin import PREFIX, explain_bad_input, json_response
from simulator.operators.base import Seconds
from simulator.operators.world import World

# What one US dollar bought, in round figures; a Kenyan shilling is exactly 28.45 Ugandan ones.
PER_DOLLAR: Mapping[str, str] = {
    "CDF": "2850",
    "ETB": "125.5",
    "EUR": "0.92",
    "GHS": "15.4",
    "GNF": "8620",
    "KES": "129.2",
    "MGA": "4540",
    "MWK": "1734",
    "NGN": "1610",
    "RWF": "1370",
    "TZS": "2590",
    "UGX": "3675.74",
    "XAF": "603.47",
    "XOF": "603.47",
    "ZAR": "18.1",
    "ZMW": "26.9",
}

TEN_THOUSAND = 10_000
_OUTLIER = 10
_STALE_SECONDS = 30 * 24 * 3600.0
_HANG_SECONDS = 60.0
_PLACES = Decimal(1).scaleb(-8)

FaultName = Literal[
    "stale", "outlier", "missing_currency", "error_500", "throttle_429", "silence", "garbage"
]


class RateFault(msgspec.Struct, forbid_unknown_fields=True):
    """One armed fault: strikes the next `times` requests.

    `currency` is whose number is ten times too big, or is missing. `seconds` is how much older a
    stale document is, or how long silence lasts.
    """

    fault: FaultName
    on: Literal["rates"] = "rates"
    times: Annotated[int, msgspec.Meta(ge=1)] = 1
    currency: str = "UGX"
    seconds: Seconds | None = None


class MarketSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What can be changed while it runs. `noise_bp`: how far, in hundredths of a percent."""

    per_dollar: dict[str, Decimal] = msgspec.field(
        default_factory=lambda: {code: Decimal(text) for code, text in PER_DOLLAR.items()}
    )
    noise_bp: Annotated[int, msgspec.Meta(ge=0, le=TEN_THOUSAND)] = 5
    publish_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    seed: int = 1


class Document(NamedTuple):
    """One publication: what a dollar buys, in major units, and since when."""

    per_dollar: Mapping[str, Decimal]
    at: datetime


class Market:
    """One source's market. `name` makes its noise its own."""

    def __init__(self, name: str, world: World, settings: MarketSettings) -> None:
        self.settings = msgspec.structs.replace(settings)  # another market's may change
        self.armed: list[RateFault] = []
        self.requests = 0
        self._name = name
        self._world = world

    def publication(self) -> Document:
        """The document of this moment, without any fault."""
        settings = self.settings
        number = int(self._world.clock().timestamp() // settings.publish_seconds)
        at = datetime.fromtimestamp(number * settings.publish_seconds, UTC)
        chance = Random(f"{settings.seed} {self._name} {number}")
        moved = {
            code: _move(price, chance.uniform(-1, 1), settings.noise_bp)
            for code, price in sorted(settings.per_dollar.items())
        }
        return Document(moved, at)

    def answer(self, write: Callable[[Document], Response], refuse: Refusals) -> Response:
        """One request: the document as `write` puts it, or what the oldest fault makes of it."""
        self.requests += 1
        document, fault = self.publication(), self._take()
        match fault:
            case None:
                return write(document)
            case RateFault(fault="silence"):
                return Silence(_HANG_SECONDS if fault.seconds is None else fault.seconds)
            case RateFault(fault=("error_500" | "throttle_429" | "garbage") as name):
                return refuse[name]()
            case _:
                return write(_spoilt(document, fault))

    def routes(self) -> list[Route]:
        """The admin door: `/_sandbox/faults` and `/_sandbox/settings`."""
        doors: Iterable[tuple[str, str, Callable[[bytes], Response]]] = (
            ("/faults", "GET", self._list_faults),
            ("/faults", "POST", self._arm_fault),
            ("/faults", "DELETE", self._clear_faults),
            ("/settings", "GET", self._show_settings),
            ("/settings", "PUT", self._change_settings),
        )
        return [_route(path, method, handler) for path, method, handler in doors]

    def _take(self) -> RateFault | None:
        if not self.armed:
            return None
        fault = self.armed[0]
        fault.times -= 1
        if fault.times == 0:
            self.armed.pop(0)
        return fault

    def _list_faults(self, _: bytes) -> Response:
        return json_response({"faults": self.armed})

    def _arm_fault(self, body: bytes) -> Response:
        fault = msgspec.json.decode(body, type=RateFault)
        self.armed.append(fault)
        return json_response(fault, 201)

    def _clear_faults(self, _: bytes) -> Response:
        self.armed.clear()
        return Response(status_code=204)

    def _show_settings(self, _: bytes) -> Response:
        return json_response({**msgspec.to_builtins(self.settings), "requests": self.requests})

    def _change_settings(self, body: bytes) -> Response:
        change = msgspec.json.decode(body, type=dict[str, Any])
        merged = {**msgspec.to_builtins(self.settings), **change}
        self.settings = msgspec.convert(merged, type=MarketSettings)
        return self._show_settings(b"")


Refusals = Mapping[Literal["error_500", "throttle_429", "garbage"], Callable[[], Response]]


def _move(price: Decimal, share: float, noise_bp: int) -> Decimal:
    if noise_bp == 0:
        return price
    factor = 1 + Decimal(round(share * noise_bp * 1_000)) / (TEN_THOUSAND * 1_000)
    return (price * factor).quantize(_PLACES, ROUND_HALF_EVEN)


def _spoilt(document: Document, fault: RateFault) -> Document:
    prices = dict(document.per_dollar)
    match fault.fault:
        case "stale":
            seconds = _STALE_SECONDS if fault.seconds is None else fault.seconds
            return Document(prices, document.at - timedelta(seconds=seconds))
        case "outlier":
            prices[fault.currency] *= _OUTLIER
        case _:
            prices.pop(fault.currency, None)
    return Document(prices, document.at)


def _route(path: str, method: str, handler: Callable[[bytes], Response]) -> Route:
    async def handle(request: Request) -> Response:
        return handler(await request.body())

    return Route(PREFIX + path, explain_bad_input(handle), methods=[method])

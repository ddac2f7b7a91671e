"""Every endpoint that a running application answers, read from its routes, and how each is asked.

Nothing here names an endpoint by hand but the bodies that its type does not let us leave out; one
that is new and wants a body ends the tests that ask all of them.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from starlette.routing import BaseRoute, Route

from channels.api.endpoints import AnyEndpoint, Nothing
from channels.api.mmo import PREFIX as STAFF
from channels.api.serving import _Place
from tests.integration.client_room import PRICE

NOBODY = "0" * 32
CURRENCY = "UGX"
BODIES: dict[str, Any] = {
    "make_quote": PRICE, "send_payment": PRICE, "check_payment": PRICE,
    "refund_payment": {"why": "because"}, "propose_reversal": {"why": "because"},
    "reserve_liquidity": {"amount": {"minor": 1_000, "currency": CURRENCY}},
    "test_call": {"operator": "nobody"}, "subscribe": {"url": "https://shop.example/hook"},
}  # fmt: skip


class Door(NamedTuple):
    """One endpoint as it stands in an application: its whole path, words and all."""

    path: str
    endpoint: AnyEndpoint

    @property
    def is_staffs(self) -> bool:
        return self.path.startswith(STAFF)

    @property
    def ids(self) -> list[str]:
        """The words of its path that name something of somebody's."""
        return [name for name, pattern in _patterns(self.endpoint) if "32" in pattern]

    def at(self, **ids: str) -> str:
        """Its path about these, else about nobody's."""
        words = {
            name: ids.get(name, NOBODY if name in self.ids else CURRENCY)
            for name, _ in _patterns(self.endpoint)
        }
        return self.path.format(**words)

    @property
    def content(self) -> bytes:
        """A body as good as any; raises KeyError for an endpoint that is not known to want one."""
        kind = self.endpoint.body_type
        if kind is Nothing:
            return b""
        try:
            msgspec.json.decode(b"{}", type=kind)
        except msgspec.ValidationError:
            return json.dumps(BODIES[self.endpoint.what]).encode()
        return b"{}"


def _patterns(endpoint: AnyEndpoint) -> Iterable[tuple[str, str]]:
    _, described = msgspec.json.schema_components([endpoint.path_type])
    properties = described[endpoint.path_type.__name__]["properties"]
    return [(name, told["pattern"]) for name, told in properties.items()]


def doors_of(routes: Iterable[BaseRoute]) -> list[Door]:
    """Every endpoint of the API, each method by itself."""
    return [
        Door(route.path, endpoint)
        for route in routes
        if isinstance(route, Route) and isinstance(route.endpoint, _Place)
        for endpoint in route.endpoint.methods.values()
    ]


def others_of(routes: Iterable[BaseRoute]) -> set[str]:
    """The paths of all other routes."""
    return {
        getattr(route, "path", repr(route))
        for route in routes
        if not (isinstance(route, Route) and isinstance(route.endpoint, _Place))
    }

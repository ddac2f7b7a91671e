"""Many tenants in one web process: a street whose houses are the tenants' own applications.

It gives each request to the house it is for, by `/t/<name>/` or by a host that is one tenant's
alone, and refuses to know what happens inside. A house sees its own addresses, as if it stood
alone.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from channels.app import Shared, Site, build_site, edges_of
from channels.guards import Guards, name_of_host
from channels.settings import BadSettings
from channels.tenants import PLACE, Tenant
from channels.web.doors import Doors
from channels.web.server import Bounds
from engine.clock import Clock, Ids
from engine.correlation import speaking_of
from engine.errors import NotServed
from engine.memory import end_if_refused
from providers.environment import MissingSettings, SenselessSettings

log = logging.getLogger(__name__)

_PLACE: Final = PLACE.encode()
_TOLD: Final = (BadSettings, MissingSettings, SenselessSettings, NotServed)
_SHUT: Final = PlainTextResponse("not served now", 503, {"retry-after": "60"})
"""What a house answers that could not be opened: a callback comes again."""


class House:
    """One tenant's application, from its opening to its closing."""

    def __init__(self, tenant: Tenant, *, may_fail: bool) -> None:
        """`may_fail`: the process goes on without it. Raises what `build_site` raises."""
        self.name = tenant.name
        self.hosts = tenant.hosts
        self.doors = Doors()
        self.bounds: Bounds | None = None
        self.fault = ""
        self.is_settled = asyncio.Event()  # it is open, or never will be
        self._leaves = asyncio.Event()
        give_up = self._give_up if may_fail else None
        self._site: Site = build_site(tenant.settings, give_up=give_up)

    async def keep_open(self) -> None:
        """Until it is left. Raises nothing: why it could not be opened stands in `fault`."""
        with speaking_of(tenant=self.name):
            try:
                async with self._site.open() as shared:
                    self.doors, self.bounds = shared["doors"], shared["bounds"]
                    self.is_settled.set()
                    await self._leaves.wait()
            except _TOLD as error:  # a sentence for whoever wrote or opened it
                self.fault = str(error)
                log.error("this tenant is not served: %s", error)
            except Exception as error:
                end_if_refused(error)
                self.fault = str(error) or type(error).__name__
                log.exception("this tenant is not served")
            finally:
                self.doors = Doors()
                self.is_settled.set()

    def leave(self) -> None:
        """Safe to repeat."""
        self._leaves.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with speaking_of(tenant=self.name):
            app: ASGIApp = _SHUT if self.fault else self._site.app
            await app(scope, receive, send)

    async def is_ready(self) -> bool:
        """What its own `/health` says."""
        statuses: list[int] = []

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self(_asking("/health"), _nothing, note)
        return statuses == [200]

    def _give_up(self) -> None:
        self.fault = "it can never start"  # the log has said why
        self.leave()


class StreetDoors(Doors):
    """The doors of all houses, for the short way of `server.py`; by their place alone."""

    def __init__(self, houses: Mapping[str, House], by_host: Mapping[str, str]) -> None:
        """`by_host`: whose alone a host is."""
        super().__init__()
        self._houses = houses
        self._by_host = by_host

    def find(self, scope: Scope) -> tuple[ASGIApp, dict[str, str]] | None:
        name, inside = _divide(scope["path"])
        house = self._houses.get(name)
        if house is None or self._by_host.get(_host_of(scope), name) != name:
            return None
        found = house.doors.find({**scope, "path": inside})
        if found is None:
            return None
        door, words = found
        return _At(name, inside, door), words


class _At:
    """A door that is called as its house knows it."""

    def __init__(self, name: str, path: str, door: ASGIApp) -> None:
        self._name = name
        self._path = path
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["path"] = self._path
        with speaking_of(tenant=self._name):
            await self._door(scope, receive, send)


class Street:
    """The ASGI application of a process with many tenants."""

    def __init__(self, tenants: Iterable[Tenant], *, is_strict: bool) -> None:
        """`is_strict`: a house that cannot be opened keeps all others shut, and ends the process.

        Raises BadSettings where nobody is to be served, and what `build_app` raises.
        """
        self._is_strict = is_strict
        self._tenants = tuple(tenants)
        if not self._tenants:
            raise BadSettings("no tenant can be served")
        self._houses: dict[str, House] = {}
        self._by_host: dict[str, str] = {h: t.name for t in self._tenants for h in t.hosts}
        routes = [
            Route("/health/live", _live),
            Route("/health", self._health),
            Route("/health/ready", self._health),
        ]
        inner = Starlette(routes=routes, lifespan=self._lifespan)
        inner.router.redirect_slashes = False
        edges = edges_of(self._tenants[0].settings)._replace(hosts=frozenset())
        self._process = Guards(inner, edges, Ids(Clock()).hex)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        house = self._house_of(scope) if scope["type"] == "http" else None
        await (self._process if house is None else house)(scope, receive, send)

    def _house_of(self, scope: Scope) -> House | None:
        """Whose the request is; the scope is then written as that house knows its addresses.

        On a host that is one tenant's alone nobody else is found. What a path is divided by must
        stand in it unescaped, so that nobody before us reads another name than we do.
        """
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        name, inside = _divide(scope["path"])
        is_placed = name in self._houses and raw.startswith(b"%s%s/" % (_PLACE, name.encode()))
        owner = self._by_host.get(_host_of(scope))
        if is_placed and owner in (None, name):
            scope["path"], scope["raw_path"] = inside, raw[len(_PLACE) + len(name) :]
            return self._houses[name]
        return self._houses.get(owner) if owner is not None else None

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[Shared]:
        self._houses = {t.name: House(t, may_fail=not self._is_strict) for t in self._tenants}
        houses = self._houses.values()
        tasks = [asyncio.create_task(house.keep_open()) for house in houses]
        try:
            for house in houses:
                await house.is_settled.wait()
            self._refuse_shut()
            bounds = next(house.bounds for house in houses if house.bounds is not None)
            yield {"doors": StreetDoors(self._houses, self._by_host), "bounds": bounds}
        finally:
            for house in houses:
                house.leave()
            await asyncio.gather(*tasks)

    def _refuse_shut(self) -> None:
        shut = {house.name: house.fault for house in self._houses.values() if house.fault}
        if shut and (self._is_strict or len(shut) == len(self._houses)):
            raise BadSettings("; ".join(f"{name}: {fault}" for name, fault in shut.items()))

    async def _health(self, _: Request) -> Response:
        """Ready while one house is, for a balancer would take the others from people as well."""
        ready = sum(await asyncio.gather(*(h.is_ready() for h in self._houses.values())))
        known = len(self._houses)
        state = "ready" if ready == known else "degraded" if ready else "not ready"
        body = msgspec.json.encode({"state": state, "tenants": known, "tenants_ready": ready})
        return Response(body, 200 if ready else 503, media_type="application/json")


def _divide(path: str) -> tuple[str, str]:
    """The name in `/t/<name>/...` and what stands behind it; no name for every other path."""
    if not path.startswith(PLACE):
        return "", path
    name, slash, rest = path[len(PLACE) :].partition("/")
    return (name, f"/{rest}") if slash else ("", path)


def _host_of(scope: Scope) -> str:
    """In small letters, without its port; empty where none or two are named."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    return name_of_host(hosts[0]) if len(hosts) == 1 else ""


def _asking(path: str) -> Scope:
    """A request of our own, as a server would hand it over."""
    return {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
        "query_string": b"", "headers": [], "http_version": "1.1", "scheme": "http",
        "root_path": "", "client": None, "server": None,
    }  # fmt: skip


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _live(_: Request) -> Response:
    return PlainTextResponse("ok")

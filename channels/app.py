"""The web process: routes, health, and error replies that tell a stranger nothing."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from random import SystemRandom
from typing import NamedTuple, TypedDict
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from channels.api.mmo import staff_routes
from channels.api.serving import short_routes
from channels.api.v1 import client_routes
from channels.balances import BalanceAnswers
from channels.guards import Edges, Guards
from channels.inbox import open_inbox
from channels.inspect import Inspection
from channels.inspect_sessions import session_inspection
from channels.operators import OperatorCallbacks
from channels.outages import told_once
from channels.payins import pay_in_doors
from channels.settings import BadSettings, Settings
from channels.settlement_probe import ChainProbe, open_chain_probe
from channels.sms import SmsMessages, SmsReports
from channels.sources import Sources
from channels.starting import opening
from channels.statements import open_comparison
from channels.turns import open_turns
from channels.ussd import ussd_routes
from channels.watching.dependencies import dependencies_of, metrics_routes
from channels.watching.health import health_routes
from channels.web.dials import Dials
from channels.web.doors import Doors
from channels.web.limits import Limits, open_limits
from channels.web.server import Bounds
from channels.web.strangers import Strangers
from channels.webhooks import LostCallbacks, Reception
from channels.wiring import Engine, open_engine
from engine.clock import Clock, Ids
from engine.inbox.inbox import Inbox
from engine.ports import UssdPort
from engine.session.pipeline import open_pipeline
from engine.session.turn import TurnTaker
from providers.registry import build_ussd

log = logging.getLogger(__name__)

REDIS_SECONDS_MAX = 5.0

_STARTING = PlainTextResponse("starting", 503, {"retry-after": "5"})
"""What all but `/health/live` answer until everything is open: whoever knocks comes again."""


class Shared(TypedDict):
    """What the application hands to every connection of the server that runs it."""

    doors: Doors
    bounds: Bounds


class Site(NamedTuple):
    """One tenant's application, and the block in which it is open."""

    app: Guards
    open: Callable[[], AbstractAsyncContextManager[Shared]]


def build_app(settings: Settings) -> Guards:
    """The ASGI application; it connects when it is started and closes when it is stopped.

    While a server it needs is away it tries again; until then it lives, and answers all else 503.
    Raises BadSettings for a gateway nobody knows.
    """
    return build_site(settings).app


def build_site(settings: Settings, *, give_up: Callable[[], None] | None = None) -> Site:
    """The same for who opens it without a server of its own (`street.py`).

    `give_up` is called when what had to wait for a server can never start; by default that ends
    the process.
    """
    gateways = _gateways(settings)
    edges = edges_of(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[Shared]:
        doors = Doors()
        bounds = Bounds(
            settings.http_request_seconds_max, settings.http_connections_max, edges.lines
        )
        routes: list[BaseRoute] = app.router.routes
        routes[:] = [*_alive(), Mount("/", app=_STARTING)]

        async def open_doors(opened: AsyncExitStack) -> None:
            engine = await opened.enter_async_context(open_engine(settings))
            await engine.screener.need()
            limits = await opened.enter_async_context(open_limits(settings))
            dials = Dials(limits, settings.edges.dials_per_10_minutes, engine.watch.metrics.dial)
            turns = await opened.enter_async_context(open_turns(engine, dials))
            inbox = await opened.enter_async_context(open_inbox(engine, turns))
            chain = await opened.enter_async_context(open_chain_probe(settings, engine.clock))
            looking = await opened.enter_async_context(session_inspection(settings))
            reception = _reception(engine, limits)
            busy = _doors(engine, turns, inbox, gateways, reception)
            doors.open(busy)
            lost = LostCallbacks(reception).routes()
            ours = _routes(engine, limits, chain)
            doors.open(short_routes(ours), guards.lets_through)
            routes[:] = [*busy, *_alive(), *looking, *_with_lost(ours, lost)]
            doors.know_all(routes, guards.lets_through)
            # Said first when all this closes: late turns are waited for before the engine is.
            opened.callback(engine.committer.end_soon)

        tries = opening(open_doors, draw=SystemRandom().random, give_up=give_up)
        told = told_once(settings.database_url, partial(_ask_redis, settings.redis_url))
        async with told, tries:
            yield {"doors": doors, "bounds": bounds}

    app = Starlette(lifespan=lifespan, exception_handlers={Exception: _our_fault})
    # Else a slash too many or too few is redirected to whatever host and place the caller named.
    app.router.redirect_slashes = False
    guards = Guards(app, edges, Ids(Clock()).hex)
    return Site(guards, partial(lifespan, app))


async def _ask_redis(url: str) -> None:
    """Over a connection of its own. Raises RedisError while nothing can be kept there."""
    pipeline = open_pipeline(url, timeout_seconds=REDIS_SECONDS_MAX)
    try:
        await pipeline.execute("SET", "capp:outage", "1", "EX", "5")
    finally:
        await pipeline.aclose()


def edges_of(settings: Settings) -> Edges:
    """What stands before the routes. In production the API is called by its public name alone."""
    address = urlsplit(settings.public_url)
    hosts = settings.edges.hosts
    if settings.is_production and not hosts:
        hosts = frozenset({address.hostname or ""})
    return Edges(hosts, settings.edges.cors_origins, is_secure=address.scheme == "https")


def _gateways(settings: Settings) -> list[UssdPort]:
    try:
        return build_ussd(settings.ussd_gateways, shortcodes=settings.shortcodes)
    except ValueError as error:
        raise BadSettings(str(error)) from error


def _doors(
    engine: Engine,
    turns: TurnTaker,
    inbox: Inbox,
    gateways: list[UssdPort],
    reception: Reception,
) -> list[Route]:
    """What gateways and operators knock at: the busy part, see `server.py`."""
    settings = engine.settings
    doors: list[Route] = []
    for gateway in gateways:
        watched = engine.watch.turns(turns, gateway.name)
        doors += ussd_routes(gateway, watched, *settings.tokens_of(gateway.name))
    for name, port in engine.sms.items():
        where = (settings.tokens_of(name), settings.public_url)
        doors += SmsReports(port, name, engine.outbox, settings.tenant, *where).routes()
        doors += SmsMessages(port, name, inbox, *where).routes()
    doors += BalanceAnswers(reception, balances=open_comparison(engine).balances).routes()
    for door in pay_in_doors(reception, engine.pay_ins):
        doors += door.routes()
    doors += OperatorCallbacks(
        reception, payments=engine.payments, store=engine.store, dispatcher=engine.dispatcher
    ).routes()
    return doors


def _reception(engine: Engine, limits: Limits) -> Reception:
    settings = engine.settings
    return Reception(
        operators={port.facts.code: port for port in engine.operators.values()},
        addresses=engine.addresses,
        sources=Sources(settings.webhooks.sources, settings.webhooks.trusted_proxies),
        traffic=engine.traffic,
        clock=engine.clock,
        digest_key=settings.callback_keys[0],
        strangers=Strangers(limits, settings.edges.strangers_per_minute),
    )


def _routes(engine: Engine, limits: Limits, chain: ChainProbe | None) -> list[Route]:
    settings = engine.settings
    routes: list[Route] = []
    if settings.inspect_token:
        routes += Inspection(
            pool=engine.pool,
            tenant=settings.tenant,
            store=engine.store,
            books=engine.office.books,
            directory=engine.directory,
            token=settings.inspect_token,
        ).routes()

    routes += staff_routes(engine, limits)
    routes += client_routes(engine, limits)
    routes += metrics_routes(engine)
    return [*health_routes(dependencies_of(engine, limits.ping, chain)), *routes]


def _with_lost(ours: list[Route], lost: list[Route]) -> list[Route]:
    """Lost callbacks stand behind whatever has a name, and before what takes all the rest.

    The API for clients begins with the same words as addresses of operators, and answers itself
    what is none of its own: an operator that appended a slash would be kept nowhere.
    """
    rest = [route for route in ours if route.path.endswith("{rest:path}")]
    return [*(route for route in ours if route not in rest), *lost, *rest]


def _alive() -> list[Route]:
    """200 as long as the process answers at all, whatever it may be waiting for."""

    async def live(_: Request) -> Response:
        return PlainTextResponse("ok")

    return [Route("/health/live", live)]


async def _our_fault(request: Request, error: Exception) -> Response:
    """Answered 500 so that the other side knows it was not taken; the trace goes to the log."""
    log.error("%s %s failed: %s", request.method, request.scope.get("endpoint"), error)
    return PlainTextResponse("internal error", 500)

"""The web process: routes, health, and error replies that tell a stranger nothing."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from channels.balances import BalanceAnswers
from channels.doors import Doors
from channels.inspect import Inspection
from channels.operators import OperatorCallbacks
from channels.settings import Settings
from channels.sms import SmsReports
from channels.statements import open_comparison
from channels.ussd import ussd_routes
from channels.wiring import Engine, open_engine, open_turns
from engine.session.turn import TurnTaker
from providers.registry import USSD

log = logging.getLogger(__name__)


class Shared(TypedDict):
    """What the application hands to every connection of the server that runs it."""

    doors: Doors


def build_app(settings: Settings) -> Starlette:
    """The ASGI application; it connects when it is started and closes when it is stopped."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[Shared]:
        async with open_engine(settings) as engine, open_turns(engine) as turns:
            doors = _doors(engine, turns)
            app.router.routes.extend([*doors, *_routes(engine)])
            yield {"doors": Doors(doors)}

    return Starlette(lifespan=lifespan, exception_handlers={Exception: _our_fault})


def _doors(engine: Engine, turns: TurnTaker) -> list[Route]:
    """What gateways and operators knock at: the busy part, see `server.py`."""
    settings = engine.settings
    token = settings.gateway_token
    doors: list[Route] = []
    for name, gateway in USSD.items():
        doors += ussd_routes(gateway(), turns, token)
        doors += SmsReports(engine.sms, name, engine.outbox, settings.tenant, token).routes()
    by_code = {port.facts.code: port for port in engine.operators.values()}
    doors += BalanceAnswers(
        operators=by_code,
        addresses=engine.addresses,
        balances=open_comparison(engine).balances,
    ).routes()
    doors += OperatorCallbacks(
        operators=by_code,
        addresses=engine.addresses,
        payments=engine.payments,
        store=engine.store,
        dispatcher=engine.dispatcher,
    ).routes()
    return doors


def _routes(engine: Engine) -> list[Route]:
    settings = engine.settings
    routes: list[Route] = []
    if settings.inspect_token:
        routes += Inspection(
            pool=engine.pool,
            store=engine.store,
            books=engine.office.books,
            directory=engine.directory,
            token=settings.inspect_token,
        ).routes()

    async def health(_: Request) -> Response:
        """200 when the database answers; what depends on it is not ready otherwise."""
        try:
            await engine.pool.fetchval("select 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("health: %s", error)
            return PlainTextResponse("database away", 503)
        return PlainTextResponse("ok")

    return [Route("/health", health), *routes]


async def _our_fault(request: Request, error: Exception) -> Response:
    """Answered 500 so that the other side knows it was not taken; the trace goes to the log."""
    log.error("%s %s failed: %s", request.method, request.scope.get("endpoint"), error)
    return PlainTextResponse("internal error", 500)

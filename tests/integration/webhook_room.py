"""The doors for operators on a real Postgres, with what they keep."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.routing import Route

from channels.addresses import CallbackAddresses, companies_of
from channels.operators import OperatorCallbacks
from channels.sources import Sources
from channels.web.strangers import Strangers
from channels.webhooks import LostCallbacks, Reception
from engine.clock import Ids
from engine.ports import OperatorPort
from engine.traffic.log import TrafficLog
from tests.integration.staff_room import COUNTED_HERE
from tests.integration.world import World

KEY = b"k" * 32


def addresses_of(operators: Mapping[int, OperatorPort]) -> CallbackAddresses:
    return CallbackAddresses("", [KEY], companies_of(port.facts for port in operators.values()))


def reception_of(
    world: World,
    operators: Mapping[int, OperatorPort],
    *,
    sources: Sources | None = None,
    strange_per_minute: int = 600,
    traffic: TrafficLog | None = None,
    strangers_per_minute: int = 100_000,
) -> Reception:
    return Reception(
        operators=operators,
        addresses=addresses_of(operators),
        sources=sources or Sources({}),
        traffic=traffic
        or TrafficLog(
            world.pool, 1, world.clock, Ids(world.clock), strange_per_minute=strange_per_minute
        ),
        clock=world.clock,
        digest_key=KEY,
        strangers=Strangers(COUNTED_HERE, strangers_per_minute),
    )


def callback_routes(world: World, reception: Reception) -> list[Route]:
    door = OperatorCallbacks(
        reception, payments=world.payments, store=world.store, dispatcher=world.dispatcher
    )
    return [*door.routes(), *LostCallbacks(reception).routes()]


@asynccontextmanager
async def knocking(
    routes: list[Route], *, peer: str = "203.0.113.7"
) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at that address who knocks at those doors."""
    transport = httpx.ASGITransport(Starlette(routes=[*routes]), client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
        yield client

"""What the API answers when something is raised that no handler of its own means."""

import logging
from collections.abc import Mapping

import httpx
import pytest
from starlette.applications import Starlette

from channels.api.callers import Deed, Ended
from channels.api.endpoints import EVERYBODY, Call, Endpoint, Nothing
from channels.api.pace import pace_of_staff
from channels.api.serving import Serving
from channels.settings import ApiPaces
from channels.web.limits import Limit, Limits
from engine.clock import Clock, Ids
from engine.once import OF_STAFF, Once
from tests.integration.staff_room import RedisAway
from tests.unit.test_outages import RAISED


class Raising:
    """Callers whose store raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def recall(self, token: str) -> str | None:
        return None

    async def prove(self, token: str, *, fresh: bool) -> str:
        raise self._error

    def grants_of(self, caller: str) -> frozenset[str]:
        return frozenset()

    def owner_of(self, caller: str) -> str:
        return caller

    def limits_of(self, caller: str) -> Mapping[Limit, str]:
        return {}

    async def begin(self, caller: str, deed: Deed) -> Ended:
        raise self._error

    async def write(self, caller: str, deed: Deed, outcome: str) -> None:
        raise self._error


async def _nothing(_: Call[str, Nothing, Nothing, Nothing]) -> Nothing:
    return Nothing()


@pytest.mark.parametrize(("error", "server"), RAISED.values(), ids=RAISED.keys())
async def test_away_is_what_a_server_is_and_no_mistake_of_ours(
    error: Exception, server: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    ids = Ids(clock)
    serving = Serving(
        callers=Raising(error), once=Once(None, 1, clock, ids, OF_STAFF), ids=ids,
        pace=pace_of_staff(Limits(RedisAway(), key=b"k" * 16), ApiPaces()),
        address_of=lambda _: "192.0.2.1", answer_seconds=5,
    )  # fmt: skip
    look = Endpoint(
        "GET", "/x", "look", "Look", EVERYBODY, Nothing, Nothing, Nothing, Nothing, _nothing
    )
    app = Starlette(routes=serving.routes("/api", (look,)))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://capp") as client:
        answer = await client.get("/api/x", headers={"authorization": "Bearer token"})
    told = (answer.status_code, answer.json()["code"])
    assert told == ((503, "away") if server else (500, "our_fault"))
    assert ("retry-after" in answer.headers) is (server is not None)
    of_the_error = [record for record in caplog.records if record.exc_info]
    assert bool(of_the_error) is (server is None), "the trace of what is ours goes to the log"
    assert not any(record.levelno >= logging.ERROR for record in caplog.records) or not server

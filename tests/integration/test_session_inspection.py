"""The inspection door on sessions in a real Redis: where each stands, nothing that was typed."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from channels.inspect_sessions import NAMED_MAX, SessionInspection
from engine.ports import EndReason, SessionEnd
from engine.session.pipeline import TickPipeline, open_pipeline
from engine.session.store import SessionStore
from simulator.inspect import Inspector
from simulator.places import Places
from tests.unit.session.rooms import PAYER, PIN, RECORD_SEAL, VERSION, House

TOKEN = "open" * 4
URL = "http://capp.test/inspect/sessions"
PAYEE = "256772000002"


@pytest.fixture
async def web(redis: TickPipeline) -> AsyncIterator[httpx.AsyncClient]:
    door = SessionInspection(SessionStore(redis, 1, RECORD_SEAL), TOKEN)
    transport = httpx.ASGITransport(Starlette(routes=door.routes()))
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, headers=headers) as client:
        yield client


@pytest.fixture
def inspector(web: httpx.AsyncClient) -> Inspector:
    return Inspector(web, Places("http://capp.test", "", "", inspect_token=TOKEN))


async def test_where_an_open_session_stands_is_told_with_its_way(
    house: House, inspector: Inspector
) -> None:
    await house.press("1", PAYEE, "1000", "1")
    [session] = await inspector.sessions(PAYER)
    assert (session.session_id, session.state, session.step) == ("s1", "open", 5)
    assert (
        session.screens[0] == "home.menu" and len(session.screens) == len(set(session.screens)) == 5
    )
    assert (session.menu, session.language) == (VERSION, "en")
    assert session.at.timestamp() == int(house.clock.epoch())


async def test_session_that_ended_is_told_by_its_id_alone(
    house: House, inspector: Inspector
) -> None:
    """Nothing of it is of interest to the next dial, so it is nobody's last session."""
    assert (await house.press("5", "3", "2", "1")).ends
    assert [one.session_id for one in await inspector.sessions(PAYER)] == []
    await house.press("1", session_id="s2")
    told = {one.session_id: one.state for one in await inspector.sessions(PAYER, ["s1"])}
    assert told == {"s1": "ended", "s2": "open"}


async def test_dropped_session_is_told_as_dropped(house: House, inspector: Inspector) -> None:
    await house.press("1", PAYEE)
    await house.turns.note_end(SessionEnd("s1", "?", EndReason.CANCELLED, PAYER, "63902"))
    assert [one.state for one in await inspector.sessions(PAYER)] == ["dropped"]


async def test_paid_session_is_told_without_anything_that_was_typed_or_chosen(
    house: House, web: httpx.AsyncClient
) -> None:
    await house.press("1", PAYEE, "1000", "1", PIN)
    answer = await web.get(URL, params={"msisdn": PAYER})
    [told] = answer.json()["sessions"]
    assert (told["state"], told["step"]) == ("ended", 6)
    shown = answer.text.replace(VERSION, "")  # any digits may stand in it
    for secret in (PIN, PAYEE, PAYER.digits, "1000", "CAPP0"):
        assert secret not in shown
    assert set(told) == {"session_id", "screens", "step", "at", "menu", "language", "state"}


async def test_nobody_is_told_of_another_phones_session(house: House, inspector: Inspector) -> None:
    await house.press("1")
    assert await inspector.sessions("+254712000009", ["s1"]) == []


async def test_looking_changes_nothing(
    house: House, inspector: Inspector, redis: TickPipeline
) -> None:
    await house.press("1")

    async def everything() -> dict[bytes, bytes]:
        keys = await redis.execute("KEYS", "capp:*{*}*")
        return {key: await redis.execute("GET", key) for key in keys}

    before = await everything()
    await inspector.sessions(PAYER, ["s1", "s2"])
    assert before and await everything() == before
    assert (await house.take("1")).text == (await house.take("1")).text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"msisdn": "0712000001"}, 400),
        ({"msisdn": "+254712000001*"}, 400),
        ({"msisdn": PAYER, "session": ["s"] * NAMED_MAX}, 200),
        ({"msisdn": PAYER, "session": ["s"] * (NAMED_MAX + 1)}, 400),
        ({"msisdn": PAYER, "session": ["s" * 101]}, 400),
    ],
)
async def test_only_a_number_and_a_few_names_are_asked_for(
    web: httpx.AsyncClient, query: dict[str, str | list[str]], status: int
) -> None:
    assert (await web.get(URL, params=query)).status_code == status


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer wrong", TOKEN])
async def test_the_door_stays_shut_without_its_token(
    web: httpx.AsyncClient, authorization: str
) -> None:
    headers = {"authorization": authorization}
    answer = await web.get(URL, params={"msisdn": PAYER}, headers=headers)
    assert (answer.status_code, answer.text) == (403, "forbidden")


async def test_redis_that_is_away_is_told() -> None:
    pipeline = open_pipeline("redis://127.0.0.1:1/0")
    door = SessionInspection(SessionStore(pipeline, 1, RECORD_SEAL), TOKEN)
    transport = httpx.ASGITransport(Starlette(routes=door.routes()))
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, headers=headers) as client:
        assert (await client.get(URL, params={"msisdn": PAYER})).status_code == 503
    await pipeline.aclose()


async def test_server_without_this_door_is_read_too() -> None:
    transport = httpx.ASGITransport(Starlette())
    async with httpx.AsyncClient(transport=transport) as client:
        places = Places("http://capp.test", "", "", inspect_token=TOKEN)
        assert await Inspector(client, places).sessions(PAYER) == []

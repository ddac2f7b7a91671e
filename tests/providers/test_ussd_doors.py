"""Every USSD gateway behind the real door: statuses, bytes, and who hears of what."""

import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from starlette.applications import Starlette

from channels.ussd import BODY_BYTES_MAX, ussd_routes
from engine.ports import Reply, SessionEnd, Turn
from tests.providers.ussd_subjects import BODIES, GATEWAYS, PIN, SCREEN, Gateway, form

TOKEN = "t" * 32

every = pytest.mark.parametrize("gateway", GATEWAYS, ids=lambda gateway: gateway.name)


@pytest.fixture(autouse=True)
def nothing_typed_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert PIN not in "".join(record.getMessage() for record in caplog.get_records("call"))


class Sessions:
    """Answers every turn with one screen and remembers what it was asked."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.ends: list[SessionEnd] = []
        self.reply = Reply(SCREEN, ends=False)

    async def take(self, turn: Turn) -> Reply:
        self.turns.append(turn)
        return self.reply

    async def note_end(self, end: SessionEnd) -> None:
        self.ends.append(end)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture
async def web(sessions: Sessions) -> AsyncIterator[httpx.AsyncClient]:
    """All gateways at once, as one installation may have them."""
    routes = [
        route for each in GATEWAYS for route in ussd_routes(each.build(), sessions, TOKEN)
    ]  # fmt: skip
    transport = httpx.ASGITransport(app=Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://capp.test") as client:
        yield client


async def post(
    web: httpx.AsyncClient, gateway: Gateway, body: bytes, *, kind: str = "", path: str = ""
) -> httpx.Response:
    return await web.post(
        f"/ussd/{gateway.name}/{TOKEN}{path}",
        content=body,
        headers={"content-type": kind or gateway.media_type},
    )


@every
async def test_turn_through_the_door(
    gateway: Gateway, web: httpx.AsyncClient, sessions: Sessions
) -> None:
    for reply, expected in ((False, gateway.open_answer), (True, gateway.last_answer)):
        sessions.reply = Reply(SCREEN, ends=reply)
        answer = await post(web, gateway, gateway.write(gateway.turn))
        assert (answer.status_code, answer.headers["content-type"]) == (200, gateway.answer_type)
        assert answer.content == expected
    first, second = sessions.turns
    assert first == second == gateway.build().read(gateway.write(gateway.turn))


@every
async def test_while_the_token_is_changed_both_addresses_lead_here(
    gateway: Gateway, sessions: Sessions
) -> None:
    app = Starlette(routes=ussd_routes(gateway.build(), sessions, "n" * 32, TOKEN))
    transport, headers = httpx.ASGITransport(app=app), {"content-type": gateway.media_type}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://capp.test", headers=headers
    ) as client:
        for told, path in ((gateway.turn, ""), (gateway.apart, "/end")):
            if told is None:  # its ends come among the turns, or never
                continue
            answers = [
                await client.post(
                    f"/ussd/{gateway.name}/{token}{path}", content=gateway.write(told)
                )
                for token in (TOKEN, "n" * 32, "o" * 32)
            ]
            assert [answer.status_code for answer in answers] == [200, 200, 404], path


@every
@pytest.mark.parametrize("parameters", ["; charset=utf-8", ";charset=UTF-8", " "])
async def test_parameters_of_the_content_type_do_not_matter(
    gateway: Gateway, web: httpx.AsyncClient, parameters: str
) -> None:
    kind = gateway.media_type.title() + parameters
    assert (await post(web, gateway, gateway.write(gateway.turn), kind=kind)).status_code == 200


@every
async def test_end_through_the_door_is_noted_and_acknowledged(
    gateway: Gateway,
    web: httpx.AsyncClient,
    sessions: Sessions,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told, path = (gateway.end, "") if gateway.end else (gateway.apart, "/end")
    if told is None:  # this one never tells
        assert (
            await post(web, gateway, gateway.write(gateway.turn), path="/end")
        ).status_code == 404
        return
    answer = await post(web, gateway, gateway.write(told), path=path)
    (end,) = sessions.ends
    assert (answer.status_code, answer.content) == (200, end.acknowledgement.body)
    assert answer.headers["content-type"] == end.acknowledgement.content_type
    assert sessions.turns == []
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert (
        f"session of {gateway.name} ended: {end.reason} ({end.status}), {end.hops} turns,"
        f" {end.duration_ms} ms"
    ) in said
    if path:
        assert (await web.get(f"/ussd/{gateway.name}/{TOKEN}{path}")).status_code == 405


@every
async def test_what_is_no_message_of_this_gateway_never_reaches_a_session(
    gateway: Gateway, web: httpx.AsyncClient, sessions: Sessions
) -> None:
    good = gateway.write(gateway.turn)
    other = "application/json" if gateway.write is form else "application/x-www-form-urlencoded"
    answers = [
        (415, await post(web, gateway, good, kind=other)),
        (415, await post(web, gateway, good, kind="text/plain")),
        (415, await web.post(f"/ussd/{gateway.name}/{TOKEN}", content=good)),
        (413, await post(web, gateway, good + b" " * BODY_BYTES_MAX)),
        (400, await post(web, gateway, gateway.with_field(gateway.typed, PIN * 2_000)[:5_000])),
        (400, await post(web, gateway, b"")),
        (404, await web.post(f"/ussd/{gateway.name}/{TOKEN[:-1]}x", content=good)),
        (404, await web.post(f"/ussd/{gateway.name}/", content=good)),
        (405, await web.get(f"/ussd/{gateway.name}/{TOKEN}")),
    ]  # fmt: skip
    for status, answer in answers:
        assert answer.status_code == status
        assert PIN not in answer.text
    assert gateway.media_type in answers[0][1].text
    assert sessions.turns == []


@every
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_senseless_body_is_a_bad_request(
    gateway: Gateway, body: bytes, web: httpx.AsyncClient, sessions: Sessions
) -> None:
    answer = await post(web, gateway, body)
    assert answer.status_code == (413 if len(body) > BODY_BYTES_MAX else 400)
    assert PIN not in answer.text
    assert sessions.turns == []

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulator.dialects import DIALECTS
from simulator.operators.world import World
from simulator.places import Places
from simulator.ussd import PHONE_FAULT, Answer, Dropped, Line, Screen, UssdSession
from tests.until import until

KENYAN = "+254712000001"


@pytest.fixture
def session(client: httpx.AsyncClient, places: Places, world: World) -> UssdSession:
    line = Line(KENYAN, places.ussd_url, places.ussd_end_url, ("*384*96#",))
    return UssdSession(client, line, world)


async def test_a_dial_sends_the_five_fields_and_nothing_else(
    session: UssdSession, server: Any
) -> None:
    screen = await session.dial("*384*96#")
    assert screen == Screen("Welcome\n1. Send money\n2. Quit", ends=False)
    assert server.turns == [
        {
            "sessionId": session.session_id,
            "serviceCode": "*384*96#",
            "phoneNumber": KENYAN,
            "networkCode": "63902",
            "text": "",
        }
    ]
    assert session.session_id.startswith("ATUid_")
    assert len(session.session_id) == len("ATUid_") + 32


async def test_text_grows_with_every_answer(session: UssdSession, server: Any) -> None:
    await session.dial("*384*96#")
    await session.answer("1")
    last = await session.answer("2468")
    assert [turn["text"] for turn in server.turns] == ["", "1", "1*2468"]
    assert last == Screen(f"Thank you, {KENYAN}. PIN 4", ends=True)
    assert not session.is_open


async def test_repeat_sends_the_same_turn_again(session: UssdSession, server: Any) -> None:
    await session.dial("*384*96#")
    await session.answer("1")
    await session.repeat()
    assert server.turns[1] == server.turns[2]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (PlainTextResponse("CON Hello", 500), "HTTP status 500"),
        (PlainTextResponse("CON Hello", 201), "HTTP status 201"),
        (Response("CON Hello", media_type="application/json"), "content type"),
        (PlainTextResponse("\nCON Hello"), "neither"),
        (PlainTextResponse("\ufeffCON Hello"), "byte order mark"),
        (PlainTextResponse("CONHello"), "neither"),
        (PlainTextResponse(""), "neither"),
        (Response(b"END \xff", media_type="text/plain"), "not UTF-8"),
    ],
)
async def test_a_bad_answer_ends_the_session_with_what_a_phone_shows(
    session: UssdSession, server: Any, answer: Response, reason: str
) -> None:
    server.answers.append(answer)
    screen = await session.dial("*384*96#")
    assert (screen.text, screen.ends) == (PHONE_FAULT, True)
    assert screen.fault is not None
    assert reason in screen.fault
    assert not session.is_open


async def test_an_answer_after_the_deadline_is_no_answer(
    client: httpx.AsyncClient, places: Places, world: World, server: Any
) -> None:
    server.slow_seconds = 5.0
    session = UssdSession(client, places.line(KENYAN), world, deadline_seconds=0.02)
    screen = await session.dial("*384*96#")
    assert screen.fault == "no answer within 0.02 s"


async def test_a_server_that_is_not_there_is_a_fault(places: Places, world: World) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        screen = await UssdSession(client, Line(KENYAN, "http://127.0.0.1:1/"), world).dial("*1#")
    assert screen.fault is not None
    assert screen.fault.startswith("the server cannot be reached")


@pytest.mark.parametrize(
    ("keys", "status"), [(["1", "2468"], "Success"), (["1"], "Incomplete"), ([], "Incomplete")]
)
async def test_the_end_is_told_once_with_the_whole_dialogue(
    session: UssdSession, server: Any, keys: list[str], status: str
) -> None:
    await session.dial("*384*96#")
    for key in keys:
        await session.answer(key)
    await session.hang_up()
    await session.hang_up()
    await session.notified()
    [end] = server.ends
    assert end["status"] == status
    assert end["input"] == "*".join(keys)
    assert end["hopsCount"] == str(len(keys) + 1)
    assert end["sessionId"] == session.session_id
    assert int(end["durationInMillis"]) > 0
    assert end["lastAppResponse"].startswith("END " if status == "Success" else "CON ")


async def test_a_bad_answer_is_told_as_failed_with_its_reason(
    session: UssdSession, server: Any
) -> None:
    server.answers.append(PlainTextResponse("oops", 500))
    await session.dial("*384*96#")
    await session.notified()
    assert [(end["status"], end["errorMessage"]) for end in server.ends] == [
        ("Failed", "HTTP status 500")
    ]


async def test_a_repeat_after_the_end_does_not_open_the_session_again(
    session: UssdSession, server: Any
) -> None:
    await session.dial("*384*96#")
    await session.answer("9")
    await session.repeat()
    await session.notified()
    assert not session.is_open
    assert len(server.turns) == 3
    assert len(server.ends) == 1


async def test_two_dialogues_never_share_an_id(
    client: httpx.AsyncClient, places: Places, world: World
) -> None:
    line = Line(KENYAN, places.ussd_url)
    first, second = UssdSession(client, line, world), UssdSession(client, line, world)
    await asyncio.gather(first.dial("*1#"), second.dial("*1#"))
    assert first.session_id != second.session_id


@dataclass
class Rough:
    """A network that does as it is told, and writes down what it was asked."""

    id: str = ""
    before: Exception | None = None
    seconds: float = 0.0
    times: int = 1
    screen: Screen | None = None
    turns: list[int] = field(default_factory=list)

    def session_id(self, fresh: str) -> str:
        return self.id or fresh

    async def carry(self, deliver: Callable[[], Awaitable[Answer]], *, turn: int) -> Answer:
        self.turns.append(turn)
        if self.before is not None:
            raise self.before
        for _ in range(self.times):
            answer = await deliver()
        await asyncio.sleep(self.seconds)
        return answer

    def show(self, screen: Screen, *, turn: int) -> Screen:
        return self.screen or screen


@pytest.fixture
def dial(
    client: httpx.AsyncClient, places: Places, world: World
) -> Callable[..., Awaitable[tuple[UssdSession, Screen]]]:
    async def dialled(rough: Rough, **options: Any) -> tuple[UssdSession, Screen]:
        session = UssdSession(client, places.line(KENYAN), world, network=rough, **options)
        return session, await session.dial("*384*96#")

    return dialled


async def test_the_network_may_give_an_older_sessions_id(dial: Any, server: Any) -> None:
    await dial(Rough(id="ATUid_old"))
    assert [turn["sessionId"] for turn in server.turns] == ["ATUid_old"]


async def test_the_network_may_deliver_a_turn_twice(dial: Any, server: Any) -> None:
    rough = Rough(times=2)
    session, screen = await dial(rough)
    await session.answer("1")
    assert not screen.ends
    assert [turn["text"] for turn in server.turns] == ["", "", "1", "1"]
    assert rough.turns == [1, 2]


async def test_a_turn_that_the_network_loses_is_what_a_phone_shows(dial: Any, server: Any) -> None:
    session, screen = await dial(Rough(before=Dropped("lost before the server")))
    assert screen == Screen(PHONE_FAULT, ends=True, fault="lost before the server")
    assert not session.is_open
    assert server.turns == []


async def test_a_network_slower_than_the_deadline_is_not_waited_for(dial: Any) -> None:
    _, screen = await dial(Rough(seconds=30.0), deadline_seconds=0.05)
    assert screen.fault == "no answer within 0.05 s"


async def test_what_the_network_shows_is_what_the_phone_shows(dial: Any) -> None:
    _, screen = await dial(Rough(screen=Screen("Wel", ends=False)))
    assert screen == Screen("Wel", ends=False)


async def test_an_end_that_the_phone_does_not_hear_is_told_by_the_gateway(
    dial: Any, server: Any
) -> None:
    server.answers.append(PlainTextResponse("END Bye"))
    session, screen = await dial(Rough(screen=Screen("Bye", ends=False)))
    await session.notified()
    assert not screen.ends and session.is_open
    assert [end["status"] for end in server.ends] == ["Success"]


async def test_a_server_that_goes_on_after_its_own_end_is_found_out(
    session: UssdSession, server: Any
) -> None:
    server.answers += [PlainTextResponse("END Bye"), PlainTextResponse("CON More?")]
    await session.dial("*384*96#")
    again = await session.repeat()
    assert again.fault == "the server had ended the session, and now goes on with it"
    assert not session.is_open


async def test_a_repeat_after_hanging_up_may_still_be_answered(
    session: UssdSession, server: Any
) -> None:
    first = await session.dial("*384*96#")
    await session.hang_up()
    assert await session.repeat() == first
    assert not session.is_open


@pytest.mark.parametrize(
    ("body", "shown", "complaint"),
    [
        (
            "CON " + "x" * 200,
            "x" * 182,
            "the phone shows a screen, but: the text has 200 septets, a network carries 182",
        ),
        (
            "CON A\0B",
            "AB",
            "the phone shows a screen, but: the text holds a sign that no phone shows: U+0000",
        ),
        ("CON ", "", "the phone shows a screen, but: the screen has no text"),
    ],
)
async def test_a_flawed_screen_is_shown_and_complained_about(
    session: UssdSession, server: Any, body: str, shown: str, complaint: str
) -> None:
    server.answers.append(PlainTextResponse(body))
    screen = await session.dial("*384*96#")
    assert (screen.text, screen.ends, screen.fault) == (shown, False, None)
    assert screen.complaint == complaint
    assert session.is_open


async def test_a_good_screen_is_no_complaint(session: UssdSession) -> None:
    assert (await session.dial("*384*96#")).complaint is None


async def test_a_bad_answer_is_one_sentence(session: UssdSession, server: Any) -> None:
    server.answers.append(PlainTextResponse("CON Hi", 500))
    assert (await session.dial("*384*96#")).complaint == (
        "the phone shows 'Connection problem or invalid MMI code.', because: HTTP status 500"
    )


async def test_a_word_of_the_server_is_given_back_in_the_next_turn_only(
    client: httpx.AsyncClient, places: Places, world: World, server: Any
) -> None:
    given = {"at-ussd-hop-metadata": "page=2"}
    server.answers += [PlainTextResponse("CON Hi", headers=given), PlainTextResponse("CON Ho")]
    session = UssdSession(client, places.line(KENYAN), world)
    await session.dial("*384*96#")
    await session.answer("1")
    await session.repeat()
    await session.answer("2")
    await session.hang_up()
    await session.notified()
    assert server.states == [None, "page=2", "page=2", None]
    assert [end["hopsMetadata"] for end in server.ends] == ["page=2"]


async def test_a_lapse_is_told_once_and_closes_the_session(
    session: UssdSession, server: Any
) -> None:
    await session.dial("*384*96#")
    await session.lapse()
    await session.lapse()
    await session.hang_up()
    await session.notified()
    assert not session.is_open
    assert [end["status"] for end in server.ends] == ["Incomplete"]


@pytest.mark.parametrize(
    ("dialect", "word"), [("hubtel", b'"Type":"Release"'), ("mtn", b'"messageType":"4"')]
)
async def test_some_gateways_tell_an_end_where_they_tell_turns(
    world: World, dialect: str, word: bytes
) -> None:
    posted: list[bytes] = []
    answers = {
        "hubtel": {"Type": "response", "Message": "Hi"},
        "mtn": {
            "statusCode": "0000",
            "data": {"inboundResponse": "Hi", "userInputRequired": True, "messageType": 1},
        },
    }

    async def answer(request: Request) -> Response:
        posted.append(await request.body())
        return JSONResponse(answers[dialect])

    app = Starlette(routes=[Route("/ussd", answer, methods=["POST"])])
    line = Line(KENYAN, "http://any/ussd", dialect=DIALECTS[dialect])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        session = UssdSession(client, line, world)
        await session.dial("*1#")
        await session.hang_up()
        await session.notified()
    assert [word in body for body in posted] == [False, True]


async def test_hanging_up_while_an_end_is_on_its_way_is_told_once(
    session: UssdSession, server: Any
) -> None:
    server.slow_seconds = 0.5
    server.answers.append(PlainTextResponse("END Bye"))
    dialling = asyncio.create_task(session.dial("*384*96#"))
    await until(lambda: server.turns)
    await session.hang_up()
    await dialling
    await session.notified()
    assert [end["status"] for end in server.ends] == ["Incomplete"]
    assert not session.is_open

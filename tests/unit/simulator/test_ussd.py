import asyncio
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response

from simulator import ussd
from simulator.operators.world import World
from simulator.places import Places
from simulator.ussd import PHONE_FAULT, Line, Screen, UssdSession, split_code

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
    ("dialled", "code", "text"),
    [
        ("*384*96#", "*384*96#", ""),
        ("*384*96*1#", "*384*96#", "1"),
        ("*384*96*1*500#", "*384*96#", "1*500"),
        ("*384*961#", "*384*961#", ""),
        ("*100#", "*100#", ""),
        ("*384*96*1", "*384*96*1", ""),
        ("*384*96*7*1#", "*384*96*7#", "1"),
    ],
)
def test_what_is_dialled_beyond_a_published_code_is_text(
    dialled: str, code: str, text: str
) -> None:
    assert split_code(dialled, ("*384*96#", "*384*96*7#")) == (code, text)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (PlainTextResponse("CON Hello", 500), "HTTP status 500"),
        (PlainTextResponse("CON Hello", 201), "HTTP status 201"),
        (Response("CON Hello", media_type="application/json"), "content type"),
        (PlainTextResponse("\nCON Hello"), "neither"),
        (PlainTextResponse("\ufeffCON Hello"), "neither"),
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
    session: UssdSession, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ussd, "DEADLINE_SECONDS", 0.02)
    server.slow_seconds = 5.0
    screen = await session.dial("*384*96#")
    assert screen.fault == "no answer within 0.02 s"


async def test_a_server_that_is_not_there_is_a_fault(places: Places, world: World) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        screen = await UssdSession(client, Line(KENYAN, "http://127.0.0.1:1/"), world).dial("*1#")
    assert screen.fault is not None
    assert screen.fault.startswith("ConnectError")


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

"""Servers that are broken, rude or hostile: the phone shows what a phone shows, in time.

Bare sockets on 127.0.0.1; there is nothing of ours behind them.
"""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from simulator.dialects import DIALECTS
from simulator.exchange import BODY_BYTES_MAX, Request, Unanswered, exchange
from simulator.operators.world import World
from simulator.ussd import PHONE_FAULT, Line, Screen, UssdSession
from tests.listening import listening
from tests.providers import company as companies
from tests.providers.company import Answer, Company, Raw, Reaction

DEADLINE_SECONDS = 20.0  # which goes by at once where the server is silent
PATIENCE_SECONDS = 3 * DEADLINE_SECONDS  # of the loop's clock; the servers take longer
PHONE = "+254712000001"
TEXT = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"

LATE = f"no answer within {DEADLINE_SECONDS:g} s"
BROKEN = "the connection broke before an answer"


@pytest.fixture
async def company() -> AsyncIterator[Company]:
    async with companies.opened(patience_seconds=DEADLINE_SECONDS) as opened:
        yield opened


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as made:
        yield made


@pytest.fixture
def dial(company: Company, client: httpx.AsyncClient) -> Callable[..., UssdSession]:
    def new(dialect: str = "africastalking") -> UssdSession:
        url, end_url = f"{company.url}/ussd", f"{company.url}/end"
        line = Line(PHONE, url, end_url, dialect=DIALECTS[dialect])
        company.on("/end", Answer())
        return UssdSession(client, line, World(), deadline_seconds=DEADLINE_SECONDS)

    return new


def plain(body: bytes, **fields: str) -> Answer:
    headers = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    return Answer(body=body, content_type="text/plain", headers=headers)


BAD: dict[str, tuple[Reaction, str]] = {
    "silence": (companies.SILENCE, LATE),
    "thirty seconds late": (
        Answer(body=b"CON Hi", content_type="text/plain", delay_seconds=30), LATE,
    ),
    "head in a trickle": (Raw(TEXT * 40, pause_seconds=0.02), LATE),
    "head without end": (Raw(TEXT, then="hold"), LATE),
    "body in a trickle": (
        Raw(TEXT + b"Content-Length: 999\r\n\r\n" + b"CON" * 333, pause_seconds=0.002),
        f"within {DEADLINE_SECONDS:g} s",  # How far the answer came, the machine decides.
    ),
    "chunks in a trickle": (
        Raw(
            TEXT + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 500,
            pause_seconds=0.001,
        ),
        f"within {DEADLINE_SECONDS:g} s",  # How far the answer came, the machine decides.
    ),
    "chunks that never end": (
        Raw(TEXT + b"Transfer-Encoding: chunked\r\n\r\n6\r\nCON Hi\r\n", then="hold"),
        f"the answer was not complete within {DEADLINE_SECONDS:g} s: 6 bytes came",
    ),
    "chunks without sizes": (
        Raw(TEXT + b"Transfer-Encoding: chunked\r\n\r\nCON Hi\r\n"), BROKEN,
    ),
    "2 MB": (plain(b"CON " + b"x" * 2**21), "the answer is longer than 16,384 bytes"),
    "reset": (companies.RESETS, BROKEN),
    "reset in the middle": (
        Raw(TEXT + b"Content-Length: 100\r\n\r\nCON", then="reset"), "the connection broke",
    ),
    "closed": (companies.CLOSES, BROKEN),
    "cut short": (
        companies.CUT_SHORT, "the connection broke after 9 bytes of the answer",
    ),
    "no HTTP": (companies.NOT_HTTP, BROKEN),
    "garbage": (Raw(bytes(range(256)) * 8), BROKEN),
    "200 kB of headers": (Raw(TEXT + b"X-Pad: " + b"y" * 200_000 + b"\r\n\r\n"), BROKEN),
    "two lengths": (
        Raw(TEXT + b"Content-Length: 2\r\nContent-Length: 6\r\n\r\nCON Hi"), BROKEN,
    ),
    "goes on before it begins": (Raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 500, then="hold"), LATE),
    "redirect": (
        Answer(302, headers=(("Location", "http://127.0.0.1:1/"),)),
        "HTTP status 302 to 'http://127.0.0.1:1/': gateways follow no redirect",
    ),
    "error": (companies.HTML_500, "HTTP status 500"),
    "nothing": (plain(b""), "the body starts with ''"),
    "another type": (companies.HTML_OK, "content type 'text/html' is not text/plain"),
    "no type": (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nCON Hi"), "content type ''"),
    "JSON": (Answer(message={"Message": "Hi"}), "content type 'application/json'"),
    "neither CON nor END": (plain(b"Hello"), "neither 'CON ' nor 'END '"),
    "packed": (
        plain(gzip.compress(b"CON " + b"x" * 10**6), Content_Encoding="gzip"),
        "the body is packed as 'gzip', which nobody asked for",
    ),
    "no UTF-8": (plain(b"CON \xff\xfe"), "the body is not UTF-8: byte 4 is 0xff"),
    "UTF-16": (plain("CON Hi".encode("utf-16")), "the body is not UTF-8: byte 0 is 0xff"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_answer_is_what_a_phone_shows_and_one_sentence_in_time(
    company: Company, dial: Callable[..., UssdSession], name: str
) -> None:
    reaction, reason = BAD[name]
    company.on("/ussd", reaction)
    clock = asyncio.get_running_loop()
    session, began = dial(), clock.time()
    screen = await session.dial("*1#")
    await session.notified()
    assert clock.time() - began < PATIENCE_SECONDS
    assert (screen.text, screen.ends, session.is_open) == (PHONE_FAULT, True, False)
    assert screen.fault is not None
    assert reason in screen.fault
    assert screen.fault.isprintable() and len(screen.fault) < 300
    assert len(company.received("/ussd")) == 1  # nothing is tried again, nothing is followed
    [end] = company.received("/end")
    assert b"status=Failed" in end.body


FLAWED: dict[str, tuple[Reaction, Screen]] = {
    "too long": (
        plain(b"CON " + b"x" * 9000),
        Screen(
            "x" * 182, ends=False,
            flaws=("the text has 9000 septets, a network carries 182",),
        ),
    ),
    "control signs": (
        plain(b"CON \0A\x1b[31mB\x07"),
        Screen("A[31mB", ends=False, flaws=("the text holds a sign that no phone shows: U+0000",)),
    ),
    "another charset": (
        Answer(body=b"END Bye", content_type="text/plain; charset=klingon"),
        Screen(
            "Bye", ends=True,
            flaws=("nobody knows the charset 'klingon'; it was read as UTF-8",),
        ),
    ),
    "a longer body than it says": (
        Raw(TEXT + b"Content-Length: 6\r\n\r\nCON Hi and more"),
        Screen("Hi", ends=False),  # What comes after the length is no part of the answer.
    ),
    "slow, but in time": (
        Answer(body=b"CON Hi", content_type="text/plain", delay_seconds=0.1),
        Screen("Hi", ends=False),
    ),
    "chunks": (
        Raw(TEXT + b"Transfer-Encoding: chunked\r\n\r\n3\r\nCON\r\n3\r\n Hi\r\n0\r\n\r\n"),
        Screen("Hi", ends=False),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FLAWED)
async def test_an_odd_answer_is_shown_as_far_as_a_phone_can(
    company: Company, dial: Callable[..., UssdSession], name: str
) -> None:
    reaction, screen = FLAWED[name]
    company.on("/ussd", reaction)
    assert await dial().dial("*1#") == screen


@pytest.mark.parametrize("dialect", sorted(set(DIALECTS) - {"africastalking"}))
@pytest.mark.parametrize(
    ("reaction", "reason"),
    [
        (companies.SILENCE, LATE),
        (companies.CUT_SHORT, "the connection broke after 9 bytes"),
        (Answer(body=b"x" * 10**6), "the answer is longer than"),
        (plain(b"CON Hi"), "is not application/json"),
        (companies.EMPTY_200, "the body is no JSON: ''"),
        (Answer(message=["a list"]), "the body is no JSON object"),
        (Answer(message={}), "is missing"),
        (Answer(body=b'{"MSG": "\xff"}'), "the body is not UTF-8"),
        (Answer(body=b"{" * 16_000), "the body is no JSON"),
    ],
)
async def test_a_bad_answer_is_the_same_in_every_dialect(
    company: Company,
    dial: Callable[..., UssdSession],
    dialect: str,
    reaction: Reaction,
    reason: str,
) -> None:
    company.on("/ussd", reaction)
    screen = await dial(dialect).dial("*1#")
    assert screen.text == PHONE_FAULT
    assert reason in (screen.fault or "")


async def test_a_server_that_goes_on_after_its_own_end_is_found_out(
    company: Company, dial: Callable[..., UssdSession]
) -> None:
    company.on("/ussd", plain(b"END Bye"), plain(b"CON Once more?"))
    session = dial()
    await session.dial("*1#")
    again = await session.repeat()
    assert again.fault == "the server had ended the session, and now goes on with it"


async def test_a_notice_that_nobody_answers_is_given_up(
    company: Company, dial: Callable[..., UssdSession]
) -> None:
    session = dial()
    company.on("/ussd", plain(b"CON Hi"))
    company.on("/end", Raw(TEXT * 40, pause_seconds=0.02))
    await session.dial("*1#")
    clock = asyncio.get_running_loop()
    began = clock.time()
    await session.hang_up()
    await session.notified()
    assert clock.time() - began < PATIENCE_SECONDS


async def test_a_flood_is_neither_kept_nor_read_to_its_end(client: httpx.AsyncClient) -> None:
    flood, sent = b"x" * 2**16, 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(TEXT + b"\r\n")
        while sent < 2**28 and not writer.is_closing():
            writer.write(flood)
            sent += len(flood)
            try:
                await writer.drain()
            except ConnectionError:
                break
        writer.close()

    async with listening(pour) as port:
        tracemalloc.start()
        with pytest.raises(Unanswered, match="longer than"):
            await exchange(client, f"http://127.0.0.1:{port}/", Request(b"", "text/plain"))
        kept = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert sent < 2**25  # what fits into the buffers on the way
    assert kept < 40 * BODY_BYTES_MAX


async def test_a_server_that_is_not_there_is_said_at_once(client: httpx.AsyncClient) -> None:
    line = Line(PHONE, f"http://127.0.0.1:{companies.closed_port()}/ussd")
    screen = await UssdSession(client, line, World()).dial("*1#")
    assert (screen.fault or "").startswith("the server cannot be reached")

"""What a caller may conclude when the network misbehaves, shown on real sockets."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Unreachable
from providers.http import (
    Client,
    Exchange,
    Timeouts,
    Token,
    TokenCache,
    read_token,
    retry_after_seconds,
    with_token,
)
from providers.transport import STOOD_STILL_SECONDS, Transport
from tests.certificates import pem_for
from tests.listening import listening
from tests.providers import company as companies
from tests.providers.company import Answer, Company, Raw
from tests.providers.conftest import HandClock
from tests.providers.subjects import PATIENT
from tests.ticks import counted

QUICK = Timeouts(connect_seconds=20.0, read_seconds=0.3, pool_seconds=20.0)
OK = Answer(200, body=b'{"taken": true}')


@pytest.fixture
async def company() -> AsyncIterator[Company]:
    """One whose silence is waited for: on uvloop no time goes by at once."""
    async with companies.opened() as opened:
        yield opened


@pytest.fixture
async def make_client(
    traced: list[Exchange],
) -> AsyncIterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(url: str, timeouts: Timeouts = PATIENT, **options: object) -> Client:
        transport = Transport(**options)  # type: ignore[arg-type]
        client = Client("acme", url, timeouts=timeouts, transport=transport, trace=traced.append)
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.aclose()


async def post(client: Client, path: str = "/pay", body: bytes = b"{}") -> httpx.Response:
    headers = [(b"Authorization", b"Bearer sesame")]
    return await client.send("pay", "POST", client.url(path), headers=headers, body=body)


MakeClient = Callable[..., Client]


AFTER_THE_REQUEST = {
    "closes": companies.CLOSES,
    "resets": companies.RESETS,
    "stays silent": companies.SILENCE,
    "is cut short": companies.CUT_SHORT,
    "is cut short in a chunk": Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"),
    "is no HTTP": companies.NOT_HTTP,
    "is dripping": Raw(OK.encode(), pause_seconds=0.05),
    "is packed": Answer(200, body=b"x", headers=(("Content-Encoding", "gzip"),)),
    "is an upgrade": Raw(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    "has two lengths": Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"),
    "is undeclared and reset": Raw(b"HTTP/1.1 200 OK\r\n\r\n{}", then="reset"),
}


@pytest.mark.parametrize("fault", AFTER_THE_REQUEST.values(), ids=AFTER_THE_REQUEST.keys())
async def test_after_the_request_left_the_outcome_is_unknown_and_nothing_is_sent_again(
    company: Company, make_client: MakeClient, fault: companies.Reaction
) -> None:
    company.on("/pay", fault)
    client = make_client(company.url, QUICK)

    async with counted() as ticks:
        with pytest.raises(OutcomeUnknown):
            await post(client)

    assert len(company.received("/pay")) == 1
    assert ticks.seconds < 1.5


# Asks once on either loop, and says what it heard.
ASKS = """
import asyncio, sys
import uvloop
from engine.errors import OutcomeUnknown
from providers.http import Client, Timeouts

async def main():
    client = Client("acme", sys.argv[1], timeouts=Timeouts(20.0, 1.0, 20.0))
    try:
        answer = await client.send("pay", "POST", client.url("/pay"), headers=[], body=b"{}")
        print(answer.status_code)
    except OutcomeUnknown as error:
        print(error.code)
    await client.aclose()

loops = {"asyncio": None, "uvloop": uvloop.new_event_loop}
asyncio.Runner(loop_factory=loops[sys.argv[2]]).run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("answers", [True, False], ids=["answered", "silent"])
def test_who_stood_still_hears_what_came_meanwhile_before_giving_up(
    answers: bool, loop: str
) -> None:
    """A process is frozen, or its machine is, for longer than it would have waited."""
    for _ in range(20):
        said = said_by_who_stood_still(answers=answers, loop=loop)
        if said is not None:
            break
    assert said == ("200\n" if answers else "ReadTimeout\n")


def said_by_who_stood_still(*, answers: bool, loop: str) -> str | None:
    """None where this process itself was held up, and the other gave up before it was frozen."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-c", ASKS, url, loop]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                os.kill(process.pid, signal.SIGSTOP)
                seen = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
                if seen is None or seen.si_code != os.CLD_STOPPED:
                    return None
                if answers:
                    connection.sendall(OK.encode())
                time.sleep(1.0 + 2 * STOOD_STILL_SECONDS)
                process.send_signal(signal.SIGCONT)
                said, _ = process.communicate(timeout=120)
    return said


async def test_closed_port_is_unreachable(make_client: MakeClient) -> None:
    with pytest.raises(Unreachable, match="ConnectError"):
        await post(make_client(f"http://127.0.0.1:{companies.closed_port()}"))


async def test_unknown_name_is_unreachable(make_client: MakeClient) -> None:
    with pytest.raises(Unreachable):
        await post(make_client("http://no-such-name.invalid"))


async def test_server_that_never_accepts_is_unreachable(make_client: MakeClient) -> None:
    waiting = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        try:
            for _ in range(4):  # fill the kernel's queue
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                waiting[-1].connect_ex(listener.getsockname())
            with pytest.raises(Unreachable, match="ConnectTimeout"):
                address = f"http://127.0.0.1:{listener.getsockname()[1]}"
                await post(make_client(address, QUICK._replace(connect_seconds=0.3)))
        finally:
            for each in waiting:
                each.close()


async def test_full_pool_is_unreachable_and_heals(
    company: Company, make_client: MakeClient
) -> None:
    may_answer = asyncio.Event()
    company.on("/slow", Answer(200, behind=may_answer))
    company.on("/pay", OK)
    client = make_client(company.url, PATIENT._replace(pool_seconds=0.05), connections=1)
    slow = asyncio.create_task(post(client, "/slow"))
    await company.until_asked("/slow")

    with pytest.raises(Unreachable, match="PoolTimeout"):
        await post(client)

    may_answer.set()
    assert (await slow).status_code == 200
    assert (await post(client)).status_code == 200
    assert len(company.received("/pay")) == 1


async def test_line_break_in_a_header_sends_nothing(
    company: Company, make_client: MakeClient
) -> None:
    client = make_client(company.url)
    headers = [(b"Authorization", b"Bearer a\r\nX-Forged: 1")]
    with pytest.raises(Unreachable):
        await client.send("pay", "POST", client.url("/pay"), headers=headers)
    assert company.requests == []


async def test_answer_larger_than_the_bound_is_not_read_whole(
    company: Company, make_client: MakeClient
) -> None:
    company.on("/pay", Answer(200, body=b"x" * 200_000))
    with pytest.raises(OutcomeUnknown, match="ReadError"):
        await post(make_client(company.url, answer_bytes_max=50_000))


async def test_answer_that_comes_in_small_pieces_is_bounded_as_a_whole(
    company: Company, make_client: MakeClient
) -> None:
    company.on("/pay", Raw(Answer(200, body=b"x" * 400).encode(), pause_seconds=0.001))
    with pytest.raises(OutcomeUnknown, match="ReadError"):
        await post(make_client(company.url, answer_bytes_max=300))


async def test_redirect_is_handed_back_not_followed(
    company: Company, make_client: MakeClient
) -> None:
    company.on("/pay", companies.ELSEWHERE)
    response = await post(make_client(company.url))
    assert response.status_code == 302
    assert len(company.requests) == 1


async def test_connection_is_kept_and_used_again(company: Company, make_client: MakeClient) -> None:
    company.on("/pay", OK)
    client = make_client(company.url)
    for _ in range(5):
        assert (await post(client)).content == b'{"taken": true}'
    assert company.connections == 1


async def test_idle_connection_the_server_closed_is_replaced_before_use(
    company: Company, make_client: MakeClient
) -> None:
    company.on("/pay", Raw(OK.encode(), then="close"), OK)
    client = make_client(company.url)
    await post(client)
    await company.until_open(0)
    await asyncio.sleep(0.05)

    assert (await post(client)).status_code == 200
    assert company.connections == 2
    assert len(company.received("/pay")) == 2


async def test_connection_closed_while_our_loop_was_busy_is_replaced_before_use(
    make_client: MakeClient,
) -> None:
    served, hung_up = [], threading.Semaphore(0)

    def serve(listener: socket.socket) -> None:
        for _ in range(2):  # one answer for each connection, then it hangs up
            connection, _address = listener.accept()
            with connection:
                served.append(connection.recv(4096))
                connection.sendall(OK.encode())
            hung_up.release()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = make_client(f"http://127.0.0.1:{listener.getsockname()[1]}")
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        await post(client)
        assert hung_up.acquire(timeout=120)  # a stalled loop has not yet seen the close
        assert (await post(client)).status_code == 200
        server.join(timeout=120)
    assert len(served) == 2


async def test_connection_the_server_wants_to_close_is_not_used_again(
    company: Company, make_client: MakeClient
) -> None:
    company.on("/pay", Answer(200, headers=(("Connection", "close"),)))
    client = make_client(company.url)
    await post(client)
    await post(client)
    assert company.connections == 2


async def test_connection_is_dropped_when_it_rested_too_long(
    company: Company, make_client: MakeClient
) -> None:
    company.on("/pay", OK)
    client = make_client(company.url, idle_seconds=0.05)
    await post(client)
    await asyncio.sleep(0.15)
    await post(client)
    assert company.connections == 2


async def test_unasked_second_answer_is_never_given_to_the_next_caller(
    company: Company, make_client: MakeClient
) -> None:
    forged = Answer(200, body=b'{"forged": true}')
    company.on("/pay", Raw(OK.encode() + forged.encode(), then="serve"), OK)
    client = make_client(company.url)
    assert (await post(client)).content == b'{"taken": true}'
    assert (await post(client)).content == b'{"taken": true}'
    assert company.connections == 2


async def test_late_answer_of_a_cancelled_caller_never_meets_the_next_one(
    company: Company, make_client: MakeClient
) -> None:
    company.on("/pay", Answer(200, body=b'{"late": true}', delay_seconds=0.5), OK)
    client = make_client(company.url, connections=1)
    first = asyncio.create_task(post(client))
    await company.until_asked("/pay")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await post(client)).content == b'{"taken": true}'


async def test_connection_of_a_cancelled_caller_is_closed(
    company: Company, make_client: MakeClient
) -> None:
    company.on("/pay", companies.SILENCE)
    caller = asyncio.create_task(post(make_client(company.url)))
    await company.until_open(1)
    caller.cancel()
    await company.until_open(0)


WELL_FORMED = {
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "ended by closing": b"HTTP/1.1 200 OK\r\n\r\nhello",
    "after an early hint": b"HTTP/1.1 103 Hint\r\nLink: x\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("wire", WELL_FORMED.values(), ids=WELL_FORMED.keys())
async def test_every_legal_framing_is_read(
    company: Company, make_client: MakeClient, wire: bytes
) -> None:
    company.on("/pay", Raw(wire))
    response = await post(make_client(company.url))
    assert (response.status_code, response.content) == (200, b"hello")
    assert "link" not in response.headers


async def test_post_without_a_body_declares_its_length(
    company: Company, make_client: MakeClient
) -> None:
    company.on("/pay", OK)
    await post(make_client(company.url), body=b"")
    assert company.requests[0].headers["content-length"] == "0"


async def test_answer_is_all_that_httpx_makes_of_one(
    company: Company, make_client: MakeClient
) -> None:
    headers = (("Retry-After", "7"), ("X-Two", "a"), ("X-Two", "b"))
    company.on("/pay", Answer(202, message={"é": 1}, headers=headers))
    response = await post(make_client(company.url))
    assert response.is_closed and response.is_success
    assert response.content == response.read() == await response.aread()
    assert [part async for part in response.aiter_bytes()] == [response.content]
    assert response.json() == {"é": 1}
    assert "é" in response.text
    assert (response.headers["RETRY-after"], response.headers["x-two"]) == ("7", "a, b")


async def test_requests_made_by_httpx_itself_are_sent_as_they_are(company: Company) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"in two "
        yield b"parts"

    company.on("/pay", OK)
    url = f"{company.url}/pay?a=1"
    transport = Transport()
    for request in (
        httpx.Request("POST", url, content=b"whole"),
        httpx.Request("POST", url, content=parts()),
        httpx.Request("GET", url, headers={"Accept": "text/plain"}),
    ):
        assert (await transport.handle_async_request(request)).status_code == 200
    await transport.aclose()

    assert [(r.method, r.target, r.body) for r in company.requests] == [
        ("POST", "/pay?a=1", b"whole"),
        ("POST", "/pay?a=1", b"in two parts"),
        ("GET", "/pay?a=1", b""),
    ]
    host = company.url.removeprefix("http://")
    assert {request.headers["host"] for request in company.requests} == {host}
    assert "content-length" not in company.requests[2].headers


@pytest.mark.parametrize(("method", "body"), [("POST", b"{}"), ("POST", b""), ("GET", b"")])
async def test_any_transport_of_httpx_gets_a_complete_request(method: str, body: bytes) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, content=request.content)

    client = Client("acme", "https://acme.example:8443/v1", transport=httpx.MockTransport(answer))
    url, headers = client.url("/pay"), [(b"X-Id", b"1")]
    response = await client.send("pay", method, url, headers=headers, body=body)
    assert response.content == body
    expected = {"host": "acme.example:8443", "x-id": "1"}
    if method == "POST":
        expected["content-length"] = str(len(body))
    assert dict(sent[0].headers) == expected
    assert str(sent[0].url) == "https://acme.example:8443/v1/pay"


@pytest.mark.parametrize("trusted", [True, False])
async def test_certificate_is_verified(
    make_client: MakeClient, tmp_path: Path, trusted: bool
) -> None:
    pem = pem_for(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK.encode())
        writer.close()

    trust = ssl.create_default_context(cafile=str(pem)) if trusted else None
    async with listening(serve, tls=context) as port:
        client = make_client(f"https://localhost:{port}", ssl_context=trust)
        if trusted:
            assert (await post(client)).status_code == 200
        else:
            with pytest.raises(Unreachable):
                await post(client)


@pytest.mark.parametrize("url", ["ftp://x", "acme.example", "https://u:p@x", "http://", ""])
def test_senseless_base_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError):
        Client("acme", url)


async def test_trace_tells_status_or_failure_and_nothing_else(
    company: Company, make_client: MakeClient, traced: list[Exchange]
) -> None:
    company.on("/pay", Answer(503), companies.CLOSES)
    client = make_client(company.url)
    await post(client, body=b'{"pin": "4711"}')
    with pytest.raises(OutcomeUnknown):
        await post(client, body=b'{"pin": "4711"}')

    assert [(e.provider, e.operation, e.status, e.failure) for e in traced] == [
        ("acme", "pay", 503, ""),
        ("acme", "pay", None, "ReadError"),
    ]
    assert all(0 <= e.elapsed_seconds < 60 for e in traced)
    shown = repr([e._replace(elapsed_seconds=0.0) for e in traced])  # any digits may be in those
    assert "4711" not in shown
    assert "sesame" not in shown


RETRY_AFTER = {"7": 7.0, "0": 1.0, "99999": 600.0, "": 30.0, "-5": 30.0, "soon": 30.0, "²": 30.0}


@pytest.mark.parametrize(("header", "expected"), RETRY_AFTER.items())
def test_retry_after_is_believed_within_reason(header: str, expected: float) -> None:
    response = httpx.Response(429, headers=[(b"Retry-After", header.encode())])
    assert retry_after_seconds(response, 30.0) == expected


def token_answer(status: int = 200, **told: object) -> httpx.Response:
    return httpx.Response(status, json=told)


LIFETIMES = [("180", 180.0), (180, 180.0), (179.5, 0.0), ("soon", 0.0), (-5, 0.0), (None, 0.0)]


@pytest.mark.parametrize(("told", "seconds"), LIFETIMES)
def test_a_lifetime_that_is_no_number_of_seconds_is_over_at_once(
    told: object, seconds: float
) -> None:
    answer = token_answer(access_token="t1", expires_in=told)
    assert read_token(answer) == Token("t1", seconds)


NO_TOKENS = {
    "refused": token_answer(401, access_token="t1", expires_in=180),
    "of a server that broke": token_answer(500, access_token="t1", expires_in=180),
    "a line break in it": token_answer(access_token="t1\r\nX-Forged: 1", expires_in=180),
    "a blank in it": token_answer(access_token="t 1", expires_in=180),
    "letters no header has": token_answer(access_token="té", expires_in=180),
    "empty": token_answer(access_token="", expires_in=180),
    "far too long": token_answer(access_token="t" * 8193, expires_in=180),
    "a number": token_answer(access_token=7, expires_in=180),
    "none": token_answer(expires_in=180),
    "no object": httpx.Response(200, json=["t1"]),
    "no JSON": httpx.Response(200, content=b"<html>"),
}


@pytest.mark.parametrize("answer", NO_TOKENS.values(), ids=NO_TOKENS.keys())
def test_what_cannot_stand_in_a_header_is_no_token(answer: httpx.Response) -> None:
    assert read_token(answer) is None


class Mint:
    """Gives out tokens t1, t2, ... or fails, and counts."""

    def __init__(self, *, lifetime_seconds: float = 3600) -> None:
        self.lifetime_seconds = lifetime_seconds
        self.made = 0
        self.error: ProviderError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self) -> Token:
        self.made += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Token(f"t{self.made}", self.lifetime_seconds)


async def test_token_is_reused_and_renewed_before_its_end(clock: HandClock) -> None:
    mint = Mint()
    tokens = TokenCache(mint.fetch, clock=clock, margin_seconds=600)
    assert [await tokens.current() for _ in range(3)] == ["t1"] * 3
    clock.seconds += 2999
    assert await tokens.current() == "t1"
    clock.seconds += 1
    assert await tokens.current() == "t2"


async def test_token_shorter_than_the_margin_is_still_reused(clock: HandClock) -> None:
    tokens = TokenCache(Mint(lifetime_seconds=60).fetch, clock=clock, margin_seconds=600)
    assert [await tokens.current() for _ in range(3)] == ["t1"] * 3


async def test_many_callers_share_one_renewal(clock: HandClock) -> None:
    mint = Mint()
    mint.gate.clear()
    tokens = TokenCache(mint.fetch, clock=clock, margin_seconds=600)
    callers = [asyncio.create_task(tokens.current()) for _ in range(50)]
    await asyncio.sleep(0)
    callers[0].cancel()  # the one who began it gives up; the others still get their token
    await asyncio.sleep(0)
    mint.gate.set()
    assert await asyncio.gather(*callers[1:]) == ["t1"] * 49
    assert mint.made == 1


async def test_failed_renewal_fails_all_who_wait_and_is_tried_again_later(
    clock: HandClock,
) -> None:
    mint = Mint()
    mint.error = Rejected("acme", "no", code="401", reason="configuration")
    tokens = TokenCache(mint.fetch, clock=clock, margin_seconds=600)
    callers = [tokens.current() for _ in range(5)]
    errors = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(error) for error in errors] == [Rejected] * 5
    assert mint.made == 1
    mint.error = None
    assert await tokens.current() == "t2"


@pytest.mark.parametrize("error", [OutcomeUnknown("acme", "lost"), Unreachable("acme", "down")])
async def test_without_a_token_nothing_was_sent(clock: HandClock, error: ProviderError) -> None:
    mint = Mint()
    mint.error = error
    tokens = TokenCache(mint.fetch, clock=clock, margin_seconds=600)
    with pytest.raises(Unreachable):
        await tokens.current()


async def test_dropping_an_old_token_keeps_the_new_one(clock: HandClock) -> None:
    tokens = TokenCache(Mint().fetch, clock=clock, margin_seconds=600)
    old = await tokens.current()
    tokens.drop(old)
    new = await tokens.current()
    tokens.drop(old)
    assert await tokens.current() == new == "t2"


async def test_renewal_under_way_ends_with_the_cache(clock: HandClock) -> None:
    mint = Mint()
    mint.gate.clear()
    tokens = TokenCache(mint.fetch, clock=clock, margin_seconds=600)
    caller = asyncio.create_task(tokens.current())
    await asyncio.sleep(0)
    await tokens.aclose()
    with pytest.raises(asyncio.CancelledError):
        await caller


def sender(refused: set[str], sent: list[str]) -> Callable[[str], Awaitable[httpx.Response]]:
    async def send(token: str) -> httpx.Response:
        sent.append(token)
        return httpx.Response(401 if token in refused else 200)

    return send


@pytest.mark.parametrize(
    ("refused", "sent", "status"),
    [
        (set(), ["t1"], 200),
        ({"t1"}, ["t1", "t2"], 200),
        ({"t1", "t2", "t3"}, ["t1", "t2"], 401),
    ],
    ids=["a good token is sent once", "a refused one is renewed", "twice refused is the answer"],
)
async def test_request_is_repeated_once_and_only_after_a_refused_token(
    clock: HandClock, refused: set[str], sent: list[str], status: int
) -> None:
    tokens = TokenCache(Mint().fetch, clock=clock, margin_seconds=600)
    seen: list[str] = []
    response = await with_token(tokens, sender(refused, seen), lambda r: r.status_code == 401)
    assert (seen, response.status_code) == (sent, status)


async def test_callers_refused_together_share_one_renewal(clock: HandClock) -> None:
    mint, seen = Mint(), list[str]()
    tokens = TokenCache(mint.fetch, clock=clock, margin_seconds=600)
    await tokens.current()
    calls = [
        with_token(tokens, sender({"t1"}, seen), lambda r: r.status_code == 401) for _ in range(20)
    ]
    responses = await asyncio.gather(*calls)
    assert {response.status_code for response in responses} == {200}
    assert mint.made == 2

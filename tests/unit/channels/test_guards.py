"""What stands before every route, with an application behind it that tells what reached it."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from channels.guards import METHODS, PATH_BYTES_MAX, Edges, Guards

OURS = "https://shop.example.org"
CALLBACK = "/api/v1/webhooks/mtn/collection/1.abc"


class Behind:
    """The application: an own header where the path asks for one, else what reached it."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached.append(f"{scope['method']} {scope['path']}")
        own = {"cache-control": "max-age=60"} if scope["path"] == "/api/v1/docs" else {}
        await Response("behind", headers=own)(scope, receive, send)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Caller:
    """Sends exactly what it is given: a client would tidy the address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def ask(self, target: str, method: str = "GET", **headers: str | list[str]) -> Answer:
        raw, _, query = target.encode("latin-1").partition(b"?")
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": unquote(raw.decode("latin-1")),
            "raw_path": raw,
            "query_string": query,
            "headers": [*_headers({"host": "pay.example", **headers})],
        }
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        start, body = sent
        told = [(name.decode(), value.decode()) for name, value in start["headers"]]
        assert len(dict(told)) == len(told), "a header stands twice"
        return Answer(start["status"], dict(told), body["body"])


def _headers(given: dict[str, str | list[str]]) -> Iterator[tuple[bytes, bytes]]:
    for name, values in given.items():
        for value in values if isinstance(values, list) else [values]:
            yield name.replace("_", "-").encode(), value.encode()


def guarded(**edges: Any) -> tuple[Caller, Behind]:
    behind = Behind()
    return Caller(Guards(behind, Edges(**edges), lambda: "f" * 32)), behind


HELD = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


@pytest.mark.parametrize("target", ["/api/v1/quotes", "/health", "/metrics//", "/ussd/x/y"])
async def test_every_answer_says_how_it_is_to_be_held_also_one_of_the_guards(target: str) -> None:
    client, _ = guarded()
    answer = await client.ask(target)
    assert HELD.items() <= answer.headers.items()
    assert "strict-transport-security" not in answer.headers


async def test_a_failing_application_answers_under_the_same_headers() -> None:
    async def fail(_: Request) -> Response:
        raise ValueError("ours")

    async def fault(_: Request, __: Exception) -> Response:
        return PlainTextResponse("internal error", 500)

    app = Starlette(routes=[Route("/", fail)], exception_handlers={Exception: fault})
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    with pytest.raises(ValueError, match="ours"):  # told to the server as well, behind the answer
        await Guards(app, Edges(), str)(scope, receive, send)
    assert sent[0]["status"] == 500
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert HELD.items() <= told.items()


async def test_what_a_route_says_itself_counts_and_https_is_kept_to_where_it_is_spoken() -> None:
    client, _ = guarded(is_secure=True)
    answer = await client.ask("/api/v1/docs")
    assert answer.headers["cache-control"] == "max-age=60"
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_doors_carry_the_same_lines() -> None:
    lines = Edges(is_secure=True).lines.decode().split("\r\n")
    assert dict(line.split(": ", 1) for line in lines[:-1]) == {
        **HELD,
        "strict-transport-security": "max-age=31536000",
    }


TRICKS = [
    "/api/v1//payments", "//api/v1/payments", "/api/../metrics", "/api/v1/..", "/./metrics",
    "/api/..;/metrics", "/api%2Fv1/payments", "/api%2fv1", "/api/%2e%2e/metrics", "/%2E/metrics",
    "/api/%252e%252e/metrics", "/api\\v1", "/api/%5cv1", "/api/v1/payments%00.json",
    "/api/v1/x%0d%0aSet-Cookie:a", "/api/v1/x\x7f", "/api/v1/caf\xe9",
]  # fmt: skip


@pytest.mark.parametrize("target", TRICKS)
async def test_an_address_that_two_readers_may_read_differently_reaches_nobody(target: str) -> None:
    client, behind = guarded()
    answer = await client.ask(target)
    assert (answer.status, behind.reached) == (400, [])
    problem = msgspec.json.decode(answer.body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["correlation_id"]) == ("malformed", "f" * 32)
    assert answer.headers["x-correlation-id"] == "f" * 32


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/users/%2B254700000001/payments?x=..%2f//",
        "/",
        "/api/v1/a..b",
        "/api/v1/.well-known",
    ],
)
async def test_addresses_as_ours_are_pass(target: str) -> None:
    client, behind = guarded()
    assert (await client.ask(target)).status == 200
    assert len(behind.reached) == 1


async def test_an_address_without_end_reaches_nobody() -> None:
    client, behind = guarded()
    longest = "/api/" + "x" * (PATH_BYTES_MAX - 5)
    assert (await client.ask(longest)).status == 200
    assert (await client.ask(longest + "x")).status == 400
    assert (await client.ask("/api?" + "x" * PATH_BYTES_MAX)).status == 400
    assert len(behind.reached) == 1


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND", "get", "DEBUG"])
async def test_methods_that_nothing_here_has_reach_nobody(method: str) -> None:
    client, behind = guarded()
    answer = await client.ask("/api/v1/x", method)
    assert (answer.status, answer.headers["allow"]) == (405, ", ".join(METHODS))
    assert behind.reached == []


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip", "GZIP"])
async def test_no_body_is_unpacked_for_anybody(encoding: str) -> None:
    client, behind = guarded()
    answer = await client.ask("/api/v1/quotes", "POST", content_encoding=encoding)
    assert (answer.status, behind.reached) == (415, [])
    assert (await client.ask("/x", "POST", content_encoding="identity")).status == 200


HOSTS = {"hosts": frozenset({"pay.example.org", "[::1]"})}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("pay.example.org", 200),
        ("Pay.Example.ORG:8443", 200),
        ("[::1]:8080", 200),
        ("[::1]", 200),
        ("evil.example", 400),
        ("pay.example.org.evil.example", 400),
        ("pay.example.org:80@evil.example", 400),
        ("", 400),
    ],
)
async def test_the_api_is_called_by_its_own_names(host: str, status: int) -> None:
    client, behind = guarded(**HOSTS)
    assert (await client.ask("/api/v1/quotes", host=host)).status == status
    assert len(behind.reached) == (status == 200)


async def test_two_names_of_a_host_reach_nobody() -> None:
    client, behind = guarded()
    assert (await client.ask("/api", host=["pay.example", "evil.example"])).status == 400
    assert behind.reached == []


@pytest.mark.parametrize(
    "target", ["/ussd/mtn/token", "/sms/at/token/report", "/health/live", "/metrics"]
)
async def test_who_is_known_by_the_address_itself_may_call_it_by_any_name(target: str) -> None:
    client, behind = guarded(**HOSTS)
    assert (await client.ask(target, host="10.0.0.7")).status == 200
    assert len(behind.reached) == 1


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("TRACE", CALLBACK, {}),
        ("POST", CALLBACK, {"host": "evil.example"}),
        ("POST", CALLBACK, {"content_encoding": "gzip"}),
        ("POST", CALLBACK + "/%2e%2e//x", {}),
        ("POST", CALLBACK + "?" + "x" * PATH_BYTES_MAX, {}),
    ],
)
async def test_what_operators_call_with_is_never_refused_before_it_is_kept(
    method: str, target: str, headers: dict[str, str]
) -> None:
    client, behind = guarded(**HOSTS)
    assert (await client.ask(target, method, **headers)).status == 200
    assert len(behind.reached) == 1


@pytest.mark.parametrize(
    "target", ["/api%2Fv1/webhooks/x", "/api/v1/webhooks%2Fx", "/api/v1/webhooks"]
)
async def test_only_an_address_written_as_theirs_is_an_operators(target: str) -> None:
    client, behind = guarded(**HOSTS)
    assert (await client.ask(target, host="evil.example")).status == 400
    assert behind.reached == []


@pytest.mark.parametrize(
    "behind_it", ["", "/rotate", "/deliveries", f"/deliveries/{'0' * 32}/resend"]
)
@pytest.mark.parametrize("id_", ["0" * 32, "%30" * 32])
async def test_what_clients_ask_about_their_webhooks_is_no_callback(
    id_: str, behind_it: str
) -> None:
    client, behind = guarded(**HOSTS)
    target = f"/api/v1/webhooks/{id_}{behind_it}"
    assert (await client.ask(target, "POST", host="evil.example")).status == 400
    assert (await client.ask(target, "TRACE")).status == 405
    packed = await client.ask(target, "POST", host="pay.example.org", content_encoding="gzip")
    assert packed.status == 415
    assert behind.reached == []
    assert (await client.ask(target, "POST", host="pay.example.org")).status == 200


async def test_a_company_may_be_called_by_what_looks_like_an_id() -> None:
    client, behind = guarded(**HOSTS)
    named = f"/api/v1/webhooks/{'0' * 32}/collection/1.abc"
    assert (await client.ask(named, "POST", host="evil.example")).status == 200
    assert len(behind.reached) == 1


async def test_no_page_reads_the_api_until_one_is_named() -> None:
    client, _ = guarded()
    answer = await client.ask("/api/v1/quotes", origin=OURS)
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "origin", [OURS.upper(), OURS + ".evil.example", OURS.replace("https", "http"), "null", "*", ""]
)
async def test_only_a_page_on_the_list_reads_the_api_and_never_with_cookies(origin: str) -> None:
    client, behind = guarded(origins=frozenset({OURS}))
    right = await client.ask("/api/v1/quotes", origin=OURS)
    assert right.headers["access-control-allow-origin"] == OURS
    assert "retry-after" in right.headers["access-control-expose-headers"]
    wrong = await client.ask("/api/v1/quotes", origin=origin)
    assert "access-control-allow-origin" not in wrong.headers
    for answer in (right, wrong):
        assert answer.headers["vary"] == "origin"
        assert "access-control-allow-credentials" not in answer.headers
    assert len(behind.reached) == 2


async def test_a_browser_that_asks_first_is_answered_for_pages_on_the_list_alone() -> None:
    client, behind = guarded(origins=frozenset({OURS}))
    asks = {"access_control_request_method": "POST"}
    right = await client.ask("/api/v1/quotes", "OPTIONS", origin=OURS, **asks)
    assert (right.status, right.body, behind.reached) == (204, b"", [])
    assert "idempotency-key" in right.headers["access-control-allow-headers"]
    await client.ask("/api/v1/quotes", "OPTIONS", origin="https://evil.example", **asks)
    await client.ask("/metrics", "OPTIONS", origin=OURS, **asks)
    assert behind.reached == ["OPTIONS /api/v1/quotes", "OPTIONS /metrics"]

"""Every endpoint for staff against everybody who may come: over HTTP, on the process's own app."""

import asyncio
import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import jwt
import pytest
import uvicorn

from channels.api.endpoints import AnyEndpoint
from channels.api.mmo import PREFIX, table_of
from channels.api.operators import Operators
from channels.api.proposals import Proposals
from channels.api.staff_sessions import StaffSessions
from channels.api.transactions import Transactions
from channels.app import build_app
from channels.settings import Settings, read_settings
from channels.web.server import Connection
from engine.clock import Clock, Ids
from engine.database import open_pool
from engine.desk.proposals import Person
from engine.staff.members import Member, MemberId, Role, Session, SessionId
from engine.staff.sessions import Sessions
from engine.staff.store import StaffStore
from engine.staff.tokens import TokenKeys
from simulator import embedded
from tests.integration.world import ENVIRONMENT

KEY, STRANGER, CLIENT_KEY, HOOK_KEY = (
    hashlib.sha256(word).digest() for word in (b"ours", b"a stranger's", b"clients'", b"hooks'")
)
# Only what the table says is wanted here: nobody is asked for anything.
TABLE = table_of(
    Operators.__new__(Operators), Transactions.__new__(Transactions), Proposals.__new__(Proposals),
    StaffSessions.__new__(StaffSessions),
)  # fmt: skip
UNPROVEN = (
    "no token", "another scheme", "an empty token", "a forged token", "no signature",
    "another algorithm", "expired", "not yet", "ended session", "unknown session", "other tenant",
    "another's session", "nobody's member",
)  # fmt: skip


@dataclass
class Doors:
    """The running app, and what each caller says of themselves."""

    client: httpx.Client
    settings: Settings
    callers: dict[str, dict[str, str]]
    paths: list[str]


@pytest.fixture(scope="module")
def doors(shared_database_url: str, redis_server: embedded.Server) -> Iterator[Doors]:
    environment = {
        **ENVIRONMENT,
        "CAPP_CLIENT_KEYS": f"1:{CLIENT_KEY.hex()}",
        "CAPP_WEBHOOK_KEYS": f"1:{HOOK_KEY.hex()}",
        "CAPP_INSPECT_TOKEN": "i" * 32,
        "CAPP_METRICS_TOKEN": "m" * 32,
        "DATABASE_URL": shared_database_url,
        "REDIS_URL": redis_server.url,
        "CAPP_STAFF_KEYS": f"1:{KEY.hex()}",
        "CAPP_OPERATORS": "mtn_ug",
        **{f"CAPP_API_{name}": "1000000" for name in (
            "ADDRESS_PER_MINUTE", "MEMBER_PER_MINUTE", "UNPROVEN_PER_5_MINUTES")},
        "CAPP_MTN_UG_BASE_URL": "http://127.0.0.1:1",
        "CAPP_AFRICASTALKING_BASE_URL": "http://127.0.0.1:1",
        **{f"CAPP_MTN_UG_{name}": "00000000-0000-4000-8000-000000000000" for name in (
            "API_USER", "API_KEY", "COLLECTION_KEY", "DISBURSEMENT_KEY")},
        **{f"CAPP_AFRICASTALKING_{name}": "1234" for name in ("USERNAME", "API_KEY", "SENDER")},
    }  # fmt: skip
    settings = read_settings(environment)
    app = build_app(settings)
    config = uvicorn.Config(app, port=0, http=Connection, log_config=None, loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        callers = asyncio.run(_callers(settings))
        url = _url(server, thread)
        with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=60) as client:
            routes = app._app.router.routes  # type: ignore[attr-defined]
            yield Doors(client, settings, callers, [route.path for route in routes])
    finally:
        server.should_exit = True
        thread.join()


def _url(server: uvicorn.Server, thread: threading.Thread) -> str:
    deadline = time.monotonic() + 120
    while thread.is_alive() and time.monotonic() < deadline:
        if server.started:
            url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            if httpx.get(f"{url}/health", trust_env=False, timeout=60).status_code == 200:
                return url
        time.sleep(0.02)
    raise TimeoutError("the server does not answer")


async def _callers(settings: Settings) -> dict[str, dict[str, str]]:
    """One header for each who may come: those nobody can tell who they are, and each role."""
    pool = await open_pool(settings.database_url, size=1)
    clock = Clock()
    ids = Ids(clock)
    store, keys = StaffStore(pool, 1), TokenKeys({1: KEY}, 1)
    sessions = Sessions(store=store, keys=keys, clock=clock, ids=ids)
    now_ms = int(clock.epoch()) * 1000

    async def open_(name: str, role: Role) -> str:
        await store.add(Member(MemberId(ids.hex()), Person(name), frozenset({role})), now_ms)
        return await sessions.open(name)

    tokens = {role.value: await open_(role, role) for role in Role}
    tokens["no role"] = await open_("nemo", Role.ADMIN)
    await store.revoke(Person("nemo"), Role)
    tokens["ended session"] = await open_("eve", Role.FINANCE)
    await store.end_sessions(name=Person("eve"), session_id=None, by="test", at_ms=now_ms)
    (ada,) = (m for m in await store.members() if m.name == "admin")
    stored = Session(SessionId(ids.hex()), ada, now_ms - 7_200_000, now_ms + 3_600_000)
    await store.open_session(stored)
    over = stored._replace(expires_ms=now_ms - 1000)
    early = stored._replace(made_ms=now_ms + 3_600_000, expires_ms=now_ms + 7_200_000)
    lost = stored._replace(id=SessionId(ids.hex()))
    claims = jwt.decode(keys.write(stored), options={"verify_signature": False})
    tokens |= {
        "a forged token": jwt.encode(claims, STRANGER, "HS256", {"kid": "1"}),
        "no signature": jwt.encode(claims, "", "none", {"kid": "1"}),
        "another algorithm": jwt.encode(claims, KEY * 2, "HS512", {"kid": "1"}),
        "expired": keys.write(over),
        "not yet": keys.write(early),
        "unknown session": keys.write(lost),
        "other tenant": TokenKeys({1: KEY}, 2).write(stored),
        "another's session": keys.write(
            stored._replace(member=ada._replace(name=Person("finance")))
        ),
        "nobody's member": keys.write(stored._replace(member=ada._replace(name=Person("who")))),
    }
    await pool.close()
    callers = {name: {"authorization": f"Bearer {token}"} for name, token in tokens.items()}
    return callers | {
        "no token": {},
        "an empty token": {"authorization": "Bearer"},
        "another scheme": {"authorization": f"Basic {tokens['admin']}"},
    }


def ask(doors: Doors, endpoint: AnyEndpoint, caller: str) -> httpx.Response:
    path = endpoint.path.replace("{transaction}", "A" * 10).replace("{proposal}", "0" * 32)
    path = path.replace("{session}", "0" * 32)
    headers = {**doors.callers[caller], "idempotency-key": hashlib.sha256(
        f"{endpoint.what} {caller}".encode()).hexdigest()}  # fmt: skip
    body = {"test_call": b'{"operator":"nobody"}', "propose_reversal": b'{"why":"because"}'}
    content = body.get(endpoint.what, b"")
    if content:
        headers["content-type"] = "application/json"
    return doors.client.request(endpoint.method, PREFIX + path, headers=headers, content=content)


WHAT = {endpoint.what: endpoint for endpoint in TABLE}


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("caller", UNPROVEN)
def test_who_is_not_proven_is_told_nothing_always_the_same(
    doors: Doors, caller: str, what: str
) -> None:
    answer = ask(doors, WHAT[what], caller)
    said = answer.json()
    assert said.pop("correlation_id") == answer.headers["x-correlation-id"]
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert said == {
        "type": "urn:capp:problem:unauthenticated",
        "title": "Nobody can tell who asks",
        "status": 401,
        "code": "unauthenticated",
        "what_to_do": "send `Authorization: Bearer` with a token that is good",
    }


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("caller", [*Role, "no role"])
def test_each_role_opens_its_own_doors_and_no_other(doors: Doors, caller: str, what: str) -> None:
    endpoint = WHAT[what]
    answer = ask(doors, endpoint, caller)
    if caller in endpoint.grants:
        wanted = 200 if endpoint.method == "GET" and "{" not in endpoint.path else 404
        assert answer.status_code == wanted, answer.text
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.headers["cache-control"] == "no-store"


def test_who_may_what_is_what_was_agreed() -> None:
    """The rows of the matrix, written by hand: a wider door must be widened here too."""
    shown = {
        endpoint.what: "".join(sorted(role[0] for role in endpoint.grants)) for endpoint in TABLE
    }
    assert shown == {
        "list_providers": "acfs",
        "show_health": "acfs",
        "show_stats": "acfs",
        "test_call": "as",
        "show_transaction": "cfs",
        "retry_transaction": "fs",
        "propose_reversal": "f",
        "list_proposals": "f",
        "approve_proposal": "f",
        "reject_proposal": "f",
        "list_sessions": "a",
        "end_session": "acfs",
    }


def test_every_request_of_a_member_is_one_row_of_the_log(doors: Doors) -> None:
    """Also what was refused, and what was asked for and is not there."""
    asked = {
        ask(doors, endpoint, f"{role}").headers["x-correlation-id"]: (role.value, endpoint.what)
        for endpoint in TABLE
        for role in Role
    }

    async def written() -> list[tuple[str, tuple[str, str], str]]:
        pool = await open_pool(doors.settings.database_url, size=1)
        rows = await pool.fetch(
            "select correlation, who, what, outcome from staff_action"
            " where correlation = any($1::uuid[])",
            list(asked),
        )
        await pool.close()
        return [(r["correlation"].hex, (r["who"], r["what"]), r["outcome"]) for r in rows]

    rows = asyncio.run(written())
    assert {correlation: done for correlation, done, _ in rows} == asked
    assert len(rows) == len(asked)
    for _, (who, what), outcome in rows:
        assert (outcome == "forbidden") is (Role(who) not in WHAT[what].grants)


NOBODY_OF_US = {
    "/ussd/": "gateways: customers' own sessions",
    "/sms/": "gateways",
    "/api/v1/webhooks/": "operators, and businesses about their own webhooks",
    "/api/v1": "businesses, about their own payments: told to the log of the process",
    "/openapi.json": "the description of the API",
    "/docs": "the same as pages",
    "/health": "whether we live; nothing about people or money",
    "/metrics": "figures for machines, of nobody",
    "/inspect/": "testers; production mode does not start with its token",
}
"""Doors that no member of staff comes through, and who does."""


def test_every_door_of_the_process_is_one_that_writes_down_or_is_for_nobody_of_us(
    doors: Doors,
) -> None:
    """A door that somebody adds for staff goes through the table above, or is explained here."""
    staff = [path for path in doors.paths if path.startswith(PREFIX)]
    assert {path.removeprefix(PREFIX) for path in staff} == {
        *(endpoint.path for endpoint in TABLE), "", "/{rest:path}",
    }  # fmt: skip
    others = [path for path in doors.paths if not path.startswith(PREFIX)]
    strange = [path for path in others if not path.startswith(tuple(NOBODY_OF_US))]
    assert strange == []
    assert all(any(path.startswith(door) for path in others) for door in NOBODY_OF_US)


LOST = ("/daraja/stk-callback", "/daraja/stk-callback/1.abc/", "/mtn/collection/1.abc/more", "/")


def test_a_callback_that_lost_its_way_is_kept_also_where_clients_have_an_api(doors: Doors) -> None:
    """An operator that appends a slash or drops the token comes to no page of a business."""

    async def kept() -> int:
        pool = await open_pool(doors.settings.database_url, size=1)
        count: int = await pool.fetchval(
            "select count(*) from traffic where outcome = 'no such address'"
        )
        await pool.close()
        return count

    before = asyncio.run(kept())
    for path in LOST:
        answer = doors.client.post(f"/api/v1/webhooks{path}", content=b"{}")
        assert (answer.status_code, answer.text) == (404, "not found"), path
    assert asyncio.run(kept()) == before + len(LOST)
    for method, path, status in (
        ("POST", "/webhooks", 401),
        ("POST", f"/webhooks/{'0' * 32}/rotate", 401),
        ("DELETE", f"/webhooks/{'0' * 32}", 405),
        ("GET", "/nowhere", 404),
    ):  # a business, which is told what is the matter
        answer = doors.client.request(method, f"/api/v1{path}")
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/api/v1", "application/problem+json"), ("/api/v1/admin/mmo", "application/problem+json"),
     ("/api/v1/payments/", "application/problem+json"), ("/docs/", "text/plain; charset=utf-8"),
     ("/health/", "text/plain; charset=utf-8")],
)  # fmt: skip
def test_nobody_is_redirected_for_a_slash(doors: Doors, path: str, media_type: str) -> None:
    """What is built from the request's own `Host` leads wherever somebody wants it to."""
    answer = doors.client.get(path, headers={"host": "evil.example"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["content-type"]) == (404, media_type)
    assert "location" not in answer.headers


def test_every_answer_of_a_process_is_held_alike_whichever_way_it_went(doors: Doors) -> None:
    """The application's, the guards', and those of doors on both their ways."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    client = doors.client
    answers = {
        "a route": client.get("/health/live"),
        "no route": client.get("/nowhere"),
        "the guards": client.get("/nowhere%2f"),
        "the API": client.get(PREFIX + "/providers"),
        "a door": client.post("/ussd/africastalking/guess", content=b"x=1", headers=form),
        "a door in pieces": client.post(
            "/ussd/africastalking/guess", content=iter([b"x=1"]), headers=form
        ),
        "a callback": client.post("/api/v1/webhooks/mtn/collection/1.x", content=b"{}"),
    }
    assert [answer.status_code for answer in answers.values()] == [
        200, 404, 400, 401, 404, 404, 404,
    ]  # fmt: skip
    for what, answer in answers.items():
        assert answer.headers["x-content-type-options"] == "nosniff", what
        assert answer.headers["cache-control"] == "no-store", what
        assert answer.headers["x-frame-options"] == "DENY", what
        assert answer.headers["referrer-policy"] == "no-referrer", what


CALLED = [
    ("GET", "/nowhere", {}, b"", 404),
    ("GET", "/providers/", {}, b"", 404),
    ("DELETE", "/providers", {}, b"", 405),
    ("HEAD", "/providers", {}, b"", 405),
    ("GET", "/test-call", {}, b"", 405),
    ("GET", "/providers?" + "x=1&" * 400, {}, b"", 400),
    ("GET", "/providers?%ff=1", {}, b"", 400),
    ("GET", "/providers?x", {}, b"", 400),
    ("POST", "/test-call", {"content-type": "application/json"}, b"{", 400),
    ("POST", "/test-call", {"content-type": "application/json"}, b"\xff\xfe", 400),
    ("POST", "/test-call", {"content-type": "application/json"}, b"[" * 10_000, 400),
    ("POST", "/test-call", {"content-type": "application/json"}, b'{"operator":NaN}', 400),
    (
        "POST",
        "/test-call",
        {"content-type": "application/json"},
        b'{"operator":"mtn_ug","call":"name","operator":"mtn_ug"}',
        400,
    ),
    ("POST", "/test-call", {"content-type": "application/json"}, b" " * 16_385, 413),
    ("POST", "/test-call", {"content-type": "text/plain"}, b'{"operator":"mtn_ug"}', 415),
    ("POST", "/test-call", {}, b'{"operator":"mtn_ug"}', 415),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "headers", "content", "status"), CALLED)
def test_what_nobody_documents_is_a_problem_and_never_our_fault(
    doors: Doors, method: str, path: str, headers: dict[str, str], content: bytes, status: int
) -> None:
    answer = doors.client.request(
        method, PREFIX + path, content=content,
        headers={**doors.callers["admin"], "idempotency-key": "nobody-documents", **headers},
    )  # fmt: skip
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 405:
        assert answer.headers["allow"] in ("GET", "POST")


def test_many_callers_without_a_token_write_no_row(doors: Doors) -> None:
    async def rows() -> int:
        pool = await open_pool(doors.settings.database_url, size=1)
        count: int = await pool.fetchval("select count(*) from staff_action")
        await pool.close()
        return count

    before = asyncio.run(rows())
    for caller in UNPROVEN:
        ask(doors, WHAT["show_transaction"], caller)
    assert asyncio.run(rows()) == before

"""Every endpoint of both tables, asked at one tenant with what opens the other's doors.

Whoever is good elsewhere is told what everybody unknown is told, to the byte: not even that there
is another tenant.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from channels.api.endpoints import AnyEndpoint
from channels.api.mmo import PREFIX as STAFF
from channels.api.v1 import PREFIX as CLIENTS
from engine.staff.members import Role
from simulator import embedded
from tests.integration.street_room import NUMBERS, StreetRoom, open_street_room
from tests.integration.test_client_doors import BODIES as CLIENT_BODIES
from tests.integration.test_client_doors import TABLE as CLIENT_TABLE
from tests.integration.test_client_doors import path_of
from tests.integration.test_staff_doors import TABLE as STAFF_TABLE

NOBODY = "0" * 32
STAFF_BODIES: dict[str, Any] = {
    "test_call": {"operator": "nobody"}, "propose_reversal": {"why": "because"},
}  # fmt: skip
CALLERS = [role.value for role in Role]
OTHER = {"duka": "soko", "soko": "duka"}
PATHS = {
    "{transaction}": "A" * 10, "{proposal}": NOBODY, "{session}": NOBODY,
}  # fmt: skip


@pytest.fixture(scope="module")
def room(
    shared_database_url: str,
    redis_server: embedded.Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StreetRoom]:
    with open_street_room(
        shared_database_url, redis_server.url, tmp_path_factory.mktemp("tenants")
    ) as opened:
        yield opened


def staff_path(endpoint: AnyEndpoint) -> str:
    path = endpoint.path
    for word, value in PATHS.items():
        path = path.replace(word, value)
    return STAFF + path


def ask(
    room: StreetRoom, at: str, method: str, path: str, token: str, body: Any
) -> tuple[int, str, dict[str, Any]]:
    """Status, the way to prove oneself that is named, and the body without its id."""
    headers = {"authorization": f"Bearer {token}", "idempotency-key": f"{at}-{abs(hash(path))}"}
    if body is not None:
        headers["content-type"] = "application/json"
    content = json.dumps(body).encode() if body is not None else b""
    answer = room.client.request(method, f"/t/{at}{path}", headers=headers, content=content)
    said = answer.json()
    said.pop("correlation_id", None)
    return answer.status_code, answer.headers.get("www-authenticate", ""), said


def wrong(token: str) -> str:
    """The same but for its last sign."""
    return token[:-1] + ("0" if token[-1] != "0" else "1")


@pytest.mark.parametrize("at", NUMBERS)
@pytest.mark.parametrize("caller", CALLERS)
def test_staff_of_one_are_nobody_at_the_other(room: StreetRoom, at: str, caller: str) -> None:
    token = room.staff[OTHER[at]][caller]
    for endpoint in STAFF_TABLE:
        asked = (endpoint.method, staff_path(endpoint))
        body = STAFF_BODIES.get(endpoint.what)
        found = ask(room, at, *asked, token, body)
        assert found[0] == 401, endpoint.what
        assert found == ask(room, at, *asked, wrong(token), body), endpoint.what
        at_home = ask(room, OTHER[at], *asked, token, body)
        assert at_home[0] != 401, f"{endpoint.what}: the token is good at home"


@pytest.mark.parametrize("at", NUMBERS)
def test_a_key_of_one_is_no_key_at_the_other(room: StreetRoom, at: str) -> None:
    key = room.keys[OTHER[at]]
    for endpoint in CLIENT_TABLE:
        asked = (endpoint.method, path_of(endpoint))
        body = CLIENT_BODIES.get(endpoint.what)
        found = ask(room, at, *asked, key, body)
        assert found[0] == 401, endpoint.what
        assert found == ask(room, at, *asked, wrong(key), body), endpoint.what
        assert ask(room, OTHER[at], *asked, key, body)[0] not in (401, 403), endpoint.what


def test_the_tables_are_all_there_is(room: StreetRoom) -> None:
    """What is described to clients is what was asked above."""
    described = room.client.get("/t/duka/openapi.json").json()["paths"]
    assert {(CLIENTS + e.path, e.method.lower()) for e in CLIENT_TABLE} == {
        (path, method) for path, methods in described.items() for method in methods
        if method != "parameters"
    }  # fmt: skip


def test_who_is_someone_at_both_sees_each_ones_own_in_each(room: StreetRoom) -> None:
    """Ids of one are not found at the other, as ids that never were: also for who is proven."""
    ids = {}
    for name in NUMBERS:
        _, _, said = ask(room, name, "GET", f"{STAFF}/sessions", room.staff[name]["admin"], None)
        ids[name] = json.dumps(said)
    assert ids["duka"] != ids["soko"]

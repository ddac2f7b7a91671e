"""Every endpoint that a tenant's application answers, asked with what opens the other's doors.

Whoever is good elsewhere is told what everybody unknown is told, to the byte: not even that there
is another tenant. The endpoints are read from the routes of the running application.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from channels.api.mmo import PREFIX as STAFF
from channels.api.v1 import PREFIX as CLIENTS
from channels.guards import METHODS
from engine.staff.members import Role
from simulator import embedded
from tests.integration.every_endpoint import Door, doors_of, others_of
from tests.integration.street_room import NUMBERS, StreetRoom, open_street_room

pytestmark = pytest.mark.long(
    "every route of two houses; test_tenants.py and test_ids_of_others.py try some"
)

OTHER = {"duka": "soko", "soko": "duka"}
# Every other route there is, each with what keeps tenants apart there and where that is shown.
OTHERS = {
    "/ussd/africastalking/{token}": "the gateway's token (test_tenants.py)",
    "/ussd/africastalking/{token}/end": "likewise",
    "/sms/africastalking/{token}/report": "likewise",
    "/sms/africastalking/{token}/message": "likewise",
    "/api/v1/webhooks/{company}/balance/{token}": "a signed address (test_tenants.py)",
    "/api/v1/webhooks/{company}/c2b-validation/{token}": "likewise",
    "/api/v1/webhooks/{company}/c2b-confirmation/{token}": "likewise",
    "/api/v1/webhooks/{company}/c2b-status/{token}": "likewise",
    "/api/v1/webhooks/{company}/c2b-return/{token}": "likewise",
    "/api/v1/webhooks/{company}/c2b-timeout/{token}": "likewise",
    "/api/v1/webhooks/{company}/{kind}/{token}": "likewise",
    "/api/v1/webhooks/{rest:path}": "nothing is found there",
    "/health": "tells nobody's affairs", "/health/live": "likewise", "/health/ready": "likewise",
    "/inspect/sessions": "a token of the tenant's own, below",
    "/inspect/payments": "likewise", "/inspect/books": "likewise",
    "/metrics": "a token, which the process may have for all (test_tenants.py)",
    "/openapi.json": "for everybody", "/docs": "likewise", "/docs/start.js": "likewise",
    "/docs/swagger-ui.css": "likewise", "/docs/swagger-ui-bundle.js": "likewise",
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


def ask(room: StreetRoom, at: str, door: Door, token: str, method: str = "") -> httpx.Response:
    """The endpoint's own request, by whoever holds the token; "" sends none."""
    key = hashlib.sha256(f"{door.endpoint.what} {method} {token}".encode()).hexdigest()
    headers = {"idempotency-key": key} | ({"authorization": f"Bearer {token}"} if token else {})
    content = door.content
    if content:
        headers["content-type"] = "application/json"
    method = method or door.endpoint.method
    return room.client.request(method, f"/t/{at}{door.at()}", headers=headers, content=content)


def said(answer: httpx.Response) -> tuple[int, str, dict[str, Any]]:
    """Status, the way to prove oneself that is named, and the body without its id."""
    body = answer.json()
    assert body.pop("correlation_id") == answer.headers["x-correlation-id"]
    return answer.status_code, answer.headers.get("www-authenticate", ""), body


def wrong(token: str) -> str:
    """The same but for its last sign."""
    return token[:-1] + ("0" if token[-1] != "0" else "1")


def strangers(room: StreetRoom, at: str, door: Door) -> dict[str, str]:
    """Everybody who is nobody at this door, by what they show."""
    theirs = OTHER[at]
    shown = {
        "nothing": "",
        "the other's key": room.keys[theirs],
        "the other's key, not quite": wrong(room.keys[theirs]),
        **{f"the other's {role}": token for role, token in room.staff[theirs].items()},
    }
    if door.is_staffs:
        return shown | {"our client's key": room.keys[at]}
    return shown | {f"our own {role}": token for role, token in room.staff[at].items()}


def test_every_route_is_asked_here_or_known_for_another_reason(room: StreetRoom) -> None:
    for name in NUMBERS:
        routes = room.routes(name)
        assert others_of(routes) == set(OTHERS), "say what keeps tenants apart there"
        asked = {door.path for door in doors_of(routes)}
        assert {f"{CLIENTS}/webhooks/{{webhook}}/rotate", f"{STAFF}/proposals"} <= asked
        assert len(doors_of(routes)) >= 37


@pytest.mark.parametrize("at", NUMBERS)
def test_who_is_good_elsewhere_is_nobody_here(room: StreetRoom, at: str) -> None:
    """Endpoint by endpoint, and all of it answered with the same bytes."""
    heard = set()
    for door in doors_of(room.routes(at)):
        for who, token in strangers(room, at, door).items():
            status, named, body = said(ask(room, at, door, token))
            assert (status, named) == (401, "Bearer"), (door.endpoint.what, who)
            heard.add(json.dumps(body))
    assert len(heard) == 1


@pytest.mark.parametrize("at", NUMBERS)
def test_what_opens_no_door_there_opens_those_at_home(room: StreetRoom, at: str) -> None:
    """So that nothing above was refused for another reason; and no role opens another's doors."""
    for door in doors_of(room.routes(at)):
        what = door.endpoint.what
        if not door.is_staffs:
            assert ask(room, at, door, room.keys[at]).status_code not in (401, 403, 405), what
            continue
        for role in Role:
            status = ask(room, at, door, room.staff[at][role.value]).status_code
            assert status != 401, (what, role)
            assert (status == 403) is (role not in door.endpoint.grants), (what, role)


def test_no_other_method_is_let_in_for_anybody(room: StreetRoom) -> None:
    doors = doors_of(room.routes("duka"))
    for door in doors:
        allowed = {other.endpoint.method for other in doors if other.path == door.path}
        for method in set(METHODS) - allowed:
            answer = ask(room, "duka", door, room.keys["duka"], method)
            assert answer.status_code == 405, (method, door.path)
            assert answer.headers["allow"] == ", ".join(sorted(allowed))


@pytest.mark.parametrize("path", ["/inspect/sessions", "/inspect/payments", "/inspect/books"])
def test_an_inspection_wants_the_token_of_its_own_tenant(room: StreetRoom, path: str) -> None:
    for at, theirs in OTHER.items():
        token = room.settings[theirs].inspect_token
        answer = room.client.get(f"/t/{at}{path}", headers={"authorization": f"Bearer {token}"})
        never = room.client.get(f"/t/{at}{path}")
        assert (answer.status_code, answer.content) == (403, never.content)


@pytest.mark.parametrize("at", NUMBERS)
def test_what_is_described_to_clients_is_what_was_asked_and_leads_there(
    room: StreetRoom, at: str
) -> None:
    where = str(room.client.base_url.join(f"/t/{at}/openapi.json"))
    described = room.client.get(where).json()
    base = urljoin(where, described["servers"][0]["url"])
    assert {
        (urljoin(where, base + path), method.upper())
        for path, methods in described["paths"].items() for method in methods
    } == {
        (str(room.client.base_url.join(f"/t/{at}")) + door.path, door.endpoint.method)
        for door in doors_of(room.routes(at)) if not door.is_staffs
    }  # fmt: skip
    for name, status in ((at, 200), (OTHER[at], 401)):
        headers = {"authorization": f"Bearer {room.keys[name]}"}
        assert room.client.get(f"{base}/operators", headers=headers).status_code == status


def test_who_is_someone_at_both_sees_each_ones_own_in_each(room: StreetRoom) -> None:
    """Ids of one are not found at the other, as ids that never were: also for who is proven."""
    (door,) = (d for d in doors_of(room.routes("duka")) if d.endpoint.what == "list_sessions")
    ids = {}
    for name in NUMBERS:
        answer = ask(room, name, door, room.staff[name]["admin"])
        ids[name] = {session["id"] for session in answer.json()["sessions"]}
        assert len(ids[name]) == len(Role)
    assert not ids["duka"] & ids["soko"]
    end = next(d for d in doors_of(room.routes("duka")) if d.endpoint.what == "end_session")
    token = room.staff["duka"]["admin"]
    headers = {"authorization": f"Bearer {token}"}
    heard = []
    for number, id_ in enumerate([min(ids["soko"]), "0" * 32]):
        answer = room.client.post(
            f"/t/duka{end.at(session=id_)}",
            headers={**headers, "idempotency-key": f"end-session-{number}"},
        )
        heard.append(said(answer))
    assert heard[0] == heard[1]
    assert heard[0][0] == 404

"""Two tenants in one web process: what each sees, and what neither sees of the other."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import httpx
import pytest
import redis
from starlette.applications import Starlette

from channels.addresses import PREFIX, CallbackAddresses, companies_of
from channels.commands.working import work_when_up
from channels.rounds import make_rounds
from channels.settings import BadSettings
from channels.street import Street
from channels.tenants import read_tenants
from channels.watching.logs import About
from engine.clock import Clock
from providers.registry import build_operators
from simulator import embedded
from tests.integration.street_room import (
    NUMBERS,
    PHONE,
    StreetRoom,
    drawn,
    file_of,
    house_environment,
    open_roles,
    open_street,
    open_street_room,
    write_files,
)


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


def test_one_phone_dials_both_at_once_and_is_two_customers(room: StreetRoom) -> None:
    with ThreadPoolExecutor(2) as both:
        screens = list(both.map(lambda name: room.dial(name, session="same").text, NUMBERS))
    assert screens[0].startswith("CON") and screens[1].startswith("CON")
    assert "Send money" in screens[0]
    assert "Envoyer" in screens[1]


def test_sessions_of_both_stand_apart_also_under_one_id(
    room: StreetRoom, redis_server: embedded.Server
) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        before = set(client.scan_iter("capp:*"))  # of other tests, whose tenants are others
    room.dial("duka", session="twice")
    room.dial("soko", session="twice")
    deeper = room.dial("duka", session="twice", text="1").text
    again = room.dial("soko", session="twice", text="").text
    assert deeper != again and "Envoyer" in again
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        keys = set(client.keys("capp:session:*:twice"))
        assert keys == {f"capp:session:{{{n}:{PHONE}}}:twice" for n in NUMBERS.values()}
        made = {key for key in client.scan_iter("capp:*") if key.encode() not in before}
    strange = [key for key in made if str(PHONE) in key and "{2" not in key]
    assert strange == []


def test_a_gateways_token_opens_its_own_tenants_door_alone(room: StreetRoom) -> None:
    assert room.dial("duka", session="a").status_code == 200
    answer = room.dial("duka", session="a", token_of="soko")
    never = room.client.post(f"/t/duka/ussd/africastalking/{'0' * 64}")
    assert (answer.status_code, answer.content) == (never.status_code, never.content)
    assert answer.status_code == 404


def test_the_ordinary_way_reaches_the_same_door(room: StreetRoom) -> None:
    """A body in chunks never goes the short way of `server.py`."""
    token = room.settings["soko"].token_of("africastalking")
    form = "sessionId=chunks&phoneNumber=%2B254712000001&networkCode=63902&text="
    form += "&serviceCode=*384*22%23"
    answer = room.client.post(
        f"/t/soko/ussd/africastalking/{token}",
        content=iter([form.encode()]),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 200, answer.text
    assert "Envoyer" in answer.text


def test_a_callback_of_one_is_not_found_at_the_other(room: StreetRoom) -> None:
    own = room.settings["duka"]
    facts = build_operators(own.environment, clock=Clock(), names=own.operators)["mtn_ug"].facts
    addresses = CallbackAddresses(own.public_url, own.callback_keys, companies_of([facts]))
    at_home = addresses.to_register(facts.code).removeprefix("http://127.0.0.1")
    strange = at_home.replace("/t/duka/", "/t/soko/")
    never = at_home.replace(at_home[-10:], "0" * 10)
    assert at_home.startswith("/t/duka/api/v1/webhooks/")
    assert room.client.get(at_home).status_code == 405, "it is an address of duka's"
    answers = [room.client.request(m, place) for m in ("GET", "POST") for place in (strange, never)]
    assert {(one.status_code, one.content) for one in answers} == {(404, b"not found")}


@pytest.mark.parametrize(
    "path",
    ["/", "/t/", "/t/duka", "/t/nobody/health", "/t/DUKA/health", "/ussd/africastalking/x",
     "/api/v1/operators", "/metrics", "/docs", "/t/%64uka/health", "/t/duka%2fhealth"],
)  # fmt: skip
def test_nobody_is_found_without_a_name(room: StreetRoom, path: str) -> None:
    assert room.client.get(path).status_code in (400, 404)


@pytest.mark.parametrize("path", ["/t/duka/../soko/health", "/t/duka//health"])
def test_a_path_that_two_could_read_differently_is_refused(room: StreetRoom, path: str) -> None:
    answer = room.client.send(
        room.client.build_request("GET", "/x", extensions={"target": path.encode()})
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "path", ["/t/duka/api/v1", "/t/duka/api/v1/", "/t/duka/docs/", "/t/duka/health/", "/health/"]
)
def test_nobody_is_redirected_to_a_host_that_they_named(room: StreetRoom, path: str) -> None:
    """It was one slash more or less, on the host of the request and without the tenant's name."""
    answer = room.client.get(path, headers={"host": "evil.example"}, follow_redirects=False)
    assert answer.status_code == 404
    assert "location" not in answer.headers


def test_every_house_has_its_pages_below_its_own_name(room: StreetRoom) -> None:
    page = room.client.get("/t/duka/docs")
    assert page.status_code == 200
    assert 'src="docs/start.js"' in page.text
    assert room.client.get("/t/duka/docs/start.js").status_code == 200
    assert room.client.get("/t/duka/openapi.json").json()["openapi"] == "3.1.0"


def test_health_is_told_of_the_process_and_of_each(room: StreetRoom) -> None:
    answer = room.client.get("/health")
    assert answer.json() == {"state": "ready", "tenants": 2, "tenants_ready": 2}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert room.client.get("/health/live").text == "ok"
    assert room.client.get("/t/soko/health").text == "ok"
    assert "postgres" in room.client.get("/t/soko/health/ready").json()["dependencies"]


def test_counts_say_whose_they_are(room: StreetRoom) -> None:
    room.dial("duka", session="counted")
    headers = {"authorization": f"Bearer {drawn('metrics')}"}
    told = {n: room.client.get(f"/t/{n}/metrics", headers=headers).text for n in NUMBERS}
    for name, text in told.items():
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert lines and all(f'tenant="{name}"' in line for line in lines)
    counted = 'capp_turn_seconds_count{ends="no",gateway="africastalking",tenant="duka"}'
    assert counted in told["duka"]


def test_lines_say_whose_they_are(room: StreetRoom, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(about := About())
    token = room.settings["soko"].token_of("africastalking")
    for content in (b"text=1", iter([b"text=1"])):  # by the short way, and by the ordinary one
        headers = {"content-type": "application/x-www-form-urlencoded"}
        place = f"/t/soko/ussd/africastalking/{token}"
        assert room.client.post(place, content=content, headers=headers).status_code == 400
    caplog.handler.removeFilter(about)
    said = [r for r in caplog.records if "unreadable callback" in r.getMessage()]
    assert [r.words["tenant"] for r in said] == ["soko", "soko"]  # type: ignore[attr-defined]


@pytest.mark.long("houses of its own are opened")
def test_a_host_of_its_own_is_one_tenants_alone(
    shared_database_url: str, redis_url: str, tmp_path: Path, room: StreetRoom
) -> None:
    assert room.settings
    hosted = {
        **file_of("duka", 21), "CAPP_HOSTS": "pay.duka.example",
        "CAPP_PUBLIC_URL": "http://pay.duka.example",
    }  # fmt: skip
    write_files(tmp_path, duka=hosted, soko=file_of("soko", 22))
    tenants = read_tenants(house_environment(shared_database_url, redis_url, tmp_path))
    assert tenants.faults == {}
    with open_street(tenants) as client:
        host = {"host": "Pay.Duka.example:8443"}
        assert client.get("/health", headers=host).text == "ok"
        assert client.get("/t/duka/health", headers=host).text == "ok"
        assert client.get("/t/soko/health", headers=host).status_code == 404
        assert client.get("/t/soko/health").text == "ok"
        assert "tenants" in client.get("/health", headers={"host": "else.example"}).json()
        # The short way of doors and of the API keeps to it as well: 401 there is found, and asked.
        for path, found in (("/ussd/africastalking/x", 415), ("/api/v1/payments/send", 401)):
            hosted_at_duka = client.post(f"/t/soko{path}", headers=host, json={})
            assert hosted_at_duka.status_code == 404, path
            token = file_of("soko", 22)["CAPP_GATEWAY_TOKEN"]
            own = client.post(f"/t/soko{path.replace('/x', f'/{token}')}", json={})
            assert own.status_code == found, path


@pytest.mark.long("houses of its own are opened")
def test_a_tenant_without_a_role_stops_nobody_else_in_development(
    database_url: str, redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(open_roles(database_url, 21))
    write_files(tmp_path, duka=file_of("duka", 21), soko=file_of("soko", 900))
    tenants = read_tenants(house_environment(database_url, redis_url, tmp_path))
    with open_street(tenants) as client:
        assert client.get("/t/duka/health").text == "ok"
        assert client.get("/t/soko/health").status_code == 503
        assert client.get("/health").json() == {
            "state": "degraded", "tenants": 2, "tenants_ready": 1,
        }  # fmt: skip
    (told,) = [r for r in caplog.records if "this tenant is not served" in r.getMessage()]
    assert "capp_tenant_900" in told.getMessage() and told.exc_info is None


@pytest.mark.long("houses of its own are opened")
def test_a_tenant_whose_adapter_lacks_a_variable_is_told_of_in_a_sentence(
    database_url: str, redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(open_roles(database_url, 21, 22))
    lacking = {**file_of("soko", 22), "CAPP_AFRICASTALKING_API_KEY": ""}
    write_files(tmp_path, duka=file_of("duka", 21), soko=lacking)
    tenants = read_tenants(house_environment(database_url, redis_url, tmp_path))
    with open_street(tenants) as client:
        assert client.get("/t/soko/health").status_code == 503
    (told,) = [r for r in caplog.records if "this tenant is not served" in r.getMessage()]
    assert "CAPP_AFRICASTALKING_API_KEY" in told.getMessage() and told.exc_info is None


async def test_a_street_whose_houses_are_all_away_lives_and_is_not_ready(tmp_path: Path) -> None:
    """A balancer takes it out; who calls back meanwhile comes again, also when it stays so."""
    write_files(tmp_path, **{name: file_of(name, number) for name, number in NUMBERS.items()})
    nowhere = house_environment(
        "postgresql://capp@127.0.0.1:1/capp", "redis://127.0.0.1:1", tmp_path
    )
    street = Street(read_tenants(nowhere).sound, is_strict=False)
    transport = httpx.ASGITransport(street)
    async with (
        street._lifespan(Starlette()) as shared,
        httpx.AsyncClient(transport=transport, base_url="http://capp") as client,
    ):
        for retry_after in ("5", "60"):  # it waits for its servers; it can never start
            for path in ("/health", "/health/ready"):
                answer = await client.get(path)
                told = {"state": "not ready", "tenants": 2, "tenants_ready": 0}
                assert (answer.status_code, answer.json()) == (503, told)
            assert (await client.get("/health/live")).status_code == 200
            for name in NUMBERS:
                path = f"/t/{name}{PREFIX}/mtn-momo/collection/x"
                answer = await client.post(path, content=b"{}")
                assert (answer.status_code, answer.headers["retry-after"]) == (503, retry_after)
                scope = {"method": "POST", "path": path, "headers": []}
                assert shared["doors"].find(scope) is None
            for house in street._houses.values():
                house._give_up()


@pytest.mark.long("houses of its own are opened")
async def test_a_street_where_no_house_can_be_opened_ends_in_development_too(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    write_files(tmp_path, duka=file_of("duka", 902), soko=file_of("soko", 903))
    tenants = read_tenants(house_environment(database_url, redis_url, tmp_path))
    street = Street(tenants.sound, is_strict=False)
    with pytest.raises(BadSettings, match=r"duka: .*capp_tenant_902.*soko: .*capp_tenant_903"):
        async with street._lifespan(Starlette()):
            raise AssertionError("it was opened")


@pytest.mark.long("houses of its own are opened")
async def test_a_tenant_without_a_role_ends_the_process_in_production(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    await open_roles(database_url, 21)
    write_files(tmp_path, duka=file_of("duka", 21), soko=file_of("soko", 901))
    tenants = read_tenants(house_environment(database_url, redis_url, tmp_path))
    street = Street(tenants.sound, is_strict=True)
    with pytest.raises(BadSettings, match=r"soko: .*capp_tenant_901"):
        async with street._lifespan(None):  # type: ignore[arg-type]
            raise AssertionError("it was opened")
    with pytest.raises(BadSettings, match="soko"):
        await make_rounds(
            tenants.sound, (stop := asyncio.Event()), lambda s: work_when_up(stop, s),
            is_strict=True,
        )  # fmt: skip


@pytest.mark.long("houses of its own are opened")
async def test_one_worker_looks_after_both(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """Each one's loops write under its own number: whom they ask for rates, to begin with."""
    await open_roles(database_url, *NUMBERS.values())
    write_files(tmp_path, **{name: file_of(name, number) for name, number in NUMBERS.items()})
    tenants = read_tenants(house_environment(database_url, redis_url, tmp_path))
    owner = await asyncpg.connect(database_url)
    stop = asyncio.Event()
    rounds = asyncio.create_task(
        make_rounds(tenants.sound, stop, lambda s: work_when_up(stop, s), is_strict=False)
    )
    try:
        async with asyncio.timeout(120):
            while True:
                found = await owner.fetch("select distinct tenant from fx_source")
                if {row["tenant"] for row in found} == set(NUMBERS.values()):
                    break
                await asyncio.sleep(0.1)
    finally:
        stop.set()
        await rounds
        await owner.close()

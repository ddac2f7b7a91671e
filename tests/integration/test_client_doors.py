"""Every endpoint for clients against everybody who may come, and against what they may send."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest

from channels.api.checks import Checks
from channels.api.description import codes_of
from channels.api.endpoints import AnyEndpoint, Nothing
from channels.api.hooks import ClientHooks, hook_table
from channels.api.markets import Markets
from channels.api.payments import Payments
from channels.api.problems import Code
from channels.api.quotes import Quotes
from channels.api.reservations import ClientReservations
from channels.api.v1 import PREFIX, client_routes, table_of
from channels.settings import ApiPaces
from engine.clients.clients import KeyId, Scope
from engine.clients.keys import write_key
from engine.clients.proving import BELIEVED_SECONDS, USED_MS
from tests.integration.client_room import PRICE, ClientRoom, open_client_room
from tests.integration.owner import Owner
from tests.integration.staff_room import COUNTED_HERE
from tests.unit.payments.examples import PAYEE, PAYER

TABLE = table_of(
    Quotes.__new__(Quotes), Payments.__new__(Payments), Markets.__new__(Markets),
    Checks.__new__(Checks), ClientReservations.__new__(ClientReservations),
) + hook_table(ClientHooks.__new__(ClientHooks))  # fmt: skip
WHAT = {endpoint.what: endpoint for endpoint in TABLE}
NOBODY = "0" * 32
WORDS = {
    "{payment}": NOBODY, "{quote}": NOBODY, "{user}": NOBODY, "{reservation}": NOBODY,
    "{currency}": "UGX", "{webhook}": NOBODY, "{event}": NOBODY,
}  # fmt: skip
BODIES = {
    "make_quote": PRICE, "send_payment": PRICE, "check_payment": PRICE,
    "refund_payment": {"why": "because"},
    "reserve_liquidity": {"amount": {"minor": 1_000, "currency": "UGX"}},
    "subscribe": {"url": "https://shop.example/hook"},
}  # fmt: skip
HOOKS = {"CAPP_WEBHOOK_KEYS": "1:" + bytes(range(32)).hex()}
RATE_PATH = "/exchange-rates/KES/UGX"


def path_of(endpoint: AnyEndpoint) -> str:
    path = RATE_PATH if endpoint.what == "show_rate" else endpoint.path
    for word, value in WORDS.items():
        path = path.replace(word, value)
    return PREFIX + path


async def ask(
    room: ClientRoom, endpoint: AnyEndpoint, headers: dict[str, str], content: bytes | None = None
) -> httpx.Response:
    if content is None:
        body = BODIES.get(endpoint.what)
        content = json.dumps(body).encode() if body else b""
    headers = {"idempotency-key": room.key(), "content-type": "application/json", **headers}
    return await room.client.request(
        endpoint.method, path_of(endpoint), headers=headers, content=content
    )


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[ClientRoom]:
    async with open_client_room(seeded_url, limits=None, **HOOKS) as opened:
        yield opened


async def unproven(room: ClientRoom) -> dict[str, dict[str, str]]:
    """Headers of all whom nobody can tell who they are."""
    revoked = await room.key_of("revoked", Scope)
    await room.keys.revoke(revoked, by="test")
    await room.key_of("expired", Scope, days=1)
    expired = room.texts["expired"]
    await Owner(room.world.pool).execute(
        "update api_key set expires_ms = 1 where id = $1", room.id_of("expired")
    )
    elsewhere = await room.key_of("elsewhere", Scope)
    await Owner(room.world.pool).execute("update api_key set tenant = 2 where id = $1", elsewhere)
    good, shop = room.texts["shop"], room.id_of("shop")
    nobody = KeyId(shop[:-1] + ("0" if shop.endswith("f") else "f"))
    shown = {
        "an empty token": "Bearer",
        "another scheme": f"Basic {good}",
        "another secret": f"Bearer {write_key(shop, '0' * 48)}",
        "another's secret": f"Bearer {good[:38]}{room.texts['other'][38:]}",
        "unknown": f"Bearer {write_key(nobody, good[-48:])}",
        "cut short": f"Bearer {good[:-1]}",
        "revoked": f"Bearer {room.texts['revoked']}",
        "expired": f"Bearer {expired}",
        "another tenant's": f"Bearer {room.texts['elsewhere']}",
        "staff's kind": "Bearer eyJhbGciOiJub25lIn0.e30.",
    }
    return {"no token": {}} | {name: {"authorization": value} for name, value in shown.items()}


async def test_who_is_not_proven_is_told_nothing_always_the_same(room: ClientRoom) -> None:
    bodies = set()
    for caller, headers in (await unproven(room)).items():
        for endpoint in TABLE:
            answer = await ask(room, endpoint, headers)
            said = answer.json()
            assert said.pop("correlation_id") == answer.headers["x-correlation-id"]
            assert (answer.status_code, caller, endpoint.what) == (401, caller, endpoint.what)
            assert answer.headers["www-authenticate"] == "Bearer"
            bodies.add(json.dumps(said))
    assert len(bodies) == 1
    assert "unauthenticated" in bodies.pop()


async def test_each_scope_opens_its_own_doors_and_no_other(room: ClientRoom) -> None:
    opened: dict[str, set[str]] = {}
    for scope in Scope:
        await room.key_of(scope.value.replace(":", "-"), [scope])
        headers = room.headers(scope.value.replace(":", "-"))
        for endpoint in TABLE:
            answer = await ask(room, endpoint, headers)
            if answer.status_code != 403:
                opened.setdefault(scope, set()).add(endpoint.what)
            else:
                assert answer.json()["code"] == "forbidden"
    assert opened == {
        "quotes:read": {"make_quote", "show_quote"},
        "payments:read": {
            "check_payment", "show_payment", "list_payments", "list_payments_of_user",
        },
        "payments:write": {"send_payment", "cancel_payment", "refund_payment"},
        "pools:read": {"show_pool", "show_reservation"},
        "pools:write": {"reserve_liquidity", "release_liquidity"},
        "rates:read": {"show_rate"},
        "operators:read": {"list_operators"},
        "webhooks:read": {"list_webhooks", "show_webhook", "list_deliveries", "list_events"},
        "webhooks:write": {
            "subscribe", "pause_webhook", "resume_webhook", "remove_webhook", "rotate_webhook",
            "resend_event",
        },
    }  # fmt: skip


async def test_whoever_may_not_changes_nothing(room: ClientRoom) -> None:
    await room.key_of("reader", [Scope.PAYMENTS_READ])
    answer = await room.post("/payments/send", PRICE, who="reader")
    assert answer.status_code == 403
    assert await room.made() == 0


async def test_a_revoked_key_moves_nothing_from_that_moment_and_reads_a_few_seconds(
    room: ClientRoom,
) -> None:
    assert (await room.get("/operators")).status_code == 200
    await room.keys.revoke(room.id_of("shop"), by="test")
    assert (await room.get("/operators")).status_code == 200  # as a process remembers it
    assert (await room.post("/payments/send", PRICE)).status_code == 401
    assert (await room.get("/operators")).status_code == 401
    assert (await room.get("/operators", who="other")).status_code == 200
    await room.keys.revoke(room.id_of("other"), by="test")
    room.world.clock.pass_(BELIEVED_SECONDS)
    assert (await room.get("/operators", who="other")).status_code == 401


async def test_a_rotated_key_and_its_successor_are_one_client_for_a_while(
    room: ClientRoom,
) -> None:
    first = await room.post("/payments/send", PRICE, key="order-0001")
    new, room.texts["new"] = await room.keys.rotate(room.id_of("shop"), overlap_hours=1)
    again = await room.post("/payments/send", PRICE, key="order-0001", who="new")
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    assert (await room.get(f"/payments/{first.json()['id']}/status")).status_code == 200
    room.world.clock.pass_(3601)
    assert (await room.get("/operators")).status_code == 401
    assert (await room.get("/operators", who="new")).status_code == 200
    assert (await room.store.key(room.id_of("shop"))).replaced_by == new.id  # type: ignore[union-attr]


async def test_last_use_is_written_once_in_a_minute(room: ClientRoom) -> None:
    async def used() -> int | None:
        found = await room.store.key(room.id_of("shop"))
        assert found is not None
        return found.used_ms

    assert await used() is None
    await room.get("/operators")
    first = await used()
    assert first is not None
    room.world.clock.pass_(USED_MS / 1000 - 1)
    await room.post("/payments/check", PRICE)
    assert await used() == first
    room.world.clock.pass_(2)
    await room.get("/operators")
    assert await used() == first + USED_MS + 1_020  # each request is a hundredth later


async def test_a_secret_is_nowhere_in_the_database_or_the_log(
    room: ClientRoom, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await room.send()
    await room.get("/operators")
    dump = str(await room.world.pool.fetch("select * from api_key"))
    secret = room.texts["shop"][-48:]
    assert secret not in dump
    assert secret not in caplog.text
    assert PAYER not in caplog.text and PAYEE not in caplog.text
    assert "client shop: send_payment" in caplog.text


async def test_a_number_where_an_id_belongs_reaches_no_log(
    room: ClientRoom, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await room.key_of("rates", [Scope.RATES_READ])
    for who, status in (("shop", 400), ("rates", 403)):
        answer = await room.get(f"/payments/{PAYEE}/status", who=who)
        assert answer.status_code == status
    told = [r.getMessage() for r in caplog.records if r.name.startswith("channels.")]
    assert "client rates: show_payment +2567*****002: forbidden" in told
    assert "client shop: show_payment +2567*****002: malformed" in told


# What is sent.

UNREADABLE: list[bytes] = [
    b"", b"{", b"null", b"[]", b"[" * 5_000, b'{"a":' * 2_000, b"\xff\xfe{}", b"NaN",
    b'{"payer":NaN}', b'{"payer":"\\ud800"}',
    json.dumps(PRICE | {"tenant": 2}).encode(),
    json.dumps(PRICE | {"client": "0" * 32}).encode(),
    json.dumps(PRICE | {"fee": {"minor": 0, "currency": "KES"}}).encode(),
    json.dumps(PRICE | {"state": "PAID"}).encode(),
    json.dumps(PRICE)[:-1].encode() + b',"payer":"+254712000009"}',
    *(
        json.dumps(PRICE | {"amount": amount}).encode()
        for amount in (
            {"minor": 0, "currency": "KES"}, {"minor": -1, "currency": "KES"},
            {"minor": 1.5, "currency": "KES"}, {"minor": "100000", "currency": "KES"},
            {"minor": 10**16, "currency": "KES"}, {"minor": 10**400, "currency": "KES"},
            {"minor": 100_000, "currency": "kes"}, {"minor": 100_000, "currency": "KES\n"},
            {"minor": 100_000, "currency": "XXX"}, {"minor": 100_000, "currency": "USDC"},
            {"minor": True, "currency": "KES"}, {"minor": 100_000}, 100_000, None,
        )
    ),
    *(
        json.dumps(PRICE | {"payer": number}).encode()
        for number in ("0712000001", "", "+", "+254712000001; drop table payment", 254712000001)
    ),
]  # fmt: skip


async def test_what_cannot_be_read_changes_nothing(room: ClientRoom) -> None:
    for what in ("make_quote", "send_payment", "check_payment"):
        for content in UNREADABLE:
            answer = await ask(room, WHAT[what], room.headers("shop"), content)
            code = answer.json()["code"]
            assert (answer.status_code, code) == (400, "malformed"), (what, content[:80])
    assert await room.made() == 0


async def test_a_body_is_json_and_bounded(room: ClientRoom) -> None:
    large = b'{"payer":"' + b"1" * 20_000 + b'"}'
    answer = await ask(room, WHAT["send_payment"], room.headers("shop"), large)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    other = room.headers("shop") | {"content-type": "application/x-www-form-urlencoded"}
    answer = await ask(room, WHAT["send_payment"], other, b"payer=1")
    assert (answer.status_code, answer.json()["code"]) == (415, "wrong_media_type")


async def test_every_post_wants_a_key_that_is_one(room: ClientRoom) -> None:
    for endpoint in (e for e in TABLE if e.method == "POST"):
        for key in ("", "short", "x" * 65, "with space", "a\tb-------", "ключ----"):
            headers = [
                *((n.encode(), v.encode()) for n, v in room.headers("shop").items()),
                (b"content-type", b"application/json"), (b"idempotency-key", key.encode()),
            ]  # fmt: skip
            body = json.dumps(BODIES.get(endpoint.what, {})).encode()
            answer = await room.client.post(path_of(endpoint), content=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "key_missing")


@pytest.mark.parametrize(
    ("name", "other"),
    [("Idempotency-Key", "of-the-library-0001"), ("Authorization", "Bearer x"),
     ("Content-Type", "text/plain"), ("idempotency-key", "")],
)  # fmt: skip
async def test_a_header_that_says_two_things_is_believed_in_neither(
    room: ClientRoom, name: str, other: str
) -> None:
    """Of two keys, one made anew by a library for each try, a repeat would be a second payment."""
    ours = room.headers("shop") | {
        "idempotency-key": room.key(),
        "content-type": "application/json",
    }
    for lines in ([*ours.items(), (name, other)], [(name, other), *ours.items()]):
        path = f"{PREFIX}/payments/send"
        answer = await room.client.post(path, content=json.dumps(PRICE), headers=lines)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
        assert answer.json()["detail"] == f"`{name.lower()}` stands twice in the head"
    assert await room.made() == 0
    headers = [*ours.items(), ("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "192.0.2.2")]
    answer = await room.client.post(path, content=json.dumps(PRICE), headers=headers)
    assert answer.status_code == 201


PLACES = (
    ("/payments/x/status", 400), ("/payments/" + "A" * 32 + "/status", 400),
    ("/payments/" + "0" * 32 + "%0a/status", 400), ("/payments/" + NOBODY + "/status", 404),
    ("/quotes/" + NOBODY, 404), ("/liquidity/pools/ugx", 400), ("/liquidity/pools/XXX", 404),
    ("/liquidity/pools/USDC", 400), ("/liquidity/pools/ZMW", 404),
    ("/exchange-rates/KES/XXX", 404), ("/exchange-rates/XXX/KES", 404),
    ("/exchange-rates/KES/KES", 200),
    ("/payments?most=0", 400), ("/payments?most=101", 400), ("/payments?most=1&most=2", 400),
    ("/payments?cursor=x", 400), ("/payments?cursor=" + NOBODY, 200), ("/payments?other=1", 400),
    ("/payments?" + "a" * 2_000, 400), ("/nothing", 404), ("/payments/send", 405),
)  # fmt: skip


async def test_places_that_are_none_say_so(room: ClientRoom) -> None:
    for path, status in PLACES:
        answer = await room.get(path)
        assert answer.status_code == status, (path, answer.text)
        if status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"


async def test_no_header_of_an_answer_is_taken_from_a_request(room: ClientRoom) -> None:
    headers = room.headers("shop") | {"x-correlation-id": "mine", "x-evil": "a", "host": "evil"}
    answer = await room.client.get(f"{PREFIX}/operators", headers=headers)
    assert answer.headers["x-correlation-id"] != "mine"
    assert "evil" not in str(answer.headers)


async def test_limits_are_told_in_headers_and_hold_for_a_key_and_for_all_keys(
    database_url: str,
) -> None:
    paces: dict[str, Any] = {
        "CAPP_API_CLIENT_KEY_PER_MINUTE": "3",
        "CAPP_API_CLIENT_TENANT_PER_MINUTE": "5",
    }
    async with open_client_room(database_url, **paces) as room:
        statuses = [(await room.get("/operators")).status_code for _ in range(3)]
        late = await room.get("/operators")
        assert (statuses, late.status_code) == ([200] * 3, 429)
        assert late.json()["code"] == "too_many"
        assert late.headers["ratelimit-policy"] == '"key";q=3;w=60, "tenant";q=5;w=60'
        others = [(await room.get("/operators", who="other")).status_code for _ in range(3)]
        assert others == [200, 200, 429]


async def test_who_is_refused_is_told_as_well_what_is_left(database_url: str) -> None:
    async with open_client_room(database_url, CAPP_API_CLIENT_KEY_PER_MINUTE="9") as room:
        for path, status, left in (("?most=none", 400, 8), (f"/{'0' * 32}/status", 404, 7)):
            refused = await room.get(f"/payments{path}")
            assert refused.status_code == status
            assert refused.headers["ratelimit"].startswith(f'"key";r={left};')


async def test_a_long_page_counts_as_the_requests_that_it_costs(database_url: str) -> None:
    """A hundred lines as five; otherwise one key at its pace would fill a web process."""
    async with open_client_room(database_url, CAPP_API_CLIENT_KEY_PER_MINUTE="7") as room:
        for most, left in ((100, 2), (20, 1)):
            answer = await room.get(f"/payments?most={most}")
            assert answer.status_code == 200
            assert answer.headers["ratelimit"].startswith(f'"key";r={left};')
        late = await room.get("/payments?most=21")
        assert (late.status_code, late.json()["code"]) == (429, "too_many")
        assert late.headers["ratelimit"].startswith('"key";r=0;')
        assert int(late.headers["retry-after"]) > 0


async def test_who_tries_keys_is_not_listened_to_for_a_while(database_url: str) -> None:
    async with open_client_room(database_url, CAPP_API_UNPROVEN_PER_5_MINUTES="4") as room:
        wrong = {"authorization": f"Bearer {write_key(room.id_of('shop'), '1' * 48)}"}
        tried = [(await ask(room, WHAT["list_operators"], wrong)).status_code for _ in range(6)]
        assert tried == [401] * 4 + [429] * 2
        assert (await room.get("/operators")).status_code == 429  # from the same address


async def test_where_no_key_is_set_there_is_no_api(room: ClientRoom) -> None:
    settings = replace(room.engine.settings, client_keys={})
    assert client_routes(replace(room.engine, settings=settings), COUNTED_HERE) == []


async def test_what_our_own_database_refuses_is_our_fault_and_not_away(room: ClientRoom) -> None:
    await Owner(room.world.pool).execute("alter table api_key rename to elsewhere")
    try:
        answer = await room.post("/payments/send", PRICE)
    finally:
        await Owner(room.world.pool).execute("alter table elsewhere rename to api_key")
    assert (answer.status_code, answer.json()["code"]) == (500, "our_fault")


def test_every_endpoint_says_which_problems_it_may_answer_with() -> None:
    assert ApiPaces().client_key_per_minute <= ApiPaces().client_tenant_per_minute
    for endpoint in TABLE:
        codes = codes_of(endpoint)
        assert {Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.TOO_MANY} <= codes
        assert (Code.KEY_MISSING in codes) is (endpoint.method == "POST")
        assert endpoint.path_type is Nothing or Code.NOT_FOUND in codes


async def test_the_database_refuses_a_key_without_a_mac(room: ClientRoom) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="key_has_a_mac"):
        await Owner(room.world.pool).execute("update api_key set mac = ''")

"""Webhooks over the API: a client subscribes, is told of its own payments, and sends again."""

from collections.abc import AsyncIterator

import httpx
import pytest

from channels.api.hooks import ClientHooks, hook_table
from channels.api.v1 import PREFIX
from channels.hook_room import open_hooks
from engine.hooks.hooks import SECRETS_MOST, SUBSCRIPTIONS_MOST
from simulator.receiver import Receiver, receiver_app
from simulator.serving import serving
from tests.integration.client_room import ClientRoom, open_client_room

TABLE = hook_table(ClientHooks.__new__(ClientHooks))
NOBODY = "0" * 32
ENVIRONMENT = {
    "CAPP_WEBHOOK_KEYS": "1:" + bytes(range(32)).hex(),
    "CAPP_WEBHOOK_LOCAL": "1",
}


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[ClientRoom]:
    async with open_client_room(seeded_url, limits=None, **ENVIRONMENT) as opened:
        yield opened


async def made(room: ClientRoom, url: str, who: str = "shop", **asked: object) -> dict[str, str]:
    answer = await room.post("/webhooks", {"url": url, **asked}, who=who)
    assert answer.status_code == 201, answer.text
    subscribed: dict[str, str] = answer.json()
    return subscribed


async def test_a_client_is_told_of_its_own_payment_and_may_have_it_sent_again(
    room: ClientRoom,
) -> None:
    receiver = Receiver(now=room.world.clock.epoch)
    async with (
        serving({"business": (receiver_app(receiver), 0)}) as urls,
        open_hooks(room.engine) as hooks,
    ):
        assert hooks is not None
        hook = await made(room, urls["business"] + "/hook", events=["payment.created"])
        receiver.secrets.append(hook["secret"])
        payment = await room.send()
        await room.send(who="other")
        await hooks.journal.sweep()
        await hooks.courier.sweep()
        await hooks.courier.idle()
        assert [event["data"]["payment_id"] for event in receiver.events] == [payment]
        path = f"/webhooks/{hook['id']}/deliveries"
        (delivery,) = (await room.get(path)).json()["deliveries"]
        assert (delivery["state"], delivery["payment"]) == ("delivered", payment)
        (event,) = (await room.get("/events")).json()["events"]
        assert (event["id"], event["type"]) == (delivery["event"], "payment.created")
        resent = await room.post(f"{path}/{delivery['event']}/resend")
        assert resent.json()["state"] == "waiting"
        await hooks.courier.sweep()
        await hooks.courier.idle()
        assert [heard.is_new for heard in receiver.heard] == [True, False]
        assert receiver.refused == []


async def test_the_page_that_holds_the_last_names_no_next(room: ClientRoom) -> None:
    async with open_hooks(room.engine) as hooks:
        assert hooks is not None
        hook = await made(room, "https://shop.example/hook", events=["payment.created"])
        payments = [await room.send() for _ in range(2)]
        await hooks.journal.sweep()
        for path, listed, name in (
            ("/events", "events", "id"),
            (f"/webhooks/{hook['id']}/deliveries", "deliveries", "event"),
        ):
            whole = (await room.get(f"{path}?most=2")).json()
            assert [each["payment"] for each in whole[listed]] == payments[::-1]
            assert whole["next"] is None
            first = (await room.get(f"{path}?most=1")).json()
            assert (first[listed], first["next"]) == (whole[listed][:1], whole[listed][0][name])
            rest = (await room.get(f"{path}?most=1&cursor={first['next']}")).json()
            assert (rest[listed], rest["next"]) == (whole[listed][1:], None)


async def test_the_same_key_makes_one_subscription_and_its_secret_lies_nowhere_open(
    room: ClientRoom,
) -> None:
    asked = {"url": "https://shop.example/hook"}
    first, second = [await room.post("/webhooks", asked, key="key-of-this") for _ in range(2)]
    assert first.content == second.content
    other = await room.post("/webhooks", {"url": "https://shop.example/x"}, key="key-of-this")
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    id_, secret = first.json()["id"], first.json()["secret"]
    turned = [await room.post(f"/webhooks/{id_}/rotate", key="key-of-turn") for _ in range(2)]
    assert turned[0].content == turned[1].content
    assert turned[0].json()["secret"] != secret
    for table in ("client_request", "hook_secret", "hook_subscription"):
        rows = await room.world.pool.fetch(f"select t::text as told from {table} t")
        for shown in (secret, turned[0].json()["secret"]):
            assert all(shown.removeprefix("whsec_") not in row["told"] for row in rows)


async def test_a_repeat_is_told_as_one_and_another_rotation_under_its_key_is_refused(
    room: ClientRoom,
) -> None:
    asked = {"url": "https://shop.example/hook"}
    first, again = [await room.post("/webhooks", asked, key="key-of-this") for _ in range(2)]
    assert "idempotency-replayed" not in first.headers
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    path = f"/webhooks/{first.json()['id']}/rotate"
    turned = await room.post(path, {"overlap_hours": 168}, key="key-of-turn")
    assert "idempotency-replayed" not in turned.headers
    for other in ({"overlap_hours": 0}, None):
        refused = await room.post(path, other, key="key-of-turn")
        assert (refused.status_code, refused.json()["code"]) == (422, "key_reused")
    room.world.clock.pass_(3600)
    late = await room.post(path, {"overlap_hours": 168}, key="key-of-turn")
    assert (late.content, late.headers["idempotency-replayed"]) == (turned.content, "true")
    assert await room.world.pool.fetchval("select count(*) from hook_secret") == 2


async def test_a_key_is_one_clients_own_and_stands_for_one_request(room: ClientRoom) -> None:
    asked = {"url": "https://shop.example/hook", "events": ["payment.paid"]}
    mine = await room.post("/webhooks", asked, key="key-of-both")
    theirs = await room.post("/webhooks", asked, key="key-of-both", who="other")
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert "idempotency-replayed" not in theirs.headers
    assert mine.json()["id"] != theirs.json()["id"]
    assert mine.json()["secret"] != theirs.json()["secret"]
    for other in ({**asked, "events": ["payment.failed"]}, {"url": asked["url"]}):
        refused = await room.post("/webhooks", other, key="key-of-both")
        assert (refused.status_code, refused.json()["code"]) == (422, "key_reused")
    doubled = await room.post("/webhooks", {**asked, "events": ["payment.paid"] * 2})
    assert doubled.json()["events"] == ["payment.paid"]
    # To make one, to rotate it and to rotate another are three requests, whatever their key.
    secrets = {mine.json()["secret"], doubled.json()["secret"]}
    for hook in (mine, doubled):
        path = f"/webhooks/{hook.json()['id']}/rotate"
        turned = await room.post(path, key="key-of-both")
        assert (turned.status_code, "idempotency-replayed" in turned.headers) == (200, False)
        secrets.add(turned.json()["secret"])
    assert len(secrets) == 4


async def test_so_many_secrets_sign_at_once_and_no_more(room: ClientRoom) -> None:
    """A business that rotates at every start outgrows what its own server takes as a header."""
    id_ = (await made(room, "https://shop.example/hook"))["id"]
    path, week = f"/webhooks/{id_}/rotate", {"overlap_hours": 168}
    for number in range(SECRETS_MOST - 1):
        assert (await room.post(path, week, key=f"key-of-{number:04d}")).status_code == 200
    refused = await room.post(path, week, key="key-of-more")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_legal")
    again = await room.post(path, week, key="key-of-0000")
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert await _signing(room) == SECRETS_MOST
    # None of before signs beside it: that there is always room for.
    assert (await room.post(path, {"overlap_hours": 0}, key="key-of-more")).status_code == 200
    assert await _signing(room) == 1
    assert (await room.post(path, week)).status_code == 200
    assert await _signing(room) == 2


async def test_one_subscription_too_many_is_no_mistake_in_the_request(room: ClientRoom) -> None:
    """It was `malformed`, "mend what `detail` names", and nothing in it was to be mended."""
    ids = [
        (await made(room, f"https://shop.example/{number}"))["id"]
        for number in range(SUBSCRIPTIONS_MOST)
    ]
    more = {"url": "https://shop.example/more"}
    refused = await room.post("/webhooks", more, key="key-of-more")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_legal")
    assert "remove one" in refused.json()["detail"]
    assert (await room.post(f"/webhooks/{ids[0]}/remove")).status_code == 200
    assert (await room.post("/webhooks", more, key="key-of-more")).status_code == 201
    # Whoever repeats what was removed hears that it was, and no secret.
    id_ = (await room.post("/webhooks", more, key="key-of-more")).json()["id"]
    await room.post(f"/webhooks/{id_}/remove")
    gone = await room.post("/webhooks", more, key="key-of-more")
    assert (gone.status_code, gone.json()["detail"]) == (404, "what that key made was removed")


async def _signing(room: ClientRoom) -> int:
    signing: int = await room.world.pool.fetchval(
        "select count(*) from hook_secret where until_ms is null or until_ms > $1",
        int(room.world.clock.epoch() * 1000),
    )
    return signing


async def test_another_clients_subscription_is_not_found(room: ClientRoom) -> None:
    hook = await made(room, "https://shop.example/hook")
    assert (await room.get("/webhooks", who="other")).json() == {"webhooks": []}
    for id_ in (hook["id"], NOBODY):
        for endpoint in TABLE:
            if "{webhook}" in endpoint.path:
                answer = await ask(room, endpoint.method, path_of(endpoint.path, id_), "other")
                assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await room.get(f"/webhooks/{hook['id']}")).json()["state"] == "active"


async def test_pause_resume_and_remove(room: ClientRoom) -> None:
    path = f"/webhooks/{(await made(room, 'https://shop.example/hook'))['id']}"
    paused = (await room.post(f"{path}/pause")).json()
    assert (paused["state"], paused["why"]) == ("paused", "asked")
    assert (await room.post(f"{path}/resume")).json()["state"] == "active"
    assert (await room.post(f"{path}/remove")).json()["state"] == "removed"
    assert (await room.get(path)).status_code == 404


async def test_a_key_stands_for_one_deed_and_what_it_was_done_to(room: ClientRoom) -> None:
    first, second = [
        f"/webhooks/{(await made(room, f'https://shop.example/{n}'))['id']}" for n in range(2)
    ]
    paused = await room.post(f"{first}/pause", key="key-of-deed")
    for path in (f"{second}/pause", f"{first}/resume"):
        refused = await room.post(path, key="key-of-deed")
        assert (refused.status_code, refused.json()["code"]) == (422, "key_reused")
    again = await room.post(f"{first}/pause", key="key-of-deed")
    assert (again.content, again.headers["idempotency-replayed"]) == (paused.content, "true")
    states = [(await room.get(path)).json()["state"] for path in (first, second)]
    assert states == ["paused", "active"]


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://shop.example/"},
        {"url": "https://169.254.169.254/latest"},
        {"url": "https://xn--/hook"},
        {"url": "https://shop.example/", "events": ["payment.lost"]},
        {"url": "https://shop.example/", "whole_numbers": True},
        {"url": "https://shop.example/", "client": NOBODY},
        {"url": ""},
        {},
    ],
)
async def test_what_cannot_be_subscribed_is_malformed(
    room: ClientRoom, body: dict[str, object]
) -> None:
    answer = await room.post("/webhooks", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_without_a_key_there_are_no_webhooks(database_url: str) -> None:
    async with open_client_room(database_url) as room:
        assert (await room.get("/webhooks")).status_code == 404


async def ask(room: ClientRoom, method: str, path: str, who: str) -> httpx.Response:
    headers = {**room.headers(who), "idempotency-key": room.key()}
    return await room.client.request(method, PREFIX + path, headers=headers)


def path_of(path: str, webhook: str) -> str:
    return path.replace("{webhook}", webhook).replace("{event}", NOBODY)

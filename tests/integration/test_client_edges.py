"""Each field of each request at its edges: told as malformed, never as a fault of ours."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from channels.api.endpoints import Nothing
from tests.integration.client_room import ClientRoom, open_client_room
from tests.integration.test_client_doors import BODIES, HOOKS, TABLE, ask, path_of

WRONG: list[Any] = [
    None, True, -1, 1.5, 2**63, -(2**63) - 1, 2**64, 10**400, {}, [[]], [None], {"a": []}, "",
    "\0", "x" * 4_000, "\u00b2",
]  # fmt: skip
"""No field of any request takes one of these."""
LEFT_OUT: dict[str, Any] = {
    "rotate_webhook": {"overlap_hours": 1},
    "subscribe": {"events": ["payment.paid"]},
}
"""Fields that may be left out, and so are not in `BODIES`."""


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[ClientRoom]:
    async with open_client_room(seeded_url, limits=None, **HOOKS) as opened:
        yield opened


def names(type_: Any) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(type_)]


async def test_no_field_of_a_body_takes_what_it_is_not(room: ClientRoom) -> None:
    asked = 0
    for endpoint in (each for each in TABLE if each.method == "POST"):
        usual: Any = BODIES.get(endpoint.what, {})
        body = {**usual, **LEFT_OUT.get(endpoint.what, {})}
        wrong = [{**body, name: value} for name in names(endpoint.body_type) for value in WRONG]
        wrong += [{**body, "unheard_of": 1}, {**body, "": 1}]
        for given in wrong:
            answer = await ask(room, endpoint, room.headers("shop"), json.dumps(given).encode())
            told = (answer.status_code, answer.json()["code"])
            assert told == (400, "malformed"), (endpoint.what, str(given)[:200])
            asked += 1
    assert asked > 300
    assert await room.made() == 0
    assert await room.world.pool.fetchval("select count(*) from hook_subscription") == 0


async def test_no_word_of_a_query_takes_what_it_is_not(room: ClientRoom) -> None:
    asked = 0
    for endpoint in (each for each in TABLE if each.method == "GET"):
        values = (
            "",
            "x",
            "-1",
            "1.5",
            "20261101",
            str(2**63),
            str(10**400),
            "%00",
            "null",
            quote("\u00b2"),
        )
        words = [] if endpoint.query_type is Nothing else names(endpoint.query_type)
        for word in [f"{name}={value}" for name in words for value in values] + ["unheard_of=1"]:
            answer = await room.client.get(
                f"{path_of(endpoint)}?{word}", headers=room.headers("shop")
            )
            told = (answer.status_code, answer.json().get("code"))
            assert told == (400, "malformed"), (endpoint.what, word[:60])
            asked += 1
    assert asked > 80

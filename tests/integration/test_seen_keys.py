"""A key that was seen a moment ago is counted in one round trip, and moves no money for that."""

from typing import Any

import pytest

from channels.web.limits import Limits
from engine.clients.clients import Scope
from engine.clients.proving import BELIEVED_SECONDS
from tests.integration.client_room import PRICE, ClientRoom, open_client_room
from tests.integration.staff_room import RedisAway


class Counted(RedisAway):
    """Counts the round trips; each process then counts by itself."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def execute(self, *command: Any) -> Any:
        self.asked.append(int(command[2]))  # how many windows
        return await super().execute(*command)


@pytest.fixture
def redis() -> Counted:
    return Counted()


async def test_a_key_seen_a_moment_ago_costs_one_round_trip(
    database_url: str, redis: Counted
) -> None:
    limits = Limits(redis, key=b"k" * 16, monotonic=lambda: 0.0)
    async with open_client_room(database_url, limits=limits) as room:
        told = [await room.get("/operators") for _ in range(2)]
        assert redis.asked == [2, 2, 4]
        left = [answer.headers["ratelimit"].split(";")[1] for answer in told]
        assert int(left[0][2:]) - int(left[1][2:]) == 1
        room.world.clock.pass_(BELIEVED_SECONDS)
        await room.get("/operators")
        assert redis.asked[3:] == [2, 2]


async def test_a_key_revoked_a_moment_after_it_was_seen_moves_no_money(database_url: str) -> None:
    async with open_client_room(database_url) as room:
        await room.send()
        made = await room.made()
        assert await room.keys.revoke(room.id_of("shop"), by="asha")
        answer = await room.post("/payments/send", PRICE)
        assert (answer.status_code, await room.made()) == (401, made)
        assert "ratelimit" not in answer.headers


async def test_only_a_right_secret_is_recalled_and_only_for_a_while(database_url: str) -> None:
    async with open_client_room(database_url) as room:
        keys, text = room.keys, room.texts["shop"]
        assert keys.recall(text) is None  # it was never shown
        holder = await keys.prove(text, fresh=True)
        assert keys.recall(text) == holder
        assert keys.recall(text[:-1] + ("0" if text[-1] != "0" else "1")) is None
        assert keys.recall("capp_") is None
        room.world.clock.pass_(BELIEVED_SECONDS)
        assert keys.recall(text) is None


async def test_a_key_that_runs_out_meanwhile_is_not_recalled(database_url: str) -> None:
    async with open_client_room(database_url) as room:
        await room.key_of("brief", {Scope.RATES_READ}, days=1)
        room.world.clock.pass_(86_400 - 1)
        await room.keys.prove(room.texts["brief"], fresh=True)
        assert room.keys.recall(room.texts["brief"]) is not None
        room.world.clock.pass_(1.5)
        assert room.keys.recall(room.texts["brief"]) is None


async def _tries(room: ClientRoom, times: int) -> list[int]:
    headers = {"authorization": f"Bearer {room.texts['shop'][:-4]}0000"}
    return [
        (await room.client.get("/api/v1/operators", headers=headers)).status_code
        for _ in range(times)
    ]


async def test_who_tried_too_many_tokens_is_not_heard_with_a_key_just_seen(
    database_url: str,
) -> None:
    async with open_client_room(database_url, CAPP_API_UNPROVEN_PER_5_MINUTES="3") as room:
        assert (await room.get("/operators")).status_code == 200
        assert await _tries(room, 4) == [401, 401, 401, 429]
        assert (await room.get("/operators")).status_code == 429


async def test_a_key_is_not_believed_longer_where_the_clock_was_set_back(database_url: str) -> None:
    async with open_client_room(database_url) as room:
        assert (await room.get("/operators")).status_code == 200
        room.world.clock.pass_(-3600)
        assert await room.keys.revoke(room.id_of("shop"), by="asha")
        assert (await room.get("/operators")).status_code == 401

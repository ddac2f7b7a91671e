"""Which node a command goes to, with nodes in memory; real ones stand in the integration tests."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.session.cluster import REDIRECT_PAUSES_SECONDS, Address, ClusterPipeline, owners_of
from engine.session.commands import SLOTS, pack, slot_of
from engine.session.pipeline import TickPipeline, open_pipeline
from tests.ticks import counted

A, B, C = (Address("10.0.0.1", port) for port in (6379, 6380, 6381))
GET = pack(("GET", "a"))
SLOT = slot_of(("GET", "a"))
MAP = [[0, SLOTS - 1, [b"10.0.0.1", A.port, b"id-a"], [b"10.0.0.9", 1, b"replica"]]]

Answer = Callable[[bytes], Any]


class MemoryNode:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[bytes] = []
        self.is_closed = False

    def send(self, packed: bytes) -> "asyncio.Future[Any]":
        self.asked.append(packed)
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        answer = self._answer(packed)
        if isinstance(answer, RedisError):
            reply.set_exception(answer)
        elif answer is not None:
            reply.set_result(answer)
        return reply

    async def aclose(self) -> None:
        self.is_closed = True


def answering(reply: Any, slots: Any = MAP) -> Answer:
    return lambda packed: slots if b"SLOTS" in packed else reply


def cluster_of(answers: dict[Address, Answer]) -> tuple[ClusterPipeline, dict[Address, MemoryNode]]:
    nodes = {address: MemoryNode(answer) for address, answer in answers.items()}
    return ClusterPipeline(nodes.__getitem__, [A], seconds=0.5), nodes


async def test_the_owner_of_the_slot_is_asked() -> None:
    cluster, nodes = cluster_of({A: answering(b"1")})
    assert await cluster.execute("GET", "a") == b"1"
    await cluster.execute("GET", "b")
    assert [b"SLOTS" in asked for asked in nodes[A].asked] == [True, False, False]


async def test_a_slot_that_moved_is_asked_for_where_it_is() -> None:
    cluster, nodes = cluster_of(
        {A: answering(MovedError(f"{SLOT} 10.0.0.1:{B.port}")), B: answering(b"1")}
    )
    assert await cluster.execute("GET", "a") == b"1"
    assert await cluster.execute("GET", "a") == b"1"
    assert (nodes[A].asked.count(GET), nodes[B].asked.count(GET)) == (1, 2)


async def test_a_slot_on_its_way_is_asked_for_with_permission_each_time() -> None:
    cluster, nodes = cluster_of({A: answering(AskError(f"{SLOT} :{B.port}")), B: answering(b"1")})
    assert await cluster.execute("GET", "a") == b"1"
    assert await cluster.execute("GET", "a") == b"1"
    assert nodes[B].asked == [pack(("ASKING",)), GET] * 2


async def test_half_a_slot_is_asked_for_again_from_its_owner() -> None:
    answers = iter([AskError(f"{SLOT} 10.0.0.1:{B.port}"), b"1"])
    cluster, nodes = cluster_of(
        {
            A: lambda packed: MAP if b"SLOTS" in packed else next(answers),
            B: answering(TryAgainError("Multiple keys request during rehashing of slot")),
        }
    )
    assert await cluster.execute("GET", "a") == b"1"
    assert nodes[A].asked.count(GET) == 2


async def test_nodes_that_send_each_other_the_caller_are_not_followed_for_ever() -> None:
    cluster, nodes = cluster_of(
        {
            A: answering(MovedError(f"{SLOT} 10.0.0.1:{B.port}")),
            B: answering(MovedError(f"{SLOT} 10.0.0.1:{A.port}")),
        }
    )
    with pytest.raises(RedisError):
        await cluster.execute("GET", "a")
    asked = nodes[A].asked.count(GET) + nodes[B].asked.count(GET)
    assert 2 < asked <= len(REDIRECT_PAUSES_SECONDS) + 1


async def test_a_node_that_is_silent_after_a_redirection_ends_the_wait() -> None:
    cluster, _ = cluster_of(
        {A: answering(MovedError(f"{SLOT} 10.0.0.1:{B.port}")), B: answering(None)}
    )
    async with counted() as ticks:
        with pytest.raises(RedisTimeoutError):
            await cluster.execute("GET", "a")
    assert ticks.seconds < 1.0


async def test_a_slot_that_nobody_serves_says_so() -> None:
    cluster, _ = cluster_of({A: answering(b"1", slots=[])})
    with pytest.raises(RedisError):
        await cluster.execute("GET", "a")
    other, _ = cluster_of({A: answering(b"1", slots=[[0, 0, [b"10.0.0.1", A.port]]])})
    with pytest.raises(ClusterDownError):
        await other.execute("GET", "a")


async def test_a_node_that_left_is_closed_when_the_map_is_read_again() -> None:
    maps = iter([[[0, SLOTS - 1, [b"10.0.0.1", B.port]]], [[0, SLOTS - 1, [b"10.0.0.1", C.port]]]])
    cluster, nodes = cluster_of(
        {
            A: lambda _: next(maps),
            B: lambda packed: next(maps) if b"SLOTS" in packed else RedisConnectionError("gone"),
            C: answering(b"1"),
        }
    )
    with pytest.raises(RedisConnectionError):
        await cluster.execute("GET", "a")
    await asyncio.wait({cluster._look()})  # otherwise only after a second
    assert await cluster.execute("GET", "a") == b"1"
    assert nodes[B].is_closed
    await cluster.aclose()
    assert nodes[C].is_closed


def test_a_server_that_does_not_know_its_name_has_the_one_it_was_asked_by() -> None:
    ranges = [[0, 0, [b"", 7000, b"id"]], [1, 1, [None, 7001]], [2, 2, [b"?", 7002]]]
    owners = owners_of(ranges, Address("front", 1))
    assert owners[:4] == [
        Address("front", 7000),
        Address("front", 7001),
        Address("front", 7002),
        None,
    ]


async def test_the_address_chooses_between_a_server_and_a_cluster() -> None:
    assert isinstance(open_pipeline("redis://127.0.0.1:6379/0"), TickPipeline)
    assert isinstance(open_pipeline("rediss://127.0.0.1:6379/0"), TickPipeline)
    for url in (
        "redis+cluster://127.0.0.1",
        "rediss+cluster://user:p%40ss@a:1,[::1]:2,c/0?ssl_check_hostname=false",
    ):
        assert isinstance(open_pipeline(url), ClusterPipeline)


@pytest.mark.parametrize(
    "url", ["redis+cluster://", "redis+cluster://a,", "redis+cluster://a:b", "redis+cluster://a/1"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"a (node of a )?Redis Cluster"):
        open_pipeline(url)


def test_every_node_is_reached_with_the_login_and_options_of_the_address() -> None:
    cluster = open_pipeline("rediss+cluster://me:p%40%2Fw@a:1,[::1]:2/?ssl_check_hostname=false")
    assert isinstance(cluster, ClusterPipeline)
    for address in (Address("a", 1), Address("::1", 2), Address("later", 3)):
        connection: Any = cluster._node(address)._connection  # type: ignore[attr-defined]
        assert (connection.host, connection.port) == address
        assert (connection.username, connection.password) == ("me", "p@/w")
        assert type(connection).__name__ == "SSLConnection"

"""Whole sessions on a Redis Cluster of three, while its slots move and its nodes die."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest
from redis.crc import key_slot
from redis.exceptions import DataError, RedisError, ResponseError

from engine.msisdn import Msisdn
from engine.ports import EndReason, Reply, Turn
from engine.session.cluster import LOOK_SECONDS, ClusterPipeline
from engine.session.drops import Drops
from engine.session.editions import RedisShelf
from engine.session.pipeline import open_pipeline
from engine.session.store import SessionStore, key_of, pointer_of
from simulator import embedded
from tests.integration.redis_cluster import Cluster, ClusterNode, NoCluster, running_cluster
from tests.integration.standstill import hurried
from tests.ticks import counted
from tests.unit.session.rooms import PAYER, PIN, RECORD_SEAL, SHORTCODE, House

pytestmark = pytest.mark.long("three servers, of which some die")

PAYEE = "256772000002"
INPUTS = ("1", PAYEE, "1000", "1", PIN)
PATIENT_SECONDS = 60.0
SORRY = "CAPP cannot answer right now."


@pytest.fixture(scope="module")
def cluster(servers_folder: Path) -> Iterator[Cluster]:
    try:
        with running_cluster(servers_folder / "cluster") as running:
            yield running
    except NoCluster as error:
        pytest.skip(f"NOT TESTED: this Redis cannot form a cluster: {error}")


@pytest.fixture
async def redis(cluster: Cluster) -> AsyncIterator[ClusterPipeline]:
    for node in cluster.nodes:
        node.admin.flushall()
    pipeline = open_pipeline(cluster.url, timeout_seconds=PATIENT_SECONDS)
    assert isinstance(pipeline, ClusterPipeline)
    yield pipeline
    await pipeline.aclose()


def slot_of_phone(msisdn: Msisdn = PAYER) -> int:
    return key_slot(pointer_of(1, msisdn).encode())


def another(cluster: Cluster, node: ClusterNode) -> ClusterNode:
    return next(other for other in cluster.nodes if other is not node)


async def walk(house: House, msisdn: Msisdn, *inputs: str) -> list[Reply]:
    """A whole dialogue of any phone."""
    session_id = f"s{msisdn}"
    replies = []
    for count in range(len(inputs) + 1):
        text = "*".join(inputs[:count])
        turn = Turn(session_id, msisdn, "63902", SHORTCODE, text, cumulative=True)
        replies.append(await house.turns.take(turn))
    return replies


def phones(count: int) -> list[Msisdn]:
    return [Msisdn(f"+2547120{number:05d}") for number in range(count)]


# Every day.


async def test_whole_sessions_walk_over_all_nodes(
    cluster: Cluster, redis: ClusterPipeline, house: House
) -> None:
    callers = phones(60)
    for phone in callers:
        await house.customers.register(phone, "KE", "en", PIN)
    dialogues = await asyncio.gather(*(walk(house, phone, *INPUTS) for phone in callers))
    for replies in dialogues:
        assert [reply.ends for reply in replies] == [False] * len(INPUTS) + [True]
        assert "started: UGX 27,123" in replies[-1].text
    assert len(house.payments.confirmed) == len(callers)
    assert all(node.admin.dbsize() > 0 for node in cluster.nodes)


async def test_a_dropped_session_is_found_by_the_next_dial(house: House) -> None:
    await house.press("1", PAYEE, "1000", "1")
    redialled = await house.take("", "s2")
    assert "7. Continue" in redialled.text


def test_all_keys_of_a_phone_lie_in_one_slot() -> None:
    for phone in phones(200):
        keys = {
            key_of(1, phone, "s1"),
            key_of(1, phone, "a}{b"),
            key_of(1, phone, ""),
            pointer_of(1, phone),
        }
        assert {key_slot(key.encode()) for key in keys} == {slot_of_phone(phone)}
    assert len({slot_of_phone(phone) for phone in phones(200)}) > 150


async def test_statistics_and_editions_are_kept_on_a_cluster(redis: ClusterPipeline) -> None:
    drops, shelf, day = Drops(redis, 1), RedisShelf(redis), date(2026, 11, 21)
    for _ in range(3):
        await drops.count(day, "63902", "amount", EndReason.TIMED_OUT)
    assert [ended.times for ended in await drops.of_day(day)] == [3]
    await shelf.put("abc", b"packed")
    assert (await shelf.get("abc"), await shelf.get("none")) == (b"packed", None)


async def test_commands_of_one_key_keep_their_order(redis: ClusterPipeline) -> None:
    await asyncio.gather(*(redis.execute("RPUSH", "list", n) for n in range(500)))
    assert await redis.execute("LRANGE", "list", 0, -1) == [b"%d" % n for n in range(500)]


async def test_a_mistake_fails_alone(redis: ClusterPipeline) -> None:
    run = redis.execute
    got = await asyncio.gather(
        run("SET", "a", 1), run("LPUSH", "a", 1), run("NOSUCH", "a"), run("MGET", "a", "b"),
        run("GET", "a"), return_exceptions=True,
    )  # fmt: skip
    assert [isinstance(reply, ResponseError) for reply in got] == [False, True, True, True, False]
    with pytest.raises(DataError):
        run("SET", "a", None)  # type: ignore[arg-type]
    assert await run("GET", "a") == b"1"


async def test_a_command_without_a_key_runs_on_some_node(redis: ClusterPipeline) -> None:
    assert await redis.execute("PING") == b"PONG"
    assert await redis.execute("EVAL", "return 7", 0) == 7


async def test_a_key_that_stands_elsewhere_in_the_command_is_found(redis: ClusterPipeline) -> None:
    for n in range(20):
        await redis.execute("SET", f"k{n}", "v")
        assert await redis.execute("OBJECT", "ENCODING", f"k{n}") == b"embstr"


async def test_a_caller_who_gives_up_disturbs_nobody(redis: ClusterPipeline) -> None:
    given_up, kept = redis.execute("SET", "a", 1), redis.execute("SET", "b", 2)
    given_up.cancel()
    await kept
    assert await redis.execute("GET", "a") is None


# Slots that move.


async def test_a_slot_may_move_in_the_middle_of_a_session(
    cluster: Cluster, redis: ClusterPipeline, house: House
) -> None:
    slot = slot_of_phone()
    target = another(cluster, cluster.owner(slot))
    await house.press("1", PAYEE)
    cluster.begin_to_move(slot, target)
    assert (
        "Total" in (await house.take(f"1*{PAYEE}*1000")).text
    )  # the keys are still where they were
    assert cluster.move_keys(slot, target) == 2
    assert "PIN" in (await house.take(f"1*{PAYEE}*1000*1")).text  # asked for with ASKING
    cluster.end_move(slot, target)
    last = await house.take(f"1*{PAYEE}*1000*1*{PIN}")  # MOVED
    assert last.ends
    assert "started" in last.text
    assert len(house.payments.confirmed) == 1
    assert target.admin.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot) >= 1


async def test_a_save_waits_for_a_slot_of_which_half_has_moved(
    cluster: Cluster, redis: ClusterPipeline, house: House
) -> None:
    """A session and its pointer are written together; a slot on the move takes no new pairs."""
    slot = slot_of_phone()
    target = another(cluster, cluster.owner(slot))
    cluster.begin_to_move(slot, target)
    dial = asyncio.create_task(house.take(""))
    await asyncio.sleep(0.1)
    assert not dial.done()
    cluster.move_keys(slot, target)
    cluster.end_move(slot, target)
    reply = await dial
    assert not reply.ends
    assert reply.text.startswith("CAPP\n1. Send money")


async def test_a_slot_that_never_arrives_ends_politely_and_in_time(
    cluster: Cluster, redis: ClusterPipeline, house: House
) -> None:
    slot = slot_of_phone()
    source = cluster.owner(slot)
    target = another(cluster, source)
    cluster.begin_to_move(slot, target)
    with hurried(redis, 0.4):
        async with counted() as ticks:
            reply = await house.take("", "stuck")
    assert ticks.seconds < 1.5
    assert reply.text.startswith(SORRY)
    for node in (source, target):
        node.admin.execute_command("CLUSTER", "SETSLOT", slot, "STABLE")
    assert not (await house.take("", "next")).ends


async def test_one_redirection_makes_the_whole_map_be_read_again(
    cluster: Cluster, redis: ClusterPipeline
) -> None:
    await asyncio.gather(*(redis.execute("DEL", key) for key in "ab"))
    redis._looked_at -= LOOK_SECONDS  # else it would not look again so soon
    for slot in (key_slot(b"a"), key_slot(b"b")):
        target = another(cluster, cluster.owner(slot))
        cluster.begin_to_move(slot, target)
        cluster.end_move(slot, target)
    redirected = _redirections(cluster)
    await redis.execute("SET", "a", 1)
    await looked(redis)
    await asyncio.gather(*(redis.execute("GET", key) for key in "ab" * 20))
    assert _redirections(cluster) - redirected == 1


async def looked(redis: ClusterPipeline) -> None:
    """The map that it reads in the background is read."""
    if redis._looking is not None:
        await asyncio.wait({redis._looking})


def _redirections(cluster: Cluster) -> int:
    """From the servers' own count of errors."""
    stats = b"".join(node.admin.info("errorstats") for node in cluster.nodes)
    if not stats.strip():
        pytest.skip("Redis counts its errors from 6.2 on")
    return sum(map(int, re.findall(rb"errorstat_MOVED:count=(\d+)", stats)))


# Nodes that die.


async def test_a_node_that_dies_takes_only_its_own_callers_with_it(servers_folder: Path) -> None:
    with ExitStack() as stopping:
        try:
            cluster = stopping.enter_context(running_cluster(servers_folder / "doomed"))
        except NoCluster as error:
            pytest.skip(f"NOT TESTED: this Redis cannot form a cluster: {error}")
        redis = open_pipeline(cluster.url, timeout_seconds=PATIENT_SECONDS)
        assert isinstance(redis, ClusterPipeline)
        house = House(SessionStore(redis, 1, RECORD_SEAL))
        callers = phones(30)
        for phone in callers:
            await house.customers.register(phone, "KE", "en", PIN)
        await asyncio.gather(*(walk(house, phone, "1", PAYEE) for phone in callers))
        lost = cluster.nodes[0]
        struck = {phone for phone in callers if cluster.owner(slot_of_phone(phone)) is lost}
        assert 0 < len(struck) < len(callers)

        lost.kill()
        for is_known in (False, True):  # to the others: that it is gone
            if is_known:
                await asyncio.to_thread(cluster.notice, lost)
            answered = await asyncio.gather(*(go_on(house, phone) for phone in callers))
            for phone, (reply, seconds) in zip(callers, answered, strict=True):
                assert reply.text.startswith(SORRY if phone in struck else "To +256"), phone
                assert seconds < PATIENT_SECONDS / 2

        cluster.take_over(lost, heir=cluster.nodes[1])
        redis._looked_at -= LOOK_SECONDS
        await asyncio.gather(*(go_on(house, phone) for phone in struck))
        await looked(redis)
        dialled = await asyncio.gather(*(walk(house, phone, "1") for phone in struck))
        assert all("Number to pay" in replies[-1].text for replies in dialled)
        await redis.aclose()


async def go_on(house: House, msisdn: Msisdn) -> tuple[Reply, float]:
    """The next key press of a walk, and the seconds until its answer."""
    turn = Turn(f"s{msisdn}", msisdn, "63902", SHORTCODE, f"1*{PAYEE}*1000", cumulative=True)
    async with counted() as ticks:
        reply = await house.turns.take(turn)
    return reply, ticks.seconds


async def test_a_cluster_of_which_nobody_answers_says_so_in_time() -> None:
    ports = [embedded.free_port() for _ in range(2)]
    places = ",".join(f"127.0.0.1:{port}" for port in ports)
    redis = open_pipeline(f"redis+cluster://{places}", timeout_seconds=0.3)
    async with counted() as ticks:
        replies = await asyncio.gather(
            *(redis.execute("GET", "a") for _ in range(10)), redis.execute("PING"),
            return_exceptions=True,
        )  # fmt: skip
    assert all(isinstance(reply, RedisError) for reply in replies)
    assert ticks.seconds < 1.0
    await redis.aclose()


async def test_one_of_the_named_nodes_is_enough(cluster: Cluster) -> None:
    dead = embedded.free_port()
    url = f"redis+cluster://127.0.0.1:{dead},127.0.0.1:{cluster.nodes[2].port}"
    redis = open_pipeline(url, timeout_seconds=PATIENT_SECONDS)
    assert await redis.execute("SET", "a", 1) == b"OK"
    await redis.aclose()


async def test_a_single_server_that_is_called_a_cluster_is_refused(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    redis = open_pipeline(
        redis_url.replace("redis:", "redis+cluster:"), timeout_seconds=PATIENT_SECONDS
    )
    with pytest.raises(RedisError):
        await redis.execute("GET", "a")
    assert "cluster support disabled" in caplog.text
    await redis.aclose()

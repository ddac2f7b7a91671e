"""Turns over HTTP and sessions in a real Redis, with the faults a gateway and a Redis show."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from starlette.applications import Starlette

from channels.ussd import ussd_routes
from engine.msisdn import Msisdn
from engine.ports import EndReason
from engine.septets import fits
from engine.session.drops import Drops
from engine.session.editions import RedisShelf
from engine.session.pipeline import TickPipeline, open_pipeline
from engine.session.store import Pointer, SessionStore, StoreDown, key_of, pointer_of
from providers.africastalking import AfricasTalkingUssd
from simulator import embedded
from tests.collector import left_to_collector
from tests.integration.standstill import hurried, standing_still
from tests.listening import listening
from tests.ticks import counted
from tests.unit.session.extremes import extreme_turns
from tests.unit.session.rooms import PAYER, PIN, RECORD_SEAL, SHORTCODE, House

TOKEN = "t" * 32
PATH = f"/ussd/africastalking/{TOKEN}"
PAYEE = "256772000002"
FORM = {"content-type": "application/x-www-form-urlencoded"}
PATIENT_SECONDS = 30.0


@pytest.fixture
async def gateway(house: House) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=ussd_routes(AfricasTalkingUssd(), house.turns, TOKEN))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://capp.test") as client:
        yield client


def form(text: str = "", **fields: str) -> bytes:
    five = {
        "sessionId": "ATUid_1", "serviceCode": SHORTCODE, "phoneNumber": PAYER,
        "networkCode": "63902", "text": text,
    }  # fmt: skip
    return urlencode(five | fields).encode()


# Over HTTP.


async def test_a_whole_payment_over_http(gateway: httpx.AsyncClient, house: House) -> None:
    inputs = ["1", PAYEE, "1000", "1", PIN]
    replies = []
    for count in range(len(inputs) + 1):
        body = form("*".join(inputs[:count]))
        answer = await gateway.post(PATH, content=body, headers=FORM)
        again = await gateway.post(PATH, content=body, headers=FORM)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain")
        assert again.content == answer.content
        replies.append(answer.text)
    menu = "CAPP\n1. Send money\n2. Request money\n3. My payments\n4. Check a price\n"
    assert replies[0] == f"CON {menu}5. Account, help"
    assert all(reply.startswith("CON ") for reply in replies[:-1])
    assert replies[-1].startswith("END CAPP000001 started: UGX 27,123 to +256772000002.")
    assert len(house.payments.confirmed) == 1


@pytest.mark.parametrize(
    ("path", "body", "kind", "status"),
    [
        (PATH, b"", FORM["content-type"], 400),
        (PATH, b"text=1", FORM["content-type"], 400),
        (PATH, form() + b"&text=1", FORM["content-type"], 400),
        (PATH, form(phoneNumber="0712000001"), FORM["content-type"], 400),
        (PATH, b"\xff\xfe=\xff", FORM["content-type"], 400),
        (PATH, b"{}", "application/json", 415),
        (PATH, form(), "", 415),
        (PATH, b"x" * 1_000_000, FORM["content-type"], 413),
        ("/ussd/africastalking/" + "u" * 32, form(), FORM["content-type"], 404),
        ("/ussd/africastalking/", form(), FORM["content-type"], 404),
        ("/ussd/nobody/" + TOKEN, form(), FORM["content-type"], 404),
        (PATH + "/end", b"", FORM["content-type"], 400),
    ],
)
async def test_a_request_that_is_no_turn_is_refused_with_its_status(
    gateway: httpx.AsyncClient,
    redis: TickPipeline,
    path: str,
    body: bytes,
    kind: str,
    status: int,
) -> None:
    answer = await gateway.post(path, content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.text
    assert await redis.execute("DBSIZE") == 0


async def test_a_body_that_never_ends_is_cut_off(gateway: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1024

    answer = await gateway.post(PATH, content=endless(), headers=FORM)
    assert answer.status_code == 413


async def test_a_get_is_no_turn(gateway: httpx.AsyncClient) -> None:
    assert (await gateway.get(PATH)).status_code == 405


async def test_what_was_typed_never_reaches_the_log(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.DEBUG, logger="channels"),
        caplog.at_level(logging.DEBUG, logger="engine"),
    ):
        await gateway.post(PATH, content=form("4826", phoneNumber="+2547"), headers=FORM)
        await gateway.post(PATH, content=form("4826") + b"&text=4826", headers=FORM)
        await gateway.post(PATH, content=form(f"1*{PAYEE}*1000*1*4826"), headers=FORM)
    assert "unreadable callback of africastalking" in caplog.text
    for secret in ("4826", PAYER, PAYEE):
        assert secret not in caplog.text


async def test_the_end_of_a_session_is_noted(gateway: httpx.AsyncClient) -> None:
    body = form("1", status="Success", hopsCount="4", durationInMillis="25000", input="1*4826")
    assert (await gateway.post(PATH + "/end", content=body, headers=FORM)).status_code == 200


# In Redis.


async def test_a_dialogue_leaves_nothing_to_the_collector(house: House) -> None:
    """What refers to itself waits for the collector, which stops all callers while it looks."""

    sessions = iter(range(99))

    async def dialled() -> None:
        inputs, session_id = ["1", PAYEE, "1000", "1", PIN], f"s{next(sessions)}"
        for typed in range(len(inputs) + 1):
            reply = await house.take("*".join(inputs[:typed]), session_id)
        assert reply.ends

    assert await left_to_collector(dialled) == 0


async def test_sessions_expire(house: House, redis: TickPipeline) -> None:
    await house.take("")
    for key in (key_of(1, PAYER, "s1"), pointer_of(1, PAYER)):
        assert 890 <= await redis.execute("TTL", key) <= 900


async def test_every_turn_keeps_the_way_to_its_session_as_long_as_the_session(
    redis: TickPipeline,
) -> None:
    store = SessionStore(redis, 1, RECORD_SEAL)

    async def save(expected: bytes, record: bytes, ttl_seconds: int, pointer: Pointer) -> None:
        await store.save(
            PAYER, "s", expected=expected, record=record, ttl_seconds=ttl_seconds, pointer=pointer
        )

    await save(b"", b"\0\0\0\1a", 9, Pointer.POINT)
    await save(b"\0\0\0\1", b"\0\0\0\2b", 900, Pointer.PROLONG)
    for key in (key_of(1, PAYER, "s"), pointer_of(1, PAYER)):
        assert 890 <= await redis.execute("TTL", key) <= 900


@pytest.mark.parametrize("cumulative", [True, False])
async def test_fields_at_their_extremes_are_answered_also_with_a_real_redis(
    house: House, cumulative: bool
) -> None:
    await house.press("1", PAYEE, "1000", "1")
    for turn in extreme_turns(cumulative=cumulative):
        reply = await house.turns.take(turn)
        assert reply.text, turn
        assert fits(reply.text, 160), turn
    assert house.payments.confirmed == {}


async def test_a_save_is_repeatable_but_never_overwrites_another(redis: TickPipeline) -> None:
    store = SessionStore(redis, 1, RECORD_SEAL)

    async def save(expected: bytes, record: bytes) -> bytes | None:
        return await store.save(
            PAYER, "s", expected=expected, record=record, ttl_seconds=9, pointer=Pointer.POINT
        )

    first, second, rival = b"\0\0\0\1a", b"\0\0\0\2b", b"\0\0\0\2c"
    assert await save(b"", first) is None
    assert await save(b"", first) is None
    assert await save(b"", b"\0\0\0\1z") == first
    assert await save(b"\0\0\0\1", second) is None
    assert await save(b"\0\0\0\1", second) is None
    assert await save(b"\0\0\0\1", rival) == second
    assert await store.load(PAYER, "s") == second
    assert await store.load(Msisdn("+254712000002"), "s") is None


async def test_the_save_survives_a_redis_that_forgot_its_scripts(redis: TickPipeline) -> None:
    store = SessionStore(redis, 1, RECORD_SEAL)
    await redis.execute("SCRIPT", "FLUSH")
    for step in (b"\0\0\0\1", b"\0\0\0\2"):
        kept = await store.save(
            PAYER, "s", expected=b"", record=step, ttl_seconds=9, pointer=Pointer.PROLONG
        )
        assert kept in (None, b"\0\0\0\1")
    assert await store.load(PAYER, "s") == b"\0\0\0\1"


async def test_the_next_dial_finds_what_the_last_session_left_until_it_is_cleared(
    redis: TickPipeline,
) -> None:
    store = SessionStore(redis, 1, RECORD_SEAL)

    async def save(session_id: str, record: bytes, pointer: Pointer) -> None:
        await store.save(
            PAYER, session_id, expected=b"", record=record, ttl_seconds=9, pointer=pointer
        )

    assert await store.last(PAYER) is None
    await save("a", b"\0\0\0\1a", Pointer.POINT)
    assert await store.last(PAYER) == b"\0\0\0\1a"
    await save("b", b"\0\0\0\1b", Pointer.POINT)
    await save("a", b"\0\0\0\1a", Pointer.CLEAR)  # not the last one any more
    assert await store.last(PAYER) == b"\0\0\0\1b"
    await save("b", b"\0\0\0\1b", Pointer.CLEAR)
    assert await store.last(PAYER) is None
    assert await store.last(Msisdn("+254712000099")) is None


async def test_ends_are_counted_by_day_in_redis(house: House, redis: TickPipeline) -> None:
    drops, day = Drops(redis, 1), house.clock.now().date()
    for reason in (EndReason.TIMED_OUT, EndReason.TIMED_OUT, EndReason.CANCELLED):
        await drops.count(day, "63902", "send_money.pin", reason)
    assert [tuple(one) for one in await drops.of_day(day)] == [
        ("63902", "send_money.pin", EndReason.TIMED_OUT, 2),
        ("63902", "send_money.pin", EndReason.CANCELLED, 1),
    ]
    assert await drops.of_day(day - timedelta(days=1)) == []


async def test_an_edition_lies_on_the_shelf_for_other_processes(redis: TickPipeline) -> None:
    shelf = RedisShelf(redis)
    assert await shelf.get("0a0b0c0d") is None
    await shelf.put("0a0b0c0d", b"packed")
    assert await shelf.get("0a0b0c0d") == b"packed"
    assert await redis.execute("TTL", "capp:menus:0a0b0c0d") > 80_000


async def test_a_flushed_redis_ends_sessions_politely(house: House, redis: TickPipeline) -> None:
    await house.press("1", PAYEE, "1000", "1")
    await redis.execute("FLUSHALL")
    reply = await house.take(f"1*{PAYEE}*1000*1*{PIN}")
    assert reply.ends
    assert reply.text.startswith("We lost this session.")
    assert house.payments.confirmed == {}


async def test_two_processes_that_get_the_same_turn_answer_alike_and_pay_once(
    house: House, redis: TickPipeline
) -> None:
    twin = House(SessionStore(redis, 1, RECORD_SEAL), shares=house)
    house.payments.delay = 0.02
    text = f"1*{PAYEE}*1000*1*{PIN}"
    await house.press("1", PAYEE, "1000", "1")
    replies = await asyncio.gather(*(h.take(text) for h in (house, twin) * 4))
    assert len({(reply.text, reply.ends) for reply in replies}) == 1
    assert len(house.payments.confirmed) == 1


async def test_a_wrong_pin_that_two_processes_get_costs_one_try(
    house: House, redis: TickPipeline
) -> None:
    twin = House(SessionStore(redis, 1, RECORD_SEAL), shares=house)
    await house.press("1", PAYEE, "1000", "1")
    house.customers.pin_delay = 0.02
    replies = await asyncio.gather(*(h.take(f"1*{PAYEE}*1000*1*9026") for h in (house, twin)))
    assert len({reply.text for reply in replies}) == 1
    assert replies[0].text.startswith("Wrong PIN. Tries left: 2.")
    assert list(house.customers.failures.values()) == [1]


async def test_mistakes_among_the_commands_of_one_tick_fail_alone(redis: TickPipeline) -> None:
    run = redis.execute
    got = await asyncio.gather(
        run("SET", "a", 1), run("LPUSH", "a", 1), run("GET", "a"), run("NOSUCH"), run("INCR", "a"),
        return_exceptions=True,
    )  # fmt: skip
    assert isinstance(got[1], ResponseError)
    assert isinstance(got[3], ResponseError)
    assert (got[2], got[4]) == (b"1", 2)


async def test_commands_keep_their_order_over_many_ticks(redis: TickPipeline) -> None:
    async def push(n: int) -> None:
        await asyncio.sleep(0)
        await redis.execute("RPUSH", "list", n)

    await asyncio.gather(*(push(n) for n in range(500)))
    assert await redis.execute("LRANGE", "list", 0, -1) == [b"%d" % n for n in range(500)]


async def test_a_caller_who_gives_up_disturbs_nobody(redis: TickPipeline) -> None:
    given_up, kept = redis.execute("SET", "a", 1), redis.execute("SET", "b", 2)
    given_up.cancel()
    await kept
    assert await redis.execute("GET", "a") is None


@pytest.mark.parametrize("senseless", [None, True, ["b"], "\ud800"])
async def test_an_argument_redis_cannot_take_is_refused_at_the_call_and_disturbs_nobody(
    redis: TickPipeline, senseless: Any
) -> None:
    neighbour = redis.execute("SET", "a", "4826")
    with pytest.raises(DataError) as caught:
        redis.execute("SET", "a", senseless, "4826")
    assert "4826" not in str(caught.value)
    assert await neighbour == b"OK"


async def test_commands_of_one_tick_travel_together_and_the_rest_follows(
    redis: TickPipeline, redis_url: str
) -> None:
    await redis.execute("CLIENT", "SETNAME", "ours")
    await asyncio.gather(*(redis.execute("INCR", "a") for _ in range(200)))
    assert await redis.execute("GET", "a") == b"200"
    other = open_pipeline(redis_url, timeout_seconds=PATIENT_SECONDS)
    clients: bytes = await other.execute("CLIENT", "LIST")
    assert clients.count(b"name=ours") == 1
    await other.aclose()


async def test_a_connection_that_was_cut_is_opened_again_and_nothing_is_lost(
    redis: TickPipeline, redis_url: str
) -> None:
    admin = open_pipeline(redis_url, timeout_seconds=PATIENT_SECONDS)
    for round_ in range(3):
        await redis.execute("SET", "a", round_)
        connection = await redis.execute("CLIENT", "ID")
        assert await admin.execute("CLIENT", "KILL", "ID", connection) == 1
        kept, echo = await asyncio.gather(redis.execute("GET", "a"), redis.execute("ECHO", "b"))
        assert (kept, echo) == (b"%d" % round_, b"b")
    await admin.aclose()


async def test_a_connection_that_is_reset_before_the_reply_is_opened_again() -> None:
    met: list[bytes] = []
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            met.append(data)
            if b"ECHO" in data and sum(b"ECHO" in each for each in met) == 1:
                writer.transport.abort()  # with the command unread by anybody, as a crash does
                return
            writer.write(b"+OK\r\n" * data.count(b"*"))
        writer.close()
        await writer.wait_closed()
        gone.set()

    async with listening(serve) as port:
        pipeline = open_pipeline(f"redis://127.0.0.1:{port}/0", timeout_seconds=PATIENT_SECONDS)
        assert await pipeline.execute("ECHO", "a") == b"OK"
        assert sum(b"ECHO" in each for each in met) == 2
        await pipeline.aclose()
        await gone.wait()


@asynccontextmanager
async def served_by_hand(
    answer: Callable[[bytes, asyncio.StreamWriter], None],
) -> AsyncIterator[TickPipeline]:
    """A server that greets like Redis, and answers with our hand what a test sends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            if b"CLIENT" in data:
                writer.write(b"+OK\r\n" * data.count(b"*"))
            else:
                answer(data, writer)
        writer.close()

    async with listening(serve) as port:
        pipeline = open_pipeline(f"redis://127.0.0.1:{port}/0", timeout_seconds=PATIENT_SECONDS)
        assert isinstance(pipeline, TickPipeline)
        yield pipeline
        await pipeline.aclose()


async def test_what_has_its_reply_is_not_sent_again_when_the_connection_is_lost() -> None:
    met: list[bytes] = []

    def answer(data: bytes, writer: asyncio.StreamWriter) -> None:
        met.append(data)
        writer.write(b"+%d\r\n" % len(met))
        if data.count(b"ECHO") == 2:
            writer.close()

    async with served_by_hand(answer) as pipeline:
        for first in (1, 3):  # on a connection that is just opened, and on one that stands
            asked = [pipeline.execute("ECHO", word) for word in ("a", "b")]
            assert await asyncio.gather(*asked) == [b"%d" % first, b"%d" % (first + 1)]
        assert [data.count(b"ECHO") for data in met] == [2, 1, 2, 1]


@pytest.mark.parametrize("uncalled_for", [b"+stray\r\n", b"no reply at all\r\n"])
async def test_a_reply_nobody_asked_for_is_never_taken_for_an_answer(uncalled_for: bytes) -> None:
    met: list[bytes] = []

    def answer(data: bytes, writer: asyncio.StreamWriter) -> None:
        met.append(data)
        writer.write(b"+%d\r\n" % len(met) + (uncalled_for if len(met) == 1 else b""))

    async with served_by_hand(answer) as pipeline:
        assert await pipeline.execute("ECHO", "a") == b"1"
        assert await pipeline.execute("ECHO", "b") == b"2"


@pytest.mark.parametrize("pause", [0.0, 0.2])
async def test_a_late_reply_is_never_taken_for_the_answer_to_a_later_command(
    redis_server: embedded.Server, redis: TickPipeline, pause: float
) -> None:
    assert await redis.execute("ECHO", "early") == b"early"
    with standing_still(redis_server):
        with hurried(redis):
            slow = [redis.execute("ECHO", word) for word in ("slow", "late")]
            told = await asyncio.gather(*slow, return_exceptions=True)
        assert all(isinstance(reply, RedisTimeoutError) for reply in told)
        at_once = redis.execute("ECHO", "at once") if not pause else None
        await asyncio.sleep(0)  # it is sent
    await asyncio.sleep(pause)
    assert at_once is None or await at_once == b"at once"
    assert await redis.execute("ECHO", "next") == b"next"


async def test_closing_lets_what_was_sent_come_home(redis_url: str) -> None:
    closing = open_pipeline(redis_url, timeout_seconds=PATIENT_SECONDS)
    replies = [closing.execute("ECHO", n) for n in range(50)]
    await asyncio.sleep(0)  # sent, and not yet answered
    await closing.aclose()
    assert [reply.result() for reply in replies] == [b"%d" % n for n in range(50)]


async def test_commands_beyond_the_limit_are_refused_at_once(redis_url: str) -> None:
    narrow = open_pipeline(redis_url, timeout_seconds=PATIENT_SECONDS, waiting_max=2)
    waiting = [narrow.execute("GET", "a") for _ in range(2)]
    with pytest.raises(RedisConnectionError, match="too many"):
        narrow.execute("GET", "a")
    await asyncio.gather(*waiting)
    await narrow.aclose()


# A Redis that is away.


async def test_a_dead_redis_still_answers_the_caller_and_nothing_hangs() -> None:
    pipeline = open_pipeline(f"redis://127.0.0.1:{embedded.free_port()}/0", timeout_seconds=0.3)
    house = await House(SessionStore(pipeline, 1, RECORD_SEAL)).registered()
    async with counted() as ticks:
        reply = await house.take("")
    assert ticks.seconds < 2
    assert reply.ends
    assert reply.text.startswith("CAPP cannot answer right now.")
    await pipeline.aclose()


async def test_a_redis_that_stalls_still_answers_the_caller(
    redis_server: embedded.Server, redis: TickPipeline, house: House
) -> None:
    assert not (await house.take("")).ends
    with standing_still(redis_server), hurried(redis):
        replies = await asyncio.gather(*(house.take("1", f"s{n}") for n in range(20)))
    assert all(reply.text.startswith("CAPP cannot answer right now.") for reply in replies)
    assert not (await house.take("1")).ends


async def test_a_store_that_is_away_says_so() -> None:
    pipeline = open_pipeline(f"redis://127.0.0.1:{embedded.free_port()}/0", timeout_seconds=0.2)
    store = SessionStore(pipeline, 1, RECORD_SEAL)
    with pytest.raises(StoreDown):
        await store.load(PAYER, "s")
    with pytest.raises(StoreDown):
        await store.last(PAYER)
    with pytest.raises(StoreDown):
        await store.save(
            PAYER, "s", expected=b"", record=b"x", ttl_seconds=1, pointer=Pointer.POINT
        )
    await pipeline.aclose()


# How long what is kept is kept.


@pytest.mark.parametrize(
    ("inputs", "seconds"),
    [
        ((), 900), (("1",), 900), (("1", PAYEE), 900), (("1", PAYEE, "1000"), 1_800),
        (("1", PAYEE, "1000", "1"), 900), (("1", PAYEE, "1000", "1", PIN), 900),
        (("5", "3", "1", PIN), 300), (("5", "3", "1", PIN, "9026"), 300),
    ],
)  # fmt: skip
async def test_a_record_and_its_pointer_live_as_long_as_the_screen_keeps_them(
    house: House, redis: TickPipeline, inputs: tuple[str, ...], seconds: int
) -> None:
    await house.press(*inputs)
    for key in (key_of(1, PAYER, "s1"), pointer_of(1, PAYER)):
        left = await redis.execute("TTL", key)
        assert seconds - 60 < left <= seconds, key


async def test_what_a_screen_keeps_for_a_short_time_is_gone_and_no_longer_offered(
    house: House, redis: TickPipeline
) -> None:
    await house.press("1", PAYEE, "1000")
    for key in (key_of(1, PAYER, "s1"), pointer_of(1, PAYER)):
        await redis.execute("PEXPIRE", key, 1)
    await asyncio.sleep(0.05)
    assert (await house.press(session_id="s2")).text.startswith("CAPP\n1. Send money")


async def test_whose_wallet_it_is_stays_in_redis_no_longer_than_the_session(
    house: House, redis: TickPipeline
) -> None:
    house.names.told[Msisdn(f"+{PAYEE}")] = "Okello James"
    price = await house.press("1", PAYEE, "1000")
    assert f"To Okello James +{PAYEE}" in price.text
    assert b"Okello" in await redis.execute("GET", key_of(1, PAYER, "s1"))
    assert (await house.press("1", PAYEE, "1000", "1", PIN)).ends
    keys: list[bytes] = await redis.execute("KEYS", "*")
    assert keys
    for key in keys:
        kind = await redis.execute("TYPE", key)
        held = await redis.execute("GET", key) if kind in (b"string", "string") else b""
        assert b"Okello" not in held, key

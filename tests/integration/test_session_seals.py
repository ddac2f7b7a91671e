"""Who can write to Redis: what a changed, moved or unsealed record makes of a dialogue."""

import logging
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from engine.money import Money
from engine.msisdn import Msisdn
from engine.session.pipeline import TickPipeline
from engine.session.sealing import MAC_BYTES, RecordSeal
from engine.session.session import pack, unpack
from engine.session.store import SessionStore, key_of, pointer_of
from tests.unit.session.rooms import PAYER, PIN, RECORD_SEAL, House

PAYEE, THIEF = "256772000002", Msisdn("+256772000666")
TO_PIN = ("1", PAYEE, "1000", "1")
CONFIRMED = "*".join((*TO_PIN, PIN))
KEY = key_of(1, PAYER, "s1")
LOST = "We lost this session."
NEW_KEY, OLD_KEY = b"n" * 32, b"k" * 32


async def record(redis: TickPipeline, key: str = KEY) -> bytes:
    found: bytes = await redis.execute("GET", key)
    return found


async def change(redis: TickPipeline, **fields: Any) -> None:
    """What somebody does who can write to Redis and reads this program's source."""
    kept = await record(redis)
    session = unpack(kept[:-MAC_BYTES])
    assert session is not None
    changed = pack(msgspec.structs.replace(session, **fields))
    await redis.execute("SET", KEY, changed + kept[-MAC_BYTES:], "EX", 900)


async def quoted(redis: TickPipeline) -> Any:
    session = unpack((await record(redis))[:-MAC_BYTES])
    assert session is not None
    assert session.quote is not None
    return session.quote


@pytest.mark.parametrize(
    "swapped",
    [
        {"payee": THIEF},
        {"amount": Money(900_000, "KES")},
        {"receives": Money(900_000_000, "UGX")},
        {"fee": Money(0, "KES")},
        {"rate": "9999", "expires_at": 9_999_999_999},
    ],
    ids=lambda swapped: next(iter(swapped)),
)
async def test_another_payee_or_price_than_the_one_that_was_shown_is_never_paid(
    house: House, redis: TickPipeline, swapped: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    await house.press(*TO_PIN)
    quote = msgspec.structs.replace(await quoted(redis), **swapped)
    await change(redis, quote=quote)
    with caplog.at_level(logging.WARNING):
        reply = await house.take(CONFIRMED)
    assert reply.text.startswith(LOST)
    assert reply.ends
    assert house.payments.confirmed == {}
    assert caplog.messages == ["a record of kind session had a wrong seal and is taken for lost"]
    paid = await house.press(*TO_PIN, PIN, session_id="s3")
    assert paid.text.startswith("CAPP000001 started")


async def test_nobody_becomes_somebody_else_by_a_record(house: House, redis: TickPipeline) -> None:
    await house.press("1")
    await change(redis, tier=3, msisdn=THIEF)
    assert (await house.take("1*1")).text.startswith(LOST)


async def test_a_sealed_record_is_one_only_where_it_was_left(
    house: House, redis: TickPipeline
) -> None:
    """Another phone, another session of the same one, another tenant's of both."""
    await house.press(*TO_PIN)
    store, other_tenants = (SessionStore(redis, tenant, RECORD_SEAL) for tenant in (1, 2))
    kept = await record(redis)
    assert unpack(await store.load(PAYER, "s1") or b"") is not None
    for there, phone, session_id in (
        (store, THIEF, "s1"), (store, PAYER, "s2"), (other_tenants, PAYER, "s1"),
    ):  # fmt: skip
        tenant = 1 if there is store else 2
        await redis.execute("SET", key_of(tenant, phone, session_id), kept, "EX", 900)
        moved = await there.load(phone, session_id)
        assert moved == kept[:4]
        assert unpack(moved) is None


@pytest.mark.parametrize("spoilt", [b"\0\0\0\x05", b"x" * 40])
async def test_whoever_dials_again_under_the_key_of_a_spoilt_record_is_served(
    house: House, redis: TickPipeline, spoilt: bytes
) -> None:
    await redis.execute("SET", KEY, spoilt, "EX", 900)
    dial: dict[str, Any] = {"cumulative": False, "opens": True, "id_recurs": True}
    assert (await house.take("", **dial)).text.startswith("CAPP\n1. Send")


async def test_a_payment_before_an_upgrade_to_sealed_records_is_told_of_after_it(
    house: House, redis: TickPipeline
) -> None:
    """What the release before left has no seal: its dialogue is lost, and the books are asked."""
    await house.press(*TO_PIN)
    await house.take(CONFIRMED)
    for key in (KEY, key_of(1, PAYER, "s0")):
        await redis.execute("SET", key, (await record(redis))[:-MAC_BYTES], "EX", 900)
    assert (await house.take(CONFIRMED)).text.startswith(LOST)
    told = (await house.take("", "s2")).text
    assert told.startswith(f"CAPP000001 +{PAYEE}\nWaiting for your PIN")
    assert len(house.payments.confirmed) == 1


async def test_what_is_unread_offers_nothing_that_somebody_wrote_there(
    house: House, redis: TickPipeline
) -> None:
    await house.press(*TO_PIN)
    await change(redis, payee=THIEF, dropped=True)
    assert await redis.execute("GET", pointer_of(1, PAYER)) == b"s1"
    assert (await house.take("", "s2")).text.startswith("CAPP\n1. Send")


async def test_dialogues_go_on_while_the_key_is_changed(redis: TickPipeline) -> None:
    """`a`, then `a,b`, then `b,a`, then `b`: each process is one step behind or ahead."""
    rings = [[OLD_KEY], [OLD_KEY, NEW_KEY], [NEW_KEY, OLD_KEY], [NEW_KEY]]
    shared = await House(SessionStore(redis, 1, RecordSeal(rings[0]))).registered()
    for number, (before, after) in enumerate(pairwise(rings)):
        first, then = (House(SessionStore(redis, 1, RecordSeal(r)), shares=shared, keys=r)
                       for r in (before, after))  # fmt: skip
        session_id = f"changed{number}"
        await first.press(*TO_PIN[:2], session_id=session_id)
        await then.take("*".join(TO_PIN[:3]), session_id)
        await first.take("*".join(TO_PIN), session_id)
        reply = await then.take(CONFIRMED, session_id)
        assert reply.text.startswith(f"CAPP00000{number + 1} started"), reply.text


def test_what_a_seal_shows_of_itself_is_nothing() -> None:
    assert repr(RecordSeal([OLD_KEY])) == "RecordSeal(...)"
    with pytest.raises(ValueError, match="maximum key length"):
        RecordSeal([b"x" * 65])


def test_every_refused_record_is_counted_by_its_kind() -> None:
    told: list[str] = []
    seal = RecordSeal([OLD_KEY], told.append)
    closed = seal.close(KEY, b"record")
    assert seal.open(KEY, closed) == b"record"
    assert seal.open(KEY, closed[:-1]) is None
    assert seal.open("capp:sms:{1:+254712000001}:quote", closed) is None
    assert told == ["session", "sms"]

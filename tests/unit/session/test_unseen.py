"""Payments whose commit outlasts the dialogue: who dials again, however often, pays once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import pytest

from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import MoneyRequest
from engine.ports import Reply
from engine.session.before import LATE_SECONDS_MAX
from engine.session.session import UNSEEN_MAX
from tests.leap import leap
from tests.unit.session.rooms import LONG_SECONDS, PAYER, PIN, House
from tests.unit.session.test_resume import PAYEE, STORED_SECONDS, TO_PIN, caller

LATE = Reply(
    "This is taking longer than usual. If you confirmed a payment, an SMS will tell you how it"
    " went.",
    ends=True,
)


@asynccontextmanager
async def storing(
    house: House, session_id: str, *, late: bool = False
) -> AsyncIterator[asyncio.Task[Reply]]:
    """A payment was confirmed in a session, and cannot be stored before the block is over. `late`:
    its payer is told meanwhile that it takes longer."""
    seconds = house.payments.commit_delay = LONG_SECONDS if late else STORED_SECONDS
    dialled = "*".join((*TO_PIN, PIN))
    with house.hurried() if late else nullcontext():
        paying = asyncio.create_task(house.take(dialled, session_id))
        await house.taken_on()
        house.payments.commit_delay = 0.0
        house.clock.seconds += LATE_SECONDS_MAX + 1
        if late:
            await asyncio.shield(paying)
    yield paying
    leap(seconds)
    await paying


async def test_a_payment_that_could_not_be_stored_is_not_taken_on_behind_the_next_one() -> None:
    """Postgres stored nothing for minutes: both were taken on when it did again."""
    house = await caller()
    await house.press(*TO_PIN)
    async with storing(house, "s1"):
        await house.press("8", *TO_PIN, session_id="s2")
        again = await house.take("*".join(("8", *TO_PIN, PIN)), "s2")
        assert again.text.startswith("CAPP000001 started")
        assert await house.take("*".join(("8", *TO_PIN, PIN)), "s2") == again
    assert len(house.payments.confirmed) == 1
    assert (await house.press(session_id="s3")).text.startswith("CAPP000001 +256772000002")


async def test_the_third_of_three_is_the_only_one() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    async with storing(house, "s1"):
        await house.press("8", *TO_PIN, session_id="s2")
        house.payments.delay = STORED_SECONDS + 0.5  # before its key is asked about
        second = asyncio.create_task(house.take("*".join(("8", *TO_PIN, PIN)), "s2"))
        for _ in range(100):  # it asks nobody else, so it waits by now
            await asyncio.sleep(0)
        house.payments.delay = 0.0
        await house.press("8", *TO_PIN, session_id="s3")
        third = await house.take("*".join(("8", *TO_PIN, PIN)), "s3")
        assert third.text.startswith("CAPP000001 started")
    leap(0.5)
    await second
    assert len(house.payments.confirmed) == 1


async def test_who_waited_for_the_sms_for_hours_pays_once() -> None:
    """The disk of Postgres was full that night."""
    house = await House().registered()
    await house.press(*TO_PIN)
    async with storing(house, "s1", late=True) as paying:
        assert await paying == LATE
        house.clock.seconds += 6 * 3600
        await house.press(*TO_PIN, session_id="s2")
        again = await house.take("*".join((*TO_PIN, PIN)), "s2")
        assert again.text.startswith("CAPP000001 started")
    await house.turns.aclose()
    assert len(house.payments.confirmed) == 1


@pytest.mark.parametrize("dialled", ["", f"1*{PAYEE}*1000"])
async def test_who_was_told_by_sms_hours_ago_may_pay_again(dialled: str) -> None:
    house = await House().registered()
    await house.press(*TO_PIN)
    async with storing(house, "s1", late=True):
        pass
    await house.turns.aclose()
    house.clock.seconds += 6 * 3600
    assert (await house.take(dialled, "s2")).text.startswith("CAPP000001 +256772000002")
    assert (await house.press(*TO_PIN, PIN, session_id="s3")).text.startswith("CAPP000002 started")


async def test_who_looked_at_something_else_between_pays_once() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    async with storing(house, "s1"):
        await house.press("8", "5", session_id="s2")
        assert not house.payments.confirmed
        await house.press(*TO_PIN, session_id="s3")
        again = await house.take("*".join((*TO_PIN, PIN)), "s3")
        assert again.text.startswith("CAPP000001 started")
    assert len(house.payments.confirmed) == 1


async def test_who_ended_something_else_between_pays_once() -> None:
    """That session ended by its own last screen, and left nothing but what it had heard of."""
    house = await caller()
    await house.press(*TO_PIN)
    async with storing(house, "s1"):
        assert (await house.press("8", "5", "3", "2", "1", session_id="s2")).ends
        assert not house.payments.confirmed
        await house.press(*TO_PIN, session_id="s3")
        again = await house.take("*".join((*TO_PIN, PIN)), "s3")
        assert again.text.startswith("CAPP000001 started")
    assert len(house.payments.confirmed) == 1


async def test_who_looked_at_something_else_is_told_at_the_next_dial() -> None:
    """What they looked at left no price, and began long after the payment was made."""
    house = await caller()
    await house.press(*TO_PIN)
    async with storing(house, "s1") as paying:
        await house.press("8", "5", session_id="s2")
        leap(STORED_SECONDS)
        await paying
        assert (await house.press(session_id="s3")).text.startswith("CAPP000001 +256772000002")
    assert house.session("s3").unseen == []


async def test_who_was_told_may_pay_again_in_the_same_session() -> None:
    house = await House().registered()
    await house.press(*TO_PIN)
    async with storing(house, "s1", late=True) as paying:
        assert await asyncio.shield(paying) == LATE
    await house.turns.aclose()
    assert (await house.press(session_id="s2")).text.startswith("CAPP000001 +256772000002")
    again = await house.press(*TO_PIN, PIN, session_id="s2")
    assert again.text.startswith("CAPP000002 started")
    assert len(house.payments.confirmed) == 2


async def test_a_record_that_nobody_can_read_may_be_that_of_a_payment() -> None:
    house = await caller()
    await house.press(*TO_PIN, PIN)
    house.records.records[PAYER, "s1"] = b"of another release"
    assert (await house.press(session_id="s2")).text.startswith("CAPP000001 +256772000002")


async def test_what_was_stored_in_the_meantime_stays_and_the_next_one_is_refused() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    async with storing(house, "s1") as paying:
        await house.press("8", *TO_PIN, session_id="s2")
        leap(STORED_SECONDS)
        await paying
        refused = await house.take("*".join(("8", *TO_PIN, PIN)), "s2")
        assert refused.text.startswith("This is taking longer")
    assert len(house.payments.confirmed) == 1


async def test_what_was_stored_in_the_meantime_keeps_nobody_from_answering_a_request() -> None:
    """A request has a key of its own, under which it is paid once whatever else was paid."""
    house = await caller()
    await house.press(*TO_PIN)
    async with storing(house, "s1") as paying:
        request = MoneyRequest(
            "ASK0000009", Msisdn(f"+{PAYEE}"), Money(27_123, "UGX"), house.clock.now(), "k"
        )
        house.payments.requests[request.code] = (PAYER, request)
        to_pin = ("8", "2", "2", "1", "1", "1")
        await house.press(*to_pin, session_id="s2")
        leap(STORED_SECONDS)
        await paying
        paid = await house.take("*".join((*to_pin, PIN)), "s2")
        assert paid.text.startswith("CAPP000002 started")
    assert len(house.payments.confirmed) == 2


async def test_what_was_stored_is_found_though_its_key_was_dropped_behind_many_others() -> None:
    """A record has room for a few keys: the books know of the payment by when it was made."""
    house = await caller()
    await house.press(*TO_PIN)
    async with storing(house, "s1") as paying:
        for number in range(2, UNSEEN_MAX + 3):
            await house.press("8", *TO_PIN, session_id=f"s{number}")
        leap(STORED_SECONDS)
        await paying
        (key,) = house.payments.confirmed
        last = f"s{UNSEEN_MAX + 2}"
        assert key not in house.session(last).unseen
        refused = await house.take("*".join(("8", *TO_PIN, PIN)), last)
        assert refused.text.startswith("This is taking longer")
    assert len(house.payments.confirmed) == 1
    assert (await house.press(session_id="next")).text.startswith("CAPP000001 +256772000002")


async def test_a_record_keeps_the_keys_of_a_few_only() -> None:
    house = await caller()
    for number in range(UNSEEN_MAX + 2):
        again = ("8",) if number else ()
        await house.press(*again, *TO_PIN, session_id=f"s{number}")
        house.clock.seconds += 20
    await house.press(session_id="last")
    assert len(house.session("last").unseen) == UNSEEN_MAX


async def test_a_payment_whose_turn_was_given_up_is_waited_for_at_the_end() -> None:
    """As of a process that ends and waits for its callers no longer."""
    house = await caller()
    await house.press(*TO_PIN)
    house.payments.commit_delay = STORED_SECONDS
    paying = asyncio.create_task(house.take("*".join((*TO_PIN, PIN))))
    await house.taken_on()
    paying.cancel()
    await asyncio.wait({paying})
    ending = asyncio.create_task(house.late.aclose())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not ending.done()
    leap(STORED_SECONDS)
    await ending
    assert len(house.payments.confirmed) == 1

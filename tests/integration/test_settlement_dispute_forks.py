"""A step of a dispute that a node calls done and that never was: asked for again, refunded once."""

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from engine.errors import StaffMistake
from engine.payments.settlement.disputes import BACK_SECONDS
from engine.payments.settlement.state import DisputeStage
from engine.payments.settlement.submitting import UNSEEN_SECONDS
from engine.ports import DisputeOpening, DisputeStanding
from tests.integration.settlement_room import PAIR, Hall, open_hall

pytestmark = pytest.mark.long(
    "hours of a rail whose nodes do not agree, for each step of a dispute"
)

D = DisputeStage
AMOUNT = 1_000_000
EXPIRES_SECONDS = 60

Step = Callable[[Hall, bytes], Awaitable[None]]


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[Hall]:
    async with open_hall(shared_database_url) as opened:
        await opened.pay()
        await opened.close()
        await opened.sweep(3)
        yield opened


async def open_one(hall: Hall) -> bytes:
    return await hall.room.disputes.open(hall.payments[0], "mpesa_ke", AMOUNT, by="amina")


async def contest(hall: Hall, dispute: bytes) -> None:
    await hall.room.disputes.answer(dispute, accepts=False, evidence_hash=b"e" * 32)


async def rule(hall: Hall, dispute: bytes) -> None:
    await hall.room.disputes.rule(dispute, 400_000)


async def refund(hall: Hall, dispute: bytes) -> None:
    await hall.room.disputes.refund(dispute)


STEPS: list[tuple[str, Step | None, str]] = [
    ("opening", None, "member 0"),
    ("answer", contest, "member 1"),
    ("ruling", rule, "arbiter"),
    ("refund", refund, "submitter"),
]


async def stage(hall: Hall, dispute: bytes) -> DisputeStage:
    return (await hall.room.disputes._get(dispute)).stage


def shown(hall: Hall, dispute: bytes) -> DisputeStanding | None:
    return hall.rail.corridors[PAIR].disputes.get(dispute)


async def called_done(hall: Hall, last: str) -> bytes:
    """A dispute up to a step of which a node says that it was done; the rail has nothing of it."""
    dispute = b""
    for name, step, _ in STEPS:
        if name == last:
            hall.rail.is_forked = True
            hall.rail.faults = ["forgotten"]
        if step is None:
            dispute = await open_one(hall)
        else:
            await step(hall, dispute)
        await hall.sweep(2)
        if name == last:
            break
    assert hall.rail.faults == []
    hall.rail.is_forked = False
    return dispute


async def go_on_to_the_end(hall: Hall, dispute: bytes, last: str) -> None:
    names = [name for name, _, _ in STEPS]
    for _, step, _ in STEPS[names.index(last) + 1 :]:
        assert step is not None
        await step(hall, dispute)
        await hall.sweep(3)
    assert await stage(hall, dispute) is D.CLOSED
    assert hall.rail.corridors[PAIR].held == [0, 0]
    assert hall.rail.corridors[PAIR].totals[0] == 10**12 - 7_750_000 + 400_000
    await hall.assert_settled()


@pytest.mark.parametrize(("last", "account"), [(name, account) for name, _, account in STEPS])
async def test_a_step_that_never_was_is_asked_for_again_and_done_once(
    hall: Hall, last: str, account: str
) -> None:
    dispute = await called_done(hall, last)
    before = shown(hall, dispute)
    number = hall.rail.numbers[account]
    await hall.sweep(3)
    assert shown(hall, dispute) == before, "its bytes may still be carried out"
    hall.rail.pass_(EXPIRES_SECONDS + 1)
    await hall.sweep(3)
    assert shown(hall, dispute) != before
    assert hall.rail.numbers[account] == number + 1, "in the place that was called taken"
    told = f"the rail called over what it never did: number {number} of {account}"
    assert await hall.cases() == [told]
    await go_on_to_the_end(hall, dispute, last)


@pytest.mark.parametrize("last", [name for name, _, _ in STEPS])
async def test_people_are_called_once_a_day_while_a_node_goes_on_to_call_it_done(
    hall: Hall, last: str
) -> None:
    dispute = await called_done(hall, last)
    hall.rail.is_forked = True
    hall.rail.pass_(EXPIRES_SECONDS + UNSEEN_SECONDS - 1)
    await hall.sweep(2)
    assert await hall.cases() == []
    hall.rail.pass_(1)
    await hall.sweep(3)
    [told] = await hall.cases()
    assert told.startswith(
        f"{PAIR}: the {last} of dispute {dispute.hex()} was said to be done, and"
    )
    hall.clock.pass_(86_400)
    await hall.sweep(2)
    assert len([case for case in await hall.cases() if f"the {last} of" in case]) == 2
    hall.rail.is_forked = False
    await hall.sweep(3)
    await go_on_to_the_end(hall, dispute, last)


async def test_what_was_done_after_all_is_refused_its_second_time(hall: Hall) -> None:
    """The account's order said no, and then the rail's books have it: they hold it once."""
    dispute = await called_done(hall, "opening")
    hall.rail.pass_(EXPIRES_SECONDS + 1)
    leaf = await hall.room.receipts.leaf_of(hall.payments[0])
    assert leaf is not None
    batch, *_ = hall.rail.corridors[PAIR].batches
    hall.rail._do(DisputeOpening(PAIR, batch, leaf.hash, leaf.place, leaf.proof, 0, 1, AMOUNT))
    hall.rail.is_stale = True
    await hall.sweep(1)
    hall.rail.is_stale = False
    await hall.sweep(3)
    assert await stage(hall, dispute) is D.OPEN
    assert hall.rail.corridors[PAIR].held == [0, AMOUNT]
    await go_on_to_the_end(hall, dispute, "opening")


async def test_a_node_that_is_behind_has_nothing_asked_for_again(hall: Hall) -> None:
    dispute = await open_one(hall)
    hall.rail.is_stale = True
    await hall.sweep(3)
    hall.rail.pass_(EXPIRES_SECONDS + UNSEEN_SECONDS - 1)
    await hall.sweep(3)
    assert hall.rail.numbers["member 0"] == 1
    assert await hall.cases() == []
    with pytest.raises(StaffMistake, match="asked already"):
        await rule(hall, dispute)
    hall.rail.is_stale = False
    await hall.sweep(1)
    await go_on_to_the_end(hall, dispute, "opening")


async def test_a_dispute_that_is_not_there_any_more_calls_people_and_can_be_opened_anew(
    hall: Hall,
) -> None:
    dispute = await open_one(hall)
    await hall.sweep(2)
    pools = hall.rail.corridors[PAIR]
    del pools.disputes[dispute]
    pools.held[1] = 0
    hall.clock.pass_(UNSEEN_SECONDS - 1)
    await hall.sweep(2)
    assert await hall.cases() == []
    hall.clock.pass_(1)
    await hall.sweep(2)
    [told] = await hall.cases()
    assert told.startswith(f"{PAIR}: dispute {dispute.hex()} stood in the rail's books, and does")
    for _ in range(2):
        assert await open_one(hall) == dispute
    await hall.sweep(2)
    assert await open_one(hall) == dispute
    await hall.sweep(2)
    assert pools.held == [0, AMOUNT]
    assert hall.rail.numbers["member 0"] == 2
    await go_on_to_the_end(hall, dispute, "opening")


async def test_books_that_show_less_than_before_are_followed_once_that_lasts(hall: Hall) -> None:
    dispute = await called_done(hall, "opening")
    hall.rail.pass_(EXPIRES_SECONDS + 1)
    await hall.sweep(3)
    await contest(hall, dispute)
    await hall.sweep(2)
    await rule(hall, dispute)
    await hall.sweep(2)
    pools, ruled = hall.rail.corridors[PAIR], hall.rail.corridors[PAIR].disputes[dispute]
    cases = await hall.cases()
    pools.disputes[dispute] = msgspec.structs.replace(ruled, status="contested", refund_minor=0)
    await hall.sweep(2)
    hall.rail.pass_(BACK_SECONDS - 1)
    await hall.sweep(2)
    assert await stage(hall, dispute) is D.RULED
    assert await hall.cases() == cases
    hall.rail.pass_(1)
    await hall.sweep(2)
    assert await stage(hall, dispute) is D.CONTESTED
    [told] = set(await hall.cases()) - set(cases)
    assert told.startswith(f"{PAIR}: dispute {dispute.hex()} was ruled in the rail's books, and is")
    await go_on_to_the_end(hall, dispute, "answer")

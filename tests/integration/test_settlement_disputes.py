"""Receipts anybody can check, disputes that refund once, capital as the rail shows it, drift."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from engine.errors import OurFault, Rejected, StaffMistake
from engine.ledger.chart import Kind
from engine.payments.settlement.dispute_store import DisputeStore
from engine.payments.settlement.receipts import (
    TREES_MAX,
    Receipt,
    read_receipt,
    verify,
    write_receipt,
)
from engine.payments.settlement.state import BatchState, DisputeStage
from engine.ports import (
    DisputeAnswer,
    DisputeOpening,
    DisputeRefund,
    DisputeRuling,
    DisputeStanding,
    PoolStanding,
    Provision,
    Reason,
    Refusal,
)
from tests.integration.owner import Owner
from tests.integration.settlement_room import HOME, PAIR, Hall, changed, open_hall

pytestmark = pytest.mark.long(
    "disputes at each turn; test_settlement_commands.py walks one to its refund"
)

CHAIN: dict[str, str | int] = {"chain_id": 4, "package": "0xca04", "corridor": "0xabc"}


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[Hall]:
    async with open_hall(shared_database_url) as opened:
        yield opened


async def settled(hall: Hall, payments: int = 1) -> list[str]:
    made = []
    for n in range(payments):
        hall.clock.pass_(0.001)  # so that each has its place in the order of the leaves
        made.append(await hall.pay(minor=100_000 + n))
    await hall.close()
    await hall.sweep(3)
    return made


async def receipt_of(hall: Hall, payment: str) -> Receipt:
    receipt = await hall.room.receipts.of(payment, CHAIN)
    assert receipt is not None
    return receipt


# Receipts.


@pytest.mark.parametrize("payments", [1, 2, 7])
async def test_every_payment_of_a_batch_has_a_receipt_that_the_rail_bears_out(
    hall: Hall, payments: int
) -> None:
    for payment in await settled(hall, payments):
        receipt = read_receipt(write_receipt(await receipt_of(hall, payment)))
        verdict = await verify(receipt, hall.rail)
        assert verdict.holds, verdict
        assert verdict.settled_at == hall.rail.seconds
        assert receipt == await receipt_of(hall, payment)


async def test_the_tree_of_a_batch_is_hashed_once_and_never_for_payments_it_was_not_made_of(
    hall: Hall,
) -> None:
    first, second = await settled(hall, 2)
    receipt = await receipt_of(hall, first)
    await hall.pool.execute("update settlement_obligation set minor = 1 where payment = $1", second)
    assert await receipt_of(hall, first) == receipt
    with pytest.raises(OurFault, match="do not lead to its root"):
        await hall.another().receipts.of(first, CHAIN)
    await hall.pool.execute(
        "update settlement_obligation set minor = 100001 where payment = $1", second
    )


async def test_only_so_many_trees_are_kept(hall: Hall) -> None:
    payments = []
    for _ in range(TREES_MAX + 1):
        hall.clock.pass_(1)  # so that the newer ones have greater ids
        payments += await settled(hall)
    for payment in (*payments, payments[1]):
        await receipt_of(hall, payment)
    kept = [batch.id for batch in await hall.batches()]
    assert list(hall.room.receipts._trees) == [*kept[2:], kept[1]]


async def test_there_is_no_receipt_before_the_rail_has_it(hall: Hall) -> None:
    payment = await hall.pay()
    assert await hall.room.receipts.of(payment, CHAIN) is None
    await hall.close()
    assert await hall.room.receipts.of(payment, CHAIN) is None
    assert await hall.room.receipts.of("0" * 32, CHAIN) is None


FORGERIES: dict[str, Any] = {
    "corridor": HOME, "batch_id": "0" * 32, "index": 2, "count": 8, "proof": (),
    "leaf.minor": 1, "leaf.payment": "0" * 32, "leaf.source": "mtn_ug", "leaf.version": 3,
    "leaf.destination": "airtel_ke", "leaf.currency": "UGX", "leaf.towards": "KES",
    "leaf.at_ms": 1, "leaf.salt": "00" * 32, "batch_id of nothing": "zz", "leaf.salt short": "00",
}  # fmt: skip


async def test_a_receipt_that_says_anything_else_is_refused(hall: Hall) -> None:
    payment = (await settled(hall, 7))[1]
    receipt = await receipt_of(hall, payment)
    assert (await verify(receipt, hall.rail)).holds
    for what, value in FORGERIES.items():
        verdict = await verify(forged(receipt, what.split(" ")[0], value), hall.rail)
        assert not verdict.holds, what
        assert verdict.reasons, what


def forged(receipt: Receipt, field: str, value: Any) -> Receipt:
    """The same with another value somewhere."""
    if field == "leaf.salt":
        leaf = msgspec.structs.replace(receipt.leaf, salt=value)
        return msgspec.structs.replace(receipt, leaf=leaf)
    if field.startswith("leaf."):
        fields = msgspec.structs.replace(receipt.leaf.fields, **{field[5:]: value})
        leaf = msgspec.structs.replace(receipt.leaf, fields=fields)
        return msgspec.structs.replace(receipt, leaf=leaf)
    return msgspec.structs.replace(receipt, **{field: value})


SHAPES: dict[str, Any] = {
    "batch_id": "AB" * 16, "index": -1, "proof": ["ab"], "leaf.salt": "AB" * 32,
    "leaf.payment": "ab" * 17, "leaf.version": 0, "leaf.minor": 2**63, "leaf.source": "",
    "batch_id ended": "ab" * 16 + "\n", "leaf.salt ended": "ab" * 32 + "\n",
    "leaf.payment ended": "ab" * 16 + "\n", "proof ended": ["ab" * 32 + "\n"], "count": 2**63,
    "leaf.at_ms": 253_402_300_800_000,
}  # fmt: skip


async def test_a_receipt_can_be_read_in_one_way_only(hall: Hall) -> None:
    text = write_receipt(await receipt_of(hall, (await settled(hall, 2))[0]))
    read_receipt(text)
    for what, value in SHAPES.items():
        name = what.split(" ")[0]
        *outer, field = name.replace("leaf.", "leaf.fields.").split(".")
        told = into = msgspec.json.decode(text)
        for each in ["leaf"] if name == "leaf.salt" else outer:
            into = into[each]
        into[field] = value
        with pytest.raises(ValueError, match="Expected"):
            read_receipt(msgspec.json.encode(told))


async def test_what_is_no_receipt_is_refused() -> None:
    for text in (b"", b"{}", b"[1]", b'{"chain":{}}', b"\xff"):
        with pytest.raises(ValueError, match=r".*"):
            read_receipt(text)


# Disputes.


async def opened(hall: Hall, amount_minor: int = 1_000_000) -> bytes:
    [payment] = await settled(hall)
    dispute = await hall.room.disputes.open(payment, "mpesa_ke", amount_minor, by="amina")
    again = await hall.room.disputes.open(payment, "mpesa_ke", amount_minor, by="brian")
    assert dispute == again
    await hall.sweep(2)
    return dispute


async def stage(hall: Hall, dispute: bytes) -> DisputeStage:
    return (await hall.room.disputes._get(dispute)).stage


async def test_a_dispute_that_is_ruled_refunds_once_and_the_books_follow(hall: Hall) -> None:
    dispute = await opened(hall)
    assert hall.rail.corridors[PAIR].held == [0, 1_000_000]
    await hall.room.disputes.answer(dispute, accepts=False, evidence_hash=b"e" * 32)
    await hall.sweep(2)
    assert await stage(hall, dispute) is DisputeStage.CONTESTED
    await hall.room.disputes.rule(dispute, 400_000)
    await hall.sweep(2)
    assert await stage(hall, dispute) is DisputeStage.RULED
    await hall.room.disputes.refund(dispute)
    with pytest.raises(StaffMistake, match="asked already"):
        await hall.room.disputes.refund(dispute)
    await hall.sweep(4)
    assert await stage(hall, dispute) is DisputeStage.CLOSED
    assert hall.rail.corridors[PAIR].held == [0, 0]
    assert hall.rail.corridors[PAIR].totals[0] == 10**12 - 7_750_000 + 400_000
    await hall.assert_settled()


async def test_a_dispute_that_is_accepted_refunds_all_of_it(hall: Hall) -> None:
    dispute = await opened(hall)
    await hall.room.disputes.answer(dispute, accepts=True, evidence_hash=b"e" * 32)
    await hall.sweep(2)
    await hall.room.disputes.refund(dispute)
    await hall.sweep(3)
    assert hall.rail.corridors[PAIR].totals[0] == 10**12 - 7_750_000 + 1_000_000
    await hall.assert_settled()


async def test_a_refund_that_somebody_else_asked_for_is_booked_too(hall: Hall) -> None:
    dispute = await opened(hall)
    await hall.room.disputes.answer(dispute, accepts=True, evidence_hash=b"e" * 32)
    await hall.sweep(2)
    pools = hall.rail.corridors[PAIR]
    found = pools.disputes[dispute]
    pools.totals[1] -= found.refund_minor
    pools.totals[0] += found.refund_minor
    pools.disputes[dispute] = msgspec.structs.replace(found, status="closed")
    await hall.sweep(2)
    assert await stage(hall, dispute) is DisputeStage.CLOSED
    await hall.assert_settled()


async def test_a_ruling_of_nothing_gives_nothing_back(hall: Hall) -> None:
    dispute = await opened(hall)
    await hall.room.disputes.rule(dispute, 0)
    await hall.sweep(2)
    await hall.room.disputes.refund(dispute)
    await hall.sweep(3)
    assert await stage(hall, dispute) is DisputeStage.CLOSED
    assert hall.rail.corridors[PAIR].totals[0] == 10**12 - 7_750_000
    await hall.assert_settled()


async def test_a_dispute_survives_lost_answers(hall: Hall) -> None:
    [payment] = await settled(hall)
    hall.rail.faults = ["lost", "dropped", "lost", "unreachable"]
    dispute = await hall.room.disputes.open(payment, "mpesa_ke", 1000, by="amina")
    await hall.sweep(4)
    await hall.room.disputes.rule(dispute, 1000)
    await hall.sweep(4)
    await hall.room.disputes.refund(dispute)
    await hall.sweep(6)
    assert await stage(hall, dispute) is DisputeStage.CLOSED
    await hall.assert_settled()


async def test_both_members_may_dispute_the_same_payment(hall: Hall) -> None:
    first = await opened(hall)
    [payment] = hall.payments
    second = await hall.room.disputes.open(payment, "mtn_ug", 500_000, by="brian")
    assert second != first
    await hall.sweep(2)
    assert hall.rail.corridors[PAIR].held == [500_000, 1_000_000]
    for dispute in (first, second):
        await hall.room.disputes.rule(dispute, 300_000)
        await hall.sweep(2)
        await hall.room.disputes.refund(dispute)
        await hall.sweep(2)
    assert hall.rail.corridors[PAIR].totals[0] == 10**12 - 7_750_000
    await hall.assert_settled()


async def test_an_opening_that_the_rail_refuses_is_over(hall: Hall) -> None:
    [payment] = await settled(hall)
    hall.rail.refuses = Refusal.DISPUTE
    dispute = await hall.room.disputes.open(payment, "mpesa_ke", 1000, by="amina")
    await hall.sweep(2)
    found = await hall.room.disputes._get(dispute)
    assert (found.stage, found.reason) == (DisputeStage.REFUSED, "dispute")
    with pytest.raises(StaffMistake, match="refused"):
        await hall.room.disputes.rule(dispute, 1)


async def test_a_dispute_that_a_member_opened_by_itself_is_followed_to_its_refund(
    hall: Hall,
) -> None:
    """Its key is not ours, so the rail is the only one who could tell the books."""
    [payment] = await settled(hall)
    hall.rail.elsewhere = {0}
    disputes, pools = hall.room.disputes, hall.rail.corridors[PAIR]
    with pytest.raises(StaffMistake, match="mpesa_ke signs elsewhere, and has opened none") as told:
        await disputes.open(payment, "mpesa_ke", 1000, by="amina")
    batch, *_ = pools.batches
    leaf = await hall.room.receipts.leaf_of(payment)
    assert leaf is not None
    theirs = DisputeOpening(PAIR, batch, leaf.hash, leaf.place, leaf.proof, 0, 1, 900_000)
    assert str(told.value).endswith(hall.rail.dispute_id(theirs).hex())
    hall.rail._do(theirs)
    dispute = hall.rail.dispute_id(theirs)
    for _ in range(2):
        assert await disputes.open(payment, "mpesa_ke", 1000, by="amina") == dispute
    with pytest.raises(StaffMistake, match="between nothing and 900000"):
        await disputes.rule(dispute, 900_001)
    await disputes.rule(dispute, 900_000)
    await hall.sweep(2)
    await disputes.refund(dispute)
    await hall.sweep(3)
    assert await stage(hall, dispute) is DisputeStage.CLOSED
    assert pools.totals[0] == 10**12 - 7_750_000 + 900_000
    await hall.assert_settled()


async def test_what_others_did_to_the_end_is_booked_when_it_is_told(hall: Hall) -> None:
    [payment] = await settled(hall)
    hall.rail.elsewhere = {0, 1}
    leaf = await hall.room.receipts.leaf_of(payment)
    assert leaf is not None
    batch, *_ = hall.rail.corridors[PAIR].batches
    theirs = DisputeOpening(PAIR, batch, leaf.hash, leaf.place, leaf.proof, 0, 1, 900_000)
    dispute = hall.rail.dispute_id(theirs)
    for step in (
        theirs, DisputeAnswer(PAIR, dispute, 1, True, b"e" * 32), DisputeRefund(PAIR, dispute),
    ):  # fmt: skip
        hall.rail._do(step)
    hall.clock.pass_(61)
    await hall.sweep(1)
    assert any("the rail holds +900000 minor" in case for case in await hall.cases())
    await hall.room.disputes.open(payment, "mpesa_ke", 1, by="amina")
    await hall.sweep(2)
    assert await stage(hall, dispute) is DisputeStage.CLOSED
    await hall.assert_settled()


async def test_the_amount_that_stands_on_the_rail_counts(hall: Hall) -> None:
    """Whoever has the member's key besides us was there first, with another amount."""
    [payment] = await settled(hall)
    leaf = await hall.room.receipts.leaf_of(payment)
    assert leaf is not None
    batch, *_ = hall.rail.corridors[PAIR].batches
    theirs = DisputeOpening(PAIR, batch, leaf.hash, leaf.place, leaf.proof, 0, 1, 900_000)
    hall.rail._do(theirs)
    dispute = await hall.room.disputes.open(payment, "mpesa_ke", 1000, by="amina")
    hall.rail._do(DisputeRuling(PAIR, dispute, 800_000))
    await hall.sweep(2)
    assert await stage(hall, dispute) is DisputeStage.RULED
    await hall.room.disputes.refund(dispute)
    await hall.sweep(3)
    await hall.assert_settled()


async def test_a_refund_is_booked_to_nobody_else_though_the_file_was_changed(hall: Hall) -> None:
    dispute = await opened(hall)
    await hall.room.disputes.answer(dispute, accepts=True, evidence_hash=b"e" * 32)
    await hall.sweep(2)
    await hall.room.disputes.refund(dispute)
    for members in (("mtn_ug", "mpesa_ke"), ("mpesa_ke", "airtel_ke")):
        room = hall.another(rules=changed(hall.rules, members=members))
        await hall.sweep(3, room)
        assert hall.rail.corridors[PAIR].disputes[dispute].status == "closed"
        assert await stage(hall, dispute) is DisputeStage.RULED
        assert await hall.minor(Kind.CHAIN_TREASURY, owner=1) == 2 * 10**12 - 7_750_000
        with pytest.raises(StaffMistake, match="other members"):
            await room.disputes.open(hall.payments[0], members[1], 1, by="amina")
    await hall.sweep(2, hall.another(rules=changed(hall.rules)))
    waits = [case for case in await hall.cases() if f"{PAIR}: a refund waits" in case]
    assert len(waits) == 2  # one for each reason, however often it is looked at
    ask = hall.rail.dispute

    async def unplaced(corridor: str, _: bytes) -> DisputeStanding | None:
        raise Rejected("rail", f"no {corridor}", code="corridor", reason=Reason.CONFIGURATION)

    hall.rail.dispute = unplaced  # type: ignore[assignment]
    await hall.sweep(2)
    assert (
        f"{PAIR}: a dispute cannot be looked at: rail: no {PAIR} [corridor]" in await hall.cases()
    )
    hall.rail.dispute = ask  # type: ignore[method-assign]
    await hall.sweep(2)
    assert await stage(hall, dispute) is DisputeStage.CLOSED
    await hall.assert_settled()


async def test_what_is_no_dispute_is_refused(hall: Hall) -> None:
    disputes = hall.room.disputes
    waiting = await hall.pay()
    with pytest.raises(StaffMistake, match="no settled batch"):
        await disputes.open(waiting, "mpesa_ke", 1, by="amina")
    dispute = await opened(hall)
    [payment] = hall.payments[1:]
    with pytest.raises(StaffMistake, match="no member"):
        await disputes.open(payment, "airtel_ke", 1, by="amina")
    with pytest.raises(StaffMistake, match="more than nothing"):
        await disputes.open(payment, "mpesa_ke", 0, by="amina")
    with pytest.raises(StaffMistake, match="no dispute"):
        await disputes.refund(b"x" * 32)
    with pytest.raises(StaffMistake, match="between nothing"):
        await disputes.rule(dispute, 1_000_001)
    with pytest.raises(StaffMistake, match="the dispute is open"):
        await disputes.refund(dispute)


# Capital and drift.


async def test_what_the_rail_shows_was_provided_is_booked_once(hall: Hall) -> None:
    capital, hash_ = hall.room.capital, b"h" * 32
    with pytest.raises(StaffMistake, match="shows nothing"):
        await capital.book("mpesa_ke", hash_)
    hall.rail.corridors[PAIR].totals[0] += 500
    hall.rail.provided[hash_] = (Provision(0, 500),)
    with pytest.raises(StaffMistake, match="shows 500 minor units, not 501"):
        await capital.book("mpesa_ke", hash_, expected_minor=501)
    for _ in range(3):
        assert await capital.book("mpesa_ke", hash_, expected_minor=500) == 500
    # In the other corridor the first place is airtel_ke's: that is not counted.
    assert await hall.minor(Kind.CHAIN_CAPITAL, owner=1) == 2 * 10**12 + 500
    hall.rail.corridors[PAIR].totals[0] -= 200
    hall.rail.provided[b"w" * 32] = (Provision(0, -200),)
    assert await capital.book("mpesa_ke", b"w" * 32) == -200
    assert await hall.minor(Kind.CHAIN_CAPITAL, owner=1) == 2 * 10**12 + 300
    with pytest.raises(StaffMistake, match="no corridor"):
        await capital.book("nobody", hash_)


async def test_a_pool_that_holds_what_nothing_explains_is_told_of_once(hall: Hall) -> None:
    await settled(hall)
    hall.clock.pass_(-hall.clock.epoch() % 86_400)  # a day begins: it is told of once a day
    hall.rail.corridors[PAIR].totals[1] -= 5
    for _ in range(3):
        hall.clock.pass_(61)
        await hall.sweep(1)
    told = [c for c in await hall.cases() if c.startswith("mtn_ug: the rail holds -5 minor")]
    assert len(told) == 1
    hall.rail.corridors[PAIR].totals[1] += 5


async def test_a_drift_that_comes_back_is_told_of_again(hall: Hall) -> None:
    """Month after month the operator fills its pool with the same round amount."""
    await settled(hall)
    for month in range(1, 4):
        hall.rail.corridors[PAIR].totals[1] += 5_000_000
        hall.rail.provided[bytes([month]) * 32] = (Provision(1, 5_000_000),)
        hall.clock.pass_(28 * 86_400)  # after the 31st of January, too, a table holds them all
        await hall.sweep(1)
        told = [c for c in await hall.cases() if "the rail holds +5000000 minor" in c]
        assert len(told) == month
        await hall.room.capital.book("mtn_ug", bytes([month]) * 32)
        await hall.close_cases()


@pytest.mark.parametrize("state", [BatchState.APPROVED, BatchState.SUBMITTED, BatchState.PARKED])
async def test_what_is_on_its_way_is_no_drift_whether_it_has_arrived_or_not(
    hall: Hall, state: BatchState
) -> None:
    """What is approved others may have handed in, and what is parked may have been carried out."""
    await hall.pay()
    batch = await hall.close()
    hall.rail.decides = False
    await hall.sweep(2)
    assert await hall.room.batches.move(await hall.reopened(batch), state)
    assert not any(b.drift_minor for b in await hall.room.standings.balances())
    hall.rail.decides = True
    hall.rail.carry_out()
    balances = await hall.room.standings.balances()
    assert not any(b.drift_minor for b in balances)
    assert any(b.books_minor != b.rail_minor for b in balances)
    assert await hall.room.batches.move(await hall.reopened(batch), BatchState.SUBMITTED)
    await hall.sweep(2)
    await hall.assert_settled()


@pytest.mark.parametrize("what", ["it is booked", "it leaves"])
async def test_what_happens_while_the_rail_is_asked_is_no_drift(hall: Hall, what: str) -> None:
    await hall.pay()
    batch = await hall.close()
    hall.rail.decides = False
    if what == "it is booked":
        await hall.sweep(2)
    look = hall.rail.pools
    told: list[tuple[PoolStanding, ...]] = []

    async def pools(corridor: str) -> tuple[PoolStanding, ...]:
        if told:
            return await look(corridor)
        if what == "it is booked":
            told.append(await look(corridor))
            hall.rail.decides = True
            hall.rail.carry_out()
            await hall.sweep(2)
        else:
            await hall.sweep(2)
            hall.rail.decides = True
            hall.rail.carry_out()
            told.append(await look(corridor))
        return told[0]

    hall.rail.pools = pools  # type: ignore[method-assign]
    drifts = [b.drift_minor for b in await hall.room.standings.balances()]
    del hall.rail.pools
    is_settled = (await hall.reopened(batch)).state is BatchState.SETTLED
    assert (drifts, is_settled) == ([0, 0, 0], what == "it is booked")
    await hall.sweep(2)
    await hall.assert_settled()


async def test_a_refund_that_was_ruled_is_no_drift_whether_it_has_arrived_or_not(
    hall: Hall,
) -> None:
    dispute = await opened(hall)
    await hall.room.disputes.rule(dispute, 400_000)
    await hall.sweep(2)
    pools = hall.rail.corridors[PAIR]

    async def drifts() -> dict[str, int]:
        balances = await hall.room.standings.balances()
        return {b.operator: b.drift_minor for b in balances if b.drift_minor}

    assert await drifts() == {}
    pools.totals[0] -= 1
    pools.totals[1] += 1
    assert await drifts() == {"mpesa_ke": -1, "mtn_ug": 1}
    found = pools.disputes[dispute]
    pools.totals[0] += 400_001  # somebody else has asked the rail for it
    pools.totals[1] -= 400_001
    assert await drifts() == {}
    pools.totals[0] += 1
    pools.totals[1] -= 1
    assert await drifts() == {"mpesa_ke": 1, "mtn_ug": -1}
    pools.totals[0] -= 1
    pools.totals[1] += 1
    pools.disputes[dispute] = msgspec.structs.replace(found, status="closed")
    await hall.sweep(2)
    assert await drifts() == {}
    await hall.assert_settled()


# How it stands.


async def test_how_a_payment_stands_is_told_from_its_window_to_the_rail(hall: Hall) -> None:
    payment = await hall.pay()
    of = hall.room.standings.of_payment
    assert await of(payment) == []
    await hall.sweep(1)
    assert [s.standing for s in await of(payment)] == ["waiting"]
    hall.rail.is_away = True
    await hall.close()
    await hall.sweep(1)
    assert [s.standing for s in await of(payment)] == ["closed"]
    hall.rail.is_away = False
    await hall.sweep(3)
    [standing] = await of(payment)
    assert (standing.standing, standing.leaf, standing.payment_count) == ("settled", 0, 1)
    assert standing.transaction_hash == hall.rail.sent[0].hex()
    assert standing.rail_version is not None
    assert standing.settled_at == hall.rail.seconds
    stages = (standing.closed_ms, standing.approved_ms, standing.submitted_ms, standing.ended_ms)
    assert None not in stages


async def test_how_a_payment_stands_is_told_while_nobody_has_signed_for_its_batch(
    hall: Hall,
) -> None:
    payment = await hall.pay()
    await hall.close()
    hall.rail.unsigned = 2
    await hall.sweep(2)
    [standing] = await hall.room.standings.of_payment(payment)
    assert standing.standing in ("approved", "submitted")
    assert (standing.transaction_hash, standing.rail_version) == (None, None)
    await hall.sweep(3)
    await hall.assert_settled()


async def test_how_long_a_corridor_lags_is_told(hall: Hall) -> None:
    hall.rail.is_away = True
    await hall.pay()
    await hall.sweep(1)
    hall.clock.pass_(50)
    pair, home = await hall.room.standings.of_corridors()
    assert (pair.corridor, pair.payments, pair.exposure_minor, pair.lag_seconds) == (
        PAIR, 1, 7_750_000, 50,
    )  # fmt: skip
    assert (home.payments, home.lag_seconds) == (0, 0)
    await hall.room.closing.close_now(PAIR)
    hall.clock.pass_(70)
    pair, _ = await hall.room.standings.of_corridors()
    assert (pair.payments, len(pair.unfinished), pair.lag_seconds) == (0, 1, 70)
    await hall.pay()
    await hall.sweep(1)
    hall.clock.pass_(5)
    pair, home = await hall.room.standings.of_corridors()
    assert (pair.payments, len(pair.unfinished), pair.lag_seconds) == (1, 1, 75)
    assert (home.payments, home.unfinished, home.lag_seconds) == (0, (), 0)


async def test_while_rates_are_stale_it_is_told_how_many_wait_and_how_long(hall: Hall) -> None:
    await hall.pay()
    await hall.sweep(1)
    hall.clock.pass_(20)
    await hall.pay("mtn_ug", "mpesa_ke", 1_000)
    await hall.sweep(1)
    hall.clock.pass_(30)
    await Owner(hall.pool).execute("delete from fx_rate where base = 'KES'")
    await hall.rates.refresh(hall.pool)
    pair, _ = await hall.room.standings.of_corridors()
    assert (pair.payments, pair.exposure_minor, pair.lag_seconds) == (2, None, 50)


async def test_a_dispute_that_the_rail_did_not_take_may_be_opened_again(hall: Hall) -> None:
    [payment] = await settled(hall)
    hall.rail.refuses = Refusal.PAUSED
    opening = await hall.room.disputes.open(payment, "mpesa_ke", 500, by="amina")
    await hall.sweep(2)
    store = DisputeStore(hall.pool, 1)
    refused = await store.get(opening)
    assert refused is not None
    assert (refused.stage, refused.reason) == (DisputeStage.REFUSED, "paused")
    hall.rail.refuses = None
    assert await hall.room.disputes.open(payment, "mpesa_ke", 300, by="brian") == opening
    assert await hall.room.disputes.open(payment, "mpesa_ke", 700, by="chipo") == opening
    await hall.sweep(2)
    again = await store.get(opening)
    assert again is not None
    assert (again.stage, again.amount_minor, again.opened_by) == (DisputeStage.OPEN, 300, "brian")
    assert again.reason == ""
    assert hall.rail.corridors[PAIR].disputes[opening].amount_minor == 300

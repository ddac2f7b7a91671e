"""What people moved themselves stands in the operator's statement too, and is not lost money."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from channels.office import Office, build_office
from engine.clock import AttemptId, Ids, PaymentId
from engine.desk.proposals import Kind, Person, ProposalId, State
from engine.money import Money
from engine.payments.evidence import Source
from engine.payments.lifecycle import State as PaymentState
from engine.payments.statements.judged import Class
from engine.payments.statements.lines import Line, Side
from engine.ports import Direction, Finding, Outcome
from tests.integration.books import assert_books
from tests.integration.desk_room import AIRTEL
from tests.integration.offices import agrees
from tests.integration.test_statements import (
    Bureau,
    TellingOperator,
    bureau_of,
    paid,
    refund_unknown,
)
from tests.integration.world import World, open_world
from tests.unit.payments.examples import MPESA, MTN

ASHA, BABU = Person("asha"), Person("babu")
FLOAT = 150_000_000


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened
        await assert_books(opened.pool)
        assert await opened.books.is_balanced()


@pytest.fixture
def bureau(world: World) -> Bureau:
    return bureau_of(world)


@pytest.fixture
def office(world: World) -> Office:
    return build_office(
        tenant=1, pool=world.pool, committer=world.committer,
        operators={facts.name: facts for facts in (MPESA, MTN)}, clock=world.clock,
        ids=Ids(world.clock), ahead=agrees,
    )  # fmt: skip


def in_uganda(world: World) -> tuple[Bureau, Office]:
    """Where float can be moved from one operator to another of the currency."""
    office = build_office(
        tenant=1, pool=world.pool, committer=world.committer,
        operators={facts.name: facts for facts in (MTN, AIRTEL)}, clock=world.clock,
        ids=Ids(world.clock), ahead=agrees,
    )  # fmt: skip
    return bureau_of(world, airtel=TellingOperator(AIRTEL, {"all": 0})), office


async def moved(office: Office, reference: str, kind: Kind = Kind.TOP_UP, **fields: Any) -> None:
    """Asha asks, Babu agrees, and it was seen there."""
    body = {"operator": "mtn_ug", "minor": 500} | fields
    asked = await office.desk.propose(kind, body, by=ASHA, note="because")
    await office.desk.approve(asked.id, by=BABU)
    seen = await office.desk.see(asked.id, reference, by=ASHA)
    assert seen.state is State.DONE


def line(bureau: Bureau, receipt: str, **more: Any) -> Line:
    return bureau.line(receipt, **{"operator": "mtn_ug", "currency": "UGX", "minor": 500} | more)


async def float_and_suspense(world: World) -> tuple[int, int]:
    names = {line.name: line.minor for line in await world.books.trial_balance()}
    return names["FLOAT mtn_ug"], names.get("SUSPENSE mtn_ug", 0)


async def test_a_top_up_that_is_listed_is_not_booked_a_second_time(
    world: World, bureau: Bureau, office: Office
) -> None:
    await moved(office, "MP1")
    report = await bureau.take_whole(line(bureau, "MP1"), operator="mtn_ug")
    assert [j.kind for j in report.judged] == [Class.MOVED]
    bureau.pass_days(1)
    await bureau.age()
    assert await float_and_suspense(world) == (FLOAT + 500, 0)
    assert await bureau.cases() == []


async def test_a_top_up_that_people_book_after_they_saw_it_listed_is_no_drift(
    world: World, bureau: Bureau, office: Office
) -> None:
    held = FLOAT + 500
    listed = line(bureau, "MP1", balance_minor=held)
    world.clock.pass_(3600)
    await moved(office, "MP1")
    assert (await bureau.take(listed, operator="mtn_ug")).drift_minor == 0
    assert await bureau.cases() == []


async def test_a_word_that_was_typed_in_small_letters_is_the_one_that_is_listed(
    world: World, bureau: Bureau, office: Office
) -> None:
    await moved(office, "tkk 632nmua")
    report = await bureau.take_whole(line(bureau, "TKK632NMUA"), operator="mtn_ug")
    assert [j.kind for j in report.judged] == [Class.MOVED]
    bureau.pass_days(2)
    await bureau.age()
    assert await float_and_suspense(world) == (FLOAT + 500, 0)


async def test_what_was_suspended_before_people_said_what_it_is_comes_out_again(
    world: World, bureau: Bureau, office: Office
) -> None:
    await bureau.take(line(bureau, "MP1"), operator="mtn_ug")
    bureau.pass_days(2)
    assert await bureau.age() == 1
    assert await float_and_suspense(world) == (FLOAT + 500, 500)
    await moved(office, "MP1")
    for _ in range(2):
        await bureau.age()
        assert await float_and_suspense(world) == (FLOAT + 500, 0)
        assert await bureau.cases() == []


async def test_what_left_is_known_by_either_word_of_the_line(
    bureau: Bureau, office: Office
) -> None:
    await moved(office, "BANK-7", Kind.WITHDRAWAL)
    gone = line(bureau, "MP2", side=Side.OUT, reference="BANK-7", fee_minor=3)
    report = await bureau.take(gone, operator="mtn_ug")
    assert [j.kind for j in report.judged] == [Class.MOVED]
    assert report.unbooked_fee_minor == 3  # charged on top, and booked by nobody
    assert await bureau.cases() == []


@pytest.mark.parametrize(
    "other",
    [{"minor": 499}, {"side": Side.OUT}, {"receipt": "MP2"}],
    ids=["another amount", "the other way", "another name"],
)
async def test_what_is_not_quite_it_is_still_somebodys(
    world: World, bureau: Bureau, office: Office, other: dict[str, Any]
) -> None:
    await moved(office, "MP1")
    made = line(bureau, **{"receipt": "MP1"} | other)
    await bureau.take(made, operator="mtn_ug")
    assert await bureau.cases() == ["MISSING_HERE"]


async def test_of_another_amount_it_is_peoples_and_never_booked_by_itself(
    world: World, bureau: Bureau, office: Office
) -> None:
    await moved(office, "MP1")
    await bureau.take_whole(line(bureau, "MP1", minor=499), operator="mtn_ug")
    bureau.pass_days(1)
    await bureau.age()
    assert await float_and_suspense(world) == (FLOAT + 500, 0)
    (case,) = await bureau.comparison.cases.all_open()
    assert "people moved another amount" in case.detail


async def test_what_people_saw_only_on_the_next_day_is_no_drift_of_the_day_that_lists_it(
    world: World, bureau: Bureau, office: Office
) -> None:
    came = line(bureau, "MP1", balance_minor=FLOAT + 500)
    left = line(
        bureau, "MP2", side=Side.OUT, minor=300, reference="BANK-7", balance_minor=FLOAT + 200,
        at_ms=bureau.now_ms + 1,
    )  # fmt: skip
    day = bureau.today
    bureau.pass_days(1)
    await moved(office, "MP1")
    await moved(office, "BANK-7", Kind.WITHDRAWAL, minor=300)
    report = await bureau.take(came, left, operator="mtn_ug", day=day)
    assert [j.kind for j in report.judged] == [Class.MOVED, Class.MOVED]
    assert report.drift_minor == 0
    assert await bureau.cases() == []
    strange = line(bureau, "MP3", balance_minor=FLOAT + 700)  # what nobody saw is one
    assert (await bureau.take(strange, operator="mtn_ug")).drift_minor == 500
    assert await bureau.cases() == ["FLOAT_DRIFT", "MISSING_HERE"]


async def test_a_movement_that_cannot_be_read_keeps_up_no_statement_and_is_no_lost_money(
    world: World, bureau: Bureau, office: Office
) -> None:
    """Its key is away: what was paired with it before stays so, what is new waits for people."""
    await moved(office, "MP1")
    await moved(office, "MP2")
    day, lines = bureau.today, [line(bureau, "MP1"), line(bureau, "MP2")]
    await bureau.take_whole(lines[0], operator="mtn_ug")
    await world.pool.execute("update proposal set body = 'v1.77.' || repeat('A', 60)")
    report = await bureau.take(*lines, operator="mtn_ug", day=day)
    kinds = {j.theirs.line.receipt: j.kind for j in report.judged if j.theirs}
    assert kinds == {"MP1": Class.MOVED, "MP2": Class.MISSING_HERE}
    bureau.pass_days(1)
    await bureau.age()
    assert await float_and_suspense(world) == (FLOAT + 1000, 0)
    (case,) = await office.cases.open_cases()
    assert "cannot be read" in case.detail


async def test_a_withdrawal_that_has_left_and_that_nobody_has_seen_is_no_drift(
    world: World, bureau: Bureau, office: Office
) -> None:
    asked = await office.desk.propose(
        Kind.WITHDRAWAL, {"operator": "mtn_ug", "minor": 300}, by=ASHA, note="because"
    )
    await office.desk.approve(asked.id, by=BABU)
    for holds, drift in ((FLOAT, 0), (FLOAT - 300, 0), (FLOAT - 301, -1)):
        bureau.mtn.holds = {"all": holds}
        await bureau.comparison.balances.look()
        (seen,) = await bureau.comparison.book.newest("mtn_ug")
        assert seen.drift_minor == drift
    day = bureau.today
    left = line(bureau, "MP2", side=Side.OUT, minor=300, balance_minor=FLOAT - 300)
    bureau.pass_days(1)
    assert (await bureau.take(left, operator="mtn_ug", day=day)).drift_minor == 0
    assert await bureau.cases() == ["MISSING_HERE"]
    await office.desk.see(asked.id, "MP2", by=ASHA)
    await bureau.age()
    assert await bureau.cases() == []


async def held(office: Office, kind: Kind, **fields: Any) -> ProposalId:
    """Asha asks and Babu agrees; nobody has seen it yet."""
    asked = await office.desk.propose(kind, fields, by=ASHA, note="because")
    await office.desk.approve(asked.id, by=BABU)
    return asked.id


async def drifts(bureau: Bureau, mtn: int, airtel: int) -> dict[str, int]:
    """How far off they are when they say that they hold so much."""
    assert bureau.airtel is not None
    bureau.mtn.holds, bureau.airtel.holds = {"all": mtn}, {"all": airtel}
    await bureau.comparison.balances.look()
    operators = ("mtn_ug", "airtel_ug")
    seen = [s for name in operators for s in await bureau.comparison.book.newest(name)]
    return {s.operator: s.drift_minor for s in seen}


async def test_what_has_left_one_operator_and_nobody_has_seen_at_the_other_is_no_drift(
    world: World,
) -> None:
    bureau, office = in_uganda(world)
    agreed = {"source": "mtn_ug", "target": "airtel_ug", "minor": 300}
    asked = await held(office, Kind.REBALANCE, **agreed)
    for left, came in ((0, 0), (300, 0), (300, 300), (0, 300)):
        assert await drifts(bureau, FLOAT - left, came) == {"mtn_ug": 0, "airtel_ug": 0}
    assert await drifts(bureau, FLOAT - 301, 301) == {"mtn_ug": -1, "airtel_ug": 1}
    assert await drifts(bureau, FLOAT - 300, 0) == {"mtn_ug": 0, "airtel_ug": 0}
    bureau.pass_days(3)
    for _ in range(2):
        assert await drifts(bureau, FLOAT - 300, 0) == {"mtn_ug": -300, "airtel_ug": 0}
    assert await bureau.cases() == ["FLOAT_DRIFT"]  # it should have come long ago
    await office.desk.see(asked, "MP7", by=ASHA)
    assert await drifts(bureau, FLOAT - 300, 300) == {"mtn_ug": 0, "airtel_ug": 0}
    assert await bureau.cases() == []


async def test_a_rebalancing_or_top_up_that_was_cancelled_explains_nothing(world: World) -> None:
    bureau, office = in_uganda(world)
    agreed = {"source": "mtn_ug", "target": "airtel_ug", "minor": 300}
    for kind, fields in (
        (Kind.REBALANCE, agreed),
        (Kind.TOP_UP, {"operator": "airtel_ug", "minor": 300}),
    ):
        asked = await held(office, kind, **fields)
        assert (await drifts(bureau, FLOAT, 300))["airtel_ug"] == 0
        await held(office, Kind.CANCEL_WITHDRAWAL, withdrawal=asked)
        assert (await drifts(bureau, FLOAT, 300))["airtel_ug"] == 300


@pytest.mark.parametrize("seen", ["before its statement is taken", "after it"])
async def test_what_was_on_its_way_at_the_days_last_line_is_no_drift(
    world: World, seen: str
) -> None:
    bureau, office = in_uganda(world)
    agreed = {"source": "mtn_ug", "target": "airtel_ug", "minor": 300}
    asked = await held(office, Kind.REBALANCE, **agreed)
    day = bureau.today
    gone = line(bureau, "MP1", side=Side.OUT, minor=300, balance_minor=FLOAT - 300)
    came = line(bureau, "AP1", operator="airtel_ug", minor=300, balance_minor=300)
    other = msgspec.structs.replace(gone, balance_minor=FLOAT - 301)
    bureau.pass_days(1)
    if seen == "before its statement is taken":  # under the word of the second operator
        await office.desk.see(asked, "AP1", by=ASHA)
    assert (await bureau.take(gone, operator="mtn_ug", day=day)).drift_minor == 0
    assert (await bureau.take(other, operator="mtn_ug", day=day)).drift_minor == -1
    assert (await bureau.take(came, operator="airtel_ug", day=day)).drift_minor == 0
    more = msgspec.structs.replace(came, balance_minor=301)
    assert (await bureau.take(more, operator="airtel_ug", day=day)).drift_minor == 1


async def test_what_has_left_one_operator_is_not_at_the_other_by_its_own_line(
    world: World,
) -> None:
    bureau, office = in_uganda(world)
    agreed = {"source": "mtn_ug", "target": "airtel_ug", "minor": 300}
    asked = await held(office, Kind.REBALANCE, **agreed)
    day = bureau.today
    gone = line(bureau, "MP1", side=Side.OUT, minor=300, balance_minor=FLOAT - 300)
    last = line(bureau, "AP1", operator="airtel_ug", minor=7, balance_minor=7)
    bureau.pass_days(1)
    await office.desk.see(asked, "MP1", by=ASHA)
    assert (await bureau.take(gone, operator="mtn_ug", day=day)).drift_minor == 0
    assert (await bureau.take(last, operator="airtel_ug", day=day)).drift_minor == 0


async def test_what_a_later_line_lists_was_not_there_at_the_days_last_one(
    world: World, bureau: Bureau, office: Office
) -> None:
    """The day's file comes after that of the next day, which lists a top-up."""
    day, last = bureau.today, line(bureau, "MP1", minor=7, balance_minor=FLOAT + 7)
    bureau.pass_days(1)
    await moved(office, "MP2")
    came = line(bureau, "MP2", balance_minor=FLOAT + 507)
    await bureau.take(came, operator="mtn_ug")
    report = await bureau.take(last, operator="mtn_ug", day=day)
    assert report.drift_minor == 7  # what nobody here knows of, and nothing else


async def reversed_(office: Office, row: str) -> str:
    """Asha and Babu undo what was booked; the id of that."""
    asked = await office.desk.propose(
        Kind.CORRECTION, {"payment": row, "version": 1}, by=ASHA, note="it was none"
    )
    await office.desk.approve(asked.id, by=BABU)
    return asked.id


async def test_a_movement_that_people_undid_is_somebodys_again(
    world: World, bureau: Bureau, office: Office
) -> None:
    """Else its line would stay explained by what the books no longer hold."""
    await moved(office, "MP1")
    await bureau.take_whole(line(bureau, "MP1"), operator="mtn_ug")
    top_up = (await world.pool.fetchval("select payment from journal where state = 101")).hex
    undone = await reversed_(office, top_up)
    for _ in range(3):
        await bureau.age()
        (case,) = await bureau.comparison.cases.all_open()
        assert "MP1" in case.detail and "people undid" in case.detail
        bureau.pass_days(1)
    assert await float_and_suspense(world) == (FLOAT, 0)  # people book it, nobody else
    await reversed_(office, undone)
    await bureau.age()
    assert await float_and_suspense(world) == (FLOAT + 500, 0)
    assert "MISSING_HERE" not in await bureau.cases()


async def test_what_people_undid_weeks_later_is_somebodys_too(
    world: World, bureau: Bureau, office: Office
) -> None:
    await moved(office, "MP1")
    await bureau.take_whole(line(bureau, "MP1"), operator="mtn_ug")
    top_up = (await world.pool.fetchval("select payment from journal where state = 101")).hex
    bureau.pass_days(25)
    await bureau.age()
    assert "MISSING_HERE" not in await bureau.cases()
    await reversed_(office, top_up)
    for _ in range(2):
        await bureau.age()
        (detail,) = [
            case.detail
            for case in await bureau.comparison.cases.all_open()
            if case.kind == "MISSING_HERE"
        ]
        assert "MP1" in detail and "people undid" in detail
    assert await float_and_suspense(world) == (FLOAT, 0)


async def test_what_people_undid_leaves_the_line_to_what_they_booked_instead(
    world: World, bureau: Bureau, office: Office
) -> None:
    await moved(office, "MP1")
    top_up = (await world.pool.fetchval("select payment from journal where state = 101")).hex
    await reversed_(office, top_up)
    await moved(office, "BANK-8")
    report = await bureau.take(line(bureau, "MP1", reference="BANK-8"), operator="mtn_ug")
    assert [j.kind for j in report.judged] == [Class.MOVED]
    assert await bureau.cases() == []


@pytest.mark.parametrize("minor", [102_000, 500])
async def test_a_movement_seen_under_a_payments_own_receipt_is_booked_twice_and_somebodys(
    world: World, bureau: Bureau, office: Office, minor: int
) -> None:
    _, collection, _ = await paid(world)
    await moved(office, "R1", operator="mpesa_ke", minor=minor)
    for _ in range(2):
        report = await bureau.take(bureau.line("R1", reference=collection))
        assert report.counts[Class.MATCHED] == 1
    (case,) = await bureau.comparison.cases.all_open()
    assert (case.kind, case.subject) == ("CONTRADICTION", (await _payment_of(world, collection)))
    assert "people booked a movement of ours under its name too" in case.detail
    await world.pool.execute("update case_file set closed_ms = 1, closed_by = 'asha', note = 'x'")
    top_up = (await world.pool.fetchval("select payment from journal where state = 101")).hex
    await reversed_(office, top_up)
    await bureau.age()
    assert await bureau.cases() == []


async def _payment_of(world: World, attempt: AttemptId) -> str:
    found = await world.store.attempt(attempt)
    assert found is not None
    return found.payment.payment_id


async def test_what_people_moved_days_ago_is_no_attempt_that_ended_since(
    bureau: Bureau, office: Office
) -> None:
    body = {"operator": "mtn_ug", "minor": 500}
    asked = await office.desk.propose(Kind.WITHDRAWAL, body, by=ASHA, note="because")
    await office.desk.approve(asked.id, by=BABU)
    bureau.pass_days(8)
    await office.desk.see(asked.id, "BANK-9", by=ASHA)
    gone = line(bureau, "MP3", side=Side.OUT, reference="BANK-9")
    report = await bureau.take(gone, operator="mtn_ug")
    assert [j.kind for j in report.judged] == [Class.MOVED]


async def refunded(world: World) -> tuple[PaymentId, Money]:
    """Collected, not paid out, and given back under the receipt B1; what went back."""
    payment_id, refund = await refund_unknown(world)
    told = Finding(Outcome.SUCCEEDED, "ok", receipt="B1")
    await world.tell(refund, told, Source.QUERY)
    await world.dispatched()
    payment = await world.payment(payment_id)
    assert payment.state is PaymentState.REFUNDED
    return payment_id, payment.amount_of(Direction.REFUND)


@pytest.mark.parametrize("is_named", ["at once", "later"])
async def test_what_came_back_of_a_refund_stays_in_suspense_until_people_have_paid_it(
    world: World, bureau: Bureau, office: Office, is_named: str
) -> None:
    """No payment takes it: out of SUSPENSE it would stand in no account, though we hold it."""
    payment_id, back = await refunded(world)
    before = await world.balance("FLOAT mpesa_ke", "KES")
    day = bureau.today
    unnamed = bureau.line("REV7", minor=back.minor)
    named = msgspec.structs.replace(unnamed, reference="B1")
    if is_named == "later":
        await bureau.take_whole(unnamed)
        bureau.pass_days(2)
        await bureau.age()
        assert await world.balance("SUSPENSE mpesa_ke", "KES") == back.minor
    else:
        bureau.pass_days(1)
        suspended = {"debit": "FLOAT:mpesa_ke:KES", "credit": "SUSPENSE:mpesa_ke:KES"}
        await agreed(office, Kind.ADJUSTMENT, **suspended, minor=back.minor)
    for _ in range(2):
        await bureau.take(named, day=day)
        await bureau.age()
        assert await world.balance("SUSPENSE mpesa_ke", "KES") == back.minor
        assert await world.balance("FLOAT mpesa_ke", "KES") == before + back.minor
    assert (await world.cases()).count("CONFLICT") == 1
    assert await world.state(payment_id) is PaymentState.REFUNDED
    # People pay it out of the operator's portal, and say so.
    paid_out = {"debit": "SUSPENSE:mpesa_ke:KES", "credit": "FLOAT:mpesa_ke:KES"}
    await agreed(office, Kind.ADJUSTMENT, **paid_out, minor=back.minor)
    await bureau.age()
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 0
    assert await world.balance("FLOAT mpesa_ke", "KES") == before
    assert (await office.auditor.audit()).findings == ()


async def agreed(office: Office, kind: Kind, **fields: Any) -> None:
    asked = await office.desk.propose(kind, fields, by=ASHA, note="because")
    done = await office.desk.approve(asked.id, by=BABU)
    assert done.state is State.DONE, done.outcome

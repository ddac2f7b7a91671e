"""What people moved themselves stands in the operator's statement too, and is not lost money."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels.office import Office, build_office
from engine.clock import AttemptId, Ids, PaymentId
from engine.desk.proposals import Kind, Person, State
from engine.money import Money
from engine.payments.evidence import Source
from engine.payments.lifecycle import State as PaymentState
from engine.payments.statements.lines import Line, Side
from engine.payments.statements.matching import Class
from engine.ports import Direction, Finding, Outcome
from tests.integration.books import assert_books
from tests.integration.test_statements import Bureau, bureau_of, paid, refund_unknown
from tests.integration.world import World, open_world
from tests.unit.payments.examples import MPESA, MTN

ASHA, BABU = Person("asha"), Person("babu")
FLOAT = 150_000_000


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with open_world(database_url) as opened:
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
        ids=Ids(world.clock),
    )  # fmt: skip


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
    (case,) = await bureau.comparison.store.cases()
    assert "people moved another amount" in case.detail

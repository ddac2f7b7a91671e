"""Balances that operators tell later, through the real door and on a real Postgres."""

from collections.abc import AsyncIterator

import httpx
import pytest

from channels.balances import BalanceAnswers
from channels.statements import assemble
from channels.webhooks import BODY_BYTES_MAX
from engine.clock import AttemptId, Clock, Ids
from engine.money import Money
from engine.payments.statements.balances import ANSWER_SECONDS_MAX, Balances
from engine.payments.statements.terms import Terms, TermsBook
from engine.ports import BALANCE_KIND, callback_at
from providers.mpesa import Mpesa
from tests.integration.test_webhooks import PlainOperator
from tests.integration.webhook_room import addresses_of, knocking, reception_of
from tests.integration.world import SUCCEEDED, World, open_world
from tests.providers.subjects import mpesa_settings
from tests.providers.test_balances import SAMPLE, result


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


@pytest.fixture
async def mpesa() -> AsyncIterator[Mpesa]:
    adapter = Mpesa(mpesa_settings("http://127.0.0.1:1"), clock=Clock())
    yield adapter
    await adapter.aclose()


@pytest.fixture
def balances(world: World, mpesa: Mpesa) -> Balances:
    return assemble(
        pool=world.pool,
        tenant=1,
        operators={"mpesa_ke": mpesa},
        terms=TermsBook(Terms(), {}),
        payments=world.payments,
        store=world.store,
        committer=world.committer,
        address=addresses_of({1: mpesa}).address,
        clock=world.clock,
        ids=Ids(world.clock),
    ).balances


@pytest.fixture
async def door(world: World, balances: Balances, mpesa: Mpesa) -> AsyncIterator[httpx.AsyncClient]:
    answers = BalanceAnswers(reception_of(world, {1: mpesa}), balances=balances)
    async with knocking(answers.routes()) as client:
        yield client


async def questions(world: World) -> list[str]:
    rows = await world.pool.fetch("select id from balance_question order by account")
    return [row["id"].hex for row in rows]


async def fates(world: World) -> list[tuple[str, int]]:
    """What became of each callback that was kept, and how it was answered."""
    rows = await world.pool.fetch("select outcome, status, asked from traffic order by outcome")
    assert not any("92649700" in row["asked"] for row in rows)
    return [(row["outcome"], row["status"]) for row in rows]


def place(mpesa: Mpesa, question: str) -> str:
    return callback_at(addresses_of({1: mpesa}).address(1, AttemptId(question)), BALANCE_KIND)


async def test_the_answers_of_both_shortcodes_make_one_comparison(
    world: World, balances: Balances, mpesa: Mpesa, door: httpx.AsyncClient
) -> None:
    assert await balances.look() == 1  # nobody is there: nothing can be asked now
    for question in await questions(world):
        for _ in range(2):
            assert (
                await door.post(place(mpesa, question), content=result(SAMPLE))
            ).status_code == 200
    row = await world.pool.fetchrow("select theirs_minor, drift_minor from balance_look")
    assert row["theirs_minor"] == 2 * 92_649_700
    assert row["drift_minor"] == 2 * 92_649_700 - 500_000_000
    assert await fates(world) == [("answered", 200)] * 4


async def test_answers_that_come_too_late_are_compared_with_no_books_of_today(
    world: World, balances: Balances
) -> None:
    """An operator that catches up tells two balances of an hour ago: all was right then."""
    for _ in range(2):
        await balances.look()
        world.clock.pass_(1)
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    world.clock.pass_(3600)
    half = Money(250_000_000, "KES")
    for question in await questions(world):
        assert await balances.hear(AttemptId(question), half)
    assert await world.cases() == []
    assert await world.pool.fetchval("select count(*) from balance_look") == 0
    told = "select count(*) from balance_question where minor = 250000000"
    assert await world.pool.fetchval(told) == 4


async def test_one_late_answer_makes_a_whole_look_late(world: World, balances: Balances) -> None:
    await balances.look()
    first, second = await questions(world)
    assert await balances.hear(first, Money(1, "KES"))
    world.clock.pass_(ANSWER_SECONDS_MAX)
    assert await balances.hear(second, Money(1, "KES"))
    assert await world.pool.fetchval("select count(*) from balance_look") == 1
    await balances.look()
    rows = await world.pool.fetch("select id from balance_question where told_ms is null")
    assert await balances.hear(rows[0]["id"].hex, Money(1, "KES"))
    world.clock.pass_(ANSWER_SECONDS_MAX + 1)
    assert await balances.hear(rows[1]["id"].hex, Money(1, "KES"))
    assert await world.pool.fetchval("select count(*) from balance_look") == 1


async def test_a_refused_question_tells_nothing(
    world: World,
    balances: Balances,
    mpesa: Mpesa,
    door: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await balances.look()
    for question in await questions(world):
        assert (await door.post(place(mpesa, question), content=result(None, code=2001))).is_success
        assert caplog.messages.pop() == "mpesa_ke did not tell its balance"
    assert await fates(world) == [("answered", 200)] * 2
    assert await world.pool.fetchval("select count(*) from balance_look") == 0


async def test_forged_unreadable_and_endless_answers_are_refused(
    world: World, balances: Balances, mpesa: Mpesa, door: httpx.AsyncClient
) -> None:
    await balances.look()
    (question, *_) = await questions(world)
    good, body = place(mpesa, question), result(SAMPLE)
    forged = good[:-1] + ("0" if good[-1] != "0" else "1")
    assert (await door.post(forged, content=body)).status_code == 404
    assert (await door.post(good.replace("/1.", "/2."), content=body)).status_code == 404
    assert (await door.post(good, content=b"{}")).status_code == 400
    assert (await door.post(good, content=b" " * (BODY_BYTES_MAX + 1))).status_code == 413
    never_asked = place(mpesa, "0193488c2d7a7c3e9f0112233445566a")
    assert (await door.post(never_asked, content=body)).status_code == 404
    kept = ["no such address"] * 2 + ["too large", "unknown attempt", "unreadable"]
    answered = [404, 404, 413, 404, 400]
    assert await fates(world) == list(zip(kept, answered, strict=True))
    told = "select count(*) from balance_question where told_ms is not null"
    assert await world.pool.fetchval(told) == 0


async def test_a_balance_that_nobody_asks_an_operator_for_is_refused(
    world: World, balances: Balances
) -> None:
    operator = PlainOperator(world.mpesa.facts)  # one whose balance is told at once, or never
    address = addresses_of({1: operator}).address(1, AttemptId("0193488c2d7a7c3e9f0112233445566a"))
    answers = BalanceAnswers(reception_of(world, {1: operator}), balances=balances)
    async with knocking(answers.routes()) as client:
        answer = await client.post(callback_at(address, BALANCE_KIND), content=result(SAMPLE))
    assert answer.status_code == 400
    assert await fates(world) == [("unreadable", 400)]

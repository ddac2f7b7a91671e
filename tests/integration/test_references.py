"""What an operator says under another reference speaks of something else, and moves nothing."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.stepping import Heard
from engine.ports import Accepted, Direction, Finding, Outcome
from tests.integration.books import assert_books
from tests.integration.world import FAILED, SUCCEEDED, World, open_world

pytestmark = pytest.mark.long("references of every operator, each on a database")

OURS = msgspec.structs.replace(SUCCEEDED, provider_reference="ws_CO_1")
THEIRS = msgspec.structs.replace(SUCCEEDED, provider_reference="ws_CO_2")


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        opened.mpesa.answers = [Accepted("ws_CO_1")]
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)


@pytest.mark.parametrize("source", [Source.CALLBACK, Source.QUERY, Source.ANSWER])
@pytest.mark.parametrize("outcome", [SUCCEEDED, FAILED])
async def test_another_reference_is_kept_and_is_a_case_and_moves_nothing(
    world: World, source: Source, outcome: Finding
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    strange = msgspec.structs.replace(outcome, provider_reference="ws_CO_2")
    assert await world.tell(attempt, strange, source) is Heard.CONFLICT
    assert await world.state(payment_id) is State.COLLECTING
    assert await world.cases() == ["CONFLICT"]
    kept = await world.pool.fetchval(
        "select count(*) from evidence where attempt = $1 and source = $2", attempt, source
    )
    assert kept == 1
    # And it is not adopted: the attempt's own word still counts.
    assert await world.tell(attempt, OURS, Source.QUERY) is Heard.ADVANCED
    assert await world.state(payment_id) is State.PAYING


async def test_without_a_known_reference_any_will_do(world: World) -> None:
    world.mpesa.answers = [Accepted()]
    payment_id = await world.confirm()
    await world.dispatched()
    assert await world.tell(await world.live(payment_id), THEIRS, Source.QUERY) is Heard.ADVANCED


async def test_a_repeat_that_got_a_reference_of_its_own_may_be_told_under_either(
    world: World,
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    await world.payments.record_accepted(await world.payment(payment_id), attempt, "ws_CO_2")
    assert await world.tell(attempt, THEIRS) is Heard.ADVANCED
    assert await world.store.provider_references(attempt) == {"ws_CO_1", "ws_CO_2"}


async def test_references_of_many_attempts_are_read_apart(world: World) -> None:
    world.mpesa.answers = [Accepted("one"), Accepted("two")]
    payment_ids = [await world.confirm() for _ in range(2)]
    await world.dispatched()
    told = [
        await world.store.provider_references(await world.live(payment_id))
        for payment_id in payment_ids
    ]
    assert sorted(map(sorted, told)) == [["one"], ["two"]]


async def test_what_was_asked_is_kept_with_the_reference_it_came_under(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    world.mpesa.findings = [Finding(Outcome.PENDING, "odd", provider_reference="ws_CO_9")]
    heard = await world.dispatcher.ask(await world.payment(payment_id), attempt, Direction.COLLECT)
    assert heard is Heard.CONFLICT
    body = await world.pool.fetchval(
        "select body from evidence where attempt = $1 and source = $2", attempt, Source.QUERY
    )
    assert '"reference":"ws_CO_9"' in body

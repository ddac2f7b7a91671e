"""How silent attempts are asked about: each operator its own way, and people called in time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from engine.clock import AttemptId, PaymentId, epoch_of
from engine.errors import OutcomeUnknown, Throttled, Unreachable
from engine.outbox import Outbox
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.payments.reconciliation import Reconciler
from engine.payments.schedule import Schedule, Timetables
from engine.payments.stepping import Heard
from engine.ports import Direction
from tests.integration.owner import Owner
from tests.integration.world import FAILED, PENDING, SUCCEEDED, EndedSweeps, World, open_world

HOUR = 3600
DAY = 24 * HOUR


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


def reconciler(world: World, schedule: Any, **more: Any) -> EndedSweeps:
    given: dict[str, Any] = {"ask": world.dispatcher.ask, **more}
    return EndedSweeps(
        Reconciler(
            store=world.store,
            outbox=Outbox(world.pool, world.clock, lease_seconds=60),
            payments=world.payments,
            clock=world.clock,
            schedule=schedule,
            **given,
        )
    )


async def silent(world: World) -> PaymentId:
    payment_id = await world.confirm()
    await world.dispatched()
    return payment_id


async def due_in(world: World, payment_id: PaymentId) -> int:
    due = await world.pool.fetchval("select due from payment where id = $1", payment_id)
    return int(due - world.clock.epoch())


async def test_each_operator_is_asked_by_its_own_schedule(world: World) -> None:
    schedules = Timetables(
        Schedule(looks=(30, 10_000), jitter=0),
        {"mpesa_ke": Schedule(looks=(100, 5_000), unclear_after=9_000, jitter=0)},
    )
    payment_id = await silent(world)
    world.clock.pass_(101)
    await reconciler(world, schedules).sweep()
    assert 4_895 <= await due_in(world, payment_id) <= 4_901


async def test_a_payout_is_asked_about_by_its_own_schedule(world: World) -> None:
    push, payout = (
        Schedule(looks=(100, look), unclear_after=9_000, jitter=0) for look in (900, 200)
    )
    schedules = Timetables(
        {Direction.COLLECT: push, Direction.DISBURSE: payout, Direction.REFUND: push}, {}
    )
    payment_id = await silent(world)
    world.clock.pass_(101)
    await reconciler(world, schedules).sweep()
    assert 798 <= await due_in(world, payment_id) <= 801
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    world.clock.pass_(101)
    await reconciler(world, schedules).sweep()
    assert await world.state(payment_id) is State.PAYING
    assert 98 <= await due_in(world, payment_id) <= 101


async def test_an_operator_that_asks_for_patience_is_not_asked_before_its_first_look(
    world: World,
) -> None:
    """The payment comes due by what is usual, half a minute to a minute after its prompt."""
    schedules = Timetables(Schedule(), {"mpesa_ke": Schedule(looks=(180, 300), jitter=0)})
    payment_id = await silent(world)
    for seconds, asked in ((61, 0), (118, 0), (3, 1)):
        world.clock.pass_(seconds)
        await reconciler(world, schedules).sweep()
        assert len(world.mpesa.questions) == asked, seconds
        if not asked:
            left = world.clock.epoch() - epoch_of(await world.live(payment_id))
            assert 179 <= left + await due_in(world, payment_id) <= 181


async def test_a_drawn_jitter_makes_the_next_look_late(world: World) -> None:
    schedule = Schedule(looks=(100, 5_100), unclear_after=9_000, jitter=0.5)
    payment_id = await silent(world)
    world.clock.pass_(101)
    await reconciler(world, schedule, draw=lambda: 1.0).sweep()
    assert 7_490 <= await due_in(world, payment_id) <= 7_500


async def test_never_more_questions_at_once_than_the_operator_bears(world: World) -> None:
    for _ in range(9):
        await silent(world)
    world.clock.pass_(61)
    asking, most, three = 0, 0, asyncio.Event()

    async def ask(*_: object) -> Heard:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        if asking == 3:
            three.set()
        async with asyncio.timeout(120):
            await three.wait()
        await asyncio.sleep(0.05)  # so long a fourth may come, if nothing keeps it
        asking -= 1
        return Heard.KEPT

    assert await reconciler(world, Schedule(asks_at_once=3), ask=ask).sweep() == 9
    assert most == 3


async def test_an_operator_that_answers_nothing_holds_up_its_own_alone(world: World) -> None:
    """It takes connections and is silent: until the read timeout, question after question."""
    world.policy.closed = {"mtn_ug"}
    queued, paying = await silent(world), await silent(world)
    await world.tell(await world.live(queued), SUCCEEDED)
    world.policy.closed = set()
    await world.tell(await world.live(paying), SUCCEEDED)
    await world.dispatched()
    for _ in range(3):
        await silent(world)
    world.clock.pass_(61)
    asked, may_answer = list[Direction](), asyncio.Event()

    async def ask(_: Payment, __: AttemptId, direction: Direction) -> Heard:
        asked.append(direction)
        if direction is Direction.COLLECT:
            await may_answer.wait()
        return Heard.KEPT

    also = world.rulings.looks_after(DAY)
    sweeps = reconciler(world, Schedule(asks_at_once=1), ask=ask, also=also).begun_by
    try:
        async with asyncio.timeout(120):
            for found in (5, 0):
                assert await sweeps.sweep() == found
        await world.dispatched()
        assert await world.state(queued) is State.PAYING  # left the queue
        assert sorted(asked) == [Direction.COLLECT, Direction.DISBURSE]
    finally:
        may_answer.set()
        await sweeps.stop()


async def test_what_moved_on_while_it_waited_for_its_turn_is_not_asked_about(world: World) -> None:
    first, second = await silent(world), await silent(world)
    world.clock.pass_(61)
    asked = list[PaymentId]()

    async def ask(payment: Payment, *_: object) -> Heard:
        asked.append(payment.payment_id)
        for payment_id in {first, second} - {payment.payment_id}:
            await world.tell(await world.live(payment_id), SUCCEEDED)
        return Heard.KEPT

    assert await reconciler(world, Schedule(asks_at_once=1), ask=ask).sweep() == 2
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (PENDING, "it answered, without an end"),
        (OutcomeUnknown("mpesa_ke", "silence"), "no answer: mpesa_ke: silence"),
        (Throttled("mpesa_ke", "too many"), "no answer: mpesa_ke: too many"),
    ],
)
async def test_what_stays_unknown_is_a_case_that_says_how_long_and_what_was_asked(
    world: World, answer: Any, said: str
) -> None:
    payment_id = await silent(world)
    attempt = await world.live(payment_id)
    schedule = Schedule(escalate_after=2 * HOUR, escalate_again=(3,))
    world.mpesa.findings = [answer] * 20
    for hours, cases in ((1.9, 0), (0.2, 1), (2, 1), (2, 2), (24, 2)):
        world.clock.pass_(hours * HOUR)
        await reconciler(world, schedule).sweep()
        assert (await world.cases()).count("UNRESOLVED") == cases, hours
    rows = await world.pool.fetch("select hash, detail from case_file order by opened_ms")
    assert rows[0]["hash"].hex == attempt
    assert rows[0]["detail"] == (
        "collect at mpesa_ke without proof for 2 h (COLLECT_UNKNOWN), promised was 2 h;"
        f" asked now: {said}"
    )
    assert "for 6 h" in rows[1]["detail"]
    assert await world.state(payment_id) is State.COLLECT_UNKNOWN


async def test_an_end_that_is_told_when_the_promised_time_is_over_calls_nobody(
    world: World,
) -> None:
    payment_id = await silent(world)
    world.mpesa.findings = [FAILED]
    world.clock.pass_(25 * HOUR)
    await reconciler(world, Schedule()).sweep()
    assert len(world.mpesa.questions) == 1
    assert (await world.state(payment_id), await world.cases()) == (State.COLLECT_FAILED, [])


async def test_a_refund_that_cannot_leave_is_a_case_like_one_that_stays_unknown(
    world: World,
) -> None:
    """Its operator takes no connection: it is tried on, and people hear of it by the promise."""
    payment_id = await silent(world)
    for finding in (SUCCEEDED, FAILED):
        world.mpesa.answers = [Unreachable("mpesa_ke", "refused")] * 100
        await world.tell(await world.live(payment_id), finding)
        await world.dispatched()
    attempt = await world.live(payment_id)
    schedule = Schedule(escalate_after=2 * HOUR, escalate_again=(3,))
    for hours, cases in ((1.9, 0), (0.2, 1), (2, 1), (2, 2), (24, 2)):
        world.clock.pass_(hours * HOUR)
        await world.dispatcher.sweep()
        await world.dispatched()
        await reconciler(world, schedule).sweep()
        assert await world.cases() == ["UNRESOLVED"] * cases, hours
    rows = await world.pool.fetch("select hash, detail from case_file order by opened_ms")
    assert rows[0]["hash"].hex == attempt
    assert rows[0]["detail"] == (
        "refund at mpesa_ke without proof for 2 h (REFUNDING), promised was 2 h;"
        " it has not left yet"
    )
    assert world.mpesa.questions == []
    world.mpesa.answers = []
    world.clock.pass_(11)
    await world.dispatcher.sweep()
    await world.dispatched()
    await world.tell(attempt, SUCCEEDED)
    assert await world.state(payment_id) is State.REFUNDED


async def test_a_payout_that_cannot_leave_has_an_end_of_its_own_and_calls_nobody(
    world: World,
) -> None:
    payment_id = await silent(world)
    world.mtn.answers = [Unreachable("mtn_ug", "refused")] * 100
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    world.clock.pass_(101)
    await reconciler(world, Schedule(escalate_after=100)).sweep()
    assert (await world.state(payment_id), await world.cases()) == (State.PAYING, [])


async def test_a_state_of_its_own_can_be_looked_after_and_any_other_calls_for_help(
    world: World,
) -> None:
    held, stuck = await silent(world), await silent(world)
    seen: list[str] = []

    async def look_after(payment: Payment) -> None:
        seen.append(payment.payment_id)
        await world.store.set_due(payment, int(world.clock.epoch()) + HOUR)

    await put_into(world, held, State.PAYOUT_QUEUED)
    await put_into(world, stuck, State.QUOTED)
    also: dict[State, Callable[[Payment], Awaitable[None]]] = {State.PAYOUT_QUEUED: look_after}
    assert await reconciler(world, Schedule(), also=also).sweep() == 2
    assert seen == [held]
    rows = await world.pool.fetch("select payment, kind from case_file")
    assert [(row["payment"].hex, row["kind"]) for row in rows] == [(stuck, "STUCK")]


async def test_a_payment_that_ends_between_its_lease_and_its_look_calls_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = await silent(world)
    lease_due = world.store.lease_due

    async def lease_and_lag(now: int, lease_seconds: int, most: int) -> list[PaymentId]:
        leased = await lease_due(now, lease_seconds, most)
        await world.tell(await world.live(payment_id), FAILED)
        return leased

    monkeypatch.setattr(world.store, "lease_due", lease_and_lag)
    world.clock.pass_(101)
    assert await reconciler(world, Schedule()).sweep() == 1
    assert (await world.state(payment_id), await world.cases()) == (State.COLLECT_FAILED, [])


async def put_into(world: World, payment_id: PaymentId, state: State) -> None:
    await Owner(world.pool).force(
        "update payment set state = $2, live = null, due = 1 where id = $1", payment_id, int(state)
    )

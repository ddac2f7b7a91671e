"""Who is called when nobody pays through it, and what that may change: on a real Postgres."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from channels.probing import build_light_probes
from engine.errors import OutcomeUnknown, Unreachable
from engine.payments.breaker import BreakerRules, Lane, Position
from engine.payments.health import Told
from engine.payments.health_store import HealthStore
from engine.ports import Direction
from engine.staff.light_probes import LightProbes
from tests.integration.staff_room import StaffRoom, open_staff_room

pytestmark = pytest.mark.long("each way of a probe; test_health.py keeps the breakers")

COLLECT, DISBURSE = Direction.COLLECT, Direction.DISBURSE
AWAY = Unreachable("mtn_ug", "nothing was sent", code="ConnectError")
QUIET, BETWEEN = 300, 120


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[StaffRoom]:
    async with open_staff_room(seeded_url) as opened:
        yield opened


@pytest.fixture
def probes(room: StaffRoom) -> LightProbes:
    return build_light_probes(room.engine)


async def calls(room: StaffRoom, probes: LightProbes, seconds: float) -> int:
    """How many operators are called after that time; then all processes agree."""
    room.world.clock.pass_(seconds)
    called = await probes.look()
    await room.engine.health.tend()
    return called


def position(room: StaffRoom) -> Position:
    return room.engine.health.vitals("mtn_ug", DISBURSE, 1).breaker


async def told(room: StaffRoom, what: Told, times: int = 1) -> None:
    for _ in range(times):
        room.engine.health.record("mtn_ug", DISBURSE, what, 1)
    await room.engine.health.tend()


# When.


async def test_only_who_was_quiet_for_long_is_called_and_at_a_pace(
    room: StaffRoom, probes: LightProbes
) -> None:
    assert await calls(room, probes, QUIET - 1) == 0
    assert await calls(room, probes, 1) == 1  # the one that tells what it holds
    assert await calls(room, probes, BETWEEN - 1) == 0
    assert await calls(room, probes, 1) == 1


async def test_traffic_is_all_that_is_needed(room: StaffRoom, probes: LightProbes) -> None:
    for _ in range(5):
        room.world.clock.pass_(QUIET / 2)
        await told(room, Told.SUCCEEDED)
        assert await probes.look() == 0


async def test_faults_of_the_probe_itself_are_no_traffic(
    room: StaffRoom, probes: LightProbes
) -> None:
    room.telling.error = AWAY
    assert await calls(room, probes, QUIET) == 1
    assert await HealthStore(room.world.pool, 1).last_heard() == {}
    assert await calls(room, probes, BETWEEN) == 1


async def test_whoever_is_left_alone_is_called_though_it_answered_a_moment_ago(
    room: StaffRoom, probes: LightProbes
) -> None:
    await told(room, Told.UNCLEAR, times=5)
    assert position(room) is Position.OPEN
    assert await calls(room, probes, 1) == 1


async def test_staff_who_called_a_moment_ago_are_call_enough(
    room: StaffRoom, probes: LightProbes
) -> None:
    room.world.clock.pass_(QUIET)
    await room.post("ada", "/test-call", {"operator": "mtn_ug"})
    assert await probes.look() == 0


async def test_a_pace_of_nothing_calls_nobody(room: StaffRoom) -> None:
    never = replace(room.engine.settings, probe_quiet_seconds=0)
    silent = build_light_probes(replace(room.engine, settings=never))
    assert await calls(room, silent, 10 * QUIET) == 0


# What of it.


async def test_an_operator_that_is_away_is_left_alone_before_a_customer_finds_out(
    room: StaffRoom, probes: LightProbes
) -> None:
    room.telling.error = AWAY
    assert await calls(room, probes, QUIET) == 1
    assert position(room) is Position.CLOSED  # once is not enough
    for _ in range(BreakerRules().streak_points):
        await calls(room, probes, BETWEEN)
    assert room.engine.health.alarms().keys() == {
        Lane("mtn_ug", COLLECT), Lane("mtn_ug", DISBURSE),
    }  # fmt: skip


async def test_an_answer_closes_nothing_however_often_it_comes(
    room: StaffRoom, probes: LightProbes
) -> None:
    await told(room, Told.UNCLEAR, times=5)
    for _ in range(5):
        assert await calls(room, probes, BETWEEN) == 1
    assert position(room) is Position.HALF_OPEN  # the pause is over; payments must show the rest
    await told(room, Told.SUCCEEDED)
    assert position(room) is Position.CLOSED


async def test_an_answer_is_no_success_of_a_payment(room: StaffRoom, probes: LightProbes) -> None:
    before = room.engine.health.vitals("mtn_ug", DISBURSE, 1).belief
    for _ in range(5):
        await calls(room, probes, QUIET)
    assert room.engine.health.vitals("mtn_ug", DISBURSE, 1).belief == before
    assert await room.world.pool.fetchval("select count(*) from operator_minute") == 0


async def test_after_the_pause_a_probe_that_finds_nobody_spares_a_customer(
    room: StaffRoom, probes: LightProbes
) -> None:
    await told(room, Told.UNCLEAR, times=5)
    room.telling.error = AWAY
    room.world.clock.pass_(BreakerRules().pause_seconds_first)
    await room.engine.health.tend()
    assert position(room) is Position.HALF_OPEN
    await calls(room, probes, 1)
    assert position(room) is Position.OPEN


async def test_trouble_of_the_balance_alone_says_nothing(
    room: StaffRoom, probes: LightProbes
) -> None:
    room.telling.error = OutcomeUnknown("mtn_ug", "silence", code="504")
    for _ in range(10):
        assert await calls(room, probes, QUIET) == 1
    assert room.engine.health.alarms() == {}


async def test_what_came_of_it_is_shown_to_staff(room: StaffRoom, probes: LightProbes) -> None:
    await calls(room, probes, QUIET)
    shown = (await room.get("sam", "/health")).json()
    last = next(o["last_probe"] for o in shown["operators"] if o["operator"] == "mtn_ug")
    assert (last["call"], last["outcome"]) == ("balance", "answered")

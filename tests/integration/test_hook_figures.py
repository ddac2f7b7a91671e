"""How webhooks are watched: gauges and a line of the doctor, over who hears and who does not."""

from collections.abc import AsyncIterator, Mapping

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from channels.commands.doctor import _told_of_hooks, checks_of
from channels.watching import hook_figures
from channels.watching.figures import FRESH_SECONDS, Figures
from channels.watching.hook_figures import HookRead, read_hooks
from channels.watching.metrics import Metrics
from channels.watching.samples import Figure
from engine.hooks.schedule import HookTry
from tests.integration.hooks_room import KEYS, HookHall, open_hook_hall
from tests.integration.world import settings_for

pytestmark = pytest.mark.long("each figure by itself")

OURS = {"CAPP_WEBHOOK_KEYS": f"1:{KEYS[1].hex()}"}


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[HookHall]:
    async with open_hook_hall(shared_database_url) as opened:
        yield opened


async def gauges(hall: HookHall) -> Mapping[tuple[str, ...], float]:
    """What `/metrics` tells of webhooks, by name and labels."""
    hall.world.clock.pass_(FRESH_SECONDS)
    figures = Figures(hall.world.pool, 1, {}, hall.world.clock)
    await figures.refresh()
    metrics = Metrics()
    metrics.registry.register(figures)
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
        for sample in family.samples
        if sample.name.startswith("capp_hook") and not sample.name.startswith("capp_hook_tries")
    }


async def test_where_nobody_listens_nothing_waits_and_nothing_is_late(hall: HookHall) -> None:
    await hall.paid()
    assert await gauges(hall) == {
        ("capp_hook_oldest_seconds",): 0,
        ("capp_hook_unread_seconds",): 0,
    }


async def test_what_is_not_heard_is_told_by_the_state_of_who_should_hear_it(
    hall: HookHall,
) -> None:
    paused = await hall.subscribe()
    await hall.hooks.pause(paused)
    await hall.subscribe()
    await hall.paid()
    hall.receiver.faults.append("error_500")
    await hall.told(seconds=1)
    found = await gauges(hall)
    assert found["capp_hook_subscriptions", "active", "failing"] == 1
    assert found["capp_hook_subscriptions", "paused", "asked"] == 1
    assert found["capp_hook_deliveries_waiting", "active"] == 3
    assert found["capp_hook_deliveries_waiting", "paused"] == 3
    assert 5 <= found["capp_hook_oldest_seconds",] < 60
    assert hall.tries == [HookTry.AGAIN]

    await hall.told(seconds=60)
    found = await gauges(hall)
    assert found["capp_hook_subscriptions", "active", ""] == 1
    assert found["capp_hook_deliveries_waiting", "active"] == 0
    assert found["capp_hook_oldest_seconds",] == 0, "what waits for a paused one is not late"
    assert hall.tries == [HookTry.AGAIN, *[HookTry.DELIVERED] * 3]


async def test_a_journal_that_nobody_reads_is_seen(hall: HookHall) -> None:
    await hall.subscribe()
    await hall.journal.sweep()
    assert (await gauges(hall))["capp_hook_unread_seconds",] < 60
    hall.world.clock.pass_(3600)
    assert (await gauges(hall))["capp_hook_unread_seconds",] >= 3600


async def test_what_is_given_up_is_counted_as_that(hall: HookHall) -> None:
    await hall.subscribe()
    await hall.begun()
    hall.receiver.faults += ["error_500"] * 40
    for _ in range(30):
        await hall.told(seconds=3600)
    assert hall.tries[-1] is HookTry.PARKED
    assert set(hall.tries[:-1]) == {HookTry.AGAIN}


async def test_tries_are_counted_from_the_start_by_what_came_of_them() -> None:
    metrics = Metrics()
    metrics.hook_try(HookTry.AGAIN)
    told = generate_latest(metrics.registry).decode()
    for outcome, many in {"delivered": 0, "again": 1, "parked": 0}.items():
        assert f'capp_hook_tries_total{{outcome="{outcome}"}} {many}.0' in told


async def test_a_look_at_much_that_waits_is_bounded(
    hall: HookHall, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hall.subscribe()
    await hall.paid()
    await hall.journal.sweep()
    monkeypatch.setattr(hook_figures, "COUNTED_MAX", 2)
    async with hall.world.pool.acquire() as connection:
        read = await read_hooks(connection, 1, hall.world.clock.epoch())
    assert read.waiting == (Figure(("active",), 2),)


async def test_another_tenants_webhooks_are_not_counted(hall: HookHall) -> None:
    await hall.subscribe()
    async with hall.owner.acquire() as connection:  # whom no rule of the database holds
        assert await read_hooks(connection, 2, hall.world.clock.epoch()) == HookRead()
        assert (await read_hooks(connection, 1, hall.world.clock.epoch())).many == 1


async def test_the_doctor_tells_of_webhooks_and_finds_a_key_that_is_missing(
    hall: HookHall, shared_database_url: str
) -> None:
    async def told(**environment: str) -> str:
        settings = settings_for(shared_database_url, **environment)
        return await checks_of(settings)["webhooks"](settings)

    assert await told() == "no CAPP_WEBHOOK_KEYS, so no business is told of its payments"
    assert await told(**OURS) == "nobody has subscribed"
    await hall.hooks.pause(await hall.subscribe())
    assert (await told(**OURS)).startswith("1 subscriptions; 1 paused asked")
    with pytest.raises(ValueError, match="CAPP_WEBHOOK_KEYS lacks 1: secrets"):
        await told(CAPP_WEBHOOK_KEYS=f"2:{bytes(range(1, 33)).hex()}")


def test_the_doctors_line_says_what_waits_and_when_nobody_looks() -> None:
    well = HookRead(subscriptions=(Figure(("active", ""), 2),), waiting=(Figure(("active",), 0),))
    assert _told_of_hooks(well) == "2 subscriptions"
    ill = HookRead(
        (Figure(("active", "failing"), 1), Figure(("paused", "gone"), 1)),
        (Figure(("active",), 7), Figure(("paused",), 9)), 90.4, 600.0,
    )  # fmt: skip
    assert _told_of_hooks(ill) == (
        "2 subscriptions; 1 active failing; 1 paused gone; 7 events wait for active ones;"
        " 9 events wait for paused ones; the oldest for 90 s;"
        " no worker has looked for events for 600 s"
    )

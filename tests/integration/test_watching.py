"""Gauges and health on a real engine, behind the token."""

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from channels.commands.database_checks import check_database
from channels.watching.dependencies import dependencies_of
from channels.watching.exposition import listening, metrics_route
from channels.watching.figures import FRESH_SECONDS, Figures
from channels.watching.health import Dependency, Standing, health_routes
from channels.watching.metrics import Metrics
from channels.wiring import Engine, open_engine
from engine.clock import Clock
from engine.database import Pool, connect, open_pool
from tests.integration.owner import Owner
from tests.integration.test_sealing import OUTSIDE
from tests.integration.world import World, open_world, settings_for

TOKEN = "m" * 32


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


def figures_of(world: World) -> Figures:
    codes = {facts.code: facts.name for facts in world.directory.by_code.values()}
    return Figures(world.pool, 1, codes, world.clock)


async def read(figures: Figures) -> dict[tuple[str, ...], float]:
    await figures.refresh()
    metrics = Metrics()
    metrics.registry.register(figures)
    text = generate_latest(metrics.registry).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(("capp_account", "capp_payments", "capp_outbox", "capp_data"))
    }


async def test_gauges_follow_a_payment_and_are_read_at_most_so_often(world: World) -> None:
    world.dispatching = False  # what is still to be done stays so
    figures = figures_of(world)
    before = await read(figures)
    assert before["capp_database_up",] == 1
    assert before["capp_outbox_intents",] == 0
    await world.confirm()
    assert await read(figures) == before  # fresh enough
    world.clock.pass_(FRESH_SECONDS)
    after = await read(figures)
    held = ("capp_account_minor", "UGX", "POOL_HELD", "")
    assert after[held] > before.get(held, 0)
    assert after["capp_payments_live", "collecting"] == 1
    assert after["capp_outbox_intents",] == 1
    world.clock.pass_(3600)
    assert (await read(figures))["capp_outbox_oldest_seconds",] >= 3590
    world.clock.pass_(-3590)  # set back: the figures of before are no newer for that
    assert (await read(figures))["capp_outbox_oldest_seconds",] < 3590


async def test_what_a_newer_version_wrote_takes_no_gauge_away(world: World) -> None:
    world.dispatching = False
    owner, newer = Owner(world.pool), await world.confirm()
    await world.confirm()
    strange = (1 << 10 | 1023) << 32 | 255 << 24
    await owner.force("update payment set state = 99 where id = $1", newer)
    await owner.execute("insert into balance (id, guarded) values ($1, false)", strange)
    figures = await read(figures_of(world))
    assert figures["capp_payments_live", "state_99"] == 1
    assert figures["capp_payments_live", "collecting"] == 1
    assert figures["capp_account_minor", "UGX", "POOL_HELD", ""] > 0


async def test_while_postgres_is_away_the_rest_is_told(world: World) -> None:
    figures = figures_of(world)
    await world.pool.close()
    assert await read(figures) == {("capp_database_up",): 0}


async def test_counts_want_the_token(world: World) -> None:
    route = metrics_route(Metrics(), figures_of(world), TOKEN)
    transport = httpx.ASGITransport(Starlette(routes=[route]))
    async with httpx.AsyncClient(transport=transport, base_url="http://capp.test") as client:
        for headers in ({}, {"authorization": "Bearer " + "n" * 32}, {"authorization": TOKEN}):
            assert (await client.get("/metrics", headers=headers)).status_code == 403
        answer = await client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert 'capp_account_minor{currency="KES",kind="FLOAT",operator="mpesa_ke"}' in answer.text


async def test_the_workers_door_is_there_as_long_as_its_block() -> None:
    async def ask() -> Standing:
        return Standing("ok")

    routes = health_routes({"postgres": Dependency(ask, is_needed=True)})
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as client:
        async with listening(routes, 0) as port:
            url = f"http://127.0.0.1:{port}/health/ready"
            answer = await client.get(url)
            assert answer.status_code == 200
            assert json.loads(answer.content)["state"] == "ready"
            with pytest.raises(OSError, match="in use"):
                async with listening(routes, port):
                    pass
        with pytest.raises(httpx.TransportError):
            await client.get(url)


async def test_a_postgres_that_takes_no_writes_is_away(database_url: str) -> None:
    """Prices could be made and no callback stored: whoever asks must go elsewhere, and be told."""
    pool = await open_pool(f"{database_url}?default_transaction_read_only=on", size=1)
    told = await standing_of(pool)
    assert (told.word, told.detail[:19]) == ("away", "it takes no writes:")


async def test_a_postgres_that_stores_no_payments_is_told(database_url: str) -> None:
    """Its disk is full, say: what is only read still works, so nobody is sent elsewhere."""
    pool = await open_pool(database_url, size=1)
    assert await standing_of(pool) == Standing("stale", "payments wait: no space left")


async def test_a_process_whose_clock_is_ahead_says_so_from_its_start_on(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Rulings wait ten minutes, by the clock of whoever writes them down."""
    await put_back_clock_of(database_url, seconds=600)
    settings = settings_for(database_url, **OUTSIDE)
    async with open_engine(settings) as engine:
        assert "600 s ahead of that of Postgres" in caplog.text
        ahead = engine.watch.metrics.registry.get_sample_value("capp_clock_ahead_seconds")
        assert ahead is not None and round(ahead, -1) == 600
        told = await dependencies_of(engine, engine.pool.close)["clock"].ask()
        assert (told.word, "ahead of" in told.detail) == ("stale", True)
    with pytest.raises(ValueError, match="600 s ahead"):
        await check_database(settings)


async def test_a_process_whose_clock_is_right_says_nothing(world: World) -> None:
    engine = cast(Engine, SimpleNamespace(pool=world.pool, clock=Clock()))
    told = await dependencies_of(engine, world.pool.close)["clock"].ask()
    assert told == Standing("ok")


async def put_back_clock_of(url: str, *, seconds: int) -> None:
    """From the next connection on."""
    connection = await connect(url)
    await connection.execute(
        "create function clock_timestamp() returns timestamptz language sql volatile as"
        f" $$ select pg_catalog.clock_timestamp() - make_interval(secs => {seconds}) $$"
    )
    name = await connection.fetchval("select current_database()")
    await connection.execute(f'alter database "{name}" set search_path = public, pg_catalog')
    await connection.close()


async def standing_of(pool: Pool) -> Standing:
    committer = SimpleNamespace(trouble=lambda: "no space left")
    engine = cast(Engine, SimpleNamespace(pool=pool, committer=committer))
    standing = await dependencies_of(engine, pool.close)["postgres"].ask()
    await pool.close()
    return standing

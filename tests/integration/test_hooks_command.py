"""`capp hooks` at the terminal, and a worker that tells a business over HTTP."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from channels.commands.hooks import add_arguments, run_hooks
from channels.settings import BadSettings, Settings
from channels.worker import run_worker
from engine.clock import Clock
from engine.errors import NoSuchHook, StaffMistake
from simulator.receiver import Receiver, receiver_app
from simulator.serving import serving
from tests.integration.test_sealing import OUTSIDE
from tests.integration.world import SUCCEEDED, World, open_world, settings_for

pytestmark = pytest.mark.long("commands at each of their turns")

KEY, NEXT_KEY = bytes(range(32)).hex(), bytes(range(1, 33)).hex()


def settings(database_url: str, keys: str = f"1:{KEY}") -> Settings:
    return settings_for(database_url, **OUTSIDE, CAPP_WEBHOOK_KEYS=keys, CAPP_WEBHOOK_LOCAL="1")


async def capp_hooks(given: Settings, *words: str) -> list[str]:
    """What the command says."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    said: list[str] = []
    assert await run_hooks(given, parser.parse_args(words), said.append)
    return said


@asynccontextmanager
async def working(given: Settings) -> AsyncIterator[None]:
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(given, stop))
    try:
        yield
    finally:
        stop.set()
        await worker


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


async def paid(world: World) -> str:
    behind = Clock().epoch() - world.clock.epoch()
    world.clock.pass_(max(behind, 0) + 1)  # the terminal's clock goes on while this one stands
    payment_id = await world.confirm()
    await world.dispatched()
    for _ in range(2):
        await world.tell(await world.live(payment_id), SUCCEEDED)
        await world.dispatched()
    return payment_id


async def heard(receiver: Receiver, count: int) -> None:
    for _ in range(600):
        if len(receiver.heard) >= count:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"{len(receiver.heard)} of {count} were heard")


async def test_a_subscription_from_the_terminal_is_told_by_the_worker(
    world: World, database_url: str
) -> None:
    given = settings(database_url)
    receiver = Receiver()
    async with serving({"business": (receiver_app(receiver), 0)}) as urls:
        url = f"{urls['business']}/hook"
        line, secret = await capp_hooks(given, "add", url, "--events", "payment.paid")
        hook = line.split()[0]
        receiver.secrets.append(secret)
        payment_id = await paid(world)
        async with working(given):
            await heard(receiver, 1)
            (listed,) = await capp_hooks(given, "list")
            assert listed == f"{hook}  {url}  payment.paid  active"
            (delivery,) = await capp_hooks(given, "deliveries", hook)
            event = receiver.heard[0].id
            assert delivery.startswith(f"{event}  payment.paid  {payment_id}  delivered  1 tried")
            (tried,) = await capp_hooks(given, "deliveries", hook, "--event", event)
            assert tried.startswith("1. ")
            assert "  204  " in tried
            (resent,) = await capp_hooks(given, "resend", hook, event)
            assert "waiting" in resent
            await heard(receiver, 2)
            assert [h.id for h in receiver.heard] == [event, event]
            _, fresh = await capp_hooks(given, "rotate", hook, "--overlap-hours", "0")
            receiver.secrets = [fresh]
            await capp_hooks(given, "resend", hook, event)
            await heard(receiver, 3)
    assert receiver.refused == []


async def test_commands_pause_resume_and_remove_and_the_log_says_who_did(
    world: World, database_url: str
) -> None:
    given = settings(database_url)
    hook = (await capp_hooks(given, "add", "https://shop.example/hook"))[0].split()[0]
    assert (await capp_hooks(given, "pause", hook))[0].endswith("all events  paused asked")
    assert (await capp_hooks(given, "resume", hook))[0].endswith("all events  active")
    assert await capp_hooks(given, "remove", hook) == [f"{hook} is removed"]
    assert await capp_hooks(given, "list") == []
    with pytest.raises(NoSuchHook):
        await capp_hooks(given, "pause", hook)
    rows = await world.pool.fetch(
        "select who, what, subject, outcome from staff_action order by id"
    )
    assert [(r["what"], r["outcome"]) for r in rows] == [
        ("add_hook", "ok"), ("pause_hook", "ok"), ("resume_hook", "ok"), ("remove_hook", "ok"),
        ("pause_hook", "refused"),
    ]  # fmt: skip
    assert {r["subject"] for r in rows} == {hook}
    assert all(r["who"].startswith("terminal:") for r in rows)


async def test_secrets_move_to_a_new_key_and_the_old_one_may_go(database_url: str) -> None:
    await capp_hooks(settings(database_url), "add", "https://shop.example/hook")
    both = settings(database_url, f"1:{KEY},2:{NEXT_KEY}")
    assert (await capp_hooks(both, "reseal"))[0].startswith("1 secrets")
    only_new = settings(database_url, f"2:{NEXT_KEY}")
    (line,) = await capp_hooks(only_new, "list")
    _, secret = await capp_hooks(only_new, "rotate", line.split()[0])
    assert secret.startswith("whsec_")


@pytest.mark.parametrize(
    "words",
    [
        ("add", "http://shop.example/"),
        ("add", "https://10.0.0.1/"),
        ("add", "https://shop.example/", "--events", "payment.paid,payment.lost"),
        ("pause", "mine"),
        ("resend", "a" * 32),
        ("resend", "a" * 32, "--parked-since", "yesterday"),
        ("deliveries", "a" * 32, "--event", "x"),
    ],
)
async def test_what_makes_no_sense_is_refused(database_url: str, words: tuple[str, ...]) -> None:
    with pytest.raises(StaffMistake):
        await capp_hooks(settings(database_url), *words)


async def test_without_a_key_there_are_no_subscriptions(database_url: str) -> None:
    with pytest.raises(BadSettings, match="CAPP_WEBHOOK_KEYS"):
        await capp_hooks(settings_for(database_url, **OUTSIDE), "list")

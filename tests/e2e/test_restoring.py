"""A database is restored beneath running processes, and nobody says so: nobody is paid again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

from simulator.stack import Stack
from tests.e2e.city import open_city
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, start_stack

DATABASE = "restoring"
ENVIRONMENT = {
    "CAPP_COLLECT_DELAY_SECONDS": "0",
    "CAPP_FIRST_LOOK_SECONDS": "2",
    "CAPP_LEASE_SECONDS": "3",
}


@pytest.fixture
def restoring(e2e_folder: Path, databases: Databases, typed: Typed) -> Iterator[Stack]:
    """A stack of its own: what the others did is not to be lost."""
    with start_stack(
        e2e_folder / DATABASE,
        databases,
        database=DATABASE,
        redis_number=6,
        environment=ENVIRONMENT,
        approval="ask",
        operators=("mpesa_ke", "mtn_ug"),
    ) as started:
        typed.watch(started)
        yield started


async def test_who_was_paid_in_what_a_restore_lost_is_not_paid_again(
    restoring: Stack, databases: Databases, typed: Typed, random: Random, e2e_folder: Path
) -> None:
    async with open_city(restoring, typed, random) as city:
        payer, payee = city.newcomer("KE"), city.newcomer("UG")
        code = await city.pay(payer, payee, 700)
        await city.prompt(payer)
        await city.named(await city.reaches(payer, "COLLECTING"))  # else nobody could ask about it
        dump = e2e_folder / "before.dump"
        await asyncio.to_thread(databases.dump, DATABASE, dump)
        await city.approve(payer)
        paid = await city.ends(payer, "PAID")
        (movement,) = await city.movements(payee)
        await asyncio.to_thread(databases.restore, DATABASE, dump)

        async def have_ended() -> bool | None:
            try:
                await city.client.get(f"{restoring.places.server}/health")
            except httpx.HTTPError:
                return None if restoring.worker.is_alive else True
            return None

        await city.until(have_ended, "a process serves a database that is not its own")
        for child in (restoring.web, restoring.worker):
            assert "the database is another one" in child.log.read_text()
        await asyncio.to_thread(restoring.restart_web)
        await asyncio.to_thread(restoring.restart_worker)

        held = await city.reaches(payer, "ON_HOLD", "PAYING", "PAID")
        assert (held.payment_id, held.state) == (paid.payment_id, "ON_HOLD")
        kinds = [row["kind"] for row in await city.rows("select kind from case_file order by 1")]
        assert kinds == ["ON_HOLD", "RESTORED"]
        told = await asyncio.to_thread(restoring.command, "doctor")
        assert "1 payments of before" in told.stdout, told.stdout
        seen = ("PAYOUT_SEEN", f"payment={code}", "reference=in their portal")
        await _agree(restoring, *seen)
        await city.reaches(payer, "PAID")
        assert await city.movements(payee) == [movement]
        await city.assert_books()


async def _agree(stack: Stack, *what: str) -> None:
    """Two people at the terminal."""
    command = ("propose", *what, "--why", "looked there", "--as", "amina")
    asked = await asyncio.to_thread(stack.command, *command)
    assert asked.returncode == 0, asked.stdout + asked.stderr
    proposal = asked.stdout.split()[0]
    agreed = await asyncio.to_thread(stack.command, "approve", proposal, "--as", "brian")
    assert agreed.returncode == 0, agreed.stdout + agreed.stderr

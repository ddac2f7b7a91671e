"""Between the PIN and the operator's prompt lie some seconds: time enough to cancel."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio

from simulator.stack import Stack
from tests.e2e.city import City, open_city
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, start_stack
from tests.e2e.test_sms import Phone, registered
from tests.e2e.test_transcripts import FOLDER, play

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.long("a stack of its own that takes its time"),
]

# Nobody is ever asked: as long as no busy machine takes to dial and to cancel.
ENVIRONMENT = {"CAPP_COLLECT_DELAY_SECONDS": "600"}


@pytest.fixture(scope="module")
def patient(e2e_folder: Path, databases: Databases, typed: Typed) -> Iterator[Stack]:
    """A stack of its own, because everybody else's payments are in a hurry."""
    with start_stack(
        e2e_folder / "patient",
        databases,
        database="patient",
        redis_number=3,
        environment=ENVIRONMENT,
        approval="ask",
        operators=("mpesa_ke", "mtn_ug"),
    ) as started:
        typed.watch(started)
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(patient: Stack, typed: Typed, random: Random) -> AsyncIterator[City]:
    async with open_city(patient, typed, random) as opened:
        yield opened


async def test_a_payment_is_cancelled_before_the_operator_hears_of_it(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    code = await city.pay(payer, payee, 500)
    session = await city.dial(payer)
    cancelled = await city.type(session, "3", "1", "2", "1")
    assert cancelled.text.startswith(f"{code} is cancelled.")
    await city.ends(payer, "CANCELLED")
    await city.told(payer, f"{code} Cancelled. Nothing was charged.")
    assert await city.movements(payer) == []
    await city.assert_books()


async def test_a_payment_is_cancelled_by_sms_and_told_once(city: City) -> None:
    payer, payee = await registered(city), city.newcomer("UG")
    phone = Phone(city, payer)
    assert "Reply YES" in await phone.write(f"SEND 500 {payee.msisdn}")
    started = await phone.write("YES")
    code = started.partition(" ")[0]
    assert await phone.write("NO") == f"{code} Cancelled. Nothing was charged."
    await city.ends(payer, "CANCELLED")
    assert await phone.write("NO!") == f"{code} Cancelled. Nothing was charged."
    await city.told(payer, "Reply YES", f"{code} started", *[f"{code} Cancelled."] * 2)
    assert await city.movements(payer) == []


@pytest.mark.parametrize("name", ["cancel_in_english", "cancel_in_swahili"])
async def test_the_dialogue_goes_as_it_is_written(name: str, city: City) -> None:
    await play(FOLDER / f"{name}.txt", city)

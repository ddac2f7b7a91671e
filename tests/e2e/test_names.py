"""Names that operators tell, through both processes: of a client's payee, and of who dials."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import httpx
import pytest
import pytest_asyncio

from simulator.stack import Stack
from tests.e2e.city import City, Person, open_city
from tests.e2e.conftest import ENVIRONMENT
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, start_stack
from tests.e2e.test_clients import key_of
from tests.unit.compliance.lists_of_nobody import SDN

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.long("a stack of its own, whose lists are loaded"),
]
LISTED = "Mohamed Kasem Al-Zubaidi"


async def staff(stack: Stack, *arguments: str) -> str:
    done = await asyncio.to_thread(stack.command, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def screened(e2e_folder: Path, databases: Databases, typed: Typed) -> Iterator[Stack]:
    """A stack of its own, because everybody else's payments are compared with no list."""
    with start_stack(
        e2e_folder / "screened", databases, database="screened", redis_number=7,
        environment=ENVIRONMENT, operators=("mpesa_ke", "mtn_ug"),
    ) as started:  # fmt: skip
        typed.watch(started)
        loaded = started.command("lists", "load", str(SDN), "--kind", "ofac_sdn")
        assert loaded.returncode == 0, loaded.stderr
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(screened: Stack, typed: Typed, random: Random) -> AsyncIterator[City]:
    async with open_city(screened, typed, random) as opened:
        await opened.until(lambda: in_force(screened), "lists in force in both processes")
        yield opened


async def in_force(stack: Stack) -> bool | None:
    """Whether server and worker have both taken the list over."""
    logs = [path.read_text() for path in (stack.folder / "logs").glob("*.log")]
    return sum("lists in force: {'ofac_sdn'" in log for log in logs) >= 2 or None


class Shop:
    """A business that asks a payer for payments, over the API."""

    def __init__(self, city: City, payer: Person) -> None:
        self.city, self.payer = city, payer
        self.headers = {"authorization": f"Bearer {key_of(city, 'shop', 'payments:write')}"}

    async def ask(self, payee: Person, key: str, **more: str) -> str:
        """The payment's code, as it was taken on."""
        body = {
            "payer": self.payer.msisdn, "payee": payee.msisdn,
            "amount": {"minor": 50_000, "currency": "KES"}, **more,
        }  # fmt: skip
        sent: httpx.Response = await self.city.client.post(
            f"{self.city.places.server}/api/v1/payments/send", json=body,
            headers={**self.headers, "idempotency-key": key},
        )  # fmt: skip
        assert sent.status_code == 201, sent.text
        code: str = sent.json()["code"]
        return code


@pytest_asyncio.fixture(loop_scope="module")
async def shop(city: City) -> Shop:
    payer = city.newcomer("KE")
    await city.register(payer)
    return Shop(city, payer)


async def test_a_clients_payee_waits_for_people_by_the_name_that_their_operator_tells(
    city: City, screened: Stack, shop: Shop
) -> None:
    payee = city.newcomer("UG")
    await city.admin.rename(payee.msisdn, LISTED)
    code = await shop.ask(payee, "names-e2e-1")
    await city.reaches(shop.payer, "ON_HOLD")
    assert not await city.movements(payee)
    told = await staff(screened, "decisions", "--payment", code)
    assert "as its operator names the wallet" in told
    assert f"payee is named {LISTED} by the wallet's operator" in told
    proposed = await staff(
        screened, "propose", "RELEASE_HOLD", f"payment={code}", "--why", "papers seen",
        "--as", "amina",
    )  # fmt: skip
    await staff(screened, "approve", proposed.split()[0], "--as", "brian")
    await city.ends(shop.payer, "PAID")
    await city.told(payee, f"{code} Confirmed. You have received")


async def test_a_clients_payee_whom_nobody_lists_is_paid(city: City, shop: Shop) -> None:
    payee = city.newcomer("UG")
    await shop.ask(payee, "names-e2e-2", payee_name="Sarah Nakato")
    await city.ends(shop.payer, "PAID")


async def test_an_operator_that_is_silent_about_names_delays_nobody_for_long(
    city: City, shop: Shop
) -> None:
    payee = city.newcomer("UG")
    await city.arm(payee, "query", "hang_before", seconds=20.0)
    await shop.ask(payee, "names-e2e-3")
    await city.ends(shop.payer, "PAID")
    assert not await city.is_armed(payee)


async def test_who_dials_waits_for_people_by_the_name_that_their_own_operator_tells(
    city: City, screened: Stack
) -> None:
    payer, payee = city.newcomer("UG"), city.newcomer("KE")
    await city.admin.rename(payer.msisdn, LISTED)
    code = await city.pay(payer, payee, 20_000)
    await city.reaches(payer, "ON_HOLD")
    assert not await city.movements(payee)
    told = await staff(screened, "decisions", "--payment", code)
    assert f"payer is named {LISTED} by the wallet's operator" in told

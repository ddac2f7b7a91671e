"""Two tenants in one web process and one worker: one phone pays by both, in the words of each."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import cast

import pytest

from channels.secrecy import DRAWN, is_a_houses_own
from channels.tenants import FOLDER
from simulator import embedded
from simulator.places import Places
from simulator.stack import Stack, read_secrets
from tests.e2e.city import City, open_city
from tests.e2e.conftest import ENVIRONMENT
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, start_stack

pytestmark = pytest.mark.long(
    "a stack with two houses; tests/integration/test_tenants.py has them in one process"
)

NUMBERS = {"duka": 21, "soko": 22}
BRANDS = {"duka": "Duka Pesa", "soko": "Soko Cash"}


@dataclass
class House:
    """One tenant as a city sees a whole installation."""

    folder: Path
    places: Places
    database_url: str

    @property
    def kept(self) -> Path:
        """Where its keys are."""
        return self.folder


@dataclass
class Street:
    stack: Stack
    houses: dict[str, House]


@pytest.fixture(scope="module")
def street(e2e_folder: Path, databases: Databases, typed: Typed) -> Iterator[Street]:
    """The sandboxes of an installation, and beside it one that serves two tenants."""
    folder = e2e_folder / "street"
    with start_stack(
        folder, databases, database="street", redis_number=5, environment=ENVIRONMENT,
        operators=("mpesa_ke", "mtn_ug"),
    ) as stack:  # fmt: skip
        typed.watch(stack)
        yield Street(stack, _open_houses(stack))


def _open_houses(stack: Stack) -> dict[str, House]:
    port = embedded.free_port()
    server = f"http://127.0.0.1:{port}"
    files = stack.folder / "tenants"
    files.mkdir()
    process = {
        name: value for name, value in stack._server.items()
        if not (name.startswith("CAPP_") and is_a_houses_own(name))
    }  # fmt: skip
    process |= {FOLDER: str(files), "CAPP_PUBLIC_URL": server}
    houses = {name: _move_in(stack, name, server) for name in NUMBERS}
    for name in NUMBERS:
        stack._run_once(f"open-{name}", ["tenants", "open", name], process)
        seeds = ["--tenant", name, "seed", str(stack.folder / "seed.yaml")]
        stack._run_once(f"seed-{name}", seeds, process)
    web = stack._spawn("street", ["channels.cli", "serve", "--port", str(port)], process)
    stack._spawn("rounds", ["channels.cli", "worker"], process)
    stack._wait(web, f"{server}/health")
    return houses


def _move_in(stack: Stack, name: str, server: str) -> House:
    """Keys of its own; its accounts with companies are the sandboxes' only ones."""
    folder = stack.folder / name
    folder.mkdir()
    keys = read_secrets(folder / "demo.env")
    accounts = {
        variable: value for variable, value in stack._server.items()
        if variable.startswith("CAPP_") and is_a_houses_own(variable) and variable not in DRAWN
    }  # fmt: skip
    code = f"*384*{NUMBERS[name]}#"
    told = {**accounts, **keys, "CAPP_TENANT": str(NUMBERS[name]), "CAPP_SHORTCODES": code}
    file = stack.folder / "tenants" / f"{name}.env"
    file.write_text("".join(f"{variable}={value}\n" for variable, value in told.items()))
    texts = file.with_suffix("") / "texts"
    texts.mkdir(parents=True)
    receipt = f"{{code}} {BRANDS[name]}: {{payer}} sent you {{receives}}, {{time}}"
    (texts / "en.yaml").write_text(f'sms: {{receipt_payee: "{receipt}"}}\n')
    place = f"{server}/t/{name}"
    ussd_url = f"{place}/ussd/africastalking/{keys['CAPP_GATEWAY_TOKEN']}"
    places = replace(
        stack.places, server=place, ussd_url=ussd_url, ussd_end_url=f"{ussd_url}/end",
        inspect_token=keys["CAPP_INSPECT_TOKEN"], shortcode=code,
    )  # fmt: skip
    return House(folder, places, stack.database_url)


async def test_one_phone_orders_at_both_and_each_pays_from_its_own_books_in_its_own_words(
    street: Street, typed: Typed, random: Random
) -> None:
    duka, soko = (cast(Stack, street.houses[name]) for name in NUMBERS)
    async with open_city(duka, typed, random) as first, open_city(soko, typed, random) as second:
        payer, payees = first.newcomer("KE"), [first.newcomer("UG"), first.newcomer("UG")]
        dialogues = await asyncio.gather(
            first.order(payer, payees[0], 500), second.order(payer, payees[1], 900)
        )
        paid = []
        for city, dialogue in zip((first, second), dialogues, strict=True):
            # Both confirmed at one moment, the second would wait a minute: M-PESA asks a phone for
            # one PIN at a time.
            await city.type(dialogue, payer.pin)
            paid.append(await city.ends(payer, "PAID"))
        assert [payment.amount.minor for payment in paid] == [50_000, 90_000]
        await _assert_apart(first)
        for city in (first, second):
            assert (await city.inspector.books()).balanced
        assert len(await first.movements(payer)) == 2
        for city, name, payee in zip((first, second), NUMBERS, payees, strict=True):
            await city.told(payee, f" {BRANDS[name]}: {payer.msisdn} sent you UGX ")
    street.stack.check()


async def _assert_apart(city: City) -> None:
    """Every entry of a tenant's payment touches accounts of that tenant alone."""
    counted = await city.rows(
        "select tenant, count(distinct payment) from attempt group by 1 order by 1"
    )
    assert [tuple(row) for row in counted] == [(21, 1), (22, 1)]
    sums = await city.rows(
        "select id >> 42 as tenant, sum(amount) as minor from balance group by 1 order by 1"
    )
    assert [(row["tenant"], row["minor"]) for row in sums] == [(1, 0), (21, 0), (22, 0)]

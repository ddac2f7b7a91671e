"""What staff type and read about a customer and a forgotten PIN."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from channels.cli import _parser
from channels.commands import customers, desk
from channels.times import minute_utc_of
from engine.clock import ms_of
from engine.customers.guesses import ATTEMPTS_MAX, LOCKS_MAX
from engine.customers.resets import PIN_RESET
from engine.errors import StaffMistake
from engine.msisdn import Msisdn
from simulator.markets import MARKETS
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.integration.customers_room import OTHER_PHONE, PHONE, PIN, WRONG, registered
from tests.integration.customers_room import customers as house_of
from tests.integration.desk_room import Room, open_room
from tests.integration.world import settings_for

pytestmark = pytest.mark.long(
    "commands at each of their turns; test_customers.py keeps what they do"
)


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[Room]:
    async with open_room(database_url) as opened:
        yield opened


async def capp(room: Room, *words: str) -> list[str]:
    said: list[str] = []
    options = _parser(words).parse_args(words)
    await desk.COMMANDS[options.command](room.office, options, said.append)
    return said


async def capp_customer(database_url: str, *words: str, **environment: str) -> list[str]:
    said: list[str] = []
    options = _parser(["customer"]).parse_args(["customer", *words])
    settings = settings_for(database_url, **environment)
    await customers.describe_customer(settings, options, said.append)
    return said


async def test_a_reset_is_proposed_by_number_and_the_proposal_keeps_none(room: Room) -> None:
    house = house_of(room.pool, room.clock)
    customer = await registered(house)
    await house.ask_pin_reset(customer)
    said = await capp(room, "cases", "--kind", PIN_RESET)
    assert said[0].endswith("nobody: +2547*****001 forgot the PIN")
    assert said[1].strip().startswith(f"{customer.customer_id}:PIN_RESET:")
    (asked,) = await capp(
        room, "propose", "PIN_RESET", f"msisdn={PHONE}", "--as", "asha", "--why", "called her back"
    )
    assert f"customer={customer.customer_id}" in asked
    assert PHONE not in repr(await room.pool.fetch("select * from proposal"))
    (agreed,) = await capp(room, "approve", asked[:8], "--as", "babu")
    assert "a new PIN may be chosen until" in agreed
    assert await capp(room, "cases") == []
    found = await house.find(PHONE)
    assert found is not None
    assert found.may_reset_pin


async def test_a_reset_is_proposed_by_the_id_that_the_case_shows(room: Room) -> None:
    customer = await registered(house_of(room.pool, room.clock))
    (asked,) = await capp(
        room, "propose", "PIN_RESET", f"customer={customer.customer_id}", "--as", "asha",
        "--why", "called her back",
    )  # fmt: skip
    (agreed,) = await capp(room, "approve", asked[:8], "--as", "babu")
    assert "failed" in agreed
    assert agreed.endswith("the customer has not asked for it these seven days")


@pytest.mark.parametrize(
    "field", [f"msisdn={OTHER_PHONE}", "msisdn=0712000001", "msisdn=+1", "customer=5", "minor=5"]
)
async def test_a_reset_for_nobody_is_told_so(room: Room, field: str) -> None:
    with pytest.raises(StaffMistake):
        await capp(room, "propose", "PIN_RESET", field, "--as", "asha", "--why", "x")
    assert await capp(room, "proposals") == []


async def test_staff_see_how_many_recipients_and_how_the_pin_stands_but_no_numbers(
    room: Room, database_url: str
) -> None:
    house = house_of(room.pool, room.clock)
    customer = await registered(house)
    for n in range(2):
        await house.save_recipient(customer.customer_id, Msisdn(f"+25677200000{n}"), "Mama")
    said = await capp_customer(database_url, customer.customer_id)
    assert said == [f"{PHONE}  KE  tier 0  no name  no birth", "saved recipients: 2"]
    for _ in range(ATTEMPTS_MAX):
        await house.check_pin(customer, WRONG)
    await house.ask_pin_reset(customer)
    said = await capp_customer(database_url, PHONE)
    assert said[2].startswith("PIN: locked until ")
    assert said[3].startswith("PIN: forgotten, says the customer, ")
    await room.pool.execute(
        "update customer set pin_locks = $1, pin_locked_until = 'infinity', pin_reset_until = $2,"
        " tier_paused_until = $2", LOCKS_MAX, datetime(2099, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    said = await capp_customer(database_url, PHONE)
    assert said[2] == "PIN: locked until it is reset"
    assert said[3].startswith("PIN: a new one may be chosen until 2099-")
    assert said[4].startswith("limits of tier 0 until 2099-")
    assert PIN not in msgspec.json.encode(said).decode().replace(PHONE, "")


async def test_an_id_of_nobody_is_told_so(database_url: str) -> None:
    assert await capp_customer(database_url, "0" * 32) == [f"{'0' * 32} is not registered"]


async def test_staff_ask_when_a_sim_was_changed(room: Room, database_url: str) -> None:
    await registered(house_of(room.pool, room.clock))
    async with Sandboxes.start(SandboxesSettings()) as sandboxes, httpx.AsyncClient() as client:
        kenyan = {
            **MARKETS["mpesa_ke"].environment(sandboxes.mpesa_url),
            "CAPP_MPESA_KE_CERTIFICATE": sandboxes.mpesa.initiator.certificate_pem().decode(),
            "CAPP_OPERATORS": "mpesa_ke",
        }

        async def sim_line(**changes: str) -> str:
            said = await capp_customer(database_url, PHONE, "--sim", **{**kenyan, **changes})
            return said[-1]

        assert await sim_line() == "SIM: no change that mpesa_ke remembers"
        wallet = f"{sandboxes.mpesa_url}/_sandbox/wallets/{PHONE.digits}"
        changed = await client.put(wallet, json={"sim_changed_hours": 3.5})
        moment = datetime.fromisoformat(changed.json()["sim_changed_at"])
        assert await sim_line() == f"SIM: changed {minute_utc_of(ms_of(moment))}, 3 hours ago"
        assert await sim_line(CAPP_MPESA_KE_SIM_SWAP="0") == "SIM: nobody tells of mpesa_ke's"
    assert await sim_line() == "SIM: mpesa_ke did not tell"
    assert not [line for line in await capp_customer(database_url, PHONE) if "SIM" in line]

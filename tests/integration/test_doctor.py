"""`capp doctor` against real servers and the gateway's sandbox."""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.exceptions import RedisError

from channels.commands import doctor
from channels.commands.database_checks import (
    check_database,
    check_pins,
    check_restore,
)
from channels.commands.doctor import _clients, checks_of, examine
from channels.commands.unserved import check_under_way
from channels.settings import BadSettings, read_settings
from channels.web.limits import Limits
from engine.clients.clients import Scope
from engine.clients.keys import KeyMacs
from engine.clients.proving import Keys
from engine.clients.store import ClientStore
from engine.clock import Clock, Ids, SystemRandom, made_at
from engine.database import open_pool
from engine.errors import NotServed
from engine.menu.screens import BrokenMenu
from engine.session.pipeline import open_pipeline
from simulator import embedded
from simulator.operators import credentials
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.integration.privacy_room import KEYS
from tests.integration.world import ENVIRONMENT, FAILED, SUCCEEDED, open_world, settings_for

SIM_SERVICE = {
    "CAPP_SIM_SWAP_URL": "http://127.0.0.1:1/sim-swap/v2",
    "CAPP_SIM_SWAP_TOKEN_URL": "http://127.0.0.1:1/token",
    "CAPP_SIM_SWAP_CLIENT_ID": "x1",
    "CAPP_SIM_SWAP_CLIENT_SECRET": "x2",
    "CAPP_SIM_SWAP_OPERATORS": "mtn_ug,airtel_ke",
}

pytestmark = pytest.mark.long("each thing the doctor says, with servers that are away")

PROJECT = Path(__file__).parents[2]
AT, TWILIO = "SMS gateway africastalking", "SMS gateway twilio"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ANSWER_SECONDS_MAX", 120.0)


async def test_doctor_says_what_is_well_and_what_is_not(database_url: str, redis_url: str) -> None:
    async with Sandboxes.start(SandboxesSettings()) as sandboxes:
        environment = {
            **ENVIRONMENT,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "CAPP_OPERATORS": "mtn_ug",
            "CAPP_AFRICASTALKING_BASE_URL": sandboxes.gateway_url,
            "CAPP_AFRICASTALKING_USERNAME": credentials.GATEWAY_SANDBOX_USERNAME,
            "CAPP_AFRICASTALKING_API_KEY": credentials.GATEWAY_SANDBOX_API_KEY,
            "CAPP_SMS_GATEWAYS": "africastalking,twilio",
            "CAPP_TWILIO_BASE_URL": sandboxes.twilio_url,
            "CAPP_TWILIO_ACCOUNT_SID": credentials.TWILIO_SANDBOX_ACCOUNT_SID,
            "CAPP_TWILIO_AUTH_TOKEN": credentials.TWILIO_SANDBOX_AUTH_TOKEN,
            "CAPP_TWILIO_SENDER": credentials.TWILIO_SANDBOX_SENDER,
            "CAPP_QOUTE_SECONDS": "5",
            "CAPP_MPESA_KE_PASSKEY": "of an operator that is not named",
            "CAPP_TENANTS_FOLDER": "",
        }
        said: list[str] = []
        well = await examine(read_settings(environment), said.append)
        assert not well
        by_name = {line.split(":")[0][6:]: line for line in said}
        assert by_name["operators"].startswith("FAULT")
        assert "CAPP_MTN_UG_API_KEY" in by_name["operators"]
        for name in ("menus", "USSD gateways", "database", "tenants", "redis", AT, TWILIO):
            assert by_name[name].startswith("ok"), by_name[name]
        assert "SDK KES" in by_name[AT]
        assert by_name[TWILIO].endswith("the account is active")
        assert by_name["variables"] == (
            "look  variables: nobody reads CAPP_MPESA_KE_PASSKEY, CAPP_QOUTE_SECONDS: misspelt, or"
            " of what is not used"
        )

        wrong = {
            **environment,
            "CAPP_AFRICASTALKING_API_KEY": "wrong",
            "REDIS_URL": "redis://127.0.0.1:1",
            "CAPP_USSD_GATEWAYS": "hubtel,nobody",
        }
        said.clear()
        assert not await examine(read_settings(wrong), said.append)
        assert faults_of(said) == {"operators", "USSD gateways", "redis", AT}
        assert not any("wrong" in line for line in said)

        # Twilio alone: nobody asks for Africa's Talking's key, whose fault is then none.
        said.clear()
        assert not await examine(
            read_settings({**wrong, "CAPP_SMS_GATEWAYS": "twilio,carrier_pigeon"}), said.append
        )
        assert not any(AT in line for line in said)
        assert faults_of(said) >= {"SMS gateway carrier_pigeon"}
        assert TWILIO not in faults_of(said)

        sandboxes.twilio.settings.account_status = "suspended"
        said.clear()
        await examine(read_settings({**wrong, "CAPP_SMS_GATEWAYS": "twilio"}), said.append)
        assert f"FAULT {TWILIO}: the account is suspended" in said
        said.clear()
        bad_token = {**environment, "CAPP_TWILIO_AUTH_TOKEN": "wrong"}
        await examine(read_settings(bad_token), said.append)
        assert TWILIO in faults_of(said)
        assert AT not in faults_of(said)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "nobody tells (CAPP_MPESA_KE_SIM_SWAP, CAPP_SIM_SWAP_URL)"),
        (SIM_SERVICE, "asked of airtel_ke, mtn_ug, 1500 ms at most"),
        ({**SIM_SERVICE, "CAPP_SIM_SWAP_MS": "900"}, "asked of airtel_ke, mtn_ug, 900 ms at most"),
    ],
)
async def test_doctor_says_who_tells_of_changed_sims(
    database_url: str, environment: dict[str, str], told: str
) -> None:
    said: list[str] = []
    settings = read_settings(
        {
            **ENVIRONMENT, "DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1",
            "CAPP_OPERATORS": "orange_ci", **environment,
        }
    )  # fmt: skip
    await examine(settings, said.append)
    assert f"ok    changed SIMs: {told}" in said


async def test_doctor_names_what_lacks_to_ask_of_sims(database_url: str) -> None:
    said: list[str] = []
    lacking = {**SIM_SERVICE, "CAPP_SIM_SWAP_CLIENT_SECRET": ""}
    environment = {**ENVIRONMENT, "DATABASE_URL": database_url, **lacking}
    await examine(read_settings({**environment, "REDIS_URL": "redis://127.0.0.1:1"}), said.append)
    (line,) = [line for line in said if "changed SIMs" in line]
    assert line.startswith("FAULT") and "CAPP_SIM_SWAP_CLIENT_SECRET" in line


async def test_nothing_that_is_documented_is_called_misspelt(database_url: str) -> None:
    pages = [PROJECT / "channels" / page for page in ("settings.md", "watching/README.md")]
    named = {
        name
        for page in pages
        for name in re.findall(r"`(CAPP_[A-Z0-9_]+[A-Z0-9])`", page.read_text())
        # Not those of companies that are not called here, and of files that are read before.
        if not name.endswith(("_BASE_URL", "_KEYS_FILE"))
    }
    assert len(named) > 50
    unset = dict.fromkeys(named, "")
    environment = {
        **unset, **ENVIRONMENT, "DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1"
    }  # fmt: skip
    said: list[str] = []
    await examine(read_settings(environment), said.append)
    assert not [line for line in said if line.startswith("look")]


async def test_doctor_says_when_no_list_is_there(database_url: str) -> None:
    environment = {**ENVIRONMENT, "DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1"}
    said: list[str] = []
    await examine(read_settings(environment), said.append)
    assert "ok    sanctions lists: no sanctions list is loaded: nobody is screened" in said
    said.clear()
    await examine(read_settings({**environment, "CAPP_SCREENING_REQUIRED": "1"}), said.append)
    assert (
        "FAULT sanctions lists: no sanctions list is loaded: no payment is taken on,"
        " and none is paid out:"
        " `capp lists load`"
    ) in said


async def test_doctor_reads_the_words_of_a_tenants_own(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    own = settings_for(database_url, CAPP_MENUS_FOLDER=str(tmp_path))
    assert f"with words of its own from {tmp_path}" in await checks_of(own)["menus"](own)
    (tmp_path / "texts" / "en.yaml").write_text("home: {menu: 'Duka {total}'}\n")
    with pytest.raises(BrokenMenu, match=r"own/texts/en.yaml:1: home.menu: other variables"):
        await checks_of(own)["menus"](own)


async def test_doctor_says_who_is_held_to_the_rows_of_a_tenant(database_url: str) -> None:
    told = await of_tenants(database_url)
    assert told.startswith("capp_tenant_1 reaches its own rows of ")
    assert "its login postgres reaches more" in told


@pytest.mark.parametrize(
    ("change", "environment", "told"),
    [
        ("select 1", {"CAPP_DATABASE_ROLE": "none"}, "NOTHING in the database keeps tenants apart"),
        ("select 1", {"CAPP_TENANT": "77"}, "`capp migrate` makes it, or says who must"),
        ("alter table customer disable row level security", {}, "reaches all rows of customer$"),
        ("revoke all on all tables in schema public from capp_tenant", {}, "does not serve"),
        ("select 1", {"CAPP_MODE": "production"}, "names postgres, who reaches more"),
    ],
)
async def test_doctor_says_when_nobody_is_held(
    database_url: str, pool: Any, change: str, environment: dict[str, str], told: str
) -> None:
    await pool.execute(change)
    with pytest.raises((ValueError, NotServed), match=told):
        await of_tenants(database_url, **environment)


async def test_doctor_says_when_lists_of_payments_cannot_be_found_by_their_index(
    database_url: str, pool: Any
) -> None:
    assert "slow" not in await of_tenants(database_url)
    await pool.execute("alter function split_part(text, text, int) not leakproof")
    assert "slow until a superuser has run: alter function" in await of_tenants(database_url)


async def of_tenants(database_url: str, **environment: str) -> str:
    settings = settings_for(database_url, **environment)
    return await checks_of(settings)["tenants"](settings)


def faults_of(said: list[str]) -> set[str]:
    return {line.split(":")[0][6:] for line in said if line.startswith("FAULT")}


async def test_doctor_says_whose_pins_need_a_key_that_is_gone(database_url: str) -> None:
    environment = {**ENVIRONMENT, "DATABASE_URL": database_url}
    old, new = "1:" + "0a" * 32, "2:" + "0b" * 32
    assert await check_pins(read_settings(environment)) == "nobody has chosen one"
    pool = await open_pool(database_url, size=1)
    for number, version in ((1, 1), (2, 2), (3, None)):
        await pool.execute(
            "insert into customer (id, tenant, msisdn, country, language, tier, created_at,"
            " pin_mac, pin_key) values ($1, 1, $2, 'KE', 'en', 0, now(), $3, $4)",
            f"{number:032x}", f"+25471200000{number}", version and b"m" * 32, version,
        )  # fmt: skip
    await pool.close()
    both = read_settings({**environment, "CAPP_PIN_KEYS": f"{old},{new}"})
    assert await check_pins(both) == "1 under key 1, 1 under key 2"
    with pytest.raises(ValueError, match="lacks 1: PINs of 1 customers"):
        await check_pins(read_settings({**environment, "CAPP_PIN_KEYS": new}))


async def test_doctor_says_when_nothing_can_be_written(database_url: str) -> None:
    environment = {**ENVIRONMENT, "DATABASE_URL": database_url}
    owner = await asyncpg.connect(database_url)
    name = await owner.fetchval("select current_database()")
    for setting in ("on", "off"):
        await owner.execute(f"alter database {name} set default_transaction_read_only = {setting}")
        if setting == "on":
            await owner.execute("set default_transaction_read_only = off")
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError, match="takes no writes"):
                await check_database(read_settings(environment))
    assert "schema" in await check_database(read_settings(environment))
    await owner.execute("update alembic_version set version_num = '9999'")
    await owner.close()
    told = await check_database(read_settings(environment))
    assert told.endswith("schema 9999, which is of a newer version than this program")


async def test_doctor_and_health_say_when_redis_keeps_nothing(tmp_path: Path) -> None:
    """One that is full answers PING all the same, and every dialogue begins anew."""
    server = embedded.start_redis(tmp_path / "redis")
    settings = settings_for("postgresql://postgres@127.0.0.1:1/capp", REDIS_URL=server.url)
    pipeline = open_pipeline(server.url)
    limits = Limits(pipeline, key=b"k" * 32)
    try:
        await limits.ping()
        assert "keeps" in await checks_of(settings)["redis"](settings)
        await pipeline.execute("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(RedisError, match="maxmemory"):
            await limits.ping()
        with pytest.raises(RedisError, match="maxmemory"):
            await checks_of(settings)["redis"](settings)
    finally:
        await pipeline.aclose()
        server.stop()


async def test_doctor_says_what_is_not_over_since_a_restore(database_url: str) -> None:
    environment = {**ENVIRONMENT, "DATABASE_URL": database_url}
    settings = read_settings(environment)
    assert (await check_restore(settings)).endswith("none was noticed; no payment is here")
    async with open_world(database_url) as world:
        began = made_at(await world.confirm())
    told = await check_restore(settings)
    assert told.endswith(f"the newest payment here began {began:%Y-%m-%d %H:%M} UTC")
    at = {"CAPP_RESTORED_AT": "2026-03-01T02:40:00Z"}
    told = await check_restore(read_settings(environment | at))
    assert told == "0 payments of before 2026-03-01 02:40 UTC are not over: `capp cases`"
    since = {"CAPP_RESTORED_AT": datetime.now(UTC).isoformat()}
    assert (await check_restore(read_settings(environment | since))).startswith("1 payments of")
    for wrong in ("2026-03-01T02:40:00", "yesterday", "1772332800"):
        with pytest.raises(BadSettings, match="CAPP_RESTORED_AT: wants a moment"):
            read_settings(environment | {"CAPP_RESTORED_AT": wrong})
    with pytest.raises(ValueError, match="is to come"):
        to_come = {"CAPP_RESTORED_AT": "2999-01-01T00:00:00Z"}
        await check_restore(read_settings(environment | to_come))


async def test_doctor_says_who_waits_for_an_operator_that_is_no_longer_named(
    database_url: str,
) -> None:
    """They waited for ever: nobody who serves can even read them."""
    keys: Any = KEYS
    async with open_world(database_url, **keys) as world:
        served = settings_for(database_url, CAPP_OPERATORS="mpesa_ke,mtn_ug")
        assert await check_under_way(served) == "0, at operators that are all served"
        owing, over = await world.confirm(), await world.confirm()
        await world.dispatched()
        await world.tell(await world.live(over), FAILED)
        await world.tell(await world.live(owing), SUCCEEDED)
        await world.confirm()
    assert await check_under_way(served) == "2, at operators that are all served"
    fewer = settings_for(database_url, CAPP_OPERATORS="mpesa_ke")
    with pytest.raises(ValueError, match="of 2 payments under way wait 2 for mtn_ug, whom CAPP_"):
        await check_under_way(fewer)
    said: list[str] = []
    assert not await examine(fewer, said.append)
    assert "payments under way" in faults_of(said)


async def test_doctor_says_when_keys_of_clients_cannot_be_compared_any_more(
    database_url: str,
) -> None:
    environment = {**ENVIRONMENT, "DATABASE_URL": database_url}
    assert "have no API" in await _clients(read_settings(environment))
    old, new = (hashlib.sha256(word).hexdigest() for word in (b"old", b"new"))
    settings = read_settings(environment | {"CAPP_CLIENT_KEYS": f"1:{old},2:{new}"})
    pool = await open_pool(database_url, size=1)
    clock = Clock()
    for version, name in ((1, "shop"), (2, "other")):
        macs = KeyMacs({version: settings.client_keys[version]}, 1)
        keys = Keys(
            store=ClientStore(pool, 1), macs=macs, clock=clock, ids=Ids(clock),
            random=SystemRandom(),
        )  # fmt: skip
        key, _ = await keys.create(name, Scope)
    assert await _clients(settings) == "2 good keys of clients"
    lacking = read_settings(environment | {"CAPP_CLIENT_KEYS": f"1:{old}"})
    with pytest.raises(ValueError, match="lacks 2"):
        await _clients(lacking)
    await keys.revoke(key.id, by="test")
    assert await _clients(lacking) == "1 good keys of clients"
    await pool.close()

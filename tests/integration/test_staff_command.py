"""`capp staff` as it is typed, on a real Postgres."""

from dataclasses import replace

import pytest

from channels.cli import _parser
from channels.commands import staff
from channels.settings import BadSettings, Settings, read_settings
from engine.clock import Clock, Ids
from engine.database import open_pool
from engine.errors import NotProven, StaffMistake
from engine.staff.members import Role
from engine.staff.sessions import Sessions
from engine.staff.store import StaffStore
from engine.staff.tokens import TokenKeys
from tests.integration.staff_room import KEYS
from tests.integration.world import ENVIRONMENT

pytestmark = pytest.mark.long("a command at each of its turns")


@pytest.fixture
def settings(database_url: str) -> Settings:
    key = f"2:{KEYS[2].hex()}"
    return read_settings({**ENVIRONMENT, "DATABASE_URL": database_url, "CAPP_STAFF_KEYS": key})


async def capp(settings: Settings, *words: str) -> list[str]:
    said: list[str] = []
    await staff.run_staff(settings, _parser(["staff"]).parse_args(["staff", *words]), said.append)
    return said


async def test_somebody_is_taken_on_and_their_roles_change(settings: Settings) -> None:
    assert await capp(settings, "add", "Asha", "--roles", "finance,support") == [
        "asha: support,finance"
    ]
    assert await capp(settings, "grant", "ASHA", "--roles", "compliance,support") == [
        "asha: support,finance,compliance"
    ]
    assert await capp(settings, "revoke", "asha", "--roles", "support,admin") == [
        "asha: finance,compliance"
    ]
    await capp(settings, "add", "babu", "--roles", "admin")
    await capp(settings, "revoke", "babu", "--roles", "admin")
    assert await capp(settings, "list") == ["asha: finance,compliance", "babu: no role"]
    log = await capp(settings, "log", "asha")
    assert [line.split("  ", 2)[2] for line in log] == [
        "add_member: support,finance",
        "grant_roles: support,compliance",
        "revoke_roles: support,admin",
    ]
    assert all("  terminal:" in line for line in log)


async def test_a_token_works_until_its_session_is_ended(settings: Settings) -> None:
    await capp(settings, "add", "asha", "--roles", "finance")
    (token,) = await capp(settings, "token", "asha", "--hours", "2")
    pool = await open_pool(settings.database_url, size=1)
    clock = Clock()
    sessions = Sessions(
        store=StaffStore(pool, 1), keys=TokenKeys(settings.staff_keys, 1), clock=clock,
        ids=Ids(clock),
    )  # fmt: skip
    proven = await sessions.prove(token, fresh=True)
    assert proven.name == "asha"
    assert proven.roles == {Role.FINANCE}
    (line,) = await capp(settings, "sessions")
    assert line.startswith(f"{proven.session_id}  asha  finance  until ")
    assert await capp(settings, "end", proven.session_id) == ["1 ended"]
    assert await capp(settings, "sessions") == []
    with pytest.raises(NotProven):
        await sessions.prove(token, fresh=True)
    await capp(settings, "token", "asha")
    await capp(settings, "token", "asha")
    assert await capp(settings, "end", "asha") == ["2 ended"]
    stored = str(
        [
            await pool.fetch(f"select * from {table}")
            for table in ("staff_member", "staff_session", "staff_action")
        ]
    )
    assert token not in stored
    assert token.rpartition(".")[2] not in stored
    await pool.close()


async def test_what_cannot_be_done_is_refused_and_written_down(settings: Settings) -> None:
    await capp(settings, "add", "asha", "--roles", "finance")
    for words in (
        ("add", "Asha", "--roles", "admin"),
        ("grant", "nobody", "--roles", "admin"),
        ("token", "nobody"),
        ("token", "asha", "--hours", "25"),
        ("token", "asha", "--hours", "0"),
    ):
        with pytest.raises(StaffMistake):
            await capp(settings, *words)
    assert (await capp(settings, "log", "nobody"))[0].endswith("grant_roles: refused")
    assert await capp(settings, "list") == ["asha: finance"]
    await capp(settings, "revoke", "asha", "--roles", "finance")
    with pytest.raises(StaffMistake, match="no role"):
        await capp(settings, "token", "asha")
    for words in (("add", "chep", "--roles", "root"), ("add", " ", "--roles", "admin")):
        with pytest.raises(StaffMistake):
            await capp(settings, *words)


async def test_without_a_key_no_token_is_made(settings: Settings) -> None:
    await capp(settings, "add", "asha", "--roles", "finance")
    with pytest.raises(BadSettings, match="CAPP_STAFF_KEYS"):
        await capp(replace(settings, staff_keys={}), "token", "asha")


async def test_another_tenant_sees_nobody(settings: Settings, database_url: str) -> None:
    """By our own code, where the database would show it."""
    settings = replace(settings, database_url=database_url)
    await capp(settings, "add", "asha", "--roles", "finance")
    other = replace(settings, tenant=2)
    assert await capp(other, "list") == []
    assert await capp(other, "log", "asha") == []
    assert await capp(other, "add", "asha", "--roles", "support") == ["asha: support"]
    assert await capp(settings, "list") == ["asha: finance"]

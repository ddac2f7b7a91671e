"""`capp api-keys` as it is typed, on a real Postgres."""

from dataclasses import replace

import pytest

from channels.cli import _parser
from channels.commands import api_keys
from channels.settings import BadSettings, Settings, read_settings
from engine.clients.clients import KeyHolder, Scope
from engine.clients.keys import KeyMacs, read_key
from engine.clients.proving import Keys
from engine.clients.store import ClientStore
from engine.clock import Clock, Ids, SystemRandom
from engine.database import open_pool
from engine.errors import NotProven, StaffMistake
from tests.integration.client_room import MAC_KEY
from tests.integration.world import ENVIRONMENT

pytestmark = pytest.mark.long(
    "commands at each of their turns; test_client_doors.py keeps what keys open"
)


@pytest.fixture
def settings(database_url: str) -> Settings:
    key = f"1:{MAC_KEY.hex()}"
    return read_settings({**ENVIRONMENT, "DATABASE_URL": database_url, "CAPP_CLIENT_KEYS": key})


async def capp(settings: Settings, *words: str) -> list[str]:
    said: list[str] = []
    options = _parser(["api-keys"]).parse_args(["api-keys", *words])
    await api_keys.run_api_keys(settings, options, said.append)
    return said


async def prove(settings: Settings, text: str, tenant: int = 1) -> KeyHolder:
    pool = await open_pool(settings.database_url, size=1)
    clock = Clock()
    try:
        keys = Keys(
            store=ClientStore(pool, tenant), macs=KeyMacs(settings.client_keys, tenant),
            clock=clock, ids=Ids(clock), random=SystemRandom(),
        )  # fmt: skip
        return await keys.prove(text, fresh=True)
    finally:
        await pool.close()


async def log(settings: Settings) -> list[tuple[str, str, str]]:
    pool = await open_pool(settings.database_url, size=1)
    rows = await pool.fetch("select what, outcome, who from staff_action order by id")
    await pool.close()
    assert all(row["who"].startswith("terminal:") for row in rows)
    return [tuple(row) for row in rows]


async def test_a_key_is_told_once_and_opens_what_it_was_made_for(settings: Settings) -> None:
    (text,) = await capp(settings, "create", "Shop", "--scopes", "payments:write,quotes:read")
    holder = await prove(settings, text)
    assert holder.name == "shop"
    assert holder.scopes == frozenset({Scope.PAYMENTS_WRITE, Scope.QUOTES_READ})
    (line,) = await capp(settings, "list")
    assert line.startswith(f"{read_key(text)[0]}  shop  quotes:read,payments:write  good  used ")
    assert read_key(text)[1] not in line
    with pytest.raises(NotProven):
        await prove(settings, text, tenant=2)


async def test_two_keys_of_a_name_are_one_client(settings: Settings) -> None:
    texts = [
        (await capp(settings, "create", "shop", "--scopes", "rates:read"))[0] for _ in range(2)
    ]
    one, two = [await prove(settings, text) for text in texts]
    assert one.client_id == two.client_id and one.key_id != two.key_id


async def test_a_rotated_key_is_good_for_its_overlap_and_has_one_successor(
    settings: Settings,
) -> None:
    (old,) = await capp(settings, "create", "shop", "--scopes", "rates:read", "--days", "90")
    (new,) = await capp(settings, "rotate", read_key(old)[0])
    assert (await prove(settings, old)).client_id == (await prove(settings, new)).client_id
    lines = await capp(settings, "list")
    assert f"rotated to {read_key(new)[0]}" in lines[0]
    assert [" until " in line for line in lines] == [True, True]
    with pytest.raises(StaffMistake, match="rotated or revoked before"):
        await capp(settings, "rotate", read_key(old)[0])
    (newest,) = await capp(settings, "rotate", read_key(new)[0], "--overlap-hours", "0")
    with pytest.raises(NotProven):
        await prove(settings, new)
    await prove(settings, newest)


@pytest.mark.parametrize("hours", ["-1", "87601", "999999999999", "99999999999999999999"])
async def test_an_overlap_that_no_calendar_knows_is_refused_and_the_key_stays(
    settings: Settings, hours: str
) -> None:
    (old,) = await capp(settings, "create", "shop", "--scopes", "rates:read")
    before = (await capp(settings, "list"))[0].partition("  used")[0]
    with pytest.raises(StaffMistake, match="keys overlap for 0 to 87600 hours"):
        await capp(settings, "rotate", read_key(old)[0], "--overlap-hours", hours)
    (line,) = await capp(settings, "list")
    assert line.startswith(before.partition("  never")[0]) and "rotated" not in line


async def test_a_revoked_key_is_over_at_once_and_cannot_be_rotated(settings: Settings) -> None:
    (text,) = await capp(settings, "create", "shop", "--scopes", "rates:read")
    assert await capp(settings, "revoke", text) == ["revoked"]  # by the key itself, if need be
    with pytest.raises(NotProven):
        await prove(settings, text)
    with pytest.raises(StaffMistake, match="revoked before"):
        await capp(settings, "revoke", read_key(text)[0])
    with pytest.raises(StaffMistake, match="no such key"):
        await capp(settings, "rotate", read_key(text)[0])
    assert "  revoked  " in (await capp(settings, "list"))[0]
    assert [row[:2] for row in await log(settings)] == [
        ("create_api_key", "rates:read"), ("revoke_api_key", "revoked"),
        ("revoke_api_key", "refused"), ("rotate_api_key", "refused"),
    ]  # fmt: skip
    assert read_key(text)[1] not in str(await log(settings))


REFUSED = (
    ("create", "a b", "--scopes", "rates:read"), ("create", "shop", "--scopes", "all"),
    ("create", "shop", "--scopes", "rates:read", "--days", "0"), ("revoke", "shop"),
    ("rotate", "0" * 32), ("revoke", "0" * 32),
)  # fmt: skip


async def test_what_makes_no_sense_is_refused_and_makes_nothing(settings: Settings) -> None:
    for words in REFUSED:
        with pytest.raises(StaffMistake):
            await capp(settings, *words)
    assert await capp(settings, "list") == []


async def test_without_a_key_to_keep_them_under_there_are_no_keys(settings: Settings) -> None:
    with pytest.raises(BadSettings, match="CAPP_CLIENT_KEYS"):
        await capp(replace(settings, client_keys={}), "list")

"""What was typed and dialled in the whole run must be in no log and in no table.

Runs last, by its name, in each of the parts that workers are given (`tests/workers.py`): it reads
what all the others there have left behind.
"""

from pathlib import Path

import asyncpg
import pytest
import redis

from tests.e2e.city import City
from tests.e2e.secrecy import Typed
from tests.workers import OWN, SHARED

ONE = pytest.mark.long("the quick end-to-end tests are one unit")
in_each_part = pytest.mark.parametrize("part", [SHARED, pytest.param(OWN, marks=ONE)])

_TABLES = """
    select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition"""


async def _type_other_secrets(city: City) -> None:
    """Somebody types the wallet's PIN, a card's number and a password wherever a PIN is asked."""
    person, payee = city.newcomer("KE"), city.newcomer("UG")
    secrets = [city.world.digits(16), city.world.digits(6) + city.world.digits(6)]
    city.typed.pins.update(secrets)
    session = await city.dial(person)
    await city.type(session, "1", *secrets, person.pin, *secrets[:1])
    session = await city.order(city.newcomer("KE"), payee, 500)
    await city.type(session, *secrets)


def _logs(folder: Path) -> dict[str, bytes]:
    """All logs under a folder: of our processes, the sandboxes and the databases."""
    return {str(log.relative_to(folder)): log.read_bytes() for log in folder.rglob("*.log")}


@in_each_part
async def test_no_log_holds_a_pin_or_a_full_number(
    city: City, typed: Typed, e2e_folder: Path, part: str
) -> None:
    await _type_other_secrets(city)
    logs = _logs(e2e_folder)
    expected = {"web.log", "worker.log", "sandboxes.log", "server.log"}
    assert {Path(name).name for name in logs} >= expected
    assert typed.pins and typed.msisdns
    for name, content in logs.items():
        assert list(typed.pins_in(content)) == [], name
        assert list(typed.numbers_in(content)) == [], name


@in_each_part
async def test_no_session_record_holds_a_pin(city: City, typed: Typed, part: str) -> None:
    await _type_other_secrets(city)
    records = 0
    for places in typed.stacks:
        with redis.Redis.from_url(places.redis_url) as client:
            for key in client.scan_iter(count=1000):
                records += 1
                assert list(typed.pins_in(client.dump(key) or b"")) == []
    assert records > 0


@in_each_part
async def test_no_table_holds_a_pin_or_a_full_number(city: City, typed: Typed, part: str) -> None:
    await _type_other_secrets(city)
    for places in typed.stacks:
        connection = await asyncpg.connect(places.database_url)
        try:
            for (table,) in await connection.fetch(_TABLES):
                rows = await connection.fetch(f'select t::text from "{table}" t')
                texts = [row[0].replace('""', '"') for row in rows]
                assert list(typed.pins_in("\n".join(texts).encode())) == [], table
                assert list(typed.numbers_in("\n".join(texts).encode())) == [], table
        finally:
            await connection.close()


def test_search_finds_what_it_is_meant_to_find() -> None:
    typed = Typed(pins={"4821", "4829113377110042"}, msisdns={"+254712345678"})
    for leak in (
        b"text=1*4821*4821", b"1%2A4821%2A4821", b"{'pin': '4821'}", b'"4821"', b"PIN: 4821",
        b"typed 4829113377110042", b"500*1*4821",
    ):  # fmt: skip
        assert list(typed.pins_in(leak)), leak
    for harmless in (b"at 14:48:21.4821", b"pid 4821 ended", b"KES 4821", b"id 0a4821ff"):
        assert not list(typed.pins_in(harmless)), harmless
    for leak in (
        b"of 254712345678",
        b"of 0712345678",
        b"of 712345678,",
        b"00254712345678254700000000",
    ):
        assert list(typed.numbers_in(leak)), leak
    for harmless in (b"of +2547*****678", b'"receipt":"5712345678"', b'"receipt":"7123456781"'):
        assert not list(typed.numbers_in(harmless)), harmless

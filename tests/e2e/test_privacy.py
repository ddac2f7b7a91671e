"""What was typed and dialled in the whole run must be in no log, and no PIN anywhere at all.

Runs last, by its name: it reads what all the others have left behind.
"""

from pathlib import Path

import asyncpg
import redis

from tests.e2e.city import City
from tests.e2e.secrecy import Typed, leaks

# Where full numbers belong: who customers are, and what each payment was ordered to do. The
# reference of an STK push ends in the payer's national number, by M-PESA's own making.
_NUMBERS_ARE_KEPT_IN = {"customer", "journal"}
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


async def test_no_log_holds_a_pin_or_a_full_number(
    city: City, typed: Typed, e2e_folder: Path
) -> None:
    await _type_other_secrets(city)
    await city.dial(city.newcomer("UG"))
    logs = sorted(e2e_folder.rglob("*.log"))  # of the databases too
    assert {log.name for log in logs} >= {"web.log", "worker.log", "sandboxes.log", "server.log"}
    assert typed.pins and typed.texts and typed.msisdns
    for log in logs:
        content = log.read_bytes()
        for pattern in (typed.secret_pattern(), typed.number_pattern()):
            assert list(leaks(pattern, content)) == [], log


async def test_no_session_record_holds_a_pin(city: City, typed: Typed) -> None:
    await _type_other_secrets(city)
    pattern = typed.secret_pattern()
    records = 0
    for places in typed.stacks:
        with redis.Redis.from_url(places.redis_url) as client:
            for key in client.scan_iter(count=1000):
                records += 1
                content = bytes(key) + b" " + bytes(client.get(key) or b"")
                assert list(leaks(pattern, content)) == []
    assert records > 0


async def test_no_table_holds_a_pin_and_few_hold_full_numbers(city: City, typed: Typed) -> None:
    await _type_other_secrets(city)
    secrets, numbers = typed.secret_pattern(), typed.number_pattern()
    for places in typed.stacks:
        connection = await asyncpg.connect(places.database_url)
        try:
            for (table,) in await connection.fetch(_TABLES):
                rows = await connection.fetch(f'select t::text as row from "{table}" t')
                content = "\n".join(row["row"] for row in rows).encode()
                assert list(leaks(secrets, content)) == [], table
                if table == "evidence":
                    rows = [row for row in rows if '"ws_CO_' not in row["row"].replace('""', '"')]
                    content = "\n".join(row["row"] for row in rows).encode()
                if table not in _NUMBERS_ARE_KEPT_IN:
                    assert list(leaks(numbers, content)) == [], table
        finally:
            await connection.close()


def test_search_finds_what_it_is_meant_to_find() -> None:
    typed = Typed(pins={"4821", "4829113377110042"}, msisdns={"+254712345678"})
    typed.note("1*4821*4821")
    for leak in (
        b"text=1*4821*4821", b"1%2A4821%2A4821", b"{'pin': '4821'}", b'"4821"', b"PIN: 4821",
        b"typed 4829113377110042", b"500*1*4821",
    ):  # fmt: skip
        assert list(leaks(typed.secret_pattern(), leak)), leak
    for harmless in (b"at 14:48:21.4821", b"pid 4821 ended", b"KES 4821", b"id 0a4821ff"):
        assert not list(leaks(typed.secret_pattern(), harmless)), harmless
    assert list(leaks(typed.number_pattern(), b"turn of 254712345678"))
    assert not list(leaks(typed.number_pattern(), b"turn of +2547*****678"))

"""A house that lived before its keys: all it wrote is sealed where it stands, and the books, their
seals and the auditor are as true as before.
"""

import argparse
import asyncio
from typing import Any

import asyncpg
import pytest

from channels.commands.books import audit_in
from channels.commands.data import run_data
from channels.office import Office
from channels.privacy import give_keys
from engine.errors import KeyNotAtHand
from engine.ledger.auditor import Pace
from engine.ledger.findings import Law
from engine.payments.old_terms import OLD_TERMS
from engine.privacy import resealing
from engine.privacy.resealing import Resealing
from engine.privacy.seals import PLAIN
from tests.integration.offices import office_of
from tests.integration.owner import Owner
from tests.integration.privacy_room import (
    KEYS,
    NUMBERS,
    PEOPLE,
    House,
    columns_with,
    live_a_while,
    open_house,
    sealed_until_killed,
)
from tests.integration.test_privacy_rotation import words
from tests.integration.world import settings_for

pytestmark = pytest.mark.long("seals whole tables, also under load")

AT_ONCE = Pace(lag_seconds=0, block_seconds=0)
TERMS = "version = 1 and facts like '[[%'"
LATER = "facts like '%\"later.v1.%'"


def auditing(house: House) -> Office:
    return office_of(house.room.world, {}, pace=AT_ONCE)


async def digests(pool: Any) -> list[Any]:
    rows = await pool.fetch("select partition, number, digest, hash from audit_block order by 1, 2")
    return [tuple(row) for row in rows]


async def with_keys(database_url: str, house: House) -> Any:
    """The house's own pool has the keys from now on, as after a restart of its processes."""
    return await give_keys(settings_for(database_url, **KEYS), house.pool)


async def sealed_house(database_url: str, house: House) -> Any:
    """It lived, was audited, has keys now, and its old rows are sealed."""
    await live_a_while(house)
    house.room.world.clock.pass_(5)
    assert (await auditing(house).auditor.audit_all()).findings == ()
    ring = await with_keys(database_url, house)
    assert await run_data(settings_for(database_url, **KEYS), words("seal"), lambda _: None)
    return ring


async def test_nothing_of_before_stays_plain_and_the_auditors_seals_hold(
    database_url: str,
) -> None:
    async with open_house(database_url) as house:
        await live_a_while(house)
        assert "journal.facts" in await columns_with(house.pool, PEOPLE)
        house.room.world.clock.pass_(5)
        auditor = auditing(house).auditor
        assert (await auditor.audit_all()).findings == ()
        before = await digests(house.pool)
        await with_keys(database_url, house)
        settings, said = settings_for(database_url, **KEYS), list[str]()
        assert await run_data(settings, words("seal"), said.append)
        assert any(line.startswith("journal: ") for line in said)
        assert await columns_with(house.pool, PEOPLE) == set()
        said.clear()
        assert await run_data(settings, words("seal"), said.append)  # a repeat has nothing to do
        assert not any("rows sealed" in line for line in said)
        assert (await auditor.audit_all()).findings == ()
        assert await digests(house.pool) == before, "what was proven before is proven still"
    async with open_house(database_url, **KEYS) as house:
        rows = await house.pool.fetch("select id from payment where state < 100")
        assert len(rows) >= 3
        for row in rows:
            payment = await house.room.world.payment(row["id"].hex)
            assert payment.quote.payer in NUMBERS and payment.quote.payee in NUMBERS
        assert len(await house.room.counter.recent_payments("b" * 32, NUMBERS[1])) >= 1  # type: ignore[arg-type]


async def test_rows_that_no_block_holds_yet_are_digested_as_they_were_written(
    database_url: str,
) -> None:
    """Sealed before the auditor came by, and in the middle between two of its visits."""
    async with open_house(database_url) as house:
        await live_a_while(house)
        ring = await with_keys(database_url, house)
        assert await Resealing(house.pool, 1, ring, also=[OLD_TERMS]).seal(lambda _: None)
        house.room.world.clock.pass_(5)
        auditor = auditing(house).auditor
        assert (await auditor.audit_all()).findings == ()
        await ring.rotate(0)
        await ring.refresh()
        assert await Resealing(house.pool, 1, ring, also=[OLD_TERMS]).seal(lambda _: None)
        later = await house.pool.fetchval(f"select count(*) from journal where {LATER}")
        assert later and later == await house.pool.fetchval(
            "select count(*) from journal where facts like '%\"later.v1.2.%'"
        )
        assert (await auditor.audit_all()).findings == ()


async def test_a_long_journal_is_looked_at_in_short_statements(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few rows of a stretch have something to seal, all behind it are reached."""
    monkeypatch.setattr(resealing, "SPAN", 2)
    async with open_house(database_url) as house:
        await live_a_while(house)
        ring = await with_keys(database_url, house)
        rows = await house.pool.fetchval("select count(*) from journal")
        plain = await house.pool.fetchval(f"select count(*) from journal where {TERMS}")
        assert rows > 4 * resealing.SPAN and plain >= 3
        walked = await Resealing(house.pool, 1, ring).walk(OLD_TERMS)
        assert (walked.sealed, walked.missed) == (walked.read, 0) and walked.read >= plain
        assert (await Resealing(house.pool, 1, ring).walk(OLD_TERMS)).read == 0


async def test_sealing_under_load_alarms_nobody_and_may_be_killed(database_url: str) -> None:
    """Payments go on and the auditor looks all the time; whoever seals dies, another goes on."""
    async with open_house(database_url) as house:
        early = [await house.room.arrived() for _ in range(8)]
    async with open_house(database_url, **KEYS) as house:
        ring = house.pool.seals
        auditor, stop = auditing(house).auditor, asyncio.Event()
        found: list[Any] = []

        async def look() -> None:
            while not stop.is_set():
                found.extend((await auditor.audit()).findings)

        async def pay() -> list[str]:
            return [await house.room.arrived() for _ in range(4)]

        looking, paying = asyncio.create_task(look()), asyncio.create_task(pay())
        await sealed_until_killed(house.pool, ring, 5, pause_seconds=0.01, also=[OLD_TERMS])
        assert await Resealing(house.pool, 1, ring, also=[OLD_TERMS]).seal(lambda _: None)
        late = await paying
        stop.set()
        await looking
        seen = await house.pool.fetch(f"select payment from journal where {LATER}")
        assert {row["payment"].hex for row in seen} == set(early)
        house.room.world.clock.pass_(5)
        assert found == []
        assert (await auditor.audit_all()).findings == ()
        assert await columns_with(house.pool, [n[-9:] for n in NUMBERS]) == set()
        for payment_id in (*early, *late):
            quote = (await house.room.world.payment(payment_id)).quote  # type: ignore[arg-type]
            assert (quote.payer, quote.payee) == NUMBERS[:2]


FORGED = {
    "the sealed numbers": "facts = regexp_replace(facts, '(later.v1.1.).{9}', '\\1AAAAAAAAA')",
    "an amount": "amounts[1] = amounts[1] + 1",
    "another key": "facts = regexp_replace(facts, 'later\\.v1\\.[0-9]+', 'later.v1.77')",
    "what is no terms at all": "facts = '[[\"later.v1.'",
    "the mark": "facts = replace(facts, '\"later.v1.', '\"v1.')",
    "the index of the payee": "facts = regexp_replace(facts, '\"m1\\.', '\"m2.')",
    "another word of the terms": "facts = regexp_replace(facts, '\"en\"', '\"sw\"')",
}


async def test_what_is_changed_in_a_row_that_was_sealed_later_is_found(database_url: str) -> None:
    async with open_house(database_url) as house:
        await sealed_house(database_url, house)
        auditor, owner = auditing(house).auditor, Owner(house.pool)
        assert (await auditor.audit_all()).findings == ()
        which = "where payment = $1 and version = $2"
        victim = await house.pool.fetchrow(
            f"select payment, version, facts, amounts from journal where {LATER} order by 1 limit 1"
        )
        for what, change in FORGED.items():
            await owner.execute(f"update journal set {change} {which}", *victim[:2])
            told = (await auditor.audit_all()).findings
            named = {f.payment for f in told if f.law is Law.CHANGED}
            assert named == {victim["payment"].hex}, what
            await owner.execute(f"update journal set facts = $3, amounts = $4 {which}", *victim)
            assert (await auditor.audit_all()).findings == (), what


async def test_a_row_that_nobody_could_ever_read_is_named_when_it_is_sealed_and_at_every_look(
    database_url: str,
) -> None:
    """Its block holds it as it stands, so no digest tells of it."""
    async with open_house(database_url) as house:
        await live_a_while(house)
        ring = await with_keys(database_url, house)
        assert await Resealing(house.pool, 1, ring, also=[OLD_TERMS]).seal(lambda _: None)
        victim = await house.pool.fetchrow(
            f"select payment, version from journal where {LATER} order by 1 limit 1"
        )
        forged = FORGED["the sealed numbers"]
        await Owner(house.pool).execute(
            f"update journal set {forged} where payment = $1 and version = $2", *victim
        )
        house.room.world.clock.pass_(5)
        for _ in range(2):
            (finding,) = (await auditing(house).auditor.audit_all()).findings
            assert (finding.law, finding.payment) == (Law.CHANGED, victim["payment"].hex)
            assert finding.detail.endswith("does not open")


async def test_a_late_row_between_rows_that_were_sealed_later_is_late_and_alone(
    database_url: str,
) -> None:
    async with open_house(database_url) as house:
        await sealed_house(database_url, house)
        await Owner(house.pool).execute(
            "insert into journal select payment, 90, tenant, state, at_ms, debits, credits,"
            f" amounts, facts from journal where {LATER} order by at_ms limit 1"
        )
        await Owner(house.pool).execute("update journal set facts = null where version = 90")
        told = (await auditing(house).auditor.audit_all()).findings
        assert Law.LATE in {f.law for f in told} and Law.CHANGED not in {f.law for f in told}


async def test_a_tenants_role_may_seal_a_rows_numbers_and_change_nothing_else(
    database_url: str,
) -> None:
    async with open_house(database_url) as house:
        await live_a_while(house)
        forbidden = [
            "facts = replace(facts, '\"KES\"', '\"UGX\"')",
            "facts = replace(facts, '+2547', '+2557')",
            "facts = null",
            "facts = facts",
            "facts = regexp_replace(facts, '\"\\+[0-9]+\"', '\"later.v1.1.x\"')",
        ]
        for change in forbidden:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await house.pool.execute(f"update journal set {change} where {TERMS}")
        for change in ("amounts[1] = 1", "state = 3", "at_ms = 1"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await house.pool.execute(f"update journal set {change} where {TERMS}")
        await with_keys(database_url, house)
        assert await run_data(settings_for(database_url, **KEYS), words("seal"), lambda _: None)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await house.pool.execute(
                f"update journal set facts = replace(facts, '\"en\"', '\"sw\"') where {TERMS}"
            )


async def test_whoever_has_no_keys_is_refused_before_an_alarm_is_raised(database_url: str) -> None:
    async with open_house(database_url) as house:
        await sealed_house(database_url, house)
        office, said = auditing(house), list[str]()
        verify = argparse.Namespace(all=True, verify="verify")
        assert await audit_in(office, verify, said.append)
        assert said[-1] == "nothing is wrong"
        house.pool.seals = PLAIN
        with pytest.raises(KeyNotAtHand):
            await audit_in(office, verify, said.append)
        assert await house.pool.fetchval("select count(*) from case_file where kind = 'AUDIT'") == 0

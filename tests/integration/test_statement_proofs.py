"""What was believed because a statement listed it can be held against whoever took it in."""

import argparse
import hashlib
from collections.abc import AsyncIterator

import pytest

from channels.commands.books import audit_in
from channels.commands.decisions import add_arguments, show_decisions
from engine.clock import PaymentId
from engine.money import Money
from engine.payments.lifecycle import State
from engine.payments.statements.neutral import write_statement
from engine.payments.statements.proofs import Proof, Proofs, Proven, TakenFile
from tests.integration.books import assert_books
from tests.integration.offices import office_of
from tests.integration.owner import Owner
from tests.integration.test_statements import Bureau, bureau_of, collecting, paid
from tests.integration.world import World, open_world, settings_for


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)


@pytest.fixture
def bureau(world: World) -> Bureau:
    return bureau_of(world)


async def proofs_of(bureau: Bureau, payment_id: PaymentId) -> list[Proof]:
    return await Proofs(bureau.world.pool, 1).of(payment_id)


async def test_what_a_statement_proved_names_its_file_and_who_took_it_in(
    world: World, bureau: Bureau
) -> None:
    payment_id, collection = await collecting(world)
    since_ms = bureau.now_ms
    listed = bureau.line("R7", reference=collection)
    body = write_statement([listed])
    report = await bureau.take(listed)
    assert report.sha256 == hashlib.sha256(body).hexdigest()
    taken = TakenFile(bureau.now_ms, "terminal:asha", report.sha256)
    world.clock.pass_(60)
    await bureau.take(listed, bureau.line("R8"))  # another file lists it too: it was the first
    (proof,) = await proofs_of(bureau, payment_id)
    assert (proof.attempt_id, proof.file) == (collection, taken)
    assert proof.words == f"mpesa_ke lists R7 of {bureau.today}, KES 1,020 in"
    (proven,) = await Proofs(world.pool, 1).since(since_ms)
    assert proven == Proven(
        "mpesa_ke", bureau.today, taken, 1, Money(102_000, "KES"), Money(0, "KES")
    )
    assert await Proofs(world.pool, 1).since(taken.taken_ms + 1) == []


async def test_a_line_that_a_later_file_named_is_that_files(world: World, bureau: Bureau) -> None:
    payment_id, collection = await collecting(world)
    await bureau.take(bureau.line("R7"))
    assert await proofs_of(bureau, payment_id) == []
    world.clock.pass_(60)
    named = await bureau.take(bureau.line("R7", reference=collection))
    (proof,) = await proofs_of(bureau, payment_id)
    assert proof.file == TakenFile(bureau.now_ms, "terminal:asha", named.sha256)


async def test_what_statements_lack_and_files_of_before_are_told_as_they_are(
    world: World,
) -> None:
    bureau = bureau_of(world, absence_proves_after_days=1)
    payment_id, _ = await collecting(world)
    second, collection = await collecting(world)
    assert await proofs_of(bureau, payment_id) == []
    await bureau.take(bureau.line("R9", reference=collection))
    for _ in range(2):
        await bureau.take_whole()
    await bureau.age()
    assert await world.state(payment_id) is State.COLLECT_FAILED
    (proof,) = await proofs_of(bureau, payment_id)
    assert (proof.file, proof.words[:16]) == (None, "not listed until")
    forget = "update statement_file set taken_by = null, sha256 = null"
    await Owner(world.pool).execute(forget)
    (proof,) = await proofs_of(bureau, second)
    assert proof.file is not None and (proof.file.by, proof.file.sha256) == ("", "")


async def test_what_agreed_with_the_books_proved_nothing(world: World, bureau: Bureau) -> None:
    payment_id, _, _ = await paid(world)
    await bureau.take(bureau.line("R1"), bureau.line("R2"))
    assert await proofs_of(bureau, payment_id) == []
    assert await Proofs(world.pool, 1).since(0) == []


async def test_decisions_tell_whose_statement_moved_a_payment(
    world: World, bureau: Bureau, database_url: str
) -> None:
    payment_id, collection = await collecting(world)
    report = await bureau.take(bureau.line("R7", reference=collection))
    await world.dispatched()
    parser, said = argparse.ArgumentParser(), list[str]()
    add_arguments(parser)
    asked = parser.parse_args(["--payment", payment_id])
    assert await show_decisions(settings_for(database_url), asked, said.append)
    told = "mpesa_ke lists R7 of"
    (line,) = [line for line in said if told in line]
    assert line.endswith(f"by terminal:asha, sha256 {report.sha256}")
    assert collection in line


async def test_the_auditor_tells_what_statements_proved(world: World, bureau: Bureau) -> None:
    _, collection = await collecting(world)
    report = await bureau.take(bureau.line("R7", reference=collection))
    await world.dispatched()
    said, plain = list[str](), argparse.Namespace(all=False, verify=False)
    assert await audit_in(office_of(world, {}), plain, said.append)
    (line,) = [line for line in said if "its statement of" in line]
    assert "proved 1 lines, KES 1,020 in; taken in" in line
    assert line.endswith(f"by terminal:asha, sha256 {report.sha256}")

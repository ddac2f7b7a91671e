"""Postgres itself lets a payment go from state to state as its steps lead, and no other way."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from engine.clock import Clock, Ids
from engine.database import connect
from engine.ledger.commit import commit
from engine.ledger.entries import MANUAL_FROM, Manual
from engine.ledger.plans import NIL, Plan, Verdict
from engine.payments.lifecycle import State, moves
from simulator import embedded
from tests.conftest import Say
from tests.integration.owner import Owner

IDS = Ids(Clock())
STORED = [state for state in State if state is not State.NEW]
MOVES, BEGINNINGS = "known_moves", "known_beginnings"


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    opened = await connect(database_url)
    yield opened
    await opened.close()


def created(state: int = State.COLLECTING, *, key: str | None = None) -> Plan:
    id_ = IDS.payment()
    return Plan(id_, 0, 1, state, key=key or id_, hash="f" * 32)


async def committed(connection: Any, *plans: Plan) -> list[Verdict]:
    return [answer.verdict for answer in await commit(connection, plans, 1)]


async def standing(connection: Any, pool: Any, states: Sequence[State]) -> list[str]:
    """Payments that stand there, however they came."""
    plans = [created() for _ in states]
    assert set(await committed(connection, *plans)) == {Verdict.APPLIED}
    ids = [plan.payment for plan in plans]
    await Owner(pool).force(
        "update payment set state = s from unnest($1::uuid[], $2::int[]) u(i, s) where id = i",
        ids, states,
    )  # fmt: skip
    return ids


async def test_every_step_of_the_lifecycle_is_let_through_and_every_other_refused(
    connection: Any, pool: Any
) -> None:
    pairs = [(before, after) for before in STORED for after in STORED]
    ids = await standing(connection, pool, [before for before, _ in pairs])
    steps = [Plan(id_, 1, 1, after) for id_, (_, after) in zip(ids, pairs, strict=True)]
    answers = await commit(connection, steps, 1)
    allowed = {p for p, a in zip(pairs, answers, strict=True) if a.verdict is Verdict.APPLIED}
    assert allowed == {(before, after) for before, after in moves() if before in STORED}
    refused = {a.verdict for a in answers} - {Verdict.APPLIED}
    assert refused == {Verdict.POISON}


async def test_a_payment_begins_where_its_first_step_leads_and_nowhere_else(
    connection: Any,
) -> None:
    states = [*State, MANUAL_FROM - 1]
    verdicts = dict(zip(states, await committed(connection, *map(created, states)), strict=True))
    begun = {state for state, verdict in verdicts.items() if verdict is Verdict.APPLIED}
    assert begun == {after for before, after in moves() if before is State.NEW}
    assert {verdicts[state] for state in states if state not in begun} == {Verdict.POISON}
    rows = await connection.fetch("select state from payment union all select state from journal")
    assert {row["state"] for row in rows} == begun
    assert await committed(connection, *map(created, Manual)) == [Verdict.APPLIED] * len(Manual)


async def test_a_beginning_that_there_is_not_is_refused_alone_and_leaves_its_key(
    connection: Any,
) -> None:
    wrong, right = created(State.PAID, key="once"), created()
    refused, applied = await commit(connection, [wrong, right], 1)
    assert (refused.verdict, applied.verdict) == (Verdict.POISON, Verdict.APPLIED)
    assert str(refused.error) == "no payment begins in state 11"
    rows = await connection.fetch("select id from payment")
    assert [row["id"].hex for row in rows] == [right.payment]
    first = created(key="once")
    assert await committed(connection, first) == [Verdict.APPLIED]
    # What is known already begins nothing, so there is nothing to refuse.
    again = created(State.PAID, key="once")
    other = created(State.PAID, key="once")._replace(hash=NIL)
    assert await committed(connection, again, other) == [Verdict.DUPLICATE, Verdict.CONFLICT]


async def test_a_step_that_there_is_not_is_refused_alone_by_name(
    connection: Any, pool: Any
) -> None:
    paid, waiting = await standing(connection, pool, [State.PAID, State.COLLECTING])
    wrong = Plan(paid, 1, 1, State.REFUNDING)
    right = Plan(waiting, 1, 1, State.COLLECT_FAILED)
    refused, applied = await commit(connection, [wrong, right], 1)
    assert (refused.verdict, applied.verdict) == (Verdict.POISON, Verdict.APPLIED)
    assert str(refused.error) == "no step leads from state 11 to 13"
    rows = await connection.fetch("select version, state from payment order by state")
    assert [tuple(row) for row in rows] == [(1, State.PAID), (2, State.COLLECT_FAILED)]
    assert await connection.fetchval("select count(*) from journal") == 3


async def test_not_even_the_owner_moves_or_makes_one_by_hand(connection: Any, pool: Any) -> None:
    (paid,) = await standing(connection, pool, [State.PAID])
    made = (
        "insert into payment (id, tenant, state, version, way, terms) values ($1, 1, 11, 1, 0, 1)"
    )
    for rule, statement, id_ in (
        (MOVES, "update payment set state = 3 where id = $1", paid),
        (BEGINNINGS, made, IDS.payment()),
    ):
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await Owner(pool).execute(statement, id_)
        assert refused.value.constraint_name == rule
    await Owner(pool).execute("update payment set due = 7 where id = $1", paid)


async def test_what_people_make_goes_by_their_proposals_and_is_no_payment(connection: Any) -> None:
    entry, payment = created(Manual.RETURN_RESERVED), created(State.COLLECTING)
    await committed(connection, entry, payment)
    ended = Plan(entry.payment, 1, 1, Manual.RETURNED_TO_SENDER)
    assert await committed(connection, ended) == [Verdict.APPLIED]
    for plan, state in ((entry, State.PAID), (payment, MANUAL_FROM)):
        version = 2 if plan is entry else 1
        moved = Plan(plan.payment, version, 1, state)
        assert await committed(connection, moved) == [Verdict.POISON]


async def test_a_month_that_is_attached_later_has_the_rules_too(connection: Any) -> None:
    assert await months_with_rules(connection) == {True}


async def months_with_rules(connection: Any) -> set[bool]:
    rows = await connection.fetch(
        "select (select count(*) from pg_trigger t where t.tgrelid = i.inhrelid"
        " and t.tgname = any($1) and t.tgenabled = 'O') = 2 as has"
        " from pg_inherits i where i.inhparent = 'payment'::regclass",
        [MOVES, BEGINNINGS],
    )
    return {row["has"] for row in rows}


async def test_a_backup_brings_payments_back_wherever_they_stood_and_the_rules_too(
    database_url: str, connection: Any, pool: Any, tmp_path: Path, tell_server: Say
) -> None:
    """Rules are made after the rows: a restore begins payments at their ends."""
    if await server_is_newer(connection):
        pytest.skip("pg_dump is of an older Postgres than the server")
    await standing(connection, pool, STORED)
    _, _, name = database_url.rpartition("/")
    file, restored = tmp_path / "backup", f"{name}_restored"
    await asyncio.to_thread(run, "pg_dump", "--format=custom", f"--file={file}", database_url)
    await asyncio.to_thread(tell_server, f"create database {restored}")
    try:
        again = f"{database_url}_restored"
        await asyncio.to_thread(run, "pg_restore", "--exit-on-error", f"--dbname={again}", file)
        there = await connect(again)
        try:
            rows = await there.fetch("select state from payment")
            assert sorted(row["state"] for row in rows) == STORED
            assert await months_with_rules(there) == {True}
            assert await committed(there, created(State.PAID)) == [Verdict.POISON]
        finally:
            await there.close()
    finally:
        await asyncio.to_thread(tell_server, f"drop database if exists {restored} with (force)")


async def server_is_newer(connection: Any) -> bool:
    version = await asyncio.to_thread(run, "pg_dump", "--version")
    number = int(await connection.fetchval("show server_version_num"))
    return int(version.split()[2].split(".")[0]) < number // 10_000


def run(program: str, *arguments: object) -> str:
    command = [str(embedded.program(program)), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout

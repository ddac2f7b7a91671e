"""Postgres itself lets a payment go from state to state as its steps lead, and no other way."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from engine.clock import Clock, Ids
from engine.database import connect
from engine.ledger.commit import commit
from engine.ledger.entries import MANUAL_FROM, Manual
from engine.ledger.plans import Plan, Verdict
from engine.payments.lifecycle import State, moves
from tests.integration.owner import Owner

IDS = Ids(Clock())
STORED = [state for state in State if state is not State.NEW]
RULE = "known_moves"


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    opened = await connect(database_url)
    yield opened
    await opened.close()


def created(state: int) -> Plan:
    id_ = IDS.payment()
    return Plan(id_, 0, 1, state, key=id_, hash="f" * 32)


async def committed(connection: Any, *plans: Plan) -> list[Verdict]:
    return [answer.verdict for answer in await commit(connection, plans, 1)]


async def test_every_step_of_the_lifecycle_is_let_through_and_every_other_refused(
    connection: Any,
) -> None:
    pairs = [(before, after) for before in STORED for after in STORED]
    plans = [created(before) for before, _ in pairs]
    assert set(await committed(connection, *plans)) == {Verdict.APPLIED}
    steps = [Plan(plan.payment, 1, 1, after) for plan, (_, after) in zip(plans, pairs, strict=True)]
    answers = await commit(connection, steps, 1)
    allowed = {p for p, a in zip(pairs, answers, strict=True) if a.verdict is Verdict.APPLIED}
    assert allowed == {(before, after) for before, after in moves() if before in STORED}
    refused = {a.verdict for a in answers} - {Verdict.APPLIED}
    assert refused == {Verdict.POISON}


async def test_a_step_that_there_is_not_is_refused_alone_by_name(connection: Any) -> None:
    paid, waiting = created(State.PAID), created(State.COLLECTING)
    await committed(connection, paid, waiting)
    wrong = Plan(paid.payment, 1, 1, State.REFUNDING)
    right = Plan(waiting.payment, 1, 1, State.COLLECT_FAILED)
    refused, applied = await commit(connection, [wrong, right], 1)
    assert (refused.verdict, applied.verdict) == (Verdict.POISON, Verdict.APPLIED)
    assert str(refused.error) == "no step leads from state 11 to 13"
    rows = await connection.fetch("select version, state from payment order by state")
    assert [tuple(row) for row in rows] == [(1, State.PAID), (2, State.COLLECT_FAILED)]
    assert await connection.fetchval("select count(*) from journal") == 3


async def test_not_even_the_owner_moves_one_by_hand(connection: Any, pool: Any) -> None:
    paid = created(State.PAID)
    await committed(connection, paid)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await Owner(pool).execute("update payment set state = 3 where id = $1", paid.payment)
    assert refused.value.constraint_name == RULE
    await Owner(pool).execute("update payment set due = 7 where id = $1", paid.payment)


async def test_what_people_make_goes_by_their_proposals_and_is_no_payment(connection: Any) -> None:
    entry, payment = created(Manual.RETURN_RESERVED), created(State.COLLECTING)
    await committed(connection, entry, payment)
    ended = Plan(entry.payment, 1, 1, Manual.RETURNED_TO_SENDER)
    assert await committed(connection, ended) == [Verdict.APPLIED]
    for plan, state in ((entry, State.PAID), (payment, MANUAL_FROM)):
        version = 2 if plan is entry else 1
        moved = Plan(plan.payment, version, 1, state)
        assert await committed(connection, moved) == [Verdict.POISON]


async def test_a_month_that_is_attached_later_has_the_rule_too(connection: Any) -> None:
    rows = await connection.fetch(
        "select c.relname, exists (select from pg_trigger t where t.tgrelid = c.oid"
        " and t.tgname = $1 and t.tgenabled = 'O') as has from pg_class c"
        " join pg_inherits i on i.inhrelid = c.oid where i.inhparent = 'payment'::regclass",
        RULE,
    )
    assert rows and {row["has"] for row in rows} == {True}

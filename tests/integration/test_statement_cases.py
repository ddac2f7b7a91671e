"""Cases that statements lead to, on a real Postgres: each is one, and its own end alone ends it."""

from typing import Any

import pytest

from engine.clock import DAY_MS
from engine.payments.statements.cases import (
    CLOSED_BY,
    FLOAT_DRIFT,
    KINDS,
    MISSING_HERE,
    MISSING_THERE,
    Case,
    OpenCase,
    Over,
    StatementCases,
)
from engine.payments.statements.terms import Terms

ONE, TWO, THREE, FOUR = (digit * 32 for digit in "1234")
TERMS = Terms(case_days=3)


@pytest.fixture
def cases(pool: Any) -> StatementCases:
    return StatementCases(pool, 1)


async def put(cases: StatementCases, *keys: tuple[str, str, str]) -> None:
    await cases.open([Case(*key, "as it was") for key in keys], TERMS, 1_000)


async def closed_by_people(pool: Any, subject: str) -> None:
    await pool.execute(
        "update case_file set closed_ms = 2000, closed_by = 'amina', note = 'looked into'"
        " where payment = $1",
        subject,
    )


async def notes(pool: Any) -> dict[tuple[int, str, str, str], tuple[str | None, str | None]]:
    """By (tenant, subject, kind, hash) who closed it, and what they noted."""
    rows = await pool.fetch("select * from case_file")
    return {
        (r["tenant"], r["payment"].hex, r["kind"], r["hash"].hex): (r["closed_by"], r["note"])
        for r in rows
    }


async def test_the_same_case_is_one_and_keeps_its_first_day(cases: StatementCases) -> None:
    often = [Case(ONE, MISSING_HERE, TWO, "as it was")] * 3
    assert await cases.open(often, TERMS, 1_000) == 1
    anew = [Case(ONE, MISSING_HERE, TWO, "said anew"), Case(ONE, MISSING_HERE, ONE, "another")]
    assert await cases.open(anew, TERMS, 5_000) == 1
    assert await cases.all_open() == [
        OpenCase(ONE, MISSING_HERE, "as it was", 1_000, 1_000 + 3 * DAY_MS),
        OpenCase(ONE, MISSING_HERE, "another", 5_000, 5_000 + 3 * DAY_MS),
    ]


async def test_what_a_statement_closed_is_opened_anew_and_what_people_closed_is_not(
    cases: StatementCases, pool: Any
) -> None:
    keys = [(ONE, MISSING_HERE, ONE), (TWO, MISSING_HERE, TWO)]
    await put(cases, *keys)
    await cases.close(MISSING_HERE, [ONE], "paired", 2_000)
    await closed_by_people(pool, TWO)
    assert await cases.open([Case(*key, "alone again") for key in keys], TERMS, 5_000) == 1
    assert await cases.all_open() == [
        OpenCase(ONE, MISSING_HERE, "alone again", 5_000, 5_000 + 3 * DAY_MS)
    ]
    assert await notes(pool) == {
        (1, *keys[0]): (None, None),
        (1, *keys[1]): ("amina", "looked into"),
    }


async def test_a_statement_closes_what_it_explains_and_nothing_else(
    cases: StatementCases, pool: Any
) -> None:
    explained, *others = keys = [
        (ONE, MISSING_HERE, ONE), (ONE, MISSING_THERE, ONE), (ONE, MISSING_HERE, TWO),
        (TWO, MISSING_HERE, THREE),
    ]  # fmt: skip
    await put(cases, *keys)
    await closed_by_people(pool, TWO)
    another_tenants = (FOUR, MISSING_HERE, ONE)
    await put(StatementCases(pool, 2), another_tenants)
    await cases.close(MISSING_HERE, [ONE, THREE], "paired", 5_000)
    assert await notes(pool) == {
        (1, *explained): (CLOSED_BY, "paired"),
        (1, *others[0]): (None, None),
        (1, *others[1]): (None, None),
        (1, *others[2]): ("amina", "looked into"),
        (2, *another_tenants): (None, None),
    }


async def test_what_is_true_no_more_of_a_subject_is_closed_save_the_one_that_still_is(
    cases: StatementCases, pool: Any
) -> None:
    keys = [
        (ONE, FLOAT_DRIFT, ONE), (ONE, FLOAT_DRIFT, TWO), (ONE, MISSING_HERE, ONE),
        (TWO, FLOAT_DRIFT, ONE), (THREE, FLOAT_DRIFT, ONE), (FOUR, FLOAT_DRIFT, ONE),
    ]  # fmt: skip
    await put(cases, *keys)
    await closed_by_people(pool, FOUR)
    await cases.close_over(FLOAT_DRIFT, [], 5_000)
    over = [Over(ONE, "over", TWO), Over(TWO, "gone"), Over(FOUR, "gone")]
    await StatementCases(pool, 2).close_over(FLOAT_DRIFT, over, 5_000)
    assert len(await cases.all_open()) == 5
    await cases.close_over(FLOAT_DRIFT, over, 5_000)
    told = await notes(pool)
    assert [told[1, *key] for key in keys] == [
        (CLOSED_BY, "over"), (None, None), (None, None),
        (CLOSED_BY, "gone"), (None, None), ("amina", "looked into"),
    ]  # fmt: skip
    await cases.close_all(FLOAT_DRIFT, ONE, "in the band again", 6_000)
    assert (await notes(pool))[1, ONE, FLOAT_DRIFT, TWO] == (CLOSED_BY, "in the band again")


async def test_what_is_open_says_what_is_so_now_and_nothing_beside_it_does(
    cases: StatementCases, pool: Any
) -> None:
    keys = [
        (ONE, FLOAT_DRIFT, ONE), (ONE, MISSING_HERE, ONE), (TWO, FLOAT_DRIFT, ONE),
        (THREE, FLOAT_DRIFT, ONE),
    ]  # fmt: skip
    await put(cases, *keys)
    await closed_by_people(pool, THREE)
    others = StatementCases(pool, 2)
    for subject, is_there in ((ONE, True), (THREE, False), (FOUR, False)):
        assert await cases.is_open(FLOAT_DRIFT, subject) is is_there
        assert not await others.is_open(FLOAT_DRIFT, subject)
        assert not await cases.is_open(MISSING_THERE, subject)
        assert not await others.restate(FLOAT_DRIFT, subject, "more")
        assert await cases.restate(FLOAT_DRIFT, subject, "more") is is_there
        assert not await cases.restate(FLOAT_DRIFT, subject, "more")  # it says so already
    rows = await pool.fetch("select payment, kind, detail from case_file where detail = 'more'")
    assert [(row["payment"].hex, row["kind"]) for row in rows] == [(ONE, FLOAT_DRIFT)]


async def test_whoever_looks_sees_every_kind_the_oldest_first_and_no_other_tenants(
    cases: StatementCases, pool: Any
) -> None:
    told = [
        "MISSING_HERE", "MISSING_THERE", "AMOUNT_DIFFERS", "CONTRADICTION", "STATEMENT_ABSENT",
        "STATEMENT_JUMP", "FLOAT_DRIFT", "FEES_DIFFER",
    ]  # fmt: skip
    for age, kind in enumerate(told):
        await cases.open([Case(ONE, kind, ONE, "")], TERMS, 1_000 - age)
    await cases.open([Case(TWO, "CONFLICT", ONE, "")], TERMS, 1)  # is for others to tell of
    await put(StatementCases(pool, 2), (THREE, MISSING_HERE, ONE))
    assert [(case.subject, case.kind) for case in await cases.all_open()] == [
        (ONE, kind) for kind in reversed(told)
    ]
    assert sorted(KINDS) == sorted(told)

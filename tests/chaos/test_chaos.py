"""One short run in which everything is killed once; `make chaos` is the long one."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

from tests.chaos.draws import EACH
from tests.chaos.laws import breaches
from tests.chaos.readings import broken_books
from tests.chaos.run import Plan, Result, run
from tests.e2e.city import City

pytestmark = pytest.mark.long(
    "everything is killed once; tests/e2e/test_crashes.py kills both processes"
)

LIES = {
    "a balance off by one": "update balance set amount = amount + 1"
    " where id = (select id from balance where amount > 0 limit 1)",
    "an amount in the journal off by one": "update journal set amounts[1] = amounts[1] + 1"
    " where (payment, version) = (select payment, version from journal"
    " where amounts[1] > 0 limit 1)",
    "a step of a payment gone": "delete from journal where (payment, version) ="
    " (select payment, version from journal where version > 1 limit 1)",
}


class Told(NamedTuple):
    """How the run went, and what was seen of each lie."""

    seed: str
    result: Result
    seen: dict[str, list[str]]


@pytest.fixture(scope="module")
def told(servers_folder: Path) -> Iterator[Told]:
    seed = secrets.token_hex(4)
    seen: dict[str, list[str]] = {}

    async def lie(city: City) -> None:
        """Each lie is told inside a transaction that never was."""
        connection = await asyncpg.connect(city.stack.database_url)
        try:
            for name, sql in LIES.items():
                transaction = connection.transaction()
                await transaction.start()
                assert (await connection.execute(sql)).endswith(" 1"), "the lie met no row"
                seen[name] = await broken_books(connection)
                await transaction.rollback()
        finally:
            await connection.close()

    lines: list[str] = []
    plan = Plan(cycles=len(EACH), seed=seed, callers=4, fault_odds=0.05)
    result = run(servers_folder / "chaos", plan, lines.append, before_judging=lie)
    yield Told(seed, result, seen)


def test_nothing_is_lost_or_paid_twice_when_everything_is_killed(told: Told) -> None:
    result = told.result
    assert result.breaches == [], f"--cycles {len(EACH)} --seed {told.seed}"
    assert set(result.kills) == set(EACH) and result.cycles == len(EACH)


def test_money_moved_in_both_directions_while_everything_was_killed(told: Told) -> None:
    reading = told.result.reading
    assert reading is not None
    paid = [stored for stored in reading.stored if stored.state == "PAID"]
    assert {stored.payer_operator for stored in paid} == {"mpesa_ke", "mtn_ug"}
    assert sum(bool(placed.codes) for placed in reading.placed) > len(EACH)


@pytest.mark.parametrize("lie", LIES, ids=lambda name: name.replace(" ", "_"))
def test_lie_in_the_books_is_seen(told: Told, lie: str) -> None:
    assert told.seen[lie] != []


def test_lie_in_an_operators_ledger_is_seen(told: Told) -> None:
    reading = told.result.reading
    assert reading is not None
    for number, moved in enumerate(reading.movements):
        others = [*reading.movements[:number], *reading.movements[number + 1 :]]
        for lies in ([], [moved, moved], [moved._replace(minor=moved.minor + 1)]):
            assert breaches(reading._replace(movements=[*others, *lies])) != [], moved.kind

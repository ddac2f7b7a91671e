"""What the commit makes of what Postgres answers, with a connection that says what it is told to.

What Postgres itself answers is in `tests/integration/test_commit.py`.
"""

import asyncio
from typing import Any

import asyncpg
import pytest

from engine.clock import Clock
from engine.errors import CommitUnknown, OurFault
from engine.ledger import committer
from engine.ledger.commit import Care, commit
from engine.ledger.committer import Committer
from engine.ledger.plans import Plan, Verdict, Verdicted

V = Verdict
FIRST, SECOND = (Plan(letter * 32, 0, 1, 1, key=letter) for letter in "ab")
CAME_BETWEEN = asyncpg.SerializationError("another writer came between")
LOST = asyncpg.ConnectionDoesNotExistError("the connection was closed")
STORED: tuple[list[int], None] = ([0], None)


def too_little() -> asyncpg.PostgresError:
    error = asyncpg.CheckViolationError("below zero")
    error.constraint_name = "never_below_zero"
    return error


class Told:
    """A connection that answers each batch with the next of its answers, or raises it."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[int, int]] = []  # with how much care, how many plans
        self.ended = 0

    async def fetchrow(self, call: str, care: int, at_ms: int, *columns: Any) -> Any:
        self.asked.append((care, len(columns[2])))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def is_closed(self) -> bool:
        return False

    def terminate(self) -> None:
        self.ended += 1


@pytest.mark.parametrize("verdicts", [[], [0], [0, 0, 0]])
async def test_nothing_is_believed_unless_every_plan_has_its_verdict(verdicts: list[int]) -> None:
    with pytest.raises(OurFault, match="nothing is believed"):
        await commit(Told((verdicts, None)), [FIRST, SECOND], 1)


async def test_whoever_came_between_has_limits_counted_in_order_and_then_money_too() -> None:
    connection = Told(CAME_BETWEEN, CAME_BETWEEN, ([0, 0], None))
    answers = await commit(connection, [FIRST, SECOND], 1)
    assert [a.verdict for a in answers] == [V.APPLIED, V.APPLIED]
    assert connection.asked == [(Care.NONE, 2), (Care.LIMITS, 2), (Care.MONEY, 2)]


async def test_short_money_is_looked_at_plan_by_plan_in_the_same_batch() -> None:
    connection = Told(too_little(), ([0, 4], None))
    answers = await commit(connection, [FIRST, SECOND], 1)
    assert [a.verdict for a in answers] == [V.APPLIED, V.INSUFFICIENT]
    assert connection.asked == [(Care.NONE, 2), (Care.MONEY, 2)]


async def test_what_the_database_cannot_take_is_asked_for_apart_and_not_again() -> None:
    wrong = asyncpg.NumericValueOutOfRangeError("smallint out of range")
    connection = Told(wrong, wrong, STORED)
    answers = await commit(connection, [FIRST, SECOND], 1)
    assert [a.verdict for a in answers] == [V.POISON, V.APPLIED]
    assert connection.asked == [(Care.NONE, 2), (Care.NONE, 1), (Care.NONE, 1)]


@pytest.mark.parametrize(
    "trouble",
    [
        OSError("the network is gone"),
        asyncpg.InterfaceError("the connection is closed"),
        LOST,
        asyncpg.AdminShutdownError("the server is going down"),
        asyncpg.OutOfMemoryError("out of memory"),
        asyncpg.PostgresIOError("could not read a block"),
        asyncpg.InternalServerError("a corrupted page"),
        asyncpg.InternalClientError("got result for unknown protocol state"),
        asyncpg.ReadOnlySQLTransactionError("this server is a replica"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_troubles_the_server_is_no_plans_fault(trouble: Exception) -> None:
    connection = Told(trouble)
    with pytest.raises(CommitUnknown):
        await commit(connection, [FIRST, SECOND], 1)
    assert len(connection.asked) == 1


async def test_who_is_always_come_between_is_asked_to_come_again() -> None:
    (answer,) = await commit(Told(*[CAME_BETWEEN] * 4), [FIRST], 1)
    assert answer.verdict is V.STALE


async def test_a_repeat_that_is_refused_says_nothing_of_a_plan_whose_reply_was_lost() -> None:
    """It may be stored: nobody may say that nothing was."""
    wrong = asyncpg.NumericValueOutOfRangeError("smallint out of range")
    connection = Told(LOST, wrong, wrong)

    async def connect() -> Told:
        return connection

    door = Committer(connect, Clock(), writers=1)
    await door.start()
    with pytest.raises(CommitUnknown, match="the repeat refused"):
        await door.submit_until_known(FIRST)
    assert (await door.submit_until_known(FIRST)).verdict is V.POISON  # in no doubt
    await door.stop()


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([LOST, ([1], [FIRST.payment])], Verdicted(V.APPLIED)),
        ([LOST, ([1], [SECOND.payment])], Verdicted(V.DUPLICATE, SECOND.payment)),
        ([([1], [FIRST.payment])], Verdicted(V.DUPLICATE, FIRST.payment)),
    ],
    ids=["its own, after a lost reply", "another's, after a lost reply", "its own, in no doubt"],
)
async def test_only_whose_reply_was_lost_takes_its_own_payment_for_the_answer(
    answers: list[Any], told: Verdicted
) -> None:
    connection = Told(*answers)

    async def connect() -> Told:
        return connection

    door = Committer(connect, Clock(), writers=1)
    await door.start()
    assert await door.submit_until_known(FIRST) == told
    assert connection.ended == len(answers) - 1  # what lost a reply says nothing any more
    await door.stop()


class Away:
    """Postgres: it lets one connection in, which loses its reply, and is gone for good then."""

    def __init__(self) -> None:
        self._first: list[Told] = [Told(LOST)]

    async def __call__(self) -> Told:
        if not self._first:
            raise ConnectionRefusedError("gone")
        return self._first.pop()


async def test_a_process_that_ends_gives_up_what_nobody_can_store(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was tried for ever, and whoever waited for it kept the process from ending."""
    monkeypatch.setattr(committer, "LAST_TRIES_SECONDS", 0.0)
    door = Committer(Away(), Clock(), writers=1)
    await door.start()
    waiting = [asyncio.create_task(door.submit_until_known(plan)) for plan in (FIRST, SECOND)]
    await asyncio.sleep(0)
    door.end_soon()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in ended] == [CommitUnknown] * 2
    told = [record.message for record in caplog.records if "given up" in record.message]
    assert len(told) == 2
    late = door.submit(FIRST)
    await door.stop()
    assert isinstance(late.exception(), CommitUnknown)


async def test_a_process_that_ends_stores_what_can_be_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(committer, "LAST_TRIES_SECONDS", 0.0)

    async def connect() -> Told:
        return Told(STORED)

    door = Committer(connect, Clock(), writers=1)
    await door.start()
    door.end_soon()
    assert (await door.submit_until_known(FIRST)).verdict is V.APPLIED
    await door.stop()

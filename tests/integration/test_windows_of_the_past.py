"""What of a past a question counts, at the edge of each window, and how long it is kept."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from engine.clock import first_id_at
from engine.compliance import history
from engine.compliance.clearance import Action
from engine.compliance.history import HistoryStore, Named, Question
from engine.compliance.risk import History
from engine.money import Money
from engine.msisdn import Msisdn
from tests.integration.compliance_room import JANE, JUMA, NAKATO, STRANGER, House
from tests.unit.session.rooms import FakeClock

HALF_AN_HOUR, HOUR, DAY = 1800, 3600, 86_400
WEEK = 7 * DAY


@pytest.fixture
async def house(pool: Any) -> AsyncIterator[House]:
    yield House(pool, FakeClock(datetime(2026, 11, 4, 9, tzinfo=UTC).timestamp()))


async def asked(house: House, question: Question, action: Action = Action.ALLOW) -> None:
    """It left its trace, and so it was decided."""
    await house.history_of(question)
    if action is not Action.ALLOW:
        clearance = await house.compliance.recheck(None, question)
        assert clearance is not None
        await house.history.keep(question, msgspec.structs.replace(clearance, action=action))


def to_jane(house: House, ago_seconds: float, *, kes: int = 0, ugx: int = 0) -> Question:
    """Of shillings that she receives."""
    receives = Money(kes * 100, "KES") if kes else Money(ugx, "UGX")
    return house.question(10, payer=JUMA, payee=JANE, ago_seconds=ago_seconds, receives=receives)


@pytest.mark.parametrize(
    ("before", "action"),
    [
        ({"ago_seconds": 1_500, "ugx": 5_000}, Action.ALLOW),
        ({"ago_seconds": 1_500, "kes": 5}, Action.REFUSE),
        ({"ago_seconds": HALF_AN_HOUR, "kes": 5}, Action.ALLOW),
    ],
    ids=["in another currency", "refused", "half an hour ago"],
)
async def test_what_was_sent_before_anything_came_in_was_not_passed_on(
    house: House, before: dict[str, Any], action: Action
) -> None:
    """Else who pays the rent, and is then paid, is held as somebody who passes money on."""
    await asked(house, to_jane(house, **before), action)
    await asked(house, house.question(500, ago_seconds=1_200))
    await asked(house, to_jane(house, 600, kes=1_000))
    counted = await house.history_of(house.question(100))
    assert (counted.received_recent_minor, counted.passed_on_minor) == (100_000, 0)


@pytest.mark.parametrize("what", ["as it came", "in another currency", "refused", "more than came"])
async def test_of_what_was_sent_since_only_what_it_may_be_was_passed_on(
    house: House, what: str
) -> None:
    await asked(house, to_jane(house, 900, kes=1_000))
    sent = house.question(1_201 if what == "more than came" else 500, ago_seconds=600)
    if what == "in another currency":
        sent = msgspec.structs.replace(sent, amount=Money(50_000, "UGX"))
    await asked(house, sent, Action.REFUSE if what == "refused" else Action.ALLOW)
    counted = await house.history_of(house.question(100))
    assert counted.passed_on_minor == (50_000 if what == "as it came" else 0)


async def test_what_is_near_a_limit_in_one_currency_is_not_so_in_another(house: House) -> None:
    """A limit is in minor units of its own currency: those of another are another sum."""
    sent = house.question(17_500, ago_seconds=HOUR)
    await asked(house, sent)
    ugx = msgspec.structs.replace(sent, quote_id=house.ids.hex(), amount=Money(1_750_000, "UGX"))
    await asked(house, ugx)
    assert (await house.history_of(house.question())).near_limit_week_count == 1


COUNTED_FOR = {
    "sent_hour_count": HOUR,
    "payees_day_count": DAY,
    "near_limit_week_count": WEEK,
    "received_recent_minor": HALF_AN_HOUR,
    "payers_day_count": DAY,
    "payee_payers_day_count": DAY,
}


@pytest.mark.parametrize("count", COUNTED_FOR)
async def test_a_window_ends_where_it_is_as_long_as_it_says(house: House, count: str) -> None:
    def of_the_past(seconds: float) -> Question:
        if count == "payee_payers_day_count":
            return house.question(payer=STRANGER, ago_seconds=seconds)
        if count in ("received_recent_minor", "payers_day_count"):
            return to_jane(house, seconds, kes=1_000)
        return house.question(17_500, ago_seconds=seconds)

    await asked(house, of_the_past(COUNTED_FOR[count]))
    assert getattr(await house.history_of(house.question()), count) == 0
    await house.pool.execute("delete from clearance")
    await asked(house, of_the_past(COUNTED_FOR[count] - 0.001))
    assert getattr(await house.history_of(house.question()), count) > 0


@pytest.mark.parametrize(("seconds", "is_counted"), [(0, True), (-0.001, False)])
async def test_what_was_asked_at_the_same_moment_counts_and_what_came_after_does_not(
    house: House, seconds: float, is_counted: bool
) -> None:
    for past in (
        house.question(17_500, ago_seconds=seconds),
        house.question(payer=STRANGER, ago_seconds=seconds),
        to_jane(house, seconds, kes=1_000),
    ):
        await asked(house, past)
    counted = await house.history_of(house.question())
    assert (counted.sent_hour_count, counted.payee_payers_day_count, counted.payers_day_count) == (
        (1, 1, 1) if is_counted else (0, 0, 0)
    )


async def test_a_question_asked_again_does_not_count_itself_on_either_side(house: House) -> None:
    question = house.question()
    assert await house.history_of(question) == await house.history_of(question) == History()


async def test_of_a_long_past_the_newest_five_hundred_are_counted(house: House) -> None:
    """A bound for every question: who asks often makes nobody wait."""
    now_ms = int(house.clock.epoch() * 1000)
    first = UUID(first_id_at(house.clock.now())).int
    people = [(JANE, NAKATO), (JUMA, JANE), (STRANGER, NAKATO)]
    await house.pool.executemany(
        "insert into clearance (tenant, quote, at_ms, payer, payee, minor, currency,"
        " receives_minor, receives_currency) values (1, $1, $2, $3, $4, 1, 'KES', 1, 'KES')",
        [
            (UUID(int=first + 1000 * m + n), now_ms - 1_000_000 + n, payer, payee)
            for m, (payer, payee) in enumerate(people)
            for n in range(501)
        ]
        # Older ones, whom nobody would miss unless they stood in the way of those.
        + [
            (
                UUID(int=first + 1000 * m + 501 + n),
                now_ms - HOUR * 1500 - n,
                payer or f"+2547{n}",
                payee,
            )
            for m, (payer, payee) in enumerate((("", JANE), ("", NAKATO), (JANE, JUMA)))
            for n in range(10)
        ],
    )
    counted = await house.history_of(house.question())
    assert (counted.sent_hour_count, counted.received_recent_minor) == (500, 500)
    assert (counted.payers_day_count, counted.payee_payers_day_count) == (1, 1)


# How long it is kept, and what with it.


async def test_a_trace_is_kept_for_thirty_five_days(house: House) -> None:
    await asked(house, house.question())
    house.clock.seconds += 35 * DAY - 1
    assert await house.history.forget(house.clock.now()) == 0
    house.clock.seconds += 2
    assert await house.history.forget(house.clock.now()) == 1


async def test_old_traces_are_forgotten_some_at_a_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest first: one statement that deleted a month's would hold up the others."""
    monkeypatch.setattr(history, "FORGOTTEN_AT_ONCE", 2)
    for payee in (NAKATO, JUMA, STRANGER):
        await asked(house, house.question(payee=payee))
        house.clock.seconds += 1
    later = house.clock.now() + timedelta(days=36)
    assert await house.history.forget(later) == 2
    assert await house.pool.fetchval("select payee from clearance") == STRANGER
    assert [await house.history.forget(later) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("payee", [NAKATO, STRANGER])
async def test_names_are_kept_as_long_as_it_is_about_the_same_payee(
    house: House, payee: Msisdn
) -> None:
    """Staff who look at a payment are shown whose name was meant, and no one else's."""
    question = house.question()
    clearance = await house.compliance.recheck(None, question)
    assert clearance is not None
    store, name = HistoryStore(house.pool, 1), Named("payee", "staff", "Sarah Nakato")
    await store.keep(question, clearance, [name])
    await store.keep(msgspec.structs.replace(question, payee=payee), clearance)
    assert await store.names_of(question.quote_id) == ([name] if payee == NAKATO else [])

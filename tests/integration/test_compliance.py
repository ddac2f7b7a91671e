"""Compliance on a real Postgres: who somebody is, what went before, and what follows."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from engine.clock import first_id_at
from engine.compliance.clearance import Action, replay, seen_in
from engine.compliance.history import KEPT_DAYS, LOOK
from engine.compliance.reports import suspicious
from engine.compliance.risk import History
from engine.decisions import Decision, Kind
from engine.errors import CustomerMistake, NoWayNow
from engine.money import Money
from engine.msisdn import Msisdn
from tests.integration.compliance_room import (
    BORN,
    JANE,
    JUMA,
    LISTED,
    NAKATO,
    POLICY,
    STRANGER,
    House,
)
from tests.unit.compliance.lists_of_nobody import un
from tests.unit.session.rooms import FakeClock


@pytest.fixture
async def house(pool: Any) -> AsyncIterator[House]:
    # Noon in Nairobi, so that no test runs by night.
    yield House(pool, FakeClock(datetime(2026, 11, 4, 9, tzinfo=UTC).timestamp()))


# Who somebody is.


async def test_what_staff_take_down_is_kept_beside_what_was_known(house: House) -> None:
    await house.register(JANE)
    assert await house.profiles.describe(JANE, tier=1, name="Jane Doe", born=BORN) is not None
    later = await house.profiles.describe(JANE, tier=2)
    assert later is not None
    assert (later.tier, later.name, later.born) == (2, "Jane Doe", BORN)
    assert await house.profiles.find([JANE, STRANGER]) == {JANE: later}


async def test_who_is_not_registered_here_is_not_described(house: House) -> None:
    assert await house.profiles.describe(STRANGER, name="Nobody") is None
    await house.register(JANE)
    assert await House(house.pool, house.clock, tenant=2).profiles.describe(JANE, tier=2) is None


# What a payment is allowed.


async def test_an_ordinary_payment_is_allowed_and_says_what_it_counts(house: House) -> None:
    await house.load()
    await house.register(JANE, name="Jane Wanjiku")
    clearance = await house.check(house.question())
    assert clearance.action is Action.ALLOW
    assert clearance.decision.outcome == "allow"
    ceiling = POLICY.limits.of(0, "KES")
    assert clearance.allowance.minor == 123_400
    assert clearance.allowance.day_minor_max == ceiling.day_minor_max
    assert clearance.allowance.month == 202611
    seen = seen_in(clearance.decision)
    assert (seen.lists, seen.named, seen.tier) == ({"ofac_sdn": 1, "un": 1}, ("payer",), 0)


async def test_the_tier_that_staff_set_has_the_last_word(house: House) -> None:
    too_much = POLICY.limits.of(0, "KES").payment_minor_max // 100 + 1
    await house.register(JANE)
    with pytest.raises(CustomerMistake) as caught:
        await house.check(house.question(too_much), tier=2)
    assert caught.value.text_key == "mistake.limit_payment"
    await house.profiles.describe(JANE, tier=1)
    assert (await house.check(house.question(too_much), tier=0)).action is Action.ALLOW


async def test_for_a_day_after_a_pin_was_chosen_anew_the_lowest_tier_binds(house: House) -> None:
    await house.register(JANE, tier=1)
    too_much = POLICY.limits.of(0, "KES").payment_minor_max // 100 + 1
    tomorrow = house.clock.now() + timedelta(days=1)
    await house.pool.execute("update customer set tier_paused_until = $1", tomorrow)
    house.clock.seconds += 24 * 3600 - 1
    with pytest.raises(CustomerMistake):
        await house.check(house.question(too_much), tier=1)
    house.clock.seconds += 1
    assert (await house.check(house.question(too_much), tier=1)).action is Action.ALLOW


@pytest.mark.parametrize("side", ["payer", "payee"])
async def test_a_listed_name_is_held_on_either_side(house: House, side: str) -> None:
    await house.load()
    await house.register(JANE, name=LISTED if side == "payer" else "Jane Wanjiku")
    await house.register(NAKATO, name="Sarah Nakato" if side == "payer" else LISTED)
    clearance = await house.check(house.question())
    assert clearance.action is Action.HOLD
    (found,) = seen_in(clearance.decision).resemblances
    assert (found.who, found.match.entry_id) == (side, "90001")
    assert house.noted == []


async def test_a_listed_name_with_its_date_of_birth_is_refused_without_saying_why(
    house: House,
) -> None:
    await house.load()
    await house.register(JANE, name=LISTED, born=BORN)
    question = house.question()
    with pytest.raises(NoWayNow) as caught:
        await house.check(question)
    assert (caught.value.text_key, caught.value.variables) == ("no_way.refused", {})
    (decision,) = house.noted
    assert decision.outcome == "refuse"
    (flagged,) = await house.history.flagged(question.at, question.at + timedelta(seconds=1))
    assert msgspec.json.encode(flagged.decision) == msgspec.json.encode(decision)


async def test_neither_decision_nor_log_holds_a_name_or_a_number(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.load()
    await house.register(JANE, name=LISTED, born=BORN)
    question = house.question()
    with caplog.at_level(logging.DEBUG), pytest.raises(NoWayNow):
        await house.check(question)
    kept = msgspec.json.encode(house.noted).decode() + caplog.text
    kept = kept.replace(question.quote_id, "")  # any digits may stand in it
    for secret in ("Kasem", "Zubaidi", "ZUBAIDI", "1954", JANE, JANE[1:], NAKATO[1:]):
        assert secret not in kept


async def test_without_a_list_payments_are_flagged_or_stopped_as_is_set(house: House) -> None:
    clearance = await house.check(house.question())
    assert clearance.action is Action.ALLOW
    assert "no list loaded" in clearance.reasons
    strict = House(house.pool, house.clock, required=True)
    with pytest.raises(NoWayNow) as caught:
        await strict.check(strict.question())
    assert caught.value.text_key == "no_way.busy"
    await strict.load()
    assert (await strict.check(strict.question())).action is Action.ALLOW
    assert await strict.compliance.why_waiting() is None


async def test_one_of_two_lists_or_one_that_is_too_old_is_none_where_they_are_required(
    house: House,
) -> None:
    strict = House(house.pool, house.clock, required=True)
    await strict.lists.load(un(), int(strict.clock.epoch() * 1000))
    await strict.screener.refresh()
    with pytest.raises(NoWayNow, match=r"no_way\.busy"):
        await strict.check(strict.question())
    waits = await strict.compliance.why_waiting()
    assert waits is not None
    assert (waits.outcome, waits.reason) == ("wait", "sanctions list ofac_sdn is not loaded")
    assert replay(waits) == waits
    await strict.load()
    assert (await strict.check(strict.question())).action is Action.ALLOW
    strict.clock.seconds += (POLICY.screening.list_expired_days * 24 + 1) * 3600
    with pytest.raises(NoWayNow, match=r"no_way\.busy"):
        await strict.check(strict.question())
    assert (await house.check(house.question())).action is Action.ALLOW  # who requires none


async def test_the_same_question_again_gets_the_same_answer_and_leaves_one_trace(
    house: House,
) -> None:
    question = house.question()
    first = await house.check(question)
    again, other = await asyncio.gather(house.check(question), house.check(question))
    assert first == again == other
    assert await house.traces() == 1


async def test_a_small_payment_leaves_no_trace(house: House) -> None:
    await house.check(house.question(100))
    assert await house.traces() == 0


async def test_a_held_payment_is_kept_however_small(house: House) -> None:
    await house.load()
    await house.register(JANE, name=LISTED)
    assert (await house.check(house.question(100))).action is Action.HOLD
    assert await house.traces() == 1


async def test_a_mule_is_held(house: House) -> None:
    await house.register(JANE)
    for n in range(6):
        sender = Msisdn(f"+2567720001{n:02d}")
        await house.history_of(
            house.question(
                200, payer=sender, payee=JANE, ago_seconds=600, receives=Money(20_000, "KES")
            )
        )
    clearance = await house.check(house.question(1_200))
    assert clearance.action is Action.HOLD
    assert {hit.rule for hit in seen_in(clearance.decision).hits} == {
        "passed_on",
        "collects_from_many",
    }


async def test_a_mule_that_halves_what_it_passes_on_is_held_as_well(house: House) -> None:
    """Also behind tries that come to nothing: what is asked for counts, and what is larger than all
    that came in hides none of it."""
    await house.register(JANE)
    house.clock.seconds += 60
    await house.check(house.question(600, ago_seconds=1_000))  # before anything came in
    for n in range(6):
        sender = Msisdn(f"+2567720001{n:02d}")
        to_jane = house.question(
            200, payer=sender, payee=JANE, ago_seconds=600, receives=Money(20_000, "KES")
        )
        await house.history_of(to_jane)
    actions = []
    for shillings in (4_000, 600, 600):
        house.clock.seconds += 10
        actions.append((await house.check(house.question(shillings))).action)
    assert actions == [Action.ALLOW, Action.ALLOW, Action.HOLD]


async def test_questions_of_one_moment_are_answered_apart(house: House) -> None:
    await house.load()
    await house.register(JANE, name=LISTED)
    await house.register(JUMA, name="Juma Otieno", tier=1)
    asked = [house.question(payer=payer) for payer in (JANE, JUMA, STRANGER) for _ in range(20)]
    answers = await asyncio.gather(*(house.check(question) for question in asked))
    actions = {q.quote_id: a.action for q, a in zip(asked, answers, strict=True)}
    held = {q.quote_id for q in asked if q.payer == JANE}
    assert {quote for quote, action in actions.items() if action is Action.HOLD} == held
    assert {seen_in(a.decision).tier for a in answers[20:40]} == {1}


# What went before.


async def test_history_counts_what_was_asked_within_each_window(house: House) -> None:
    hour, day = 3600, 86_400
    past = [
        house.question(100, payee=NAKATO, ago_seconds=hour / 2),
        house.question(17_500, payee=JUMA, ago_seconds=hour - 1),
        house.question(17_500, payee=STRANGER, ago_seconds=hour + 1),
        house.question(17_500, payee=Msisdn("+256772000009"), ago_seconds=day + 1),
        house.question(17_500, ago_seconds=7 * day + 1),
        # To the payer, within and beyond half an hour, and in another currency.
        house.question(10, payer=JUMA, payee=JANE, ago_seconds=1_700, receives=Money(500, "KES")),
        house.question(10, payer=JUMA, payee=JANE, ago_seconds=1_900, receives=Money(70, "KES")),
        house.question(
            10, payer=STRANGER, payee=JANE, ago_seconds=60, receives=Money(9_000, "UGX")
        ),
        # By others to the same payee.
        house.question(10, payer=JUMA, payee=NAKATO, ago_seconds=hour),
        house.question(10, payer=STRANGER, payee=NAKATO, ago_seconds=day + 1),
    ]
    for question in past:
        await house.history_of(question)
    assert await house.history_of(house.question()) == History(
        sent_hour_count=2,
        payees_day_count=3,
        near_limit_week_count=3,
        received_recent_minor=500,
        payers_day_count=2,
        payee_payers_day_count=1,
        passed_on_minor=0,  # what was sent within that time is more than came in
    )


async def test_a_refused_payment_brought_nobody_money(house: House) -> None:
    await house.load()
    await house.register(STRANGER, name=LISTED, born=BORN)
    to_jane = house.question(1_000, payer=STRANGER, payee=JANE, receives=Money(100_000, "KES"))
    with pytest.raises(NoWayNow):
        await house.check(to_jane)
    assert (await house.history_of(house.question())).received_recent_minor == 0


async def test_tenants_do_not_see_each_others_past(house: House) -> None:
    await house.history_of(house.question())
    other = House(house.pool, house.clock, tenant=2)
    assert await other.history_of(other.question()) == History()


async def test_old_traces_are_forgotten_and_flagged_ones_stay(house: House) -> None:
    await house.load()
    await house.register(JUMA, name=LISTED)
    for payer in (JANE, JUMA):
        await house.check(house.question(payer=payer))
    house.clock.seconds += KEPT_DAYS * 86_400 + 1
    await house.check(house.question())
    assert await house.history.forget(house.clock.now()) == 1
    assert await house.history.forget(house.clock.now()) == 0
    assert await house.traces() == 2


@pytest.mark.long("fills a large table")
async def test_the_index_answers_for_history_in_a_large_table(house: House) -> None:
    first = UUID(first_id_at(house.clock.now() - timedelta(days=7))).int
    await house.pool.executemany(
        "insert into clearance (tenant, quote, at_ms, payer, payee, minor, currency,"
        " receives_minor, receives_currency) values (1, $1, $2, $3, $4, 1, 'KES', 1, 'UGX')",
        [
            (UUID(int=first + n), int(house.clock.epoch() * 1000), f"+254{n % 500}", f"+256{n}")
            for n in range(20_000)
        ],
    )
    await house.pool.execute("analyze clearance")
    question = house.question()
    at_ms = int(question.at.timestamp() * 1000)
    plan = await house.pool.fetch(
        f"explain {LOOK}", 1, [question.quote_id], [at_ms], [JANE], [NAKATO], [1], ["KES"], [1],
        ["UGX"], [1], [1], [""], [JANE], [NAKATO],
    )  # fmt: skip
    told = "\n".join(row[0] for row in plan)
    assert "clearance_payer" in told
    assert "clearance_payee" in told
    assert "Seq Scan on clearance" not in told


async def test_two_people_are_looked_up_by_their_numbers_also_in_a_table_nobody_measured(
    house: House,
) -> None:
    """As after a start with many customers: joined by guess, all of them were read each time."""
    await house.pool.execute(
        "insert into customer (id, tenant, msisdn, country, language, tier, created_at)"
        " select gen_random_uuid(), 1, '+25471' || lpad(n::text, 7, '0'), 'KE', 'en', 0, now()"
        " from generate_series(1, 5000) n"
    )
    asked = [f"+25471{n:07d}" for n in range(1, 13)]
    row = ([house.question().quote_id] * 12, [1] * 12, asked, asked, [1] * 12, ["KES"] * 12,
           [1] * 12, ["UGX"] * 12, [1] * 12, [0] * 12, [""] * 12, asked, asked)  # fmt: skip
    plan = await house.pool.fetch(f"explain (analyze, timing off) {LOOK}", 1, *row)
    assert _rows_removed(plan) < 100


def _rows_removed(plan: list[Any]) -> int:
    """How many rows a plan read for nothing, a loop."""
    told = "\n".join(row[0] for row in plan)
    return sum(map(int, re.findall(r"Rows Removed by (?:Join )?Filter: (\d+)", told)))


# Again, before the payout.


async def test_nothing_is_decided_again_while_lists_and_names_are_the_same(house: House) -> None:
    await house.load()
    await house.register(JANE, name="Jane Wanjiku")
    question = house.question()
    decision = (await house.check(question)).decision
    assert await house.compliance.recheck(decision, question) is None
    await house.profiles.describe(JANE, name="Jane Wanjiku Otieno")
    assert await house.compliance.recheck(decision, question) is None


async def test_who_is_listed_after_the_confirm_is_held_before_the_payout(house: House) -> None:
    await house.register(JANE, name=LISTED, born=BORN)
    question = house.question()
    decision = (await house.check(question)).decision
    await house.load()
    clearance = await house.compliance.recheck(decision, question)
    assert clearance is not None
    assert clearance.action is Action.HOLD  # never refused: the money is here
    assert clearance.decision.outcome == "hold"
    (flagged,) = await house.history.flagged(question.at, question.at + timedelta(seconds=1))
    assert flagged.action == Action.HOLD


async def test_who_is_still_not_listed_goes_on(house: House) -> None:
    await house.register(JANE, name="Jane Wanjiku")
    question = house.question()
    decision = (await house.check(question)).decision
    await house.load()
    clearance = await house.compliance.recheck(decision, question)
    assert clearance is not None
    assert clearance.action is Action.ALLOW


@pytest.mark.parametrize(
    "earlier", [None, Decision(Kind.COMPLIANCE, "allow", "by another release", {"score": 1})]
)
async def test_a_decision_that_cannot_be_read_is_made_again(
    house: House, earlier: Decision | None
) -> None:
    await house.load()
    await house.register(NAKATO, name=LISTED)
    clearance = await house.compliance.recheck(earlier, house.question())
    assert clearance is not None
    assert clearance.is_hold


# What staff and authorities read.


async def test_staff_read_which_entry_and_why(house: House) -> None:
    await house.load()
    await house.register(JANE, name=LISTED)
    clearance = await house.check(house.question())
    explained = "\n".join(house.compliance.explain(clearance.decision))
    assert "payer resembles ofac_sdn:90001 name 1 with 95 of 100" in clearance.decision.reason
    assert "the name that resembles is Mohammed Kassem AL-ZUBAIDI" in explained
    assert "TEST-A, TEST-B" in explained


async def test_the_report_lists_what_was_held_and_refused_in_its_period(house: House) -> None:
    await house.load()
    await house.register(JANE, name=LISTED)
    await house.register(JUMA, name=LISTED, born=BORN)
    await house.check(house.question(payer=STRANGER))
    start = house.clock.now()
    await house.check(house.question(payer=JANE))
    house.clock.seconds += 60
    with pytest.raises(NoWayNow):
        await house.check(house.question(2_000, payer=JUMA))
    lines = list(suspicious(await house.history.flagged(start, start + timedelta(hours=1))))
    assert [(line.action, line.payer, line.amount, line.likeness) for line in lines] == [
        ("hold", JANE, "1234.00", 95),
        ("refuse", JUMA, "2000.00", 100),
    ]
    assert list(suspicious(await house.history.flagged(start, start))) == []


async def test_what_is_held_only_before_the_payout_is_in_the_report_of_that_day(
    house: House,
) -> None:
    """The report of the day it was asked on may be written; that of neither day may lack it."""
    day = timedelta(days=1)
    await house.register(JANE, name=LISTED)
    asked = house.clock.now()
    question = house.question()
    decision = (await house.check(question)).decision
    house.clock.seconds += day.total_seconds() * 2
    await house.load()
    held = house.clock.now()
    later = msgspec.structs.replace(question, at=held)
    for _ in range(2):
        assert (await house.compliance.recheck(decision, later)) is not None
        (line,) = suspicious(await house.history.flagged(held, held + day))
        assert (line.action, line.payer, line.at) == ("hold", JANE, question.at)
        later = msgspec.structs.replace(question, at=held + day)  # the same, once more
    assert len(await house.history.flagged(asked, asked + day)) == 1
    assert await house.history.flagged(held + day, held + 2 * day) == []

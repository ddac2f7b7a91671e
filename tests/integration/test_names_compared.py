"""Every name that is known of a payer or payee is compared: by whose word, when, and once."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from engine.compliance.clearance import CLIENT, OPERATOR, STAFF, Action, replay, seen_in
from engine.compliance.compliance import Compliance
from engine.compliance.history import Named
from engine.compliance.lists.listed import ListFile
from engine.compliance.policy import NamePolicy
from engine.decisions import Decision
from engine.errors import NoWayNow
from tests.integration.compliance_room import (
    BORN,
    JANE,
    LISTED,
    NAKATO,
    POLICY,
    STRANGER,
    House,
)
from tests.integration.counter_room import Counted
from tests.unit.compliance.lists_of_nobody import sdn
from tests.unit.session.rooms import FakeClock

OTHER = "Vymyshlen Nesushchestvuyev"
"""Another one of the invented lists."""


@pytest.fixture
async def house(pool: Any) -> AsyncIterator[House]:
    # Noon in Nairobi, so that no test runs by night.
    yield House(pool, FakeClock(datetime(2026, 11, 4, 9, tzinfo=UTC).timestamp()))


def entries(decision: Decision) -> list[tuple[str, str, str]]:
    found = seen_in(decision).resemblances
    return [(each.who, each.named_by, each.match.entry_id) for each in found]


def stored(decision: Decision) -> Decision:
    """As it is read from the journal."""
    return msgspec.json.decode(msgspec.json.encode(decision), type=Decision)


def shortened(file: ListFile) -> ListFile:
    """Its next version, a little smaller."""
    return msgspec.structs.replace(file, entries=file.entries[:-1])


class Asked:
    """The operators of both, which are asked for names before a payout; None: they are silent."""

    def __init__(self, payee: str | None = "", payer: str | None = "") -> None:
        self.names = {"payee": payee, "payer": payer}
        self.asked: list[str] = []

    def __call__(self, who: str) -> str | None:
        self.asked.append(who)
        return self.names[who]

    @property
    def times(self) -> int:
        """How often for the payee."""
        return self.asked.count("payee")


# What an operator tells with the price.


async def test_the_name_that_an_operator_tells_of_a_payee_holds_though_staff_know_none(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.load()
    question = house.question()
    with caplog.at_level(logging.DEBUG):
        clearance = await house.check(question, told=LISTED)
    assert clearance.action is Action.HOLD
    assert entries(clearance.decision) == [("payee", OPERATOR, "90001")]
    assert "payee resembles ofac_sdn:90001" in clearance.decision.reason
    assert "as its operator names the wallet" in clearance.decision.reason
    kept = msgspec.json.encode(clearance.decision).decode() + caplog.text
    assert not any(word in kept for word in ("Kasem", "Zubaidi"))
    assert await house.history.names_of(question.quote_id) == [Named("payee", OPERATOR, LISTED)]


@pytest.mark.parametrize(
    "told",
    [
        "AL-ZUBAIDI MOHAMED KASEM", "mOHAMED kASEM aL-zUBAIDI", "Zubaidi  Kasem,Mohamed",
        "Несуществуев Вымышлен", "VYMYSHLEN NESUSHCHESTVUYEV", "أسامة بن خيال", "khayal usama",
    ],
)  # fmt: skip
async def test_order_case_and_script_of_what_is_told_make_no_difference(
    house: House, told: str
) -> None:
    await house.load()
    assert (await house.check(house.question(), told=told)).action is Action.HOLD


@pytest.mark.parametrize("told", ["Sarah Nakato", "M. K. Al-Zubaidi", "Mohamed K Zubaidi", "م"])
async def test_who_is_told_by_initials_or_resembles_nobody_goes_on(house: House, told: str) -> None:
    await house.load()
    clearance = await house.check(house.question(), told=told)
    assert clearance.action is Action.ALLOW
    assert seen_in(clearance.decision).told == ("payee",)


@pytest.mark.parametrize(
    "told", ["M****** K**** Z******", "MOHAMED K****", "Mari*** Sol**", "****"]
)
async def test_a_name_with_hidden_letters_is_compared_with_nobody_and_the_decision_says_so(
    house: House, told: str
) -> None:
    await house.load()
    clearance = await house.check(house.question(), told=told)
    assert clearance.action is Action.ALLOW
    seen = seen_in(clearance.decision)
    assert (seen.told, seen.masked, seen.resemblances) == ((), ("payee",), ())
    assert "payee: the operator hides letters of the name" in clearance.reasons


async def test_what_no_operator_tells_changes_no_decision(house: House) -> None:
    await house.load()
    await house.register(NAKATO, name=LISTED)
    question = house.question()
    inputs = (await house.check(question)).decision.inputs
    assert "told" not in inputs and "masked" not in inputs and "known" not in inputs
    assert all("named_by" not in each for each in inputs["resemblances"])


async def test_each_price_is_held_by_the_name_that_was_told_with_it(house: House) -> None:
    await house.load()
    names = ("Sarah Nakato", LISTED, "Sarah Nakato", OTHER)
    actions = [(await house.check(house.question(), told=name)).action for name in names]
    assert actions == [Action.ALLOW, Action.HOLD, Action.ALLOW, Action.HOLD]


async def test_both_names_of_a_payee_are_compared_each_by_whose_word_it_is(house: House) -> None:
    await house.load()
    await house.register(NAKATO, name=OTHER)
    question = house.question()
    clearance = await house.check(question, told=LISTED)
    assert entries(clearance.decision) == [("payee", STAFF, "80001"), ("payee", OPERATOR, "90001")]
    assert await house.history.names_of(question.quote_id) == [
        Named("payee", STAFF, OTHER), Named("payee", OPERATOR, LISTED),
    ]  # fmt: skip


async def test_a_birth_counts_for_the_told_name_of_whom_staff_have_named_alone(
    house: House,
) -> None:
    """Another holder's wallet is not cleared by the birth of whom staff have seen."""
    await house.load()
    await house.register(NAKATO, name="Mohammed Qasem Zubaidi", born=date(1994, 1, 1))
    assert (await house.check(house.question(), told=LISTED)).action is Action.ALLOW
    await house.profiles.describe(NAKATO, name="Sarah Nakato")
    assert (await house.check(house.question(), told=LISTED)).action is Action.HOLD


async def test_a_told_name_with_the_birth_of_the_same_person_refuses(house: House) -> None:
    await house.load()
    await house.register(NAKATO, name=LISTED, born=BORN)
    question = house.question()
    with pytest.raises(NoWayNow):
        await house.check(question, told=LISTED)
    named = await house.history.names_of(question.quote_id)
    assert {each.named_by for each in named} == {STAFF, OPERATOR}


async def test_a_told_name_costs_a_confirm_no_statement(house: House) -> None:
    await house.load()
    counted = Counted(house.pool)
    beside = House(counted, house.clock)
    await beside.screener.refresh()
    counted.statements.clear()
    await beside.check(beside.question(), told="Sarah Nakato")
    assert len(counted.statements) == 1


async def test_the_decision_is_made_again_the_same(house: House) -> None:
    await house.load()
    decision = (await house.check(house.question(), told=LISTED)).decision
    kept = stored(decision)
    assert msgspec.json.encode(replay(kept)) == msgspec.json.encode(decision)
    kept.inputs["resemblances"] = []
    assert replay(kept).outcome == "allow"


# What staff take down after the confirm.


async def test_a_name_taken_down_after_the_confirm_holds_before_the_payout(house: House) -> None:
    await house.load()
    await house.register(NAKATO)
    question = house.question()
    decision = stored((await house.check(question)).decision)
    assert await house.compliance.recheck(decision, question) is None
    await house.profiles.describe(NAKATO, name=LISTED)
    clearance = await house.compliance.recheck(decision, question)
    assert clearance is not None and clearance.is_hold
    assert entries(clearance.decision) == [("payee", STAFF, "90001")]
    assert msgspec.json.encode(replay(stored(clearance.decision))) == msgspec.json.encode(
        clearance.decision
    )
    assert await house.history.names_of(question.quote_id) == [Named("payee", STAFF, LISTED)]


async def test_a_corrected_name_holds_again_only_for_somebody_new(house: House) -> None:
    await house.load()
    await house.register(NAKATO)
    question = house.question()
    decision = (await house.check(question)).decision
    await house.profiles.describe(NAKATO, name=LISTED)
    looked_at = await house.compliance.recheck(decision, question)
    assert looked_at is not None
    released = stored(looked_at.decision)  # people let it go on
    for name in (LISTED, "Mohammed Kassem Al-Zubaidi", "Sarah Nakato", LISTED):
        await house.profiles.describe(NAKATO, name=name)
        assert await house.compliance.recheck(released, question) is None
    await house.profiles.describe(NAKATO, name=OTHER)
    again = await house.compliance.recheck(released, question)
    assert again is not None and again.is_hold
    await house.profiles.describe(NAKATO, name=LISTED)  # decided on before, and still known
    assert await house.compliance.recheck(stored(again.decision), question) is None


async def test_a_birth_that_agrees_by_now_is_news_of_an_entry_that_was_looked_at(
    house: House,
) -> None:
    await house.load()
    await house.register(NAKATO, name=LISTED)
    question = house.question()
    held = stored((await house.check(question)).decision)
    assert await house.compliance.recheck(held, question) is None
    await house.profiles.describe(NAKATO, born=BORN)
    again = await house.compliance.recheck(held, question)
    assert again is not None and again.is_hold
    assert await house.compliance.recheck(stored(again.decision), question) is None


async def test_what_an_operator_told_and_people_looked_at_is_no_news_by_the_word_of_staff(
    house: House,
) -> None:
    await house.load()
    await house.register(NAKATO)
    question = house.question()
    held = stored((await house.check(question, told=LISTED)).decision)
    await house.profiles.describe(NAKATO, name=LISTED)
    assert await house.compliance.recheck(held, question) is None


async def test_of_a_payee_in_anothers_place_the_names_of_the_first_are_kept_no_more(
    house: House,
) -> None:
    await house.load()
    await house.register(STRANGER, name=OTHER)
    question = house.question()
    await house.check(question, told=LISTED)
    instead = msgspec.structs.replace(question, payee=STRANGER)
    held = await house.compliance.recheck(None, instead)
    assert held is not None and held.is_hold
    assert await house.history.names_of(question.quote_id) == [Named("payee", STAFF, OTHER)]


async def test_payouts_of_one_moment_are_looked_at_in_one_statement(house: House) -> None:
    await house.load()
    await house.register(NAKATO, name="Sarah Nakato")
    decision = (await house.check(house.question())).decision
    counted = Counted(house.pool)
    beside = House(counted, house.clock)
    await beside.screener.refresh()
    await house.profiles.describe(NAKATO, name=LISTED)
    counted.statements.clear()
    asked = [beside.question(payee=payee) for payee in (NAKATO, STRANGER) for _ in range(10)]
    answers = await asyncio.gather(*(beside.compliance.recheck(decision, each) for each in asked))
    assert [each is not None for each in answers] == [True] * 10 + [False] * 10
    assert sum("from customer" in statement for statement in counted.statements) == 1


async def test_without_a_list_nobody_is_looked_up_before_a_payout(house: House) -> None:
    question = house.question()
    decision = (await house.check(question)).decision
    counted = Counted(house.pool)
    other = House(counted, house.clock)
    await other.screener.need()
    counted.statements.clear()
    assert await other.compliance.recheck(decision, question) is None
    assert counted.statements == []


# What an operator told, once the lists have changed.


async def test_once_the_lists_have_changed_the_operator_is_asked_for_the_name_it_told(
    house: House,
) -> None:
    await house.lists.load(sdn(), int(house.clock.epoch() * 1000))
    await house.screener.refresh()
    question = house.question()
    told = stored((await house.check(question, told=OTHER)).decision)
    operator = Asked(OTHER)
    assert await house.recheck(told, question, operator) is None
    assert operator.times == 0
    await house.load()
    held = await house.recheck(told, question, operator)
    assert held is not None and held.is_hold and operator.times == 1
    assert entries(held.decision) == [("payee", OPERATOR, "80001")]
    silent = await house.recheck(told, question, Asked(None))
    assert silent is not None and not silent.is_hold


async def test_that_an_operator_tells_a_name_is_remembered_over_every_decision_in_between(
    house: House,
) -> None:
    """A release states the terms anew, with a decision for which no operator was asked."""
    await house.lists.load(sdn(), int(house.clock.epoch() * 1000))
    await house.screener.refresh()
    await house.register(NAKATO)
    question, operator = house.question(), Asked(None)
    told = stored((await house.check(question, told=OTHER)).decision)
    await house.profiles.describe(NAKATO, name=LISTED)
    released = await house.recheck(told, question, operator)
    assert released is not None and operator.times == 0
    await house.load()
    silent = await house.recheck(stored(released.decision), question, operator)
    assert silent is not None and operator.times == 1
    await house.lists.load(shortened(sdn()), int(house.clock.epoch() * 1000))
    await house.screener.refresh()
    operator.names["payee"] = OTHER
    held = await house.recheck(stored(silent.decision), question, operator)
    assert held is not None and operator.times == 2
    assert ("payee", OPERATOR, "80001") in entries(held.decision)


async def test_a_release_by_the_same_lists_forgets_no_name_that_was_compared(house: House) -> None:
    await house.load()
    await house.register(NAKATO)
    question = house.question()
    told = stored((await house.check(question, told="Sarah Nakato")).decision)
    await house.profiles.describe(NAKATO, name=LISTED)
    released = await house.recheck(told, question, Asked())
    assert released is not None and seen_in(released.decision).told == ("payee",)
    assert await house.compliance.unnamed(stored(released.decision)) == ("payer",)


async def test_of_a_payee_in_anothers_place_the_operator_is_asked(house: House) -> None:
    await house.load()
    held = await house.recheck(None, house.question(), Asked(LISTED))
    assert held is not None and held.is_hold


# What nobody told before the confirm.


async def test_of_whom_no_name_was_told_at_the_confirm_it_is_asked_behind_it(house: House) -> None:
    await house.load()
    question, operators = house.question(), Asked(LISTED)
    decision = stored((await house.check(question)).decision)
    held = await house.recheck(decision, question, operators)
    assert held is not None and held.is_hold
    assert entries(held.decision) == [("payee", OPERATOR, "90001")]
    assert operators.asked == ["payee", "payer"]
    assert await house.history.names_of(question.quote_id) == [Named("payee", OPERATOR, LISTED)]
    assert msgspec.json.encode(replay(stored(held.decision))) == msgspec.json.encode(held.decision)
    again = await house.recheck(stored(held.decision), question, operators)  # people released it
    assert again is None and operators.asked == ["payee", "payer", "payer"]


async def test_a_payer_whom_staff_have_not_named_is_compared_by_their_operators_word(
    house: House,
) -> None:
    await house.load()
    question = house.question()
    decision = stored((await house.check(question, told="Sarah Nakato")).decision)
    assert await house.compliance.unnamed(decision) == ("payer",)
    held = await house.recheck(decision, question, Asked(payer=LISTED))
    assert held is not None and entries(held.decision) == [("payer", OPERATOR, "90001")]


async def test_the_birth_of_a_payer_counts_for_the_name_that_staff_took_down_as_well(
    house: House,
) -> None:
    await house.load()
    await house.register(JANE, name="Mohammed Qasem Zubaidi", born=date(1994, 1, 1))
    question = house.question()
    decision = stored((await house.check(question)).decision)
    assert await house.recheck(decision, question, Asked(payer=LISTED)) is None
    await house.profiles.describe(JANE, name="Jane Wanjiru")
    held = await house.recheck(decision, question, Asked(payer=LISTED))
    assert held is not None and held.is_hold


@pytest.mark.parametrize("payee", ["Sarah Nakato", "", "J*** D**", None])
async def test_an_innocent_name_a_hidden_one_and_none_hold_nobody(
    house: House, payee: str | None
) -> None:
    await house.load()
    question = house.question()
    decision = stored((await house.check(question)).decision)
    assert await house.recheck(decision, question, Asked(payee)) is None


async def test_without_a_list_no_operator_is_asked(house: House) -> None:
    question, operators = house.question(), Asked(LISTED)
    decision = stored((await house.check(question)).decision)
    assert await house.recheck(decision, question, operators) is None
    assert operators.asked == []


def house_that_asks(house: House, **names: Any) -> House:
    """The same house, with another policy."""
    policy = msgspec.structs.replace(POLICY, names=NamePolicy(**names))
    house.compliance = Compliance(
        policy=policy, screener=house.screener, history=house.history, profiles=house.profiles
    )
    return house


async def test_a_house_may_leave_it_at_what_was_told_with_the_price(house: House) -> None:
    await house.lists.load(sdn(), int(house.clock.epoch() * 1000))
    await house.screener.refresh()
    house_that_asks(house, asked_of=())
    nameless = stored((await house.check(house.question())).decision)
    told = stored((await house.check(house.question(), told=OTHER)).decision)
    assert await house.compliance.unnamed(nameless) == await house.compliance.unnamed(told) == ()
    await house.load()
    assert await house.compliance.unnamed(nameless) == ()
    assert await house.compliance.unnamed(told) == ("payee",)


async def test_an_operators_silence_holds_once_where_the_house_wants_a_name(house: House) -> None:
    await house.load()
    house_that_asks(house, unknown="hold")
    question, operators = house.question(), Asked(None)
    decision = stored((await house.check(question)).decision)
    held = await house.recheck(decision, question, operators)
    assert held is not None and held.is_hold
    assert held.reasons == ("payee: the operator did not tell the name in time", "no name known")
    released = stored(held.decision)
    assert await house.recheck(released, question, operators) is None
    await house.lists.load(shortened(sdn()), int(house.clock.epoch() * 1000))
    await house.screener.refresh()
    after = await house.recheck(released, question, operators)
    assert after is not None and not after.is_hold
    operators.names["payee"] = LISTED
    named = await house.recheck(released, question, operators)
    assert named is not None and named.is_hold


async def test_a_wallet_without_a_name_is_no_silence(house: House) -> None:
    await house.load()
    house_that_asks(house, unknown="hold")
    question = house.question()
    decision = stored((await house.check(question)).decision)
    assert await house.recheck(decision, question, Asked("")) is None


# What the client tells that asks for the payment.


async def test_the_name_that_a_client_expects_is_compared_by_whose_word_it_is(house: House) -> None:
    await house.load()
    question = house.question()
    held = await house.check(question, told="Sarah Nakato", expected=LISTED)
    assert held.is_hold and entries(held.decision) == [("payee", CLIENT, "90001")]
    assert "as the client that asks names them" in held.reasons[0]
    assert await house.history.names_of(question.quote_id) == [Named("payee", CLIENT, LISTED)]
    assert seen_in(stored(held.decision)).expected == ("payee",)


async def test_what_a_client_expects_takes_no_operators_place(house: House) -> None:
    await house.load()
    decision = stored((await house.check(house.question(), expected="Sarah Nakato")).decision)
    assert await house.compliance.unnamed(decision) == ("payee", "payer")

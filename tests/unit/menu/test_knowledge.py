"""What the vocabulary says of verbs, variables and facts is what the session room does with them.

Each is given a session that knows exactly what it needs, and one that lacks it.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from engine.errors import CustomerMistake
from engine.menu import vocabulary
from engine.menu.knowledge import Knowledge, knowledge_problems
from engine.menu.paths import targets_of
from engine.menu.reading import read_menu
from engine.menu.screens import Choice, Menu, Move, Screen
from engine.menu.vocabulary import THINGS, VERBS, VerbFacts
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import LimitsLeft, MoneyRequest, PaymentSummary
from engine.session import variables
from engine.session.press import Press
from engine.session.session import PIN as PIN_KIND
from engine.session.session import Session
from engine.texts import Texts
from tests.unit.menu.cases import SOUND
from tests.unit.session.rooms import MENU, PAYER, PIN, TEXTS, House

MARY = Msisdn("+256772000002")
THOUSAND = Money(100_000, "KES")


class Room:
    """A house with one customer, one payment and one request, and sessions that know of them."""

    def __init__(self) -> None:
        self.house = House()
        self.verbs = self.house.build_verbs(TEXTS)

    async def session(self, things: set[str]) -> Session:
        """A session that knows some things and nothing else."""
        house = self.house
        customer = await house.customers.register(PAYER, "KE", "en", PIN)
        now = house.clock.now()
        summary = PaymentSummary(
            "CAPP000001", "collecting", THOUSAND, THOUSAND, MARY, now,
            incoming=False, may_cancel=True, payer=PAYER, fee=Money(1_050, "KES"),
        )  # fmt: skip
        request = MoneyRequest("ASK0000001", MARY, Money(27_000, "UGX"), now, "open")
        await house.customers.ask_pin_reset(customer)
        house.customers.allow_reset(PAYER)
        house.payments.histories[customer.customer_id] = [summary]
        house.payments.requests["ASK0000001"] = (PAYER, request)
        own = MoneyRequest("ASK0000002", PAYER, THOUSAND, now, "open", payer=MARY)
        house.payments.own_requests[customer.customer_id] = [own]
        session = Session("n", 1, "m", PAYER, "63902", "en", "KE", "x", [])
        give: dict[str, Callable[[], Any]] = {
            "customer": lambda: ("customer_id", customer.customer_id),
            "pin": lambda: ("pin_mac", house.seal.of(session, PIN_KIND, PIN)),
            "payee": lambda: ("payee", MARY),
            "amount": lambda: ("amount", THOUSAND),
            "code": lambda: ("code", "CAPP000001"),
            "summary": lambda: ("summary", summary),
            "request": lambda: ("request", request),
            "limits": lambda: ("limits", LimitsLeft(0, THOUSAND, THOUSAND, THOUSAND)),
            "name": lambda: ("name", "Mary"),
            "reference": lambda: ("reference", "C1"),
            "kept": lambda: ("kept", "+256772000002"),
            "answer": lambda: ("answer", "CM123"),
            "asked": lambda: ("asked", own),
        }
        for thing in things - {"quote"}:
            field, value = give[thing]()
            setattr(session, field, value)
        if "quote" in things:
            house.payments.fee_is_refunded = False  # of a fee that comes back nothing is told
            session.quote = await house.payments.quote(
                payer=customer, network="63902", payee=MARY, amount=THOUSAND
            )
        return session

    async def press(self, verb: str, session: Session) -> str:
        value = VALUES.get(VERBS[verb].takes or "")
        return await self.verbs[verb](Press(session, value, "k"))


VALUES: dict[str, object] = {
    "pin": PIN, "msisdn": MARY, "amount": THOUSAND, "code": "CAPP000001", "name": "Mary",
    "item:languages": "sw", "item:payees": f"{MARY} 100000 KES", "item:saved": f"{MARY} Mary",
    "item:payments": "CAPP000001", "item:requests": "ASK0000001", "item:wallets": "airtel_ug",
    "item:asked": "ASK0000002", "one_of": "not_arrived", "regex or range": 42,
}  # fmt: skip

ASKED = sorted(set(VERBS) - {vocabulary.RESUME})


def known(session: Session) -> set[str]:
    fields = {thing: thing for thing in THINGS} | {"customer": "customer_id", "pin": "pin_mac"}
    return {thing for thing, field in fields.items() if getattr(session, field) not in (None, "")}


@pytest.mark.parametrize("verb", ASKED)
async def test_a_verb_is_content_with_what_it_needs_and_makes_what_it_says(verb: str) -> None:
    room, facts = Room(), VERBS[verb]
    session = await room.session(set(facts.needs))
    outcome = await room.press(verb, session)
    assert outcome in facts.outcomes
    assert known(session) >= set(facts.made_on(outcome))


@pytest.mark.parametrize("verb", ASKED)
async def test_a_verb_leaves_alone_what_it_does_not_drop(verb: str) -> None:
    room, facts = Room(), VERBS[verb]
    session = await room.session(set(THINGS))
    outcome = await room.press(verb, session)
    lost = set(THINGS) - known(session)
    assert lost <= set(facts.dropped_on(outcome)) - set(facts.made_on(outcome))


@pytest.mark.parametrize(
    ("verb", "thing"), [(verb, thing) for verb in ASKED for thing in VERBS[verb].needs]
)
async def test_a_verb_cannot_do_without_what_it_needs(verb: str, thing: str) -> None:
    room, facts = Room(), VERBS[verb]
    session = await room.session(set(THINGS) - {thing})
    if thing in facts.refuses:
        with pytest.raises(CustomerMistake, match=facts.refuses[thing]):
            await room.press(verb, session)
    else:
        with pytest.raises(AssertionError):
            await room.press(verb, session)


VARIABLES = [
    (subject, name, things)
    for subject, names in vocabulary.SUBJECTS.items()
    for name, things in names.items()
]


@pytest.mark.parametrize(("subject", "name", "things"), VARIABLES)
async def test_a_variable_shows_something_with_any_of_its_things(
    subject: str, name: str, things: tuple[str, ...]
) -> None:
    room, show = Room(), variables.SUBJECTS[subject][name]
    for enough in [{thing} for thing in things] or [set[str]()]:
        assert show(await room.session(enough)) not in (None, "")


@pytest.mark.parametrize(("subject", "name", "things"), [row for row in VARIABLES if row[2]])
async def test_a_variable_shows_nothing_without_its_things(
    subject: str, name: str, things: tuple[str, ...]
) -> None:
    room, show = Room(), variables.SUBJECTS[subject][name]
    session = await room.session(set(THINGS) - set(things))
    try:
        shown = show(session)
    except AssertionError:
        return
    assert shown in (None, "")


@pytest.mark.parametrize("fact", sorted(vocabulary.FACTS))
async def test_a_fact_is_answered_from_its_things_alone(fact: str) -> None:
    room, things = Room(), set(vocabulary.FACTS[fact])
    assert variables.FACTS[fact](await room.session(things)) in (True, False)
    if things:
        bare = await room.session(set())
        with pytest.raises(AssertionError):
            variables.FACTS[fact](bare)


def test_every_thing_is_made_by_some_verb() -> None:
    made = {thing for facts in VERBS.values() for r in results(facts) for thing in facts.made_on(r)}
    needed = {thing for facts in VERBS.values() for thing in facts.needs}
    needed |= {thing for *_, things in VARIABLES for thing in things}
    assert needed <= made == set(THINGS)


def results(facts: VerbFacts) -> list[str]:
    return [*facts.outcomes, *facts.mistakes]


def test_what_a_verb_makes_or_refuses_is_one_of_its_results() -> None:
    for facts in VERBS.values():
        assert set(facts.makes_on) <= set(results(facts))
        assert set(facts.refuses.values()) <= set(facts.mistakes)


# The walk.


def test_every_screen_is_reached_and_what_is_known_there_comes_of_every_way() -> None:
    knowledge = Knowledge(MENU)
    assert all(knowledge.reaches(name) for name in targets_of(MENU))
    assert knowledge.at("first_dial.pin_again") == {"pin"}
    assert knowledge.at("home.menu") == {"customer"}
    assert knowledge.at("send_money.quote") == {"customer", "payee", "quote"}
    assert knowledge.at("payments.sent") == {"customer", "summary"}


def test_back_keeps_what_was_known_unless_it_was_dropped_behind() -> None:
    menu = read_menu(SOUND)
    knowledge = Knowledge(menu)
    assert knowledge.at("send.amount") == {"customer", "payee"}
    assert knowledge.at("home.dropped") == {"customer", "payee", "kept"}
    # To the screen before the number, a number typed behind it is not certain.
    assert knowledge.at("send.to") == {"customer"}


def screen_of(name: str, **parts: Any) -> Screen:
    bare = Screen(
        name, name, "choice", "t", "t", "price", None, False, None, {}, None, None, None, {},
        False, False,
    )  # fmt: skip
    return msgspec.structs.replace(bare, **parts)


def going(key: str, verb: str, target: str) -> Move:
    return Move(key, verb, dict.fromkeys(VERBS[verb].outcomes, target))


@pytest.mark.parametrize("ends_by", ["home", "mistake"])
def test_what_is_certain_is_so_by_00_and_by_what_was_typed_wrong_too(ends_by: str) -> None:
    """A price is made on the way forward, and on no other to the same screen."""
    register = {"1": Choice("1", "l", going("1", "register", "j.amount"))}
    quote = {"1": Choice("1", "l", going("1", "quote", "j.end"))}
    amount = screen_of("j.amount", choices=quote)
    if ends_by == "home":
        amount = msgspec.structs.replace(amount, has_home=True)
    else:
        wrong = {"mistake.amount": "j.end"}
        amount = msgspec.structs.replace(amount, kind="input", reads="amount", mistakes=wrong)
    screens = [screen_of("j.first", choices=register), amount, screen_of("j.end")]
    opens = going("open", "find_customer", "j.first")
    menu = Menu("j.end", opens, {screen.name: screen for screen in screens}, {})
    assert {"customer"} <= Knowledge(menu).at("j.amount")
    assert "quote" not in Knowledge(menu).at("j.end")
    only_forward = {**menu.screens, "j.amount": screen_of("j.amount", choices=quote)}
    assert "quote" in Knowledge(Menu("j.end", opens, only_forward, {})).at("j.end")


def test_the_shipped_menus_show_nothing_too_early() -> None:
    assert list(knowledge_problems(MENU, TEXTS)) == []


def test_an_example_of_a_way_is_a_way() -> None:
    menu = read_menu(SOUND)
    way = Knowledge(menu).way_without("send.amount", "quote")
    assert way[-1] == "send.amount"
    targets = targets_of(menu)
    for before, after in pairwise(way[1:]):
        assert after in targets[before]


def test_texts_of_the_sound_menu_are_enough() -> None:
    assert list(knowledge_problems(read_menu(SOUND), Texts.load(SOUND / "texts"))) == []

"""What `knowledge` calls certain is there on every walk the session's own machine can take."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.menu.knowledge import Knowledge
from engine.menu.paths import ways_of
from engine.menu.screens import Choice, Menu, Move, Screen
from engine.menu.shape import own_mistakes
from engine.menu.vocabulary import RESUME, VERBS
from engine.msisdn import Msisdn
from engine.session.machine import HOME, Machine, event_of
from engine.session.session import OPENING, Session
from tests.unit.session.rooms import MENU

STEPS = 40
WALKED = sorted(set(VERBS) - {RESUME, "find_customer"})


def session_of(menu: Menu) -> Session:
    return Session("n", 1, "m", Msisdn("+254712000001"), "63902", "en", "KE", OPENING, [])


class Walker:
    """Presses keys at random, by the real machine, and keeps count of what is known."""

    def __init__(self, menu: Menu, knowledge: Knowledge, random: Random) -> None:
        self.menu, self.random = menu, random
        self.certain = knowledge.at  # where `00` stands before that, the menu is refused
        self.machine, self.session = Machine(menu), session_of(menu)
        outcome = random.choice(sorted(menu.opens.targets))
        self.known = set(VERBS["find_customer"].made_on(outcome))
        self.machine.move(self.session, event_of(menu.opens, outcome))

    @property
    def screen(self) -> Screen:
        return self.menu.screens[self.session.screen]

    def step(self) -> None:
        screen, ways = self.screen, list(ways_of(self.menu, self.screen))
        pressed = self.random.choice(["0", "00", "mistake", *["on"] * 4])
        if pressed == "0" and screen.has_back:
            self.machine.back(self.session)
        elif pressed == "00" and screen.has_home and "customer" in self.certain(screen.name):
            self.machine.move(self.session, HOME)
        elif pressed == "mistake":
            self._err(screen)
        elif pressed == "on" and ways:
            way = self.random.choice(ways)
            if way.move is not None:
                self._learn(way.move.verb, way.result)
                self.machine.move(self.session, event_of(way.move, way.result))

    def _err(self, screen: Screen) -> None:
        """A mistake of one of the screen's verbs: told here, or where it is mended."""
        verbs = [move.verb for move in screen.moves if move.verb and VERBS[move.verb].mistakes]
        if verbs:
            verb = self.random.choice(verbs)
            mistake = self.random.choice(VERBS[verb].mistakes)
            self._learn(verb, mistake)
            if mistake in screen.mistakes:
                self.machine.move(self.session, mistake)

    def _learn(self, verb: str | None, result: str) -> None:
        if verb is not None:
            self.known -= set(VERBS[verb].dropped_on(result))
            self.known |= set(VERBS[verb].made_on(result))


def walk(menu: Menu, random: Random) -> None:
    knowledge = Knowledge(menu)
    walker = Walker(menu, knowledge, random)
    for _ in range(STEPS):
        name = walker.session.screen
        assert knowledge.reaches(name)
        assert knowledge.at(name) <= walker.known, (name, walker.session.history)
        walker.step()


@pytest.mark.parametrize("seed", range(10))
def test_walks_through_the_shipped_menus_know_what_is_certain(seed: int) -> None:
    walk(MENU, Random(seed))


@st.composite
def menus(draw: st.DrawFn) -> Menu:
    """Any menu at all: verbs, targets and mistakes at random."""
    names = [f"j.s{number}" for number in range(draw(st.integers(2, 7)))]
    target = st.sampled_from(names)
    opens = VERBS["find_customer"].outcomes
    # One or two screens only are first, or hardly any had a way back.
    begin = st.sampled_from(names[: draw(st.integers(1, 2))])
    first = Move("open", "find_customer", {outcome: draw(begin) for outcome in opens})
    firsts = set(first.targets.values())
    screens = {}
    for name in names:
        choices = {}
        for key in "123"[: draw(st.integers(1, 3))]:
            verb = draw(st.none() | st.sampled_from(WALKED))
            outcomes = VERBS[verb].outcomes if verb else ("next",)
            move = Move(key, verb, {outcome: draw(target) for outcome in outcomes})
            choices[key] = Choice(key, "l", move)
        screen = Screen(
            name, name, "choice", "t", "t", "price", None, False, None, choices, None, None, None,
            {}, name not in firsts, name not in firsts and draw(st.booleans()),
        )  # fmt: skip
        able = sorted(own_mistakes(screen) - {"mistake.choice"})
        mended = draw(st.dictionaries(st.sampled_from(able), target, max_size=2)) if able else {}
        screens[name] = Screen(
            name, name, "choice", "t", "t", "price", None, False, None, choices, None, None, None,
            mended, screen.has_back, screen.has_home,
        )  # fmt: skip
    return Menu(draw(target), first, screens, {})


@settings(max_examples=250, deadline=None)
@given(menu=menus(), seed=st.integers(0, 2**32))
def test_walks_through_any_menu_know_what_is_certain(menu: Menu, seed: int) -> None:
    for number in range(6):  # drawn by a seed, or nearly every walk would press its first choice
        walk(menu, Random(seed + number))

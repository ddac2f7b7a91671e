import pytest
from transitions import MachineError

from engine.session.machine import HOME, Machine, event_of
from engine.session.session import OPENING, Session
from tests.unit.session.rooms import MENU, PAYER


def session(screen: str = OPENING) -> Session:
    return Session("n" * 16, 0, "v", PAYER, "", "en", "KE", screen, [])


MACHINE = Machine(MENU)


def test_one_machine_moves_many_sessions_without_mixing_them() -> None:
    one, other = session(), session()
    MACHINE.move(one, "open.known")
    MACHINE.move(other, "open.new")
    assert (one.screen, other.screen) == ("home.menu", "first_dial.language")


def test_back_returns_the_way_one_came_and_home_forgets_it() -> None:
    walker = session("home.menu")
    for event in ("1.ready", "input.chosen", "input.quoted"):
        MACHINE.move(walker, event)
    assert walker.history == ["home.menu", "send_money.to", "send_money.amount"]
    MACHINE.back(walker)
    assert (walker.screen, len(walker.history)) == ("send_money.amount", 2)
    MACHINE.move(walker, HOME)
    assert (walker.screen, walker.history) == ("home.menu", [])


def test_a_way_led_back_by_a_mistake_leaves_no_loop_in_the_history() -> None:
    walker = session("send_money.pin")
    walker.history = ["home.menu", "send_money.to", "send_money.amount", "send_money.quote"]
    MACHINE.move(walker, "mistake.quote_expired")
    assert walker.screen == "send_money.amount"
    assert walker.history == ["home.menu", "send_money.to"]


def test_back_without_a_history_leads_home() -> None:
    walker = session("account.languages")
    MACHINE.back(walker)
    assert walker.screen == "home.menu"


def test_an_event_of_another_screen_is_impossible() -> None:
    with pytest.raises(MachineError):
        MACHINE.move(session("home.menu"), "input.confirmed")


def test_every_move_of_the_menu_leads_where_the_menu_says_and_no_other_event_moves() -> None:
    everything = {HOME} | {
        event_of(move, outcome)
        for screen in MENU.screens.values()
        for move in screen.moves
        for outcome in move.targets
    }
    for name, screen in MENU.screens.items():
        expected = {HOME: MENU.home, **screen.mistakes}
        for move in screen.moves:
            expected |= {event_of(move, outcome): to for outcome, to in move.targets.items()}
        for event in everything | set(expected):
            walker = session(name)
            if event in expected:
                MACHINE.move(walker, event)
                assert walker.screen == expected[event], (name, event)
                continue
            with pytest.raises(MachineError, match="no event"):
                MACHINE.move(walker, event)
            assert (walker.screen, walker.history) == (name, [])

"""The shared menu machine: built once, it moves any session one step. It does no I/O."""

from typing import Any

from transitions import Event, MachineError
from transitions import Machine as TransitionMachine

from engine.menu.screens import Menu, Move
from engine.menu.vocabulary import RESUME
from engine.session.session import OPENING, Session

HOME = "home"


def event_of(move: Move, outcome: str) -> str:
    """How the machine calls one outcome of one move, e.g. `1.ready`."""
    return f"{move.event}.{outcome}"


class _Step(Event):
    """An event that only moves: none of ours ever has a condition, a callback or a queue.

    Asking for each of them anyway is nine tenths of what a step costs.
    """

    def trigger(self, model: Any, *_: Any, **__: Any) -> bool:
        ways = self.transitions.get(model.screen)
        if not ways:
            raise MachineError(f"no event {self.name} on screen {model.screen}")
        model.screen = ways[0].dest
        return True


class _ScreenMachine(TransitionMachine):
    event_cls = _Step


class Machine:
    """One `transitions` machine for all sessions; a session is its light model.

    Building one costs milliseconds, a step less than 1 µs, hence one machine for ever, without
    automatic transitions and without registering models.
    """

    def __init__(self, menu: Menu) -> None:
        self._home = menu.home
        machine = _ScreenMachine(
            model=None,
            states=[OPENING, *menu.screens],
            initial=OPENING,
            auto_transitions=False,
            model_attribute="screen",
        )
        _add(machine, menu.opens, OPENING)
        machine.add_transition(HOME, list(menu.screens), menu.home)
        for name, screen in menu.screens.items():
            for move in screen.moves:
                for taken in menu.resumes.values() if move.verb == RESUME else (move,):
                    _add(machine, taken, name)
            for key, target in screen.mistakes.items():
                machine.add_transition(key, name, target)
        self._machine = machine
        self._events = machine.events

    def move(self, session: Session, event: str) -> None:
        """One step. Raises `transitions.MachineError` for an event this screen does not have."""
        left = session.screen
        self._events[event].trigger(session)
        session.page = 0
        _remember(session, left, self._home)

    def back(self, session: Session) -> None:
        """The screen before this one; home when the history is empty."""
        if session.history:
            self._machine.set_state(session.history.pop(), session)
            session.page = 0
        else:
            self.move(session, HOME)


def _add(machine: TransitionMachine, move: Move, source: str) -> None:
    for outcome, target in move.targets.items():
        machine.add_transition(event_of(move, outcome), source, target)


def _remember(session: Session, left: str, home: str) -> None:
    """The history never holds a screen twice, so it cannot grow with the length of a dialogue."""
    history = session.history
    if session.screen == home:
        history.clear()
    elif session.screen in history:
        del history[history.index(session.screen) :]
    elif left not in (OPENING, session.screen):
        history.append(left)

"""The ways through a menu: which screens a caller can reach, leave, and come back from. Pure.

It follows moves, not what they carry; that is proved in `knowledge.py`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from engine.menu.screens import Menu, Move, Screen
from engine.menu.vocabulary import RESUME


class Way(NamedTuple):
    """One step forward. `result` is the outcome or the mistake that leads there."""

    move: Move | None
    result: str
    target: str


def ways_of(menu: Menu, screen: Screen) -> Iterator[Way]:
    """Every step forward from a screen, mistakes included; back and home are not forward.

    `resume` stands for the resume of every journey. A mistake of several moves comes once for each.
    """
    for move in screen.moves:
        for taken in menu.resumes.values() if move.verb == RESUME else (move,):
            for outcome, target in taken.targets.items():
                yield Way(taken, outcome, target)
    for mistake, target in screen.mistakes.items():
        yield Way(None, mistake, target)


def first_screens(menu: Menu) -> tuple[str, ...]:
    """Where a session may begin, and where `00` begins it again."""
    return tuple(dict.fromkeys((*menu.opens.targets.values(), menu.home)))


def targets_of(menu: Menu) -> Mapping[str, tuple[str, ...]]:
    """Screen -> the screens it leads to, each once, in the file's order."""
    return {
        name: tuple(dict.fromkeys(way.target for way in ways_of(menu, screen)))
        for name, screen in menu.screens.items()
    }


def reach(
    targets: Mapping[str, Iterable[str]], start: Iterable[str], avoiding: frozenset[str]
) -> set[str]:
    """All that can be reached from `start`, itself included, without setting foot on some."""
    reached: set[str] = set()
    ahead = [name for name in start if name not in avoiding]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += [target for target in targets[name] if target not in avoiding]
    return reached


def path_problems(menu: Menu) -> Iterator[str]:
    """Screens nobody can reach or leave, as `file:line: screen: what`."""
    targets = targets_of(menu)
    reached = reach(targets, first_screens(menu), frozenset())
    leads_on = _leads_on(menu, targets)
    for name, screen in menu.screens.items():
        if name not in reached:
            yield f"{screen.where}: cannot be reached"
        elif screen.kind != "end" and not screen.has_back and not _has_way_on(screen):
            yield f"{screen.where}: dead end: no choice that is always there, no way back"
        elif name not in leads_on:
            yield f"{screen.where}: from here nothing leads to the menu or to an end"
    yield from _first_dial_problems(menu)


def _has_way_on(screen: Screen) -> bool:
    always = any(choice.when is None for choice in screen.choices.values())
    return always or screen.move is not None or screen.pick is not None


def _leads_on(menu: Menu, targets: Mapping[str, Iterable[str]]) -> set[str]:
    """The screens from which a caller gets to the menu or to an end."""
    sources: dict[str, list[str]] = {name: [] for name in menu.screens}
    for name, ahead in targets.items():
        for target in ahead:
            sources[target].append(name)
    good = [name for name, screen in menu.screens.items() if screen.kind == "end"]
    good += [name for name, screen in menu.screens.items() if screen.has_home]
    return reach(sources, [*good, menu.home], frozenset())


def _first_dial_problems(menu: Menu) -> Iterator[str]:
    """A journey without `00` is walked before the menu: from the menu nothing leads into it."""
    before = {s.journey for s in menu.screens.values() if s.has_back and not s.has_home}
    for screen in menu.screens.values():
        for way in ways_of(menu, screen):
            if screen.journey not in before and menu.screens[way.target].journey in before:
                yield (
                    f"{screen.where}: leads to {way.target}, which has no `00` and is only for "
                    "the beginning of a session"
                )

"""A tenant's own journeys and texts over the house's: what is left out, unshown, to blame. Pure.

Whether the whole may be served, the other proofs say.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from engine.menu.paths import first_screens, reach, targets_of
from engine.menu.screens import Menu, Move, OneOf, Screen
from engine.menu.shape import own_mistakes
from engine.menu.vocabulary import LISTS, OTHER_ITEMS
from engine.texts import Texts


def without_left_out(menu: Menu) -> Menu:
    """The same without the house's screens that no way leads to since a tenant's took their place.

    A tenant leaves a journey out by not leading to it. Its own screens all stay: one that cannot
    be reached is a mistake.
    """
    if not any(screen.is_own for screen in menu.screens.values()):
        return menu
    resumes: Mapping[str, Move] = {}
    while True:
        kept = _reached(msgspec.structs.replace(menu, resumes=resumes))
        journeys = {menu.screens[name].journey for name in kept}
        wanted = {name: move for name, move in menu.resumes.items() if name in journeys}
        if wanted == resumes:
            break
        resumes = wanted  # a journey that is taken up again may lead on to others
    screens = {name: screen for name, screen in menu.screens.items() if name in kept}
    return msgspec.structs.replace(menu, screens=screens, resumes=resumes)


def unshown_problems(menu: Menu, texts: Texts) -> Iterator[str]:
    """Texts that only the tenant has and no screen shows: mostly a key of the house, misspelt."""
    if not texts.added:
        return
    screens = menu.screens.values()
    shown = {key for s in screens for key in (*words_of(s), *own_mistakes(s))}
    for key, place in texts.added.items():
        if key not in shown:
            yield f"{place}: {key}: the house has no such text, and no screen shows it"


def words_of(screen: Screen) -> Iterator[str]:
    """The keys of all texts on a screen but its mistakes and the last line."""
    yield screen.text
    yield screen.again
    yield from (choice.label for choice in screen.choices.values())
    if isinstance(screen.rule, OneOf):
        yield from screen.rule.words.values()
    if screen.lists is not None and screen.lists in LISTS:
        yield LISTS[screen.lists]
        yield from OTHER_ITEMS.get(screen.lists, ())


def blamed(texts: Texts, language: str, keys: Iterable[str]) -> str:
    """Behind a fault of a screen: which of its texts the tenant wrote; empty if none."""
    own = {key: texts.own_place(language, key) for key in keys}
    told = ", ".join(f"{key} in {place}" for key, place in own.items() if place)
    return f" ({told})" if told else ""


def _reached(menu: Menu) -> set[str]:
    """The tenant's screens, and where a caller gets to from the beginning or from them."""
    targets = {
        name: tuple(target for target in ahead if target in menu.screens)
        for name, ahead in targets_of(menu).items()
    }
    own = [name for name, screen in menu.screens.items() if screen.is_own]
    start = [name for name in first_screens(menu) if name in menu.screens]
    return reach(targets, [*start, *own], frozenset())

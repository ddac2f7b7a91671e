"""The proof that a menu may be served: every screen, in every language, at its widest.

It runs at start-up and in the tests. A menu with one fault is refused whole.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.septets import fits, septets
from engine.session.actions import VERBS
from engine.session.menu import BrokenMenu, Menu, Move, Screen, read_menu
from engine.session.networks import Networks
from engine.session.readers import READERS
from engine.session.render import layout
from engine.session.variables import SUBJECTS
from engine.texts import Template, Texts

CHOICE_MISTAKE = "mistake.choice"
SENTENCES = ("mistake.", "no_way.", "session.")
"""Texts that may stand alone on a last screen."""


def load_menu(folder: Path, texts: Texts, networks: Networks) -> Menu:
    """Read and prove a folder of journeys. Raises BrokenMenu, naming every fault."""
    menu = read_menu(folder)
    problems = list(problems_of(menu, texts, networks.budget_septets_min))
    if problems:
        raise BrokenMenu(problems)
    return menu


def problems_of(menu: Menu, texts: Texts, budget: int) -> Iterator[str]:
    """Each fault as `file:line: screen: what`. `budget` is the smallest of all networks."""
    shape = list(_shape_problems(menu, texts))
    yield from shape
    if not shape:  # Paths and widths of a misshapen menu would only repeat its faults.
        yield from _path_problems(menu)
        yield from _width_problems(menu, texts, budget)


def _shape_problems(menu: Menu, texts: Texts) -> Iterator[str]:
    if menu.home not in menu.screens:
        yield f"opens: home leads to {menu.home}, which is not a screen"
    yield from _move_problems(menu, "opens", menu.opens, texts)
    for screen in menu.screens.values():
        yield from (f"{screen.where}: {fault}" for fault in _kind_faults(screen))
        for key in {screen.text, screen.again, *(c.label for c in screen.choices.values())}:
            if not texts.has(key):
                yield f"{screen.where}: no text `{key}`"
        for move in screen.moves:
            yield from _move_problems(menu, screen.where, move, texts)
        yield from _mistake_problems(menu, screen)
        yield from _variable_problems(screen, texts)


def _kind_faults(screen: Screen) -> Iterator[str]:
    if screen.kind in ("choice", "confirm") and not screen.choices:
        yield "no choices"
    if screen.kind in ("input", "info", "end") and screen.choices:
        yield f"a screen of kind `{screen.kind}` has no choices"
    if bad := [key for key in screen.choices if not (len(key) == 1 and key in "123456789")]:
        yield f"choice {bad[0]} clashes with back, home or paging: use 1 to 9"
    if (screen.kind == "input") != (screen.move is not None):
        yield "`next` belongs to kind `input`, and an input needs it"
    if (screen.kind == "input") != (screen.reads is not None):
        yield "`reads` belongs to kind `input`, and an input needs it"
    if screen.reads is not None and screen.reads not in READERS:
        yield f"nobody reads `{screen.reads}`; there are {', '.join(READERS)}"
    if screen.reads == "pin" and not screen.sensitive:
        yield "a PIN is asked, so it must be `sensitive: true`"
    if screen.about not in SUBJECTS:
        yield f"about `{screen.about}`: there are {', '.join(SUBJECTS)}"


def _move_problems(menu: Menu, where: str, move: Move, texts: Texts) -> Iterator[str]:
    outcomes: tuple[str, ...] = ("next",)
    if move.verb is not None:
        facts = VERBS.get(move.verb)
        if facts is None:
            yield f"{where}: no verb `{move.verb}`; there are {', '.join(VERBS)}"
            return
        outcomes = facts.outcomes
        if facts.argument != (move.argument is not None):
            yield f"{where}: `{move.verb}` and `with` do not go together"
        elif facts.argument and move.argument not in texts.languages:
            yield f"{where}: with `{move.argument}`: there are {', '.join(texts.languages)}"
    elif move.argument is not None:
        yield f"{where}: `with` without `do`"
    if set(move.targets) != set(outcomes):
        yield f"{where}: `next` must name exactly {', '.join(outcomes)}"
    for target in move.targets.values():
        if target not in menu.screens:
            yield f"{where}: leads to {target}, which is not a screen"


def _mistake_problems(menu: Menu, screen: Screen) -> Iterator[str]:
    possible = _own_mistakes(screen)
    for key, target in screen.mistakes.items():
        if key not in possible:
            yield f"{screen.where}: `{key}` cannot happen here"
        if target not in menu.screens:
            yield f"{screen.where}: {key} leads to {target}, which is not a screen"


def _variable_problems(screen: Screen, texts: Texts) -> Iterator[str]:
    subject = SUBJECTS.get(screen.about, {})
    for key in (screen.text, screen.again):
        if texts.has(key):
            for name in texts.template("en", key).names:
                if name not in subject:
                    yield f"{screen.where}: {{{name}}} of `{key}` is nothing a screen can show"


def _path_problems(menu: Menu) -> Iterator[str]:
    reached: set[str] = set()
    ahead = [*menu.opens.targets.values(), menu.home]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += _targets(menu.screens[name])
    for name, screen in menu.screens.items():
        if name not in reached:
            yield f"{screen.where}: cannot be reached"
        if screen.kind != "end" and not screen.has_back and not list(screen.moves):
            yield f"{screen.where}: dead end: no choice, no way back"


def _targets(screen: Screen) -> Iterable[str]:
    for move in screen.moves:
        yield from move.targets.values()
    yield from screen.mistakes.values()


def _own_mistakes(screen: Screen) -> set[str]:
    """What may be refused here, before it is shown here or elsewhere."""
    found = {CHOICE_MISTAKE} if screen.kind in ("choice", "confirm", "info") else set()
    if screen.reads is not None and screen.reads in READERS:
        found |= set(READERS[screen.reads].mistakes)
    for move in screen.moves:
        if move.verb is not None and move.verb in VERBS:
            found |= set(VERBS[move.verb].mistakes)
    return found


def _shown_mistakes(menu: Menu) -> dict[str, set[str]]:
    """Screen -> the sentences that may stand above it, its own and those led to it."""
    shown: dict[str, set[str]] = {name: set() for name in menu.screens}
    for name, screen in menu.screens.items():
        for key in _own_mistakes(screen):
            shown[screen.mistakes.get(key, name)].add(key)
    return shown


def _width_problems(menu: Menu, texts: Texts, budget: int) -> Iterator[str]:
    shown = _shown_mistakes(menu)
    for language in texts.languages:
        for key in texts:
            if key.startswith(SENTENCES):
                yield from _too_wide(texts, texts.template(language, key).source, budget,
                                     f"texts/{language}.yaml: {key}")  # fmt: skip
        for name, screen in menu.screens.items():
            where = f"{screen.where}: {language}"
            yield from _too_wide(texts, layout(texts, language, screen, screen.text), budget, where)
            again = layout(texts, language, screen, screen.again)
            for key in sorted(shown[name]):
                sentence = texts.template(language, key).source
                yield from _too_wide(texts, f"{sentence}\n{again}", budget, f"{where}: with {key}")


def _too_wide(texts: Texts, source: str, budget: int, where: str) -> Iterator[str]:
    template = Template(source)
    text = template.fill({name: "W" * texts.widths[name] for name in template.names})
    if not fits(text, budget):
        yield f"{where}: {septets(text)} septets at most, the budget is {budget}"

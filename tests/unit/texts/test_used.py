"""Every text is shown somewhere: by a screen, by its name in the code, or as one of a family."""

import ast
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import yaml

from engine.inbox.keywords import Verb
from engine.menu.screens import Menu, OneOf
from engine.payments.lifecycle import State
from engine.payments.views import RequestState
from engine.ports import Reason
from engine.texts import Texts
from tests.unit.session.rooms import MENU
from tests.unit.texts.folders import SHIPPED

ROOT = Path(__file__).parents[3]
ROOMS = ("channels", "engine", "providers")

NUMBERING = yaml.safe_load((ROOT / "engine" / "prefixes.yaml").read_text(encoding="utf-8"))
OPERATORS = {operator for country in NUMBERING["ranges"].values() for operator in country}
FAMILIES: Mapping[str, Set[str]] = {
    "state": {state.name.lower() for state in State} - {State.NEW.name.lower()},
    "request_state": set(RequestState),
    "reason": set(Reason),
    "operator": OPERATORS,
    "keywords": {*Verb, "filler", "pin"},
}
"""What the code puts behind a prefix, as in `state.paid`."""


def written_in_code() -> set[str]:
    """Every string in our programs, whole."""
    trees = (ast.parse(path.read_text()) for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def shown_by(menu: Menu) -> Iterator[str]:
    for screen in menu.screens.values():
        yield screen.text
        yield screen.again
        yield from (choice.label for choice in screen.choices.values())
        if isinstance(screen.rule, OneOf):
            yield from screen.rule.words.values()


def test_every_text_is_used_somewhere() -> None:
    shown, written = set(shown_by(MENU)), written_in_code()
    unused = []
    for key in Texts.load(SHIPPED):
        family, _, name = key.partition(".")
        if name in FAMILIES.get(family, ()) or key in shown or key in written:
            continue
        if family == "sms" and name in written:  # a template is named without its prefix
            continue
        unused.append(key)
    assert unused == []

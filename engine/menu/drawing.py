"""Journeys as a Mermaid diagram: what a person reviews before a menu is served. Pure."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from engine.menu.screens import Menu, Move, Screen
from engine.menu.vocabulary import VERBS
from engine.texts import FALLBACK, Texts

_SHAPES = {
    "choice": ("[", "]"),
    "list": ("[[", "]]"),
    "input": ("[/", "/]"),
    "confirm": ("{{", "}}"),
    "info": ("(", ")"),
    "end": ("([", "])"),
}
_STYLES = (
    "classDef sensitive stroke-dasharray:4 3,stroke:#b00",
    "classDef last stroke-width:3px",
)

BEGIN, END = "<!-- capp menus graph: begin -->", "<!-- capp menus graph: end -->"
"""Between these the diagram stands in a README."""


class _Arrow(NamedTuple):
    source: str
    target: str
    label: str
    has_effect: bool


def draw(menu: Menu, texts: Texts, journey: str | None = None) -> str:
    """All journeys or one, with the screens of others that it leads to.

    Thick arrows change something outside the session. Dashed frames ask a secret, thick ones end
    the session. Mistakes, `0` and `00` are left out: they would hide everything else.
    Raises KeyError for a journey that is not there.
    """
    journeys = dict.fromkeys(screen.journey for screen in menu.screens.values())
    if journey is not None and journey not in journeys:
        raise KeyError(journey)
    arrows = [a for a in _arrows(menu, texts) if journey in (None, _journey(a.source))]
    shown = {name for arrow in arrows for name in (arrow.source, arrow.target)}
    shown |= {name for name in menu.screens if journey in (None, _journey(name))}
    lines = ["flowchart LR", *_STYLES, "dial((dial))"]
    lines += [f"dial -->|{outcome}| {_id(target)}" for outcome, target in menu.opens.targets.items()
              if target in shown]  # fmt: skip
    for name in journeys:
        inside = [s for s in menu.screens.values() if s.journey == name and s.name in shown]
        if inside:
            lines += [f"subgraph {name}", *(f"  {_node(screen)}" for screen in inside), "end"]
    return "\n".join([*lines, *(_drawn(arrow) for arrow in arrows)]) + "\n"


def with_drawing(readme: str, drawing: str) -> str:
    """A README with its block replaced. Raises ValueError when it has none."""
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} and {END}")
    return f"{head}{BEGIN}\n```mermaid\n{drawing}```\n{END}{tail}"


def _arrows(menu: Menu, texts: Texts) -> Iterator[_Arrow]:
    for screen in menu.screens.values():
        for choice in screen.choices.values():
            label = f"{choice.key} {texts.template(FALLBACK, choice.label).source}"
            label += f" if {choice.when}" if choice.when else ""
            yield from _arrows_of(screen, choice.move, label)
        for move, label in (
            (screen.move, screen.reads or ""),
            (screen.pick, "an item"),
            (screen.prompt, "by SMS"),
        ):
            if move is not None:
                yield from _arrows_of(screen, move, label)


def _arrows_of(screen: Screen, move: Move, label: str) -> Iterator[_Arrow]:
    effects = move.verb is not None and VERBS[move.verb].effects
    for outcome, target in move.targets.items():
        said = label if len(move.targets) == 1 else f"{label}: {outcome}"
        verb = f" ({move.verb})" if effects else ""
        yield _Arrow(screen.name, target, said + verb, effects)


def _drawn(arrow: _Arrow) -> str:
    line = "==>" if arrow.has_effect else "-->"
    return f"{_id(arrow.source)} {line}|{_quoted(arrow.label)}| {_id(arrow.target)}"


def _node(screen: Screen) -> str:
    begin, end = _SHAPES[screen.kind]
    mark = ":::sensitive" if screen.sensitive else ":::last" if screen.kind == "end" else ""
    short = screen.name.partition(".")[2]
    return f"{_id(screen.name)}{begin}{_quoted(short)}{end}{mark}"


def _journey(name: str) -> str:
    return name.partition(".")[0]


def _id(name: str) -> str:
    return name.replace(".", "__")


def _quoted(text: str) -> str:
    return '"' + re.sub(r'["|<>\n]', " ", text) + '"'

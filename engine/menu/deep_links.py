"""Dial strings that were given away, on posters and in messages: each still leads where it did.

`menus/deep_links.yaml` lists them; here they are walked from the menu as a dial would. A dial
string stays in the phone's memory, so it may hold no secret, and it runs nothing with an effect.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.menu.documents import read_document, shaped
from engine.menu.folders import house_or_own, label_of
from engine.menu.screens import BrokenMenu, Menu, Move, Screen
from engine.menu.vocabulary import READERS, RULES, VERBS

DEEP_LINKS = "deep_links.yaml"
INPUTS_MAX = 6
"""A dial string with more inputs is refused when it is dialled."""

_READ = re.compile(r"\{([a-z_]+)\}")


class WrittenLinks(msgspec.Struct, forbid_unknown_fields=True):
    """What is dialled behind the shortcode -> the screen it leads to, or all it may lead to."""

    links: dict[str, str | list[str]]


class DeepLink(NamedTuple):
    """`dial` is keys and readers between stars: `1*{msisdn}*{amount}`. `where` is for errors."""

    dial: str
    leads_to: frozenset[str]
    where: str


class Lost(Exception):
    """A dial string leads nowhere; the message says from which screen on, and why."""


def read_deep_links(folder: Path) -> list[DeepLink]:
    """The list of a folder of menus, a tenant's own if it has one; none without a file.

    Raises BrokenMenu.
    """
    path = house_or_own(folder).get(DEEP_LINKS)
    if path is None:
        return []
    problems: list[str] = []
    document = read_document(path, problems.append, label_of(folder, path))
    found = document and shaped(document, document.values, WrittenLinks, problems.append)
    if problems or not document or not found:
        raise BrokenMenu(problems)
    return [
        DeepLink(
            dial,
            frozenset([screens] if isinstance(screens, str) else screens),
            f"{document.at('links', dial)}: {dial}",
        )
        for dial, screens in found.links.items()
    ]


def link_problems(menu: Menu, links: Sequence[DeepLink]) -> Iterator[str]:
    """Each link that does not lead where the list says, as `file:line: dial string: what`."""
    for link in links:
        try:
            found = walk(menu, link.dial)
        except Lost as lost:
            yield f"{link.where}: {lost}"
            continue
        if found != link.leads_to:
            there, said = _and(found), _and(link.leads_to)
            yield f"{link.where}: leads to {there}, the list says {said}"


def walk(menu: Menu, dial: str) -> frozenset[str]:
    """Every screen a dial string may lead a registered caller to. Raises Lost."""
    parts = dial.split("*")
    if len(parts) > INPUTS_MAX:
        raise Lost(f"{len(parts)} inputs, at most {INPUTS_MAX} are taken")
    screens = frozenset({menu.home})
    for part in parts:
        screens = frozenset(
            target for name in screens for target in _step(_screen(menu, name), part)
        )
    return frozenset(_screen(menu, name).name for name in screens)


def _screen(menu: Menu, name: str) -> Screen:
    if name not in menu.screens:
        raise Lost(f"{name} is not a screen")
    return menu.screens[name]


def _step(screen: Screen, part: str) -> list[str]:
    """Where one input leads from a screen, whatever comes of it but a mistake. Raises Lost."""
    if screen.sensitive:
        raise Lost(f"{screen.name} asks a secret")
    if screen.kind == "confirm":
        raise Lost(f"{screen.name} must be read before it is answered")
    move = _move_of(screen, part)
    if move.verb is not None and (move.verb not in VERBS or VERBS[move.verb].effects):
        raise Lost(f"`{move.verb}` on {screen.name} has an effect")
    if not move.targets:
        raise Lost(f"{screen.name}: `{part}` depends on what was dropped before")
    return list(move.targets.values())


def _move_of(screen: Screen, part: str) -> Move:
    reader = _READ.fullmatch(part)
    if reader is not None:
        if reader[1] not in READERS and reader[1] not in RULES:
            raise Lost(f"nobody reads {part}; there are {', '.join((*READERS, *RULES))}")
        if screen.move is None or screen.reads != reader[1]:
            raise Lost(f"{screen.name} does not read {part}")
        return screen.move
    choice = screen.choices.get(part)
    if choice is None:
        raise Lost(f"{screen.name} has no choice `{part}`")
    if choice.when is not None:
        raise Lost(f"choice `{part}` of {screen.name} is not always there")
    return choice.move


def _and(screens: frozenset[str]) -> str:
    return " or ".join(sorted(screens))

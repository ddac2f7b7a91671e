"""The proof that a menu may be served: every screen, in every language, at its widest.

It runs at start-up, at every change and in the tests. A menu with one fault is refused whole. What
is proved stands by noun in `shape`, `paths`, `knowledge`, `widths`, `pace` and `deep_links`.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from engine.menu.deep_links import DeepLink, link_problems, read_deep_links
from engine.menu.folders import OWN_TEXTS
from engine.menu.knowledge import knowledge_problems
from engine.menu.networks import BrokenNetworks, Networks
from engine.menu.own import unshown_problems
from engine.menu.pace import pace_problems, pace_warnings
from engine.menu.paths import path_problems
from engine.menu.reading import read_menu
from engine.menu.screens import BrokenMenu, Menu
from engine.menu.shape import shape_problems, without_impossible
from engine.menu.widths import width_problems
from engine.texts import BrokenTexts, Texts

_Part = TypeVar("_Part")


class Examined(NamedTuple):
    """A folder of menus and all that is wrong with it. A part that cannot be read is None."""

    menu: Menu | None
    texts: Texts | None
    networks: Networks | None
    links: Sequence[DeepLink]
    faults: Sequence[str]
    warnings: Sequence[str]


def load_texts(folder: Path) -> Texts:
    """The texts of a folder of menus, a tenant's own laid over them. Raises BrokenTexts."""
    return Texts.load(folder / "texts", folder / OWN_TEXTS)


def adopt_texts(folder: Path, home: Path) -> Texts:
    """Those of another release's folder in the words of ours at `home`. Raises BrokenTexts."""
    return Texts.adopt(folder / "texts", folder / OWN_TEXTS, home / "texts", home / OWN_TEXTS)


def load_menu(folder: Path, texts: Texts, networks: Networks, *, is_adopted: bool = False) -> Menu:
    """Read and prove a folder of journeys. Raises BrokenMenu, naming every fault.

    `is_adopted`: they are another release's, whose verbs may refuse what ours do not.
    """
    menu = without_impossible(read_menu(folder)) if is_adopted else read_menu(folder)
    problems = list(problems_of(menu, texts, networks, read_deep_links(folder)))
    if problems:
        raise BrokenMenu(problems)
    return menu


def problems_of(
    menu: Menu, texts: Texts, networks: Networks, links: Sequence[DeepLink] = ()
) -> Iterator[str]:
    """Each fault as `file:line: screen: what`."""
    shape = list(shape_problems(menu, texts))
    yield from shape
    yield from unshown_problems(menu, texts)
    if not shape:  # Paths and widths of a misshapen menu would only repeat its faults.
        yield from path_problems(menu)
        yield from knowledge_problems(menu, texts)
        yield from width_problems(menu, texts, networks)
        yield from pace_problems(menu, texts, networks)
        yield from link_problems(menu, links)


def examine(folder: Path) -> Examined:
    """Read and prove all of a folder, texts and networks too, as far as it can be read.

    Raises nothing: what cannot be read is a fault like any other.
    """
    faults: list[str] = []
    texts = _read(lambda: load_texts(folder), faults)
    networks = _read(lambda: Networks.load(folder / "networks.yaml"), faults)
    menu = _read(lambda: read_menu(folder), faults)
    links = _read(lambda: read_deep_links(folder), faults) or []
    warnings: list[str] = []
    if menu and texts and networks:
        found = list(problems_of(menu, texts, networks, links))
        faults += found
        warnings += [] if found else pace_warnings(menu, texts, networks)
    return Examined(menu, texts, networks, links, faults, warnings)


def _read(read: Callable[[], _Part], faults: list[str]) -> _Part | None:
    try:
        return read()
    except BrokenMenu as broken:
        faults += broken.problems
    except BrokenTexts as broken:
        # A tenant's files are called by their place already.
        faults += [
            line if line.startswith(OWN_TEXTS) else f"texts/{line}"
            for line in str(broken).splitlines()
        ]
    except BrokenNetworks as broken:
        faults += str(broken).splitlines()
    return None

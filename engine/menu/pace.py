"""How long people take on a page and to each screen, against the patience of networks.

The model is ours and simple, on the slow side of what keypad studies give: a page is read at
`CHARACTERS_READ_PER_SECOND`, a key takes `SECONDS_PER_KEY`, and each answer takes
`SECONDS_PER_TURN` to come back. It is an estimate: who stops to think or to look up a number takes
longer, hence a fault only where even the quickest way takes too long. Pure.
"""

import heapq
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from engine.menu.networks import Network, Networks
from engine.menu.own import blamed, words_of
from engine.menu.paths import first_screens, targets_of
from engine.menu.rules import keys_of
from engine.menu.screens import MORE_KEY, Menu, Screen
from engine.menu.widths import widest_pages
from engine.texts import Texts

CHARACTERS_READ_PER_SECOND = 12
SECONDS_PER_KEY = 0.35
SECONDS_PER_TURN = 2.0

Seconds = Mapping[str, float]
"""By screen."""
Pages = dict[str, list[str]]
"""A screen's words, page by page, by screen."""
Arrivals = Mapping[str, tuple[float, str]]
"""Screen -> the seconds from the dial until it shows, and the screen before it."""


class Patience(NamedTuple):
    """What of a network decides how much time there is, and the name of one that is so."""

    budget_septets: int
    idle_seconds: int
    session_seconds: int
    network: str


class Pace(NamedTuple):
    """Each screen's seconds in one language: one page, the shortest look, every page."""

    page_max: Seconds
    quickest: Seconds
    slowest: Seconds


def pace_problems(menu: Menu, texts: Texts, networks: Networks) -> Iterator[str]:
    """Pages and ways too long for anybody, as `file:line: screen: what`."""
    targets = targets_of(menu)
    for language, patience, pace in _paces(menu, texts, networks):
        for name, screen in menu.screens.items():
            seconds = pace.page_max[name]
            if screen.kind != "end" and seconds > patience.idle_seconds:
                yield (
                    f"{screen.where}: {language}: a page takes {seconds:.0f} s to read and answer, "
                    f"{patience.network} waits {patience.idle_seconds} s"
                    f"{blamed(texts, language, words_of(screen))}"
                )
        arrived = _quickest(menu, targets, pace.quickest)
        for name, seconds in _too_late(arrived, patience):
            yield (
                f"{menu.screens[name].where}: {language}: takes {seconds:.0f} s at the quickest "
                f"to get to, a session of {patience.network} lasts {patience.session_seconds} s"
            )


def pace_warnings(menu: Menu, texts: Texts, networks: Networks) -> Iterator[str]:
    """Ways that only the quick get through: all pages read, the longest way without a turn back.

    Each screen once, with the language and network that leave the least time for it.
    """
    targets = targets_of(menu)
    order = _ordered(first_screens(menu), targets)
    worst: dict[str, tuple[float, str]] = {}
    for language, patience, pace in _paces(menu, texts, networks):
        for name, seconds in _too_late(_slowest(order, targets, pace.slowest), patience):
            sentence = (
                f"{menu.screens[name].where}: {language}: takes {seconds:.0f} s at the slowest "
                f"to get to, a session of {patience.network} lasts {patience.session_seconds} s"
            )
            late = (seconds - patience.session_seconds, sentence)
            worst[name] = max(worst.get(name, late), late)
    yield from (sentence for _, sentence in sorted(worst.values(), reverse=True))


def _too_late(arrived: Arrivals, patience: Patience) -> Iterator[tuple[str, float]]:
    """The first screens of each way that come too late; those behind them come later still."""
    most = patience.session_seconds
    for name, (seconds, before) in arrived.items():
        if seconds > most and (before == "" or arrived[before][0] <= most):
            yield name, seconds


def _slowest(
    order: list[str], targets: Mapping[str, tuple[str, ...]], seconds: Seconds
) -> Arrivals:
    arrived = dict.fromkeys(order, (0.0, ""))
    places = {name: index for index, name in enumerate(order)}
    for name in order:
        through = arrived[name][0] + seconds[name]
        for target in targets[name]:
            if places[target] > places[name]:
                arrived[target] = max(arrived[target], (through, name))
    return arrived


def _quickest(menu: Menu, targets: Mapping[str, tuple[str, ...]], seconds: Seconds) -> Arrivals:
    found: dict[str, tuple[float, str]] = {}
    ahead = [(0.0, name, "") for name in menu.opens.targets.values()]
    heapq.heapify(ahead)
    while ahead:
        spent, name, before = heapq.heappop(ahead)
        if name in found:
            continue
        found[name] = (spent, before)
        for target in targets[name]:
            heapq.heappush(ahead, (spent + seconds[name], target, name))
    return found


def _paces(menu: Menu, texts: Texts, networks: Networks) -> Iterator[tuple[str, Patience, Pace]]:
    for language in texts.languages:
        encoding = texts.encoding(language)
        able = [n for n in networks.all if encoding in ("gsm7", n.encoding)]
        patiences = _patiences(able)
        short: Pages = {}
        budgets = sorted({patience.budget_septets for patience in patiences})
        paces = {budget: _pace(menu, texts, language, budget, short) for budget in budgets}
        for patience in patiences:
            yield language, patience, paces[patience.budget_septets]


def _patiences(networks: list[Network]) -> list[Patience]:
    found: dict[tuple[int, int, int], Patience] = {}
    for network in networks:
        facts = (network.budget_septets, network.idle_seconds, network.session_seconds)
        found.setdefault(facts, Patience(*facts, network.name))
    return list(found.values())


def _pace(menu: Menu, texts: Texts, language: str, budget: int, short: Pages) -> Pace:
    """`short`: what a smaller budget holds on one page, and so does this; added to here."""
    page_max: dict[str, float] = {}
    quickest: dict[str, float] = {}
    slowest: dict[str, float] = {}
    for name, screen in menu.screens.items():
        pages = short.get(name) or widest_pages(texts, language, screen, budget)
        if len(pages) == 1:
            short[name] = pages
        reading = [len(page) / CHARACTERS_READ_PER_SECOND for page in pages]
        answer = _keys(screen) * SECONDS_PER_KEY
        more = (len(MORE_KEY) + 1) * SECONDS_PER_KEY
        page_max[name] = max(reading) + max(answer, more if len(pages) > 1 else 0.0)
        quickest[name] = reading[0] + answer + SECONDS_PER_TURN
        slowest[name] = (
            sum(reading) + (len(pages) - 1) * (more + SECONDS_PER_TURN) + answer + SECONDS_PER_TURN
        )
    return Pace(page_max, quickest, slowest)


def _keys(screen: Screen) -> int:
    """The fewest keys that go on from here, and the one that sends them."""
    if screen.choices or screen.pick is not None or screen.reads is None:
        return 1 + 1
    return keys_of(screen) + 1


def _ordered(first: tuple[str, ...], targets: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Every screen that is reached, before those it leads to, except where a way turns back."""
    done: list[str] = []
    seen: set[str] = set()
    for root in first:
        stack = [] if root in seen else [(root, iter(targets[root]))]
        seen.add(root)
        while stack:
            name, ahead = stack[-1]
            target = next((t for t in ahead if t not in seen), None)
            if target is None:
                done.append(name)
                stack.pop()
            else:
                seen.add(target)
                stack.append((target, iter(targets[target])))
    return done[::-1]

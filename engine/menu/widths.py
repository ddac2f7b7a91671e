"""The proof that every screen fits the networks that carry it, in every language, at its widest."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from engine.menu.layout import Laid, lay_out, numbered, pages_of
from engine.menu.networks import Networks
from engine.menu.own import blamed, words_of
from engine.menu.paging import Footer
from engine.menu.rules import widest_answer
from engine.menu.screens import PAGED, Menu, Screen
from engine.menu.shape import own_mistakes
from engine.menu.vocabulary import ITEMS_MAX, LISTS, OTHER_ITEMS, facts_of
from engine.septets import USSD_UCS2_MAX, fits, is_gsm7, septets, ucs2_units
from engine.texts import Encoding, Texts

SENTENCES = ("mistake.", "no_way.", "session.")
"""Texts that may stand alone on a last screen."""

FOOTERS = ("footer.more", "footer.back", "footer.home")

PAGES_MAX: Mapping[str, int] = {"choice": 3, "confirm": 4, "info": 6, "list": 1 + ITEMS_MAX}
"""Nobody pages further; a session has no time for it either. A list may come down to one item on a
page: in UCS-2 a page holds little more."""


class Budget(NamedTuple):
    """Septets of the longest screen, and a network that allows no more."""

    septets: int
    network: str


def budgets_for(networks: Networks, encoding: Encoding) -> list[Budget]:
    """Every budget that texts of an encoding must fit, the smallest first."""
    found: dict[int, Budget] = {}
    for network in networks.all:
        if encoding in ("gsm7", network.encoding):
            found.setdefault(network.budget_septets, Budget(network.budget_septets, network.name))
    return [found[budget] for budget in sorted(found)]


def widest_lines(laid: Laid, texts: Texts, language: str, screen: Screen) -> list[str]:
    """The lines below a screen's text: its choices, and as many items as a list may have."""
    lines = [line.text for line in laid.lines]
    if screen.lists is not None:
        others = filter(texts.has, OTHER_ITEMS.get(screen.lists, ()))
        widest = [texts.widest(language, key) for key in (LISTS[screen.lists], *others)]
        lines += numbered([max(widest, key=len)] * ITEMS_MAX, len(laid.lines))
    return lines


def widest_pages(texts: Texts, language: str, screen: Screen, budget: int) -> list[str]:
    """The screen as it is shown without a mistake, on its pages, every variable at its widest."""
    laid = lay_out(texts, language, screen)
    body = texts.widest_of(language, laid.body)
    return _pages(screen, laid, body, widest_lines(laid, texts, language, screen), budget)


def width_problems(menu: Menu, texts: Texts, networks: Networks) -> Iterator[str]:
    """What does not fit, every variable at its declared maximum, as `file:line: screen: what`."""
    yield from _answer_problems(menu, texts)
    shown = _shown_mistakes(menu)
    for language in texts.languages:
        budgets = budgets_for(networks, texts.encoding(language))
        if not budgets:
            yield f"texts/{language}.yaml: no network carries {texts.encoding(language)}"
            continue
        yield from _sentence_problems(texts, language, budgets[0])
        for screen in menu.screens.values():
            mistakes = sorted(shown[screen.name])
            yield from _screen_problems(texts, language, budgets, screen, mistakes)


def _answer_problems(menu: Menu, texts: Texts) -> Iterator[str]:
    """What is kept as it was typed must be shown whole: nobody recognises half a number."""
    for screen in menu.screens.values():
        facts = facts_of(screen.move.verb) if screen.move is not None else None
        shown = facts.keeps if facts is not None else None
        most = widest_answer(screen)
        if shown is not None and most > (width := texts.widths[shown]):
            yield f"{screen.where}: what is typed takes up to {most} septets, {{{shown}}} {width}"


def _shown_mistakes(menu: Menu) -> dict[str, set[str]]:
    """Screen -> the sentences that may stand above it, its own and those led to it."""
    shown: dict[str, set[str]] = {name: set() for name in menu.screens}
    for name, screen in menu.screens.items():
        for key in own_mistakes(screen):
            shown[screen.mistakes.get(key, name)].add(key)
    return shown


def _sentence_problems(texts: Texts, language: str, budget: Budget) -> Iterator[str]:
    where = f"texts/{language}.yaml"
    for key in texts:
        if key.startswith(SENTENCES):
            if fault := _too_wide(texts.widest(language, key), budget):
                yield f"{texts.own_place(language, key) or where}: {key}: {fault}"
        elif key in FOOTERS and texts.template(language, key).names:
            yield f"{where}: {key}: has variables, and nothing fills them"


def _screen_problems(
    texts: Texts, language: str, budgets: list[Budget], screen: Screen, mistakes: list[str]
) -> Iterator[str]:
    laid = lay_out(texts, language, screen)
    lines = widest_lines(laid, texts, language, screen)
    where = f"{screen.where}: {language}"
    body, again = texts.widest_of(language, laid.body), texts.widest_of(language, laid.again)
    bodies = {where: (body, "")}
    for key in mistakes:
        bodies[f"{where}: with {key}"] = (f"{texts.widest(language, key)}\n{again}", key)
        if screen.kind == "confirm":  # stands in full below a mistake where it takes several pages
            in_full = f"{texts.widest(language, key)}\n{body}"
            bodies[f"{where}: in full with {key}"] = (in_full, key)
    for what, (shown, mistake) in bodies.items():
        for budget in budgets:
            pages = _pages(screen, laid, shown, lines, budget.septets)
            faults = [fault for page in pages if (fault := _too_wide(page, budget))]
            if len(pages) > (most := PAGES_MAX.get(screen.kind, 1)):
                faults.append(f"{len(pages)} pages on {budget.network}, at most {most} may be")
            own = blamed(texts, language, (mistake, *words_of(screen), *FOOTERS)) if faults else ""
            yield from (f"{what}: {fault}{own}" for fault in faults)
            if faults or len(pages) == 1:
                break  # What fits the smallest on one page fits all, and one fault is enough.


def _pages(screen: Screen, laid: Laid, body: str, lines: list[str], budget: int) -> list[str]:
    if screen.kind in PAGED:
        return pages_of(laid, body, lines, lambda text: fits(text, budget))
    return ["\n".join([body, *lines, *filter(None, [_last_line(laid.footer)])])]


def _last_line(footer: Footer) -> str:
    return footer.line(first=True, last=True)


def _too_wide(text: str, budget: Budget) -> str | None:
    if fits(text, budget.septets):
        return None
    if is_gsm7(text):
        return (
            f"{septets(text)} septets at most, the budget of {budget.network} is {budget.septets}"
        )
    units, most = ucs2_units(text), min(USSD_UCS2_MAX, budget.septets * 7 // 16)
    return f"{units} UCS-2 units at most, the budget of {budget.network} is {most}"

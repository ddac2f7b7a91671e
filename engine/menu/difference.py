"""What a change of menus does to people: to keys they know by heart, to dial strings that were
given away, to those who stand in the middle of a dialogue. Pure.

Live sessions stay with the edition they began with; the change is theirs only when they are dropped
and dial again, or when no process has the old edition any more.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from engine.menu.deep_links import DeepLink, Lost, walk
from engine.menu.screens import Choice, Menu, Move, Screen
from engine.texts import FALLBACK, Plural, Texts

TYPED = {"choices", "move", "pick", "reads", "rule", "check", "kind"}
"""The parts of a screen that say what may be typed there."""


class Side(NamedTuple):
    """One of the two menus that are compared."""

    menu: Menu
    texts: Texts
    links: Sequence[DeepLink]


class Difference(NamedTuple):
    """Sentences by what they are about. `links_broken` is what must not be published."""

    screens: list[str]
    choices_moved: list[str]
    links: list[str]
    links_broken: list[str]
    live_sessions: list[str]
    texts: list[str]

    @property
    def is_nothing(self) -> bool:
        return not any(self)


def compare(old: Side, new: Side) -> Difference:
    """From old to new."""
    return Difference(
        screens=list(_screens(old.menu, new.menu)),
        choices_moved=list(_choices(old, new)),
        links=list(_links_listed(old, new)),
        links_broken=list(_links_broken(old, new)),
        live_sessions=list(_live_sessions(old.menu, new.menu)),
        texts=list(_texts(old.texts, new.texts)),
    )


def _screens(old: Menu, new: Menu) -> Iterator[str]:
    yield from (f"{name} is new" for name in new.screens if name not in old.screens)
    yield from (f"{name} is gone" for name in old.screens if name not in new.screens)
    for name, before in old.screens.items():
        if name in new.screens and (parts := _changed_parts(before, new.screens[name])):
            yield f"{name} has other {', '.join(parts)}"


def _changed_parts(before: Screen, after: Screen) -> list[str]:
    parts = [field for field in before.__struct_fields__ if field != "where"]
    return [part for part in parts if _placeless(before, part) != _placeless(after, part)]


def _placeless(screen: Screen, part: str) -> object:
    """A part without the line it stands on."""
    value = getattr(screen, part)
    if isinstance(value, Move):
        return msgspec.structs.replace(value, where="")
    if part == "choices":
        return {
            key: msgspec.structs.replace(
                choice, move=msgspec.structs.replace(choice.move, where="")
            )
            for key, choice in value.items()
        }
    return value


def _choices(old: Side, new: Side) -> Iterator[str]:
    """Keys that mean something else: the worst change of all, people press them without reading."""
    for name, screen in old.menu.screens.items():
        after = new.menu.screens.get(name)
        for key, choice in screen.choices.items():
            now = after.choices.get(key) if after is not None else None
            if after is not None and (now is None or _meaning(choice) != _meaning(now)):
                what = _label(new, now) if now else "nothing"
                yield f"{name}: {key} was {_label(old, choice)}, is {what}"


def _meaning(choice: Choice) -> object:
    return choice.label, choice.move.verb, choice.move.targets


def _label(side: Side, choice: Choice) -> str:
    leads = " or ".join(dict.fromkeys(choice.move.targets.values()))
    said = side.texts.template(FALLBACK, choice.label).source
    return f"`{said}` ({leads})"


def _links_listed(old: Side, new: Side) -> Iterator[str]:
    before, after = ({link.dial for link in side.links} for side in (old, new))
    yield from (f"{dial} is published now" for dial in sorted(after - before))
    yield from (f"{dial} is no longer in the list" for dial in sorted(before - after))


def _links_broken(old: Side, new: Side) -> Iterator[str]:
    """Links that were published stay published, whatever the new list says."""
    for link in old.links:
        before, after = _leads_to(old.menu, link.dial), _leads_to(new.menu, link.dial)
        if before != after:
            yield f"{link.dial} led to {before}, leads to {after}"


def _leads_to(menu: Menu, dial: str) -> str:
    try:
        return " or ".join(sorted(walk(menu, dial)))
    except Lost as lost:
        return f"nowhere ({lost})"


def _live_sessions(old: Menu, new: Menu) -> Iterator[str]:
    for name, screen in old.screens.items():
        if screen.kind == "end":
            continue
        after = new.screens.get(name)
        resumable = screen.journey in old.resumes
        if after is None:
            lost = "; dropped there, they cannot go on" if resumable else ""
            yield f"on {name}: the screen is gone{lost}"
        elif TYPED & set(_changed_parts(screen, after)):
            yield f"on {name}: what may be typed is another"
        elif resumable and screen.journey not in new.resumes:
            yield f"on {name}: dropped there, they can no longer go on"


def _texts(old: Texts, new: Texts) -> Iterator[str]:
    yield from (f"{code} is new" for code in new.languages if code not in old.languages)
    yield from (f"{code} is gone" for code in old.languages if code not in new.languages)
    for code in old.languages:
        if code in new.languages:
            yield from (f"{code}: {what}" for what in _sentences(old, new, code))


def _sentences(old: Texts, new: Texts, language: str) -> Iterator[str]:
    before, after = set(old), set(new)
    yield from (f"{key} is new" for key in sorted(after - before))
    yield from (f"{key} is gone" for key in sorted(before - after))
    for key in sorted(before & after):
        was, now = _said(old, language, key), _said(new, language, key)
        if was != now:
            yield f"{key} was {was!r}, is {now!r}"


def _said(texts: Texts, language: str, key: str) -> str:
    sentence = texts.template(language, key)
    if isinstance(sentence, Plural):
        return " / ".join(form.source for form in sentence.forms)
    return sentence.source

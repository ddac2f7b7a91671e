"""A screen laid out in one language, once at load: its lines, placeholders still in place."""

from collections.abc import Callable, Sequence

import msgspec

from engine.menu.paging import Footer, paginate
from engine.menu.screens import OneOf, Screen
from engine.texts import Sentence, Template, Texts, join


class Line(msgspec.Struct, frozen=True):
    """One numbered choice or word as it is shown, and the fact it hangs on, if any."""

    text: str
    when: str | None


class Laid(msgspec.Struct, frozen=True):
    """One screen in one language.

    `whole` and `whole_again` are the screen on one page, for those whose lines never change: nearly
    all. `body`, `lines` and `footer` are its parts, for lists, conditions and second pages.
    """

    body: Sentence
    again: Sentence
    lines: tuple[Line, ...]
    footer: Footer
    whole: Sentence | None
    whole_again: Sentence | None


def lay_out(texts: Texts, language: str, screen: Screen) -> Laid:
    """The screen in a language. Raises KeyError for a text key that nobody wrote."""

    def source(key: str) -> str:
        return texts.template(language, key).source

    lines = tuple(
        Line(f"{choice.key}. {source(choice.label)}", choice.when)
        for choice in screen.choices.values()
    )
    if isinstance(screen.rule, OneOf):
        words = [source(key) for key in screen.rule.words.values()]
        lines += tuple(Line(line, None) for line in numbered(words, len(lines)))
    footer = Footer(
        source("footer.more"), source("footer.back"), source("footer.home"),
        screen.has_back, screen.has_home,
    )  # fmt: skip
    body, again = texts.template(language, screen.text), texts.template(language, screen.again)
    varies = screen.lists is not None or any(line.when for line in lines)
    below = [*(line.text for line in lines), *filter(None, [footer.line(first=True, last=True)])]
    rest = [Template(line) for line in below]
    return Laid(
        body=body,
        again=again,
        lines=lines,
        footer=footer,
        whole=None if varies else join([body, *rest]),
        whole_again=None if varies else join([again, *rest]),
    )


def in_full(laid: Laid) -> Laid:
    """The same with its full text also below a mistake, for what must be read before it counts."""
    return msgspec.structs.replace(laid, again=laid.body, whole_again=laid.whole)


def numbered(items: Sequence[str], choices: int) -> list[str]:
    """Items as they are shown below so many choices: their numbers stay the same on every page."""
    return [f"{number}. {item}" for number, item in enumerate(items, choices + 1)]


def pages_of(laid: Laid, body: str, lines: Sequence[str], fit: Callable[[str], bool]) -> list[str]:
    """The screen on as many pages as it needs: its text, then its lines, then the way on."""
    return paginate([*body.split("\n"), *lines], laid.footer, fit)

"""A screen's words on as many pages as they need. Pure; whoever calls says what fits.

Pages are filled from the first, so the same words give the same pages. A line is kept whole if it
fits a page of its own, else it is broken between words, and a word only if nothing else helps.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.septets import cut, fits, is_gsm7, ucs2_units

Fits = Callable[[str], bool]


class Footer(NamedTuple):
    """The words that lead on and away, e.g. `98 More`; empty where a screen has none."""

    more: str
    back: str
    home: str
    has_back: bool
    has_home: bool

    def line(self, *, first: bool, last: bool) -> str:
        """The last line of a page. From any page but the first, back leads to the page before."""
        words = (
            "" if last else self.more,
            self.back if self.has_back or not first else "",
            self.home if self.has_home else "",
        )
        return " ".join(word for word in words if word)


def paginate(lines: Sequence[str], footer: Footer, fit: Fits) -> list[str]:
    """All pages, at least one. A page that cannot fit (a footer wider than a screen) is given
    all the same: who shows it cuts it."""
    pages: list[str] = []
    left = list(lines)
    while True:
        whole = _joined(left, footer.line(first=not pages, last=True))
        if fit(whole) or not left:
            return [*pages, whole]
        page, left = _first_page(left, footer.line(first=not pages, last=False), fit)
        pages.append(page)


def shortened(text: str, budget: int) -> str:
    """The longest beginning that fits in `budget` septets, or as many octets of UCS-2."""
    if fits(text, budget):
        return text
    if is_gsm7(text):
        return cut(text, budget)
    while text and not fits(text, budget):
        text = text[: -max(1, ucs2_units(text) - budget * 7 // 16)]
    return text


def _first_page(lines: list[str], footer: str, fit: Fits) -> tuple[str, list[str]]:
    taken: list[str] = []
    for index, line in enumerate(lines):
        if not fit(_joined([*taken, line], footer)):
            if taken:
                return _joined(taken, footer), lines[index:]
            begin, rest = _broken(line, lambda part: fit(_joined([part], footer)))
            return _joined([begin], footer), [*([rest] if rest else []), *lines[index + 1 :]]
        taken.append(line)
    return _joined(taken, footer), []  # only the shorter last footer did not fit: impossible


def _broken(line: str, fit: Fits) -> tuple[str, str]:
    """A line too long for a page: what fits of it, and the rest. Something always moves on."""
    words = line.split(" ")
    for count in range(len(words) - 1, 0, -1):
        if fit(begin := " ".join(words[:count])):
            return begin, " ".join(words[count:])
    length = len(line)
    while length > 1 and not fit(line[:length]):
        length -= 1
    return line[:length], line[length:]


def _joined(lines: Sequence[str], footer: str) -> str:
    return "\n".join([*lines, footer] if footer else lines)

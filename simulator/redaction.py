"""What of a live dialogue may stand in a file: names instead of numbers, PINs, codes and times.

Pure, and in doubt it redacts: a secret that was kept costs more than a figure that was lost.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from simulator.steps.person import PIN_NAMES, WEAK_PIN, names_of

ANYTHING = "*"
NEW_DIGITS = 7
"""So many of a number's last digits are new in each play; what stands before tells the network."""

_DAY = r"\d{1,4}[/.-]\d{1,2}[/.-]\d{2,4}"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp][Mm])?"
_TIME = re.compile(rf"\b{_DAY}(?:,? {_CLOCK})?\b|\b{_CLOCK}\b")
_MASKED = re.compile(r"\+?\d+\*+\d*")
_LONG = re.compile(r"\+?\d{9,}")
_CODE = re.compile(r"\b(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z0-9]{8,12}\b")
_PAGE = re.compile(r"https?://\S*[^\s.,;:!?)]")
_NUMBER_TYPED = re.compile(r"\+?\d{9,15}")
_MAYBE_PIN = re.compile(r"(?<![\d.,])\d{4,8}(?![\d.,])")
_BRACED = re.compile(r"\{(\w+)\}")


@dataclass
class Names:
    """What the values of one dialogue are called in the file. It grows as they are met."""

    people: dict[str, str] = field(default_factory=dict)  # name -> number, with plus
    codes: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)  # addresses that were sent to somebody
    holders: frozenset[str] = frozenset()  # what people are called at their operators
    secrets: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    """Person -> value -> which of the person's PINs it is."""
    examples: set[str] = field(default_factory=set)
    """Whose number stood in a text before anybody typed it: it may stand there in every play."""

    def meet(self, msisdn: str) -> str:
        """The name of whoever has this number; somebody unknown gets one."""
        for name, known in self.people.items():
            if known == msisdn:
                return name
        name = f"other{len(self.people)}"
        self.people[name] = msisdn
        return name

    def keep_secret(self, person: str, value: str) -> None:
        """From now on this stands for one of the person's PINs, wherever it was typed."""
        mine = self.secrets.setdefault(person, {})
        if value in mine:
            return
        free = [name for name in PIN_NAMES if name not in mine.values()]
        mine[value] = WEAK_PIN if is_weak(value) or not free else free[0]

    def learn(self, text: str) -> None:
        """Every payment code and every page of a text gets a name."""
        self.codes += [code for code in _CODE.findall(text) if code not in self.codes]
        self.pages += [page for page in _PAGE.findall(text) if page not in self.pages]

    def named(self, text: str) -> str:
        """The text with names for numbers, codes and pages, the longest first."""
        for value, name in self._values():
            text = text.replace(value, f"{{{name}}}")
        return text

    def shown(self, text: str) -> str:
        """A line of a screen or a message, as a transcript expects it in every play."""
        for value in self._shown_before():
            text = text.replace(value, ANYTHING)
        text = self.named(text)
        for value in {value for mine in self.secrets.values() for value in mine}:
            text = _whole(value).sub(ANYTHING, text)
        for holder in sorted(self.holders, key=len, reverse=True):
            text = text.replace(holder, ANYTHING)
        for pattern in (_MASKED, _LONG, _TIME):
            text = pattern.sub(ANYTHING, text)
        return text

    def typed(self, person: str, text: str) -> str:
        """What was typed, dialled or written, as it is to be typed in every play."""
        text = _NUMBER_TYPED.sub(lambda found: self._spell_number(person, found[0]), text)
        text = self.named(text)
        for value, name in self.secrets.get(person, {}).items():
            text = _whole(value).sub(f"{{{name}}}", text)
        return text

    def _values(self) -> Sequence[tuple[str, str]]:
        """What may stand in a text, the longest first, so that no part of it is named alone."""
        found = [(code, _numbered("code", index)) for index, code in enumerate(self.codes)]
        found += [(page, _numbered("page", index)) for index, page in enumerate(self.pages)]
        for name, msisdn in self.people.items():
            found += [(value, called) for called, value in names_of(name, msisdn)]
        return sorted(found, key=lambda pair: -len(pair[0]))

    def _shown_before(self) -> Sequence[str]:
        """The numbers of `examples` in every spelling, the longest first."""
        spelled = [names_of(name, self.people[name]) for name in self.examples]
        return sorted({value for pairs in spelled for _, value in pairs}, key=len, reverse=True)

    def _spell_number(self, person: str, digits: str) -> str:
        """A number in the form in which it was typed; without a country it is of the person's."""
        if digits.startswith("0"):
            home = self.people[person][:4]
            return f"{{{self.meet(home + digits[1:])}_national}}"
        name = self.meet("+" + digits.removeprefix("+"))
        return f"{{{name}}}" if digits.startswith("+") else f"{{{name}_digits}}"


def name_codes(lines: Sequence[str], bound: Mapping[str, str]) -> dict[str, str]:
    """Names for the payment codes in a text that have none yet, as captures bind them."""
    named = dict(bound)
    for code in dict.fromkeys(code for line in lines for code in _CODE.findall(line)):
        if code not in named.values():
            free = (_numbered("code", index) for index in range(len(lines) + len(named)))
            named[next(name for name in free if name not in named)] = code
    return named


def hide_times(line: str) -> str:
    """The line with `*` for every date and time of day."""
    return _TIME.sub(ANYTHING, line)


def doubtful(typed: str, shown: str) -> list[str]:
    """The runs of 4 to 8 digits that may be a PIN: all that the answer does not show as money.

    That a screen asks for a PIN proves nothing, nor does that it asks for an amount. But what
    comes back as an amount with its currency was no PIN.
    """
    return [digits for digits in _MAYBE_PIN.findall(typed) if not _is_money(digits, shown)]


def reserved(sources: Sequence[str]) -> set[str]:
    """The names of PINs that somebody typed as such: they are taken."""
    return {name for source in sources for name in _BRACED.findall(source)} & {*PIN_NAMES, WEAK_PIN}


def pattern_of(msisdn: str) -> str:
    """`+25471???????`: a number of the same network, new in each play."""
    return msisdn[:-NEW_DIGITS] + "?" * NEW_DIGITS


def is_weak(pin: str) -> bool:
    """Whether servers refuse it: one digit over and over, or counted up or down."""
    if not pin.isdigit():
        return False
    strides = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return strides in ({0}, {1}, {9})


def _whole(value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\d){re.escape(value)}(?!\d)")


def _is_money(digits: str, shown: str) -> bool:
    grouped = f"{int(digits):,}".replace(",", "[,. \u00a0\u202f']?")
    return re.search(rf"[A-Z]{{3}} {grouped}(?![\d])", shown) is not None


def _numbered(name: str, index: int) -> str:
    return name if index == 0 else f"{name}{index + 1}"

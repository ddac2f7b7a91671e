"""How languages count: which form of a text goes with which whole number. Pure.

Source: Unicode CLDR, `common/supplemental/plurals.xml`, cardinal rules as of version 46 (read
November 2026), reduced to whole numbers: there `i = n`, and `v` and `e` are nought. A language
that is not listed here counts like the one its texts file names, else like English.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from engine.texts.templates import OTHER

CATEGORIES = ("zero", "one", "two", "few", "many", OTHER)
"""CLDR's words. A text that is a mapping of nothing but these is a plural."""


class Rule(NamedTuple):
    """One category, CLDR's condition in its own words, and the same for a whole number."""

    category: str
    condition: str
    holds: Callable[[int], bool]


_ONE = Rule("one", "i = 1 and v = 0", lambda n: n == 1)
_MILLIONS = Rule(
    "many",
    "e = 0 and i != 0 and i % 1000000 = 0 and v = 0 or e != 0..5",
    lambda n: n != 0 and n % 1_000_000 == 0,
)
RULES: Mapping[str, Sequence[Rule]] = {
    "am": (Rule("one", "i = 0 or n = 1", lambda n: n in (0, 1)),),
    "en": (_ONE,),
    "fr": (Rule("one", "i = 0,1", lambda n: n in (0, 1)), _MILLIONS),
    "lg": (Rule("one", "n = 1", lambda n: n == 1),),
    "sw": (_ONE,),
}
"""Language -> its rules in order; a number that none takes is `other`."""


def category_of(language: str, number: int) -> str:
    """Which form a whole number takes. Raises KeyError for a language without rules."""
    for rule in RULES[language]:
        if rule.holds(number):
            return rule.category
    return OTHER


def members(language: str, digits_max: int) -> Mapping[str, tuple[int, ...]]:
    """Category -> the first numbers in it (two at most), of all numbers up to so many digits.

    A category whose only member is one number may leave the number out ("One try left").
    """
    found: dict[str, tuple[int, ...]] = {}
    # Every rule above tells numbers apart below three, or by whole millions.
    for number in (0, 1, 2, 3, 1_000_000, 2_000_000):
        if len(str(number)) <= digits_max:
            category = category_of(language, number)
            found[category] = (*found.get(category, ()), number)[:2]
    return found

"""What a message means: a keyword in any language, forgiving about case, spaces and order. Pure.

Keywords are texts (`keywords.<verb>`, synonyms with spaces between); what follows one is only told
apart here, not looked up. Knows no customer.
"""

import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from engine.customers.pins import has_pin_shape
from engine.errors import CustomerMistake
from engine.money import Money
from engine.msisdn import Msisdn, parse_msisdn
from engine.session.readers import read_amount
from engine.texts import FALLBACK, Texts

SHORT_OF_CURRENCY = {
    "KES": frozenset({"KES", "KSH", "KSHS", "SH", "SHS"}),
    "UGX": frozenset({"UGX", "USH", "USHS", "SH", "SHS"}),
}
"""How people write a currency beside an amount. A word not listed for their own is not let pass."""

TEXT_LENGTH_MAX = 1_600
"""As long as gateways hand a message over: what is cut off may be the end of an amount."""

_ENDS = ".,;:!?\"'()[]<>“”„‘’«»‹›"
_UNSEEN = frozenset({"Mn", "Cf"})
"""Accents, once they are apart from their letters, and marks of direction and the like."""
_GLUED = re.compile(r"([^\W\d]+)([+\d].*)", re.DOTALL)
_AMOUNT_TAIL = re.compile(r"/[=-]?$")
_DIGIT_RUN = re.compile(r"(?<![0-9])[0-9]{4}(?![0-9])")
_AMOUNT_DIGITS_MAX = 9
_AMOUNT_WORDS_MAX = 3
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?: [0-9]{3})+(?:\.[0-9]+)?")


class Verb(StrEnum):
    """What can be asked by a keyword."""

    SEND = "send"
    YES = "confirm"  # not "yes" and "no": bare in YAML these are no words
    NO = "refuse"
    LIMITS = "limits"
    STATUS = "status"
    LANGUAGE = "language"
    MENU = "menu"
    HELP = "help"
    STOP = "stop"
    START = "start"


class Command(NamedTuple):
    """A keyword with what stood behind it. `language` is the one whose word it is."""

    verb: Verb
    rest: tuple[str, ...]
    language: str


class Vocabulary:
    """All keywords of all languages. The asker's own language counts first, then English."""

    def __init__(self, texts: Texts) -> None:
        self._words: dict[str, dict[str, Verb]] = {
            language: {
                word: verb
                for verb in Verb
                for word in plainly(texts.render(language, f"keywords.{verb}")).split()
            }
            for language in texts.languages
        }
        self._fillers = _all_words(texts, "keywords.filler")
        self._pin_words = _all_words(texts, "keywords.pin")

    def read(self, text: str, language: str = FALLBACK) -> Command | None:
        """The command in a message, None when it begins with no keyword."""
        words = [word for word in (w.strip(_ENDS) for w in plainly(text).split()) if word]
        if not words:
            return None
        first, *rest = words
        if (found := self._find(first, language)) is None:
            glued = _GLUED.fullmatch(first)  # "SEND500 0772..."
            if glued is None or (found := self._find(glued[1], language)) is None:
                return None
            rest = [glued[2], *rest]
        kept = tuple(word for word in rest if word not in self._fillers)
        return Command(found[0], kept, found[1])

    def looks_like_pin(self, text: str) -> bool:
        """Four digits alone, or four digits in a message that speaks of a PIN in any language."""
        plain = plainly(text)
        words = [word.strip(_ENDS + "-") for word in plain.split()]
        if has_pin_shape("".join(words)):
            return True
        speaks_of_it = any(word.rstrip("0123456789:=-") in self._pin_words for word in words)
        return speaks_of_it and _DIGIT_RUN.search(plain) is not None

    def _find(self, word: str, language: str) -> tuple[Verb, str] | None:
        for tongue in dict.fromkeys((language, FALLBACK, *self._words)):
            if verb := self._words.get(tongue, {}).get(word):
                return verb, tongue
        return None


def has_foreign_digits(text: str) -> bool:
    """Whether a number is written in other digits than 0-9: Arabic, Ethiopic and the like."""
    return any(not c.isascii() and unicodedata.numeric(c, None) is not None for c in text)


def read_order(words: tuple[str, ...], country: str, currency: str) -> tuple[Msisdn, Money]:
    """Whom to send how much, in either order. Both may have spaces in them.

    `currency` is that of the sender's wallet. Raises CustomerMistake: `sms.in_send_how` when the
    words allow no reading, or more than one.
    """
    found = {*_orders([*_bare(words, currency)], country, currency)}
    if len(found) != 1:
        raise CustomerMistake("sms.in_send_how")
    return found.pop()


def _orders(words: list[str], country: str, currency: str) -> Iterator[tuple[Msisdn, Money]]:
    """All that the words may mean: to Kenyans `5 000 254...` is also 5 to a number abroad."""
    for amount, number in _splits(words):
        if not _may_be_amount(amount):
            continue
        try:
            yield parse_msisdn("".join(number), country), read_amount(amount, currency)
        except CustomerMistake as mistake:
            if mistake.text_key == "mistake.amount_whole":
                raise


def _splits(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """An amount in front or at the end, its thousands apart by blanks or not, and the rest.

    Where the number is in several words too, only `000` shows that a word is still the amount's.
    """
    for count in range(1, min(len(words), 1 + _AMOUNT_WORDS_MAX)):
        for amount, number in ((words[:count], words[count:]), (words[-count:], words[:-count])):
            first, *groups = amount
            if not groups:
                yield first, number
            elif _GROUPED.fullmatch(" ".join(amount)) and (len(number) == 1 or "000" in groups):
                yield "".join(amount), number


def _bare(words: tuple[str, ...], currency: str) -> Iterator[str]:
    """The words without the currency, which stands before, behind or at the amount."""
    names = SHORT_OF_CURRENCY.get(currency, frozenset({currency}))
    for word in words:
        bare = _AMOUNT_TAIL.sub("", word)
        for name in names:
            if bare.startswith(name) and bare[len(name) :][:1].isdigit():
                bare = bare[len(name) :]
            elif bare.endswith(name) and bare[: -len(name)][-1:].isdigit():
                bare = bare[: -len(name)]
        if bare and bare not in names:
            yield bare


def _may_be_amount(word: str) -> bool:
    """A number of a phone is not an amount, however it is written."""
    digits = word.partition(".")[0].replace(",", "")
    return not digits.startswith("0") and len(digits) <= _AMOUNT_DIGITS_MAX


def _all_words(texts: Texts, key: str) -> frozenset[str]:
    return frozenset(
        word
        for language in texts.languages
        for word in plainly(texts.render(language, key)).split()
    )


def plainly(text: str) -> str:
    """As words are compared: in capitals, without accents, which not every phone can write, and
    without what nobody sees, as it comes along with a number that was copied.
    """
    text = text[:TEXT_LENGTH_MAX]
    if not text.isascii():
        spelled = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in spelled if unicodedata.category(c) not in _UNSEEN)
    return text.upper()

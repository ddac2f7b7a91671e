"""What a customer typed, as a value, or refused with a sentence. Pure."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from engine.customers.pins import has_pin_shape
from engine.customers.recipients import NAME_SEPTETS_MAX
from engine.errors import CustomerMistake
from engine.menu.patterns import Pattern
from engine.menu.rules import folded
from engine.menu.screens import Menu, OneOf, Range, Regex, Rule
from engine.menu.vocabulary import CHOICE_MISTAKE
from engine.money import CURRENCIES, CURRENCY_OF_COUNTRY, Money, from_decimal
from engine.msisdn import parse_msisdn
from engine.septets import cut, transliterate
from engine.session.session import Session
from engine.texts import FALLBACK, Texts

AMOUNT_LENGTH_MAX = 15
"""No amount anybody sends is longer, commas and decimals included."""

WORD_LENGTH_MAX = 60
"""No word of a `one_of` fills half a screen."""

RANGE_MISTAKE = "mistake.range"

_WHOLE = re.compile(r"[0-9]{1,9}|[0-9]{1,3}(?:,[0-9]{3}){1,2}|[0-9]{1,3}(?: [0-9]{3}){1,2}")
_CODE = re.compile(r"[0-9A-Z]{10}", re.ASCII)
_BLANKS = " \u00a0\u202f"
"""Between thousands, as French screens write them: plain, no-break and narrow."""
_AMOUNT = re.compile(
    rf"([0-9]+|[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]{{1,3}}(?:[{_BLANKS}][0-9]{{3}})+)(?:\.([0-9]+))?",
    re.ASCII,
)
_BETWEEN = str.maketrans("", "", "," + _BLANKS)


def read_amount(text: str, currency: str) -> Money:
    """Digits, commas or blanks between thousands, decimals as the currency has them; ASCII only.

    Raises CustomerMistake `mistake.amount` for anything else and for zero, `mistake.amount_whole`
    for a fraction the currency does not have.
    """
    found = _AMOUNT.fullmatch(text) if len(text) <= AMOUNT_LENGTH_MAX else None
    if found is None:
        raise CustomerMistake("mistake.amount")
    whole, fraction = found[1].translate(_BETWEEN), found[2] or ""
    if len(fraction) > CURRENCIES[currency].decimals:
        raise CustomerMistake("mistake.amount_whole")
    amount = from_decimal(Decimal(f"{whole}.{fraction or 0}"), currency)
    if amount.minor == 0:
        raise CustomerMistake("mistake.amount")
    return amount


def read_pin(text: str) -> str:
    """Raises CustomerMistake `mistake.pin_format` unless it is four ASCII digits."""
    if not has_pin_shape(text):
        raise CustomerMistake("mistake.pin_format")
    return text


def read_code(text: str) -> str:
    """A payment's code, forgiving about case and spaces. Raises CustomerMistake `mistake.code`."""
    code = text.upper().replace(" ", "")
    if _CODE.fullmatch(code) is None:
        raise CustomerMistake("mistake.code")
    return code


def read_name(text: str) -> str:
    """A name for a saved number, as it will be shown. Raises CustomerMistake `mistake.name`.

    Letters in front: a number typed by mistake is not a name.
    """
    name = cut(transliterate(" ".join(text.split())), NAME_SEPTETS_MAX).strip()
    if not name[:1].isalpha() or not name.isprintable():
        raise CustomerMistake("mistake.name")
    return name


def currency_of(session: Session) -> str:
    """Of the caller's wallet: there are wallets in dollars where the country has money of its own.

    What they type is an amount of this, whether they pay it or ask for it.
    """
    # What a release wrote that left it empty where it was the country's money.
    return session.currency or CURRENCY_OF_COUNTRY[session.country]


Reader = Callable[[str, Session], Any]
"""Takes what was typed, without blanks at its ends. Raises CustomerMistake."""

READERS: Mapping[str, Reader] = {
    "amount": lambda text, session: read_amount(text, currency_of(session)),
    "msisdn": lambda text, session: parse_msisdn(text, session.country),
    "pin": lambda text, _: read_pin(text),
    "code": lambda text, _: read_code(text),
    "name": lambda text, _: read_name(text),
}
"""What each name in `engine/menu/vocabulary.READERS` does. Each may be asked twice."""


def readers_of(menu: Menu, texts: Texts) -> Mapping[str, Reader]:
    """Screen -> how what is typed there is read, its rule made ready once."""
    return {
        name: _by_rule(screen.rule, texts) if screen.rule is not None else READERS[screen.reads]
        for name, screen in menu.screens.items()
        if screen.reads is not None
    }


def _by_rule(rule: Rule, texts: Texts) -> Reader:
    if isinstance(rule, Regex):
        return read_by_pattern(Pattern(rule.pattern), rule.complaint)
    if isinstance(rule, Range):
        return read_whole(rule)
    return read_word(rule, texts)


def read_by_pattern(pattern: Pattern, complaint: str) -> Reader:
    """Text of one form, as it was typed. The reader raises CustomerMistake with the complaint."""

    def read(text: str, _: Session) -> str:
        if not pattern.matches(text):
            raise CustomerMistake(complaint)
        return text

    return read


def read_whole(rule: Range) -> Reader:
    """A whole number between two, its thousands apart by commas or spaces if at all; ASCII only.

    The reader raises CustomerMistake, `mistake.range` unless the rule has a complaint of its own,
    with both ends of the range.
    """

    def read(text: str, _: Session) -> int:
        found = _WHOLE.fullmatch(text) if len(text) <= AMOUNT_LENGTH_MAX else None
        number = int(re.sub("[, ]", "", text)) if found else -1
        if not rule.lowest <= number <= rule.highest:
            complaint = rule.complaint or RANGE_MISTAKE
            raise CustomerMistake(complaint, minimum=rule.lowest, maximum=rule.highest)
        return number

    return read


def read_word(rule: OneOf, texts: Texts) -> Reader:
    """What one of some words stands for: its number on the screen, or the word itself.

    Words of the caller's language and, for who reads another because the network cannot carry it,
    of the one everybody falls back to; without case, accents or spaces. The reader raises
    CustomerMistake, `mistake.choice` unless the rule has a complaint of its own.
    """
    numbers = {str(number): word for number, word in enumerate(rule.words, 1)}
    said = {
        language: {
            folded(texts.template(language, key).source): word for word, key in rule.words.items()
        }
        for language in texts.languages
    }
    meant = {language: said[FALLBACK] | said[language] | numbers for language in said}

    def read(text: str, session: Session) -> str:
        words = meant.get(session.language, meant[FALLBACK])
        word = words.get(folded(text)) if len(text) <= WORD_LENGTH_MAX else None
        if word is None:
            raise CustomerMistake(rule.complaint or CHOICE_MISTAKE)
        return word

    return read

"""The GSM 7-bit alphabet: what a text costs on the air, whether it fits, and how to make it fit.

Knows nothing of screens or receipts. Facts: 3GPP TS 23.038 and 23.040
(`reference: sms-encoding, sections 1, 2, 3 and 6`).
"""

import re
import unicodedata
from itertools import pairwise

from anyascii import anyascii

GSM7_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The 128 codes in order. Code 0x1B is the escape to the extension table, never a character."""
GSM7_EXTENSION = "\f^{}\\[~]|€"
"""Each of these costs two septets: the escape and its code."""

USSD_SEPTETS_MAX = 182
"""160 octets of one USSD string; networks allow less."""
USSD_UCS2_MAX = 80

_ALPHABET = frozenset(GSM7_BASIC.replace("\x1b", "") + GSM7_EXTENSION)
_OUTSIDE = re.compile(f"[^{re.escape(''.join(sorted(_ALPHABET)))}]")
# Nearly every text is of these alone, and for them the count is the length: 15 times faster.
_PLAIN = re.compile(r"[\n -Z_a-z]*", re.ASCII)
_DOUBLE = re.compile(f"[{re.escape(GSM7_EXTENSION)}]")

_SPOKEN = frozenset("LMNP")  # letters, marks, numbers, punctuation
_CASELESS = "Lo"
_NUMERAL = "No"  # a number that is no digit: a fraction, a raised or a ringed one

_FRACTIONS = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞↉"
# `2½` is two and a half, not 21/2: before and behind what is written as `1/2` a digit stands apart.
_FRACTION_BY_DIGIT = re.compile(
    rf"(?<=\d)(?=[{_FRACTIONS}])|(?<=[{_FRACTIONS}])(?=[\d{_FRACTIONS}])"
)

# What names and careless editors bring along, beyond what Unicode decomposes by itself.
_REPLACEMENTS = {
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "ʼ": "'", "ʻ": "'", "´": "'", "`": "'",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‹": "'", "›": "'",
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "•": "-", "·": ".",
    "\u2044": "/", "\u2215": "/",
    "…": "...", "\t": " ", "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u2007": " ",
    "\u200b": "", "\u200c": "", "\u200d": "", "\u2060": "", "\ufeff": "", "\u00ad": "",
    "₦": "NGN", "₵": "GHS", "×": "x", "÷": ":", "°": "o",
    "ç": "c", "œ": "oe", "Œ": "OE", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D", "ŋ": "n", "Ŋ": "N", "ɓ": "b", "Ɓ": "B", "ɗ": "d", "Ɗ": "D", "ƙ": "k",
    "Ƙ": "K", "ƴ": "y", "Ƴ": "Y", "ɛ": "e", "Ɛ": "E", "ɔ": "o", "Ɔ": "O", "ı": "i",
}  # fmt: skip


def outside(text: str) -> str | None:
    """The first character that is not in the GSM 7-bit alphabet, or None when all are."""
    found = _OUTSIDE.search(text)
    return found.group() if found else None


def is_gsm7(text: str) -> bool:
    """One character outside the alphabet turns the whole text into UCS-2."""
    return _PLAIN.fullmatch(text) is not None or _OUTSIDE.search(text) is None


def septets(text: str) -> int:
    """What a GSM-7 text costs. Raises ValueError for a character outside the alphabet."""
    if _PLAIN.fullmatch(text):
        return len(text)
    if found := outside(text):
        raise ValueError(f"not in the GSM 7-bit alphabet: {found!a}")
    return len(text) + len(_DOUBLE.findall(text))


def ucs2_units(text: str) -> int:
    """UTF-16 units; an emoji takes two."""
    return len(text.encode("utf-16-be", "surrogatepass")) // 2


def fits(text: str, budget: int) -> bool:
    """Whether a screen fits in `budget` septets.

    In UCS-2 a character takes 16 bits where GSM-7 takes 7, so the budget shrinks accordingly:
    80 characters for the whole string of 182 septets, 70 for 160.
    """
    if _PLAIN.fullmatch(text):
        return len(text) <= budget
    if is_gsm7(text):
        return septets(text) <= budget
    return ucs2_units(text) <= min(USSD_UCS2_MAX, budget * 7 // 16)


def transliterate(text: str) -> str:
    """The nearest text in the GSM 7-bit alphabet; what has no likeness becomes `?`.

    Another script is spelled as it sounds, and a word of a script without capitals gets one. A
    number stays what it was or becomes `?`: digits come of digits, and of fractions like `1/2`.
    A text already inside the alphabet comes back unchanged, so a repeat is harmless.
    """
    if is_gsm7(text):
        return text
    # Composed first: a name may arrive with its accents as characters of their own, and the
    # alphabet holds some accented letters only in the composed form.
    composed = _FRACTION_BY_DIGIT.sub(" ", unicodedata.normalize("NFC", text))
    return "".join(_nearest(here, before) for before, here in pairwise(f" {composed}"))


def cut(text: str, budget: int) -> str:
    """The longest beginning of a GSM-7 text that costs at most `budget` septets.

    An extension character is kept whole or left out. Raises ValueError outside the alphabet.
    """
    if septets(text) <= budget:
        return text
    used = 0
    for index, character in enumerate(text):
        used += 2 if character in GSM7_EXTENSION else 1
        if used > budget:
            return text[:index]
    return text


def _nearest(character: str, before: str) -> str:
    if character in _ALPHABET:
        return character
    replacement = _REPLACEMENTS.get(character)
    if replacement is not None:
        return replacement
    decomposed = unicodedata.normalize("NFKD", character)
    kept = [_REPLACEMENTS.get(c, c) for c in decomposed if not unicodedata.combining(c)]
    nearest = _only_ours("".join(kept)) or _spelled(character, before)
    if _tells_another_number(character, nearest):
        return "?"
    return nearest or ("" if unicodedata.combining(character) else "?")


def _tells_another_number(character: str, written: str) -> bool:
    """`2²` is not 22, `½` not 12, and the Ethiopic ten before a two is not 102."""
    if character in _FRACTIONS or character.isdecimal():
        return False
    is_numeral = unicodedata.category(character) == _NUMERAL
    return is_numeral or any(c.isdecimal() for c in written)


def _spelled(character: str, before: str) -> str:
    """How a sign of another script sounds. Pictures have no sound: their names would be longer.

    Without the marks of how a consonant is pressed, as names are written: Bikila, not Bik'ila.
    """
    category = unicodedata.category(character)
    if category[0] not in _SPOKEN:
        return ""
    sounds = _only_ours(anyascii(character).replace("`", "'"))
    spelled = sounds.replace("'", "") or sounds
    begins = category == _CASELESS and not before.isalnum()
    return spelled[:1].upper() + spelled[1:] if begins else spelled


def _only_ours(text: str) -> str:
    return "".join(c for c in text if c in _ALPHABET)

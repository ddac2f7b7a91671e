"""What a text is sent as: its coding, and its exact parts, none of half a character.

Pure. Knows no language and no gateway; costs and limits are those of 3GPP TS 23.038 and 23.040
(`reference: sms-encoding, sections 1, 2 and 6`).
"""

import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum

from engine.septets import GSM7_EXTENSION, is_gsm7


class Coding(StrEnum):
    """How a whole message is written on the air; one character decides for all of it."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


SINGLE = {Coding.GSM7: 160, Coding.UCS2: 70}
"""What one message holds when it is alone, in septets or UTF-16 units."""
PART = {Coding.GSM7: 153, Coding.UCS2: 67}
"""What one of several holds: the rest is the header that puts them together again."""

_PLAIN = re.compile(r"[\n -Z_a-z]*", re.ASCII)  # one septet each, and nothing ever joins another
_JOINER = "\u200d"
_TINTS = range(0x1F3FB, 0x1F400)  # skin tones of an emoji
_FLAGS = range(0x1F1E6, 0x1F200)  # letters of which two are a flag


def coding_of(text: str) -> Coding:
    """One character outside the GSM 7-bit alphabet makes it UCS-2."""
    return Coding.GSM7 if is_gsm7(text) else Coding.UCS2


def cost(text: str, coding: Coding) -> int:
    """Septets or UTF-16 units. `coding` must be able to write the text."""
    if _PLAIN.fullmatch(text):
        return len(text)
    if coding is Coding.GSM7:
        return len(text) + sum(character in GSM7_EXTENSION for character in text)
    return len(text) + sum(ord(character) > 0xFFFF for character in text)


def parts(text: str) -> tuple[str, ...]:
    """The text as the messages it is sent in; joined they are the text again, never none.

    No escape pair, surrogate pair or accented character is cut in two. A character that takes
    more than a whole message, which no language writes, is.
    """
    coding = coding_of(text)
    if cost(text, coding) <= SINGLE[coding]:
        return (text,)
    room = PART[coding]
    if coding is Coding.GSM7 and _PLAIN.fullmatch(text):
        return tuple(text[at : at + room] for at in range(0, len(text), room))
    found, used, begins, at = [], 0, 0, 0
    for piece in _pieces(text, room, coding):
        spent = cost(piece, coding)
        if used + spent > room:
            found.append(text[begins:at])
            begins, used = at, 0
        used, at = used + spent, at + len(piece)
    return (*found, text[begins:])


def segments_of(text: str) -> int:
    """How many messages a text is sent as."""
    return len(parts(text))


def characters(text: str) -> Iterator[str]:
    """What a reader takes for one character each: a letter with its marks, a joined emoji."""
    begins = 0
    for at in range(1, len(text)):
        if not _joins(text, begins, at):
            yield text[begins:at]
            begins = at
    if text:
        yield text[begins:]


def _joins(text: str, begins: int, at: int) -> bool:
    """Whether the code point at `at` belongs to the character that began at `begins`."""
    here = text[at]
    if here < "\u0300":
        return False
    if here == _JOINER or text[at - 1] == _JOINER or unicodedata.category(here)[0] == "M":
        return True
    code = ord(here)
    pairs_up = code in _FLAGS and at - begins == 1 and ord(text[begins]) in _FLAGS
    return code in _TINTS or pairs_up


def _pieces(text: str, room: int, coding: Coding) -> Iterator[str]:
    for character in characters(text):
        if cost(character, coding) <= room:
            yield character
        else:
            yield from character

"""What of a text reaches a phone's display: how much of it, and which signs.

It knows no dialect. What is lost is told to the tester in a sentence.
"""

import re
import unicodedata
from typing import Final, NamedTuple

from simulator import septets

_INVISIBLE: Final = ("Cc", "Cf", "Cs")  # control, format, half a sign


# What most screens are: signs of one septet each, all visible, no more than a network carries. To
# find that out at once is half of what a crowd's turn costs.
_PLAIN: Final = re.compile(
    f"[{re.escape(''.join(sorted(septets.BASIC - {chr(13)})))}]{{0,{septets.SCREEN_SEPTETS_MAX}}}"
)


class Shown(NamedTuple):
    """A text as the phone shows it, and what is wrong with the text it was sent."""

    text: str
    flaws: tuple[str, ...]


def show(text: str) -> Shown:
    """The text as far as a network carries it and a display has signs for it."""
    if _PLAIN.fullmatch(text) and text.strip():
        return Shown(text, ())
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    visible = "".join(sign for sign in lines if _is_visible(sign))
    length_max = _length_max(visible)
    whole = septets.cut(visible, length_max)
    flaws = _invisible_flaws(lines) + _length_flaws(visible, length_max)
    return Shown(whole, flaws if visible.strip() else (*flaws, "the screen has no text"))


def _length_max(text: str) -> int:
    return septets.SCREEN_UNITS_MAX if septets.foreign(text) else septets.SCREEN_SEPTETS_MAX


def _is_visible(sign: str) -> bool:
    return sign == "\n" or unicodedata.category(sign) not in _INVISIBLE


def _invisible_flaws(text: str) -> tuple[str, ...]:
    first = next((sign for sign in text if not _is_visible(sign)), "")
    if not first:
        return ()
    return (f"the text holds a sign that no phone shows: U+{ord(first):04X}",)


def _length_flaws(text: str, length_max: int) -> tuple[str, ...]:
    length, foreign = septets.count(text), septets.foreign(text)
    if length <= length_max:
        return ()
    if foreign:
        why = f"UCS-2 signs ({foreign!r} is not in GSM 03.38)"
        return (f"the text has {length} {why}, a network carries {length_max}",)
    return (f"the text has {length} septets, a network carries {length_max}",)

"""What a text costs on the air, and how much of it a network brings to a phone.

It knows no screen and no dialect. Facts: reference sms-encoding.md, sections 1 and 2; the length of
one USSD string is 160 octets (3GPP TS 23.038).
"""

from typing import Final

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION: Final = frozenset("\f^{}\\[~]|€")
"""Each of these costs two septets: the escape and its code."""

SCREEN_SEPTETS_MAX: Final = 182
SCREEN_UNITS_MAX: Final = 80
"""UTF-16 units, where one sign outside GSM 03.38 makes the whole text UCS-2."""


def foreign(text: str) -> str:
    """The first sign that GSM 03.38 has not, or "": then the text goes as septets."""
    return next((sign for sign in text if sign not in BASIC and sign not in EXTENSION), "")


def count(text: str) -> int:
    """Septets, or UTF-16 units where the text holds a sign that is `foreign`."""
    wide = bool(foreign(text))
    return sum(_cost(sign, wide=wide) for sign in text)


def cut(text: str, length_max: int) -> str:
    """As much as fits into `length_max` of what `count` counts; no sign is split."""
    wide, used = bool(foreign(text)), 0
    for index, sign in enumerate(text):
        used += _cost(sign, wide=wide)
        if used > length_max:
            return text[:index]
    return text


def _cost(sign: str, *, wide: bool) -> int:
    if wide:
        return 2 if ord(sign) > 0xFFFF else 1
    return 2 if sign in EXTENSION else 1

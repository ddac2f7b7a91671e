"""What any USSD gateway sends under names of its own: session ids, callers, dialled codes.

It knows no company; which field holds a value is the adapter's business.
"""

import re
from collections.abc import Collection
from typing import Final

from engine.msisdn import Msisdn
from providers.json_body import JsonBody

INPUT_LENGTH_MAX: Final = 500
"""Characters of one input. A phone sends 182 at most; what is longer still is no phone's."""

SHORTCODE_LENGTH_MAX: Final = 32

SESSION_ID: Final = re.compile(r"[\x21-\x7e]+")
SHORTCODE: Final = re.compile(r"[0-9*#]*[0-9][0-9*#]*")
_WHOLE: Final = re.compile(r"[*#]{1,3}[0-9][0-9*#]*#")
"""A code as a phone dials it (3GPP TS 22.030, 6.5.3): `*384*96#`."""
_CALLER: Final = re.compile(r"\+?[1-9][0-9]{6,14}")


def take_session_id(body: JsonBody, name: str) -> str:
    """Raises Unreadable."""
    return body.matching(name, SESSION_ID, length_max=100)


def take_caller(body: JsonBody, name: str) -> str:
    """A number in international form as it came, with or without plus. Raises Unreadable."""
    return body.matching(name, _CALLER, length_max=16)


def msisdn_of(caller: str) -> Msisdn:
    """The caller that `take_caller` read."""
    return Msisdn("+" + caller.removeprefix("+"))


def take_shortcode(body: JsonBody, name: str) -> str:
    """A code as we publish it: `713*4` and `*713*4#` are the same. Raises Unreadable."""
    return _published(body.matching(name, SHORTCODE, length_max=SHORTCODE_LENGTH_MAX))


def may_be_dialled(shortcode: str, *, is_split: bool) -> bool:
    """Whether a gateway may ever tell this code as one of ours.

    `is_split`: our code is found in what was dialled (`split_dialled`), and `713*4` is enough;
    others tell it whole, as `*713*4#`.
    """
    shape = SHORTCODE if is_split else _WHOLE
    return len(shortcode) <= SHORTCODE_LENGTH_MAX and shape.fullmatch(shortcode) is not None


def dialled_behind(shortcode: str, dialled: str) -> str | None:
    """What a caller dialled beyond the code (`*713*4*1*500#` beyond `*713*4#`: `1*500`).

    "" for the code alone, None for what does not begin with it.
    """
    code, whole = _stem(shortcode), _stem(dialled)
    if whole == code:
        return ""
    return whole[len(code) + 1 :] if whole.startswith(f"{code}*") else None


def split_dialled(dialled: str, shortcodes: Collection[str]) -> tuple[str, str]:
    """Our code and what was dialled behind it; the longest code wins.

    What begins with none of our codes is given back whole, as a code that nobody serves.
    """
    for code in sorted(shortcodes, key=len, reverse=True):
        behind = dialled_behind(code, dialled)
        if behind is not None:
            return code, behind
    return _published(dialled), ""


def _stem(code: str) -> str:
    """Without the star it begins with and the hash it ends with; some gateways leave them out."""
    return code.strip().removeprefix("*").removesuffix("#")


def _published(code: str) -> str:
    return f"*{_stem(code)}#"

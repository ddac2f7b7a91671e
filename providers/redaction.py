"""Makes an operator's message fit to be stored and shown: an allow list, everything else described.

It refuses to guess: a field no adapter vouches for keeps its name and loses its words.
"""

import re
from typing import Any

import msgspec

_DIGITS_MIN = 9
_DIGIT_RUN = re.compile(rf"(\+?)(\d{{{_DIGITS_MIN},}})")
_DEPTH_MAX = 8
_ITEMS_MAX = 64
_TEXT_MAX = 256


class Fields:
    """What an adapter vouches for, by the operator's own field names.

    `kept` stand as they are (receipts, our references, times); in `texts` long runs of digits are
    masked. Of any other field only small numbers remain.
    """

    def __init__(self, *, kept: frozenset[str], texts: frozenset[str]) -> None:
        self._kept = kept
        self._texts = texts | {"Name", "Key"}
        self._known = kept | self._texts | {"Value"}  # ours, so fit to be shown

    def redact(self, message: dict[str, Any]) -> str:
        """JSON text of the message without full numbers, names or secrets."""
        return msgspec.json.encode(self._value("", message, 0)).decode()

    def _value(self, name: str, value: Any, depth: int) -> Any:
        if depth > _DEPTH_MAX:
            return "[too deep]"
        if isinstance(value, dict):
            # {"Name": "PhoneNumber", "Value": 254...}: the field's name is itself a value.
            own = value.get("Name", value.get("Key")) if "Value" in value else None
            return {
                key if key in self._known else _label(key): self._value(
                    own if key == "Value" and isinstance(own, str) else key, item, depth + 1
                )
                for key, item in list(value.items())[:_ITEMS_MAX]
            }
        if isinstance(value, list):
            return [self._value(name, item, depth + 1) for item in value[:_ITEMS_MAX]]
        return self._scalar(name, value)

    def _scalar(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if name in self._kept:
            return value if isinstance(value, int) else printable(str(value))
        if isinstance(value, str) and name not in self._texts:
            return f"[{len(value)} characters]"
        # A Decimal stays as its own digits, in quotes: JSON readers would make it a float.
        text = mask_digits(printable(str(value)))
        return value if isinstance(value, int) and text == str(value) else text


def mask_digits(text: str) -> str:
    """Every run that could be a phone number as `+2547*****001` (see `Msisdn.masked`)."""
    return text if len(text) < _DIGITS_MIN else _DIGIT_RUN.sub(_masked, text)


def _masked(run: re.Match[str]) -> str:
    return f"{run[1]}{run[2][:4]}*****{run[2][-3:]}"


def printable(text: str, *, length_max: int = _TEXT_MAX) -> str:
    """The text as a database and a terminal can take it: no control characters, bounded."""
    shown = text[:length_max]
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else "?" for c in shown)


def _label(key: Any) -> str:
    # A key is the sender's choice too.
    return mask_digits(printable(str(key), length_max=40))

"""Reads a JSON body that is one flat object, strictly: what is doubtful is refused.

It names the field that is wrong and never shows a value: a USSD text carries the caller's PIN.
"""

import json
import re
from typing import Any, Final, NoReturn

from engine.errors import Unreadable

_NAME_LENGTH_MAX: Final = 64


class JsonBody:
    """The fields of one object, every name at most once. What nobody asks for is not looked at.

    Raises Unreadable when a body is too long, is no JSON object in UTF-8, has too many fields or a
    doubled one. `any_case`: names that differ in case only are the same name.
    """

    def __init__(
        self,
        provider: str,
        body: bytes,
        *,
        any_case: bool = False,
        bytes_max: int = 16_384,
        fields_max: int = 32,
    ) -> None:
        self._provider = provider
        self._any_case = any_case
        if len(body) > bytes_max:
            raise self._unreadable("the body is too long")
        pairs = self._decoded(body)
        if not isinstance(pairs, _Object):
            raise self._unreadable("the body is no JSON object")
        if len(pairs) > fields_max:
            raise self._unreadable("the body has too many fields")
        self._values: dict[str, Any] = {}
        for name, value in pairs:
            key = name.lower() if any_case else name
            if key in self._values:
                # The name is the sender's choice: repeat it only if it is a plain word.
                plain = name.isascii() and name.isidentifier() and len(name) <= _NAME_LENGTH_MAX
                raise self._unreadable(f"{name if plain else 'a field'} is doubled")
            self._values[key] = value

    def take(self, name: str, *, length_max: int, empty: bool = False) -> str:
        """The text of a field that must be there; null counts as empty. Raises Unreadable."""
        value = self._required(name)
        if value is None:
            value = ""
        if not isinstance(value, str):
            raise self._unreadable(f"{name} is not a text")
        return self._bounded(name, value, length_max=length_max, empty=empty)

    def get(self, name: str, *, length_max: int) -> str:
        """The text of a field that may be missing, null or empty. Raises Unreadable."""
        if self._value(name) is None:
            return ""
        return self.take(name, length_max=length_max, empty=True)

    def matching(self, name: str, pattern: re.Pattern[str], *, length_max: int) -> str:
        """The text of a field that must look like this as a whole. Raises Unreadable."""
        value = self.take(name, length_max=length_max)
        if not pattern.fullmatch(value):
            raise self._unreadable(f"{name} is malformed")
        return value

    def flag(self, name: str) -> bool:
        """A field that must be true or false, not words for it. Raises Unreadable."""
        value = self._required(name)
        if not isinstance(value, bool):
            raise self._unreadable(f"{name} is neither true nor false")
        return value

    def word(self, name: str, *, length_max: int) -> str:
        """A code that may come as a text or as a whole number; "" when missing, null or empty.

        Raises Unreadable.
        """
        value = self._value(name)
        if isinstance(value, int) and not isinstance(value, bool):
            # Python refuses to write out what is far too long, and says the number as it does.
            value = "9" * (length_max + 1) if abs(value) >= 10**length_max else str(value)
            return self._bounded(name, value, length_max=length_max, empty=False)
        return self.get(name, length_max=length_max)

    def _value(self, name: str) -> Any:
        return self._values.get(name.lower() if self._any_case else name)

    def _required(self, name: str) -> Any:
        if (name.lower() if self._any_case else name) not in self._values:
            raise self._unreadable(f"{name} is missing")
        return self._value(name)

    def _bounded(self, name: str, value: str, *, length_max: int, empty: bool) -> str:
        if not value and not empty:
            raise self._unreadable(f"{name} is empty")
        if len(value) > length_max:
            raise self._unreadable(f"{name} is too long")
        if not value.isascii() and not _is_text(value):
            raise self._unreadable(f"{name} is not UTF-8")
        return value

    def _decoded(self, body: bytes) -> Any:
        # None is chained: the errors hold what was typed, and it may be a PIN.
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise self._unreadable("the body is not UTF-8") from None
        try:
            return _DECODER.decode(text)
        except (ValueError, RecursionError):
            raise self._unreadable("the body is no JSON") from None

    def _unreadable(self, detail: str) -> Unreadable:
        return Unreadable(self._provider, detail)


class _Object(list[tuple[str, Any]]):
    """The pairs of a JSON object as they came: a dict would hide the doubled ones."""


def _no_number(_: str) -> NoReturn:
    raise ValueError("NaN and the infinities are no JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_Object, parse_constant=_no_number)


def _is_text(value: str) -> bool:
    """Half of a surrogate pair can be escaped in JSON and is no character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True

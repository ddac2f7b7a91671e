"""Reads `application/x-www-form-urlencoded` bodies strictly: what is doubtful is refused.

It names the field that is wrong and never shows a value: a USSD text carries the caller's PIN.
"""

import re
from urllib.parse import unquote_to_bytes

from engine.errors import Unreadable

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NAME_BYTES_MAX = 64


class Form:
    """The fields of one body, every name at most once.

    Raises Unreadable when a body is too long, has too many fields, a doubled one, or bytes that
    are no percent-encoded UTF-8.
    """

    def __init__(
        self, provider: str, body: bytes, *, bytes_max: int = 16_384, fields_max: int = 32
    ) -> None:
        self._provider = provider
        if len(body) > bytes_max:
            raise self._unreadable("the form is too long")
        pairs = body.split(b"&", fields_max) if body else []
        if len(pairs) > fields_max:
            raise self._unreadable("the form has too many fields")
        self._raw: dict[str, bytes] = {}
        for pair in pairs:
            name, _, value = pair.partition(b"=")
            self._add(name, value)

    def take(self, name: str, *, length_max: int, empty: bool = False) -> str:
        """The value of a field that must be there. Raises Unreadable, naming the field."""
        raw = self._raw.get(name)
        if raw is None:
            raise self._unreadable(f"{name} is missing")
        value = self._decode(name, raw)
        if not value and not empty:
            raise self._unreadable(f"{name} is empty")
        if len(value) > length_max:
            raise self._unreadable(f"{name} is too long")
        return value

    def get(self, name: str, *, length_max: int) -> str:
        """The value of a field that may be missing or empty, cut at `length_max`."""
        return self._decode(name, self._raw.get(name, b""))[:length_max]

    def count(self, name: str) -> int | None:
        """The value of a field that should be a whole number; None when it is not one."""
        text = self.get(name, length_max=13)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 13 else None

    def _add(self, name: bytes, value: bytes) -> None:
        plain = unquote_to_bytes(name.replace(b"+", b" ")) if b"%" in name else name
        if len(plain) > _NAME_BYTES_MAX or not plain.isascii():
            raise self._unreadable("a field has no sensible name")
        known = plain.decode("ascii")
        if known in self._raw:
            # The name is the sender's choice: repeat it only if it is a plain word.
            raise self._unreadable(f"{known if known.isidentifier() else 'a field'} is doubled")
        self._raw[known] = value

    def _decode(self, name: str, raw: bytes) -> str:
        if b"+" in raw:
            raw = raw.replace(b"+", b" ")
        if b"%" in raw:
            if _BROKEN_ESCAPE.search(raw):
                raise self._unreadable(f"{name} is not percent-encoded")
            raw = unquote_to_bytes(raw)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            # Not chained: the error holds the bytes, and they may hold a PIN.
            raise self._unreadable(f"{name} is not UTF-8") from None

    def _unreadable(self, detail: str) -> Unreadable:
        return Unreadable(self._provider, detail)

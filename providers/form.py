"""Reads `application/x-www-form-urlencoded` bodies strictly: what is doubtful is refused.

It names the field that is wrong and never shows a value: a USSD text carries the caller's PIN.
"""

from engine.errors import Unreadable

_NAME_LENGTH_MAX = 64
_HEX = "0123456789ABCDEFabcdef"
_ESCAPED = {high + low: chr(int(high + low, 16)) for high in _HEX for low in _HEX}


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
        # Latin-1 makes one character of each byte: nothing is read into them yet, nothing is lost.
        # What numbers and dialled text are full of is read in all of it at once: none of it parts
        # fields, and none becomes half of another escape.
        text = body.decode("latin-1").replace("+", " ")
        text = text.replace("%2B", "+").replace("%2A", "*").replace("%23", "#")
        pairs = text.split("&", fields_max) if text else []
        if len(pairs) > fields_max:
            raise self._unreadable("the form has too many fields")
        self._raw: dict[str, str] = {}
        for pair in pairs:
            name, _, value = pair.partition("=")
            if not (name.isascii() and name.isalnum() and len(name) <= _NAME_LENGTH_MAX):
                name = self._name(name)
            if name in self._raw:
                # The name is the sender's choice: repeat it only if it is a plain word.
                raise self._unreadable(f"{name if name.isidentifier() else 'a field'} is doubled")
            self._raw[name] = value

    def take(self, name: str, *, length_max: int, empty: bool = False) -> str:
        """The value of a field that must be there. Raises Unreadable, naming the field."""
        raw = self._raw.get(name)
        if raw is None:
            raise self._unreadable(f"{name} is missing")
        value = raw if "%" not in raw and raw.isascii() else self._decode(name, raw)
        if not value and not empty:
            raise self._unreadable(f"{name} is empty")
        if len(value) > length_max:
            raise self._unreadable(f"{name} is too long")
        return value

    def get(self, name: str, *, length_max: int) -> str:
        """The value of a field that may be missing or empty, cut at `length_max`."""
        raw = self._raw.get(name)
        return self._decode(name, raw)[:length_max] if raw else ""

    def count(self, name: str) -> int | None:
        """The value of a field that should be a whole number; None when it is not one."""
        text = self.get(name, length_max=13)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 13 else None

    def _name(self, raw: str) -> str:
        """A name that is more than letters and digits."""
        name = self._decode("the name of a field", raw)
        if not name.isascii() or len(name) > _NAME_LENGTH_MAX:
            raise self._unreadable("a field has no sensible name")
        return name

    def _decode(self, name: str, raw: str) -> str:
        try:
            return _decoded(raw)
        except KeyError:
            # Neither is chained: the errors hold what was typed, and it may be a PIN.
            raise self._unreadable(f"{name} is not percent-encoded") from None
        except UnicodeDecodeError:
            raise self._unreadable(f"{name} is not UTF-8") from None

    def _unreadable(self, detail: str) -> Unreadable:
        return Unreadable(self._provider, detail)


def _decoded(plain: str) -> str:
    """Raises KeyError for a percent sign without two hex digits, and UnicodeDecodeError."""
    if "%" in plain:
        head, *escaped = plain.split("%")
        plain = head + "".join([_ESCAPED[part[:2]] + part[2:] for part in escaped])
    return plain if plain.isascii() else plain.encode("latin-1").decode()

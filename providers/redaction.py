"""Makes an operator's message fit to be stored and shown: an allow list, everything else described.

It refuses to guess: a field no adapter vouches for keeps its name and loses its words.
"""

import re
from decimal import Decimal
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

_DIGITS_MIN = 9
_DIGIT_RUN = re.compile(rf"(\+?)(\d{{{_DIGITS_MIN},}})")
_DEPTH_MAX = 8
_ITEMS_MAX = 64
_TEXT_MAX = 256
_LABEL_MAX = 40
_OUTLINE_MAX = 4096
_BODY_MAX = 64 * 1024
_RULES_MAX = 512
_SMALL = 10 ** (_DIGITS_MIN - 1)
"""No number below it has a run of digits that is masked."""
_SECRET = re.compile(r"pin|pass|secret|token|credential|otp|auth|key|cvv", re.IGNORECASE)
_PLAIN = re.compile(r"[!-~]{0,64}").fullmatch
_WORD = re.compile(r"\S{0,64}").fullmatch
_JSON = msgspec.json.Decoder(float_hook=Decimal)


def mark_of(account: str) -> str:
    """A short word that tells one account of ours from another, and nothing of its name."""
    return blake2b(account.encode(), digest_size=4, person=b"capp account v1").hexdigest()


class _Rule(NamedTuple):
    """What a field's name says of it. `label`: the name as it is shown."""

    label: str
    is_kept: bool
    is_text: bool
    is_secret: bool


class Fields:
    """What an adapter vouches for, by the operator's own field names.

    `kept` stand as they are (receipts, our references, times); in `texts` long runs of digits are
    masked. Of any other field only small numbers remain, and none where `numbers` is False. Where
    `prose` is False no sentence remains in any field.
    """

    def __init__(
        self,
        *,
        kept: frozenset[str],
        texts: frozenset[str],
        numbers: bool = True,
        prose: bool = True,
    ) -> None:
        self._kept = kept
        self._texts = texts | {"Name", "Key"} if numbers else texts
        self._known = kept | self._texts | {"Value"}  # ours, so fit to be shown
        self._numbers = numbers
        self._prose = prose
        self._rules: dict[str, _Rule] = {}  # by name: companies use the same few again and again

    def more(self, *, kept: frozenset[str], texts: frozenset[str] = frozenset()) -> "Fields":
        """These and others: what an adapter vouches for in its requests, say."""
        return Fields(kept=self._kept | kept, texts=self._texts | texts)

    def without(self, *names: str) -> "Fields":
        """Fewer: prose of an answer may repeat what it was told, our credentials among it."""
        return Fields(kept=self._kept - {*names}, texts=self._texts - {*names})

    def single_words(self) -> "Fields":
        """These, but no sentence in any of them."""
        return Fields(kept=self._kept, texts=self._texts, numbers=self._numbers, prose=False)

    def redact(self, message: dict[str, Any]) -> str:
        """JSON text of the message without full numbers, names or secrets."""
        return msgspec.json.encode(self._value("", message, 0)).decode()

    def outline(self, body: bytes) -> str:
        """JSON text of whatever came or went: redacted if it is JSON, else its size. "" for none.

        Bounded, however large the body is.
        """
        if not body:
            return ""
        if body[:1] in (b"{", b"[") and len(body) <= _BODY_MAX:
            try:
                shown: str = msgspec.json.encode(self._value("", _JSON.decode(body), 0)).decode()
            except (msgspec.MsgspecError, ValueError, RecursionError):
                return _size_of(body)
            if len(shown) <= _OUTLINE_MAX:
                return shown
        return _size_of(body)

    def _value(self, name: str, value: Any, depth: int) -> Any:
        if depth > _DEPTH_MAX:
            return "[too deep]"
        if isinstance(value, dict):
            return self._object(value, depth)
        if isinstance(value, list):
            return [self._value(name, item, depth + 1) for item in value[:_ITEMS_MAX]]
        return self._scalar(self._rules.get(name) or self._rule(name), value)

    def _object(self, value: dict[Any, Any], depth: int) -> dict[Any, Any]:
        # {"Name": "PhoneNumber", "Value": 254...}: the field's name is itself a value.
        own = value.get("Name", value.get("Key")) if "Value" in value else None
        rules, shown, is_usual = self._rules, {}, own is None and depth < _DEPTH_MAX
        for key, item in islice(value.items(), _ITEMS_MAX):
            label, is_kept, is_text, _ = rule = rules.get(key) or self._rule(key)
            if not (is_usual and type(item) is str):
                name = own if key == "Value" and isinstance(own, str) else key
                item = self._value(name, item, depth + 1)
            elif not (is_kept or is_text):
                item = f"[{len(item)} characters]"
            elif not (is_kept and _PLAIN(item)):
                item = self._text(rule, item)
            shown[label] = item
        return shown

    def _rule(self, name: Any) -> _Rule:
        """A name is the sender's choice too: not every one is remembered."""
        rule = _Rule(
            name if name in self._known else _label(name),
            name in self._kept,
            name in self._texts,
            _SECRET.search(str(name)) is not None,
        )
        if len(self._rules) < _RULES_MAX and len(str(name)) <= _LABEL_MAX:
            self._rules[name] = rule
        return rule

    def _scalar(self, rule: _Rule, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(rule, value)
        if value is None or isinstance(value, bool):
            return value
        if rule.is_kept:
            return value if isinstance(value, int) else printable(str(value))
        if not rule.is_text:
            if not self._numbers:
                return "[number]"
            if rule.is_secret:
                return "[hidden]"
        if type(value) is int and -_SMALL < value < _SMALL:
            return value
        # A Decimal stays as its own digits, in quotes: JSON readers would make it a float.
        text = mask_digits(printable(str(value)))
        return value if isinstance(value, int) and text == str(value) else text

    def _text(self, rule: _Rule, text: str) -> str:
        if rule.is_kept and _PLAIN(text):
            return text  # nearly always, and then it is the same by every rule below
        if not (rule.is_kept or rule.is_text) or not (self._prose or _WORD(text)):
            return f"[{len(text)} characters]"
        return printable(text) if rule.is_kept else mask_digits(printable(text))


STRANGER: Final = Fields(kept=frozenset(), texts=frozenset(), numbers=False)
"""For what came from nobody we know: no word and no number of it remains, only its shape."""


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


def _size_of(body: bytes) -> str:
    return msgspec.json.encode({"bytes": len(body)}).decode()


def _label(key: Any) -> str:
    # A key is the sender's choice too. Of letters alone it is fit as it stands.
    if type(key) is str and key.isalpha() and len(key) <= _LABEL_MAX:
        return key
    return mask_digits(printable(str(key), length_max=_LABEL_MAX))

"""The one place through which every line of a log passes on its way out: no number, no key.

Whoever writes a line hides what is personal by itself; this is the second guard. It knows patterns
only, so a PIN alone on a line, which looks like any figure, it cannot know: no line ever has one.
"""

import logging
import re

from engine.msisdn import CALLING_CODES

# Ids of ours are hexadecimal and whole, times in milliseconds begin with another digit: a number
# stands apart from letters, and begins as the numbers of our countries do.
_NUMBER = re.compile(
    rf"(?<![0-9A-Za-z.])(\+|00)?({'|'.join(sorted(CALLING_CODES))})(\d{{5,8}})(\d{{3}})(?![0-9A-Za-z])"
)
_NATIONAL = re.compile(r"(?<![0-9A-Za-z.:+-])(0[1-9]\d{4,5})(\d{3})(?![0-9A-Za-z.])")
_DIGITS_MIN = 8
_DIGITS = re.compile(rf"\d{{{_DIGITS_MIN}}}")
_KINDS = bytes(
    ord("0") if chr(sign).isdigit() else ord("a") if chr(sign).isalpha() else ord(" ")
    for sign in range(128)
) + bytes(128)
"""Of ASCII: every digit becomes a nought, every letter an a, all else a blank."""
_BEGINS = b" " + b"0" * _DIGITS_MIN

_SECRETS = (
    (("bearer", "basic"), re.compile(r"(?i)\b(?:bearer|basic)\s+[0-9a-z._~+/=-]{8,}"), "***"),
    (("-priv-",), re.compile(r"(?i)\b(?:ed25519|secp256k1)-priv-0x[0-9a-f]+"), "***"),
    (("eyj",), re.compile(r"\beyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]*"), "***"),
    (("://",), re.compile(r"(?<=://)[^/@\s:]+:[^/@\s]+(?=@)"), "***"),
    (
        ("pin", "password", "secret", "token", "key"),
        re.compile(
            r"(?i)\b((?:pin|password|secret|token|api[_-]?key|passkey)\"?\s*[=:]\s*\"?)[^\s\",&}]+"
        ),
        r"\1***",
    ),
    (
        ("/ussd/", "/sms/", "/webhooks/"),
        re.compile(r"(/(?:ussd|sms)/[a-z_]+/|/webhooks/[^\s?]*?)[0-9A-Za-z._~-]{24,}"),
        r"\1***",
    ),
)
"""Words one of which stands in every such text, what it looks like, and what is left of it. Looking
for a word costs a hundredth of looking for a pattern, and hardly any line has one."""


def redacted(text: str) -> str:
    """The text without whole phone numbers, keys, tokens or passwords. Twice is as once."""
    if _may_hold_number(text):
        text = _NUMBER.sub(lambda m: f"{m[1] or ''}{m[2]}{'*' * len(m[3])}{m[4]}", text)
        text = _NATIONAL.sub(lambda m: f"{'*' * len(m[1])}{m[2]}", text)
    small = text.lower()
    for words, pattern, left in _SECRETS:
        for word in words:  # written out: most of what this costs would be the generator
            if word in small:
                text = pattern.sub(left, text)
                break
    return text


def _may_hold_number(text: str) -> bool:
    """Whether it is worth looking for one, told in a tenth of the time of looking.

    In ASCII a number of either kind stands apart from letters, which most ids do not.
    """
    if not text.isascii():
        return _DIGITS.search(text) is not None
    return _BEGINS in b" " + text.encode().translate(_KINDS)


class Redacting(logging.Formatter):
    """What another formatter writes, redacted: message, arguments and trace alike."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return redacted(self._inner.format(record))

"""What the run has typed and dialled, so that a last test can look for it where it must not be."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from simulator.stack import Stack


@dataclass(frozen=True)
class Places:
    """Where one stack leaves what it writes."""

    folder: Path
    database_url: str
    redis_url: str


@dataclass
class Typed:
    """Everything secret or private that went through the phones of this run."""

    pins: set[str] = field(default_factory=set)
    msisdns: set[str] = field(default_factory=set)  # with plus
    stacks: list[Places] = field(default_factory=list)

    def watch(self, stack: Stack) -> None:
        """What this stack writes is searched too, also after it has ended."""
        self.stacks.append(Places(stack.folder, stack.database_url, stack.redis_url))

    def pins_in(self, content: bytes) -> Iterator[str]:
        """Every place that holds a PIN the way a program would print it.

        Four digits alone are in every timestamp, so they count beside a star (as USSD joins what
        was typed), between quotes, or behind the word; more digits count anywhere.
        """
        for hit in _FOUR_DIGITS.finditer(content):
            if next(filter(None, hit.groups())).decode() in self.pins:
                yield _around(content, hit.start(), hit.end())
        for pin in self.pins:
            if len(pin) > 4 and (start := content.find(pin.encode())) >= 0:
                yield _around(content, start, start + len(pin))

    def numbers_in(self, content: bytes) -> Iterator[str]:
        """Every place that holds a full number: behind its country code, or as it is dialled.

        Among thousands of random receipts of ten digits some hold the nine of somebody's number.
        """
        national = {m[4:].encode(): m[1:4].encode() for m in self.msisdns}
        lengths = {*map(len, national)}
        for run in _DIGITS.finditer(content):
            if any(_holds(run[0], national, length) for length in lengths):
                yield _around(content, run.start(), run.end())


def _holds(digits: bytes, national: Mapping[bytes, bytes], length: int) -> bool:
    for start in range(len(digits) - length + 1):
        before, number = digits[:start], digits[start : start + length]
        country = national.get(number)
        if country is None:
            continue
        is_whole = before in (b"", b"0") and start + length == len(digits)
        if is_whole or before.endswith(country):
            return True
    return False


_FOUR_DIGITS = re.compile(
    rb"""(?:\*|%2A)(\d{4})(?!\d) | (?<!\d)(\d{4})(?:\*|%2A)
       | '(\d{4})' | "(\d{4})" | \bpin\W{1,3}(\d{4})(?!\d)""",
    re.IGNORECASE | re.VERBOSE,
)
_DIGITS = re.compile(rb"\d{9,}")


def _around(content: bytes, start: int, end: int) -> str:
    """A hit with its surroundings, for a failure that shows where to look."""
    return content[max(start - 80, 0) : end + 40].decode(errors="replace")

"""What a line of a transcript is: a verb, its arguments, the text that should follow.

It knows neither the verbs nor how they are carried out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

WHOM = r"(?P<whom>\+\d+|[a-z]\w*)"
"""A person of the file by name, or any number."""

MONEY = r"(?P<currency>[A-Z]{3,4}) (?P<amount>[\d.,]+)"


class NotSo(AssertionError):
    """The world is not as a step claims; the message says what it is instead."""


@dataclass(frozen=True)
class Step:
    """One line that does or claims something, and the text that is expected to follow."""

    line: int  # of the file, from 1
    source: str  # the line as it stands, for people
    verb: str
    arguments: Mapping[str, str]
    person: str | None = None  # None: the first phone of the file
    expected: tuple[str, ...] = ()
    expected_at: tuple[int, ...] = ()  # the line of the file of each expected one

"""Dialogues as a person sees them: a text file read into steps, compared and rewritten.

It knows the words of the format, not how a step is carried out; `player` does that.
The format is told in simulator/README.md.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# One verb a line: its arguments, and whether a text (a screen, an SMS, a prompt) may follow.
_WHOM = r"(?P<whom>\+\d+|[a-z]\w*)"
VERBS: Mapping[str, tuple[str, bool]] = {
    "phone": (r"(?P<name>[a-z]\w*) (?P<msisdn>\+[\d?]+)(?: (?P<network>\d+))?", False),
    "wallet": (_WHOM + r" (?P<currency>[A-Z]{3}) (?P<amount>[\d.,]+)", False),
    "fault": (
        r"(?P<sandbox>\w+) (?P<on>\w+) (?P<fault>\w+)(?: x(?P<times>\d+))?"
        r"(?: for (?P<whom>\+\d+|[a-z]\w*))?",
        False,
    ),
    "dial": (r"(?P<code>\S+)", True),
    "type": (r"(?P<text>.*)", True),
    "repeat": (r"", True),
    "hang up": (r"", False),
    "ended": (r"", False),
    "text": (r"(?P<text>.*\S.*)", False),
    "sms": (_WHOM, True),
    "prompt": (_WHOM, True),
    "approve": (r"(?P<wrong>wrong)?", False),
    "decline": (r"", False),
    "payment": (r"(?P<state>[a-z_]+)", False),
    "ledger": (r"balanced", False),
}

ANY_LINES = "..."
_PERSON = re.compile(r"(?P<person>[a-z]\w*): +(?P<rest>.*)")
_WILD = re.compile(r"\*|\{(?P<name>[a-z]\w*)\}")


class Unreadable(ValueError):
    """A line of a transcript is not one of the format's; the message names file and line."""


@dataclass(frozen=True)
class Step:
    """One line that does or claims something, and the text that is expected to follow."""

    line: int  # of the file, from 1
    source: str  # the line as it stands, for people
    verb: str
    arguments: Mapping[str, str]
    person: str | None = None  # None: the first phone of the file
    expected: tuple[str, ...] = ()

    @property
    def shows_text(self) -> bool:
        """Whether the step is followed by a text from the server."""
        return VERBS[self.verb][1]


@dataclass(frozen=True)
class Transcript:
    """A whole file: its name for messages, its text as written, its steps in order."""

    name: str
    source: str
    steps: tuple[Step, ...]


def parse(source: str, *, name: str) -> Transcript:
    """Read a transcript. Raises Unreadable."""
    steps: list[Step] = []
    for number, raw in enumerate(source.splitlines(), start=1):
        line = raw.rstrip()
        if not line or line.startswith("#"):
            continue
        if _is_expected(line):
            _expect(steps, line, where=f"{name}:{number}")
        else:
            steps.append(_parse_step(line, number, where=f"{name}:{number}"))
    if not steps:
        raise Unreadable(f"{name}: nothing happens in this file")
    return Transcript(name, source, tuple(steps))


def match(
    expected: Sequence[str], actual: Sequence[str], bound: Mapping[str, str]
) -> dict[str, str] | None:
    """The names captured when `actual` is what was expected, else None.

    `...` stands for any lines, `*` for anything in a line, `{name}` for something in a line:
    what is bound already must come again.
    """
    seen: set[str] = set()
    pattern = "".join(_line_pattern(line, bound, seen) for line in expected)
    text = "".join(f"{line.rstrip()}\n" for line in actual)
    found = re.fullmatch(pattern, text)
    return None if found is None else found.groupdict()


def merge(
    expected: Sequence[str], actual: Sequence[str], bound: Mapping[str, str]
) -> tuple[str, ...]:
    """The lines to expect from now on: `actual`, in the old words wherever those still match."""
    if match(expected, actual, bound) is not None:
        return tuple(expected)
    old = [line for line in expected if line != ANY_LINES]
    same = _longest_common(old, actual, bound)
    return tuple(
        old[same[index]] if index in same else _name_captures(line, bound)
        for index, line in enumerate(actual)
    )


def difference(expected: Sequence[str], actual: Sequence[str], bound: Mapping[str, str]) -> str:
    """What was expected (`-`) and what came (`+`), line by line."""
    lines = difflib.ndiff(list(expected), list(merge(expected, actual, bound)))
    return "\n".join(f"    {line}" for line in lines if not line.startswith("?"))


def rewrite(transcript: Transcript, texts: Mapping[int, Sequence[str]]) -> str:
    """The file with the expected text after each step in `texts` (by line) replaced."""
    lines = transcript.source.splitlines()
    written: list[str] = []
    number = 0
    while number < len(lines):
        written.append(lines[number])
        number += 1
        if number in texts:
            written += [f"| {line}".rstrip() for line in texts[number]]
            while number < len(lines) and _is_expected(lines[number].rstrip()):
                number += 1
    return "\n".join(written) + "\n"


def _longest_common(
    old: Sequence[str], actual: Sequence[str], bound: Mapping[str, str]
) -> dict[int, int]:
    """Which actual line is which old one: the most pairs that keep the order of both."""
    best: dict[tuple[int, int], dict[int, int]] = {}
    for i in range(len(old) + 1):
        for j in range(len(actual) + 1):
            if i == 0 or j == 0:
                best[i, j] = {}
                continue
            found = max(best[i - 1, j], best[i, j - 1], key=len)
            if len(best[i - 1, j - 1]) >= len(found) and (
                match([old[i - 1]], [actual[j - 1]], bound) is not None
            ):
                found = {**best[i - 1, j - 1], j - 1: i - 1}
            best[i, j] = found
    return best[len(old), len(actual)]


def _is_expected(line: str) -> bool:
    return line == ANY_LINES or line == "|" or line.startswith("| ")


def _expect(steps: list[Step], line: str, *, where: str) -> None:
    if not steps or not steps[-1].shows_text:
        raise Unreadable(f"{where}: no screen, SMS or prompt stands before this text")
    last = steps[-1]
    text = line if line == ANY_LINES else line[2:]
    steps[-1] = Step(
        last.line, last.source, last.verb, last.arguments, last.person, (*last.expected, text)
    )


def _parse_step(line: str, number: int, *, where: str) -> Step:
    said = _PERSON.fullmatch(line)
    person, rest = (said["person"], said["rest"]) if said else (None, line)
    for verb, (arguments, _) in VERBS.items():
        if rest == verb or rest.startswith(f"{verb} "):
            found = re.fullmatch(arguments, rest[len(verb) + 1 :])
            if found is None:
                raise Unreadable(f"{where}: {verb!r} does not take {rest[len(verb) + 1 :]!r}")
            given = {name: value for name, value in found.groupdict().items() if value is not None}
            return Step(number, line, verb, given, person)
    raise Unreadable(f"{where}: {rest.split(' ')[0]!r} is none of {', '.join(VERBS)}")


def _line_pattern(line: str, bound: Mapping[str, str], seen: set[str]) -> str:
    if line == ANY_LINES:
        return r"(?:[^\n]*\n)*?"
    pattern, end = "", 0
    for wild in _WILD.finditer(line):
        pattern += re.escape(line[end : wild.start()]) + _wild_pattern(wild["name"], bound, seen)
        end = wild.end()
    return pattern + re.escape(line[end:].rstrip()) + r"\n"


def _wild_pattern(name: str | None, bound: Mapping[str, str], seen: set[str]) -> str:
    if name is None:
        return r"[^\n]*"
    if name in bound:
        return re.escape(bound[name])
    if name in seen:
        return f"(?P={name})"
    seen.add(name)
    return rf"(?P<{name}>[^\n]+?)"


def _name_captures(line: str, bound: Mapping[str, str]) -> str:
    for name, value in bound.items():
        if len(value) > 3:  # Short values occur in other words too.
            line = line.replace(value, f"{{{name}}}")
    return line

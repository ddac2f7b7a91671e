"""Dialogues as a person sees them: a text file read into steps, compared and rewritten.

It knows how the lines of the format look; its words are in `steps`, which carry them out.
The format is told in simulator/README.md.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from simulator.steps import VERBS
from simulator.steps.step import Step

ANY_LINES = "..."
_PERSON = re.compile(r"(?P<person>[a-z]\w*): +(?P<rest>.*)")
_WILD = re.compile(r"\*|\{(?P<name>[a-z]\w*)\}")
_COLUMN = 44
"""How wide what was expected is shown beside what came."""


class Unreadable(ValueError):
    """A line of a transcript is not one of the format's; the message names file and line."""


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
            _expect(steps, line, number, where=f"{name}:{number}")
        else:
            steps.append(parse_step(line, number, where=f"{name}:{number}"))
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
    found = re.fullmatch(pattern(expected, bound), as_text(actual))
    return None if found is None else found.groupdict()


def pattern(expected: Sequence[str], bound: Mapping[str, str]) -> str:
    """The regular expression that `as_text` of what is expected matches; names are its groups."""
    seen: set[str] = set()
    return "".join(_line_pattern(line, bound, seen) for line in expected)


def as_text(lines: Sequence[str]) -> str:
    """Lines as they are compared: without spaces at their ends."""
    return "".join(f"{line.rstrip()}\n" for line in lines)


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


def difference(step: Step, actual: Sequence[str], bound: Mapping[str, str]) -> str:
    """What was expected beside what came, with the lines of the file; `!` where they part."""
    same = _longest_common(step.expected, actual, bound)
    rows = [f"  {'':>6} {'expected':<{_COLUMN}}   came"]
    for row in _rows(step.expected, actual, same):
        left = "" if row.expected is None else step.expected[row.expected]
        right = "" if row.actual is None else actual[row.actual]
        number = "" if row.expected is None else str(step.expected_at[row.expected])
        mark = "!" if row.parts else " "
        rows.append(f"  {number:>4} {mark} {left:<{_COLUMN}}   {right}".rstrip())
    return "\n".join(rows)


def first_difference(step: Step, actual: Sequence[str], bound: Mapping[str, str]) -> int:
    """The line of the file to look at: the first that was expected and did not come."""
    same = set(_longest_common(step.expected, actual, bound).values())
    missing = (
        at
        for index, (at, line) in enumerate(zip(step.expected_at, step.expected, strict=False))
        if index not in same and line != ANY_LINES
    )
    return next(missing, step.line)


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
            if len(best[i - 1, j - 1]) >= len(found) and _is_line(old[i - 1], actual[j - 1], bound):
                found = {**best[i - 1, j - 1], j - 1: i - 1}
            best[i, j] = found
    return best[len(old), len(actual)]


@dataclass(frozen=True)
class _Row:
    """Two lines side by side, by their place; `parts` when they are not what they should be."""

    expected: int | None
    actual: int | None
    parts: bool = False


def _rows(expected: Sequence[str], actual: Sequence[str], same: Mapping[int, int]) -> list[_Row]:
    """The lines of both sides in the order of both: those that are the same stand together."""
    rows: list[_Row] = []
    old = new = 0
    for right, left in [*sorted(same.items()), (len(actual), len(expected))]:
        rows += _gap(expected, range(old, left), range(new, right))
        if right < len(actual):
            rows.append(_Row(left, right))
        old, new = left + 1, right + 1
    return rows


def _gap(expected: Sequence[str], old: Sequence[int], new: Sequence[int]) -> Iterator[_Row]:
    """What stands between two lines that are the same: right only where `...` allows it."""
    may_be_any = ANY_LINES in [expected[index] for index in old]
    for left, right in zip_longest(old, new):
        missed = left is not None and expected[left] != ANY_LINES
        yield _Row(left, right, parts=missed or not may_be_any)


def _is_line(expected: str, actual: str, bound: Mapping[str, str]) -> bool:
    return expected != ANY_LINES and match([expected], [actual], bound) is not None


def _is_expected(line: str) -> bool:
    return line == ANY_LINES or line == "|" or line.startswith("| ")


def _expect(steps: list[Step], line: str, number: int, *, where: str) -> None:
    if not steps or not VERBS[steps[-1].verb].shows_text:
        raise Unreadable(f"{where}: no screen, SMS or prompt stands before this text")
    last = steps[-1]
    text = line if line == ANY_LINES else line[2:]
    steps[-1] = replace(
        last, expected=(*last.expected, text), expected_at=(*last.expected_at, number)
    )


def parse_step(line: str, number: int, *, where: str) -> Step:
    """One line that does or claims something. Raises Unreadable."""
    said = _PERSON.fullmatch(line)
    person, rest = (said["person"], said["rest"]) if said else (None, line)
    for verb, row in VERBS.items():
        if rest == verb or rest.startswith(f"{verb} "):
            found = re.fullmatch(row.arguments, rest[len(verb) + 1 :])
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

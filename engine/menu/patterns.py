"""Patterns a menu may state for what is typed, and the walk that matches them. Pure.

A small part of regular expressions, matched by a walk over all ways at once: each sign typed is
looked at once, whatever was written, so no pattern in a menu can hang a turn. There is nothing that
repeats without end, hence every pattern has a longest text (`decisions/0003`).
"""

from typing import NamedTuple, TypeAlias

LENGTH_MAX = 40
"""Signs of the longest text a pattern may mean; nobody types more on a keypad."""
SOURCE_MAX = 200
"""Signs of the pattern itself."""
STATES_MAX = 240
"""Places on the ways through a pattern. With `LENGTH_MAX` it bounds what one match costs."""

_SIGNS = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 !\"#%&'()*+,-./:;<=>?@_"
)
"""What a keypad types and a screen shows at one septet each."""
_DIGITS = frozenset("0123456789")
_SPECIAL = frozenset("\\[](){}?|*+.^$")
_RUNS = (("a", "z"), ("A", "Z"), ("0", "9"))


class BrokenPattern(ValueError):
    """The pattern says what this language of patterns cannot; the message says what."""


class _Sign(NamedTuple):
    """One sign out of some."""

    signs: frozenset[str]


class _Row(NamedTuple):
    parts: tuple["_Node", ...]


class _Either(NamedTuple):
    ways: tuple["_Node", ...]


class _Times(NamedTuple):
    part: "_Node"
    least: int
    most: int


_Node: TypeAlias = _Sign | _Row | _Either | _Times


class Pattern:
    """A pattern ready to match whole texts."""

    def __init__(self, source: str) -> None:
        """Raises BrokenPattern."""
        if len(source) > SOURCE_MAX:
            raise BrokenPattern("is too large")
        node = _Reading(source).whole()
        self.source = source
        self.shortest, self.longest = _lengths(node)
        if self.longest > LENGTH_MAX:
            raise BrokenPattern(f"takes up to {self.longest} signs, at most {LENGTH_MAX} may be")
        if self.shortest == 0:
            raise BrokenPattern("takes nothing at all")
        self.is_digits = _signs_of(node) <= _DIGITS
        walk = _Walk()
        self._last = walk.add(node, 0)
        self._steps = [tuple(steps) for steps in walk.steps]
        self._free = [frozenset(walk.closure({place})) for place in range(len(self._steps))]

    def matches(self, text: str) -> bool:
        """Whether the whole text is meant. One look at each sign, at most `STATES_MAX` places."""
        if not self.shortest <= len(text) <= self.longest:
            return False
        places = self._free[0]
        for sign in text:
            ahead = {there for place in places for signs, there in self._steps[place]
                     if sign in signs}  # fmt: skip
            if not ahead:
                return False
            places = frozenset().union(*(self._free[place] for place in ahead))
        return self._last in places


class _Reading:
    """A pattern read from left to right."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0

    def whole(self) -> _Node:
        node = self._either(depth=0)
        if self._at < len(self._source):
            raise BrokenPattern(f"`{self._here}` closes nothing")
        return node

    @property
    def _here(self) -> str:
        return self._source[self._at : self._at + 1]

    def _take(self, expected: str = "") -> str:
        sign = self._here
        if not sign or (expected and sign != expected):
            raise BrokenPattern(f"ends where `{expected}` is missing" if expected else "ends early")
        self._at += 1
        return sign

    def _either(self, depth: int) -> _Node:
        if depth > 4:
            raise BrokenPattern("has groups nested too deeply")
        ways = [self._row(depth)]
        while self._here == "|":
            self._take()
            ways.append(self._row(depth))
        return ways[0] if len(ways) == 1 else _Either(tuple(ways))

    def _row(self, depth: int) -> _Node:
        parts: list[_Node] = []
        while self._here not in ("", "|", ")"):
            parts.append(self._times(self._part(depth)))
        return _Row(tuple(parts))

    def _part(self, depth: int) -> _Node:
        sign = self._take()
        if sign == "(":
            node = self._either(depth + 1)
            self._take(")")
            return node
        if sign == "[":
            return self._set()
        if sign == "\\":
            return self._escaped()
        if sign in _SPECIAL:
            raise BrokenPattern(
                f"`{sign}` is not one of ours: write signs, sets, groups and counts"
            )
        return _Sign(_known(sign))

    def _escaped(self) -> _Sign:
        sign = self._take()
        if sign == "d":
            return _Sign(_DIGITS)
        if sign.isalnum():
            raise BrokenPattern(f"`\\{sign}` is not one of ours: there is `\\d`")
        return _Sign(_known(sign))

    def _set(self) -> _Sign:
        signs: set[str] = set()
        if self._here == "^":
            raise BrokenPattern("a set says what may stand there, not what may not")
        while self._here != "]":
            first = self._take()
            if first == "\\":
                signs |= self._escaped().signs
            elif self._here == "-" and self._source[self._at + 1 : self._at + 2] != "]":
                self._take()
                signs |= _run(first, self._take())
            else:
                signs |= _known(first)
        self._take("]")
        if not signs:
            raise BrokenPattern("has an empty set")
        return _Sign(frozenset(signs))

    def _times(self, part: _Node) -> _Node:
        if self._here == "?":
            self._take()
            return self._once(_Times(part, 0, 1))
        if self._here != "{":
            return part
        self._take()
        least = self._number()
        most = least
        if self._here == ",":
            self._take()
            most = self._number()
        self._take("}")
        if not 0 <= least <= most or most == 0:
            raise BrokenPattern(f"`{{{least},{most}}}` counts nothing")
        return self._once(_Times(part, least, most))

    def _once(self, node: _Node) -> _Node:
        if self._here and self._here in "?{*+":
            raise BrokenPattern("counts twice in one place")
        return node

    def _number(self) -> int:
        digits = ""
        while self._here.isascii() and self._here.isdigit():
            digits += self._take()
        if not 1 <= len(digits) <= 3:
            raise BrokenPattern("a count is `{3}` or `{2,5}`")
        return int(digits)


class _Walk:
    """The ways through a pattern: places, and the signs that lead from one to the next."""

    def __init__(self) -> None:
        self.steps: list[list[tuple[frozenset[str], int]]] = [[]]
        self._free: list[list[int]] = [[]]

    def add(self, node: _Node, start: int) -> int:
        """Lay a part out behind a place; the place where it ends."""
        if isinstance(node, _Sign):
            end = self._place()
            self.steps[start].append((node.signs, end))
            return end
        if isinstance(node, _Row):
            for part in node.parts:
                start = self.add(part, start)
            return start
        if isinstance(node, _Either):
            ends = [self.add(way, self._behind(start)) for way in node.ways]
            return self._joined(ends)
        for _ in range(node.least):
            start = self.add(node.part, start)
        ends = [start]
        for _ in range(node.most - node.least):
            ends.append(self.add(node.part, ends[-1]))
        return self._joined(ends)

    def closure(self, places: set[int]) -> set[int]:
        """These and all that follow without a sign."""
        ahead = list(places)
        while ahead:
            for there in self._free[ahead.pop()]:
                if there not in places:
                    places.add(there)
                    ahead.append(there)
        return places

    def _place(self) -> int:
        if len(self.steps) >= STATES_MAX:
            raise BrokenPattern("is too large")
        self.steps.append([])
        self._free.append([])
        return len(self.steps) - 1

    def _behind(self, start: int) -> int:
        return self._joined([start])

    def _joined(self, ends: list[int]) -> int:
        end = self._place()
        for place in ends:
            self._free[place].append(end)
        return end


def _known(sign: str) -> frozenset[str]:
    if sign not in _SIGNS:
        raise BrokenPattern(f"{sign!r} is no sign of one septet")
    return frozenset(sign)


def _run(first: str, last: str) -> frozenset[str]:
    for low, high in _RUNS:
        if low <= first <= last <= high:
            return frozenset(chr(code) for code in range(ord(first), ord(last) + 1))
    raise BrokenPattern(f"`{first}-{last}` is no run of digits or of letters")


def _lengths(node: _Node) -> tuple[int, int]:
    """Signs of the shortest and of the longest text."""
    if isinstance(node, _Sign):
        return 1, 1
    if isinstance(node, _Times):
        shortest, longest = _lengths(node.part)
        return node.least * shortest, node.most * longest
    lengths = [_lengths(part) for part in (node.parts if isinstance(node, _Row) else node.ways)]
    if isinstance(node, _Row):
        return sum(low for low, _ in lengths), sum(high for _, high in lengths)
    return min(low for low, _ in lengths), max(high for _, high in lengths)


def _signs_of(node: _Node) -> frozenset[str]:
    if isinstance(node, _Sign):
        return node.signs
    if isinstance(node, _Times):
        return _signs_of(node.part)
    parts = node.parts if isinstance(node, _Row) else node.ways
    return frozenset[str]().union(*(_signs_of(part) for part in parts))

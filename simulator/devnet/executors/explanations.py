"""What an abort code means: the constant's name and doc comment, as they stand in the sources.

A real node takes both from the bytecode's error map; here there is none, so the sources are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import cache
from pathlib import Path

PACKAGES: Mapping[str, int] = {
    "framework_double": 0x1,
    "governance": 0xCA01,
    "compliance": 0xCA02,
    "liquidity": 0xCA03,
    "settlement": 0xCA04,
    "test_asset": 0xCA05,
}
"""The packages under `move/` and where the devnet has each."""

_MOVE = Path(__file__).parents[3] / "move"
_MODULE = re.compile(r"^\s*module\s+\w+::(\w+)", re.MULTILINE)
_CONSTANT = re.compile(
    r"(?P<doc>(?:^[ \t]*///.*\n)*)"
    r"^[ \t]*const[ \t]+(?P<name>E\w+): u64 = (?P<number>\w+);",
    re.MULTILINE,
)
_EVENT = re.compile(r"^[ \t]*#\[event\]\n(?:[ \t]*///.*\n)*[ \t]*struct (\w+)", re.MULTILINE)
_REASON = 0xFFFF

Meaning = tuple[str | None, str | None]


Meanings = Mapping[tuple[bytes, str, int], tuple[str, str | None]]
Events = Set[tuple[bytes, str, str]]


class Explanations:
    """Names and texts of reasons, by module and number; which structs are events."""

    def __init__(self, meanings: Meanings, events: Events) -> None:
        self._meanings = meanings
        self._events = events

    def is_event(self, address: bytes, module: str, struct: str) -> bool:
        """Whether a struct is told as an event."""
        return (address, module, struct) in self._events

    def of(self, address: bytes, module: str, code: int) -> Meaning:
        """The constant's name and text; None for what is not known."""
        return self._meanings.get((address, module, code & _REASON), (None, None))

    def reasons(self, address: bytes, module: str) -> dict[int, str]:
        """All names of one module by reason number."""
        return {
            reason: name
            for (where, which, reason), (name, _) in self._meanings.items()
            if (where, which) == (address, module)
        }


@cache
def explanations() -> Explanations:
    """What the sources of our packages say; nothing for packages that are not there."""
    found: dict[tuple[bytes, str, int], tuple[str, str | None]] = {}
    events: set[tuple[bytes, str, str]] = set()
    for package, number in PACKAGES.items():
        for path in sorted((_MOVE / package / "sources").rglob("*.move")):
            source, address = path.read_text(), number.to_bytes(32)
            for module, reason, name, text in read_constants(source):
                found[address, module, reason] = name, text
            events.update((address, module, event) for module, event in read_events(source))
    return Explanations(found, events)


def read_constants(source: str) -> list[tuple[str, int, str, str | None]]:
    """Module, reason, name and text of each error constant of one source file."""
    modules = [(match.start(), match[1]) for match in _MODULE.finditer(source)]
    return [
        (
            _module_at(modules, match.start()),
            int(match["number"], 0),
            match["name"],
            _text(match["doc"]),
        )
        for match in _CONSTANT.finditer(source)
    ]


def read_events(source: str) -> list[tuple[str, str]]:
    """Module and name of each event of one source file."""
    modules = [(match.start(), match[1]) for match in _MODULE.finditer(source)]
    return [(_module_at(modules, match.start()), match[1]) for match in _EVENT.finditer(source)]


def _module_at(modules: list[tuple[int, str]], position: int) -> str:
    return [name for start, name in modules if start <= position][-1]


def _text(doc: str) -> str | None:
    lines = [line.strip().removeprefix("///").strip() for line in doc.splitlines()]
    return " ".join(lines) or None

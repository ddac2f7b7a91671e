"""Types as values: read from BCS or text, written as either. It knows no module's own types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.devnet import bcs
from simulator.devnet.addresses import parse_address, trim_address

_DEPTH_MAX = 8
PRIMITIVES: dict[str, int] = {
    "bool": 0,
    "u8": 1,
    "u64": 2,
    "u128": 3,
    "address": 4,
    "signer": 5,
    "u16": 8,
    "u32": 9,
    "u256": 10,
    "i8": 11,
    "i16": 12,
    "i32": 13,
    "i64": 14,
    "i128": 15,
    "i256": 16,
}
_NAMES = {variant: name for name, variant in PRIMITIVES.items()}
_VECTOR = 6
_STRUCT = 7


@dataclass(frozen=True, slots=True)
class Primitive:
    """`bool`, `address`, `signer` or a number's width."""

    name: str

    def encode(self) -> bytes:
        return bcs.uleb128(PRIMITIVES[self.name])

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector of one type."""

    item: TypeTag

    def encode(self) -> bytes:
        return bcs.uleb128(_VECTOR) + self.item.encode()

    def __str__(self) -> str:
        return f"vector<{self.item}>"


@dataclass(frozen=True, slots=True)
class Struct:
    """A module's struct with its type arguments."""

    address: bytes
    module: str
    name: str
    arguments: tuple[TypeTag, ...] = ()

    def encode(self) -> bytes:
        """As a type tag, that is after its variant."""
        return bcs.uleb128(_STRUCT) + self.encode_bare()

    def encode_bare(self) -> bytes:
        """As a StructTag alone."""
        return (
            self.address
            + bcs.string(self.module)
            + bcs.string(self.name)
            + bcs.sequence(argument.encode() for argument in self.arguments)
        )

    @property
    def path(self) -> str:
        """`0x1::option::Option`, without type arguments."""
        return f"{trim_address(self.address)}::{self.module}::{self.name}"

    def __str__(self) -> str:
        if not self.arguments:
            return self.path
        return f"{self.path}<{', '.join(str(argument) for argument in self.arguments)}>"


TypeTag = Primitive | Vector | Struct


def read_type_tag(reader: bcs.Reader, depth: int = 0) -> TypeTag:
    """One type tag. Raises `Malformed` for an unknown variant or more than 8 levels."""
    if depth > _DEPTH_MAX:
        raise bcs.Malformed("a type is nested too deeply")
    variant = reader.uleb128()
    if variant == _VECTOR:
        return Vector(read_type_tag(reader, depth + 1))
    if variant == _STRUCT:
        return Struct(
            reader.address(),
            _identifier(reader.string()),
            _identifier(reader.string()),
            reader.sequence(lambda: read_type_tag(reader, depth + 1)),
        )
    if variant not in _NAMES:
        raise bcs.Malformed(f"{variant} is no type tag")
    return Primitive(_NAMES[variant])


def parse_type(text: str) -> TypeTag:
    """A type from its text, such as `vector<0x1::option::Option<u64>>`. ValueError for others."""
    words = _words(text)
    tag = _parse(words)
    if (left := next(words, None)) is not None:
        raise ValueError(f"{text!r} goes on after its end with {left!r}")
    return tag


_WORD = re.compile(r"\s*([A-Za-z0-9_]+|::|[<>,])\s*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Words(Iterator[str]):
    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._next = 0

    def __next__(self) -> str:
        if self._next == len(self._words):
            raise StopIteration
        self._next += 1
        return self._words[self._next - 1]

    def take(self, word: str) -> bool:
        """Whether `word` comes next; then it is used up."""
        if self._words[self._next : self._next + 1] != [word]:
            return False
        self._next += 1
        return True

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise ValueError(f"{word!r} is missing")


def _words(text: str) -> _Words:
    words: list[str] = []
    position = 0
    while position < len(text):
        found = _WORD.match(text, position)
        if found is None:
            raise ValueError(f"{text!r} is no type")
        words.append(found[1])
        position = found.end()
    return _Words(words)


def _parse(words: _Words) -> TypeTag:
    first = next(words, None)
    if first is None:
        raise ValueError("a type is missing")
    if first == "vector":
        words.expect("<")
        item = _parse(words)
        words.expect(">")
        return Vector(item)
    if first in PRIMITIVES:
        return Primitive(first)
    words.expect("::")
    module = _identifier(next(words, ""))
    words.expect("::")
    name = _identifier(next(words, ""))
    return Struct(parse_address(first), module, name, _arguments(words))


def _arguments(words: _Words) -> tuple[TypeTag, ...]:
    if not words.take("<"):
        return ()
    arguments = [_parse(words)]
    while words.take(","):
        arguments.append(_parse(words))
    words.expect(">")
    return tuple(arguments)


def _identifier(word: str) -> str:
    if not _IDENTIFIER.fullmatch(word):
        raise bcs.Malformed(f"{word!r} is no identifier")
    return word

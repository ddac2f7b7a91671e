"""Binary Canonical Serialization, read strictly and written: no more than the node needs.

It knows numbers, bytes and sequences, nothing of transactions. Layouts: the BCS specification
(reference: aptos, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

ULEB_MAX = 2**32 - 1
T = TypeVar("T")


class Malformed(ValueError):
    """Raised when bytes are no canonical BCS of what is being read. Says what and where."""


class Reader:
    """Bytes being read from the front. Everything raises `Malformed` when they do not fit."""

    __slots__ = ("_bytes", "_position")

    def __init__(self, source: bytes) -> None:
        self._bytes = source
        self._position = 0

    @property
    def position(self) -> int:
        """How many bytes were read."""
        return self._position

    def raw(self, length: int) -> bytes:
        """Exactly `length` bytes."""
        end = self._position + length
        if end > len(self._bytes):
            raise Malformed(f"unexpected end of input at byte {len(self._bytes)}")
        piece = self._bytes[self._position : end]
        self._position = end
        return piece

    def since(self, position: int) -> bytes:
        """What was read after `position`."""
        return self._bytes[position : self._position]

    def unsigned(self, width: int) -> int:
        """A little-endian number of `width` bytes."""
        return int.from_bytes(self.raw(width), "little")

    def u8(self) -> int:
        return self.raw(1)[0]

    def u64(self) -> int:
        return self.unsigned(8)

    def boolean(self) -> bool:
        byte = self.u8()
        if byte > 1:
            raise Malformed(f"{byte} is no bool at byte {self._position - 1}")
        return byte == 1

    def uleb128(self) -> int:
        """A length or variant: at most 32 bits, in the shortest form only."""
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if value > ULEB_MAX:
                raise Malformed(f"uleb128 is over 32 bits at byte {self._position - 1}")
            if byte < 0x80:
                if byte == 0 and shift > 0:
                    raise Malformed(f"uleb128 is not canonical at byte {self._position - 1}")
                return value
            shift += 7

    def byte_string(self) -> bytes:
        """Bytes after their length."""
        return self.raw(self.uleb128())

    def string(self) -> str:
        """UTF-8 after its length."""
        try:
            return self.byte_string().decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"not UTF-8 before byte {self._position}") from error

    def address(self) -> bytes:
        """32 raw bytes."""
        return self.raw(32)

    def sequence(self, read: Callable[[], T]) -> tuple[T, ...]:
        """Items after their number, each read by `read`."""
        return tuple(read() for _ in range(self.uleb128()))

    def option(self, read: Callable[[], T]) -> T | None:
        """Nothing, or one item read by `read`."""
        return read() if self.boolean() else None

    def end(self) -> None:
        """Nothing may be left."""
        if left := len(self._bytes) - self._position:
            raise Malformed(f"{left} bytes are left at byte {self._position}")


def read_all(source: bytes, read: Callable[[Reader], T]) -> T:
    """What `read` makes of all the bytes. Raises `Malformed`, also when some are left."""
    reader = Reader(source)
    value = read(reader)
    reader.end()
    return value


def uleb128(value: int) -> bytes:
    """A length or variant in its shortest form. ValueError over 32 bits or below zero."""
    if not 0 <= value <= ULEB_MAX:
        raise ValueError(f"{value} does not fit 32 bits")
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def unsigned(value: int, width: int) -> bytes:
    """A little-endian number of `width` bytes. OverflowError when it does not fit."""
    return value.to_bytes(width, "little")


def u64(value: int) -> bytes:
    """Eight bytes. OverflowError when it does not fit."""
    return unsigned(value, 8)


def byte_string(value: bytes) -> bytes:
    """Bytes after their length."""
    return uleb128(len(value)) + value


def string(value: str) -> bytes:
    """UTF-8 after its length."""
    return byte_string(value.encode())


def sequence(items: Iterable[bytes]) -> bytes:
    """Written items after their number."""
    written = list(items)
    return uleb128(len(written)) + b"".join(written)

"""A ring whose keys a test has drawn, without a database."""

from hashlib import shake_128
from itertools import count

from engine.privacy.codec import (
    BlindIndex,
    Writer,
    derive,
    open_sealed,
    read_sealed,
)

DATA_KEY = bytes(range(32))
INDEX_KEY = bytes(range(32, 64))


class Counting:
    """Bytes that are never the same twice, and the same in every run."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self, size: int) -> bytes:
        return shake_128(next(self._numbers).to_bytes(8, "big")).digest(size)


class DrawnSeals:
    """Seals by one key, as a process whose ring is read does."""

    hides = True

    def __init__(self, key: bytes = DATA_KEY) -> None:
        self._key = key
        self._writer = Writer(1, key, Counting())
        self._index = BlindIndex(1, INDEX_KEY, 1)

    def seal(self, text: str, place: str) -> str:
        return self._writer.seal(text, place)

    def open(self, text: str, place: str) -> str:
        if (sealed := read_sealed(text)) is None:
            return text
        return open_sealed(derive(self._key, sealed.salt), sealed, place)

    def index(self, number: str) -> str:
        return self._index.of(number)

    def indexes(self, number: str) -> list[str]:
        return [self.index(number), number]

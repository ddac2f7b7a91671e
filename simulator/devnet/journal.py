"""A chain kept in a file: each block with its transactions, one line each, to be run again.

It knows lines and bytes. A line that was cut by a crash is the last one, and never happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

FILE = "chain.jsonl"


class KeptHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a chain was run with: run again with anything else, it would be another one."""

    chain_id: int
    executor: str
    funded: dict[str, int] = {}  # who had APT from the beginning, in octas


class KeptBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One block: its place, its time in microseconds, its transactions as they were handed in."""

    height: int
    first_version: int
    timestamp: int
    bodies: tuple[bytes, ...]


class OtherChain(Exception):
    """Raised when a folder keeps a chain that was run with another id, executor or accounts."""


class Journal:
    """The file of one chain."""

    def __init__(self, folder: Path, header: KeptHeader) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        self._header = header

    def read(self) -> Iterator[KeptBlock]:
        """All blocks, from the first. Raises `OtherChain`."""
        if not self._path.exists():
            self._append(msgspec.json.encode(self._header))
            return
        lines = self._path.read_bytes().split(b"\n")
        whole = lines[:-1]  # What stands after the last line's end was not finished.
        if lines[-1]:
            self._path.write_bytes(b"".join(line + b"\n" for line in whole))
        if not whole:
            self._append(msgspec.json.encode(self._header))
            return
        kept = msgspec.json.decode(whole[0], type=KeptHeader)
        if kept != self._header:
            raise OtherChain(f"{self._path} was run as {kept}, and is {self._header} now")
        for line in whole[1:]:
            yield msgspec.json.decode(line, type=KeptBlock)

    def keep(self, block: KeptBlock) -> None:
        """Add a block; it is with the operating system when this returns."""
        self._append(msgspec.json.encode(block))

    def _append(self, line: bytes) -> None:
        with self._path.open("ab") as file:
            file.write(line + b"\n")


def kept_block(
    height: int, first_version: int, timestamp: int, bodies: Sequence[bytes]
) -> KeptBlock:
    """A block to be kept."""
    return KeptBlock(height, first_version, timestamp, tuple(bodies))

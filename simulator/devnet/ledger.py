"""What has happened, for good: blocks and transactions, by version, hash, height and sender.

Nothing in it changes once it is there. Each block is one version for itself, then one for each of
its transactions; blocks without any are kept as three numbers.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.devnet.addresses import sha3
from simulator.devnet.executor import Change, Event, Refusal
from simulator.devnet.gas import Charge
from simulator.devnet.transactions import SignedTransaction


@dataclass(frozen=True, slots=True)
class Committed:
    """One transaction in its place. `refusal` is set when it did nothing but cost gas."""

    version: int
    height: int
    timestamp: int  # microseconds
    signed: SignedTransaction
    hash: bytes
    refusal: Refusal | None
    charge: Charge
    events: Sequence[Event]
    changes: Sequence[Change]
    root: bytes  # of all history up to here


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its own version is the first."""

    height: int
    first_version: int
    last_version: int
    timestamp: int

    @property
    def hash(self) -> bytes:
        """Made from what a block is."""
        return sha3(b"block", *(n.to_bytes(8) for n in (self.height, self.last_version)))


class Ledger:
    """All blocks and transactions. Version 0 is the genesis."""

    def __init__(self) -> None:
        self._heights = array("Q", [0])
        self._firsts = array("Q", [0])
        self._timestamps = array("Q", [0])
        self._transactions: dict[int, Committed] = {}
        self._by_hash: dict[bytes, Committed] = {}
        self._by_sender: dict[bytes, list[Committed]] = {}
        self._root = sha3(b"genesis")
        self.version = 0

    @property
    def height(self) -> int:
        """The latest block's."""
        return self._heights[-1]

    @property
    def timestamp(self) -> int:
        """The latest block's, in microseconds."""
        return self._timestamps[-1]

    def open_block(
        self, timestamp: int, *, height: int | None = None, first: int | None = None
    ) -> Block:
        """Begin the next block, or one further ahead when a kept chain is read again."""
        height = self.height + 1 if height is None else height
        first = self.version + 1 if first is None else first
        assert height > self.height and first > self.version, "history only grows"
        self._heights.append(height)
        self._firsts.append(first)
        self._timestamps.append(timestamp)
        self.version = first
        return Block(height, first, first, timestamp)

    def next_root(self, hash: bytes) -> bytes:
        """The root of history with one transaction more."""
        self._root = sha3(self._root, hash)
        return self._root

    def add(self, committed: Committed) -> None:
        """The next transaction of the open block."""
        assert committed.version == self.version + 1, "versions have no gap inside a block"
        self.version = committed.version
        self._transactions[committed.version] = committed
        self._by_hash[committed.hash] = committed
        self._by_sender.setdefault(committed.signed.raw.sender, []).append(committed)

    def by_hash(self, hash: bytes) -> Committed | None:
        """The transaction with this hash, or None."""
        return self._by_hash.get(hash)

    def transactions(self) -> list[Committed]:
        """All of them, in their order."""
        return list(self._transactions.values())

    def by_version(self, version: int) -> Committed | Block | None:
        """What stands at this version; None when that was not kept."""
        if (committed := self._transactions.get(version)) is not None:
            return committed
        block = self.block_of(version)
        return block if block is not None and block.first_version == version else None

    def of_sender(self, sender: bytes, *, start: int | None, limit: int) -> Sequence[Committed]:
        """A sender's numbered transactions from number `start`, or the latest ones."""
        numbered = [
            committed
            for committed in self._by_sender.get(sender, [])
            if not committed.signed.raw.is_orderless
        ]
        if start is None:
            return numbered[-limit:]
        # Numbers have no gap, so that a place can be counted.
        first = numbered[0].signed.raw.sequence_number if numbered else 0
        place = max(0, start - first)
        return numbered[place : place + limit]

    def block_at(self, height: int) -> Block | None:
        """The block of this height; None when there is none, or it was empty and not kept."""
        place = bisect_right(self._heights, height) - 1
        if place < 0 or self._heights[place] != height:
            return None
        return self._block(place)

    def block_of(self, version: int) -> Block | None:
        """The block in which this version is; None when that was not kept."""
        place = bisect_right(self._firsts, version) - 1
        block = self._block(place)
        return block if block.first_version <= version <= block.last_version else None

    def transactions_of(self, block: Block) -> list[Committed]:
        """What a block holds, without itself."""
        return [
            self._transactions[version]
            for version in range(block.first_version + 1, block.last_version + 1)
        ]

    def _block(self, place: int) -> Block:
        first = self._firsts[place]
        last = first
        while last + 1 in self._transactions and (
            place + 1 == len(self._firsts) or last + 1 < self._firsts[place + 1]
        ):
            last += 1
        return Block(self._heights[place], first, last, self._timestamps[place])

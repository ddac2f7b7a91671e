"""Transactions that were taken and wait for a block: in order of each sender's numbers.

It knows how many may wait and which may take another's place; what is valid is not its business.
Rules and numbers: reference: aptos, section 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.devnet.accounts import Accounts
from simulator.devnet.clock import MICROSECONDS
from simulator.devnet.refusals import Refused, pool_full
from simulator.devnet.transactions import RawTransaction, SignedTransaction


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many transactions may wait, and how long. Times in seconds."""

    in_flight_max: int = 100  # with numbers, of one sender
    orderless_max: int = 1000  # of one sender
    all_max: int = 20_000
    kept_seconds: int = 600


@dataclass(frozen=True, slots=True)
class Waiting:
    """One transaction in the pool."""

    signed: SignedTransaction
    hash: bytes
    arrived: int  # ledger microseconds


class Mempool:
    """What waits, by sender and by hash."""

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._numbered: dict[bytes, dict[int, Waiting]] = {}
        self._orderless: dict[bytes, dict[int, Waiting]] = {}
        self._by_hash: dict[bytes, Waiting] = {}

    def __len__(self) -> int:
        return len(self._by_hash)

    def find(self, hash: bytes) -> Waiting | None:
        """What waits under this hash, or None."""
        return self._by_hash.get(hash)

    def add(self, waiting: Waiting) -> Waiting:
        """Take a transaction. The same bytes again change nothing.

        Raises `Refused`: 507 too many, 400 another one has its number.
        """
        raw = waiting.signed.raw
        if (same := self._by_hash.get(waiting.hash)) is not None:
            return same
        nonce = raw.payload.nonce
        if nonce is not None:
            queue, key = self._orderless.setdefault(raw.sender, {}), nonce
            most = self._limits.orderless_max
        else:
            queue, key = self._numbered.setdefault(raw.sender, {}), raw.sequence_number
            most = self._limits.in_flight_max
        if (before := queue.get(key)) is not None:
            _refuse_unless_better(before.signed.raw, raw)
            del self._by_hash[before.hash]
        elif len(queue) >= most or len(self) >= self._limits.all_max:
            raise pool_full(f"Mempool is full: {len(queue)} of this account wait")
        queue[key] = waiting
        self._by_hash[waiting.hash] = waiting
        return waiting

    def next_ready(self, accounts: Accounts) -> Waiting | None:
        """One that may go into a block now: by numbers without a gap, or by nonce."""
        return next(self._ready(accounts), None)

    def remove(self, waiting: Waiting) -> None:
        """It is in a block, or may never be."""
        raw = waiting.signed.raw
        nonce = raw.payload.nonce
        queues, key = (
            (self._numbered, raw.sequence_number) if nonce is None else (self._orderless, nonce)
        )
        queue = queues[raw.sender]
        del queue[key]
        # Whoever was served goes to the end of the line.
        del queues[raw.sender]
        if queue:
            queues[raw.sender] = queue
        del self._by_hash[waiting.hash]

    def drop_old(self, now: int) -> None:
        """Forget what has expired or waited too long, by ledger microseconds."""
        kept = self._limits.kept_seconds * MICROSECONDS
        for waiting in tuple(self._by_hash.values()):
            expires = waiting.signed.raw.expiration_seconds * MICROSECONDS
            if min(expires, waiting.arrived + kept) <= now:
                self.remove(waiting)

    def clear(self) -> int:
        """Forget everything, as a node does that is started anew. How many those were."""
        count = len(self)
        self._numbered.clear()
        self._orderless.clear()
        self._by_hash.clear()
        return count

    def _ready(self, accounts: Accounts) -> Iterator[Waiting]:
        for sender, queue in self._numbered.items():
            if (waiting := queue.get(accounts.sequence_number(sender))) is not None:
                yield waiting
        for queue in self._orderless.values():
            yield from queue.values()


def _refuse_unless_better(before: RawTransaction, raw: RawTransaction) -> None:
    """Only a better price may replace what waits, with all else as it was."""
    same = (
        before.payload == raw.payload
        and before.expiration_seconds == raw.expiration_seconds
        and before.max_gas_amount == raw.max_gas_amount
    )
    if not same or raw.gas_unit_price <= before.gas_unit_price:
        message = "Transaction already in mempool with a different payload"
        raise Refused(400, "invalid_transaction_update", message)

"""Numbers as wide as Move has them: what does not fit stops the call."""

from __future__ import annotations

from simulator.devnet.executors.model.world import Failure

U64_MAX = 2**64 - 1
U128_MAX = 2**128 - 1


def u64(number: int) -> int:
    """The number itself. Stops with ARITHMETIC_ERROR outside 0 .. 2^64-1."""
    return _within(number, U64_MAX)


def u128(number: int) -> int:
    """The number itself. Stops with ARITHMETIC_ERROR outside 0 .. 2^128-1."""
    return _within(number, U128_MAX)


def _within(number: int, most: int) -> int:
    if not 0 <= number <= most:
        raise Failure("ARITHMETIC_ERROR")
    return number

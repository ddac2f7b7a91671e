"""One line of an operator's statement, in neutral words. Pure; it knows no operator's format.

A line says what moved on our wallet at the operator: `amount` is what the customer's side gave or
got, `fee_minor` what the operator kept on top of it or out of it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

import msgspec

from engine.money import Money
from engine.ports import Direction

ONE_DAY = timedelta(days=1)


class Side(IntEnum):
    """Which way money moved, seen from us. The numbers are stored: never renumber."""

    IN = 1
    OUT = 2


SIDE_OF = {
    Direction.COLLECT: Side.IN,
    Direction.DISBURSE: Side.OUT,
    Direction.REFUND: Side.OUT,
}


class Line(msgspec.Struct, frozen=True):
    """A movement as the operator lists it. Holds no full phone number."""

    operator: str
    day: date  # whose statement lists it, in the operator's days
    receipt: str  # the operator's own number of the transaction
    reference: str | None  # ours, if the statement carries it
    side: Side
    amount: Money
    fee_minor: int  # of the same currency, never below zero
    counterparty: str | None  # masked
    completed_ms: int  # epoch milliseconds
    balance_minor: int | None  # what the operator held for us after it
    raw_hash: str
    """128 bits over the line as it came, its number masked and without its reference, in which
    M-PESA's ids and what customers type may hold one: a hash gives a number away."""

    @property
    def effect_minor(self) -> int:
        """What the line does to our wallet."""
        if self.side is Side.IN:
            return self.amount.minor - self.fee_minor
        return -self.amount.minor - self.fee_minor

    def fee_beyond(self, minor: int) -> int:
        """What the operator kept or charged beyond what our books say: `minor` came, or left."""
        return minor - self.effect_minor if self.side is Side.IN else -self.effect_minor - minor


def line_id(tenant: int, line: Line) -> str:
    """A name-based id (UUID version 8): the same movement listed again has the same one.

    From tenant, operator, receipt, side, amount and currency. Where a case needs the id of a
    payment and there is none, this stands for it: no payment ever has a version 8 id.
    """
    return named_id(
        tenant, line.operator, line.receipt, int(line.side), line.amount.minor,
        line.amount.currency,
    )  # fmt: skip


def named_id(*parts: object) -> str:
    """128 bits named after `parts`, 32 hex digits marked as UUID version 8 (RFC 9562, 5.8)."""
    name = "\x1f".join(map(str, parts))
    digits = hashlib.blake2b(name.encode(), digest_size=16, person=b"capp statements").hexdigest()
    return f"{digits[:12]}8{digits[13:16]}{'89ab'[int(digits[16], 16) & 3]}{digits[17:]}"


class Moved(NamedTuple):
    """What people booked under a line's name: by which proposal, "" where they reversed it since,
    and how much of our wallet it moved, in minor units."""

    by: str
    minor: int


class PaidInLine(NamedTuple):
    """A pay-in's line, or its way back: whether its money lies in SUSPENSE, and how much of our
    wallet it moved by our books, in minor units. `on_its_way`: the pay-in whose return was ordered
    and which the line shows to have gone."""

    is_suspended: bool
    minor: int
    on_its_way: str | None = None


class Break(NamedTuple):
    """Between two lines the operator's balance moved by more than the second line says."""

    after: Line
    line: Line
    gap_minor: int


def breaks_of(lines: Sequence[Line]) -> tuple[Break, ...]:
    """Where the running balance does not follow from the lines: something is not listed.

    In the file's own order; lines without a balance break nothing.
    """
    told = [line for line in lines if line.balance_minor is not None]
    found = []
    for before, line in pairwise(told):
        assert before.balance_minor is not None and line.balance_minor is not None
        gap = line.balance_minor - before.balance_minor - line.effect_minor
        if gap:
            found.append(Break(before, line, gap))
    return tuple(found)


def oldest_first(lines: Sequence[Line]) -> Sequence[Line] | None:
    """The lines as they happened, also of a file that lists the newest first; None where nobody can
    tell. Without two balances nothing depends on it. No line stands there twice.

    Running balances follow from one line to the next in one order only, as a rule, and times rise
    in it. What the two say differently, or neither says, is not guessed: a file with lines missing
    stays as it came while fewer are missing than the other way round.
    """
    if sum(line.balance_minor is not None for line in lines) < 2:
        return lines
    turned = lines[::-1]
    missing, missing_turned = len(breaks_of(lines)), len(breaks_of(turned))
    by_time = _rises(lines) - _rises(turned)
    by_balance = (not missing) - (not missing_turned)
    if by_time * by_balance < 0:
        return None
    if sign := by_time or by_balance:
        return lines if sign > 0 else turned
    return lines if missing and missing <= missing_turned else None


def _rises(lines: Sequence[Line]) -> bool:
    return all(a.completed_ms <= b.completed_ms for a, b in pairwise(lines))


class Extent(NamedTuple):
    """What a day's statement says of the day as a whole. Minor units, None where nothing tells."""

    lines: int
    opening_minor: int | None  # what the operator held before its first line
    closing_minor: int | None


class Jump(NamedTuple):
    """Between the statements of two days the operator's balance moved, and neither lists by what.

    No day between the two moved anything.
    """

    before: date
    day: date
    minor: int


def jumps_of(days: Mapping[date, Extent]) -> Mapping[date, Jump]:
    """By the later day. One whose statement is not there, or tells no balance, hides every jump."""
    found = {}
    for day, extent in days.items():
        before = day - ONE_DAY
        while before in days and not days[before].lines:
            before -= ONE_DAY
        closed = days[before].closing_minor if before in days else None
        opened = extent.opening_minor
        if closed is not None and opened is not None and opened != closed:
            found[day] = Jump(before, day, opened - closed)
    return found


def days_between(first: date, last: date) -> set[date]:
    """Both included."""
    return {first + timedelta(days=n) for n in range((last - first).days + 1)}


def opening_minor(lines: Iterable[Line]) -> int | None:
    """The balance before the first line that tells one."""
    for line in lines:
        if line.balance_minor is not None:
            return line.balance_minor - line.effect_minor
    return None


def closing_minor(lines: Iterable[Line]) -> int | None:
    """The balance after the last line that tells one."""
    balances = [line.balance_minor for line in lines if line.balance_minor is not None]
    return balances[-1] if balances else None

"""The day's statement of one sandbox, from its own ledger, as a neutral CSV file.

No reference gives a statement format of any operator, so this one is nobody's: what its columns
mean is written in `engine/payments/statements/README.md`. A fault spoils one line, once.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta, timezone
from decimal import Decimal

from simulator.faults import STATEMENT
from simulator.operators.base import S, Sandbox
from simulator.operators.wallets import Movement

HEADER = (
    "receipt", "reference", "side", "amount", "fee", "currency", "counterparty",
    "completed_at", "balance",
)  # fmt: skip
EAST_AFRICA = timezone(timedelta(hours=3))  # both operators' days; no summer time
_WITHOUT_DECIMALS = frozenset({"UGX", "RWF", "XOF", "XAF", "GNF"})


@dataclass(frozen=True)
class Row:
    """One line; `balance_minor` is what we hold there after it, None where it would mislead."""

    movement: Movement
    amount_minor: int
    balance_minor: int | None


class Statements:
    """Writes statements of one sandbox, and remembers which lines a fault kept for the next day."""

    def __init__(self, sandbox: Sandbox[S]) -> None:
        self._world = sandbox.world
        self._faults = sandbox.faults
        self._ledger = sandbox.ledger
        self._late: set[int] = set()

    def of(self, day: date) -> bytes:
        """The file of an East African day, under whatever faults are armed for its lines."""
        late = [
            Row(row.movement, row.amount_minor, None)
            for row in self._rows(day - timedelta(days=1))
            if row.movement.id in self._late
        ]
        rows = [
            row
            for honest in self._rows(day)
            if honest.movement.id not in self._late
            for row in self._spoilt(honest)
        ]
        return _written([*late, *rows])

    def _rows(self, day: date) -> Iterator[Row]:
        """Every movement of the day as it was, with the balance that followed."""
        movements = self._ledger.movements
        balance = sum(self._ledger.balances_minor.values()) - sum(map(_effect_minor, movements))
        for movement in movements:
            balance += _effect_minor(movement)
            if movement.at.astimezone(EAST_AFRICA).date() == day:
                yield Row(movement, movement.amount_minor, balance)

    def _spoilt(self, row: Row) -> list[Row]:
        movement = row.movement
        fault = self._faults.take(STATEMENT, movement.msisdn, "statement")
        match fault.fault if fault else None:
            case "line_dropped":
                return []
            case "line_doubled":
                return [row, row]
            case "line_wrong_amount":
                more = 1 if movement.currency in _WITHOUT_DECIMALS else 100
                return [Row(movement, row.amount_minor + more, row.balance_minor)]
            case "line_next_day":
                self._late.add(movement.id)
                return []
            case "line_unknown":
                return [row, Row(self._made_up(movement), row.amount_minor, None)]
        return [row]

    def _made_up(self, like: Movement) -> Movement:
        """A receipt of money that nobody ever sent."""
        receipt = self._world.receipt_letters(10)
        return Movement(
            0, "collection", "", like.msisdn, like.amount_minor, like.currency, receipt, like.at
        )


def _effect_minor(movement: Movement) -> int:
    sign = 1 if movement.kind == "collection" else -1
    return sign * movement.amount_minor


def _written(rows: list[Row]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    for row in rows:
        movement = row.movement
        currency, balance = movement.currency, row.balance_minor
        writer.writerow(
            [
                movement.receipt,
                movement.reference,
                "in" if movement.kind == "collection" else "out",
                _major(row.amount_minor, currency),
                _major(0, currency),
                currency,
                f"+{movement.msisdn}",
                movement.at.astimezone(EAST_AFRICA).isoformat(timespec="milliseconds"),
                "" if balance is None else _major(balance, currency),
            ]
        )
    return out.getvalue().encode()


def _major(minor: int, currency: str) -> str:
    return str(minor) if currency in _WITHOUT_DECIMALS else f"{Decimal(minor) / 100:.2f}"

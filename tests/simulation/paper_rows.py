"""The tables of statements in the model: files, lines and looks at balances. Rows only."""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple

from engine.clock import AttemptId
from engine.payments.statements.lines import Line
from engine.payments.statements.store import File


class FileRow(NamedTuple):
    """A file that was taken in, and when."""

    file: File
    taken_ms: int


@dataclass
class LineRow:
    """A line that some file listed, and what became of it; `kind` 0: nobody has looked yet."""

    line: Line
    taken_ms: int
    kind: int = 0
    attempt: AttemptId | None = None
    suspended_ms: int | None = None
    proved_ms: int | None = None


class LookRow(NamedTuple):
    """A balance beside our books."""

    look: str
    operator: str
    at_ms: int
    is_snapshot: bool
    drift_minor: int


@dataclass
class Papers:
    """Of all operators; files by operator, day and hash."""

    files: dict[tuple[str, date, str], FileRow] = field(default_factory=dict)
    lines: dict[str, LineRow] = field(default_factory=dict)
    looks: dict[str, LookRow] = field(default_factory=dict)

    def copy(self) -> "Papers":
        """The rows as they stand; none of them is shared."""
        lines = {id_: replace(row) for id_, row in self.lines.items()}
        return Papers(dict(self.files), lines, dict(self.looks))

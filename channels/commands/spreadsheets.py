"""Rows as CSV for people, whose programs take some texts for formulas (CWE-1236).

It knows no report. Files that machines read back (`engine/payments/statements/neutral.py`) are
written there: what stands before a text here would not be taken off again.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

_BEGINS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def write_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A header and its rows (RFC 4180). A text that begins as a formula does gets a `'` before it.

    A number, a phone's with its plus too, is none and stays as it is.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([[_harmless(value) for value in row] for row in rows])
    return out.getvalue()


def _harmless(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    begins = value.lstrip(" ")
    if not begins.startswith(_BEGINS) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"

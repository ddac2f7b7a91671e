"""The neutral statement file: CSV after RFC 4180, read strictly and written back. Pure.

The rule for a whole file: it is taken in only if every line of it can be read. A statement is
evidence by what it lacks as much as by what it lists, so half of one would prove wrong things.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from engine.errors import Unreadable
from engine.money import Money, from_decimal, to_decimal
from engine.msisdn import Msisdn
from engine.payments.statements.lines import Line, Side
from engine.payments.statements.terms import Terms

HEADER = (
    "receipt", "reference", "side", "amount", "fee", "currency", "counterparty",
    "completed_at", "balance",
)  # fmt: skip
BYTES_MAX = 64 * 1024 * 1024
FAULTS_SHOWN = 20

_RECEIPT = re.compile(r"[0-9A-Za-z._:/-]{1,64}")
REFERENCE_LENGTH_MAX = 128
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
_BALANCE = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")
_NUMBER = re.compile(r"\+?[1-9][0-9]{8,14}")
_MASKED = re.compile(r"[0-9+*xX#-]{1,20}")
_DIGITS_SHOWN_MAX = 8
_SIDES = {"in": Side.IN, "out": Side.OUT}


class Fault(NamedTuple):
    """A line that cannot be read: its number in the file, the first is 1, and why."""

    number: int
    why: str


class Reading(NamedTuple):
    """Every line that could be read, in the file's order, and every one that could not."""

    lines: tuple[Line, ...]
    faults: tuple[Fault, ...]


def read_statement(operator: str, currency: str, day: date, body: bytes, terms: Terms) -> Reading:
    """Read a file of one operator's one day: UTF-8 with or without BOM, CRLF or LF.

    A doubled line is no fault and comes twice. No fault repeats what a line holds.
    """
    if len(body) > BYTES_MAX:
        return Reading((), (Fault(0, f"larger than {BYTES_MAX} bytes"),))
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Reading((), (Fault(0, "not UTF-8"),))
    if "\0" in text:
        return Reading((), (Fault(0, "holds a zero byte"),))
    columns = _Columns(operator, currency, day, terms)
    lines, faults = [], []
    for number, fields in _rows(text):
        if isinstance(fields, str):
            faults.append(Fault(number, fields))
        elif fields:  # an empty line, say at the end, is none
            read = columns.read(fields)
            if isinstance(read, str):
                faults.append(Fault(number, read))
            else:
                lines.append(read)
    return Reading(tuple(lines), tuple(faults))


def read_whole_statement(
    operator: str, currency: str, day: date, body: bytes, terms: Terms
) -> tuple[Line, ...]:
    """The lines of a file without a fault; raises Unreadable, which names the faulty lines."""
    lines, faults = read_statement(operator, currency, day, body, terms)
    if not faults:
        return lines
    named = [f"line {n}: {why}" if n else why for n, why in faults[:FAULTS_SHOWN]]
    if len(faults) > FAULTS_SHOWN:
        named.append(f"and {len(faults) - FAULTS_SHOWN} lines more")
    raise Unreadable(operator, "the statement is refused as a whole: " + "; ".join(named))


def write_statement(lines: Iterable[Line]) -> bytes:
    """The same lines as a neutral file: the inverse of `read_statement`."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    for line in lines:
        currency = line.amount.currency
        balance = line.balance_minor
        writer.writerow(
            [
                line.receipt,
                line.reference or "",
                line.side.name.lower(),
                to_decimal(line.amount),
                to_decimal(Money(line.fee_minor, currency)),
                currency,
                line.counterparty or "",
                _written(line.completed_ms),
                "" if balance is None else to_decimal(Money(balance, currency)),
            ]
        )
    return out.getvalue().encode()


def _rows(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """The number of each row's first line with its fields, or with what is wrong with it."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    try:
        header = next(reader, None)
        if header is None or tuple(header) != HEADER:
            yield 1, f"the header must be {','.join(HEADER)}"
            return
        begins = reader.line_num + 1
        for fields in reader:
            yield begins, fields
            begins = reader.line_num + 1
    except csv.Error:
        # Where a quote is lost nobody knows where the next line begins.
        yield begins, "no CSV from here on"


class _Columns:
    """Reads one row's fields; the first that breaks its rule is named."""

    def __init__(self, operator: str, currency: str, day: date, terms: Terms) -> None:
        self._operator = operator
        self._currency = currency
        self._day = day
        self._terms = terms

    def read(self, fields: list[str]) -> Line | str:
        if len(fields) != len(HEADER):
            return f"{len(fields)} fields instead of {len(HEADER)}"
        named = dict(zip(HEADER, fields, strict=True))
        try:
            return self._line({**named, "counterparty": _masked(named["counterparty"])})
        except _Wrong as wrong:
            return str(wrong)

    def _line(self, named: dict[str, str]) -> Line:
        if named["currency"] != self._currency:
            raise _Wrong(f"currency: not {self._currency}")
        amount = self._money("amount", named["amount"], _AMOUNT)
        if not amount.minor:
            raise _Wrong("amount: is zero")
        fee = self._money("fee", named["fee"] or "0", _AMOUNT)
        side = _side(named["side"])
        if side is Side.IN and fee.minor > amount.minor:
            raise _Wrong("fee: more than the amount")
        balance = named["balance"]
        return Line(
            operator=self._operator,
            day=self._day,
            receipt=_matching("receipt", named["receipt"], _RECEIPT),
            reference=_reference(named["reference"]) or None,
            side=side,
            amount=amount,
            fee_minor=fee.minor,
            counterparty=named["counterparty"] or None,
            completed_ms=self._moment(named["completed_at"]),
            balance_minor=self._money("balance", balance, _BALANCE).minor if balance else None,
            raw_hash=_hash("\x1f".join(named.values())),
        )

    def _money(self, name: str, text: str, pattern: re.Pattern[str]) -> Money:
        number = Decimal(_matching(name, text, pattern))
        try:
            return from_decimal(number, self._currency)
        except ValueError:
            raise _Wrong(f"{name}: a fraction {self._currency} does not have") from None

    def _moment(self, text: str) -> int:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise _Wrong("completed_at: no time in ISO 8601") from None
        if moment.tzinfo is None:
            raise _Wrong("completed_at: no offset from UTC")
        try:
            at_ms = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
            away = abs((self._terms.day_of(at_ms) - self._day).days)
        except (OverflowError, ValueError):
            raise _Wrong("completed_at: no time in ISO 8601") from None
        if away > 1:
            raise _Wrong("completed_at: neither this day nor one beside it")
        return at_ms


class _Wrong(Exception):
    """A field breaks its rule; the message names the field and never its value."""


def _reference(text: str) -> str:
    """Ours, or what a customer or a bank wrote: words, in any script, refuse no file."""
    if text.isprintable() and len(text) <= REFERENCE_LENGTH_MAX:
        return text.strip()
    raise _Wrong("reference: is not one")


def _matching(name: str, text: str, pattern: re.Pattern[str]) -> str:
    if pattern.fullmatch(text):
        return text
    raise _Wrong(f"{name}: is {'not one' if text else 'missing'}")


def _side(text: str) -> Side:
    side = _SIDES.get(text)
    if side is None:
        raise _Wrong("side: neither in nor out")
    return side


def _masked(text: str) -> str:
    """A whole number is masked here, at the edge; one that came masked stays as it came."""
    if _NUMBER.fullmatch(text):
        return Msisdn("+" + text.removeprefix("+")).masked
    digits = sum(c.isdigit() for c in text)
    if text and (not _MASKED.fullmatch(text) or digits > _DIGITS_SHOWN_MAX):
        raise _Wrong("counterparty: neither a number nor a masked one")
    return text


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _written(at_ms: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return moment.isoformat(timespec="milliseconds")

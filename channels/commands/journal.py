"""What `capp books` says of single entries: why an account moved, and all rows of one entry.

No number of anybody stands in it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from channels.commands.desk import ID_SHOWN, LINE_LENGTH_MAX, proposal_line
from channels.commands.spreadsheets import write_rows
from channels.office import Office
from channels.times import iso_millis_of, second_of
from engine.clock import PaymentId
from engine.decision_log import DecisionLog
from engine.desk.proposals import ProposalId
from engine.errors import StaffMistake
from engine.fx.quotes import Quote
from engine.ledger.account_names import spell
from engine.ledger.account_statement import Entry, Row, Statement, read_rows
from engine.ledger.books import Line
from engine.ledger.chart import read_account
from engine.ledger.entries import MANUAL_FROM, Manual
from engine.money import Money, plain, to_decimal
from engine.payments.decided import Decided
from engine.payments.facts import holds_terms, read_terms
from engine.payments.lifecycle import State
from engine.payments.payment import code_of
from providers.redaction import printable

Say = Callable[[str], None]

_COLUMNS = (
    "at", "code", "version", "state", "against", "why", "currency", "amount", "balance", "id",
)  # fmt: skip


def state_name(state: int) -> str:
    """A payment's state, or what a row is that belongs to none."""
    kinds = Manual if state >= MANUAL_FROM else State
    return kinds(state).name if state in set(kinds) else str(state)


def entry_line(entry: Entry, currency: str, office: Office) -> str:
    """One line of a statement: what moved, what was left, against which accounts, and why."""
    moved, left = plain(entry.minor, currency), plain(entry.balance_minor, currency)
    told = f"{_against(entry, office)} {_why(entry)}".rstrip()
    return (
        f"{second_of(entry.at_ms)} {code_of(entry.payment)} {entry.version:>2}"
        f" {state_name(entry.state):<19} {moved:>14} {left:>16}  {told}"
    )


def statement_rows(statement: Statement, office: Office) -> str:
    """The same as CSV, with opening and closing; amounts in major units, exactly."""
    currency = statement.account.currency

    def major(minor: int) -> str:
        return f"{to_decimal(Money(minor, currency)):f}"

    def border(word: str, minor: int) -> list[object]:
        return ["", "", "", word, "", "", currency, "", major(minor), ""]

    entries = [
        [
            iso_millis_of(e.at_ms), code_of(e.payment), e.version, state_name(e.state),
            _against(e, office), _why(e), currency, major(e.minor), major(e.balance_minor),
            e.payment,
        ]
        for e in statement.entries
    ]  # fmt: skip
    opening = border("opening", statement.opening_minor)
    return write_rows(_COLUMNS, [opening, *entries, border("closing", statement.closing_minor)])


def balance_rows(lines: Iterable[Line], office: Office) -> str:
    """A trial balance as CSV, accounts under the names that a statement is asked for by."""
    rows = [
        [
            line.currency, spell(read_account(line.number), office.names), line.side,
            f"{to_decimal(Money(line.minor, line.currency)):f}",
        ]
        for line in lines
    ]  # fmt: skip
    return write_rows(("currency", "account", "side", "amount"), rows)


async def say_entry(office: Office, code: str, say: Say) -> None:
    """All rows of a payment, or of what people or programs booked, with price or proposal.

    Raises StaffMistake when the journal has none such.
    """
    decided = Decided(
        office.pool, office.tenant, DecisionLog(office.pool, office.tenant, office.ids)
    )
    found = await decided.payment_of(code)
    rows = await read_rows(office.pool, office.tenant, found) if found is not None else []
    if found is None or not rows:
        raise StaffMistake(f"the journal has no {code}")
    say(f"{code_of(found)}  {found}")
    for line in [*_price_lines(rows), *await _agreed(office, rows)]:
        say(line)
    for row in rows:
        whys = " ".join(_whys(row.facts, found))
        line = f"{row.version:>2}  {second_of(row.at_ms)} UTC  {state_name(row.state)}  {whys}"
        say(printable(line.rstrip(), length_max=LINE_LENGTH_MAX))
        for debit, credit, minor in row.transfers:
            account = read_account(debit)
            say(
                f"      debit {spell(account, office.names)}"
                f"  credit {spell(read_account(credit), office.names)}"
                f"  {Money(minor, account.currency)}"
            )


def _price_lines(rows: Iterable[Row]) -> Iterator[str]:
    """What was agreed with the payer, each time it was stated anew."""
    for row in rows:
        if row.state < MANUAL_FROM and holds_terms(row.facts):
            yield from _terms_lines(read_terms(row.facts).quote)


def _terms_lines(quote: Quote) -> Iterator[str]:
    source = quote.amount.currency

    def money(minor: int) -> str:
        return str(Money(minor, source))

    yield (
        f"{quote.amount} and the fee {quote.fee} from {quote.payer_operator},"
        f" {quote.receives} at {quote.payee_operator}"
        f"{'; the fee is not given back' if quote.keeps_fee else ''}"
    )
    of = f" of {second_of(quote.rate_at_ms)} UTC" if quote.rate_at_ms else ""
    charge = Money(quote.payout_cost_minor_max, quote.receives.currency)
    yield (
        f"rate {quote.rate}, mid {quote.mid}{of}; spread {money(quote.spread_minor)},"
        f" rounding {money(quote.rounding_minor)}, at mid {money(quote.value_at_mid_minor)};"
        f" collecting costs {money(quote.collection_cost_minor)}, paying out {charge}"
    )


async def _agreed(office: Office, rows: Iterable[Row]) -> list[str]:
    """What two people agreed on, of rows that carry it."""
    named = {
        proposal
        for row in rows
        if isinstance(proposal := _facts(row.facts).get("proposal"), str) and proposal
    }
    return [
        proposal_line(await office.proposals.get(ProposalId(proposal)), office)
        for proposal in sorted(named)
    ]


def _against(entry: Entry, office: Office) -> str:
    return " ".join(spell(read_account(number), office.names) for number in entry.against)


def _why(entry: Entry) -> str:
    return printable(" ".join(_whys(entry.facts, entry.payment)), length_max=LINE_LENGTH_MAX)


def _facts(facts: str) -> dict[str, object]:
    read = msgspec.json.decode(facts) if facts else None
    return read if isinstance(read, dict) else {}


_SHOWN: Final[Mapping[str, Callable[[str], str]]] = {
    "about": lambda value: f"about {code_of(PaymentId(value))}",
    "code": str,
    "reason": str,
    "corridor": str,
    "settlement": lambda value: f"batch {value}",
    "dispute": lambda value: f"dispute {value}",
    "operator": str,
    "transaction": lambda value: f"transaction {value}",
    "reference": str,
    "proposal": lambda value: f"proposal {value[-ID_SHOWN:]}",
}
"""Of what a row says of itself. A receipt may hold somebody's number: `capp traffic` hides it."""


def _whys(facts: str, own: str) -> list[str]:
    """How an attempt ended, reasons, references, and what else than itself the row is about."""
    read = _facts(facts)
    if read.get("about") == own:
        del read["about"]
    succeeded = read.get("succeeded")
    ended = [] if succeeded is None else ["succeeded" if succeeded else "failed"]
    shown = [(spelled, read.get(name)) for name, spelled in _SHOWN.items()]
    return [*ended, *[spelled(v) for spelled, v in shown if isinstance(v, str) and v]]

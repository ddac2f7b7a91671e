"""What the auditor found, in words: which law is broken, by which row, and how people are told.

It reads nothing and opens no case.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from engine.ledger.audit_rows import SUSPECTS_MAX
from engine.ledger.audit_store import Block
from engine.ledger.books import describe
from engine.ledger.breach_store import Breach
from engine.ledger.chart import read_account
from engine.money import plain


class Law(StrEnum):
    """What a breach is a breach of. The values are the words of `breach_store`."""

    ENTRY = "entry"  # a transfer leaves its book or its tenant, or moves nothing
    TWO_PEOPLE = "two people"  # a row that people made without a proposal both agreed on
    AGREED = "agreed"  # a row that people made is not what both agreed on
    PATH = "path"  # a version is missing, or the payment is not where its journal ends
    MOVE = "move"  # a payment went from one state to another as no step of it does
    BALANCE = "balance"  # a balance is not what the journal adds up to
    REST = "rest"  # a payment is over, and still money stands for it
    STANDING = "standing"  # money is in flight without the attempt that carries it
    NOTHING_HELD = "nothing held"  # an attempt is live and no money stands for it
    CHANGED = "changed"  # sealed history is not what it was
    MISSING = "missing"  # a sealed row is gone
    LATE = "late"  # a row appeared in a stretch that was sealed
    CHAIN = "chain"  # the auditor's own chain of hashes was altered


OF_TODAY = frozenset({Law.BALANCE, Law.REST, Law.STANDING, Law.NOTHING_HELD})
"""What breaks them stands in the books until it is corrected, and may come back as it was; what
breaks another law has happened, and is told once (`decisions/0008`)."""


class Finding(NamedTuple):
    """One breach. `payment` is 32 hex digits, of the account where no payment is meant."""

    law: Law
    payment: str
    detail: str

    @property
    def hash(self) -> str:
        """The same breach again has the same."""
        return digest_of(f"{self.law}:{self.payment}:{self.detail}")


def finding_of(breach: Breach, operators: Mapping[int, str]) -> Finding:
    """A guilty row in words; `operators` maps the codes in account numbers to names."""
    return Finding(Law(breach.law), breach.payment, _sentence(breach, operators))


def of_row(law: Law, row: tuple[str, int], what: str) -> Finding:
    """About one row of the journal: a payment and its version."""
    payment, version = row
    return Finding(law, payment, f"version {version} {what}")


def of_rows(law: Law, block: Block, rows: list[tuple[str, int]], what: str) -> list[Finding]:
    """About each of them; of more than `SUSPECTS_MAX` people need the number first."""
    after = f"{what} after block {block.number} was sealed"
    if len(rows) > SUSPECTS_MAX:
        return [of_block(law, block, f"{len(rows)} rows: each {after}, first {rows[0][0]}")]
    return [of_row(law, row, after) for row in rows]


def of_block(law: Law, block: Block, what: str) -> Finding:
    """About a sealed stretch."""
    return Finding(
        law, digest_of(block.partition), f"{block.partition} block {block.number} {what}"
    )


def digest_of(told: str) -> str:
    """A case's id for what has none of its own: 32 hex digits."""
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def _sentence(breach: Breach, operators: Mapping[int, str]) -> str:
    match Law(breach.law):
        case Law.ENTRY:
            return f"version {breach.version} is no balanced entry of this tenant"
        case Law.TWO_PEOPLE:
            return f"version {breach.version} was made without two people"
        case Law.PATH:
            return f"version {breach.version} and the journal do not fit"
        case Law.MOVE:
            return f"version {breach.version} led from state {breach.there} to {breach.expected}"
        case Law.BALANCE:
            # Told by the difference: while payments go on, only that stays the same.
            more = _minor(breach, breach.there - breach.expected)
            return f"{_account(breach, operators)} holds {more} more than the journal adds up to"
        case Law.REST:
            left = _minor(breach, breach.there)
            return f"it is over, and {left} is left in {_account(breach, operators)}"
        case Law.STANDING:
            left = _minor(breach, breach.there)
            return f"{left} stands in {_account(breach, operators)} and no attempt of it is live"
        case law:
            return f"an attempt is live: {law}"


def _account(breach: Breach, operators: Mapping[int, str]) -> str:
    return f"{describe(breach.account, operators)} {_currency(breach)}"


def _minor(breach: Breach, minor: int) -> str:
    return plain(minor, _currency(breach))


def _currency(breach: Breach) -> str:
    return read_account(breach.account).currency

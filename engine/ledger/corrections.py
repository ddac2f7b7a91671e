"""What a correction may touch, and the entry that makes it: a new row, never a changed one.

Refuses whatever would take the ground from a payment that is still under way. It does not know
who agreed to a correction; that is the desk's affair, and the auditor's.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from engine.errors import StaffMistake
from engine.ledger.chart import OF_SETTLEMENT, OF_WINDOWS, Account, Kind, read_account
from engine.ledger.entries import CORRECTS, Manual
from engine.ledger.pool_postings import turned_round
from engine.ledger.postings import Transfers

STANDS_FOR_PAYMENTS = frozenset(
    {
        Kind.POOL_HELD,
        Kind.CUSTOMER_FUNDS,
        Kind.PAYOUT_IN_FLIGHT,
        Kind.REFUND_IN_FLIGHT,
        Kind.REFUND_DUE,
        Kind.RETURNED,
    }
)
"""Every minor unit in these stands for one payment; at rest a payment has nothing in them."""


OF_NOBODY = frozenset({Manual.SUSPENDED, Manual.UNSUSPENDED})
"""They have a way back of their own, which would take the money out a second time."""


class JournalRow(NamedTuple):
    """One row of the journal, and the payment it speaks of: its own, or the one it corrects.

    `at_rest`: neither of the two has a deadline or a live attempt.
    """

    payment: str
    version: int
    state: int
    transfers: Transfers
    about: str
    at_rest: bool


class CorrectionFacts(msgspec.Struct, frozen=True):
    """What the row of a correction says of itself. `about` stays first: the auditor looks there."""

    about: str
    version: int
    proposal: str


async def read_row(pool: Any, tenant: int, payment: str, version: int) -> JournalRow:
    """Raises StaffMistake when there is no such row, or a correction says not what it corrects."""
    row = await pool.fetchrow(
        "select * from journal where payment = $1 and version = $2 and tenant = $3",
        payment, version, tenant,
    )  # fmt: skip
    if row is None:
        raise StaffMistake(f"the journal has no version {version} of {payment}")
    about = _about(row["facts"] or "", payment, version) if row["state"] in CORRECTS else payment
    at_rest = await pool.fetchval(
        "select not exists (select from payment where id = any($1::uuid[]) and tenant = $2"
        " and (due is not null or live is not null))",
        [payment, about], tenant,
    )  # fmt: skip
    transfers = tuple(zip(row["debits"], row["credits"], row["amounts"], strict=True))
    return JournalRow(payment, version, row["state"], transfers, about, at_rest)


def reversal(row: JournalRow) -> Transfers:
    """Each transfer turned round.

    Raises StaffMistake when the payment is still under way, the row moved nothing, or it belongs
    to something that has its own way back, as a withdrawal, which is cancelled instead.
    """
    if not row.at_rest:
        raise StaffMistake(f"{row.about} is still under way; let it end first")
    if not row.transfers:
        raise StaffMistake(f"version {row.version} of {row.payment} moved no money")
    if row.state in OF_NOBODY:
        raise StaffMistake("what nobody claimed is assigned or returned, it is not corrected")
    if Kind.WITHDRAWAL_HELD in _kinds(row.transfers):
        raise StaffMistake("a withdrawal is cancelled, not corrected")
    if Kind.RETURN_HELD in _kinds(row.transfers):
        raise StaffMistake("what goes back to its sender is seen or fails, it is not corrected")
    if Kind.POOL_RESERVED in _kinds(row.transfers):
        raise StaffMistake("a reservation is released or expires, it is not corrected")
    if OF_SETTLEMENT & _kinds(row.transfers):
        raise StaffMistake("settlement follows the rail's books, it is not corrected")
    return turned_round(row.transfers)


def reversal_key(row: JournalRow) -> str:
    """One row can be reversed once, whoever proposes it how often."""
    return f"reversal:{row.payment}:{row.version}"


def adjustment(debit: Account, credit: Account, minor: int, *, about: str) -> Transfers:
    """One free-form transfer.

    Raises StaffMistake between two books, for withdrawals, and for money that stands for payments
    when no payment (`about`) is named.
    """
    transfers = ((debit.number, credit.number, minor),)
    if debit.number == credit.number or minor <= 0:
        raise StaffMistake("an adjustment moves something between two accounts")
    if debit.number >> 32 != credit.number >> 32:
        raise StaffMistake("an adjustment stays in one currency")
    kinds = _kinds(transfers)
    if Kind.WITHDRAWAL_HELD in kinds:
        raise StaffMistake("a withdrawal is cancelled, not adjusted")
    if Kind.RETURN_HELD in kinds:
        raise StaffMistake("what goes back to its sender is seen or fails, it is not adjusted")
    if Kind.POOL_RESERVED in kinds:
        raise StaffMistake("a reservation is released or expires, it is not adjusted")
    if OF_WINDOWS & kinds:
        raise StaffMistake("what settlement windows hold follows from them, it is not adjusted")
    if kinds & STANDS_FOR_PAYMENTS and not about:
        raise StaffMistake("money that stands for a payment: say which one")
    return transfers


def correction_facts(*, about: str, version: int, proposal: str) -> str:
    """What a REVERSED or ADJUSTED row says of itself, as it is stored."""
    return msgspec.json.encode(CorrectionFacts(about, version, proposal)).decode()


def _about(facts: str, payment: str, version: int) -> str:
    try:
        return msgspec.json.decode(facts, type=CorrectionFacts).about
    except msgspec.MsgspecError:
        raise StaffMistake(f"version {version} of {payment} says not what it corrects") from None


def _kinds(transfers: Sequence[tuple[int, int, int]]) -> set[Kind]:
    return {read_account(n).kind for debit, credit, _ in transfers for n in (debit, credit)}

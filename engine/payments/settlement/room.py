"""Puts the room together: everything that settles one tenant, from what is passed in."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.clock import Clock, Ids
from engine.fx.rates import RateBook
from engine.ledger.committer import Committer
from engine.payments.settlement.approving import Approving
from engine.payments.settlement.batch_store import BatchStore
from engine.payments.settlement.booking import Booking
from engine.payments.settlement.capital import Capital
from engine.payments.settlement.closing import Closing
from engine.payments.settlement.dispute_store import DisputeStore
from engine.payments.settlement.disputes import Disputes
from engine.payments.settlement.errand_store import ErrandStore
from engine.payments.settlement.gathering import Gathering
from engine.payments.settlement.obligation_store import ObligationStore
from engine.payments.settlement.posting import Book
from engine.payments.settlement.receipts import Receipts
from engine.payments.settlement.rules import Rules
from engine.payments.settlement.settling import Settling
from engine.payments.settlement.standing import Standings
from engine.payments.settlement.submitting import LEASE_SECONDS, PATIENCE_SECONDS, Submitting
from engine.ports import SettlementPort, SignerPort


class SettlementRoom(NamedTuple):
    """What the worker sweeps, and what commands and panels ask."""

    settling: Settling
    closing: Closing
    approving: Approving
    disputes: Disputes
    receipts: Receipts
    capital: Capital
    standings: Standings
    batches: BatchStore


def build_room(
    *,
    tenant: int,
    pool: Any,
    committer: Committer,
    rates: RateBook,
    rules: Rules,
    rail: SettlementPort,
    signer: SignerPort,
    salt_key: bytes,
    operators: Mapping[str, int],
    clock: Clock,
    ids: Ids,
    patience_seconds: float = PATIENCE_SECONDS,
    lease_seconds: int = LEASE_SECONDS,
) -> SettlementRoom:
    """`operators` maps names to codes; `salt_key` has 32 to 64 bytes and never changes.

    `signer` keeps the approvers' keys. Nothing is opened and nothing is asked.
    """
    book = Book(tenant, rules.asset.code)
    names = {code: name for name, code in operators.items()}
    obligations = ObligationStore(pool, tenant, names)
    batches, errands = BatchStore(pool, tenant), ErrandStore(pool, tenant)
    dispute_store = DisputeStore(pool, tenant)
    booking = Booking(pool, committer, tenant)
    receipts = Receipts(obligations, batches, salt_key=salt_key)
    closing = Closing(
        pool, tenant, obligations, batches, rates, rules, salt_key=salt_key, clock=clock, ids=ids
    )
    approving = Approving(batches, obligations, rail, signer, rules, salt_key=salt_key, clock=clock)
    submitting = Submitting(
        errands, batches, rail, clock=clock, ids=ids, patience_seconds=patience_seconds,
        lease_seconds=lease_seconds,
    )  # fmt: skip
    disputes = Disputes(
        dispute_store, batches, errands, submitting, receipts, booking, rail, rules, book,
        operators, clock=clock, ids=ids,
    )  # fmt: skip
    standings = Standings(
        obligations, batches, errands, dispute_store, closing, booking, rail, rules, book,
        operators, clock,
    )  # fmt: skip
    settling = Settling(
        Gathering(obligations, batches, names, clock), closing, approving, submitting, disputes,
        standings, batches, errands, booking, rail, rules, book, operators, clock,
    )  # fmt: skip
    capital = Capital(booking, rail, rules, book, operators, ids)
    return SettlementRoom(
        settling, closing, approving, disputes, receipts, capital, standings, batches
    )

"""How settlement stands: a payment's, a corridor's, and whether books and rail agree.

It changes nothing but to open a case when an operator's pools hold what the books cannot explain.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from engine.clock import Clock
from engine.errors import NoWayNow
from engine.ledger.chart import Kind, read_account
from engine.payments.settlement.batch import Batch
from engine.payments.settlement.batch_store import BatchStore, Rest, hash_of
from engine.payments.settlement.booking import Booking
from engine.payments.settlement.closing import Closing
from engine.payments.settlement.dispute_store import Dispute, DisputeStore
from engine.payments.settlement.errand_store import Errand, ErrandStore
from engine.payments.settlement.obligation_store import ObligationStore, Owed
from engine.payments.settlement.posting import Book
from engine.payments.settlement.rules import Corridor, Rules
from engine.payments.settlement.state import BatchState, DisputeStage
from engine.payments.settlement.windows import Waiting
from engine.ports import SettlementPort

log = logging.getLogger(__name__)

WAITS = "waiting"
"""The standing of what no window has closed yet; else it is a batch's state, in small letters."""
OUTSIDE = "outside"
"""Two operators whom no corridor of the settlement file squares."""


class PaymentStanding(msgspec.Struct, frozen=True):
    """One obligation of a payment. `minor` is of `currency`, below zero when it came back."""

    version: int
    source: str
    destination: str
    currency: str
    minor: int
    standing: str
    batch_id: str | None = None
    corridor: str | None = None
    leaf: int | None = None
    payment_count: int | None = None
    reason: str = ""
    transaction_hash: str | None = None
    rail_version: int | None = None
    rail_fee: int | None = None  # of the whole batch, in the rail's own smallest unit
    settled_at: int | None = None  # epoch seconds, by the rail's books
    # When each stage of its batch was reached, epoch milliseconds by our clock.
    closed_ms: int | None = None
    approved_ms: int | None = None
    submitted_ms: int | None = None
    ended_ms: int | None = None


class CorridorStanding(msgspec.Struct, frozen=True):
    """One corridor. `lag_seconds`: how long the oldest that is not settled has waited."""

    corridor: str
    payments: int
    exposure_minor: int | None  # of the asset; None while its rates are stale
    oldest_ms: int
    lag_seconds: int
    unfinished: tuple[Batch, ...]
    rest: Rest


class OperatorBalance(msgspec.Struct, frozen=True):
    """Minor units of the asset in an operator's pools, by our books and by the rail's.

    While something is on its way the rail may hold anything from `least_minor` to `most_minor`.
    """

    operator: str
    books_minor: int
    rail_minor: int
    least_minor: int
    most_minor: int

    @property
    def drift_minor(self) -> int:
        """What nothing explains; zero when they agree."""
        if self.rail_minor > self.most_minor:
            return self.rail_minor - self.most_minor
        return min(self.rail_minor - self.least_minor, 0)


class _Moment(NamedTuple):
    books: Mapping[str, int]
    batches: tuple[Batch, ...]
    disputes: tuple[Dispute, ...]


class Standings:
    """Reads only. Everything may be repeated."""

    def __init__(
        self,
        obligations: ObligationStore,
        batches: BatchStore,
        errands: ErrandStore,
        disputes: DisputeStore,
        closing: Closing,
        booking: Booking,
        rail: SettlementPort,
        rules: Rules,
        book: Book,
        operators: Mapping[str, int],
        clock: Clock,
    ) -> None:
        """`operators` maps names to the codes in account numbers."""
        self._obligations = obligations
        self._batches = batches
        self._errands = errands
        self._disputes = disputes
        self._closing = closing
        self._booking = booking
        self._rail = rail
        self._rules = rules
        self._book = book
        self._operators = dict(operators)
        self._clock = clock

    async def of_payment(self, payment: str) -> list[PaymentStanding]:
        """Each of its obligations (payment: 32 hex digits), the newest first; empty: owes nothing.

        Asks our own database only.
        """
        return [
            await self._of_obligation(owed, batch_id, leaf)
            for owed, batch_id, leaf in await self._obligations.of_payment(payment)
        ]

    async def of_corridors(self) -> list[CorridorStanding]:
        """Every corridor of the settlement file. Asks our own database only."""
        unfinished = await self._batches.unfinished()
        return [await self._of_corridor(c, unfinished) for c in self._rules.corridors]

    async def balances(self) -> list[OperatorBalance]:
        """Every operator's. Raises what the rail raises.

        The books are read before and after the rail, and whatever was on its way at either time
        may have arrived or not: so a difference that is found is one.
        """
        before = await self._moment()
        rail = dict.fromkeys(self._members(), 0)
        for corridor in self._rules.corridors:
            for name, pool in zip(
                corridor.members, await self._rail.pools(corridor.name), strict=True
            ):
                rail[name] += pool.total_minor
        after = await self._moment()
        return [self._balance(name, rail[name], before, after) for name in self._members()]

    async def check(self) -> list[OperatorBalance]:
        """Those that drift. Each drift opens a case, once a day. Raises what the rail raises."""
        drifting = [balance for balance in await self.balances() if balance.drift_minor]
        for balance in drifting:
            detail = (
                f"{balance.operator}: the rail holds {balance.drift_minor:+d} minor units of"
                f" {self._rules.asset.code} that the books do not explain"
            )
            subject = hash_of(f"pools of {balance.operator}")
            if await self._batches.open_case_of_day(subject, detail, detail, self._now_ms()):
                log.error("case SETTLEMENT: %s", detail)
        return drifting

    async def _of_obligation(
        self, owed: Owed, batch_id: str | None, leaf: int | None
    ) -> PaymentStanding:
        corridor = self._rules.corridor_of(owed.source, owed.destination)
        standing = PaymentStanding(
            owed.version, owed.source, owed.destination, read_account(owed.account).currency,
            owed.minor, OUTSIDE,
        )  # fmt: skip
        if corridor is not None:
            standing = msgspec.structs.replace(standing, standing=WAITS, corridor=corridor.name)
        batch = await self._batches.get(batch_id) if batch_id is not None else None
        if batch is None:
            return standing
        errand = await self._errands.get(batch.id)
        return msgspec.structs.replace(
            standing, standing=batch.state.name.lower(), batch_id=batch.id,
            corridor=batch.corridor, leaf=leaf, payment_count=batch.payment_count,
            reason=batch.reason, settled_at=batch.settled_at, closed_ms=batch.closed_ms,
            approved_ms=await self._batches.approved_ms(batch),
            submitted_ms=await self._errands.first_made_ms(batch.id), ended_ms=batch.ended_ms,
            **_of_errand(errand),
        )  # fmt: skip

    async def _of_corridor(
        self, corridor: Corridor, unfinished: Iterable[Batch]
    ) -> CorridorStanding:
        batches = tuple(b for b in unfinished if b.corridor == corridor.name)
        try:
            waiting: Waiting | None = await self._closing.waiting(corridor)
        except NoWayNow:
            waiting = None
        summed = await self._obligations.waiting(corridor.members) if waiting is None else []
        payments = waiting.payments if waiting else sum(s.payments for s in summed)
        oldest = waiting.oldest_ms if waiting else min((s.oldest_ms for s in summed), default=0)
        since = [b.closed_ms for b in batches] + ([oldest] if payments else [])
        lag_ms = self._now_ms() - min(since) if since else 0
        return CorridorStanding(
            corridor.name, payments, waiting.exposure_minor if waiting else None, oldest,
            max(lag_ms, 0) // 1000, batches, await self._batches.rest_of(corridor.name),
        )  # fmt: skip

    async def _moment(self) -> _Moment:
        books = {}
        for name in self._members():
            account = self._book.number(Kind.CHAIN_TREASURY, self._operators[name])
            books[name] = -await self._booking.minor_in(account)
        sent = (BatchState.APPROVED, BatchState.SUBMITTED, BatchState.PARKED)
        batches = [b for b in await self._batches.unfinished() if b.state in sent]
        disputes = [d for d in await self._disputes.unfinished() if d.stage is DisputeStage.RULED]
        return _Moment(books, tuple(batches), tuple(disputes))

    def _balance(
        self, name: str, rail_minor: int, before: _Moment, after: _Moment
    ) -> OperatorBalance:
        on_their_way = {b.id: b for b in (*before.batches, *after.batches)}.values()
        disputes = {d.id: d for d in (*before.disputes, *after.disputes)}.values()
        out = sum(self._share(name, b.corridor, b.debits) for b in on_their_way)
        in_ = sum(self._share(name, b.corridor, b.credits) for b in on_their_way)
        out += sum(d.refund_minor for d in disputes if self._is(name, d.corridor, d.against))
        in_ += sum(d.refund_minor for d in disputes if self._is(name, d.corridor, d.member))
        books = before.books[name], after.books[name]
        return OperatorBalance(name, books[1], rail_minor, min(books) - out, max(books) + in_)

    def _share(self, name: str, corridor_name: str, minors: tuple[int, ...]) -> int:
        corridor = self._rules.corridor(corridor_name)
        if corridor is None or name not in corridor.members:
            return 0
        return minors[corridor.members.index(name)]

    def _is(self, name: str, corridor_name: str, place: int) -> bool:
        corridor = self._rules.corridor(corridor_name)
        return corridor is not None and corridor.members[place] == name

    def _members(self) -> list[str]:
        return sorted({name for corridor in self._rules.corridors for name in corridor.members})

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _of_errand(errand: Errand | None) -> dict[str, object]:
    if errand is None or errand.hash is None:
        return {}
    return {
        "transaction_hash": errand.hash.hex(),
        "rail_version": errand.version,
        "rail_fee": errand.fee,
    }

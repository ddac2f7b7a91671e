"""What clients keep with us in the model: prices they were promised, liquidity they set aside.

From the contracts of `QuoteStore`, `ReservationStore` and `ClientPayments`. Each method is one
transaction; how a reservation stands is read from its payment's row, what is left from its account.
"""

from typing import Any

from engine.clients.quote_store import Kept
from engine.fx.quotes import Quote
from engine.ledger.chart import GUARDED, Account, Kind, read_account
from engine.ledger.entries import Manual
from engine.money import Money
from engine.payments.client_store import ClientPayments, Known, payment_key
from engine.payments.facts import read_terms
from engine.payments.reservation_store import NotReserved, Reservation, ReservationStore
from tests.simulation.model import Model, QuoteRow, ReservationRow
from tests.simulation.surfaces import ModelStore
from tests.simulation.wire import Wire

TENANT = 1


class ModelQuotes:
    """The surface of `QuoteStore`."""

    def __init__(self, model: Model, wire: Wire) -> None:
        self._model = model
        self._wire = wire

    async def known(self, client_id: str, key: str, hash_: bytes) -> Kept | None:
        return await self._wire.ask(lambda: self._known(client_id, key, hash_))

    async def keep(self, client_id: str, key: str, hash_: bytes, quote: Quote) -> Kept:
        def put() -> Kept:
            if (known := self._known(client_id, key, hash_)) is not None:
                return known
            self._model.quotes[quote.quote_id] = QuoteRow(client_id, key, hash_, quote)
            return Kept(quote, is_same=True, is_fresh=True)

        return await self._wire.ask(put)

    async def find(self, client_id: str, quote_id: str) -> Quote | None:
        def read() -> Quote | None:
            row = self._model.quotes.get(quote_id)
            return row.quote if row is not None and row.client == client_id else None

        return await self._wire.ask(read)

    async def take(self, client_id: str, quote_id: str, payment_key: str) -> Quote | None:
        def take() -> Quote | None:
            row = self._model.quotes.get(quote_id)
            if row is None or row.client != client_id or row.taken_by not in (None, payment_key):
                return None
            row.taken_by = payment_key
            return row.quote

        return await self._wire.ask(take)

    def _known(self, client_id: str, key: str, hash_: bytes) -> Kept | None:
        for row in self._model.quotes.values():
            if (row.client, row.key) == (client_id, key):
                return Kept(row.quote, row.hash == hash_, is_fresh=False)
        return None


class ModelClientPayments(ClientPayments):
    """What stands under clients' keys. Lists and statuses are not simulated."""

    def __init__(self, model: Model, wire: Wire, store: ModelStore) -> None:
        self._tenant = TENANT
        self._store = store
        self._model = model
        self._wire = wire

    async def by_key(self, client: str, key: str) -> Known | None:
        def read() -> Known | None:
            found = self._model.keys.get((TENANT, payment_key(client, key)))
            if found is None:
                return None
            terms = read_terms(str(self._model.journal[found[0]][0].facts))
            return Known(found[0], found[1], terms)  # type: ignore[arg-type] # ids are words here

        return await self._wire.ask(read)


class ModelReservations(ReservationStore):
    """The reservations of the model, over a process's wire."""

    def __init__(self, model: Model, wire: Wire) -> None:
        self._model = model
        self._wire = wire

    async def ask(
        self, asked: Reservation, *, percent_max: int, open_most: int
    ) -> NotReserved | None:
        return await self._wire.ask(lambda: self._put(asked, percent_max, open_most))

    async def one(self, reservation_id: str) -> Reservation | None:
        return await self._wire.ask(lambda: self.stands(reservation_id))

    async def over(self, now_ms: int, most: int) -> list[Reservation]:
        def read() -> list[Any]:
            rows = self._model.reservations
            over = [id_ for id_, r in rows.items() if not r.is_ended and r.expires_ms <= now_ms]
            over.sort(key=lambda id_: rows[id_].expires_ms)
            return [self.stands(id_) for id_ in over[:most]]

        return await self._wire.ask(read)

    async def mark_ended(self, reservation_id: str, now_ms: int) -> None:
        def mark() -> None:
            self._model.reservations[reservation_id].is_ended = True

        await self._wire.ask(mark)

    def stands(self, reservation_id: str) -> Reservation | None:
        """As it is this moment."""
        row = self._model.reservations.get(reservation_id)
        if row is None:
            return None
        booked = self._model.payments.get(reservation_id)
        currency = read_account(row.account).currency
        return Reservation(
            reservation_id, row.client, row.account, Money(row.minor, currency), row.made_ms,
            row.expires_ms, Manual(booked.state) if booked is not None else None,
            Money(self._model.balances[row.account], currency),
        )  # fmt: skip

    def _put(self, asked: Reservation, percent_max: int, open_most: int) -> NotReserved | None:
        model, currency = self._model, asked.amount.currency
        if asked.id in model.reservations:
            return None
        first = Account(TENANT, currency, Kind.POOL_RESERVED).number
        free = model.balances.get(Account(TENANT, currency, Kind.POOL_AVAIL).number, 0)
        alike = [r for r in model.reservations.values() if r.account >> 32 == first >> 32]
        running = [row for row in alike if not row.is_ended]
        own = [row for row in running if row.client == asked.client]
        if len(own) >= open_most:
            return NotReserved.MANY
        share = (free + sum(model.balances[r.account] for r in running)) * percent_max // 100
        if sum(row.minor for row in own) + asked.amount.minor > share:
            return NotReserved.SHARE
        account = max((row.account for row in alike), default=first) + 1
        model.reservations[asked.id] = ReservationRow(
            asked.client, account, asked.amount.minor, asked.made_ms, asked.expires_ms
        )
        model.open(account, guarded=Kind.POOL_RESERVED in GUARDED)
        return None

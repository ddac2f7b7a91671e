"""Liquidity that clients set aside for payments to come: reserved, drawn on, released or expired.

Each reservation has an account of its own that never falls below zero, so the commit itself is the
judge of what is left of it. It knows clients by their ids and nothing of how they ask.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from engine.clock import Clock
from engine.errors import OurFault
from engine.ledger.committer import Committer
from engine.ledger.entries import Manual
from engine.ledger.plans import CREATE, NIL, Plan, Verdict, Verdicted
from engine.ledger.pool_postings import release_for_client, reserve_for_client
from engine.money import Money
from engine.outages import one_by_one
from engine.payments.reservation_store import NotReserved, Reservation, ReservationStore

TRIES_MAX: Final = 50
"""How often an end is planned anew when payments drew on the reservation meanwhile."""
OPEN_MOST: Final = 100
"""Of one client and currency: whoever reserves adds up all that are open."""


class ReservationRules(NamedTuple):
    """How long a reservation may stand, and how much of a pool is one client's, in percent."""

    minutes_max: int
    percent_max: int


class Undrawable(StrEnum):
    """Why a payment cannot draw on a reservation."""

    NOT_THEIRS = "not_found"
    OVER = "reservation_over"  # released, or its time is over
    CURRENCY = "reservation_currency"  # the payee receives another one


class Reservations:
    """The reservations of one tenant's clients. Every method may be repeated."""

    def __init__(
        self,
        *,
        tenant: int,
        store: ReservationStore,
        committer: Committer,
        clock: Clock,
        rules: ReservationRules,
    ) -> None:
        self._tenant = tenant
        self._store = store
        self._committer = committer
        self._clock = clock
        self._rules = rules

    async def reserve(
        self, *, reservation_id: str, client: str, amount: Money, minutes: int
    ) -> Reservation | NotReserved:
        """Take an amount out of its currency's pool for this client alone.

        It stands for `minutes`, at most as many as the rules say. Once per id, 32 hex digits: the
        same again is the same reservation as it stands. An id that was refused is refused for ever.
        Raises what the pool raises, and OurFault.
        """
        now_ms = self._now_ms()
        lasts_ms = min(minutes, self._rules.minutes_max) * 60_000
        asked = Reservation(
            reservation_id, client, 0, amount, now_ms, now_ms + lasts_ms, None, amount
        )
        denied = await self._store.ask(
            asked, percent_max=self._rules.percent_max, open_most=OPEN_MOST
        )
        if denied is not None:
            return denied
        found = await self._must(reservation_id)
        if found.state is None and now_ms < found.expires_ms:
            await self._book(found)
        found = await self._must(reservation_id)
        if found.state is None:
            found = await self._end(found, Manual.RESERVATION_EXPIRED)
        if found.state is Manual.RESERVATION_REFUSED:
            await self._store.mark_ended(reservation_id, now_ms)
            return NotReserved.POOL
        return found

    async def find(self, client: str, reservation_id: str) -> Reservation | None:
        """A client's own reservation as it stands; None for every other id, and one refused."""
        found = await self._store.one(reservation_id)
        if found is None or found.client != client:
            return None
        return None if found.state in (None, Manual.RESERVATION_REFUSED) else found

    async def to_draw_on(
        self, client: str, reservation_id: str, currency: str
    ) -> Reservation | Undrawable:
        """A reservation that a payment paid out in `currency` may draw on at this moment.

        Whether enough is left the commit alone decides.
        """
        found = await self.find(client, reservation_id)
        if found is None:
            return Undrawable.NOT_THEIRS
        if not found.is_open or self._now_ms() >= found.expires_ms:
            return Undrawable.OVER
        return found if found.amount.currency == currency else Undrawable.CURRENCY

    async def release(self, client: str, reservation_id: str) -> Reservation | None:
        """Give back what is left; payments that drew on it go on. None as in `find`.

        What has ended before stays as it ended.
        """
        found = await self.find(client, reservation_id)
        return found and await self._end(found, Manual.RESERVATION_RELEASED)

    async def sweep(self, most: int) -> int:
        """End those whose time is over; how many were ended. What keeps one from it keeps up no
        other."""
        over = await self._store.over(self._now_ms(), most)
        return await one_by_one(over, self._expire, named=lambda r: f"reservation {r.id}")

    async def _book(self, asked: Reservation) -> None:
        transfers = reserve_for_client(asked.account, asked.amount.minor)
        plan = Plan(
            asked.id, CREATE, self._tenant, Manual.LIQUIDITY_RESERVED, key=_key(asked.id),
            hash=asked.id, transfers=transfers,
        )  # fmt: skip
        answer = await self._create(plan)
        match answer.verdict:
            case Verdict.APPLIED | Verdict.DUPLICATE | Verdict.CONFLICT:
                return  # conflict: it was refused meanwhile
            case Verdict.INSUFFICIENT:
                await self._refuse(asked)
            case verdict:
                raise OurFault(f"a reservation was refused: {verdict.name} {answer.error or ''}")

    async def _end(self, reservation: Reservation, state: Manual) -> Reservation:
        """Whatever it comes to, by us or by somebody faster: ended, and nothing left in it."""
        for _ in range(TRIES_MAX):
            if reservation.state is None:
                await self._refuse(reservation)
            elif reservation.is_open:
                await self._give_back(reservation, state)
            else:
                await self._store.mark_ended(reservation.id, self._now_ms())
                return reservation
            reservation = await self._must(reservation.id)
        raise OurFault(f"reservation {reservation.id} was drawn on {TRIES_MAX} times meanwhile")

    async def _expire(self, over: Reservation) -> None:
        await self._end(over, Manual.RESERVATION_EXPIRED)

    async def _refuse(self, asked: Reservation) -> None:
        """Take its key, so that nobody who is late can book it any more. Nothing moves.

        Where it was booked after all that stands: whoever asks reads how it is.
        """
        plan = Plan(
            asked.id, CREATE, self._tenant, Manual.RESERVATION_REFUSED, key=_key(asked.id), hash=NIL
        )
        answer = await self._create(plan)
        if answer.verdict not in (Verdict.APPLIED, Verdict.DUPLICATE, Verdict.CONFLICT):
            raise OurFault(f"a reservation was not refused: {answer.verdict.name}")

    async def _create(self, plan: Plan) -> Verdicted:
        """A creation is stale only when an earlier plan of its batch with its key was refused."""
        for _ in range(TRIES_MAX):
            answer = await self._committer.submit_until_known(plan)
            if answer.verdict is not Verdict.STALE:
                break
        return answer

    async def _give_back(self, reservation: Reservation, state: Manual) -> None:
        minor = reservation.left.minor
        transfers = release_for_client(reservation.account, minor) if minor else ()
        plan = Plan(reservation.id, 1, self._tenant, state, transfers=transfers)
        answer = await self._committer.submit_until_known(plan)
        # Short: a payment drew on it this moment, less is left. Stale: somebody ended it.
        if answer.verdict not in (Verdict.APPLIED, Verdict.INSUFFICIENT, Verdict.STALE):
            raise OurFault(f"a reservation cannot be ended: {answer.verdict.name}")

    async def _must(self, reservation_id: str) -> Reservation:
        found = await self._store.one(reservation_id)
        assert found is not None, "reservations are never deleted"
        return found

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _key(reservation_id: str) -> str:
    return f"reservation:{reservation_id}"

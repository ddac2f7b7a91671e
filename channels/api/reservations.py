"""Liquidity that a client sets aside for its own payments to come, and gives back.

`POST /payments/send` draws on one; what has not been drawn comes back by itself when time is over.
"""

from typing import Annotated

import msgspec

from channels.api.endpoints import Call, Nothing
from channels.api.pace import ClientsPace
from channels.api.problems import Code, Refusal
from channels.api.transaction_shown import Amount
from channels.api.wire import AmountAsked, Id, read_amount, show
from channels.times import iso_millis_of
from engine.clients.clients import ClientId, KeyHolder
from engine.ledger.entries import Manual
from engine.payments.reservation_store import NotReserved, Reservation
from engine.payments.reservations import OPEN_MOST, Reservations, Undrawable

MINUTES_MAX = 10_080

_STATES = {
    Manual.LIQUIDITY_RESERVED: "open",
    Manual.RESERVATION_RELEASED: "released",
    Manual.RESERVATION_EXPIRED: "expired",
}


class ReservationPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reservation's id."""

    reservation: Id


class ReservationAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of the currency that payees receive, and for how long.

    It stands at most as long as this installation lets one stand: see `expires_at`.
    """

    amount: AmountAsked
    minutes: Annotated[int, msgspec.Meta(ge=1, le=MINUTES_MAX)] = 60


class ReservationShown(msgspec.Struct, frozen=True):
    """A reservation as it stands. `state` is "open", "released" or "expired".

    `left` is what payments may still draw; each draws what its payee receives and the most that its
    payout may cost.
    """

    id: str
    state: str
    amount: Amount
    left: Amount
    made_at: str
    expires_at: str


class ClientReservations:
    """The handlers."""

    def __init__(self, reservations: Reservations, percent_max: int, pace: ClientsPace) -> None:
        """`percent_max`: how much of a pool is one client's, to tell who asks for more."""
        self._reservations = reservations
        self._pace = pace
        self._details = {
            NotReserved.MANY: f"you have {OPEN_MOST} open ones of this currency: release one",
            NotReserved.SHARE: f"your open reservations and this would be more than {percent_max} %"
            " of what the pool has free or set aside",
            NotReserved.POOL: "the pool has not so much free: see its `available`",
        }

    async def reserve(
        self, call: Call[KeyHolder, Nothing, Nothing, ReservationAsked]
    ) -> ReservationShown:
        """Set an amount of a currency's pool aside. A repeat is the same reservation.

        Raises Refusal NOT_NOW with the reason: the client's share, or the pool, is not enough, or
        too many are open or were made in a day.
        """
        client, reservation_id = call.caller.client_id, call.operation
        if await self._reservations.find(client, reservation_id) is None:
            await self._pace.take(client)
        found = await self._reservations.reserve(
            reservation_id=reservation_id, client=client,
            amount=read_amount(call.body.amount), minutes=call.body.minutes,
        )  # fmt: skip
        if isinstance(found, NotReserved):
            raise Refusal(Code.NOT_NOW, self._details[found], reason=found.value)
        return _shown(found)

    async def look(
        self, call: Call[KeyHolder, ReservationPath, Nothing, Nothing]
    ) -> ReservationShown:
        """The client's own, also when it is over. Raises Refusal NOT_FOUND."""
        found = await self._reservations.find(call.caller.client_id, call.path.reservation)
        if found is None:
            raise Refusal(Code.NOT_FOUND)
        return _shown(found)

    async def release(
        self, call: Call[KeyHolder, ReservationPath, Nothing, Nothing]
    ) -> ReservationShown:
        """Give back what is left. What is over stays as it ended. Raises Refusal NOT_FOUND."""
        found = await self._reservations.release(call.caller.client_id, call.path.reservation)
        if found is None:
            raise Refusal(Code.NOT_FOUND)
        return _shown(found)


async def to_draw_on(
    reservations: Reservations, client_id: ClientId, reservation_id: str, currency: str
) -> Reservation:
    """What a payment's hold may be taken from. Raises Refusal NOT_FOUND or NOT_POSSIBLE."""
    found = await reservations.to_draw_on(client_id, reservation_id, currency)
    if isinstance(found, Reservation):
        return found
    if found is Undrawable.NOT_THEIRS:
        raise Refusal(Code.NOT_FOUND, "`reservation`: you have none of that id")
    raise Refusal(Code.NOT_POSSIBLE, reason=found.value)


def too_small() -> Refusal:
    """The commit found less in the reservation than the payment needs."""
    return Refusal(Code.NOT_POSSIBLE, reason="reservation_small")


def _shown(found: Reservation) -> ReservationShown:
    assert found.state is not None, "nobody is shown what is not booked"
    return ReservationShown(
        found.id, _STATES[found.state], show(found.amount), show(found.left),
        iso_millis_of(found.made_ms), iso_millis_of(found.expires_ms),
    )  # fmt: skip

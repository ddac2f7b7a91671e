"""How often the API may be asked: by an address, by a caller, and by who cannot be proven; and how
often a client may have one payer asked for money, or liquidity set aside.

Whoever shows many tokens that are none is not listened to for a while, whatever they show then: no
token can be found by trying.
"""

from collections.abc import Mapping
from typing import Final

from channels.api.problems import Code, Refusal
from channels.settings import ApiPaces
from channels.sources import counted_as
from channels.web.limits import Admitted, Asked, Limit, Limits
from engine.clients.clients import ClientId

MINUTE: Final = 60
UNPROVEN_SECONDS: Final = 300
PAYER_SECONDS: Final = 600
DAY: Final = 24 * 3600
RESERVATIONS_MOST: Final = 1000
"""That one client may ask for in a day."""


class Pace:
    """The limits of one API."""

    def __init__(self, limits: Limits, *, address: Limit, unproven: Limit) -> None:
        """Of an address: how often it may come, and how often without showing who asks.

        All of one network of IPv6 are one address here (`sources.counted_as`).
        """
        self._limits = limits
        self._address = address
        self._unproven = unproven

    async def knock(self, address: str) -> None:
        """Somebody comes, nobody knows yet who. Raises Refusal TOO_MANY."""
        for admitted in await self._limits.admit_all(*self._at_the_door(address)):
            _let_in(admitted)

    async def not_proven(self, address: str) -> None:
        """They could not show who they are."""
        await self._limits.admit({self._unproven: counted_as(address)})

    async def seen(self, address: str, callers: Mapping[Limit, str]) -> dict[str, str]:
        """`knock` and `proven` at once, of somebody who was proven a moment ago: one round trip."""
        at_the_door = self._at_the_door(address)
        *door, own = await self._limits.admit_all(*at_the_door, (callers, 1))
        for admitted in (*door, own):
            _let_in(admitted)
        return own.headers()

    def _at_the_door(self, address: str) -> tuple[Asked, Asked]:
        """They come, which counts; whether they tried too many tokens is only asked."""
        who = counted_as(address)
        return ({self._address: who}, 1), ({self._unproven: who}, 0)

    async def proven(self, callers: Mapping[Limit, str]) -> dict[str, str]:
        """Somebody asks: what stands in the answer's headers. Raises Refusal TOO_MANY."""
        admitted = await self._limits.admit(callers)
        _let_in(admitted)
        return admitted.headers()

    async def heavier(self, callers: Mapping[Limit, str], weight: int) -> dict[str, str]:
        """The same request counts as so many: the rest of them. Raises Refusal TOO_MANY."""
        admitted = await self._limits.admit(callers, cost=weight - 1)
        _let_in(admitted)
        return admitted.headers()


class ClientsPace:
    """How often a client may have something done, each time counted also if it is refused then."""

    def __init__(self, limits: Limits, limit: Limit, detail: str) -> None:
        """`limit` is named as the reason of a refusal; `detail` says it to people."""
        self._limits = limits
        self._limit = limit
        self._detail = detail

    async def take(self, client_id: ClientId, about: str = "") -> None:
        """Once more, about that. Raises Refusal NOT_NOW for one too many."""
        admitted = await self._limits.admit({self._limit: f"{client_id} {about}"})
        if not admitted.is_in:
            seconds = admitted.retry_after_seconds
            reason = self._limit.name
            raise Refusal(Code.NOT_NOW, self._detail, reason=reason, retry_after=seconds)


def pace_of_payers(limits: Limits, most: int) -> ClientsPace:
    """`most` payments of one client and one payer in ten minutes: each is a prompt of the payer's
    operator and an SMS of ours to them, whatever becomes of it.
    """
    limit = Limit("payer_asked", most, PAYER_SECONDS)
    return ClientsPace(limits, limit, "`payer`: you have them asked very often")


def pace_of_reservations(limits: Limits) -> ClientsPace:
    """Each takes a number for ever, and of those a currency has 16 million."""
    limit = Limit("reservations_day", RESERVATIONS_MOST, DAY)
    return ClientsPace(limits, limit, f"you have asked for {RESERVATIONS_MOST} in a day")


def pace_of_staff(limits: Limits, paces: ApiPaces) -> Pace:
    """How often addresses may come to the API for staff."""
    return Pace(
        limits,
        address=Limit("address", paces.address_per_minute, MINUTE),
        unproven=_unproven(paces),
    )


def pace_of_clients(limits: Limits, paces: ApiPaces) -> Pace:
    """Likewise to the API for clients, whose servers come more often than people do."""
    return Pace(
        limits,
        address=Limit("client-address", paces.client_address_per_minute, MINUTE),
        unproven=_unproven(paces),
    )


def _unproven(paces: ApiPaces) -> Limit:
    """One for both: who tries tokens at one door is not listened to at the other."""
    return Limit("unproven", paces.unproven_per_5_minutes, UNPROVEN_SECONDS)


def _let_in(admitted: Admitted) -> None:
    if not admitted.is_in:
        raise Refusal(
            Code.TOO_MANY, retry_after=admitted.retry_after_seconds, headers=admitted.headers()
        )

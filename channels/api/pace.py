"""How often the API may be asked: by an address, by a member of staff, and by who cannot be proven.

Whoever shows many tokens that are none is not listened to for a while, whatever they show then: no
token can be found by trying.
"""

import asyncio
from typing import Final

from channels.api.problems import Code, Refusal
from channels.limits import Admitted, Limit, Limits
from channels.settings import ApiPaces

MINUTE: Final = 60
UNPROVEN_SECONDS: Final = 300


class Pace:
    """The limits of one API."""

    def __init__(self, limits: Limits, paces: ApiPaces) -> None:
        self._limits = limits
        self._address = Limit("address", paces.address_per_minute, MINUTE)
        self._member = Limit("member", paces.member_per_minute, MINUTE)
        self._unproven = Limit("unproven", paces.unproven_per_5_minutes, UNPROVEN_SECONDS)

    async def knock(self, address: str) -> None:
        """Somebody comes, nobody knows yet who. Raises Refusal TOO_MANY."""
        known, unproven = await asyncio.gather(  # one round trip
            self._limits.admit({self._address: address}),
            self._limits.admit({self._unproven: address}, cost=0),
        )
        _let_in(known)
        _let_in(unproven)

    async def not_proven(self, address: str) -> None:
        """They could not show who they are."""
        await self._limits.admit({self._unproven: address})

    async def proven(self, member_id: str) -> dict[str, str]:
        """A member asks: what stands in the answer's headers. Raises Refusal TOO_MANY."""
        admitted = await self._limits.admit({self._member: member_id})
        _let_in(admitted)
        return admitted.headers()


def _let_in(admitted: Admitted) -> None:
    if not admitted.is_in:
        raise Refusal(
            Code.TOO_MANY, retry_after=admitted.retry_after_seconds, headers=admitted.headers()
        )

"""Whose wallet a payee's number is: everybody who may know is asked, and one is believed.

A hint that does not come, or not in time, is no hint and never an error: then others are believed
(`portability.py`). It refuses to know payments and what they cost; a number is never logged.
"""

import logging
import time
from collections.abc import Callable

from engine.enquiries import Enquiries, KeptAnswers
from engine.msisdn import Msisdn, country_of
from engine.outages import AWAY
from engine.payments.portability import Hints, Wallet, decide
from engine.payments.portability_store import PortabilityStore, Seen
from engine.payments.routing import Directory
from engine.ports import PortabilityPort
from engine.tasks import beside

log = logging.getLogger(__name__)

LOOK_UP_SECONDS = 0.8
"""Nobody waits longer for a look-up: a customer sits before a screen, and others know as well."""
KEPT_SECONDS = 600.0
"""So long is an answer good: from the number over the price to another price of one dialogue."""
KEPT_MAX = 10_000


class LookUp:
    """Asks a look-up service within a deadline of its own, each number once in a while."""

    def __init__(
        self,
        port: PortabilityPort,
        *,
        seconds: float = LOOK_UP_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds` is how long one question may take; `monotonic` the clock it is measured by."""
        self._port = port
        self._seconds = seconds
        self._kept: KeptAnswers[Msisdn, str | None] = KeptAnswers(KEPT_SECONDS, KEPT_MAX, monotonic)
        self._enquiries: Enquiries[str | None] = Enquiries("operator of a number", monotonic)

    async def operator_of(self, msisdn: Msisdn) -> str | None:
        """What the service says; None when it says nothing in time. Raises nothing."""
        if (kept := self._kept.of(msisdn)) is not None:
            return kept.answer
        name = self._port.name
        if self._enquiries.rests(name):
            return None
        told = await self._enquiries.ask(name, self._port.operator_of(msisdn), self._seconds)
        if told is None:
            return None
        self._kept.keep(msisdn, told)
        return told.answer

    async def aclose(self) -> None:
        """Wait for questions that were answered too late, then close the service."""
        await self._enquiries.aclose()
        await self._port.aclose()


class Wallets:
    """Whose wallets numbers are, for one tenant. Asking changes nothing."""

    def __init__(
        self,
        directory: Directory,
        store: PortabilityStore | None = None,
        look_up: LookUp | None = None,
    ) -> None:
        """Without a `store` and a `look_up` there is only the prefix."""
        self._directory = directory
        self._store = store
        self._look_up = look_up

    async def of(self, payee: Msisdn, chosen: str | None = None) -> Wallet:
        """The wallet to pay into; `chosen` is what the payer said on this journey.

        With a choice nobody else is asked. Raises nothing but a cancellation.
        """
        prefix = self._directory.payee_operator(payee)
        if chosen is not None:
            return decide(Hints(prefix=prefix, chosen=chosen))
        seen, looked_up = await self._heard(payee)
        dialled = self._at_home(payee, self._directory.network_operator(seen.network))
        return decide(
            Hints(
                prefix=prefix,
                looked_up=self._at_home(payee, looked_up),
                dialled=dialled,
                dialled_since_ms=seen.network_since_ms if dialled else 0,
                put_down=self._at_home(payee, seen.put_down),
                put_down_ms=seen.put_down_ms if seen.put_down else 0,
            )
        )

    async def _seen(self, payee: Msisdn) -> Seen:
        if self._store is None:
            return Seen()
        try:
            return await self._store.seen(payee)
        except AWAY as error:
            log.warning("a wallet is told by less than we know: %s", error)
            return Seen()

    async def _heard(self, payee: Msisdn) -> tuple[Seen, str | None]:
        if self._look_up is None:
            return await self._seen(payee), None
        async with beside(self._look_up.operator_of(payee)) as looking_up:
            return await self._seen(payee), await looking_up

    def _at_home(self, payee: Msisdn, operator: str | None) -> str | None:
        """Numbers are ported within a country; who dials from another one is a traveller.

        What nobody here has a word for cannot be told to a customer either.
        """
        if operator is None or self._directory.country_of(operator) != country_of(payee):
            return None
        return operator

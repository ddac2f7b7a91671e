"""The API for clients in a process of a simulated world: its own handlers, without HTTP.

Each answers in time, as it is served; whatever takes longer is cancelled where it stands.
"""

import hashlib
from collections.abc import Awaitable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from channels.api.endpoints import Again, Call, Nothing
from channels.api.in_time import in_time
from channels.api.payment_shown import PaymentMade
from channels.api.payments import PaymentAsked, Payments
from channels.api.quotes import PriceAsked, Quotes, QuoteShown
from channels.api.reservations import (
    ClientReservations,
    ReservationAsked,
    ReservationPath,
    ReservationShown,
)
from engine.clients.clients import ClientId, KeyHolder, KeyId, Scope
from engine.customers.customers import Customer
from engine.ledger.committer import Committer
from engine.msisdn import Msisdn
from engine.payments.reservations import ReservationRules, Reservations
from tests.simulation.client_table import ModelClientPayments, ModelQuotes, ModelReservations
from tests.simulation.people import PEOPLE

if TYPE_CHECKING:
    from tests.simulation.machine import Machine

T = TypeVar("T", bound=msgspec.Struct)

ANSWER_SECONDS = 30.0
RULES = ReservationRules(minutes_max=120, percent_max=50)
CUSTOMERS = {
    person.customer.msisdn: msgspec.structs.replace(person.customer, network=person.network)
    for person in PEOPLE
}


class Late(Exception):
    """It took too long, and nobody can say yet whether it was done."""


class NobodyComesTooOften:
    """The surface of `ClientsPace`."""

    async def take(self, client: str, subject: str = "") -> None:
        """As often as they like."""


class ClientDoor:
    """The handlers of one process."""

    def __init__(self, machine: "Machine", committer: Committer) -> None:
        world, wire = machine.world, machine.wire
        self._machine = machine
        self.reservations = Reservations(
            tenant=1, store=ModelReservations(world.model, wire), committer=committer,
            clock=machine.clock, rules=RULES,
        )  # fmt: skip
        self._quotes = ModelQuotes(world.model, wire)

    @cached_property
    def _prices(self) -> Quotes:
        return Quotes(
            selling=self._machine.payments.selling, find=_customer,
            store=self._quotes,  # type: ignore[arg-type] # its surface
            reservations=self.reservations,
        )  # fmt: skip

    @cached_property
    def _payments(self) -> Payments:
        machine = self._machine
        world, nobody = machine.world, NobodyComesTooOften()
        return Payments(
            selling=machine.payments.selling, confirming=machine.payments.confirming,
            rulings=machine.rulings, find=_customer,
            quotes=self._quotes,  # type: ignore[arg-type] # its surface
            own=ModelClientPayments(world.model, machine.wire, machine.store),  # type: ignore[arg-type]
            reservations=self.reservations,
            pace=nobody,  # type: ignore[arg-type] # its surface
            desk=machine.desk,
        )  # fmt: skip

    @cached_property
    def _set_aside(self) -> ClientReservations:
        nobody = NobodyComesTooOften()
        return ClientReservations(self.reservations, RULES.percent_max, nobody)  # type: ignore[arg-type]

    async def price(self, client: str, key: str, asked: PriceAsked) -> QuoteShown:
        return await _answered(self._prices.make(call_of(client, key, asked)))

    async def send(self, client: str, key: str, asked: PaymentAsked) -> PaymentMade:
        return await _answered(self._payments.send(call_of(client, key, asked)))

    async def reserve(
        self, client: str, key: str, asked: ReservationAsked, operation: str
    ) -> ReservationShown:
        """`operation` is the id under which `engine/once.py` has the request taken up again."""
        call = call_of(client, key, asked, operation=operation)
        return await _answered(self._set_aside.reserve(call))

    async def release(self, client: str, key: str, reservation: str) -> ReservationShown:
        call = call_of(client, key, Nothing(), ReservationPath(reservation))
        return await _answered(self._set_aside.release(call))


def call_of(
    client: str, key: str, body: Any, path: Any = None, operation: str = ""
) -> Call[Any, Any, Any, Any]:
    """One request, as its handler sees it."""
    holder = KeyHolder(ClientId(client), "shop", frozenset(Scope), KeyId("0" * 32))
    said = hashlib.blake2b(msgspec.json.encode(body), digest_size=32).digest()
    return Call(
        holder, path or Nothing(), Nothing(), body, operation=operation, key=key, hash=said,
        hash_as_sent=said,
    )  # fmt: skip


async def _customer(msisdn: Msisdn) -> Customer | None:
    return CUSTOMERS.get(msisdn)


async def _answered(work: Awaitable[T | Again[T]]) -> T:
    """Raises Late, and what the handler raises."""

    async def say_so() -> None:
        """Whoever asked hears it by `Late`."""

    answer = await in_time(ANSWER_SECONDS, work, say_so)
    if answer is None:
        raise Late
    return answer.answer if isinstance(answer, Again) else answer

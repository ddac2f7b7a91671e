"""Asset that comes into an operator's pools from outside, or leaves them: booked as the rail shows.

Whether it was provided for shares, or made good what settlement drew, is the rail's affair.

Nobody's word moves the books here: what a final transaction provided is read from the rail, and a
transaction is booked once for an operator, however often it is told.
"""

from collections.abc import Mapping

from engine.clock import Ids
from engine.errors import StaffMistake
from engine.ledger.entries import Manual
from engine.payments.settlement import posting
from engine.payments.settlement.booking import Booking
from engine.payments.settlement.rules import Rules
from engine.ports import SettlementPort


class Capital:
    """Books provisions and withdrawals. Every method may be repeated."""

    def __init__(
        self,
        booking: Booking,
        rail: SettlementPort,
        rules: Rules,
        book: posting.Book,
        operators: Mapping[str, int],
        ids: Ids,
    ) -> None:
        """`operators` maps names to the codes in account numbers."""
        self._booking = booking
        self._rail = rail
        self._rules = rules
        self._book = book
        self._operators = dict(operators)
        self._ids = ids

    async def book(
        self, operator: str, transaction_hash: bytes, *, expected_minor: int | None = None
    ) -> int:
        """What that transaction put into an operator's pools; below zero: took out of them.

        Minor units of the asset. `expected_minor` is what somebody believes it is. Raises
        StaffMistake when the rail shows another amount, or none; and what the rail raises.
        """
        minor = await self.shown(operator, transaction_hash)
        if minor == 0:
            raise StaffMistake(f"the rail shows nothing of {operator} in {transaction_hash.hex()}")
        if expected_minor is not None and expected_minor != minor:
            raise StaffMistake(f"the rail shows {minor} minor units, not {expected_minor}")
        told = f"settlement capital:{operator}:{transaction_hash.hex()}"
        await self._booking.first(
            self._ids.hex(), Manual.CHAIN_PROVIDED if minor > 0 else Manual.CHAIN_WITHDRAWN,
            posting.provide(self._book, self._operators[operator], minor), key=told,
            facts=f'{{"operator":"{operator}","transaction":"{transaction_hash.hex()}"}}',
        )  # fmt: skip
        return minor

    async def shown(self, operator: str, transaction_hash: bytes) -> int:
        """The same, only looked at. Raises StaffMistake when the operator is in no corridor."""
        corridors = [c for c in self._rules.corridors if operator in c.members]
        if not corridors:
            raise StaffMistake(f"{operator} is a member of no corridor")
        total = 0
        for corridor in corridors:
            place = corridor.members.index(operator)
            for provision in await self._rail.provisions(corridor.name, transaction_hash):
                total += provision.amount_minor if provision.member == place else 0
        return total

"""What payments ask before they act: may this happen, and which way is open. A seam, no rules.

Limits, screening and risk answer from `engine/compliance`, breakers from `health.py`.
"""

from typing import Protocol

import msgspec

from engine.customers.customers import Customer
from engine.decisions import Decision
from engine.fx.quotes import Quote
from engine.ledger.plans import Spend
from engine.money import Money
from engine.payments.payment import Payment


class Clearance(msgspec.Struct, frozen=True):
    """A payment may be confirmed. The decision says whether it is held once it is collected."""

    decision: Decision | None = None
    spend: Spend | None = None  # what it counts, with the limits that bound it


HOLD = "hold"
"""The outcome of a decision after which money that was collected waits for people."""

WAIT = "wait"
"""The outcome of a decision after which it waits in the queue, until compliance can compare."""


class Policy(Protocol):
    """The questions. None of them moves anything, and each may be asked again."""

    def check_amount(self, payer: Customer, amount: Money) -> None:
        """What is known before a price is made. Raises CustomerMistake (one payment's limit)."""
        ...

    async def clear(
        self, payer: Customer, quote: Quote, told: str = "", *, expected: str = ""
    ) -> Clearance:
        """May it be confirmed? Raises CustomerMistake (a limit) or NoWayNow (refused).

        `told` is the payee's name where their operator told one for this price, `expected` where
        the client that asks did.
        """
        ...

    async def clear_again(self, payment: Payment) -> Decision | None:
        """Before any payout: a decision to hold, if lists or names have changed since the confirm,
        or a name has become known; one to wait, while there is nothing to compare with.

        A payment without a clearance in its terms is looked at whatever has changed.
        """
        ...

    def may_pay(self, operator: str) -> bool:
        """Whether payouts may begin there now; looked up in memory."""
        ...

    async def take_turn(self, operator: str, minor: int) -> bool:
        """Whether this one payout may try an operator that is not open for all: few may."""
        ...

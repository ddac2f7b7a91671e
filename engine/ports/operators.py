"""What is asked of an operator, who holds wallets. What only some can do is a port of its own."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from engine.clock import AttemptId
from engine.money import Money
from engine.ports.attempts import Accepted, Callback, Direction, Finding, Order


class CallbackTrust(StrEnum):
    """What an operator's own word about an attempt is worth when it comes by itself."""

    NONE = "none"  # it never calls back
    UNSIGNED = "unsigned"  # believed for its unguessable address; asked about above an amount
    SIGNED = "signed"  # proven to be the operator's own; asked about above an amount all the same


class OperatorFacts(msgspec.Struct, frozen=True):
    """What never changes while a process runs about one operator in one country.

    A maximum of 0 says that it cannot do that at all.
    """

    code: int  # part of account numbers and stored rows: never renumber
    name: str  # "mpesa_ke"
    country: str  # ISO 3166 alpha-2
    currency: str
    unit_minor: int  # amounts must be a multiple of this (M-PESA: whole shillings = 100)
    collect_minor_min: int
    collect_minor_max: int
    disburse_minor_min: int
    disburse_minor_max: int
    collect_repeat_is_safe: bool  # may the same reference be sent twice without a second effect?
    disburse_repeat_is_safe: bool
    refund_repeat_is_safe: bool  # of `refund`, however the operator carries it out
    confirm_callback_above_minor: int  # above this a callback, signed or not, is asked about first
    reaches: tuple[str, ...] = ()  # other operators' wallets it pays out to; its own always
    can_be_asked: bool = True  # False: it has no answer to how an attempt went; a statement has
    callback: CallbackTrust = CallbackTrust.UNSIGNED
    refund_is_payout: bool = False  # it cannot give a collection back: the payer is paid instead
    refund_by_receipt: bool = False
    """It gives a collection back by its own number of it, all of it or nothing: where that number
    is not known, or a part goes back, the payer is paid instead."""
    can_refund: bool = True  # False: what was collected goes back by people's hands only
    callback_tells_receipt: bool = False
    """A callback of a collection that succeeded always tells the operator's own number of it, in
    one spelling, and no two have the same: another number is another payment."""
    collects_by_link: bool = False  # no prompt comes to the phone: see `Accepted.pay_link`
    prompts_payer: bool = True
    """False: nobody at the operator asks the payer about a collection, who agreed beforehand to all
    of them. Then only our own PIN does, so none is ordered by whoever could not be asked for it."""
    orders_by: str = ""
    """How it is ordered to pay out and to give back, and from which account, where settings say so:
    a word of the adapter's own, see `WayPort`."""
    webhooks: tuple[str, ...] = ("operator",)
    """What the company is called in our addresses for its callbacks: the first stands in those it
    is given, it may come by any of them."""

    @property
    def can_collect(self) -> bool:
        return self.collect_minor_max > 0

    @property
    def can_disburse(self) -> bool:
        return self.disburse_minor_max > 0

    def pays_out(self, amount: Money) -> bool:
        """Whether a payout of so much is within its currency, its unit and its limits."""
        return (
            amount.currency == self.currency
            and amount.minor % self.unit_minor == 0
            and self.disburse_minor_min <= amount.minor <= self.disburse_minor_max
        )

    def gives_back(self, amount: Money, *, has_receipt: bool = True) -> bool:
        """Whether it returns so much of what it collected; if not, people do, or another operator.

        `has_receipt`: its own number of all of it is known. What limits payouts limits a refund
        only where that is one. What was collected is within the limits of collections, those of
        its day.
        """
        if not self.can_refund or amount.currency != self.currency:
            return False
        is_payout = self.refund_is_payout or (self.refund_by_receipt and not has_receipt)
        return not is_payout or self.pays_out(amount)

    def kept_way(self, direction: Direction) -> str:
        """What is kept of `orders_by` with an attempt that begins: a prompt that is never repeated
        needs none."""
        is_sent_once = direction is Direction.COLLECT and not self.collect_repeat_is_safe
        return "" if is_sent_once else self.orders_by

    def repeat_is_safe(self, direction: Direction) -> bool:
        """Whether the same order may be sent twice without a second effect."""
        if direction is Direction.COLLECT:
            return self.collect_repeat_is_safe
        is_payout = direction is Direction.DISBURSE
        return self.disburse_repeat_is_safe if is_payout else self.refund_repeat_is_safe


class OperatorPort(Protocol):
    """One operator in one country. Every method may be repeated with the same order.

    `collect`, `disburse` and `refund` return when the order was accepted and raise `Rejected`
    (definitely not done), `Throttled` or `Unreachable` (definitely not done, may be sent again)
    or `OutcomeUnknown`. They never send twice by themselves, save once after renewing a token
    that the operator refused.
    """

    facts: OperatorFacts

    async def collect(self, order: Order) -> Accepted: ...

    async def disburse(self, order: Order) -> Accepted: ...

    async def refund(self, order: Order) -> Accepted: ...

    async def query(self, order: Order) -> Finding:
        """Ask how an attempt went. ASKED when the operator answers later by callback.

        Raises `Throttled`, `Unreachable` or `OutcomeUnknown`: no evidence, ask again later. One
        that cannot be asked (`OperatorFacts.can_be_asked`) always raises `OutcomeUnknown`.
        """
        ...

    def read_callback(self, kind: str, body: bytes) -> Callback:
        """Translate an inbound callback. Raises `Unreadable` when it is not a documented body."""
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class SignedCallbackPort(Protocol):
    """An operator whose callbacks are proven by their headers. Ask `isinstance`; then only this."""

    def read_signed_callback(self, kind: str, body: bytes, headers: Mapping[str, str]) -> Callback:
        """As `read_callback`; names of headers in lower case, `body` the bytes as they came.

        Raises Unreadable with the code FORGED when the operator did not send it.
        """
        ...


@runtime_checkable
class FixedAddressPort(Protocol):
    """An operator that calls back on one address for all attempts, agreed beforehand."""

    def read_fixed_callback(
        self, body: bytes, headers: Mapping[str, str]
    ) -> tuple[AttemptId, Callback]:
        """Which attempt it speaks of, and what it says. Raises Unreadable, also FORGED."""
        ...


FIXED_KIND = "callback"
"""The kind in the address of an operator that calls back on one for all attempts."""


BALANCE_KIND = "balance"
"""The kind of a balance that is told later."""


@runtime_checkable
class BalancePort(Protocol):
    """An operator that tells what it holds for us. Not every one can: ask `isinstance`."""

    balance_accounts: tuple[str, ...]
    """Our accounts there by the adapter's own names; what they hold together is our float."""

    async def ask_balance(self, account: str, callback_url: str) -> Money | None:
        """What one account holds now; None when the answer comes later, by kind BALANCE_KIND.

        Changes nothing, so a repeat is safe. Raises `Throttled`, `Unreachable`, `OutcomeUnknown`,
        `Rejected` or `Unreadable`: nobody told anything.
        """
        ...

    def read_balance(self, body: bytes) -> Money | None:
        """Translate a late answer; None when it tells no balance. Raises `Unreadable`."""
        ...


@runtime_checkable
class WayPort(Protocol):
    """An operator that is ordered in one of several ways, by settings. Ask `isinstance`.

    An order goes, and is asked about, by `Order.by`, whatever is set by then. Where it cannot go
    that way any more, nothing is sent and `Rejected` is raised.
    """

    def may_repeat(self, direction: Direction, by: str) -> bool:
        """Whether an order that left this way may be sent again without a second effect."""
        ...

    def refunds_by_payout(self, by: str) -> bool:
        """`OperatorFacts.refund_is_payout` of a refund that began this way."""
        ...


@runtime_checkable
class StatementPort(Protocol):
    """An operator whose statements may name our attempts by words of its own."""

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        """Every word made from the attempt's id that the operator was given for it."""
        ...


@runtime_checkable
class AddressPort(Protocol):
    """An operator that calls back on some addresses only. Not every one is: ask `isinstance`."""

    def address_fault(self, callback_url: str) -> str | None:
        """Why orders with this address would be refused, for people; None: they would not be.

        Asks nobody, so a process can find out before it serves.
        """
        ...

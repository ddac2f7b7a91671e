"""The policy of a running engine: compliance says whether, health says where. It has no rules."""

from engine.customers.customers import Customer
from engine.decisions import Decision
from engine.errors import NoWayNow
from engine.fx.quotes import Quote
from engine.money import Money
from engine.payments.clearing import Clearing
from engine.payments.payment import Payment
from engine.payments.policy import Clearance
from engine.payments.watch import Health
from engine.ports import Direction


class Gate:
    """Implements `policy.Policy`."""

    def __init__(self, clearing: Clearing, health: Health) -> None:
        self._clearing = clearing
        self._health = health

    def check_amount(self, payer: Customer, amount: Money) -> None:
        self._clearing.check_amount(payer, amount)

    async def clear(
        self, payer: Customer, quote: Quote, told: str = "", *, expected: str = ""
    ) -> Clearance:
        """As `Clearing.clear`; NoWayNow `no_way.busy` while the payer's operator is down, or every
        one that could pay out: they may have gone down since the price was made.

        While the payer's operator is being tried again a confirm takes one of the few probes, and a
        repeat takes another: so that nobody is charged through an operator that does not answer.
        """
        if not self._is_a_way_open(quote):
            raise NoWayNow("no_way.busy")
        clearance = await self._clearing.clear(payer, quote, told, expected=expected)
        minor = quote.total.minor
        if not await self._health.take_probe(quote.payer_operator, Direction.COLLECT, minor):
            raise NoWayNow("no_way.busy")
        return clearance

    def _is_a_way_open(self, quote: Quote) -> bool:
        """As the price was ranked; who pays out in the end, and when, is asked once it is here."""
        minor = quote.receives.minor
        ways = quote.ways or (quote.payee_operator,)
        return any(self._health.may_try(way, Direction.DISBURSE, minor) for way in ways)

    async def clear_again(self, payment: Payment) -> Decision | None:
        return await self._clearing.clear_again(payment)

    def may_pay(self, operator: str) -> bool:
        return self._health.may_disburse(operator)

    async def take_turn(self, operator: str, minor: int) -> bool:
        return await self._health.take_probe(operator, Direction.DISBURSE, minor)

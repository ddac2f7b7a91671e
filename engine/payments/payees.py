"""Another number for a payment's payee, as people name it: the price that was made holds there."""

from collections.abc import Awaitable, Callable

from engine.errors import CustomerMistake
from engine.msisdn import Msisdn, parse_msisdn
from engine.payments.payment import Payment
from engine.payments.portability import Wallet
from engine.payments.routing import Directory


class Payees:
    """Reads only."""

    def __init__(
        self, directory: Directory, wallet_of: Callable[[Msisdn], Awaitable[Wallet]]
    ) -> None:
        """`wallet_of` says whose wallet a number is (`Selling.wallet_of`)."""
        self._directory = directory
        self._wallet_of = wallet_of

    async def read(self, payment: Payment, number: str) -> Msisdn | None:
        """As typed, in the country of the operator that pays out; None for "".

        Raises CustomerMistake for what is no number there, or is another operator's.
        """
        if not number:
            return None
        country = self._directory.by_name[payment.payout_operator].country
        payee = parse_msisdn(number, country)
        if (await self._wallet_of(payee)).operator != payment.quote.payee_operator:
            raise CustomerMistake("mistake.operator_unsupported")
        return payee


def not_payable(payment: Payment, error: CustomerMistake) -> str:
    """Why what people named is nobody's that the payment can be paid to."""
    return f"{error.text_key}: not a number that {payment.code} can be paid to"

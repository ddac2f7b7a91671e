"""A fresh price on the session, and whose wallet it goes to, where the payee's operator tells."""

from collections.abc import Sequence

from engine.money import Money
from engine.session.names import shown_holder
from engine.session.press import Press
from engine.session.rooms import Names, Payments
from engine.session.session import Holder, Session

HOLDERS_MAX = 3
"""So many wallets a session learns the names of: it pays people, it does not look them up."""


class Prices:
    """What every verb that leads to a price does. It moves nothing."""

    def __init__(self, payments: Payments, names: Names) -> None:
        self._payments = payments
        self._names = names

    async def price(self, press: Press, amount: Money) -> None:
        """A fresh quote for this session's payee. Raises CustomerMistake or NoWayNow."""
        session = press.session
        assert session.payee is not None, "the amount is asked after the number"
        payee, wallet = session.payee, session.wallet_chosen(session.payee)
        session.quote = await self._payments.quote(
            payer=session.customer, network=session.network, payee=payee, amount=amount,
            wallet=wallet,
        )  # fmt: skip
        session.amount, session.request = amount, None
        await self._learn_holder(press)
        priced = session.quote.payee_operator
        # Whom an operator names has a wallet there; and a name fills the line that a choice takes.
        session.elsewhere = not session.holder_of(payee, priced) and any(
            name != priced for name in self.wallets(session)
        )

    def wallets(self, session: Session) -> Sequence[str]:
        """Whose wallets this session's payee may have, as far as we can pay there."""
        assert session.payee is not None, "the number is known before its operator is asked"
        return self._payments.payable_wallets(
            payer=session.customer, network=session.network, payee=session.payee
        )

    async def price_request(self, press: Press) -> None:
        """A fresh quote for what somebody asked. Raises CustomerMistake or NoWayNow."""
        session = press.session
        assert session.request is not None, "a request is priced after it was found"
        code = session.request.code
        quote = await self._payments.quote_request(session.customer, session.network, code)
        session.quote, session.payee, session.amount = quote, quote.payee, None
        session.elsewhere = False  # it is paid into the wallet that asked
        await self._learn_holder(press)

    async def _learn_holder(self, press: Press) -> None:
        """Asked once for each wallet, whatever came of it, and never after `HOLDERS_MAX` wallets.

        A wallet that the operator does not know is no reason to stop: the payout will say so by a
        code that is final, and the money comes back.
        """
        session = press.session
        assert session.quote is not None, "the price says which operator holds the wallet"
        wallet, holders = (session.quote.payee, session.quote.payee_operator), session.holders
        if len(holders) >= HOLDERS_MAX or any((h.msisdn, h.operator) == wallet for h in holders):
            return
        payee, operator = wallet
        told = await self._names.of(operator, payee, press.due)
        shown = shown_holder(told)
        session.holders = [*holders, Holder(payee, shown, operator)]
        if told != shown:
            session.told = [*session.told, Holder(payee, told, operator)]

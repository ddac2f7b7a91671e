"""Giving money back by undoing how it came: the Reversal API, for C2B and STK receipts only.

Facts: reference `mpesa.md`, section 9.2. It refuses to know whose money it is.
"""

from engine.ports import Accepted
from providers.mpesa.api import Daraja, address_for
from providers.mpesa.settings import MpesaSettings


class Reversals:
    """Orders reversals from the shortcode that customers pay to."""

    def __init__(self, api: Daraja, settings: MpesaSettings) -> None:
        self._api = api
        self._settings = settings
        self._url = api.url("/mpesa/reversal/v1/request")

    async def order(
        self,
        receipt: str,
        shillings: int,
        callback_url: str,
        *,
        kind: str,
        slow: str = "timeout",
    ) -> Accepted:
        """Undo one transaction; its end is told by `kind`, that it waited too long by `slow`.

        The request carries no id of ours (section 9.2), so a question needs the gateway's. A
        repeat is safe: its result says that it was done already.
        """
        message = {
            **self._api.initiator,
            "CommandID": "TransactionReversal",
            "TransactionID": receipt,
            "Amount": str(shillings),
            "ReceiverParty": self._settings.till or self._settings.shortcode,
            "RecieverIdentifierType": "11",  # misspelt on the wire
            "ResultURL": address_for(callback_url, kind),
            "QueueTimeOutURL": address_for(callback_url, slow),
            "Remarks": "Payment reversal",
        }
        answer = await self._api.ask("reversal", self._url, message)
        return Accepted(provider_reference=answer.word("OriginatorConversationID") or None)

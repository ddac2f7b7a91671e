"""B2B: money from a shortcode of ours to another business, or between two of our own.

Facts: reference `mpesa.md`, section 9.4. It refuses to know why money moves. No command of the desk
orders this yet: liquidity is moved by people at the operator's portal, and seen.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from engine.errors import Rejected
from engine.money import Money
from engine.ports import Accepted, Callback, Reason
from providers.mpesa.answers import NAME
from providers.mpesa.api import Daraja, address_for
from providers.mpesa.callbacks import read_callback
from providers.mpesa.settings import MpesaSettings

RESULT_KIND: Final = "b2b-result"
_REFERENCE_LENGTH_MAX: Final = 13
_MINOR_MAX: Final = 25_000_000  # per transaction, as section 13 has it for every product it lists


class Purpose(StrEnum):
    """What a movement is for, as M-PESA names it; the last two are between our own accounts."""

    PAY_BILL = "BusinessPayBill"
    BUY_GOODS = "BusinessBuyGoods"
    LOAD_PAYOUTS = "BusinessPayToBulk"  # into the account that a B2C shortcode pays from
    WORKING_TO_UTILITY = "BusinessTransferFromMMFToUtility"  # has to be enabled by Safaricom


class BusinessOrder(NamedTuple):
    """One movement. `code` is what the receiver is told, at most 13 characters."""

    purpose: Purpose
    amount: Money
    source: str
    target: str
    code: str
    callback_url: str


class Business:
    """Orders B2B. Nothing protects a repeat (section 9.4 has no id of the caller's)."""

    def __init__(self, api: Daraja, settings: MpesaSettings) -> None:
        self._api = api
        self._settings = settings
        self._business_url = api.url("/mpesa/b2b/v1/paymentrequest")

    async def move_between_businesses(self, order: BusinessOrder) -> Accepted:
        """Order it; how it went comes by kind RESULT_KIND. Raises as `OperatorPort.disburse`.

        After OutcomeUnknown a repeat may move the money twice.
        """
        shillings, rest = divmod(order.amount.minor, 100)
        if rest or order.amount.currency != "KES" or not 0 < order.amount.minor <= _MINOR_MAX:
            raise Rejected(
                NAME, f"{order.amount} cannot be sent", code="amount", reason=Reason.LIMIT
            )
        message = {
            **self._api.initiator,
            "CommandID": str(order.purpose),
            "SenderIdentifierType": "4",
            "RecieverIdentifierType": "4",  # misspelt on the wire; the pages say 4 for tills too
            "Amount": str(shillings),
            "PartyA": order.source,
            "PartyB": order.target,
            "AccountReference": order.code[:_REFERENCE_LENGTH_MAX],
            "Remarks": f"Movement {order.code}",
            "QueueTimeOutURL": address_for(order.callback_url, "timeout"),
            "ResultURL": address_for(order.callback_url, RESULT_KIND),
            "Occassion": order.code,
        }
        answer = await self._api.ask("b2b", self._business_url, message)
        return Accepted(provider_reference=answer.word("OriginatorConversationID") or None)

    def read_business_result(self, body: bytes) -> Callback:
        """Translate the result. Raises Unreadable."""
        return read_callback(RESULT_KIND, body)

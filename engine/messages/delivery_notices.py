"""A word to the payer through their own operator once the payee has the money, where it is wanted.

A courtesy beside the receipts: said once, or by nobody. It stands in no outbox, and what it meets
is in nobody's way.
"""

import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from engine.errors import ProviderError
from engine.messages.sender import Messages
from engine.payments.payment import Payment
from engine.payments.store import PaymentStore
from engine.ports import DeliveryNoticePort, OperatorPort

log = logging.getLogger(__name__)


class DeliveryNotices:
    """Of the operators that bring such words, for payments that were paid this moment."""

    def __init__(
        self, operators: Mapping[str, OperatorPort], store: PaymentStore, messages: Messages
    ) -> None:
        self._operators = operators
        self._store = store
        self._messages = messages

    def of(self, payment: Payment) -> Coroutine[Any, Any, None] | None:
        """What has to be done to tell the payer; None where their operator tells nobody."""
        port = self._operators[payment.quote.payer_operator]
        # The setting first: what isinstance does to a Protocol costs as much as a line of the log.
        if getattr(port, "notifies", False) and isinstance(port, DeliveryNoticePort):
            return self._notify(port, payment)
        return None

    async def _notify(self, port: DeliveryNoticePort, payment: Payment) -> None:
        collected = await self._store.collected_attempt(payment.payment_id)
        if collected is None:
            return
        try:
            await port.notify_delivered(collected, self._messages.receipt_of(payment))
        except ProviderError as error:
            log.warning("%s: the payer's operator was not told: %s", payment.code, error)

"""Operator callbacks: verify the address, let the adapter translate, hand over, answer.

A callback is stored before it is answered. When it cannot be stored it is not acknowledged.
"""

import logging
from collections.abc import Mapping

from starlette.routing import Route
from starlette.types import Receive, Scope

from channels.addresses import CallbackAddresses
from channels.bodies import TooLarge, read_body
from channels.doors import Door, plain
from engine.clock import AttemptId
from engine.dispatch import Dispatcher
from engine.errors import Unreadable
from engine.payments.evidence import Source
from engine.payments.service import Payments
from engine.payments.stepping import Heard
from engine.payments.store import PaymentStore
from engine.ports import (
    Acknowledgement,
    Callback,
    Finding,
    FixedAddressPort,
    OperatorPort,
    SignedCallbackPort,
)

log = logging.getLogger(__name__)

CALLBACK_BYTES_MAX = 64 * 1024
ANY_ATTEMPT = AttemptId("0" * 32)
"""No attempt has this id. Its address is for an operator that calls back on one for them all."""


class OperatorCallbacks(Door):
    """The door operators come in by."""

    def __init__(
        self,
        *,
        operators: Mapping[int, OperatorPort],
        addresses: CallbackAddresses,
        payments: Payments,
        store: PaymentStore,
        dispatcher: Dispatcher,
    ) -> None:
        self._operators = {str(code): port for code, port in operators.items()}
        self._addresses = addresses
        self._payments = payments
        self._store = store
        self._dispatcher = dispatcher

    def routes(self) -> list[Route]:
        return [Route("/callbacks/{operator}/{token}/{kind}", self, methods=["POST", "PUT"])]

    async def _answer(self, scope: Scope, receive: Receive) -> Acknowledgement:
        """404 for an address we never made, 413, 400 for an unreadable body, else the ack."""
        path = scope["path_params"]
        port = self._operators.get(path["operator"])
        if port is None:
            log.warning("callback of an operator we do not have")
            return plain(404, "not found")
        attempt_id = self._addresses.verify(port.facts.code, path["token"])
        if attempt_id is None:
            log.warning("callback on a forged address: operator %s", port.facts.name)
            return plain(404, "not found")
        try:
            body = await read_body(scope, receive, CALLBACK_BYTES_MAX)
            attempt_id, callback = _read(port, attempt_id, path["kind"], body, scope)
        except TooLarge:
            log.warning("%s callback larger than %d bytes", port.facts.name, CALLBACK_BYTES_MAX)
            return plain(413, "too large")
        except Unreadable as error:
            log.warning("callback not understood: %s", error)
            return plain(400, "not understood")
        source = Source.QUERY if callback.answers_query else Source.CALLBACK
        heard = await self._payments.apply_finding(
            attempt_id, callback.finding, source, callback.redacted
        )
        if heard is Heard.UNKNOWN:
            # Signed by us but not stored: the commit that made it was lost with its database.
            log.error("%s callback for an attempt that is not stored", port.facts.name)
            return plain(404, "not found")
        if heard is Heard.NEEDS_PROOF:
            await self._prove(attempt_id, callback.finding)
        return callback.acknowledgement

    async def _prove(self, attempt_id: AttemptId, finding: Finding) -> None:
        found = await self._store.attempt(attempt_id)
        if found is None:
            return
        if finding.provider_reference is not None:
            # The answer that held it may have been lost, and without it nothing can be asked.
            await self._payments.adopt_reference(found, finding.provider_reference)
        self._dispatcher.prove(found.payment, attempt_id, found.direction)


def _read(
    port: OperatorPort, attempt_id: AttemptId, kind: str, body: bytes, scope: Scope
) -> tuple[AttemptId, Callback]:
    """Which attempt a callback speaks of, and what it says. Raises Unreadable."""
    if attempt_id == ANY_ATTEMPT:
        if not isinstance(port, FixedAddressPort):
            raise Unreadable(port.facts.name, "a callback about no attempt")
        return port.read_fixed_callback(body, _headers(scope))
    if isinstance(port, SignedCallbackPort):
        return attempt_id, port.read_signed_callback(kind, body, _headers(scope))
    return attempt_id, port.read_callback(kind, body)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

"""Operator callbacks: let the adapter translate, hand over, answer.

A callback is stored before it is answered. When it cannot be stored it is not acknowledged.
"""

import logging
from collections.abc import Callable

from channels.addresses import ANY_ATTEMPT
from channels.webhooks import Knock, OperatorDoor, Reception, Taken, refused
from engine.clock import AttemptId
from engine.dispatch import Dispatcher
from engine.errors import Unreadable
from engine.payments.evidence import Source, body_hash
from engine.payments.service import Payments
from engine.payments.stepping import Heard
from engine.payments.store import PaymentStore, question_id
from engine.ports import (
    Acknowledgement,
    Callback,
    CallbackTrust,
    Direction,
    Finding,
    FixedAddressPort,
    OperatorPort,
    SignedCallbackPort,
)
from engine.traffic.messages import Fate

log = logging.getLogger(__name__)

_FATES = {
    Heard.KEPT: Fate.KEPT,
    Heard.NEEDS_PROOF: Fate.NEEDS_PROOF,
    Heard.CONFLICT: Fate.CONFLICT,
}

Read = Callable[[Knock], tuple[AttemptId, Callback]]


class OperatorCallbacks(OperatorDoor):
    """The door that callbacks about attempts come in by. It must stand behind those of one kind."""

    def __init__(
        self,
        reception: Reception,
        *,
        payments: Payments,
        store: PaymentStore,
        dispatcher: Dispatcher,
    ) -> None:
        super().__init__(reception)
        # Asking a port what it can do costs more than all else that is done with a callback here.
        self._readers = {code: _reader(port) for code, port in reception.operators.items()}
        self._payments = payments
        self._store = store
        self._dispatcher = dispatcher

    async def _hear(self, knock: Knock) -> Taken:
        if knock.port.facts.callback is CallbackTrust.NONE:
            # Nobody documents what it might say, so it proves nothing: people look at its shape.
            return Taken(Acknowledgement(), Fate.UNEXPECTED)
        attempt_id, callback = self._readers[knock.port.facts.code](knock)
        source = Source.CALLBACK
        heard = await self._payments.apply_finding(
            attempt_id, callback.finding, source, callback.redacted
        )
        if heard is Heard.UNKNOWN and attempt_id == knock.attempt_id:
            attempt_id, source, heard = await self._hear_of_question(attempt_id, callback)
        if heard is Heard.ADVANCED:
            return Taken(callback.acknowledgement)
        if heard is Heard.UNKNOWN:
            # Signed by us but not stored: the commit that made it was lost with its database.
            log.error("%s callback for an attempt that is not stored", knock.port.facts.name)
            return refused(Fate.UNKNOWN_ATTEMPT, attempt_id=attempt_id, shown=callback.redacted)
        if heard is Heard.NEEDS_PROOF:
            await self._prove(attempt_id, callback.finding)
        evidence = body_hash(source, callback.redacted)
        return Taken(callback.acknowledgement, _FATES[heard], attempt_id, evidence=evidence)

    async def _hear_of_question(
        self, asked: AttemptId, callback: Callback
    ) -> tuple[AttemptId, Source, Heard]:
        """What came on the address that only a question gave away: its answer is proof.

        How a prompt went an operator says at once or not at all: nothing later answers that.
        """
        found = await self._store.attempt(AttemptId(question_id(asked)))
        if found is None:
            return asked, Source.CALLBACK, Heard.UNKNOWN
        is_answer = callback.answers_query and found.direction is not Direction.COLLECT
        source = Source.QUERY if is_answer else Source.CALLBACK
        heard = await self._payments.apply_finding(
            found.attempt_id, callback.finding, source, callback.redacted
        )
        return found.attempt_id, source, heard

    async def _prove(self, attempt_id: AttemptId, finding: Finding) -> None:
        found = await self._store.attempt(attempt_id)
        if found is None:
            return
        if finding.provider_reference is not None:
            # The answer that held it may have been lost, and without it nothing can be asked.
            await self._payments.adopt_reference(found, finding.provider_reference)
        self._dispatcher.prove(found.payment, attempt_id, found.direction)


def _reader(port: OperatorPort) -> Read:
    """How an operator's callbacks are read: which attempt one speaks of, and what it says."""

    def read_signed(knock: Knock) -> tuple[AttemptId, Callback]:
        assert isinstance(port, SignedCallbackPort)
        told = port.read_signed_callback(knock.kind, knock.body, knock.headers)
        return knock.attempt_id, told

    def read_plain(knock: Knock) -> tuple[AttemptId, Callback]:
        return knock.attempt_id, port.read_callback(knock.kind, knock.body)

    def read_fixed(knock: Knock) -> tuple[AttemptId, Callback]:
        if not isinstance(port, FixedAddressPort):
            raise Unreadable(port.facts.name, "a callback about no attempt")
        return port.read_fixed_callback(knock.body, knock.headers)

    read_own = read_signed if isinstance(port, SignedCallbackPort) else read_plain
    return lambda knock: (read_fixed if knock.attempt_id == ANY_ATTEMPT else read_own)(knock)

"""What an operator is asked on behalf of an attempt: the same at every repeat. Sends nothing."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from engine.clock import AttemptId
from engine.errors import CappError, OurFault
from engine.memory import end_if_refused
from engine.payments.payment import Payment
from engine.payments.store import PaymentStore, question_id
from engine.ports import Accepted, Direction, Finding, OperatorPort, Order, Sender, WayPort


class Orders:
    """Makes orders, and questions about them."""

    def __init__(
        self,
        *,
        operators: Mapping[str, OperatorPort],
        store: PaymentStore,
        callback_url: Callable[[int, AttemptId], str],
    ) -> None:
        """`callback_url` makes the unguessable address of an attempt from (operator code, id)."""
        self._operators = operators
        self._store = store
        self._callback_url = callback_url

    async def made(
        self, payment: Payment, attempt_id: AttemptId, direction: Direction, operator: str
    ) -> Order:
        """The order of an attempt to the operator that carries it out."""
        collected, receipt, ordered_as = None, None, self.ordered_as(payment, direction, operator)
        if ordered_as is Direction.REFUND:
            collected = await self._store.collected_attempt(payment.payment_id)
            if payment.amount_of(direction) == payment.amount_of(Direction.COLLECT):
                receipt = await self._store.collected_receipt(payment.payment_id)
        return Order(
            attempt_id=attempt_id,
            direction=ordered_as,
            amount=payment.amount_of(direction),
            msisdn=payment.msisdn_of(direction),
            code=payment.code,
            callback_url=self._callback_url(self._operators[operator].facts.code, attempt_id),
            provider_reference=None,
            collected_attempt_id=collected,
            collected_receipt=receipt,
            sender=self._sender(payment, direction) if ordered_as is Direction.DISBURSE else None,
            by=await self._by(attempt_id, direction, operator),
        )

    async def question(
        self, payment: Payment, attempt_id: AttemptId, direction: Direction, operator: str
    ) -> Order:
        """The question how an attempt went.

        Its address is its own: what answers there is proof, and whoever carried the order out was
        never told it.
        """
        order = await self.made(payment, attempt_id, direction, operator)
        asked = AttemptId(question_id(attempt_id))
        url = self._callback_url(self._operators[operator].facts.code, asked)
        return msgspec.structs.replace(
            order,
            callback_url=url,
            provider_reference=await self._store.provider_reference(attempt_id),
        )

    def ordered_as(self, payment: Payment, direction: Direction, operator: str) -> Direction:
        """A refund that people sent elsewhere is a payout there: it has nothing to give back."""
        if direction is not Direction.REFUND:
            return direction
        collected_it = operator == payment.quote.payer_operator
        gives_back = collected_it and self._operators[operator].facts.can_refund
        return direction if gives_back else Direction.DISBURSE

    async def repeat_is_safe(
        self, payment: Payment, attempt_id: AttemptId, direction: Direction
    ) -> bool:
        """Whether the live attempt's order may be sent again, by the way it went."""
        port = self._operators[operator := payment.operator_of(direction)]
        ordered_as = self.ordered_as(payment, direction, operator)
        by = await self._by(attempt_id, direction, operator)
        if by and isinstance(port, WayPort):
            return port.may_repeat(ordered_as, by)
        return port.facts.repeat_is_safe(ordered_as)

    async def asked(self, payment: Payment, attempt_id: AttemptId, direction: Direction) -> str:
        """Who was asked by an attempt: one that is over may have gone another way."""
        if payment.live != attempt_id and direction is not Direction.COLLECT:
            found = await self._store.attempt(attempt_id)
            if found is not None:
                return found.operator
        return payment.operator_of(direction)

    async def _by(self, attempt_id: AttemptId, direction: Direction, operator: str) -> str:
        """The way an attempt went, whatever way is set by now (`decisions/0033`)."""
        is_kept = self._operators[operator].facts.kept_way(direction)
        return await self._store.ordered_by(attempt_id) if is_kept else ""

    def _sender(self, payment: Payment, direction: Direction) -> Sender:
        """The payer; of a refund that goes as a payout too, with the money that is theirs."""
        quote = payment.quote
        is_refund = direction is Direction.REFUND
        return Sender(
            country=self._operators[quote.payer_operator].facts.country,
            amount=payment.amount_of(direction) if is_refund else quote.amount,
            msisdn=quote.payer,
            language=quote.payer_language,
        )


def operation_of(
    port: OperatorPort, direction: Direction
) -> Callable[[Order], Coroutine[Any, Any, Accepted]]:
    """What is called to carry out an order of that direction."""
    operations = {
        Direction.COLLECT: port.collect,
        Direction.DISBURSE: port.disburse,
        Direction.REFUND: port.refund,
    }
    return operations[direction]


async def answer_to(question: Order, port: OperatorPort) -> Finding:
    """What the operator says of an attempt. Raises ProviderError; OurFault for whatever else."""
    try:
        return await port.query(question)
    except CappError:
        raise
    except Exception as error:
        end_if_refused(error)
        fault = f"{port.facts.name} could not be asked ({type(error).__name__})"
        raise OurFault(fault) from error

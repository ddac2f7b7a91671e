"""Operators that tell their balance later, on the address they were given with the question.

Verified like every operator callback (`operators.py`); it moves nothing and finds no payment.
"""

import logging
from collections.abc import Mapping

from starlette.routing import Route
from starlette.types import Receive, Scope

from channels.addresses import CallbackAddresses
from channels.bodies import TooLarge, read_body
from channels.doors import Door, plain
from engine.errors import Unreadable
from engine.payments.statements.balances import Balances
from engine.ports import Acknowledgement, BalancePort, OperatorPort

log = logging.getLogger(__name__)

ANSWER_BYTES_MAX = 64 * 1024
KIND = "balance"


class BalanceAnswers(Door):
    """The door of late balances. It must stand before that of the operators' callbacks."""

    def __init__(
        self,
        *,
        operators: Mapping[int, OperatorPort],
        addresses: CallbackAddresses,
        balances: Balances,
    ) -> None:
        self._operators = {str(code): port for code, port in operators.items()}
        self._addresses = addresses
        self._balances = balances

    def routes(self) -> list[Route]:
        return [Route(f"/callbacks/{{operator}}/{{token}}/{KIND}", self, methods=["POST", "PUT"])]

    async def _answer(self, scope: Scope, receive: Receive) -> Acknowledgement:
        """404 for an address we never made, 413, 400 for an unreadable body, else 200."""
        path = scope["path_params"]
        port = self._operators.get(path["operator"])
        question = (
            self._addresses.verify(port.facts.code, path["token"]) if port is not None else None
        )
        if question is None or not isinstance(port, BalancePort):
            log.warning("balance on an address that is not ours")
            return plain(404, "not found")
        try:
            body = await read_body(scope, receive, ANSWER_BYTES_MAX)
            money = port.read_balance(body)
        except TooLarge:
            return plain(413, "too large")
        except Unreadable as error:
            log.warning("balance not understood: %s", error)
            return plain(400, "not understood")
        if money is None:
            log.warning("%s did not tell its balance", path["operator"])
        elif not await self._balances.hear(question, money):
            return plain(404, "not found")
        return plain(200, "ok")

"""Operators that tell their balance later, on the address they were given with the question.

Verified like every operator callback (`operators.py`); it moves nothing and finds no payment.
"""

import logging
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from channels.addresses import CallbackAddresses
from channels.bodies import TooLarge, read_body
from engine.errors import Unreadable
from engine.payments.statements.balances import Balances
from engine.ports import BalancePort, OperatorPort

log = logging.getLogger(__name__)

ANSWER_BYTES_MAX = 64 * 1024
KIND = "balance"


class BalanceAnswers:
    """The door of late balances. Its route must stand before that of the operators' callbacks."""

    def __init__(
        self,
        *,
        operators: Mapping[int, OperatorPort],
        addresses: CallbackAddresses,
        balances: Balances,
    ) -> None:
        self._operators = operators
        self._addresses = addresses
        self._balances = balances

    def routes(self) -> list[Route]:
        path = f"/callbacks/{{operator:int}}/{{token}}/{KIND}"
        return [Route(path, self.receive, methods=["POST", "PUT"])]

    async def receive(self, request: Request) -> Response:
        """404 for an address we never made, 413, 400 for an unreadable body, else 200."""
        path = request.path_params
        port = self._operators.get(path["operator"])
        question = self._addresses.verify(path["operator"], path["token"])
        if question is None or not isinstance(port, BalancePort):
            log.warning("balance on a forged address: operator %s", path["operator"])
            return PlainTextResponse("not found", 404)
        try:
            body = await read_body(request.scope, request.receive, ANSWER_BYTES_MAX)
            money = port.read_balance(body)
        except TooLarge:
            return PlainTextResponse("too large", 413)
        except Unreadable as error:
            log.warning("balance not understood: %s", error)
            return PlainTextResponse("not understood", 400)
        if money is None:
            log.warning("operator %s did not tell its balance", path["operator"])
        elif not await self._balances.hear(question, money):
            return PlainTextResponse("not found", 404)
        return PlainTextResponse("ok")

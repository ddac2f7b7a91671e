"""Operators that tell their balance later, on the address they were given with the question.

Verified like every operator callback (`webhooks.py`); it moves nothing and finds no payment.
"""

import logging

from channels.web.doors import plain
from channels.webhooks import Knock, OperatorDoor, Reception, Taken, refused
from engine.errors import Unreadable
from engine.payments.statements.balances import Balances
from engine.ports import BALANCE_KIND, BalancePort
from engine.traffic.messages import Fate

log = logging.getLogger(__name__)


class BalanceAnswers(OperatorDoor):
    """The door of late balances. It must stand before that of the operators' callbacks."""

    kind = BALANCE_KIND

    def __init__(self, reception: Reception, *, balances: Balances) -> None:
        super().__init__(reception)
        self._balances = balances

    async def _hear(self, knock: Knock) -> Taken:
        port, question = knock.port, knock.attempt_id
        if not isinstance(port, BalancePort):
            raise Unreadable(port.facts.name, "a balance nobody asks it for")
        money = port.read_balance(knock.body)
        if money is None:
            log.warning("%s did not tell its balance", port.facts.name)
        elif not await self._balances.hear(question, money):
            return refused(Fate.UNKNOWN_ATTEMPT)
        return Taken(plain(200, "ok"), Fate.ANSWERED)

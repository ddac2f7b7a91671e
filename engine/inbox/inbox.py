"""One message from a phone, top to bottom: heard once, in its turn, carried out, answered once.

It is done with when its answer is queued, in one statement; until then it may come again. Knows no
gateway's words. Nothing of a text reaches a log.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable
from typing import Protocol

from engine.clock import Ids
from engine.inbox.answers import Asked
from engine.inbox.guard import Admission, Guard
from engine.inbox.store import InboxStore
from engine.ledger.plans import Intent
from engine.memory import end_if_refused
from engine.msisdn import Msisdn
from engine.ports import SmsMessage

PAUSES_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Between two askings whether the phone's message before this one is done with; then the gateway
is asked to come again, which not every gateway does."""

log = logging.getLogger(__name__)


class Answering(Protocol):
    """`answers.Answers`, or one that plays it."""

    async def answer(self, asked: Asked) -> str | None: ...


class Inbox:
    """Takes messages, any number at once, in any number of processes."""

    def __init__(
        self,
        *,
        guard: Guard,
        store: InboxStore,
        answers: Answering,
        ids: Ids,
        send: Callable[[Intent], None],
    ) -> None:
        """`send` is told of every queued answer, at once and in memory."""
        self._guard = guard
        self._store = store
        self._answers = answers
        self._ids = ids
        self._send = send

    async def take(self, gateway: str, message: SmsMessage) -> bool:
        """Carry out one message; False when it is to be offered again later.

        Safe to repeat: a message that was done with has no second effect and no second answer.
        Raises nothing but a cancellation.
        """
        try:
            if await self._store.is_done(gateway, message.message_id):
                return True
            if message.msisdn is None:  # a name or a short code: nobody there reads an answer
                await self._store.finish(gateway, message.message_id, None, None)
                return True
            return await self._admit(gateway, message, message.msisdn)
        except Exception as error:  # noqa: BLE001 - the edge that must answer the gateway
            end_if_refused(error)
            _tell(message, error)
            return False

    async def _admit(self, gateway: str, message: SmsMessage, msisdn: Msisdn) -> bool:
        token, message_id = self._ids.hex(), message.message_id
        for pause in (*PAUSES_SECONDS, None):
            verdict = await self._guard.admit(
                msisdn, message.text, gateway=gateway, message_id=message_id, token=token
            )
            if verdict is not Admission.BUSY or pause is None:
                break
            await asyncio.sleep(pause)
        if verdict in (Admission.IN_WORK, Admission.BUSY):
            return False
        if verdict is not Admission.WELCOME:
            log.warning("message of %s is not answered: %s", msisdn.masked, verdict.name)
            await self._store.finish(gateway, message_id, None, None)
            return True
        try:
            await self._carry_out(gateway, message, msisdn)
        except Exception:
            await self._guard.free(
                msisdn, message.text, gateway=gateway, message_id=message_id, token=token
            )
            raise
        await self._guard.done(msisdn, token=token)
        return True

    async def _carry_out(self, gateway: str, message: SmsMessage, msisdn: Msisdn) -> None:
        asked = Asked(msisdn, message.text, f"{gateway}:{message.message_id}")
        answer = await self._answers.answer(asked)
        queued = await self._store.finish(gateway, message.message_id, msisdn, answer)
        if queued is not None:
            self._send(queued)


def _tell(message: SmsMessage, error: Exception) -> None:
    """Where it happened and what kind it was. Never its message, which may quote the text."""
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("%r failed with %s\n%s", message, type(error).__name__, where)

"""Whether a payee's wallet is there and works, asked of its operator while somebody waits.

A courtesy that may fail: what is late, refused or unclear is unknown, never an error, and it takes
no more of an operator's connections and pace than a few questions do: payments need them. It keeps
no answer and logs neither a name nor a number.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from engine.enquiries import Enquiries, Told
from engine.msisdn import Msisdn
from engine.ports import HolderPort, NamePort, OperatorPort

A = TypeVar("A")
Ask = Callable[[Msisdn], Coroutine[Any, Any, A]]

HOLDER_SECONDS = 2.0
"""Nobody waits longer: all else that is known is worth an answer."""
AT_ONCE = 4
"""Questions to one operator under way at the same time, of one process; more wait their turn."""
NAME_LENGTH_MAX = 100
"""Of a longer name the rest is left away; nobody is called so."""


class WalletFound(StrEnum):
    """What an operator says of a number."""

    FOUND = "found"
    CLOSED = "closed"  # it knows the wallet, and it is barred or closed
    NONE = "none"  # it knows no such wallet
    UNKNOWN = "unknown"  # it tells no such thing, or did not in time


class Holders:
    """Asks operators about wallets, each within a deadline of its own."""

    def __init__(
        self,
        operators: Mapping[str, OperatorPort],
        *,
        seconds: float = HOLDER_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Of the `operators` those are asked that can tell; `seconds` is how long one may take."""
        self._operators = operators
        self._seconds = seconds
        self._enquiries: Enquiries[Any] = Enquiries("wallet", monotonic)
        self._turns = {name: asyncio.Semaphore(AT_ONCE) for name in operators}

    async def of(self, operator: str, msisdn: Msisdn) -> WalletFound:
        """What is known of the wallet within the deadline. Raises nothing but a cancellation.

        Changes nothing, so a repeat is safe; it costs the operator another question.
        """
        ask = _question(self._operators.get(operator))
        told = await self._told(operator, ask, msisdn)
        return told.answer if told else WalletFound.UNKNOWN

    def tells_names(self, operator: str) -> bool:
        """Whether it is one that tells whose wallet a number is."""
        return isinstance(self._operators.get(operator), NamePort)

    async def name_of(
        self, operator: str, msisdn: Msisdn, *, seconds: float | None = None
    ) -> str | None:
        """Whose wallet it is in the operator's words: "" where it knows none, or tells no names;
        None when it did not tell within the deadline. `seconds` is another deadline.

        Personal, as `NamePort.name_of`. Raises nothing but a cancellation, as `of`.
        """
        port = self._operators.get(operator)
        if not isinstance(port, NamePort):
            return ""
        told = await self._told(operator, port.name_of, msisdn, seconds)
        return " ".join((told.answer or "").split())[:NAME_LENGTH_MAX] if told else None

    async def _told(
        self, operator: str, ask: Ask[A] | None, msisdn: Msisdn, seconds: float | None = None
    ) -> Told[A] | None:
        """An answer within the deadline; None for none."""
        if ask is None or self._enquiries.rests(operator):
            return None
        within = self._seconds if seconds is None else seconds
        left = await self._turn(operator, within)
        if left <= 0:
            return None
        return await self._enquiries.ask(
            operator, self._in_turn(operator, ask(msisdn)), left,
            is_late_counted=left > within / 2,  # else most of it went by in our own row
        )  # fmt: skip

    async def aclose(self) -> None:
        """Wait for questions that were answered as late, before the operators' ports close."""
        await self._enquiries.aclose()

    async def _turn(self, operator: str, within: float) -> float:
        """Wait for a turn; the seconds that are left to ask in, 0 where there was none in time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(within):
                await self._turns[operator].acquire()
        except TimeoutError:
            return 0.0
        left = within - (loop.time() - began)
        if left <= 0:
            self._turns[operator].release()
        return left

    async def _in_turn(self, operator: str, question: Coroutine[Any, Any, A]) -> A:
        try:
            return await question
        finally:
            self._turns[operator].release()


def _question(port: OperatorPort | None) -> Ask[WalletFound] | None:
    if isinstance(port, HolderPort):
        return partial(_is_active, port)
    return partial(_is_named, port) if isinstance(port, NamePort) else None


async def _is_active(port: HolderPort, msisdn: Msisdn) -> WalletFound:
    is_active = await port.is_active(msisdn)
    if is_active is None:
        return WalletFound.NONE
    return WalletFound.FOUND if is_active else WalletFound.CLOSED


async def _is_named(port: NamePort, msisdn: Msisdn) -> WalletFound:
    # A wallet may have no name: that alone proves nothing.
    return WalletFound.FOUND if await port.name_of(msisdn) else WalletFound.UNKNOWN

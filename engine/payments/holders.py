"""Whether a payee's wallet is there and works, asked of its operator while somebody waits.

A courtesy that may fail: what is late, refused or unclear is unknown, never an error, and it takes
no more of an operator's connections and pace than a few questions do: payments need them. It keeps
no answer, tells no name and logs no number.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from enum import StrEnum
from functools import partial
from typing import Any

from engine.errors import ProviderError
from engine.memory import end_if_refused
from engine.msisdn import Msisdn
from engine.ports import HolderPort, NamePort, OperatorPort

Ask = Callable[[Msisdn], Coroutine[Any, Any, "WalletFound"]]

log = logging.getLogger(__name__)

HOLDER_SECONDS = 2.0
"""Nobody waits longer: all else that is known is worth an answer."""
AT_ONCE = 4
"""Questions to one operator under way at the same time, of one process; more wait their turn."""
FAILURES_MAX = 3
REST_SECONDS = 30.0
"""After so many answers in a row that did not come, nobody is asked there for a while."""


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
        self._monotonic = monotonic
        self._failures: dict[str, int] = {}
        self._rests_until: dict[str, float] = {}
        self._asking: set[asyncio.Task[WalletFound]] = set()
        self._turns = {name: asyncio.Semaphore(AT_ONCE) for name in operators}

    async def of(self, operator: str, msisdn: Msisdn) -> WalletFound:
        """What is known of the wallet within the deadline. Raises nothing but a cancellation.

        Changes nothing, so a repeat is safe; it costs the operator another question.
        """
        ask, now = _question(self._operators.get(operator)), self._monotonic()
        if ask is None or now < self._rests_until.get(operator, now):
            return WalletFound.UNKNOWN
        left = await self._turn(operator)
        if left <= 0:
            return WalletFound.UNKNOWN
        task = asyncio.ensure_future(ask(msisdn))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        task.add_done_callback(lambda _: self._turns[operator].release())
        # Not cancelled when it is late: it may hold what the next call needs, a token for example.
        await asyncio.wait({task}, timeout=left)
        if not task.done():
            task.add_done_callback(_hear)
            if left > self._seconds / 2:  # else most of its time went by in our own row
                self._note(operator, "late")
            return WalletFound.UNKNOWN
        if (error := _hear(task)) is not None:
            self._note(operator, type(error).__name__)
            return WalletFound.UNKNOWN
        self._failures.pop(operator, None)
        return task.result()

    async def aclose(self) -> None:
        """Wait for questions that were answered as late, before the operators' ports close."""
        if self._asking:
            await asyncio.wait(self._asking)

    async def _turn(self, operator: str) -> float:
        """Wait for a turn; the seconds that are left to ask in, 0 where there was none in time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._seconds):
                await self._turns[operator].acquire()
        except TimeoutError:
            return 0.0
        left = self._seconds - (loop.time() - began)
        if left <= 0:
            self._turns[operator].release()
        return left

    def _note(self, operator: str, what: str) -> None:
        failures = self._failures[operator] = self._failures.get(operator, 0) + 1
        log.info("%s told nothing of a wallet: %s", operator, what)
        if failures >= FAILURES_MAX:
            self._failures.pop(operator)
            self._rests_until[operator] = self._monotonic() + REST_SECONDS


def _question(port: OperatorPort | None) -> Ask | None:
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


def _hear(task: "asyncio.Task[WalletFound]") -> BaseException | None:
    """What went wrong, if anything; a kind that a port must not raise is told as our fault."""
    if task.cancelled():
        return asyncio.CancelledError()
    error = task.exception()
    end_if_refused(error)
    if error is not None and not isinstance(error, ProviderError):
        log.error("a wallet could not be asked about: %s", type(error).__name__)
    return error

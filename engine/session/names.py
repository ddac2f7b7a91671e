"""Whose wallet a number is, asked of its operator while a customer waits for a price.

A courtesy that may fail: what is late, refused or unknown is no name, never an error. It keeps no
answer and logs neither a name nor a number; who asked before is the session's affair.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from engine.errors import ProviderError
from engine.memory import end_if_refused
from engine.msisdn import Msisdn
from engine.ports import NamePort
from engine.septets import cut, transliterate

NAME_SECONDS = 2.0
"""Nobody waits longer for a name; a price alone is worth showing."""
ANSWER_SECONDS = 0.25
"""Kept back from a verb's own deadline, so that the price is shown in time."""
FAILURES_MAX = 3
REST_SECONDS = 30.0
"""After so many answers in a row that did not come, nobody is asked there for a while."""
HOLDER_SEPTETS_MAX = 14
"""With a blank and a number behind it: the width of `payee_named` in `menus/texts/widths.yaml`."""

_MARKS = " .'-"

_log = logging.getLogger(__name__)


class OperatorNames:
    """Asks operators for names, each within a deadline of its own."""

    def __init__(
        self, ports: Mapping[str, NamePort], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`ports`: operator -> who can tell; nobody is asked about wallets of the others."""
        self._ports = ports
        self._monotonic = monotonic
        self._failures: dict[str, int] = {}
        self._rests_until: dict[str, float] = {}
        self._asking: set[asyncio.Task[str | None]] = set()

    async def of(self, operator: str, msisdn: Msisdn, due: float) -> str:
        """The holder as a screen can show it, or "" when nobody tells in time. Raises nothing.

        `due` is the reading of the monotonic clock by which the caller must have answered itself.
        Changes nothing, so a repeat is safe; it costs the operator another question.
        """
        port, now = self._ports.get(operator), self._monotonic()
        seconds = min(NAME_SECONDS, due - now - ANSWER_SECONDS)
        if port is None or seconds <= 0 or now < self._rests_until.get(operator, now):
            return ""
        task = asyncio.ensure_future(port.name_of(msisdn))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        # Not cancelled when it is late: it may hold what the next call needs, a token for example.
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            task.add_done_callback(_hear)
            self._note(operator, "late")
            return ""
        if (error := _hear(task)) is not None:
            self._note(operator, type(error).__name__)
            return ""
        self._failures.pop(operator, None)
        return shown_holder(task.result() or "")

    async def aclose(self) -> None:
        """Wait for questions that were answered as late, before the operators' ports close."""
        if self._asking:
            await asyncio.wait(self._asking)

    def _note(self, operator: str, what: str) -> None:
        failures = self._failures[operator] = self._failures.get(operator, 0) + 1
        _log.info("%s told no name: %s", operator, what)
        if failures >= FAILURES_MAX:
            self._failures.pop(operator)
            self._rests_until[operator] = self._monotonic() + REST_SECONDS


def shown_holder(name: str) -> str:
    """A name on one line of GSM-7, at most `HOLDER_SEPTETS_MAX` septets; "" without a letter.

    Letters and what stands between them: whoever names a wallet cannot write a number, a price or
    a second line on another's screen. A repeat is harmless.
    """
    spelled = transliterate(" ".join(name.split()))
    letters = "".join(c for c in spelled if c.isalpha() or c in _MARKS)
    shown = cut(" ".join(letters.split()), HOLDER_SEPTETS_MAX).strip(_MARKS)
    return shown if any(c.isalpha() for c in shown) else ""


def _hear(task: "asyncio.Task[str | None]") -> BaseException | None:
    """What went wrong, if anything; a kind that a port must not raise is told as our fault."""
    if task.cancelled():
        return asyncio.CancelledError()
    error = task.exception()
    end_if_refused(error)
    if error is not None and not isinstance(error, ProviderError):
        _log.error("a name could not be asked for: %s", type(error).__name__)
    return error

"""Questions to companies that may go unanswered: each within a deadline, nothing raised.

Who did not answer several times in a row is left alone for a while; an answer may be kept for one
(`KeptAnswers`). It knows no question and logs nothing of what was asked.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, NamedTuple, TypeVar

from engine.errors import ProviderError
from engine.memory import end_if_refused

FAILURES_MAX = 3
REST_SECONDS = 30.0
"""After so many answers in a row that did not come, nobody is asked there for a while."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
log = logging.getLogger(__name__)


class Told(NamedTuple, Generic[T]):
    """An answer that came in time."""

    answer: T


class KeptAnswers(Generic[K, T]):
    """The newest answers, for as long as they are good. In memory, and no more than so many."""

    def __init__(self, seconds: float, most: int, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._most = most
        self._monotonic = monotonic
        self._kept: OrderedDict[K, tuple[Told[T], float]] = OrderedDict()

    def of(self, asked: K) -> Told[T] | None:
        """What was told of it a short while ago; None where it is to be asked."""
        told, until = self._kept.get(asked, (None, 0.0))
        return told if self._monotonic() < until else None

    def keep(self, asked: K, told: Told[T]) -> None:
        """From now on; the one kept longest makes room."""
        self._kept[asked] = told, self._monotonic() + self._seconds
        self._kept.move_to_end(asked)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)


class Enquiries(Generic[T]):
    """One kind of question, asked of several companies. Asking changes nothing."""

    def __init__(self, what: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`what` is asked about, for the log; `monotonic` measures how long somebody rests."""
        self._what = what
        self._monotonic = monotonic
        self._failures: dict[str, int] = {}
        self._rests_until: dict[str, float] = {}
        self._asking: set[asyncio.Task[T]] = set()

    def rests(self, company: str) -> bool:
        """Whether nobody is asked there now."""
        until = self._rests_until.get(company)
        return until is not None and self._monotonic() < until

    async def ask(
        self,
        company: str,
        question: Coroutine[Any, Any, T],
        seconds: float,
        *,
        is_late_counted: bool = True,
    ) -> Told[T] | None:
        """What was answered within `seconds`, or None. Look first whether it `rests`.

        A late answer is none, and counts against the company unless the caller was late itself.
        Raises nothing but a cancellation; a repeat is another question.
        """
        task = asyncio.ensure_future(question)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        task.add_done_callback(self._hear)  # also when nobody waits for it any more
        # Not cancelled when it is late: it may hold what the next call needs, a token for example.
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            if is_late_counted:
                self._note(company, "late")
            return None
        if (error := _error_of(task)) is not None:
            self._note(company, type(error).__name__)
            return None
        self._failures.pop(company, None)
        return Told(task.result())

    async def aclose(self) -> None:
        """Wait for questions that were answered as late, before the companies' ports close."""
        if self._asking:
            await asyncio.wait(self._asking)

    def _note(self, company: str, how: str) -> None:
        failures = self._failures[company] = self._failures.get(company, 0) + 1
        log.info("%s told no %s: %s", company, self._what, how)
        if failures >= FAILURES_MAX:
            log.warning("%s is asked for no %s for %d s", company, self._what, REST_SECONDS)
            self._failures.pop(company)
            self._rests_until[company] = self._monotonic() + REST_SECONDS

    def _hear(self, task: "asyncio.Task[T]") -> None:
        """A kind that a port must not raise is told as our fault, whoever waits for the answer."""
        error = _error_of(task)
        end_if_refused(error)
        if error is not None and not isinstance(error, ProviderError | asyncio.CancelledError):
            log.error("no %s could be asked for: %s", self._what, type(error).__name__)


def _error_of(task: "asyncio.Task[Any]") -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()

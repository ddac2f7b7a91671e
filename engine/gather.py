"""Questions asked in the same moment travel to the database together.

One batch is under way at a time: under light load a batch is one question with no delay, under
heavy load it is whatever gathered meanwhile, and a moment longer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Generic, ParamSpec, TypeVar

from engine.errors import OurFault
from engine.memory import end_if_refused

log = logging.getLogger(__name__)

K = TypeVar("K")
V = TypeVar("V")
P = ParamSpec("P")

PATIENCE_SECONDS = 0.002
UNHURRIED_SECONDS = 0.05
"""So long waits what nobody stands before a screen for."""
BUSY_SECONDS = 0.02
"""Whoever asks so soon after another, or within their own patience, waits for those who come with
them. A statement costs tenths of a millisecond of two cores: at a moderate load single ones fill
them, and then everybody waits longer (`ledger/decisions/0005`).
"""


class Gatherer(Generic[K, V]):
    """Turns `fetch(keys) -> mapping` into `get(key) -> value or None` for any number of tasks.

    A value that is an exception is raised to those who asked for it, and to nobody else.
    """

    def __init__(
        self,
        fetch: Callable[[Sequence[K]], Awaitable[Mapping[K, V | Exception]]],
        *,
        batch_max: int = 500,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """`patience`: how long a batch waits for more of them, where they come often."""
        self._fetch = fetch
        self._batch_max = batch_max
        self._patience = patience
        self._busy_until = 0.0
        self._waiting: list[tuple[K, asyncio.Future[V | None]]] = []
        self._task: asyncio.Task[None] | None = None

    def get(self, key: K) -> "asyncio.Future[V | None]":
        """The value, None when `fetch` has none; its error is whatever `fetch` raised."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[V | None] = loop.create_future()
        self._waiting.append((key, answer))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        return answer

    async def _run(self) -> None:
        try:
            await self._answer_all()
        except Exception as error:  # nobody waits for this task
            end_if_refused(error)
            raise

    async def _answer_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if loop.time() < self._busy_until:
                await asyncio.sleep(self._patience)
            self._busy_until = loop.time() + max(BUSY_SECONDS, self._patience)
            batch, self._waiting = (
                self._waiting[: self._batch_max],
                self._waiting[self._batch_max :],
            )
            try:
                found = await self._fetch([*dict.fromkeys(key for key, _ in batch)])
            except Exception as error:  # noqa: BLE001 - handed to everyone who asked
                end_if_refused(error)
                for _, answer in batch:
                    _give(answer, error)
                continue
            for key, answer in batch:
                _give(answer, found.get(key))


def alone(what: str, read: Callable[P, V], *args: P.args, **kwargs: P.kwargs) -> V | Exception:
    """A row as it is understood; one that is not is an error for those who asked for it alone.

    `what` names the row in that error, and holds nothing about people.
    """
    try:
        return read(*args, **kwargs)
    except OurFault as error:  # sealed under a key that is not at hand, or changed behind our back
        return error
    except (ValueError, LookupError) as error:
        return OurFault(f"{what} was written by other code: {error}")


def readable(what: str, read: Iterable[V | Exception]) -> list[V]:
    """Those of the rows read `alone` that were understood; of the others the log is told."""
    found: list[V] = []
    for each in read:
        if isinstance(each, Exception):
            log.error("%s waits: %s", what, each)
        else:
            found.append(each)
    return found


def _give(answer: "asyncio.Future[V | None]", value: V | Exception | None) -> None:
    if answer.done():  # they gave up
        return
    if isinstance(value, Exception):
        answer.set_exception(value)
    else:
        answer.set_result(value)

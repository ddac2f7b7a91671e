"""A process that is refused memory ends: what it holds is not to be believed any more.

A MemoryError may come out of any line: behind a list that was half taken over, before a task that
waits was woken. Who goes on gives wrong answers, or answers health checks and does no work. So each
edge that lets nothing pass shows what it caught to `end_if_refused` first. It refuses to know how a
process ends (`channels/decisions/0012`).
"""

from collections.abc import Callable

CHAIN_MAX = 20
"""So far back an error is followed to what it was raised from."""

_end: Callable[[], None] | None = None


def end_by(end: Callable[[], None] | None) -> None:
    """How this process ends when it is refused memory; None where an error is told like others, as
    in a command, which ends anyway.
    """
    global _end
    _end = end


def end_if_refused(error: BaseException | None) -> None:
    """End this process when the error tells that memory was refused; of others nothing is done."""
    if _end is not None and error is not None and tells_of_memory(error):
        _end()


def tells_of_memory(error: BaseException) -> bool:
    """Whether it is a MemoryError, or was raised from one or while one was looked after."""
    told: BaseException | None = error
    for _ in range(CHAIN_MAX):
        if told is None:
            return False
        if isinstance(told, MemoryError):
            return True
        told = told.__cause__ or told.__context__
    return False

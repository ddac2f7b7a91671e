"""The end of a process that is refused memory, wherever its errors come out: at the edges of our
code (`engine/memory.py`), in the loop's callbacks, in lines that libraries write, in finalisers.

It refuses to know what the process was at: who comes up in its place takes over, as after a kill.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from engine.memory import end_by, end_if_refused

REFUSED: Final = 71
"""The exit code of a process that was refused memory: EX_OSERR, the system's fault."""

_WORDS: Final = (
    b"CRITICAL: memory is refused, this process ends; another takes over what it began\n"
)
_STDERR: Final = 2


@contextmanager
def ending_without_memory() -> Iterator[None]:
    """A block in which this process ends when it is refused memory. To be entered once its log was
    set up; `watch_loop` for the loop it runs.
    """
    usual, refused = sys.unraisablehook, Refused()
    handlers = list(logging.getLogger().handlers)

    def told(unraisable: Any) -> None:
        end_if_refused(unraisable.exc_value)
        usual(unraisable)

    end_by(_end_now)
    sys.unraisablehook = told
    for handler in handlers:
        handler.addFilter(refused)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(refused)
        sys.unraisablehook = usual
        end_by(None)


def watch_loop(loop: asyncio.AbstractEventLoop) -> None:
    """What comes out of its callbacks is looked at before it is told."""
    loop.set_exception_handler(_tell)


class Refused(logging.Filter):
    """Looks at the error that a line carries: some of what libraries catch is seen nowhere else."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            end_if_refused(record.exc_info[1])
        return True


def _tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    end_if_refused(context.get("exception"))
    loop.default_exception_handler(context)


def _end_now() -> None:
    """Nothing that takes memory: no log, nothing finished. Its line was made long ago."""
    os.write(_STDERR, _WORDS)
    os._exit(REFUSED)

"""What a caller does not take of what was written to them: it lies in our memory, so they are cut.

It refuses to know what was written, and what a connection is besides.
"""

import asyncio
import logging
from typing import Final

from channels.web.seldom import Seldom

PERIODS: Final = 3
"""So many times as long as a request may take nothing may be taken of an answer."""
_TAKEN_BYTES_MIN: Final = 1024  # what drips is nothing

_seldom = Seldom(logging.getLogger(__name__))


class Unread:
    """Looks at one connection while it has something to say that is not taken."""

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        """`seconds` are how long a request may take."""
        self._transport = transport
        self._seconds = PERIODS * seconds
        self._left = 0
        self._took = False
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """From now on, until nothing is left. Safe to repeat."""
        if self._timer is None:
            self._left = self._transport.get_write_buffer_size()
            self._took = False
            self._wait()

    def took(self) -> None:
        """They took nearly all that was left. Safe to repeat."""
        self._took = True

    def stop(self) -> None:
        """The connection is gone. Safe to repeat."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        before, self._left = self._left, self._transport.get_write_buffer_size()
        took, self._took = self._took, False
        if not self._left:
            return
        # Where there is more than before, something else was said: nobody knows what was taken.
        if not took and 0 <= before - self._left < _TAKEN_BYTES_MIN:
            _seldom.warning("a caller took nothing of what was said to them")
            self._transport.abort()
        else:
            self._wait()

"""Signals that want us to stop, remembered until a moment when stopping is safe."""

import signal
from types import FrameType


class Interrupted(Exception):
    """Somebody wants us to stop: Ctrl-C, SIGTERM, or the terminal was closed."""


class Interrupts:
    """Remembers a signal instead of tearing a start-up apart in the middle of a step."""

    def __init__(self) -> None:
        self.received = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._receive)

    def check(self) -> None:
        """Raises Interrupted once a signal came."""
        if self.received:
            raise Interrupted

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.received = True

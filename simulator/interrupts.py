"""Signals that want us to stop, remembered until a moment when stopping is safe."""

import os
import signal
import sys
from types import FrameType


class Interrupted(Exception):
    """Somebody wants us to stop: Ctrl-C, SIGTERM, or the terminal was closed."""


class Interrupts:
    """Remembers a signal instead of tearing a start-up apart in the middle of a step.

    When the terminal was closed, what is still written to it goes nowhere: writing would fail, and
    the phones would wait for ever for what they have to say at their end.
    """

    def __init__(self) -> None:
        self.received = False
        self._written = [
            stream.fileno() for stream in (sys.__stdout__, sys.__stderr__)
            if stream is not None and stream.isatty()
        ]  # fmt: skip
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._receive)

    def check(self) -> None:
        """Raises Interrupted once a signal came."""
        if self.received:
            raise Interrupted

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGHUP:
            self._let_go()
        self.received = True

    def _let_go(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for terminal in self._written:
            os.dup2(nowhere, terminal)
        os.close(nowhere)

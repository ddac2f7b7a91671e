"""Each of our processes has a clock of its own, which can be moved while it runs."""

import time
from collections.abc import Mapping
from pathlib import Path

from simulator.child import Child
from simulator.stack import Stack
from tests.chaos.clocked import write


class Clocked(Stack):
    """A stack whose processes look at clocks of their own; none is off at the start."""

    def _spawn(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> Child:
        program, *command = arguments
        if program == "channels.cli":
            write(self._clock(name), 0.0)
            arguments = ["tests.chaos.clocked", str(self._clock(name)), *command]
        return super()._spawn(name, arguments, environment)

    def move_clock(self, name: str, seconds: float) -> None:
        """`name`: web, worker."""
        write(self._clock(name), seconds)

    def _clock(self, name: str) -> Path:
        return self.folder / f"{name}.clock"


REREAD_SECONDS = 310.0
"""What was written by a clock behind is read for businesses when that looks back next time."""


class Clocks:
    """Moves them, and knows until when what they wrote has an effect."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._felt_until = 0.0  # of the monotonic clock

    def move(self, name: str, seconds: float) -> None:
        """The clock of that process is off by so much; 0 puts it right."""
        assert isinstance(self._stack, Clocked), "this stack has no clocks of its own"
        self._stack.move_clock(name, seconds)

    def put_right(self, name: str, off_seconds: float) -> None:
        """It was off by so much until now, less than 0 if behind."""
        felt_seconds = REREAD_SECONDS + max(off_seconds, 0.0)
        self._felt_until = max(self._felt_until, time.monotonic() + felt_seconds)
        self.move(name, 0.0)

    @property
    def seconds_left(self) -> float:
        """How long until all that was written down by a clock ahead lies in the past, and what was
        by one behind has been found."""
        return max(0.0, self._felt_until - time.monotonic())

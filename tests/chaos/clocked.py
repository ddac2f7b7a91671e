"""The server's program with a clock that can be moved while it runs, as one machine's among many.

`python -m tests.chaos.clocked FILE COMMAND...`: what `capp COMMAND...` does, by a wall clock that
is off by the seconds in FILE. Clocks that only measure how long something takes stay as they are.
"""

import mmap
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

from channels import cli
from engine.clock import Clock

SECONDS = struct.Struct("=d")


def write(file: Path, seconds: float) -> None:
    """From now on whoever runs by this file is off by so much."""
    with file.open("r+b" if file.exists() else "wb") as opened:
        opened.write(SECONDS.pack(seconds))


def reading(file: Path) -> Callable[[], float]:
    """The epoch, off by what the file says at that moment."""
    with file.open("rb") as opened:
        off = mmap.mmap(opened.fileno(), SECONDS.size, access=mmap.ACCESS_READ)
    return lambda: time.time() + SECONDS.unpack_from(off)[0]


if __name__ == "__main__":
    _, named, *command = sys.argv
    Clock.epoch = staticmethod(reading(Path(named)))
    raise SystemExit(cli.main(command))

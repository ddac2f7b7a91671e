"""Python loads this by its name from a bench's path: a program then tells where its CPU went.

It profiles its main thread from one SIGUSR1 to the next, and writes `<pid>.prof` (for `pstats`) to
the folder in `BENCH_PROFILES`. Figures of such a run compare only with each other.
"""

import cProfile
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

FOLDER = os.environ.get("BENCH_PROFILES", "")
PROGRAMS = ("serve", "worker")

_profile = cProfile.Profile(time.thread_time)
_is_on = False


def switch(_: int, __: FrameType | None) -> None:
    global _is_on
    _is_on = not _is_on
    if _is_on:
        _profile.enable()
        return
    _profile.disable()
    _profile.dump_stats(Path(FOLDER) / f"{os.getpid()}.prof")


if FOLDER and any(word in PROGRAMS for word in sys.orig_argv):
    signal.signal(signal.SIGUSR1, switch)

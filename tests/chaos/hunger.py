"""Processes that get no more memory: what they have stays theirs, and nothing is added to it.

A limit on the address space, set from outside at what each has by now (Linux): a new arena, a large
buffer, a thread's stack are refused, and what was freed before is used again. It knows nothing of
payments.
"""

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterable
from pathlib import Path


class Hunger:
    """Takes the next byte away from processes, and gives it back."""

    def __init__(self) -> None:
        self._before: dict[int, int] = {}

    def begin(self, pids: Iterable[int]) -> None:
        """Of who is gone meanwhile nothing is limited."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                self._before[pid] = _limit(pid, _size_bytes(pid))

    def end(self) -> None:
        """All of them may grow again. Safe to repeat."""
        while self._before:
            pid, before = self._before.popitem()
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                _limit(pid, before)


def _limit(pid: int, bytes_max: int) -> int:
    """What it was before. Also where Postgres runs as somebody else, as it must below root."""
    owner = Path(f"/proc/{pid}").stat().st_uid
    if owner == os.getuid():
        before, hard = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (bytes_max, hard))
        return before
    command = ["prlimit", f"--pid={pid}", "--raw", "--noheadings", "--output=SOFT", "--as"]
    told = subprocess.run(command, capture_output=True, check=False, text=True, user=owner)
    if told.returncode:
        raise ProcessLookupError(told.stderr)
    before = -1 if told.stdout.strip() == "unlimited" else int(told.stdout)
    word = "unlimited" if bytes_max < 0 else str(bytes_max)
    subprocess.run(["prlimit", f"--pid={pid}", f"--as={word}:"], check=False, user=owner)
    return before


def _size_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    return pages * resource.getpagesize()

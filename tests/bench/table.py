"""What the benches share: programs that drive, CPU read from the kernel, and the printed table.

It knows nothing of what is measured. CPU per unit is the figure to trust: on a shared machine the
rate is only what the others left over.
"""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import uvloop

CORES = 2
"""What a ceiling is counted for: the cores of the machine the goals were set on."""

PROJECT = Path(__file__).resolve().parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")
_LOOP_TURNS = 75_000
_LOOK_SECONDS = 0.4


class Void(RuntimeError):
    """A book or a reply was wrong: the figures mean nothing."""


class Section(NamedTuple):
    """One bench's part of the printed table; `remarks` stand under it."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...] = ()

    def written(self) -> str:
        """As Markdown, columns padded so that it also reads well on a terminal."""
        lines = [self.header, *self.rows]
        widths = [max(len(line[n]) for line in lines) for n in range(len(self.header))]
        rule = tuple("-" * width for width in widths)
        out = [_line(line, widths) for line in (self.header, rule, *self.rows)]
        return "\n".join([*out, *self.remarks])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (cell if n == 0 else cell.rjust(widths[n]) for n, cell in enumerate(cells))
    return "| " + " | ".join([first.ljust(widths[0]), *rest]) + " |"


# CPU, in seconds, from proc(5): fields 14 to 17 of `stat` are user, system, and the same of
# children that ended and were waited for.


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads. Raises OSError when it is gone."""
    own = _stat(pid)[11:13]
    return sum(map(int, own)) / _TICKS


def family_cpu_seconds(pid: int) -> float:
    """The same with its children, living and ended: a Postgres server is such a family."""
    total = sum(map(int, _stat(pid)[11:15]))
    for child in children(pid):
        try:
            total += sum(map(int, _stat(child)[11:13]))
        except OSError:
            continue  # It ended meanwhile; the next reading finds its time with the parent's.
    return total / _TICKS


def children(pid: int) -> list[int]:
    """The living children of a process."""
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def machine_busy_seconds() -> float:
    """Time all cores together spent on anything, stolen time included, idle and waiting not."""
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    idle, waiting = fields[3], fields[4]
    return (sum(fields) - idle - waiting) / _TICKS


def _stat(pid: int) -> list[str]:
    # The name in brackets may itself hold blanks and brackets.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


class Pace:
    """How fast the machine was meanwhile: CPU milliseconds of a fixed loop, taken again and again.

    A microsecond is not always the same length. A neighbour, on this machine or on its host, makes
    every figure of a run longer, and this one with them. Looking costs a few hundredths of a core.
    """

    def __init__(self) -> None:
        self._samples = [_one_loop()]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def loop_ms(self) -> float:
        # Of speeds the mean is right, and a loop's time is one over a speed.
        return statistics.harmonic_mean(self._samples)

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self._samples.append(_one_loop())


def _one_loop() -> float:
    began, total = time.thread_time(), 0
    for number in range(_LOOP_TURNS):
        total += number
    return (time.thread_time() - began) * 1000


# Programs that drive.


class Driver:
    """A program of this folder, started as a child; both sides exchange one line at a time.

    The child's side is `hear_from_parent` and `say_to_parent`.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self.name = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """A program that does not end by itself once it hears nothing more is killed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def tell(self, word: object) -> None:
        """Raises Void when the program has ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(word) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise Void(f"{self.name} ended") from error

    def listen(self) -> Any:
        """Wait for the program's next line. Raises Void when it found so, or ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Void(f"{self.name} ended with exit code {self._process.wait()}")
        said = json.loads(line)
        if isinstance(said, dict) and "void" in said:
            raise Void(said["void"])
        return said


def say_to_parent(word: object) -> None:
    """A driver's side of `Driver.listen`."""
    sys.stdout.write(json.dumps(word) + "\n")
    sys.stdout.flush()


def hear_from_parent() -> Any:
    """A driver's side of `Driver.tell`; None when the parent has gone."""
    line = sys.stdin.readline()
    return json.loads(line) if line else None


def drive(work: Coroutine[Any, Any, None]) -> int:
    """A driver's life: the exit code, after telling the parent why a run is void."""
    try:
        uvloop.run(work)
    except Void as error:
        say_to_parent({"void": str(error)})
        return 1
    return 0


def progress(word: str) -> None:
    """What is known already, for whoever waits for a long run; not part of the table."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {word}\n")
    sys.stderr.flush()


def percentile_ms(seconds: Sequence[float], share: float) -> float:
    """The value that `share` of the measurements do not exceed, in milliseconds."""
    ordered = sorted(seconds)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000

"""One program running beside us: started in its own process group, logged, and surely ended."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from simulator.guard import Guard
from simulator.kept import write_whole

EXEC_SECONDS_MAX = 1.0
STOP_SECONDS = 8.0
TAIL_LINES = 25


class ChildDied(RuntimeError):
    """A program ended that should be running; the message ends with the last lines of its log."""


class Child:
    """A program that may be started, stopped, killed and started again."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self._environment = dict(environment)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; its log is continued."""
        assert not self.is_alive, f"{self.name} is running already"
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self._folder,
                env=self._environment,
                # A session of its own: Ctrl-C at the terminal reaches us, and we end it.
                start_new_session=True,
            )
        if self._guard is not None:
            self._guard.dismiss()
        self._guard = Guard(self._process.pid, signal.SIGTERM)

    def check(self) -> None:
        """Raises ChildDied when it is not running any more."""
        if not self.is_alive:
            raise ChildDied(f"{self.name} ended{self._exit_code()}; {self.log}:\n{self.tail()}")

    def stop(self) -> None:
        """End it in an orderly way, after a while by force. Safe to repeat."""
        if self._process is None:
            return
        if self.is_alive:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to it and to whatever it started, as when the power fails. Safe to repeat."""
        if self._process is None:
            return
        end_group(self._process.pid)
        self._process.kill()
        self._process.wait()
        if self._guard is not None:
            self._guard.dismiss()

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def _exit_code(self) -> str:
        code = None if self._process is None else self._process.poll()
        return "" if code is None else f" with exit code {code}"


def end_group(group: int) -> None:
    """SIGKILL to a process group; nothing happens when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def remember(children: Sequence[Child], file: Path) -> None:
    """Write down what runs, so that the next run can end what a killed one left behind."""
    running = [{"pid": child.pid, "command": child.command} for child in children if child.pid]
    write_whole(file, json.dumps(running))


def end_leftovers(file: Path, seconds: float = STOP_SECONDS) -> None:
    """End what `remember` wrote down, if those very programs still run."""
    if not file.exists():
        return
    for entry in json.loads(file.read_text("utf-8")):
        pid, command = entry["pid"], entry["command"]
        if not _runs(pid, command):
            continue
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while _runs(pid, command) and time.monotonic() < deadline:
            time.sleep(0.05)
        if _runs(pid, command):
            end_group(pid)
    file.unlink()


def _runs(pid: int, command: Sequence[str]) -> bool:
    """Whether this process id still belongs to this command line (Linux; elsewhere: no)."""
    deadline = time.monotonic() + EXEC_SECONDS_MAX
    while True:
        try:
            found = Path(f"/proc/{pid}/cmdline").read_bytes()
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        # A process that is just becoming its program has no command line yet; a zombie has none
        # any more.
        if found or state == "Z" or time.monotonic() > deadline:
            return found.rstrip(b"\0").split(b"\0") == [part.encode() for part in command]
        time.sleep(0.01)

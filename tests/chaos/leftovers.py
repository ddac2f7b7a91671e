"""Whether a process is still there that a run has started (Linux; elsewhere nothing is seen)."""

import time
from collections.abc import Collection
from pathlib import Path

GONE_SECONDS_MAX = 60.0


def left_behind(
    started: Collection[int], folder: Path, *, patience_seconds: float = GONE_SECONDS_MAX
) -> list[str]:
    """Command lines of what still lives after a while.

    Ours is what was started, whatever shares its session, and whatever works inside the run's own
    folder: the processes Postgres makes for connections have sessions of their own.
    """
    deadline = time.monotonic() + patience_seconds
    while (found := _ours(started, folder.resolve())) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _ours(started: Collection[int], folder: Path) -> list[str]:
    return [
        f"{process.name}: {_command(process)}"
        for process in Path("/proc").glob("[0-9]*")
        if _session(process) in started or _works_in(process, folder)
    ]


def _session(process: Path) -> int | None:
    """The session it belongs to; a zombie is dead, and only its parent does not know."""
    try:
        state, _, _, session = (process / "stat").read_text().rpartition(")")[2].split()[:4]
    except (OSError, ValueError):
        return None
    return None if state == "Z" else int(session)


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink().is_relative_to(folder)
    except OSError:
        return False


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "?"

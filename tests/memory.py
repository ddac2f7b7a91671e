"""Where the servers of a test run keep their files: in memory where there is room.

A database is a thousand files, and copying one costs a tenth there of what it costs on a disk. What
a killed run left behind is removed by the next.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4 * 2**30
PREFIX = "capp-test-"


@contextmanager
def folder_of_run(memory: Path = MEMORY, bytes_min: int = MEMORY_BYTES_MIN) -> Iterator[Path]:
    """A folder for as long as the block lasts; on the disk when `memory` has no room."""
    parent = Path(tempfile.gettempdir())
    if memory.is_dir():
        remove_leftovers(memory)
        if shutil.disk_usage(memory).free >= bytes_min:
            parent = memory
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    # Held by this process: the system lets go of it however the process ends. It has its name only
    # then: another run that begins takes a lock that nobody holds for one of a killed run.
    with (folder / "lock.unheld").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "lock.unheld").rename(folder / "lock")
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(parent: Path) -> None:
    """Folders of runs that have ended; one that is only beginning has no lock yet, and stays."""
    for lock_file in parent.glob(f"{PREFIX}*/lock"):
        try:
            with lock_file.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock_file.parent, ignore_errors=True)
        except OSError:
            continue  # somebody's run, or another run removes it just now

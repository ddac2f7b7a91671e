"""A data folder is one run's: whoever comes second hears so. The lock ends with its process."""

import fcntl
from pathlib import Path


class Busy(RuntimeError):
    """Another run uses the same data folder."""


class NoFolder(RuntimeError):
    """The data folder cannot be made, or nothing can be written there."""


class FolderLock:
    """Held from the moment it is made. Raises Busy, and OSError for a folder that is none."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "lock").open("a")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise Busy(f"another run uses {folder}; stop it first") from error

    def release(self) -> None:
        """Safe to repeat."""
        self._file.close()

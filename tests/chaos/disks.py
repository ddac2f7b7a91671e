"""A small disk for Postgres alone, which can be filled to its last page.

It is memory, mounted where only this run sees it: it is gone with the last of the run's processes,
and the machine's own disk is never full. Needs Linux and root.
"""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE_BYTES = 512 << 20
PAGE_BYTES = 4096
CLONE_NEWNS = 0x00020000  # sched.h: mounts of our own


class NoSmallDisk(Exception):
    """None can be mounted here; the message says why."""


class SmallDisk:
    """Mounted on `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ballast = folder / "ballast"

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """Nothing more fits on it. Safe to repeat."""
        size = self.free_bytes
        with self._ballast.open("ab") as ballast:
            while size >= PAGE_BYTES:
                try:
                    os.posix_fallocate(ballast.fileno(), ballast.seek(0, os.SEEK_END), size)
                except OSError:  # so much is not there any more: others write meanwhile
                    size //= 2

    def clear(self) -> None:
        """As when somebody has made room. Safe to repeat."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, size_bytes: int = SIZE_BYTES) -> Iterator[SmallDisk]:
    """On `folder` until the block ends; what was on it lies in the folder afterwards.

    Raises NoSmallDisk where this process may mount nothing.
    """
    _keep_mounts_to_ourselves()
    folder.mkdir(parents=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "none", str(folder))
    disk = SmallDisk(folder)
    kept = folder.with_name(f"{folder.name}-kept")
    try:
        yield disk
    finally:
        disk.clear()
        shutil.copytree(folder, kept, symlinks=True)
        _run("umount", str(folder))
        folder.rmdir()
        kept.rename(folder)


def _keep_mounts_to_ourselves() -> None:
    if sys.platform != "linux":
        raise NoSmallDisk("only Linux knows mounts of a process's own")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        why = os.strerror(ctypes.get_errno())
        raise NoSmallDisk(f"mounts of our own: {why}; a small disk takes root")
    _run("mount", "--make-rprivate", "/")


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise NoSmallDisk(f"{' '.join(command)}: {said.strip()}") from error

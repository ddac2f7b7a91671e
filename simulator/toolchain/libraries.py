"""The toolchain's two native libraries: found in a cache outside the checkout, or fetched by npm.

Nothing is loaded whose sha256 is not the one written here. What they do is known elsewhere.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

VERSION = "0.2.12"
PACKAGE = f"@initia/builder.js@{VERSION}"
PROVEN = "linux x86_64"
FETCH_SECONDS_MAX = 300
COMPILER = "libcompiler.x86_64.so"
MACHINE = "libmovevm.x86_64.so"
# The package's own files for Linux on x86_64, as the package index gave them on 2026-11-20.
SHA256 = {
    COMPILER: "5f16fe2eeebdc2b460d73707791a09f27c45909c03b47f22061475bbbd923102",
    MACHINE: "17ae2c91248e642a246eb792f6a568d86f10ca1881f9d8c228da8da80dc7c0cb",
}
PAPERS = ("package.json", "LICENSE")

Reason = Literal["machine", "npm", "network", "hash"]


class ToolchainMissing(RuntimeError):
    """The Move toolchain cannot be had here; `reason` says in one word why, the message in full.

    `machine`: not Linux on x86_64. `npm`: no npm client. `network`: npm could not fetch the
    package. `hash`: a file is not the one that is known, and was not loaded.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"the Move toolchain cannot be had ({reason}): {message}")
        self.reason = reason


class Libraries(NamedTuple):
    """Where the two libraries lie; both were found to be the known ones."""

    compiler: Path
    machine: Path


def libraries(
    environment: Mapping[str, str] = os.environ, *, machine: str | None = None
) -> Libraries:
    """The libraries out of the cache, fetched first when they are not there.

    `machine` is the system and processor this runs on, if not what Python says. Raises
    `ToolchainMissing`. Safe to repeat, and for several processes at once: a folder of the cache
    appears whole or not at all.
    """
    found = machine or f"{sys.platform} {platform.machine()}"
    if found != PROVEN:
        raise ToolchainMissing("machine", f"proven on {PROVEN} alone, this is {found}")
    folder = cache_folder(environment) / f"builder-{VERSION}"
    if not folder.exists():
        _fetch(folder, environment)
    for name, expected in SHA256.items():
        _require_known(folder / name, expected)
    return Libraries(compiler=folder / COMPILER, machine=folder / MACHINE)


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """`$CAPP_MOVE_CACHE`, else `capp/move` where the user keeps caches; it may not exist yet."""
    if chosen := environment.get("CAPP_MOVE_CACHE"):
        return Path(chosen)
    home = environment.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "capp" / "move"


def keep(whole: Path, folder: Path) -> None:
    """Move a finished folder to where others look for it; who was faster has done the same."""
    try:
        whole.rename(folder)
    except OSError:
        if not folder.exists():
            raise


def _fetch(folder: Path, environment: Mapping[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as name:
        scratch = Path(name)
        unpacked = scratch / "unpacked"
        unpack(_pack(scratch, environment), unpacked)
        for library, expected in SHA256.items():
            _require_known(unpacked / library, expected)
        keep(unpacked, folder)


def _pack(scratch: Path, environment: Mapping[str, str]) -> Path:
    npm = shutil.which("npm", path=environment.get("PATH"))
    if npm is None:
        raise ToolchainMissing("npm", "no npm client is installed; it fetches the package")
    command = [npm, "pack", PACKAGE, "--ignore-scripts", "--prefer-offline", "--silent"]
    try:
        done = subprocess.run(
            command,
            cwd=scratch,
            env=environment,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as late:
        raise ToolchainMissing(
            "network", f"npm gave no answer in {FETCH_SECONDS_MAX} seconds"
        ) from late
    found = sorted(scratch.glob("*.tgz"))
    if done.returncode != 0 or not found:
        raise ToolchainMissing("network", f"npm could not fetch {PACKAGE}: {done.stderr.strip()}")
    return found[0]


def unpack(tarball: Path, folder: Path) -> None:
    """Take the two libraries and their papers out of the package; nothing else."""
    folder.mkdir(parents=True)
    libraries_ = {f"package/library/{name}" for name in SHA256}
    wanted = libraries_ | {f"package/{name}" for name in PAPERS}
    with tarfile.open(tarball) as archive:
        for member in archive:
            if member.name not in wanted or not member.isfile():
                continue
            content = archive.extractfile(member)
            assert content is not None, "a regular file has content"
            with (folder / Path(member.name).name).open("wb") as out:
                shutil.copyfileobj(content, out)


def _require_known(file: Path, expected: str) -> None:
    if not file.is_file():
        raise ToolchainMissing("hash", f"{file} is not there; delete its folder and run again")
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != expected:
        raise ToolchainMissing(
            "hash", f"{file} has sha256 {found}, not {expected}; delete its folder and run again"
        )

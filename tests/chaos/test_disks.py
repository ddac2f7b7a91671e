"""The small disk is full to its last page, has room again, and is seen by nobody else."""

import subprocess
import sys
from pathlib import Path

import pytest

from simulator.stack import PROJECT

NONE_HERE = 3
FILLS = """
import errno, sys
from pathlib import Path
from tests.chaos.disks import NoSmallDisk, small_disk

folder = Path(sys.argv[1])
try:
    with small_disk(folder, 8 << 20) as disk:
        file = folder / "kept"
        disk.fill()
        try:
            file.write_bytes(b"x" * 10_000)
        except OSError as error:
            print(errno.errorcode[error.errno], disk.free_bytes)
        disk.clear()
        print(file.write_bytes(b"x" * 10_000), flush=True)
        sys.stdin.readline()
except NoSmallDisk as why:
    print(why)
    sys.exit(3)
"""


def test_a_small_disk_is_filled_and_cleared_and_what_was_on_it_stays(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    command = [sys.executable, "-c", FILLS, str(folder)]
    with subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        first = process.stdout.readline()
        if first.startswith("ENOSPC"):
            assert first == "ENOSPC 0\n" and process.stdout.readline() == "10000\n"
            assert [*folder.iterdir()] == [], "whoever is outside sees the folder alone"
        said, _ = process.communicate("\n", timeout=120)
    if process.returncode == NONE_HERE:
        pytest.skip(first.strip())
    assert process.returncode == 0, said
    assert (folder / "kept").stat().st_size == 10_000

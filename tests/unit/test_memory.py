import fcntl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.memory import folder_of_run, remove_leftovers

KEEPER = """
import sys, time
from pathlib import Path
from tests.memory import folder_of_run
with folder_of_run(Path(sys.argv[1]), bytes_min=0) as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


def test_folder_is_in_memory_and_gone_afterwards(tmp_path: Path) -> None:
    with folder_of_run(tmp_path, bytes_min=0) as folder:
        (folder / "postgres").mkdir()
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_folder_is_on_the_disk_when_memory_has_no_room_or_is_not_there(tmp_path: Path) -> None:
    for memory, bytes_min in ((tmp_path, 2**62), (tmp_path / "nowhere", 0)):
        with folder_of_run(memory, bytes_min) as folder:
            assert folder.parent == Path(tempfile.gettempdir())
        assert not folder.exists()


def test_a_running_folder_stays_and_one_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KEEPER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        left = Path(keeper.stdout.readline().strip())
        remove_leftovers(tmp_path)
        assert left.exists()
        keeper.kill()
    beginning = tmp_path / "capp-test-beginning"
    beginning.mkdir()
    with folder_of_run(tmp_path, bytes_min=0) as folder:
        assert set(tmp_path.iterdir()) == {folder, beginning}


def test_a_run_that_begins_leaves_one_alone_that_has_not_yet_taken_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = fcntl.flock

    def late(lock: Any, how: int) -> None:
        if how == fcntl.LOCK_EX:
            remove_leftovers(tmp_path)
        take(lock, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with folder_of_run(tmp_path, bytes_min=0) as folder:
        remove_leftovers(tmp_path)
        assert folder.exists()

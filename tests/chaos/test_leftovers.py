"""A process that was left behind is found, by its session and by the folder it works in."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.leftovers import left_behind

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_living_process_is_found_and_a_dead_one_is_not(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEP, cwd=tmp_path, start_new_session=True) as process:
        try:
            by_session = left_behind({process.pid}, Path("/nowhere"), patience_seconds=0)
            by_folder = left_behind(set(), tmp_path, patience_seconds=0)
        finally:
            process.kill()
    assert len(by_session) == len(by_folder) == 1 and "time.sleep" in by_session[0]
    assert left_behind({process.pid}, tmp_path) == []

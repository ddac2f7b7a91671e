"""A process's clock is moved while it runs, and only its own."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulator.stack import PROJECT
from tests.chaos.clocked import reading, write


def test_a_clock_is_off_by_what_its_file_says_at_that_moment(tmp_path: Path) -> None:
    file, other = tmp_path / "web.clock", tmp_path / "worker.clock"
    write(file, 0.0)
    write(other, 0.0)
    epoch, others = reading(file), reading(other)
    for off in (0.0, 120.0, -90.0, 0.0):
        write(file, off)
        assert epoch() - time.time() == pytest.approx(off, abs=30)
        assert others() - time.time() == pytest.approx(0, abs=30)


def test_the_servers_own_program_runs_by_it(tmp_path: Path) -> None:
    file = tmp_path / "worker.clock"
    write(file, -3600.0)
    said = (
        "import runpy, sys, time; from channels import cli; from engine.clock import Clock;"
        "cli.main = lambda command: print(command, round((Clock().epoch() - time.time()) / 60));"
        f"sys.argv = ['clocked', {str(file)!r}, 'worker'];"
        "runpy.run_module('tests.chaos.clocked', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", said], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "['worker'] -60\n", done.stderr

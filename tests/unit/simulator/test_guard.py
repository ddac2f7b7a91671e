import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from simulator.guard import Guard

# Starts a program, has it guarded, tells its number, and waits to be killed.
KEEPER = """
import subprocess, sys, time
from simulator.guard import Guard
program = subprocess.Popen(["sleep", "600"], start_new_session=True)
guard = Guard(program.pid, {signal})
if {dismissed}:
    guard.dismiss()
print(program.pid, flush=True)
time.sleep(600)
"""
SECONDS_MAX = 120.0


def killed_keeper(*, dismissed: bool) -> int:
    """The program whose keeper was just killed with no time to stop it."""
    source = KEEPER.format(signal=int(signal.SIGTERM), dismissed=dismissed)
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as keeper:
        assert keeper.stdout is not None
        pid = int(keeper.stdout.readline())
        keeper.kill()
    return pid


def lives(pid: int) -> bool:
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")


def test_a_program_whose_keeper_is_killed_ends() -> None:
    pid = killed_keeper(dismissed=False)
    deadline = time.monotonic() + SECONDS_MAX
    while lives(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not lives(pid)


def test_a_program_whose_guard_was_dismissed_lives_on() -> None:
    pid = killed_keeper(dismissed=True)
    try:
        time.sleep(0.3)
        assert lives(pid)
    finally:
        subprocess.run(["kill", "-9", str(pid)], check=True)


@pytest.fixture
def program() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as started:
        yield started
        started.kill()


def test_dismissing_twice_is_once_and_harms_nobody(program: subprocess.Popen[bytes]) -> None:
    guard = Guard(program.pid, signal.SIGTERM)
    guard.dismiss()
    guard.dismiss()
    assert program.poll() is None

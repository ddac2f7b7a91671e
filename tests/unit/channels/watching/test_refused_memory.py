"""A process to which the system gives no more memory ends, wherever that comes out."""

import logging
import subprocess
import sys

import pytest

from channels.watching.memory import REFUSED, ending_without_memory
from engine.memory import end_if_refused
from simulator.stack import PROJECT

PROGRAM = """
import asyncio, gc, logging, resource, sys
from channels.watching.logs import set_up_logging
from channels.watching.memory import ending_without_memory, watch_loop
from engine.tasks import Tasks, for_life

set_up_logging("info", "text")

def grow():  # more than a process of ours ever takes at once
    return bytearray(64 << 20)

async def grows():
    grow()

class Grows:
    def __del__(self):
        grow()

class Library:
    def work(self):
        try:
            grow()
        except Exception:
            logging.getLogger("library").exception("it goes on")

async def main():
    watch_loop(asyncio.get_running_loop())
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (32 << 20), resource.RLIM_INFINITY))
    match sys.argv[1]:
        case "nowhere":
            pass
        case "a callback":
            asyncio.get_running_loop().call_soon(grow)
        case "a task of a room":
            Tasks(failed="later").start(grows())
        case "work for life":
            kept.append(for_life(grows()))
        case "a task that nobody asks":
            asyncio.create_task(grows())
        case "a finaliser":
            Grows()
        case "a library that tells the log":
            Library().work()
    gc.collect()
    await asyncio.sleep(0.2)
    print("lives", flush=True)

kept = []
with ending_without_memory():
    asyncio.run(main())
"""
PLACES = (
    "a callback", "a task of a room", "work for life", "a task that nobody asks", "a finaliser",
    "a library that tells the log",
)  # fmt: skip


def run(place: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, place]
    return subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("place", PLACES)
def test_a_process_that_is_refused_memory_ends(place: str) -> None:
    told = run(place)
    assert (told.returncode, told.stdout) == (REFUSED, ""), told.stderr
    assert told.stderr.endswith("memory is refused, this process ends; another takes over what"
                                " it began\n")  # fmt: skip


def test_behind_the_block_nothing_ends_the_process_any_more() -> None:
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    usual = sys.unraisablehook
    try:
        with ending_without_memory():
            assert len(handler.filters) == 1 and sys.unraisablehook is not usual
        assert handler.filters == [] and sys.unraisablehook is usual
        end_if_refused(MemoryError())
    finally:
        logging.getLogger().removeHandler(handler)


def test_a_process_that_needs_no_more_lives_on() -> None:
    told = run("nowhere")
    assert (told.returncode, told.stdout) == (0, "lives\n"), told.stderr

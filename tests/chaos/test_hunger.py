"""Who starves is refused memory and gets it back; and a run in which each of them does."""

import secrets
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import IO

import pytest

from tests.chaos.draws import STARVES, draw_starvations
from tests.chaos.hunger import Hunger
from tests.chaos.run import Plan, run

EATS = """
import sys
print("ready", flush=True)
for _ in sys.stdin:
    try:
        print(len(bytearray(256 << 20)), flush=True)
    except MemoryError:
        print("refused", flush=True)
"""


def test_a_process_is_refused_memory_until_it_is_over() -> None:
    hunger = Hunger()
    command = [sys.executable, "-c", EATS]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        eat = partial(ate, process.stdin, process.stdout)
        assert eat() == "268435456\n"
        hunger.begin([process.pid])
        assert eat() == "refused\n"
        for _ in range(2):
            hunger.end()
            assert eat() == "268435456\n"
        process.stdin.close()


def ate(asks: IO[str], answers: IO[str]) -> str:
    asks.write("\n")
    asks.flush()
    return answers.readline()


def test_who_is_gone_starves_nobody() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    Hunger().begin([process.pid])


@pytest.mark.long("real processes for minutes; tests/simulation plays the same at every answer")
def test_nothing_is_lost_or_paid_twice_when_who_serves_is_refused_memory(
    servers_folder: Path,
) -> None:
    seed, lines = secrets.token_hex(4), list[str]()
    folder = servers_folder / "hunger"
    plan = Plan(
        cycles=len(STARVES), seed=seed, callers=3, has_strangers=False, draw=draw_starvations,
        is_troubled=True,
    )  # fmt: skip
    result = run(folder, plan, lines.append)
    assert result.breaches == [], f"--blows memory --cycles {len(STARVES)} --seed {seed}"
    assert set(result.kills) == set(STARVES)
    ended = "memory is refused, this process ends"
    logs = folder / "stack" / "logs"
    assert ended in (logs / "web.log").read_text() + (logs / "worker.log").read_text()
    postgres = (folder / "databases" / "postgres" / "server.log").read_text()
    assert "out of memory" in postgres

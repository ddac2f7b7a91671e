"""The loop keeps its promises: one order a seed, virtual time, and death without last words."""

import asyncio
import random
import time

import pytest

from engine.gather import Gatherer
from tests.simulation.loop import Deadlock, Process, make_loop


def order_of(seed: int) -> list[int]:
    loop = make_loop(random.Random(seed))
    seen: list[int] = []

    async def arrive(number: int) -> None:
        seen.append(number)

    for number in range(8):
        loop.spawn(arrive(number))
    loop.run_until(lambda: len(seen) == 8)
    loop.close()
    return seen


def test_the_seed_chooses_the_order_and_nothing_else_does() -> None:
    orders = {tuple(order_of(seed)) for seed in range(20)}
    assert len(orders) > 10
    assert all(order_of(7) == order_of(7) for _ in range(5))


def test_time_jumps_to_the_next_timer_and_costs_none() -> None:
    loop = make_loop(random.Random(1))
    began, woke = time.monotonic(), []

    async def sleep(days: int) -> None:
        await asyncio.sleep(days * 86_400)
        woke.append((days, loop.time()))

    for days in (30, 10, 20):
        loop.spawn(sleep(days))
    loop.run_until(lambda: len(woke) == 3)
    assert woke == [(d, d * 86_400.0) for d in (10, 20, 30)]
    assert time.monotonic() - began < 600, "it was waited for"


def test_what_nobody_will_ever_wake_is_a_deadlock() -> None:
    loop = make_loop(random.Random(1))

    async def wait() -> None:
        await loop.create_future()

    loop.spawn(wait())
    with pytest.raises(Deadlock):
        loop.run_until(lambda: False)
    loop.close()


def test_an_error_that_nobody_hears_stops_the_world() -> None:
    loop = make_loop(random.Random(1))

    async def fail() -> None:
        raise ValueError("unheard")

    async def parent() -> None:
        process = Process("brief")
        loop.spawn(fail(), process)
        await asyncio.sleep(1)
        process.tasks.clear()

    loop.spawn(parent())
    with pytest.raises(AssertionError, match="unheard"):
        loop.run_until(lambda: False)
    loop.close()


@pytest.mark.parametrize("step", range(1, 6))
def test_a_killed_process_never_runs_again_not_even_what_is_finally(step: int) -> None:
    loop = make_loop(random.Random(step))
    said: list[str] = []
    dead: list[Process] = []
    loop.on_death = dead.append
    process = Process("victim")
    process.dies_at_step = step

    async def talk() -> None:
        try:
            for n in range(10):
                said.append(f"{n}")
                await asyncio.sleep(1)
        finally:
            said.append("last words")

    loop.spawn(talk(), process)
    loop.spawn(asyncio.sleep(60))
    loop.run_until(lambda: loop.time() >= 60)
    assert dead == [process]
    assert len(said) == step // 2  # each sleep is two steps: its timer, and the task itself
    assert "last words" not in said
    loop.close()


def test_what_a_dead_process_asked_for_is_done_all_the_same() -> None:
    loop = make_loop(random.Random(1))
    done: list[str] = []
    heard: list[str] = []
    process = Process("sender")

    def store() -> str:
        done.append("stored")
        return "reply"

    async def ask() -> None:
        heard.append(await loop.remote(1.0, store, 1.0))

    loop.spawn(ask(), process)
    loop.outside(0.5, loop.kill, process)
    loop.outside(9.0, done.append, "later")
    loop.run_until(lambda: "later" in done)
    assert (done, heard) == (["stored", "later"], [])
    loop.close()


def test_a_frozen_process_goes_on_later_and_the_others_meanwhile() -> None:
    loop = make_loop(random.Random(1))
    seen: list[tuple[str, float]] = []
    slow, quick = Process("slow"), Process("quick")
    slow.frozen_until = 100.0

    async def work(name: str) -> None:
        await asyncio.sleep(1)
        seen.append((name, loop.time()))

    loop.spawn(work("slow"), slow)
    loop.spawn(work("quick"), quick)
    loop.run_until(lambda: len(seen) == 2)
    assert seen == [("quick", 1.0), ("slow", 101.0)]


def test_gather_timeouts_and_the_gatherer_run_on_it() -> None:
    loop = make_loop(random.Random(3))
    batches: list[int] = []
    out: list[object] = []

    async def fetch(keys: object) -> dict[int, int]:
        batches.append(len(list(keys)))  # type: ignore[call-overload]
        await asyncio.sleep(1)
        return {key: key * 2 for key in range(50)}

    async def run() -> None:
        gatherer: Gatherer[int, int] = Gatherer(fetch)
        out.extend(await asyncio.gather(*[gatherer.get(n) for n in range(50)]))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(10), 1)
        out.append("over")

    loop.spawn(run())
    loop.run_until(lambda: "over" in out)
    assert out[:50] == [n * 2 for n in range(50)]
    assert sum(batches) == 50

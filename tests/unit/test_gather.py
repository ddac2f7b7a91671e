import asyncio
from collections.abc import Sequence

import pytest

from engine.gather import BUSY_SECONDS, Gatherer
from tests.leap import leap, stand


async def test_questions_of_one_moment_travel_together_and_each_gets_its_answer() -> None:
    asked: list[list[int]] = []

    async def fetch(keys: Sequence[int]) -> dict[int, str]:
        asked.append(list(keys))
        await asyncio.sleep(0)
        return {key: str(key) for key in keys if key % 2}

    gather = Gatherer(fetch)
    answers = await asyncio.gather(*[gather.get(n) for n in (1, 2, 3, 3)])
    assert answers == ["1", None, "3", "3"]
    assert asked == [[1, 2, 3]]
    assert await gather.get(5) == "5"


async def test_a_failed_batch_fails_for_those_who_asked_and_for_nobody_after() -> None:
    broken = True

    async def fetch(keys: Sequence[int]) -> dict[int, int]:
        if broken:
            raise ConnectionError("database away")
        return dict.fromkeys(keys, 7)

    gather = Gatherer(fetch)
    results = await asyncio.gather(gather.get(1), gather.get(2), return_exceptions=True)
    assert [type(r) for r in results] == [ConnectionError, ConnectionError]
    broken = False
    assert await gather.get(1) == 7


async def test_more_questions_than_a_batch_holds_are_asked_in_turns() -> None:
    sizes: list[int] = []

    async def fetch(keys: Sequence[int]) -> dict[int, int]:
        sizes.append(len(keys))
        return {key: key for key in keys}

    gather = Gatherer(fetch, batch_max=10)
    assert await asyncio.gather(*[gather.get(n) for n in range(25)]) == list(range(25))
    assert sizes == [10, 10, 5]


async def test_one_who_gives_up_disturbs_nobody() -> None:
    released = asyncio.Event()

    async def fetch(keys: Sequence[int]) -> dict[int, int]:
        await released.wait()
        return {key: key for key in keys}

    gather = Gatherer(fetch)
    first, second = gather.get(1), gather.get(1)
    await asyncio.sleep(0)
    first.cancel()
    released.set()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.parametrize("patience", [BUSY_SECONDS / 2, 0.05])
async def test_who_asks_seldom_waits_for_nobody_and_who_asks_often_for_company(
    patience: float,
) -> None:
    asked: list[list[int]] = []

    async def fetch(keys: Sequence[int]) -> dict[int, int]:
        asked.append(list(keys))
        return {}

    stand()
    gather = Gatherer(fetch, patience=patience)
    seldom = gather.get(1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert seldom.done()

    often = gather.get(2)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not often.done()
    company = gather.get(3)  # it came a little later
    leap(patience)
    await company
    assert asked == [[1], [2, 3]]
    leap(2 * max(BUSY_SECONDS, patience))
    last = gather.get(4)
    for _ in range(3):
        await asyncio.sleep(0)
    assert last.done()

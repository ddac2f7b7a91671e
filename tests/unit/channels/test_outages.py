import asyncio
import logging
from collections.abc import Iterator

import asyncpg
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from channels.outages import QUIET_SECONDS, SILENT_SECONDS, Outages, watch_for_end
from engine.outages import POSTGRES, REDIS
from tests.until import until

AWAY = ConnectionRefusedError(111, "Connect call failed")


class Ticks:
    """A monotonic clock that moves by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Lines(logging.Handler):
    """Keeps what was let pass, as it would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter())
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def outages(ticks: Ticks) -> Outages:
    return Outages(ticks)


@pytest.fixture
def lines(outages: Outages) -> Iterator[Lines]:
    lines = Lines()
    lines.addFilter(outages)
    log, own = logging.getLogger("outage test"), logging.getLogger("channels.outages")
    for logger in (log, own):
        logger.addHandler(lines)
    yield lines
    for logger in (log, own):
        logger.removeHandler(lines)


def fail(error: Exception = AWAY, *, trace: bool = False) -> None:
    log = logging.getLogger("outage test")
    if not trace:
        log.warning("rates not refreshed: %s", error)
        return
    try:
        raise error
    except Exception:
        log.exception("a door failed")


@pytest.mark.parametrize("trace", [False, True])
def test_only_the_first_line_of_an_outage_is_written_and_without_its_trace(
    lines: Lines, trace: bool
) -> None:
    for _ in range(3):
        fail(trace=trace)
        fail(trace=not trace)
    (line,) = lines.written
    assert line.startswith("Postgres is away, which is told once: ")
    assert "Traceback" not in line


def test_the_end_tells_how_long_it_was_and_is_told_once(
    outages: Outages, lines: Lines, ticks: Ticks
) -> None:
    outages.end(POSTGRES)
    fail()
    fail()
    ticks.seconds += 31
    assert outages.is_told(POSTGRES)
    outages.end(POSTGRES)
    outages.end(POSTGRES)
    assert not outages.is_told(POSTGRES)
    assert lines.written[1:] == ["Postgres is back after 31 s; 1 lines about it were left out"]
    fail()
    assert len(lines.written) == 3, "the next outage is told again"


def test_each_server_has_outages_of_its_own(outages: Outages, lines: Lines) -> None:
    fail()
    fail(RedisConnectionError("refused"))
    outages.end(POSTGRES)
    assert len(lines.written) == 3
    assert outages.is_told(REDIS)


def test_a_line_after_a_long_silence_is_another_outage(lines: Lines, ticks: Ticks) -> None:
    fail()
    ticks.seconds += QUIET_SECONDS - 1
    fail()
    ticks.seconds += QUIET_SECONDS - 1
    fail()
    assert len(lines.written) == 1
    ticks.seconds += QUIET_SECONDS + 1
    fail()
    assert len(lines.written) == 2


def test_other_lines_and_other_errors_pass_as_they_are(lines: Lines) -> None:
    fail()
    logging.getLogger("outage test").warning("%d payments of %s", 2, "today")
    logging.getLogger("outage test").warning("%(n)d payments", {"n": 2})
    fail(KeyError("x"), trace=True)
    assert lines.written[1:3] == ["2 payments of today", "2 payments"]
    assert "Traceback" in lines.written[3]


async def test_the_end_is_found_by_asking_and_only_while_it_is_away(
    outages: Outages, lines: Lines, ticks: Ticks
) -> None:
    answers: list[Exception | None] = [AWAY, None]
    answered = asyncio.Event()
    asked = 0

    async def ask() -> None:
        nonlocal asked
        asked += 1
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        answered.set()

    watch = asyncio.create_task(watch_for_end(outages, POSTGRES, ask, every_seconds=0.001))
    await asyncio.sleep(0.02)
    assert asked == 0
    fail()
    await asyncio.sleep(0.02)
    assert asked == 0, "there is talk of it"
    ticks.seconds += SILENT_SECONDS
    async with asyncio.timeout(120):
        await answered.wait()
    await until(lambda: "is back" in lines.written[-1])
    await asyncio.sleep(0.02)  # nor does it ask once more
    watch.cancel()
    assert asked == 2
    assert "is back" in lines.written[-1]


async def test_an_outage_lasts_as_long_as_lines_speak_of_it_whatever_the_server_answers(
    outages: Outages, lines: Lines, ticks: Ticks
) -> None:
    """A disk that is full: Postgres answers all along."""

    async def ask() -> None:
        return

    watch = asyncio.create_task(watch_for_end(outages, POSTGRES, ask, every_seconds=0.001))
    for _ in range(5):
        fail(asyncpg.DiskFullError("could not extend file"), trace=True)
        ticks.seconds += SILENT_SECONDS - 0.5
        await asyncio.sleep(0.01)
    assert len(lines.written) == 1
    ticks.seconds += 0.5
    await until(lambda: len(lines.written) > 1)
    watch.cancel()
    assert lines.written[1:] == ["Postgres is back after 8 s; 4 lines about it were left out"]


async def test_that_redis_is_back_is_found_by_asking_as_well(
    outages: Outages, lines: Lines, ticks: Ticks
) -> None:
    answers: list[Exception] = [RedisConnectionError("refused"), RedisError("odd")]
    answered = asyncio.Event()

    async def ask() -> None:
        if answers:
            raise answers.pop(0)
        answered.set()

    watch = asyncio.create_task(watch_for_end(outages, REDIS, ask, every_seconds=0.001))
    fail(RedisConnectionError("refused"))
    ticks.seconds += SILENT_SECONDS
    async with asyncio.timeout(30):
        await answered.wait()
    await asyncio.sleep(0.02)
    watch.cancel()
    assert lines.written[1:] == ["Redis is back after 2 s; 0 lines about it were left out"]

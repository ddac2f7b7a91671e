"""Each weather does what it says, so that no run passes because nothing went wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from tests.chaos.relay import HOST, SLOW_SECONDS, Network, Weather
from tests.listening import listening
from tests.until import until

BODY = b'{"status": "taken"}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)
SILENT_SECONDS = 0.3
ROUNDED_SECONDS = 0.01
"""So much sooner than it says a loop that counts milliseconds may wake, twice."""
PATIENCE_SECONDS = 60.0


class End(NamedTuple):
    """Our end of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self) -> None:
        self.writer.write(b"order\n")
        await self.writer.drain()

    async def hear(self) -> bytes:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.read(1000)

    async def hears_nothing(self) -> bool:
        """Neither a byte nor a farewell."""
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                await self.reader.read(1000)
        except TimeoutError:
            return True
        return False


class Way:
    """A server that answers every line, behind a network."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._network: Network
        self._ends: list[End] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with listening(self._answer) as port:
            with Network({"server": port}) as self._network:
                yield
                for end in self._ends:
                    end.writer.transport.abort()

    async def change(self, weather: Weather) -> None:
        self._network.change(["server"], weather)
        await asyncio.sleep(0.05)  # until it is felt at this end

    async def connect(self) -> End:
        port = self._network.relays["server"].port
        self._ends.append(End(*await asyncio.open_connection(HOST, port)))
        return self._ends[-1]

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.heard.append(line)
                writer.write(ANSWER)
        except ConnectionError:
            pass
        writer.close()


@pytest.fixture
async def way() -> AsyncIterator[Way]:
    made = Way()
    async with made.opened():
        yield made


async def test_still_network_holds_everything_and_then_carries_it(way: Way) -> None:
    end = await way.connect()
    await way.change(Weather.STILL)
    await end.ask()
    other = await way.connect()
    await other.ask()
    assert await end.hears_nothing() and await other.hears_nothing() and way.heard == []
    await way.change(Weather.CLEAR)
    assert await end.hear() == await other.hear() == ANSWER


async def test_slow_network_carries_everything(way: Way) -> None:
    end = await way.connect()
    await way.change(Weather.SLOW)
    began = asyncio.get_running_loop().time()
    await end.ask()
    assert await end.hear() == ANSWER
    there_and_back = 2 * SLOW_SECONDS
    assert asyncio.get_running_loop().time() - began > there_and_back - ROUNDED_SECONDS


async def test_cut_network_resets_who_is_there_and_who_comes(way: Way) -> None:
    end = await way.connect()
    await end.ask()
    await end.hear()
    await way.change(Weather.CUT)
    with pytest.raises(ConnectionResetError):
        await end.hear()
    with pytest.raises(ConnectionResetError):
        await (await way.connect()).hear()
    await way.change(Weather.CLEAR)
    later = await way.connect()
    await later.ask()
    assert await later.hear() == ANSWER


async def test_deaf_network_carries_the_request_and_resets_who_waits_for_its_answer(
    way: Way,
) -> None:
    end, idle = await way.connect(), await way.connect()
    await idle.ask()
    await idle.hear()
    await way.change(Weather.DEAF)
    await end.ask()
    await until(lambda: len(way.heard) == 2)
    assert await end.hears_nothing()
    await way.change(Weather.CLEAR)
    with pytest.raises(ConnectionResetError):
        await end.hear()
    await idle.ask()
    assert await idle.hear() == ANSWER


async def test_lost_connection_stays_lost_without_a_word(way: Way) -> None:
    end = await way.connect()
    await end.ask()
    await end.hear()
    await way.change(Weather.GONE)
    await end.ask()
    await way.change(Weather.CLEAR)
    assert await end.hears_nothing() and len(way.heard) == 1
    later = await way.connect()
    await later.ask()
    assert await later.hear() == ANSWER


@pytest.mark.parametrize(
    ("weather", "told"),
    [
        (Weather.PAGE, b"HTTP/1.1 502 Bad Gateway"),
        (Weather.PACKED, b"HTTP/1.1 200 OK"),
        (Weather.HALF, ANSWER[: -len(BODY) // 2]),
    ],
)
async def test_answer_of_http_is_exchanged_and_the_order_was_heard(
    way: Way, weather: Weather, told: bytes
) -> None:
    end = await way.connect()
    await way.change(weather)
    await end.ask()
    answer = await end.hear()
    assert answer.startswith(told[:15]) and answer != ANSWER and len(way.heard) == 1
    assert (len(answer) < len(ANSWER)) is (weather is Weather.HALF)
    assert await end.hear() == b""  # and the connection has ended

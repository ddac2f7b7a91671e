"""What a load run is made of: counting, the fast wire, the picture."""

import asyncio
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from simulator.exchange import BODY_BYTES_MAX, Request, Unanswered
from simulator.load.plot import draw
from simulator.load.tally import WRONG_KEPT_MAX, Latencies, Tally, Wrong
from simulator.load.wire import Wires
from tests.listening import listening
from tests.providers import company as companies
from tests.providers.company import Answer, Company, Raw


@pytest.fixture
async def company() -> AsyncIterator[Company]:
    async with companies.opened(patience_seconds=21) as opened:
        yield opened


@pytest.fixture
async def wires() -> AsyncIterator[Wires]:
    opened = Wires()
    yield opened
    await opened.aclose()


async def post(
    wires: Wires, company: Company, path: str = "/ussd", *, seconds: float = 5.0
) -> tuple[int, bytes]:
    request = Request(b"1*2", "text/plain", {"x-more": "1"})
    answer = await wires.bring(company.url + path, request, deadline_seconds=seconds)
    return answer.status, answer.body


# Latencies.


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0])
def test_percentile_is_the_true_one_within_a_step(share: float) -> None:
    random, latencies = Random(4), Latencies()
    seen = sorted(random.lognormvariate(-5, 1.0) for _ in range(5_000))
    for seconds in seen:
        latencies.add(seconds)
    true = seen[max(math.ceil(share * 5_000) - 1, 0)]
    assert true * 0.99 <= latencies.percentile(share) <= true * 1.05
    assert latencies.max_seconds == seen[-1] and latencies.count == 5_000


def test_nothing_seen_has_no_latency() -> None:
    assert (Latencies().percentile(0.99), Latencies().steps()) == (0.0, [])


def test_any_number_of_latencies_takes_the_same_room() -> None:
    latencies = Latencies()
    for n in range(20_000):
        latencies.add(n % 1_000 / 1_000)
    assert len(latencies.steps()) < 300
    assert sum(count for _, count in latencies.steps()) == 20_000


def test_time_that_stood_still_or_ran_back_is_counted() -> None:
    latencies = Latencies()
    for seconds in (0.0, -1.0, 1e-9):
        latencies.add(seconds)
    assert latencies.count == 3 and latencies.percentile(1.0) >= 0.0


def test_one_latency_is_told_as_it_was() -> None:
    latencies = Latencies()
    latencies.add(0.0123)
    assert latencies.percentile(0.5) == latencies.percentile(1.0) == 0.0123


# The tally.


def test_run_is_right_only_without_a_wrong_or_missing_answer() -> None:
    assert Tally().is_right
    missing, wrong = Tally(), Tally()
    missing.no_answer(0.5, "no answer within 10 s")
    wrong.keep_wrong(Wrong(1, "a.txt:3", "another screen", ""))
    assert not missing.is_right and not wrong.is_right


def test_only_so_many_wrong_answers_are_kept_but_all_are_counted() -> None:
    tally = Tally()
    for phone in range(WRONG_KEPT_MAX + 5):
        tally.keep_wrong(Wrong(phone, "a.txt:3", "x", ""))
    assert (len(tally.wrong), tally.wrong_count) == (WRONG_KEPT_MAX, WRONG_KEPT_MAX + 5)


def test_seconds_hold_what_fell_into_them() -> None:
    tally = Tally()
    tally.begin("a", 0.2, 0.01)
    tally.begin("a", 2.9, -0.5)
    tally.answer(2.1, 0.004)
    tally.no_answer(2.2, "closed")
    tally.end("a", finished=True)
    assert [(s.begun, s.answered, s.failed) for s in tally.seconds] == [
        (1, 0, 0), (0, 0, 0), (1, 1, 1),
    ]  # fmt: skip
    assert (tally.walking, tally.walking_max, tally.finished["a"]) == (1, 2, 1)
    assert tally.lateness.total_seconds == 0.01  # who was early was not late
    assert [second.latencies.count for second in tally.seconds] == [0, 0, 1]
    tally.end("a", finished=False)
    tally.begin("a", 3.0, 0.0)
    assert (tally.walking, tally.walking_max, tally.finished["a"]) == (1, 2, 1)


# The wire.


async def test_connection_is_used_again_for_the_next_request(
    wires: Wires, company: Company
) -> None:
    company.on("/ussd", Answer(200, body=b"CON Hello"))
    for _ in range(5):
        assert await post(wires, company) == (200, b"CON Hello")
    assert company.connections == 1
    assert company.requests[0].body == b"1*2"
    headers = company.requests[0].headers
    assert (headers["content-type"], headers["x-more"]) == ("text/plain", "1")


async def test_two_at_once_never_share_a_connection(wires: Wires, company: Company) -> None:
    company.on("/slow", Answer(200, body=b"slow", delay_seconds=0.1))
    company.on("/ussd", Answer(200, body=b"fast"))
    slow, fast = await asyncio.gather(post(wires, company, "/slow"), post(wires, company))
    assert (slow[1], fast[1]) == (b"slow", b"fast")
    assert company.connections == 2


async def test_late_answer_never_reaches_the_next_request(company: Company) -> None:
    wires = Wires()
    company.on("/slow", Answer(200, body=b"late", delay_seconds=0.1))
    company.on("/ussd", Answer(200, body=b"mine"))
    with pytest.raises(Unanswered, match="within"):
        await post(wires, company, "/slow", seconds=0.05)
    await asyncio.sleep(0.1)
    assert await post(wires, company) == (200, b"mine")
    await wires.aclose()


async def test_more_requests_than_connections_wait_their_turn(company: Company) -> None:
    wires = Wires(connections_max=2)
    company.on("/ussd", Answer(200, body=b"CON", delay_seconds=0.02))
    answers = await asyncio.gather(*(post(wires, company) for _ in range(10)))
    assert answers == [(200, b"CON")] * 10
    assert company.connections == 2
    await wires.aclose()


BROKEN = {
    "closes": (companies.CLOSES, "closed|lost"),
    "resets": (companies.RESETS, "lost"),
    "is silent": (companies.SILENCE, "within"),
    "speaks something else": (companies.NOT_HTTP, "not HTTP|closed|lost"),
    "stops half way": (companies.CUT_SHORT, "closed|lost"),
    "never stops": (
        Raw(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MAX * 2)
            + b"x" * (BODY_BYTES_MAX + 1),
            then="hold",
        ),
        "longer than",
    ),
}


@pytest.mark.parametrize(("reaction", "words"), BROKEN.values(), ids=BROKEN.keys())
async def test_broken_server_is_told_in_words_and_the_next_request_is_served(
    wires: Wires, company: Company, reaction: Raw, words: str
) -> None:
    company.on("/ussd", reaction, Answer(200, body=b"END well again"))
    with pytest.raises(Unanswered, match=words):
        await post(wires, company, seconds=20)
    assert await post(wires, company) == (200, b"END well again")


async def test_nobody_listening_is_told(wires: Wires) -> None:
    with pytest.raises(Unanswered):
        await wires.bring("http://127.0.0.1:9/x", Request(b"", "text/plain"))
    with pytest.raises(Unanswered, match="only http"):
        await wires.bring("https://example.org/x", Request(b"", "text/plain"))


class Blunt:
    """A server that says these bytes to each request, and keeps what it was asked."""

    def __init__(self, *says: bytes, closes: bool = False, later: bytes = b"") -> None:
        self._says = list(says)
        self._closes = closes
        self._later = later
        self.asked: list[bytes] = []
        self.connections = 0
        self.ended = asyncio.Event()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while asked := await reader.read(65_536):
            self.asked.append(asked)
            writer.write(self._says[min(len(self.asked), len(self._says)) - 1])
            if self._later:
                await asyncio.sleep(0.02)
                writer.write(self._later)
            if self._closes:
                break
        self.ended.set()
        writer.close()


@asynccontextmanager
async def talking(server: Blunt) -> AsyncIterator[str]:
    async with listening(server.talk) as port:
        yield f"http://127.0.0.1:{port}/ussd?key=1"


def saying(body: bytes, fields: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%scontent-length: %d\r\n\r\n%s" % (fields, len(body), body)


async def ask(wires: Wires, url: str) -> bytes:
    return (await wires.bring(url, Request(b"", "text/plain"), deadline_seconds=30.0)).body


ONE = saying(b"one")


@pytest.mark.parametrize(
    ("server", "connections"),
    [
        (Blunt(ONE), 1),
        (Blunt(saying(b"one", b"connection: close\r\n"), ONE), 2),
        (Blunt(ONE, closes=True), 2),
        (Blunt(ONE, later=saying(b"of nobody")), 2),
        (Blunt(ONE + saying(b"of nobody")), 2),
        (Blunt(b"HTTP/1.1 100 Continue\r\n\r\n" + ONE), 1),
    ],
    ids=[
        "keeps",
        "says close",
        "closes",
        "says more than asked",
        "says it at once",
        "says more to come",
    ],
)
async def test_connection_is_used_again_only_where_both_sides_agree(
    wires: Wires, server: Blunt, connections: int
) -> None:
    async with talking(server) as url:
        assert await ask(wires, url) == b"one"
        if connections == 2:  # what only then is seen of the first may take its time
            await asyncio.wait_for(server.ended.wait(), 120)
            await asyncio.sleep(0.05)
        assert await ask(wires, url) == b"one"
        assert server.connections == connections
        assert server.asked[0].startswith(b"POST /ussd?key=1 HTTP/1.1\r\n")


async def test_nothing_stays_open_behind_a_run() -> None:
    wires, server = Wires(), Blunt(ONE)
    async with talking(server) as url:
        await ask(wires, url)
        await wires.aclose()
        await asyncio.wait_for(server.ended.wait(), 120)


# The picture.


@pytest.mark.parametrize("seconds", [0, 1, 2, 90])
def test_picture_is_sound_xml_inside_its_frame(seconds: int) -> None:
    tally = Tally()
    for second in range(seconds):
        tally.begin("a", second, 0.0)
        tally.answer(second, 0.001 * (second + 1))
    root = ElementTree.fromstring(draw("<run> & more", tally.seconds))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "<run> & more" in texts and {"p99", "p50", "answers"} <= set(texts)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    lines = list(root.iter("{http://www.w3.org/2000/svg}polyline"))
    assert len(lines) == 5
    # Told apart without colour: within a chart no two are drawn alike.
    assert [line.get("stroke-dasharray") for line in lines] == [None, "6 3", "2 3", None, "6 3"]
    for line in lines:
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width and 0 <= y <= height

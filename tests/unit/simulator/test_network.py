import asyncio

import pytest

from simulator.exchange import Answer, Unanswered
from simulator.mishaps import Chance, Mishap, Weather
from simulator.network import Network
from simulator.ussd import PHONE_FAULT, Dropped, Line, Screen

KENYAN = Line("+254712000001", "http://server")
PRICE = Screen("To +256772000002\nTotal KES 515\n1. Pay", ends=False)


class Server:
    """Says how often it was asked; each exchange is kept by its turn."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.answers: list[bytes] = []
        self.down = False

    async def answer(self, turn: int) -> Answer:
        await asyncio.sleep(0)
        self.heard.append(turn)
        if self.down:
            raise Unanswered("nothing came")
        body = self.answers.pop(0) if self.answers else b"CON Hello"
        return Answer(200, "text/plain", body)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def network() -> Network:
    opened = Network("play", "payer")
    opened.session_id("first")
    return opened


async def turn(network: Network, server: Server, number: int) -> str:
    """One turn's answer, or what became of it."""
    try:
        answer = await network.carry(lambda: server.answer(number), turn=number)
    except Dropped as lost:
        return str(lost)
    return answer.body.decode()


async def test_a_calm_network_brings_every_turn_once(network: Network, server: Server) -> None:
    assert [await turn(network, server, n) for n in (1, 2, 3)] == ["CON Hello"] * 3
    assert server.heard == [1, 2, 3]
    assert network.show(PRICE, turn=3) == PRICE
    assert network.struck == []


@pytest.mark.parametrize(("mishap", "heard"), [(Mishap.DROP_BEFORE, []), (Mishap.DROP_AFTER, [1])])
async def test_a_lost_turn_is_heard_or_not_and_never_answered(
    network: Network, server: Server, mishap: Mishap, heard: list[int]
) -> None:
    network.plan(mishap, "")
    assert "lost" in await turn(network, server, 1)
    assert server.heard == heard
    assert await turn(network, server, 2) == "CON Hello"


async def test_a_delayed_turn_arrives_when_the_phone_has_given_up(
    network: Network, server: Server
) -> None:
    network.plan(Mishap.DELAY, "0.01")
    assert "given up" in await turn(network, server, 1)
    assert server.heard == []
    await network.settle()
    assert server.heard == [1]


async def test_a_doubled_turn_is_heard_twice_and_a_contradiction_is_kept(
    network: Network, server: Server
) -> None:
    network.plan(Mishap.DUPLICATE, "")
    assert await turn(network, server, 1) == "CON Hello"
    assert server.heard == [1, 1]
    assert network.contradictions == []
    network.plan(Mishap.DUPLICATE, "")
    server.answers = [b"CON One", b"CON Two"]
    assert await turn(network, server, 2) == "CON One"
    assert network.contradictions == ["b'CON One' and b'CON Two'"]


async def test_an_old_turn_arrives_after_a_newer_one_and_its_answer_is_lost(
    network: Network, server: Server
) -> None:
    server.answers = [b"CON One", b"CON Two", b"CON Old"]
    assert await turn(network, server, 1) == "CON One"
    network.plan(Mishap.REORDER, "")
    assert await turn(network, server, 2) == "CON Two"
    assert server.heard == [1, 2, 1]


@pytest.mark.parametrize("mishap", [Mishap.DROP_AFTER, Mishap.DELAY])
async def test_a_server_that_fails_unheard_harms_nobody(
    network: Network, server: Server, mishap: Mishap
) -> None:
    server.down = True
    network.plan(mishap, "0.01")
    await turn(network, server, 1)
    await network.settle()
    assert server.heard == [1]


async def test_a_plan_waits_for_its_turn_and_strikes_once(network: Network, server: Server) -> None:
    network.plan(Mishap.DROP_BEFORE, "", 2)
    assert await turn(network, server, 1) == "CON Hello"
    assert "lost" in await turn(network, server, 2)
    assert await turn(network, server, 3) == "CON Hello"
    network.session_id("second")
    assert await turn(network, server, 1) == "CON Hello"
    assert await turn(network, server, 2) == "CON Hello"


async def test_a_repeat_of_a_turn_is_not_harmed_again(network: Network, server: Server) -> None:
    network.plan(Mishap.DROP_AFTER, "")
    assert "lost" in await turn(network, server, 1)
    network.plan(Mishap.DROP_AFTER, "")
    assert await turn(network, server, 1) == "CON Hello"
    assert "lost" in await turn(network, server, 2)


@pytest.mark.parametrize(
    ("mishap", "value", "shown"),
    [
        (Mishap.TRUNCATE, "20", Screen("To +256772000002\nTot", ends=False)),
        (Mishap.LOST_END, "", Screen("To +256772000002\nTotal KES 515\n1. Pay", ends=False)),
    ],
)
async def test_a_screen_loses_what_the_network_takes(
    network: Network, server: Server, mishap: Mishap, value: str, shown: Screen
) -> None:
    network.plan(mishap, value)
    await turn(network, server, 1)
    assert network.show(Screen(PRICE.text, ends=mishap is Mishap.LOST_END), turn=1) == shown
    assert network.show(PRICE, turn=2) == PRICE


async def test_garbled_characters_are_the_same_each_time_and_lines_stay(
    network: Network, server: Server
) -> None:
    texts = set()
    for _ in range(2):
        network = Network("play", "payer")
        network.session_id("first")
        network.plan(Mishap.GARBLE, "3")
        await turn(network, server, 1)
        texts.add(network.show(PRICE, turn=1).text)
    (text,) = texts
    assert 3 < text.count("?") < 25
    assert [len(line) for line in text.split("\n")] == [16, 13, 6]


async def test_the_phones_own_words_are_whole(network: Network, server: Server) -> None:
    network.plan(Mishap.TRUNCATE, "5")
    await turn(network, server, 1)
    fault = Screen(PHONE_FAULT, ends=True, fault="nothing came")
    assert network.show(fault, turn=1) == fault


def test_a_dialogue_can_get_the_id_of_the_one_before() -> None:
    network = Network("play", "payer")
    network.plan(Mishap.REUSE_SESSION, "")
    assert network.session_id("first") == "first"  # nothing came before
    network.plan(Mishap.REUSE_SESSION, "")
    assert network.session_id("second") == "first"
    assert network.session_id("third") == "third"


@pytest.mark.parametrize(
    ("value", "codes"), [("63999", {"63999"}), ("", {"63903", "63907", "63999"})]
)
def test_a_ported_number_dials_from_another_network_of_its_country(
    value: str, codes: set[str]
) -> None:
    network = Network("play", "payer")
    assert network.next_line(KENYAN) == KENYAN
    network.plan(Mishap.PORTED, value)
    ported = network.next_line(KENYAN)
    assert ported.network_code in codes
    assert network.next_line(ported) == ported


def test_what_becomes_of_sms_is_drawn_at_the_dial() -> None:
    weather = Weather(7, (Chance(Mishap.SMS_LATE, 1.0, "3"), Chance(Mishap.SMS_LOST, 0.0, "")))
    network = Network("play", "payer", weather)
    assert [(s.mishap, s.number) for s in network.sms_mishaps()] == [(Mishap.SMS_LATE, 3.0)]
    assert [str(s) for s in network.struck] == ["sms_late at payer's dial 1"]

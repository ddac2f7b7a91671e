"""Networks that fail: the whole journey under every fault, by transcript and by seed.

What the customer sees is the truth, nothing is paid twice and the books balance.
"""

import asyncio
import re
from pathlib import Path

import pytest

from simulator import transcript
from simulator.mishaps import CALM, KINDS, Mishap, Weather, read_chances
from simulator.operators.world import World
from simulator.play import open_client
from simulator.player import Played, Player
from simulator.record import PEOPLE, Recorder
from simulator.recording import Recording
from simulator.steps.stage import Stage
from tests.e2e.city import City

pytestmark = pytest.mark.long(
    "every fault of a network; tests/properties/test_networks.py draws them without processes"
)

FOLDER = Path(__file__).parent.parent / "transcripts"
FILES = sorted((FOLDER / "faults").glob("*.txt"))
JOURNEY = FOLDER / "kenya_to_uganda.txt"
QUIET_SECONDS = 0.5
STORM = (
    "drop_before:0.04,drop_after:0.04,delay:0.04:0.1,hang_up:0.03,truncate:0.04:40,garble:0.04,"
    "lost_end:0.3,duplicate:0.3,reorder:0.3,sms_twice:0.2"
)
SEEDS = range(12)
PLAYED_AT_ONCE = 6


def _is_alone(file: Path) -> bool:
    """Armed faults are cleared and accounts compared for the whole city, not for one play: it is
    played in a city where nothing else is under way, `test_floats.py`."""
    text = file.read_text("utf-8")
    return any(word in text for word in ("\nfault ", "\nnetwork sms_", "\naccount "))


ALONE = [file for file in FILES if _is_alone(file)]
TOGETHER = [file for file in FILES if file not in ALONE]


async def play(
    city: City, source: str, *, name: str, said: list[str], weather: Weather = CALM
) -> Played:
    async with open_client() as client:
        player = Player(
            client, city.stack.places, World(), say=said.append, weather=weather,
            quiet_seconds=QUIET_SECONDS, taken=city.typed.msisdns,
        )  # fmt: skip
        return await player.play(transcript.parse(source, name=name))


async def be_as_written(city: City, files: list[Path], weather: Weather = CALM) -> None:
    """All at once: each has people of its own."""

    async def one(file: Path) -> str:
        said: list[str] = []
        source = file.read_text("utf-8")  # noqa: ASYNC240 - once
        played = await play(city, source, name=file.name, said=said, weather=weather)
        assert played.broken_off is None
        return "" if played.failure is None else "\n".join([*said, played.failure])

    await city.set_approval("ask")
    failures = [told for told in await asyncio.gather(*map(one, files)) if told]
    assert not failures, "\n\n".join(failures)


def test_every_fault_of_a_network_has_its_transcript() -> None:
    assert {file.stem for file in FILES} >= set(Mishap)
    for mishap in KINDS:
        text = (FOLDER / "faults" / f"{mishap}.txt").read_text("utf-8")
        assert f"network {mishap}" in text, mishap
        assert "ledger balanced" in text
        assert "\npayments 1\n" in text


async def test_the_journey_goes_as_it_is_written_under_every_fault(city: City) -> None:
    await be_as_written(city, TOGETHER)


async def test_doubled_and_overtaken_turns_change_no_journey(city: City) -> None:
    """Half of all turns are delivered twice at once or once more after the next: nobody sees it."""
    await city.set_approval("ask")
    weather = Weather(7, read_chances("duplicate:0.5,reorder:0.5"))
    files = [FOLDER / f"{name}_in_english.txt" for name in ("dropped_and_resumed", "request_money")]
    await be_as_written(city, [JOURNEY, *files], weather)


async def test_whatever_the_network_does_nothing_is_done_twice(city: City) -> None:
    """Seeds of storm: what can be seen breaks a journey off, and even then the laws hold."""
    await city.set_approval("ask")
    source = JOURNEY.read_text("utf-8")
    gate = asyncio.Semaphore(PLAYED_AT_ONCE)

    async def one(seed: int) -> Played:
        async with gate:
            weather = Weather(seed, read_chances(STORM))
            return await play(city, source, name=JOURNEY.name, said=[], weather=weather)

    found = await asyncio.gather(*map(one, SEEDS))
    assert [played.failure for played in found if played.failure] == []
    broken_off = [played for played in found if played.broken_off]
    assert 0 < len(broken_off) < len(SEEDS), "the storm is too weak or too strong to prove anything"


async def test_a_recorded_session_passes_when_it_is_played_at_once(city: City) -> None:
    """A payment with a wrong PIN, typed by somebody who never heard of `{pin}`."""
    await city.set_approval("ask")
    pin, wrong_pin = city.new_pin(), city.new_pin()
    payee = city.newcomer("UG")
    lines = [
        "wallet payer KES 5,000", "*384*96#", "1", pin, pin, "1", payee.digits, "1000", "1",
        wrong_pin, pin, "prompt payer", "approve",
    ]  # fmt: skip
    taken = city.typed.msisdns
    stage = Stage(city.client, city.places, World(), play="recorded", taken=taken)
    recorder = Recorder(stage, Recording(), say=lambda _: None)
    await recorder.meet(PEOPLE)
    for line in lines:
        await recorder.take(line)
    written = await recorder.close()
    await stage.leave()

    for typed in (pin, wrong_pin):  # `phone payer +25471???????` holds four digits of anybody's
        assert not re.search(rf"(?<!\d){typed}(?!\d)", written)
    assert payee.digits[-6:] not in written
    assert "payer: payment paid" in written
    assert "{code} Confirmed. KES 1,000 sent to {other2} on *." in written
    said: list[str] = []
    played = await play(city, written, name="recorded", said=said)
    assert played.failure is None, "\n".join([written, *said, str(played.failure)])

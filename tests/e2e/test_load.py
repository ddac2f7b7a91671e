"""Crowds against the whole product: every screen as written, every promise in the books, once."""

import asyncio

import pytest

from simulator.load.command import RIGHT, run_load
from simulator.stack import PROJECT
from tests.e2e.city import City

pytestmark = pytest.mark.long("crowds")

TRANSCRIPTS = PROJECT / "tests" / "transcripts"
JOURNEYS = ("kenya_to_uganda.txt", "check_a_price_in_english.txt", "my_payments_in_swahili.txt")
FAULTS = "drop_before:0.02,drop_after:0.05,duplicate:0.1,reorder:0.1,lost_end:0.02"


async def walk(city: City, *more: str) -> int:
    places = city.places
    arguments = [
        *(str(TRANSCRIPTS / name) for name in JOURNEYS), "--server", places.server,
        "--ussd-url", places.ussd_url, "--ussd-end-url", str(places.ussd_end_url),
        "--gateway", places.gateway, "--inspect-token", places.inspect_token,
        "--rate", "6", "--seconds", "5", "--think", "0..0.1", *more,
    ]  # fmt: skip
    return await asyncio.to_thread(run_load, arguments)


@pytest.mark.parametrize("more", [(), ("--faults", FAULTS)], ids=["calm", "a bad network"])
async def test_crowd_finds_screens_and_books_right(
    city: City, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    ended = await walk(city, *more)
    told = capsys.readouterr().out
    assert ended == RIGHT, told
    assert "wrong answers: none" in told and "books: balanced" in told and ": 0 mistakes" in told
    assert ("ended by the network" in told) is bool(more), told

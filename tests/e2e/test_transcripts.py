"""The golden transcripts, played by the phone simulator against both running processes."""

from pathlib import Path

import httpx
import pytest

from simulator import transcript
from simulator.operators.world import World
from simulator.play import LIMITS
from simulator.player import Player
from tests.e2e.city import City

FOLDER = Path(__file__).parent.parent / "transcripts"
CALL_SECONDS = 60.0
# What needs time before the operator is asked is played in `test_cancelling.py`, what needs a
# chain in `test_settlement.py`.
ELSEWHERE = ("cancel_", "settled_")
AGAIN = pytest.mark.long("the same turn of another that is quick, elsewhere or in other words")
SEEN = (
    "request_money_in_swahili",
    "nigeria_to_ghana_answer_lost",
    "ivory_coast_to_senegal_answer_lost",
)
FILES = sorted(file for file in FOLDER.glob("*.txt") if not file.stem.startswith(ELSEWHERE))


def test_there_are_transcripts() -> None:
    names = {file.stem for file in FILES}
    assert names >= {"kenya_to_uganda", "uganda_to_kenya", "payout_fails_refund", "late_money"}
    for corridor in ("nigeria_to_ghana", "airtel_to_mpesa", "zamtel_to_airtel"):
        assert names >= {corridor, f"{corridor}_refund", f"{corridor}_answer_lost"}
    assert names >= {"ivory_coast_to_senegal", "ivory_coast_to_senegal_refused", "zamtel_to_mtn"}
    assert names >= {"kenya_to_uganda_answer_lost", "ivory_coast_to_senegal_answer_lost"}


@pytest.mark.parametrize(
    "file",
    [pytest.param(f, id=f.stem, marks=AGAIN if f.stem in SEEN else ()) for f in FILES],
)
async def test_it_goes_as_it_is_written(city: City, file: Path) -> None:
    await play(file, city)


async def play(file: Path, city: City) -> None:
    """Everything must be as written; a failure shows the whole dialogue."""
    script = transcript.parse(file.read_text("utf-8"), name=file.name)  # noqa: ASYNC240 - once
    await city.set_approval("ask")
    said: list[str] = []
    async with httpx.AsyncClient(
        timeout=CALL_SECONDS, trust_env=False, verify=False, limits=LIMITS
    ) as client:
        player = Player(
            client, city.stack.places, World(), say=said.append, taken=city.typed.msisdns
        )
        played = await player.play(script)
    assert played.failure is None, "\n".join([*said, str(played.failure)])

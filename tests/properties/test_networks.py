"""The same seed brings the same faults to the same places, whatever else happens meanwhile."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.exchange import Answer
from simulator.mishaps import Chance, Mishap, Place, Strike, Weather
from simulator.network import Network
from simulator.ussd import Dropped, Line, Screen

CHANCES = st.lists(
    st.builds(
        Chance,
        st.sampled_from([m for m in Mishap if m is not Mishap.DELAY]),
        st.sampled_from([0.0, 0.1, 0.5, 1.0]),
        st.just("63903"),
    ),
    unique_by=lambda chance: chance.mishap,
    max_size=6,
).map(tuple)
SEEDS = st.integers(0, 10**6)
PLACES = st.builds(
    Place, st.sampled_from(["a", "b"]), st.sampled_from(["payer", "payee"]),
    st.integers(1, 5), st.integers(1, 12),
)  # fmt: skip
WALKS = st.lists(st.integers(1, 6), min_size=1, max_size=4)  # turns of each dialogue
MANY = settings(max_examples=150, deadline=None)


async def answer() -> Answer:
    await asyncio.sleep(0)
    return Answer(200, "text/plain", b"CON Welcome to all who dial")


async def walk(network: Network, walk: list[int]) -> list[tuple[str, bool]]:
    """What the phone shows in dialogues of so many turns."""
    shown: list[tuple[str, bool]] = []
    for turns in walk:
        network.next_line(Line("+254712000001", "http://server"))
        network.sms_mishaps()
        network.session_id(f"id{len(shown)}")
        for turn in range(1, turns + 1):
            try:
                told = await network.carry(answer, turn=turn)
            except Dropped as lost:
                shown.append((str(lost), True))
                continue
            screen = network.show(Screen(told.body.decode()[4:], ends=True), turn=turn)
            shown.append((screen.text, screen.ends))
    await network.settle()
    return shown


@MANY
@given(SEEDS, CHANCES, WALKS, WALKS)
async def test_a_seed_brings_the_same_faults_however_phones_take_turns(
    seed: int, chances: tuple[Chance, ...], first: list[int], second: list[int]
) -> None:
    weather = Weather(seed, chances)

    async def run(*, together: bool) -> list[tuple[list[tuple[str, bool]], list[Strike]]]:
        networks = [Network("play", name, weather) for name in ("payer", "payee")]
        walks = [walk(networks[0], first), walk(networks[1], second)]
        shown = await asyncio.gather(*walks) if together else [await w for w in walks]
        return [(seen, network.struck) for seen, network in zip(shown, networks, strict=True)]

    assert await run(together=True) == await run(together=False)


@MANY
@given(SEEDS, CHANCES, PLACES)
def test_other_faults_move_nothing(seed: int, chances: tuple[Chance, ...], place: Place) -> None:
    alone = [Weather(seed, (chance,)) for chance in chances]
    turns = [strike for weather in alone if (strike := weather.in_turn(place))]
    dials = [strike for weather in alone for strike in weather.at_dial(place)]
    together = Weather(seed, chances)
    assert together.in_turn(place) == (turns[0] if turns else None)
    assert list(together.at_dial(place)) == dials


@MANY
@given(SEEDS, PLACES, st.sampled_from([m for m in Mishap if m is not Mishap.REORDER]))
def test_what_always_happens_always_does_and_what_never_does_never(
    seed: int, place: Place, mishap: Mishap
) -> None:
    def struck(probability: float) -> bool:
        weather = Weather(seed, (Chance(mishap, probability, ""),))
        return weather.in_turn(place) is not None or weather.at_dial(place) != ()

    assert struck(1.0)
    assert not struck(0.0)


def test_other_seeds_strike_elsewhere() -> None:
    chance = Chance(Mishap.DROP_AFTER, 0.3, "")
    places = [Place("play", "payer", dial, turn) for dial in range(1, 6) for turn in range(1, 11)]
    maps = {
        tuple(Weather(seed, (chance,)).in_turn(place) is not None for place in places)
        for seed in range(20)
    }
    assert len(maps) == 20
    share = sum(sum(struck) for struck in maps) / (20 * len(places))
    assert 0.25 < share < 0.35

"""Thirty thousand turns of callers who do anything, through gateways that do anything."""

import asyncio
from collections import Counter
from random import Random

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.properties.walker import World
from tests.unit.session.rooms import MENU, House

TURNS = 400
EXAMPLES = 25
KNOWN = range(60)
"""Seeds that every run walks. Together they see every screen, the rarest one twice."""
RECORD_BYTES_MAX = 1024


async def walk(seed: int, visited: Counter[str]) -> None:
    house = House()
    world = await World(house, Random(seed)).prepared()
    for _ in range(TURNS):
        await world.turn()
        for walker in world.walkers:
            record = house.records.records.get((walker.msisdn, walker.session.id))
            if record is not None:
                session = house.session(walker.session.id, walker.msisdn)
                visited[session.screen] += 1
                assert len(record) <= RECORD_BYTES_MAX, session.screen
                assert len(session.history) == len(set(session.history))
    world.check()


@pytest.mark.long("sixty walks, which see every screen; test_sessions.py walks shorter ways")
def test_whatever_callers_and_gateways_do_every_law_of_a_session_holds() -> None:
    visited: Counter[str] = Counter()
    for seed in KNOWN:
        asyncio.run(walk(seed, visited))
    # A fuzz that never leaves the first menu proves nothing.
    assert set(MENU.screens) - set(visited) == set()


@pytest.mark.long("ten thousand turns; test_sessions.py walks shorter ways")
@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_laws_hold_for_walks_that_nobody_has_walked_before(seed: int) -> None:
    note(f"seed {seed}")
    asyncio.run(walk(seed, Counter()))

"""How a process says how it stands with the chain: asked seldom, and never in anybody's way."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from channels.settings import Settings, SettlementSettings
from channels.settlement_probe import (
    BEHIND_SECONDS_MAX,
    FRESH_SECONDS,
    ChainProbe,
    open_chain_probe,
)
from channels.watching.health import Standing
from engine.errors import Unreachable
from engine.ports import Position
from tests.integration.world import TestClock


class Chain:
    """A node that counts what it is asked; `behind` its clock, or away, or silent."""

    def __init__(self, clock: TestClock) -> None:
        self.clock = clock
        self.asked = 0
        self.behind = 0
        self.is_away = False
        self.is_silent = False

    async def position(self) -> Position:
        self.asked += 1
        if self.is_silent:
            await asyncio.Event().wait()
        if self.is_away:
            raise Unreachable("aptos", "no route")
        return Position(4, 77, int(self.clock.epoch()) - self.behind)


@pytest.fixture
def chain() -> Chain:
    return Chain(TestClock())


@pytest.fixture
def probe(chain: Chain) -> ChainProbe:
    return ChainProbe(chain, chain.clock)


async def test_it_is_asked_seldom_and_the_last_answer_told_meanwhile(
    chain: Chain, probe: ChainProbe
) -> None:
    for _ in range(5):
        assert await probe.ask() == Standing("ok", "chain 4 at version 77")
    chain.is_away = True
    chain.clock.pass_(FRESH_SECONDS - 1)
    assert (await probe.ask()).word == "ok"
    assert chain.asked == 1
    chain.clock.pass_(1)
    for _ in range(5):
        assert await probe.ask() == Standing("away", "Unreachable")
    assert chain.asked == 2


async def test_a_chain_that_does_not_go_on_is_stale(chain: Chain, probe: ChainProbe) -> None:
    chain.behind = BEHIND_SECONDS_MAX
    assert (await probe.ask()).word == "ok"
    chain.behind += 1
    chain.clock.pass_(FRESH_SECONDS)
    standing = await probe.ask()
    assert standing.word == "stale"
    assert standing.detail.endswith("its clock 61 s behind ours")


async def test_a_silent_one_is_given_up_and_not_asked_again_at_once(
    chain: Chain, probe: ChainProbe
) -> None:
    assert (await probe.ask()).word == "ok"
    chain.clock.pass_(FRESH_SECONDS)
    chain.is_silent = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await probe.ask()
    assert await probe.ask() == Standing("away", "no answer")
    assert chain.asked == 2


async def test_where_nothing_is_settled_nothing_is_probed_and_a_bad_file_stops_nobody(
    tmp_path: Path,
) -> None:
    clock = TestClock()

    def told(settlement: SettlementSettings | None) -> Settings:
        return cast(Settings, SimpleNamespace(settlement=settlement))

    async with open_chain_probe(told(None), clock) as probe:
        assert probe is None
    bad = tmp_path / "bad.yaml"
    bad.write_text("aptos: {node: 5}")
    for file in (bad, tmp_path / "absent.yaml"):
        async with open_chain_probe(told(SettlementSettings(str(file), "")), clock) as probe:
            assert probe is not None
            assert (await probe.ask()).word == "away"

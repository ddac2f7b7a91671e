"""The Move VM and the model of the contracts say the same of the same calls, whatever they are.

More seeds by hand: `python -m tests.move.differential --seeds 1..100`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from simulator.devnet.executor import Executed, Json
from simulator.devnet.executors.model import ModelExecutor
from simulator.devnet.executors.model.catalogue import CONTRACTS
from simulator.devnet.executors.move import MoveExecutor
from tests.move.differential.playing import Different, Play
from tests.move.differential.tally import Tally

SEEDS = range(1, 3)
CALLS = 100
PAIRS = 10
OURS = range(0xCA01, 0xCA06)


@pytest.mark.long("whole plots, call by call")
def test_both_executors_say_the_same_of_the_same_calls(opened: MoveExecutor) -> None:
    tally = Tally()
    for seed in SEEDS:
        Play(seed, opened.fork(), ModelExecutor(), tally).run(CALLS, pairs=PAIRS)
    print(tally)  # noqa: T201 - what was reached is the worth of the run
    assert tally.never_viewed() == []
    assert len(tally.never_done()) <= 8, "the calls that are drawn no longer fit the contracts"
    assert len(tally.aborts) >= 35, "the calls that are drawn are all too good"


def test_the_model_offers_exactly_what_the_contracts_offer(opened: MoveExecutor) -> None:
    for (address, name), contract in CONTRACTS.items():
        if int.from_bytes(address) not in OURS:
            continue
        module = opened.module(address, name)
        assert module is not None
        assert _offered(contract.abi()) == _offered(module.abi), name


def test_what_the_model_has_of_the_framework_is_as_there(opened: MoveExecutor) -> None:
    for (address, name), contract in CONTRACTS.items():
        if int.from_bytes(address) in OURS:
            continue
        module = opened.module(address, name)
        assert module is not None
        assert _offered(contract.abi()).items() <= _offered(module.abi).items(), name


def test_the_events_of_the_model_have_the_contracts_own_fields(opened: MoveExecutor) -> None:
    for (address, name), contract in CONTRACTS.items():
        module = opened.module(address, name)
        assert module is not None
        modelled, told = _events(contract.abi()), _events(module.abi)
        assert modelled.items() <= told.items(), name
        if int.from_bytes(address) in OURS:
            assert modelled.keys() == told.keys(), name


class _Careless(ModelExecutor):
    """Forgets the last event of each call."""

    def execute(self, *arguments: Any) -> Executed:
        executed = super().execute(*arguments)
        self._latest = replace(executed, events=executed.events[:-1])
        return self._latest


def test_a_difference_is_found_and_told_with_its_seed(opened: MoveExecutor) -> None:
    with pytest.raises(Different, match=r"seed 3, call 1: governance::create(?s:.*)--seeds 3"):
        Play(3, opened.fork(), _Careless(), Tally()).run(5)


def _offered(abi: Mapping[str, Json]) -> dict[str, tuple[Any, ...]]:
    """Entry functions and views: what can be called from outside."""
    return {
        function["name"]: (
            function["is_entry"],
            function["is_view"],
            len(function["generic_type_params"]),
            tuple(function["params"]),
            tuple(function["return"]),
        )
        for function in abi["exposed_functions"]
        if function["is_entry"] or function["is_view"]
    }


def _events(abi: Mapping[str, Json]) -> dict[str, Any]:
    return {struct["name"]: struct["fields"] for struct in abi["structs"] if struct["is_event"]}

"""Whether a fault that was put into the product breaks a law of the simulated worlds."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.simulation.world import Broken, Options, World

SEEDS = 40

Fault = Callable[[pytest.MonkeyPatch], None]
"""Puts something wrong into the product, until the test ends."""


def planted(names: str, faults: Sequence[tuple[Any, ...]]) -> pytest.MarkDecorator:
    """A test for each of the faults, under its name; `names` are those of a row."""
    rows = [pytest.param(*each, id=each[0].__name__) for each in faults]
    return pytest.mark.parametrize(names, rows)


def first_breach(
    fault: Fault,
    options: Options,
    patch: pytest.MonkeyPatch,
    law: str = "",
    *,
    seeds: int = SEEDS,
) -> tuple[int, Broken]:
    """The first seed whose world the fault breaks, and what it says; fails where none does.

    It may break several laws, and which one first depends on the world: `law` are words of the one.
    """
    fault(patch)
    for seed in range(1, seeds + 1):
        try:
            World(seed, options).run()
        except Broken as breach:
            assert f"SEED={seed}" in str(breach)
            if law in str(breach):
                return seed, breach
    pytest.fail(f"{fault.__name__} broke nothing in {seeds} worlds")


def all_are_whole(worlds: Sequence[Options], seeds: int, names: Sequence[str]) -> None:
    """None of these worlds breaks a law by itself, and in them comes about what has these `names`:
    where none of it does every law is kept as well.
    """
    happened: Counter[str] = Counter()
    for seed in range(1, seeds + 1):
        for options in worlds:
            happened.update(World(seed, options).run().happened)
    for name in names:
        assert happened[name], name

"""A fixed set of worlds: whatever goes wrong, the laws hold and every payment ends.

A failure names its seed and the command that shows it again.
"""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from engine.payments.lifecycle import State
from tests.simulation.laws import expected_balances
from tests.simulation.postgres import Bridge, PostgresWorld
from tests.simulation.weather import Weather, calm_weather
from tests.simulation.world import MACHINES, Options, World
from tests.unit.payments.examples import payment

ROOT = Path(__file__).parent.parent.parent
WORLDS, PAYMENTS = 100, 20
GROUPS = 5
CRASH_POINTS = 40
QUIET = calm_weather()
LOSSY = replace(QUIET, answer_lost=0.4, silent=0.5, fails=0.4, reply_lost=0.1)
AROUND = Options(statements=True, requests=True, pay_ins=True)
MORE = pytest.mark.long("more worlds of the same kind")


@pytest.mark.parametrize("group", [0, *(pytest.param(n, marks=MORE) for n in range(1, GROUPS))])
def test_two_thousand_payments_in_a_hundred_worlds_keep_every_law(group: int) -> None:
    states: Counter[str] = Counter()
    each = WORLDS // GROUPS
    for seed in range(group * each + 1, (group + 1) * each + 1):
        states.update(World(seed, Options(payments=PAYMENTS)).run().states)
    # A world in which nothing happens would keep every law as well.
    assert states["PAID"] > 75  # of 400: nobody is asked again long after the price
    assert {"REFUNDED", "PAYOUT_UNKNOWN", "COLLECT_FAILED"} <= states.keys()


def test_a_quiet_world_pays_everything_out() -> None:
    result = World(1, Options(payments=20, weather=calm_weather(), stirred=False)).run()
    ended = {name for name in result.states if State[name] in (State.PAID, State.COLLECT_FAILED)}
    assert ended == {"PAID"}
    assert (result.cases, result.deaths) == (0, 0)


@pytest.mark.parametrize(
    "weather", [pytest.param(QUIET, id="quiet"), pytest.param(LOSSY, id="lossy", marks=MORE)]
)
@pytest.mark.parametrize(
    "machine", [pytest.param(name, marks=[] if name == "worker-1" else MORE) for name in MACHINES]
)
def test_a_process_that_dies_before_any_step_of_its_own_breaks_no_law(
    machine: str, weather: Weather
) -> None:
    """Four payments, and a process killed at every await it comes to: the k-th step."""
    options = Options(payments=4, span_seconds=30.0, weather=weather, stirred=False)
    seed = busy_seed(machine, options)
    for step in range(1, CRASH_POINTS + 1):
        died = World(seed, replace(options, crash_at=(machine, step))).run().deaths
        assert died == 1, step


def busy_seed(machine: str, options: Options) -> int:
    """The first world in which that machine has so much to do."""
    for seed in range(1, 20):
        undisturbed = World(seed, options)
        undisturbed.run()
        if undisturbed.machines[machine].process.steps >= CRASH_POINTS:
            return seed
    raise AssertionError(f"{machine} is never busy")


@pytest.mark.long("tells one world three times, each in a process of its own")
def test_the_same_seed_is_the_same_story_in_any_process() -> None:
    def told(hash_seed: str) -> str:
        code = "from tests.simulation.world import World; print(World(11).run().digest)"
        return subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout.strip()  # fmt: skip

    here = World(11).run().digest
    assert {told("0"), told("1")} == {here}
    assert World(12).run().digest != here


def test_the_same_world_on_the_real_sql_gets_the_same_verdicts(database_url: str) -> None:
    bridge = Bridge(database_url)
    try:
        for seed in (3, 4):
            result = PostgresWorld(bridge, seed, Options(payments=8)).run()
            assert result.states["COLLECTING"] > 2
    finally:
        bridge.close()


def test_statements_pay_ins_and_requests_keep_every_law() -> None:
    happened: Counter[str] = Counter()
    for seed in range(1, 7):
        happened.update(World(seed, replace(AROUND, payments=12)).run().happened)
    # As above: a world in which none of it comes about would keep every law as well.
    for name in ("put aside", "taken back", "paid in", "line PAID_IN", "request paid"):
        assert happened[name], name


@MORE
def test_what_stands_around_payments_is_answered_alike_by_the_real_sql(database_url: str) -> None:
    bridge = Bridge(database_url)
    try:
        happened = PostgresWorld(bridge, 1, replace(AROUND, payments=6)).run().happened
        assert happened["line MATCHED"]
        assert happened["request expired"]
    finally:
        bridge.close()


def test_every_state_says_what_is_on_which_account() -> None:
    facts = payment(State.PAID).facts
    empty = {s for s in State if not expected_balances(s, facts)}
    assert empty == {
        State.NEW, State.QUOTED, State.PAID, State.REFUNDED, State.COLLECT_FAILED, State.EXPIRED,
        State.CANCELLED,
    }  # fmt: skip

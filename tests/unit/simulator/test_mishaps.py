import argparse

import pytest

from simulator.mishaps import (
    CALM,
    KINDS,
    Chance,
    Mishap,
    Place,
    Weather,
    add_options,
    from_options,
    read_chances,
    read_mishap,
)

HERE = Place("kenya_to_uganda", "payer", 1, 4)
ALWAYS = Weather(7, tuple(Chance(mishap, 1.0, "") for mishap in Mishap))


def options(*arguments: str) -> Weather:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return from_options(parser.parse_args(list(arguments)))


def test_flags_are_read_with_chances_and_values() -> None:
    assert read_chances("truncate:0.05:120, drop_after:0.1,delay:1") == (
        Chance(Mishap.DROP_AFTER, 0.1, ""),
        Chance(Mishap.DELAY, 1.0, "0.5"),
        Chance(Mishap.TRUNCATE, 0.05, "120"),
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("rain:0.1", "no network does 'rain', only drop_before"),
        ("drop_after", "drop_after needs a chance from 0 to 1"),
        ("drop_after:2", "needs a chance from 0 to 1"),
        ("drop_after:nan", "needs a chance from 0 to 1"),
        ("drop_after:0.1:3", "drop_after takes no value"),
        ("truncate:0.1:none", "truncate takes septets, not 'none'"),
        ("delay:0.1:-1", "delay takes seconds"),
        ("ported:0.1:airtel", "ported takes a network code"),
        ("drop_after:0.1,drop_after:0.2", "drop_after stands there twice"),
    ],
)
def test_flags_that_mean_nothing_are_refused_with_the_reason(flags: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_chances(flags)


def test_a_network_is_calm_unless_told_otherwise() -> None:
    assert options() == CALM
    assert CALM.in_turn(HERE) is None
    assert CALM.at_dial(HERE) == ()
    assert str(CALM) == "calm"


def test_weather_is_told_as_the_options_that_bring_it_back() -> None:
    weather = options("--faults", "truncate:0.25:120,drop_after:0.1", "--seed", "7")
    assert options(*str(weather).split(" ")) == weather


def test_without_a_seed_every_run_has_its_own_and_tells_it() -> None:
    seeds = {options("--faults", "drop_after:0.1").seed for _ in range(5)}
    assert len(seeds) > 1


def test_one_turn_suffers_one_mishap_and_a_dial_its_own() -> None:
    strike = ALWAYS.in_turn(HERE)
    assert strike is not None
    assert strike.mishap is Mishap.DROP_BEFORE
    assert {strike.mishap for strike in ALWAYS.at_dial(HERE)} == {
        mishap for mishap, kind in KINDS.items() if kind.at_dial
    }


def test_nothing_old_can_arrive_after_the_first_turn() -> None:
    weather = Weather(7, (Chance(Mishap.REORDER, 1.0, ""),))
    assert weather.in_turn(HERE._replace(turn=1)) is None
    assert weather.in_turn(HERE._replace(turn=2)) is not None


def test_a_strike_names_its_place() -> None:
    assert str(ALWAYS.in_turn(HERE)) == "drop_before at payer's dial 1, turn 4"
    assert str(ALWAYS.at_dial(HERE)[0]) == "reuse_session at payer's dial 1"


def test_a_mishap_without_a_value_has_the_usual_one() -> None:
    assert read_mishap("truncate", None) == (Mishap.TRUNCATE, "60")
    assert read_mishap("ported", None) == (Mishap.PORTED, "")

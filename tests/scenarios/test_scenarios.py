"""All sixty-four scenarios are named, and every test that is said to show one is there and runs."""

import pytest

from tests.scenarios import catalogue
from tests.scenarios.catalogue import NEVER_RUN, Scenario, find

SCENARIOS = catalogue.read()


def test_all_sixty_four_are_there_in_their_order() -> None:
    assert [scenario.number for scenario in SCENARIOS] == list(range(1, 65))


def test_each_is_shown_or_says_where_it_lives_or_why_it_is_not_there_yet() -> None:
    for scenario in SCENARIOS:
        said = [bool(scenario.shown_by), bool(scenario.lives_in), bool(scenario.not_yet)]
        assert said.count(True) == 1, scenario.number
        assert scenario.claim.endswith("."), scenario.number
        assert scenario.lacks or not scenario.found_failing, scenario.number
        assert scenario.shown_by or not scenario.lacks, scenario.number


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: f"{scenario.number}")
def test_every_test_it_names_exists_and_is_run(scenario: Scenario) -> None:
    assert len(set(scenario.shown_by)) == len(scenario.shown_by)
    for node_id in scenario.shown_by:
        found = find(node_id)
        assert found is not None, f"no such test: {node_id}"
        assert not found.marks & (NEVER_RUN | {"xfail"}), f"shows nothing: {node_id}"
    for node_id in scenario.found_failing:
        found = find(node_id)
        assert found is not None, f"no such test: {node_id}"
        assert "xfail" in found.marks, f"mended, so it may stand with what shows it: {node_id}"


def test_no_test_of_this_room_shows_a_scenario_that_does_not_name_it() -> None:
    named = {
        node_id.partition("[")[0]
        for scenario in SCENARIOS
        for node_id in (*scenario.shown_by, *scenario.found_failing)
    }
    here = {
        f"tests/scenarios/{path.name}::{name}"
        for path in catalogue.LIST.parent.glob("test_*.py")
        if path.name != "test_scenarios.py"
        for name in catalogue.tests_of(path)
    }
    assert here <= named


@pytest.mark.parametrize(
    "node_id",
    [
        "tests/e2e/test_faults.py::test_that_nobody_wrote",
        "tests/e2e/test_nowhere.py::test_ends_right_and_moves_money_once",
        "tests/e2e/test_faults.py::test_ends_right_and_moves_money_once[a fault nobody arms]",
        "tests/e2e/test_faults.py::_play",
        "tests/e2e/test_faults.py",
    ],
)
def test_a_test_that_is_not_there_is_not_found(node_id: str) -> None:
    assert find(node_id) is None


def test_the_readme_shows_the_list_as_it_is() -> None:
    assert catalogue.README.read_text(encoding="utf-8") == catalogue.readme(), (
        "run: python -m tests.scenarios"
    )

"""The rules of CLDR, tried on the samples that CLDR itself gives for whole numbers."""

import pytest

from engine.texts.plurals import CATEGORIES, RULES, category_of, members

MILLIONS = (1_000_000, 2_000_000, 3_000_000)
SAMPLES = {  # language -> category -> @integer samples of plurals.xml
    "am": {"one": (0, 1), "other": (*range(2, 18), 100, 1000, 10_000, *MILLIONS)},
    "en": {"one": (1,), "other": (0, *range(2, 17), 100, 1000, 10_000, *MILLIONS)},
    "fr": {"one": (0, 1), "many": MILLIONS, "other": (*range(2, 18), 100, 1000, 10_000)},
    "lg": {"one": (1,), "other": (0, *range(2, 17), 100, 1000, 10_000, *MILLIONS)},
    "sw": {"one": (1,), "other": (0, *range(2, 17), 100, 1000, 10_000, *MILLIONS)},
}


@pytest.mark.parametrize("language", sorted(RULES))
def test_every_sample_of_the_source_is_in_its_category(language: str) -> None:
    for category, numbers in SAMPLES[language].items():
        assert {category_of(language, n) for n in numbers} == {category}


def test_a_category_is_asked_for_only_if_a_count_can_reach_it() -> None:
    assert members("fr", digits_max=2) == {"one": (0, 1), "other": (2, 3)}
    assert members("fr", digits_max=7) == {
        "one": (0, 1),
        "other": (2, 3),
        "many": (1_000_000, 2_000_000),
    }
    assert members("en", digits_max=1) == {"one": (1,), "other": (0, 2)}


@pytest.mark.parametrize("language", sorted(RULES))
def test_members_knows_every_category_the_rules_can_give(language: str) -> None:
    reached = {category_of(language, n) for n in (*range(2_000), *MILLIONS)}
    assert set(members(language, digits_max=7)) == reached <= set(CATEGORIES)

from decimal import Decimal

import msgspec
import pytest

from engine.decisions import Decision, Kind
from engine.fx.consensus import (
    HELD,
    NONE,
    Choice,
    Question,
    Terms,
    Verdict,
    Word,
    choose,
    fingerprint,
    inverse,
    plain_digits,
    question_of,
    replay,
)

NOW_MS = 1_795_255_200_000
HOUR_MS = 3_600_000


def word(source: str, mid: str, *, age_ms: int = 0, live: bool = True) -> Word:
    return Word(source, mid, NOW_MS - age_ms, HOUR_MS, live)


def ask(*words: Word, last: str | None = None, confirmed: bool = False, **terms: int) -> Choice:
    rule = msgspec.structs.replace(Terms(sources_min=1), **terms)
    return choose(Question("KES", "UGX", NOW_MS, words, last, rule, confirmed))


@pytest.mark.parametrize(
    ("mids", "expected"),
    [
        (["28.45"], "28.45"),
        (["28.4", "28.5"], "28.45"),
        (["28.41", "28.44"], "28.425"),
        (["28.3", "28.4", "28.6"], "28.4"),
        (["28.6", "28.3", "28.5", "28.4"], "28.45"),
        (["28.40", "28.4"], "28.4"),
        (
            ["1234567890123.123456789012345678901234", "1234567890123.123456789012345678901235"],
            "1234567890123.1234567890123456789012345",
        ),
    ],
)
def test_the_median_is_exact(mids: list[str], expected: str) -> None:
    choice = ask(*[word(f"s{i}", mid) for i, mid in enumerate(mids)])
    assert choice.mid == Decimal(expected)
    assert choice.decision.outcome == expected


OUTLIERS = [
    # outlier_bp 200: 28.45 * 2 % is 0.569, and the edge itself is still kept.
    (("28.45", "28.45", "29.019"), {"s2": Verdict.KEPT}),
    (("28.45", "28.45", "29.0191"), {"s2": Verdict.OUTLIER}),
    (("28.45", "28.45", "27.8809"), {"s2": Verdict.OUTLIER}),
    (("28.45", "28.46", "284.5"), {"s2": Verdict.OUTLIER}),
    (("28.45", "28.46", "2.845"), {"s2": Verdict.OUTLIER}),
    (("28.45", "284.5"), {"s0": Verdict.OUTLIER, "s1": Verdict.OUTLIER}),  # who could tell?
]


@pytest.mark.parametrize(("mids", "expected"), OUTLIERS)
def test_what_lies_too_far_from_the_median_is_dropped(
    mids: tuple[str, ...], expected: dict[str, Verdict]
) -> None:
    choice = ask(*[word(f"s{i}", mid) for i, mid in enumerate(mids)])
    assert {name: choice.verdicts[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("mids", "expected"),
    [
        (("28.4", "28.5", "284.5"), "28.5"),  # of the two that are kept the first median
        (("28.4", "28.5", "2.8"), "28.4"),
        (("28.3", "28.4", "28.6", "284.5"), "28.4"),
        (("28.3", "28.4", "28.5", "284", "285"), "28.4"),
        (("27.9", "29.0", "29.5"), "29.0"),  # 27.9 is dropped, 29.5 cannot pull it away
    ],
)
def test_what_is_kept_decides_the_rate(mids: tuple[str, ...], expected: str) -> None:
    choice = ask(*[word(f"s{i}", mid) for i, mid in enumerate(mids)])
    assert choice.mid == Decimal(expected)


@pytest.mark.parametrize(
    ("age_ms", "verdict"),
    [
        (HOUR_MS, Verdict.KEPT),
        (HOUR_MS + 1, Verdict.STALE),
        (-300_000, Verdict.KEPT),
        (-300_001, Verdict.EARLY),
    ],
)
def test_a_word_counts_only_in_its_time(age_ms: int, verdict: Verdict) -> None:
    choice = ask(word("a", "28.45", age_ms=age_ms))
    assert choice.verdicts == {"a": verdict}
    assert (choice.mid is not None) is (verdict is Verdict.KEPT)


def test_each_source_has_its_own_limit() -> None:
    hourly = Word("hourly", "28.4", NOW_MS - 2 * HOUR_MS, HOUR_MS, is_live=True)
    daily = Word("daily", "28.5", NOW_MS - 2 * HOUR_MS, 36 * HOUR_MS, is_live=True)
    choice = ask(hourly, daily)
    assert choice.verdicts == {"hourly": Verdict.STALE, "daily": Verdict.KEPT}
    assert choice.mid == Decimal("28.5")


def test_a_stale_word_does_not_move_the_median_that_outliers_are_measured_from() -> None:
    choice = ask(word("a", "28.4"), word("b", "14", age_ms=2 * HOUR_MS), word("c", "28.5"))
    assert choice.mid == Decimal("28.45")  # the mean of two, not the nearer of three


@pytest.mark.parametrize("words", [(), (word("a", "28.4"),), (word("a", "28"), word("b", "35"))])
def test_too_few_sources_give_no_rate_and_say_how_many(words: tuple[Word, ...]) -> None:
    choice = ask(*words, sources_min=2)
    assert choice.mid is None
    assert choice.decision.outcome == NONE
    assert "of the 2 sources that are needed" in choice.decision.reason


JUMPS = [
    # last, live sources, confirmed, taken
    ("28.45", 0, False, True),
    ("27.10", 0, False, True),  # 4.98 %
    ("27.0", 0, False, False),
    ("30.0", 1, False, False),
    ("30.0", 2, False, True),
    ("18.97", 3, False, True),  # 49.97 %
    ("18.96", 3, False, False),  # more than half: only staff
    ("2.845", 3, False, False),
    ("2.845", 0, True, True),
    ("30.0", 0, True, True),
    (None, 0, False, True),
]


@pytest.mark.parametrize(("last", "live", "confirmed", "taken"), JUMPS)
def test_a_jump_is_held_until_live_sources_or_staff_confirm_it(
    last: str | None, live: int, confirmed: bool, taken: bool
) -> None:
    words = [word(name, "28.45", live=i < live) for i, name in enumerate("abc")]
    choice = ask(*words, last=last, confirmed=confirmed)
    assert choice.is_held is not taken
    assert choice.mid == (Decimal("28.45") if taken else None)
    assert (choice.decision.outcome == HELD) is not taken


@pytest.mark.parametrize(
    ("mid", "live", "taken"),
    [
        ("21", 0, True),  # five in a hundred, and no jump
        ("21.001", 0, False),
        ("19", 0, True),
        ("18.999", 0, False),
        ("30", 2, True),  # half: two live sources are enough
        ("30.001", 3, False),
        ("10", 2, True),
        ("9.999", 3, False),
    ],
)
def test_what_is_a_jump_and_what_only_staff_confirms_begins_above_its_share(
    mid: str, live: int, taken: bool
) -> None:
    words = [word(name, mid, live=i < live) for i, name in enumerate("abc")]
    assert ask(*words, last="20").is_held is not taken


def test_a_dropped_source_confirms_no_jump() -> None:
    words = (word("a", "28.45"), word("b", "28.45", live=False), word("c", "40"))
    assert ask(*words, last="20").is_held


def test_confirming_does_not_make_too_few_enough() -> None:
    assert ask(word("a", "28.45"), last="20", confirmed=True, sources_min=2).mid is None


def test_a_decision_holds_all_it_saw_as_plain_values_and_can_be_made_again() -> None:
    choice = ask(word("c", "28.4"), word("a", "284"), word("b", "28.5"), last="28.3")
    stored = msgspec.json.decode(msgspec.json.encode(choice.decision), type=Decision)
    assert stored.kind is Kind.RATE
    assert stored == choice.decision
    assert replay(stored) == choice
    assert [w.source for w in question_of(stored).words] == ["a", "b", "c"]


def test_the_fingerprint_tells_words_and_outcome_and_not_the_hour() -> None:
    words = (word("a", "28.4"), word("b", "28.5"))
    one = choose(Question("KES", "UGX", NOW_MS, words, None, Terms()))
    later = choose(Question("KES", "UGX", NOW_MS + 1000, words[::-1], "28.45", Terms()))
    assert fingerprint(one) == fingerprint(later)
    others = [
        choose(Question("KES", "UGX", NOW_MS + 2 * HOUR_MS, words, None, Terms())),
        choose(Question("KES", "UGX", NOW_MS, words, None, Terms(sources_min=3))),
        ask(word("a", "28.4", age_ms=1), word("b", "28.5")),
        ask(word("a", "28.41"), word("b", "28.49")),
    ]
    assert len({fingerprint(choice) for choice in [one, *others]}) == 5


def test_a_source_that_speaks_twice_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        ask(word("a", "28.4"), word("a", "28.5"))


@pytest.mark.parametrize(
    ("mid", "expected"),
    [("28.45", "0.0351493848858"), ("3", "0.333333333333"), ("0.5", "2"), ("1", "1")],
)
def test_the_other_direction_is_the_inverse_rounded_once(mid: str, expected: str) -> None:
    assert plain_digits(inverse(Decimal(mid))) == expected


@pytest.mark.parametrize(
    ("mid", "expected"),
    [("28.450", "28.45"), ("1E+3", "1000"), ("1E-7", "0.0000001"), ("10", "10")],
)
def test_plain_digits_have_no_exponent(mid: str, expected: str) -> None:
    assert plain_digits(Decimal(mid)) == expected

"""What no set of rates may do to the one we price with."""

from decimal import Decimal
from fractions import Fraction
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from engine.fx.consensus import Question, Terms, Verdict, Word, choose, inverse, replay

NOW_MS = 1_795_255_200_000
HOUR_MS = 3_600_000

mids = st.decimals(
    min_value="0.0001", max_value="99999999", places=6, allow_nan=False, allow_infinity=False
).filter(lambda mid: mid > 0)
near = st.decimals(min_value="27.9", max_value="29.0", places=4)
ages = st.integers(-2 * 300_000, 2 * HOUR_MS)


@st.composite
def word_lists(draw: st.DrawFn) -> list[Word]:
    names = draw(st.lists(st.text("abcdefgh", min_size=1, max_size=3), unique=True, max_size=7))
    return [
        Word(name, f"{draw(mids | near):f}", NOW_MS - draw(ages), HOUR_MS, draw(st.booleans()))
        for name in names
    ]


terms = st.builds(
    Terms,
    sources_min=st.integers(1, 3),
    outlier_bp=st.integers(0, 3000),
    jump_bp=st.integers(0, 3000),
    jump_sources_min=st.integers(1, 3),
    staff_bp=st.integers(0, 9000),
)
lasts = st.none() | (mids | near).map(lambda mid: f"{mid:f}")


@given(words=word_lists(), rule=terms, last=lasts, confirmed=st.booleans())
def test_a_rate_lies_between_the_kept_ones_and_needs_enough_of_them(
    words: list[Word], rule: Terms, last: str | None, confirmed: bool
) -> None:
    choice = choose(Question("KES", "UGX", NOW_MS, tuple(words), last, rule, confirmed))
    kept = [Decimal(w.mid) for w in words if choice.verdicts[w.source] is Verdict.KEPT]
    assert choice.verdicts.keys() == {w.source for w in words}
    if choice.mid is None:
        return
    assert min(kept) <= choice.mid <= max(kept)
    assert len(kept) >= rule.sources_min
    for word in words:
        if choice.verdicts[word.source] is Verdict.KEPT:
            assert -rule.early_ms_max <= NOW_MS - word.at_ms <= HOUR_MS
    if last is not None and not confirmed:
        share = abs(Fraction(choice.mid) / Fraction(Decimal(last)) - 1)
        live = sum(w.is_live and choice.verdicts[w.source] is Verdict.KEPT for w in words)
        assert share <= Fraction(rule.jump_bp, 10_000) or (
            live >= rule.jump_sources_min and share <= Fraction(rule.staff_bp, 10_000)
        )


@given(honest=st.tuples(near, near), wild=mids | near, rule=terms)
def test_one_wild_source_of_three_never_moves_the_rate_outside_the_honest_two(
    honest: tuple[Decimal, Decimal], wild: Decimal, rule: Terms
) -> None:
    words = tuple(
        Word(name, f"{mid:f}", NOW_MS, HOUR_MS, is_live=True)
        for name, mid in (("a", honest[0]), ("b", honest[1]), ("wild", wild))
    )
    choice = choose(Question("KES", "UGX", NOW_MS, words, None, rule))
    assert choice.mid is None or min(honest) <= choice.mid <= max(honest)


@given(words=word_lists(), rule=terms, last=lasts, chance=st.randoms(use_true_random=False))
def test_the_order_of_the_words_does_not_matter(
    words: list[Word], rule: Terms, last: str | None, chance: Random
) -> None:
    shuffled = list(words)
    chance.shuffle(shuffled)
    one, other = (
        choose(Question("KES", "UGX", NOW_MS, tuple(each), last, rule))
        for each in (words, shuffled)
    )
    assert one == other
    assert replay(one.decision) == one


@given(mid=mids)
def test_there_and_back_is_where_one_was_within_rounding(mid: Decimal) -> None:
    back = inverse(mid)
    assert abs(Fraction(mid) * Fraction(back) - 1) <= Fraction(1, 10**11)
    assert abs(Fraction(inverse(back)) / Fraction(mid) - 1) <= Fraction(1, 10**11)

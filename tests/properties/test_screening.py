"""What must hold of names and limits whatever somebody writes down."""

import unicodedata
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compliance.limits import TIERS
from engine.compliance.lists.listed import Listed, Name, Source, Subject
from engine.compliance.matching import NameIndex
from engine.compliance.names import fold, likeness
from engine.compliance.policy import read_policy
from engine.errors import CustomerMistake
from engine.money import ASSETS, CURRENCIES, Money

POLICY = read_policy()
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Longer than any particle or company form, and than what is joined to a neighbour.
WORDS = st.text(LETTERS, min_size=6, max_size=12)
NAMES = st.lists(WORDS, min_size=2, max_size=5).map(" ".join)
PARTICLES = st.sampled_from(["al", "el", "bin", "ibn", "ould", "van", "de"])
MARKS = st.sampled_from(["", "\u0301", "\u0308", "\u0303", "\u0327"])


def index_of(*names: str) -> NameIndex:
    entries = [
        (Source.UN, Listed(str(n), Subject.INDIVIDUAL, (Name(name),)))
        for n, name in enumerate(names)
    ]
    return NameIndex(entries, POLICY.screening)


@given(NAMES)
def test_a_listed_name_is_always_held(name: str) -> None:
    (match, *_) = index_of(name).matches(name)
    assert match.score >= POLICY.screening.hold_min


@given(st.lists(st.tuples(PARTICLES | st.none(), WORDS, st.booleans()), min_size=2, max_size=5))
def test_a_particle_may_be_joined_to_its_word_on_either_side(
    told: list[tuple[str | None, str, bool]],
) -> None:
    apart = " ".join(f"{particle or ''} {word}" for particle, word, _ in told)
    joined = " ".join(
        f"{particle or ''}{'' if is_joined else ' '}{word}" for particle, word, is_joined in told
    )
    for listed, asked in ((apart, joined), (joined, apart)):
        (match, *_) = index_of(listed).matches(asked)
        assert match.score >= POLICY.screening.hold_min


@settings(max_examples=50)
@given(st.data(), NAMES)
def test_case_order_and_diacritics_change_nothing(data: st.DataObject, name: str) -> None:
    index = index_of(name)
    words = data.draw(st.permutations(name.split()))
    written = " ".join(words)
    marks = data.draw(st.lists(MARKS, min_size=len(written), max_size=len(written)))
    marked = "".join(letter + mark for letter, mark in zip(written, marks, strict=True))
    marked = unicodedata.normalize(data.draw(st.sampled_from(["NFC", "NFD"])), marked)
    upper = marked.upper() if data.draw(st.booleans()) else marked
    assert index.matches(upper) == index.matches(name)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_folded_to_letters_and_compared_both_ways_alike(one: str, other: str) -> None:
    words = [word for spellings in fold(one) + fold(other) for word in spellings]
    assert all(word.isascii() and word.isalnum() and word == word.lower() for word in words)
    for a in words[:4]:
        assert likeness(a, a) == 1.0
        for b in words[-4:]:
            assert likeness(a, b) == likeness(b, a)
            assert 0 <= likeness(a, b) <= 1


@given(st.text(max_size=80))
def test_any_text_may_be_screened(name: str) -> None:
    for match in index_of("Nemo Nullus Outis", "Niemand", "محمد قاسم").matches(name):
        assert POLICY.screening.reported_min <= match.score <= 100


def allows(tier: int, minor: int, currency: str) -> bool:
    try:
        POLICY.limits.check_payment(tier, Money(minor, currency))
    except CustomerMistake:
        return False
    return True


@given(
    st.sampled_from(sorted(CURRENCIES.keys() - ASSETS)),
    st.integers(0, 10**12), st.integers(0, 10**12),
    st.sampled_from(TIERS), st.sampled_from(TIERS),
)  # fmt: skip
def test_less_money_and_a_higher_tier_are_never_worse(
    currency: str, minor: int, other: int, tier: int, other_tier: int
) -> None:
    low, high = sorted((minor, other))
    lower, higher = sorted((tier, other_tier))
    if allows(lower, high, currency):
        assert allows(lower, low, currency)
        assert allows(higher, high, currency)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is added
    st.sampled_from(["KE", "ZM", "CI", "MG"]),
    st.integers(0, 40 * 24 * 3600),
)
def test_local_days_and_months_never_run_backwards(
    moment: datetime, country: str, seconds: int
) -> None:
    first = POLICY.limits.local_time(country, moment)
    later = POLICY.limits.local_time(country, moment + timedelta(seconds=seconds))
    assert (later.day, later.month) >= (first.day, first.month)
    assert 0 <= later.day - first.day <= seconds // 86_400 + 1

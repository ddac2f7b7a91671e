"""Which of several rates is believed. Pure: it refuses to know where a rate comes from.

The rule, in this order:

1. A word older than its source's limit is dropped as stale, one from further ahead than clocks
   differ as early.
2. The median of what is left is taken; whatever lies farther from it than `outlier_bp` is dropped
   as an outlier. Once: nothing is measured against a second median.
3. Fewer than `sources_min` kept: no rate.
4. The rate is the median of the kept ones; of an even number the one of the middle two that is
   nearer to the first median, or exactly their mean when both are as near. So a rate that was
   kept beside the middle one of three cannot pull it away from there.
5. If it differs from the last accepted rate by more than `jump_bp`, it is held until
   `jump_sources_min` live sources among the kept ones say so, or staff confirms it. Beyond
   `staff_bp` only staff can.

Only the pair in alphabetical order is chosen; the other direction is its inverse, rounded once.
"""

import hashlib
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from fractions import Fraction

import msgspec

from engine.decisions import Decision, Kind

INVERSE_DIGITS = 12
"""Significant digits of an inverted rate."""

HELD = "held"
NONE = "none"
"""Outcomes of a decision that takes no rate; of one that does, the outcome is the rate."""

TEN_THOUSAND = 10_000
_EXACT = Context(prec=100)  # mids have at most 39 digits


class Terms(msgspec.Struct, frozen=True):
    """The numbers of the rule. `_bp` are hundredths of a percent."""

    sources_min: int = 2
    outlier_bp: int = 200
    jump_bp: int = 500
    jump_sources_min: int = 2
    staff_bp: int = 5000
    early_ms_max: int = 300_000  # how far a source's clock may run ahead of ours


class Word(msgspec.Struct, frozen=True):
    """The newest word of one source on a pair; `mid` in plain digits, times in milliseconds."""

    source: str
    mid: str
    at_ms: int
    stale_after_ms: int
    is_live: bool


class Question(msgspec.Struct, frozen=True):
    """Everything a choice depends on. `last` is the last accepted mid, None before the first."""

    base: str
    quote: str
    now_ms: int
    words: tuple[Word, ...]
    last: str | None
    terms: Terms
    confirmed: bool = False  # staff looked at these words and says that the jump is real


class Verdict(StrEnum):
    """What became of one word."""

    KEPT = "kept"
    STALE = "stale"
    EARLY = "early"
    OUTLIER = "outlier"


class Choice(msgspec.Struct, frozen=True):
    """What was chosen. `mid` is None when nothing may be taken; `verdicts` are by source."""

    mid: Decimal | None
    verdicts: dict[str, Verdict]
    decision: Decision

    @property
    def is_held(self) -> bool:
        """Whether a rate waits for somebody to confirm it."""
        return self.decision.outcome == HELD


def choose(question: Question) -> Choice:
    """Apply the rule. The order of the words does not matter; each source has one."""
    words = sorted(question.words, key=lambda word: word.source)
    assert len({word.source for word in words}) == len(words), "a source has one word"
    verdicts = {word.source: _timeliness(question, word) for word in words}
    timely = [word for word in words if verdicts[word.source] is Verdict.KEPT]
    middle = _mean(_middle_two(timely)) if timely else None
    kept = [word for word in timely if not _is_outlier(word, middle, question.terms)]
    verdicts |= {word.source: Verdict.OUTLIER for word in timely if word not in kept}
    taken, outcome, reason = _settle(question, kept, _center(kept, middle))
    canonical = msgspec.structs.replace(question, words=tuple(words))
    inputs = msgspec.json.decode(msgspec.json.encode(canonical))  # as they will be stored
    return Choice(taken, verdicts, Decision(Kind.RATE, outcome, reason, inputs))


def replay(decision: Decision) -> Choice:
    """Decide again from a decision's inputs: the same comes out."""
    return choose(question_of(decision))


def question_of(decision: Decision) -> Question:
    """What a decision about a rate was asked. Raises msgspec.ValidationError on another kind's."""
    return msgspec.convert(decision.inputs, Question)


def inverse(mid: Decimal) -> Decimal:
    """The rate of the other direction, to `INVERSE_DIGITS` significant digits, half to even."""
    return Context(prec=INVERSE_DIGITS, rounding=ROUND_HALF_EVEN).divide(Decimal(1), mid)


def plain_digits(mid: Decimal) -> str:
    """The decimal without exponent and without trailing zeros."""
    text = f"{mid:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def fingerprint(choice: Choice) -> str:
    """The same for choices that say the same from the same words, whenever they were made."""
    words = question_of(choice.decision).words
    seen = [(w.source, w.mid, w.at_ms, choice.verdicts[w.source]) for w in words]
    return hashlib.sha256(msgspec.json.encode([choice.decision.outcome, seen])).hexdigest()


def _timeliness(question: Question, word: Word) -> Verdict:
    age_ms = question.now_ms - word.at_ms
    if age_ms > word.stale_after_ms:
        return Verdict.STALE
    return Verdict.EARLY if -age_ms > question.terms.early_ms_max else Verdict.KEPT


def _settle(
    question: Question, kept: Sequence[Word], mid: Decimal | None
) -> tuple[Decimal | None, str, str]:
    """The mid to take, the outcome and the reason."""
    terms, count = question.terms, len(kept)
    if mid is None or count < terms.sources_min:
        return None, NONE, f"{count} of the {terms.sources_min} sources that are needed"
    outcome = plain_digits(mid)
    reason = f"the median of {count} of {len(question.words)} sources"
    if question.last is None or not _differs(mid, Decimal(question.last), terms.jump_bp):
        return mid, outcome, reason
    live = sum(word.is_live for word in kept)
    within = not _differs(mid, Decimal(question.last), terms.staff_bp)
    if within and live >= terms.jump_sources_min:
        return mid, outcome, f"{reason}; a jump that {live} live sources confirm"
    if question.confirmed:
        return mid, outcome, f"{reason}; a jump that staff confirmed"
    return None, HELD, f"a jump from {question.last} to {outcome}, by {live} live sources"


def _differs(value: Decimal, from_: Decimal, share_bp: int) -> bool:
    """Whether the value is farther away than that share of `from_`."""
    distance = abs(Fraction(value) - Fraction(from_))
    return distance * TEN_THOUSAND > Fraction(from_) * share_bp


def _is_outlier(word: Word, middle: Decimal | None, terms: Terms) -> bool:
    return middle is not None and _differs(Decimal(word.mid), middle, terms.outlier_bp)


def _center(kept: Sequence[Word], middle: Decimal | None) -> Decimal | None:
    """The rate of the kept words, by the fourth rule."""
    if not kept or middle is None:
        return None
    low, high = _middle_two(kept)
    below, above = abs(_EXACT.subtract(middle, low)), abs(_EXACT.subtract(middle, high))
    if below == above:
        return _mean((low, high))
    return low if below < above else high


def _middle_two(words: Sequence[Word]) -> tuple[Decimal, Decimal]:
    """The same one twice when their number is odd."""
    ordered = sorted(Decimal(word.mid) for word in words)
    return ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]


def _mean(two: tuple[Decimal, Decimal]) -> Decimal:
    """Exactly: one digit more than the two have."""
    return _EXACT.divide(_EXACT.add(*two), Decimal(2))

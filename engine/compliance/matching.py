"""Which entries of the sanctions lists a name may stand for, and how surely. Pure.

Built once from all entries, asked often: a name that resembles nobody costs some microseconds.
It decides nothing; what a score leads to is `clearance.py`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from enum import StrEnum
from functools import lru_cache
from itertools import chain, combinations, pairwise, product
from typing import NamedTuple

import msgspec
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.process import extract

from engine.compliance.lists.listed import Listed, Source
from engine.compliance.names import (
    ALIKE,
    KIN,
    SPELT_OTHERWISE,
    Spellings,
    blocks,
    fold,
    is_bare,
    likeness,
    skeleton,
)

WORDS_MAX = 8
"""Of longer names only so many words are compared: enough for any person, a bound for the rest."""
REMEMBERED_MAX = 50_000
_SURPLUS_WEIGHT = 0.25
"""How much a word counts that only the longer of two names has."""
_FUSED_LETTERS_MAX = 4
_SPELLING_LETTERS_MAX = 3
_SLACK_YEARS = 1


class BirthSays(StrEnum):
    """What the dates of birth add to two names."""

    NOTHING = "nothing"  # one of them is not known
    AGREES = "agrees"
    DIFFERS = "differs"


class Scoring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points of 100. A match below `reported_min` is none; the rest adjusts what names gave."""

    reported_min: int
    hold_min: int
    refuse_min: int
    without_birth_max: int  # a name alone never refuses anybody
    birth_agrees: int
    birth_differs: int
    weak_alias: int


class Match(msgspec.Struct, frozen=True):
    """A name resembles an entry. `name_number` counts the entry's names, the main one is 0."""

    source: Source
    entry_id: str
    name_number: int
    score: int
    birth: BirthSays


class _Form(NamedTuple):
    """One way to read one listed name."""

    entry: int
    name_number: int
    words: tuple[Spellings, ...]


class NameIndex:
    """All names of all lists in force. Immutable but for what it remembers; one per version."""

    def __init__(self, entries: Iterable[tuple[Source, Listed]], scoring: Scoring) -> None:
        self._scoring = scoring
        self._entries = list(entries)
        self._forms: list[_Form] = []
        self._holding: dict[str, set[int]] = {}  # word -> forms
        self._repeating: dict[str, set[int]] = {}  # word -> forms that say it twice
        self._block: dict[str, list[str]] = {}  # block key -> words
        self._bare: dict[str, list[str]] = {}  # skeleton -> words without a vowel
        self._resembling: dict[str, frozenset[int]] = {}
        self._remembered: dict[tuple[tuple[Spellings, ...], date | None], tuple[Match, ...]] = {}
        for number, (_, listed) in enumerate(self._entries):
            for name_number, name in enumerate(listed.names):
                for words in _forms(fold(name.text)[:WORDS_MAX]):
                    self._add(_Form(number, name_number, words))

    @property
    def name_count(self) -> int:
        return sum(len(listed.names) for _, listed in self._entries)

    def matches(self, name: str, born: date | None = None) -> tuple[Match, ...]:
        """The entries that resemble a name, best first, one match per entry."""
        key = fold(name)[:WORDS_MAX], born
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            found = self._remembered[key] = self._search(*key)
        return found

    def listed(self, source: Source, entry_id: str) -> Listed | None:
        """An entry by the publisher's id. Walks the list: for people, not for payments."""
        for its_source, listed in self._entries:
            if (its_source, listed.entry_id) == (source, entry_id):
                return listed
        return None

    def _add(self, form: _Form) -> None:
        position = len(self._forms)
        self._forms.append(form)
        for word in chain.from_iterable(form.words):
            holding = self._holding.get(word)
            if holding is None:
                holding = self._holding[word] = set()
                if is_bare(word):
                    self._bare.setdefault(skeleton(word), []).append(word)
                for key in blocks(word):
                    self._block.setdefault(key, []).append(word)
            elif position in holding:
                self._repeating.setdefault(word, set()).add(position)
            holding.add(position)

    def _search(self, words: tuple[Spellings, ...], born: date | None) -> tuple[Match, ...]:
        best: dict[int, Match] = {}
        for spelling in _forms(words):
            for position in self._candidates(spelling):
                form = self._forms[position]
                match = self._judge(form, _similarity(spelling, form.words), born)
                known = best.get(form.entry)
                if match is not None and (known is None or match.score > known.score):
                    best[form.entry] = match
        return tuple(sorted(best.values(), key=lambda m: (-m.score, m.source, m.entry_id)))

    def _candidates(self, words: Sequence[Spellings]) -> set[int]:
        """Forms that share two words with the name, or the only word both have.

        A word that the name says twice is shared by a form that has two words like it.
        """
        spelt: dict[str, set[str]] = {}
        for spellings in words:
            spelt.setdefault(spellings[0], set()).update(spellings)
        sharing = [self._forms_like_any(spellings) for spellings in spelt.values()]
        found: set[int] = set()
        if len(sharing) == 1:
            found |= {at for at in sharing[0] if len(self._forms[at].words) == 1}
        for one, other in combinations(sharing, 2):
            found |= one & other
        for word, times in Counter(spellings[0] for spellings in words).items():
            if times > 1:
                found |= self._forms_twice_like(spelt[word])
        return found

    def _forms_like_any(self, spellings: Iterable[str]) -> frozenset[int]:
        plain, *joined = spellings
        found = self._forms_like(plain)
        return found.union(*map(self._forms_like, joined)) if joined else found

    def _forms_like(self, word: str) -> frozenset[int]:
        """Forms with a word like this one; remembered, because people share their names."""
        found = self._resembling.get(word)
        if found is None:
            if len(self._resembling) >= REMEMBERED_MAX:
                self._resembling.clear()
            alike = [self._holding[near] for near in self._words_like(word)]
            found = self._resembling[word] = frozenset().union(*alike)
        return found

    def _forms_twice_like(self, spellings: Iterable[str]) -> set[int]:
        """Forms with two words like this one."""
        near = {like for word in spellings for like in self._words_like(word)}
        holding = Counter(chain.from_iterable(self._holding[each] for each in near))
        repeating = (self._repeating.get(each, set()) for each in near)
        return {at for at, times in holding.items() if times > 1}.union(*repeating)

    def _words_like(self, word: str) -> list[str]:
        near = {w for key in blocks(word) for w in self._block.get(key, ())}
        if is_bare(word):
            return [w for w in near if likeness(word, w) >= ALIKE]
        # Most of a block is thrown out in one call; words without vowels are judged by skeleton.
        kin = extract(word, near, scorer=JaroWinkler.similarity, score_cutoff=KIN, limit=None)
        bare = [w for w in self._bare.get(skeleton(word), ()) if w in near]
        judged = {w for w, _, _ in kin}.union(bare)
        return [w for w in judged if likeness(word, w) >= ALIKE]

    def _judge(self, form: _Form, similarity: float, born: date | None) -> Match | None:
        scoring = self._scoring
        source, listed = self._entries[form.entry]
        score = round(similarity * 100)
        if listed.names[form.name_number].weak:
            score -= scoring.weak_alias
        birth = _compare_births(listed, born)
        if birth is BirthSays.AGREES:
            score += scoring.birth_agrees
        elif birth is BirthSays.DIFFERS:
            score -= scoring.birth_differs
        score = min(score, 100 if birth is BirthSays.AGREES else scoring.without_birth_max)
        if score < scoring.reported_min:
            return None
        return Match(source, listed.entry_id, form.name_number, score, birth)


def is_same_name(one: str, other: str, scoring: Scoring) -> bool:
    """Whether two names may be one person's, by the measure by which a listed name holds."""
    pairs = product(_forms(fold(one)[:WORDS_MAX]), _forms(fold(other)[:WORDS_MAX]))
    return any(round(_similarity(a, b) * 100) >= scoring.hold_min for a, b in pairs)


def _forms(words: tuple[Spellings, ...]) -> Iterator[tuple[Spellings, ...]]:
    """The words as they stand, and with a short one joined to its neighbour: `abu bakr`."""
    if not words:
        return
    yield words
    for i, (one, next_) in enumerate(pairwise(words)):
        if min(len(one[0]), len(next_[0])) <= _FUSED_LETTERS_MAX:
            fused = tuple(word + next_[0] for word in one)
            yield (*words[:i], fused, *words[i + 2 :])


@lru_cache(maxsize=100_000)
def _alike(one: Spellings, other: Spellings) -> float:
    """How alike two words are, whoever of the two joined an article to theirs.

    A joined word must be spelt as the other is, and two joined ones are not compared: the article
    alone makes others alike, `benali` and Benjamin.
    """
    best = likeness(one[0], other[0])
    if best >= SPELT_OTHERWISE or len(one) == len(other) == 1:
        return best
    alike = [likeness(joined, other[0]) for joined in one[1:] if _as_long(joined, other[0])]
    alike += [likeness(joined, one[0]) for joined in other[1:] if _as_long(joined, one[0])]
    return max((a for a in alike if a >= SPELT_OTHERWISE), default=best)


def _as_long(joined: str, word: str) -> bool:
    """Spellings of one word differ by some letters in length; most pairs need no closer look."""
    return abs(len(joined) - len(word)) <= _SPELLING_LETTERS_MAX


def _similarity(one: Sequence[Spellings], other: Sequence[Spellings]) -> float:
    """How alike two names are, whatever the order of their words, 0 to 1.

    Words are paired so that the whole becomes as alike as it can. A word of the shorter name
    without a counterpart counts in full against them, a surplus word of the longer one a quarter.
    """
    shorter, longer = sorted((one, other), key=len)
    best = {0: 0.0}  # which words of the longer name are taken (bits) -> the best sum so far
    for word in shorter:
        after = dict(best)
        for at, counterpart in enumerate(longer):
            if alike := _alike(word, counterpart):
                for taken, total in best.items():
                    with_it = taken | 1 << at
                    if with_it != taken and total + alike > after.get(with_it, 0.0):
                        after[with_it] = total + alike
        best = after
    return max(best.values()) / (len(shorter) + _SURPLUS_WEIGHT * (len(longer) - len(shorter)))


def _compare_births(listed: Listed, born: date | None) -> BirthSays:
    if born is None or not listed.births:
        return BirthSays.NOTHING
    if any(birth.contains(born) for birth in listed.births):
        return BirthSays.AGREES
    if any(birth.contains(born, slack_years=_SLACK_YEARS) for birth in listed.births):
        return BirthSays.NOTHING  # a typing error, or a calendar converted
    return BirthSays.DIFFERS

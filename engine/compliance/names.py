"""Names brought into a form in which they can be compared, whoever wrote them down. Pure.

Knows nothing of lists. A name becomes a tuple of folded words in Latin letters, each also with the
article before it joined on; a word has a skeleton, the consonants that survive when it is written
from one script into another.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from anyascii import anyascii
from rapidfuzz.distance import JaroWinkler

ALIKE = 0.87
"""Below this two words are different words: the usual floor for Jaro-Winkler on names."""
SPELT_OTHERWISE = 0.95
"""Two spellings of one word: Mohammed and Muhammad, or a word and its Arabic original."""
KIN = 0.75
"""Below this not even words with the same consonants are spellings of one word."""
_INITIAL = 0.6
_SHORT = 3

Spellings = tuple[str, ...]
"""A folded word, then the same with what stands before it joined on: `ladin`, `binladin`."""

# Articles, patronymics, titles and forms of companies say little and come and go.
_JOINED = frozenset(
    re.findall(
        r"\w+",
        "al el ul ur ar as ad an at az bin ben bn ibn bint binti bnt ould von van der den de da do"
        " dos das du del della di la le les los",
    )
)
_PARTICLES = _JOINED | frozenset(
    re.findall(
        r"\w+",
        "y e the of and mr mrs ms miss dr prof sheikh shaykh sheik haji hajj hajji alhaji mzee jr"
        " sr wa",
    )
)
_COMPANY_FORMS = frozenset(
    re.findall(
        r"\w+",
        "ltd limited llc llp inc incorporated corp corporation company co plc gmbh ag sa sarl spa"
        " srl oao ooo zao pao jsc ojsc pjsc pvt pte bv nv group holding holdings",
    )
)
_SERVANT = re.compile("a?bd(?:[aeou]{1,2}[lrsnzdt])?")
_SERVANT_JOINED = re.compile("abd[aeou]{1,2}[lrsnzdt](?=[a-z]{3})")
_ARABIC_MARKS = re.compile("[\u064b-\u065f\u0670\u0640]")
_ARABIC_ARTICLE = re.compile("\\bال(?=\\w{3})")
_HAN_OR_HANGUL = re.compile("([\u3400-\u9fff\uac00-\ud7af])")
# What stands for letters that are not told: a sign that no name has, or one again and again.
_HIDDEN = re.compile(r"[*#_?•●▪■×]|([x.-])\1{2,}", re.IGNORECASE)
_WORDS_TOLD_MIN = 2
_APOSTROPHES = re.compile("['`\u2018\u2019\u02bc\u02bb\u02bf\u02be]")
_NO_LETTER = re.compile(r"[^a-z0-9]+")
_SOUNDS = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        ("tch|sch|sh|ch|cz", "s"), ("ph", "f"), ("dj", "j"), ("[kg]h|ck|q|g", "k"), ("dh", "d"),
        ("th", "t"), ("c(?=[eiy])|z|ts", "s"), ("c", "k"), ("x", "ks"), ("w", "v"),
    )
)  # fmt: skip
_DOUBLED = re.compile(r"(.)\1+")
_VOWELS = re.compile("[aeiou]|(?<!^)y|h$")
_VOWEL = re.compile("[aeiou]")
# Vowels that one Arabic vowel becomes in Latin letters, by who writes.
_SAME_VOWEL = {"a": "ae", "e": "aei", "i": "eiy", "o": "ou", "u": "ou", "y": "iy"}


@lru_cache(maxsize=20_000)
def fold(name: str) -> tuple[Spellings, ...]:
    """The words of a name, lower case, in Latin letters, without particles and marks.

    Order is kept, case, punctuation and diacritics are not. Each word comes first as it is, then
    with the article or patronymic joined on that stands before it; of several the last one, and all
    of them: `derberg` and `vanderberg`. Particles are kept when the name consists of nothing else;
    empty when it has no letter or digit at all.
    """
    text = _ARABIC_MARKS.sub("", unicodedata.normalize("NFKC", name))
    text = _ARABIC_ARTICLE.sub("", text)
    text = _HAN_OR_HANGUL.sub(r" \1 ", text)
    text = _APOSTROPHES.sub("", anyascii(_APOSTROPHES.sub("", text)))
    words = [word for word in _NO_LETTER.split(text.lower()) if word]
    return tuple(_join_servants(list(_told(words)) or [(word,) for word in words]))


def _told(words: Iterable[str]) -> Iterator[Spellings]:
    """The words that say something, with those before them that do not."""
    before: list[str] = []
    for word in words:
        if word in _JOINED:
            before.append(word)
            continue
        if word not in _PARTICLES and word not in _COMPANY_FORMS:
            joined = dict.fromkeys(("".join(before[-1:]) + word, "".join(before) + word))
            yield (word, *joined) if before else (word,)
        before.clear()


def _join_servants(words: Iterable[Spellings]) -> Iterator[Spellings]:
    """`Abdul Rahman`, `Abd al-Rahman` and `Abdelrahman` alike become `abdrahman`."""
    rest = iter(words)
    for spellings in rest:
        if _SERVANT.fullmatch(spellings[0]) and (served := next(rest, None)) is not None:
            yield ("abd" + served[0],)
        else:
            yield tuple(_SERVANT_JOINED.sub("abd", word, count=1) for word in spellings)


def unmasked(name: str) -> str | None:
    """The words of a name that are told in full; None where too little is told to compare it.

    Operators hide letters: "J*** D**", "MOHXXXX KASXXXX". A word of which some are hidden is left
    out: cut short it is another's. One word that is left is not compared by itself, for it is known
    that the name has more. A name that hides nothing is answered as it is.
    """
    words = unicodedata.normalize("NFKC", name).split()
    whole = [word for word in words if not _HIDDEN.search(word)]
    if len(whole) == len(words):
        return name
    told = " ".join(whole)
    return told if len(fold(told)) >= _WORDS_TOLD_MIN else None


@lru_cache(maxsize=100_000)
def skeleton(word: str) -> str:
    """The consonants of a word, with sounds that scripts confuse written alike; digits stay."""
    for pattern, sound in _SOUNDS:
        word = pattern.sub(sound, word)
    word = _DOUBLED.sub(r"\1", word)
    return _VOWELS.sub("", word) or word[:1]


def blocks(word: str) -> list[str]:
    """The keys under which a word and its misspellings meet: its skeleton, less one letter."""
    bones = skeleton(word)
    if len(bones) <= _SHORT:
        return [bones]
    return [bones, *{bones[:i] + bones[i + 1 :] for i in range(len(bones))}]


def is_bare(word: str) -> bool:
    """Whether a word has no vowel: it came from a script that leaves them out."""
    return _VOWEL.search(word) is None


@lru_cache(maxsize=100_000)
def likeness(one: str, other: str) -> float:
    """How alike two folded words are, 0 to 1; 0 when they are different words."""
    if one == other:
        return 1.0
    if len(one) == 1 or len(other) == 1:
        return _INITIAL if one[0] == other[0] else 0.0
    similarity = JaroWinkler.similarity(one, other)
    if skeleton(one) == skeleton(other) and _may_be_spellings(one, other, similarity):
        return max(similarity, SPELT_OTHERWISE)
    if min(len(one), len(other)) <= _SHORT or similarity < ALIKE:
        return 0.0
    return similarity


def _may_be_spellings(one: str, other: str, similarity: float) -> bool:
    """Whether words with the same consonants may be one word: Ahmed and Ahmad, never Hamid."""
    first, second = _VOWEL.search(one), _VOWEL.search(other)
    if first is None or second is None:  # the Arabic script leaves the vowels out
        return True
    return (
        similarity >= KIN
        and second[0] in _SAME_VOWEL[first[0]]
        and (first.start() == 0) == (second.start() == 0)
        and (min(len(one), len(other)) > _SHORT or _differ_by_vowels_alone(one, other))
    )


def _differ_by_vowels_alone(one: str, other: str) -> bool:
    """Of short words every letter counts: Aly is Ali, Eli and Alo are not."""
    return (
        len(one) == len(other)
        and one[0] == other[0]
        and all(a == b or b in _SAME_VOWEL.get(a, "") for a, b in zip(one, other, strict=True))
    )

"""The rules a screen may state for what is typed: their sense, their widths, their pace. Pure.

What they do to an input is the session room's affair.
"""

import unicodedata
from collections.abc import Iterator

from engine.menu.patterns import BrokenPattern, Pattern
from engine.menu.screens import BACK_KEY, HOME_KEY, OneOf, Range, Regex, Screen
from engine.menu.vocabulary import READERS, RULES, WORDS_MAX, facts_of
from engine.texts import FALLBACK, Texts

KEYS_PER_LETTER = 2
"""Presses on a keypad of twelve, on average."""


def folded(text: str) -> str:
    """A word as it is compared: letters and digits alone, without case or accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if c.isalnum())


def reading_mistakes(screen: Screen) -> tuple[str, ...]:
    """What may be said against what is typed here, before any verb sees it."""
    if screen.rule is not None:
        said = screen.rule.complaint
        return RULES[screen.reads or ""] if said is None else (said,)
    reader = READERS.get(screen.reads or "")
    return reader.mistakes if reader is not None else ()


def keys_of(screen: Screen) -> int:
    """Key presses on a keypad of twelve for what is usually typed here."""
    match screen.rule:
        case Regex(pattern=source):
            pattern = Pattern(source)
            return pattern.longest * (1 if pattern.is_digits else KEYS_PER_LETTER)
        case Range(highest=highest):
            return len(str(highest))
        case OneOf():
            return 1
        case _:
            return READERS[screen.reads or ""].keys


def widest_answer(screen: Screen) -> int:
    """Septets of the longest text that is kept of what is typed here."""
    match screen.rule:
        case Regex(pattern=source):
            return Pattern(source).longest
        case Range(highest=highest):
            return len(f"{highest:,}")
        case _:
            return 0


def rule_problems(screen: Screen, texts: Texts) -> Iterator[str]:
    """What makes no sense in a screen's rule, as `file:line: screen: what`."""
    rule = screen.rule
    if rule is None:
        return
    if isinstance(rule, Regex):
        yield from _pattern_problems(screen, rule.pattern)
    elif isinstance(rule, Range):
        if rule.lowest >= rule.highest:
            yield f"{screen.where}: no range goes from {rule.lowest} to {rule.highest}"
        elif rule.lowest == 0 and screen.has_back:
            yield f"{screen.where}: the range has 0, which goes back here"
    else:
        yield from _word_problems(screen, rule, texts)
    if rule.complaint is not None:
        yield from _complaint_problems(screen, rule.complaint, texts)


def _pattern_problems(screen: Screen, source: str) -> Iterator[str]:
    try:
        pattern = Pattern(source)
    except BrokenPattern as broken:
        yield f"{screen.where}: the pattern {source!r} {broken}"
        return
    keys = [(BACK_KEY, screen.has_back), (HOME_KEY, screen.has_home)]
    for key in (key for key, is_there in keys if is_there and pattern.matches(key)):
        yield f"{screen.where}: the pattern {source!r} takes {key}, which goes back or home here"


def _word_problems(screen: Screen, rule: OneOf, texts: Texts) -> Iterator[str]:
    if screen.kind != "input":
        yield f"{screen.where}: `one_of` numbers its words, so it belongs to kind `input`"
    if not 2 <= len(rule.words) <= WORDS_MAX:
        yield f"{screen.where}: {len(rule.words)} words: `one_of` takes 2 to {WORDS_MAX}"
    verb = screen.move.verb if screen.move is not None else None
    facts = facts_of(verb)
    known = facts.words if facts is not None else ()
    for word in rule.words:
        if known and word not in known:
            yield f"{screen.where}: `{verb}` knows no `{word}`; it knows {', '.join(known)}"
    there = {word: key for word, key in rule.words.items() if texts.has(key)}
    for key in there.values():
        if texts.template(FALLBACK, key).names:
            yield f"{screen.where}: the word `{key}` has variables, and a line has none"
    for language in texts.languages:
        meant: dict[str, str] = {}
        for word, key in there.items():
            said = folded(texts.template(language, key).source)
            if not said or said.isdigit():
                yield f"{screen.where}: {language}: the word `{key}` cannot be told from a number"
            elif said in meant:
                yield f"{screen.where}: {language}: `{word}` reads the same as `{meant[said]}`"
            meant.setdefault(said, word)


def _complaint_problems(screen: Screen, key: str, texts: Texts) -> Iterator[str]:
    if not key.startswith("mistake."):
        yield f"{screen.where}: the complaint `{key}` must be one of `mistake.`"
    elif texts.has(key):
        able = {"minimum", "maximum"} if isinstance(screen.rule, Range) else set[str]()
        for name in dict.fromkeys(texts.template(FALLBACK, key).names):
            if name not in able:
                yield f"{screen.where}: {{{name}}} of `{key}` is nothing this rule can tell"

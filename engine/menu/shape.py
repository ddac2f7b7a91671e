"""The proof that a menu's words fit each other: kinds, verbs, readers, choices, texts that exist.

It looks at one screen and one move at a time; where they lead together, `paths.py` knows.
"""

from collections.abc import Iterator

import msgspec

from engine.menu.rules import reading_mistakes, rule_problems
from engine.menu.screens import PAGED, Choice, Menu, Move, OneOf, Screen
from engine.menu.vocabulary import (
    CHOICE_MISTAKE,
    FACTS,
    LISTS,
    READERS,
    RESUME,
    RULES,
    SAYS_YES,
    SUBJECTS,
    UNREAD_MISTAKE,
    VERBS,
    facts_of,
)
from engine.texts import FALLBACK, Texts

CHOICE_KEYS = "123456789"


def shape_problems(menu: Menu, texts: Texts) -> Iterator[str]:
    """What makes no sense by itself, as `file:line: screen: what`."""
    if menu.home not in menu.screens:
        yield f"{menu.opens.where}: home leads to {menu.home}, which is not a screen"
    yield from _move_problems(menu, menu.opens, None)
    for move in menu.resumes.values():
        yield from _move_problems(menu, move, None)
    for screen in menu.screens.values():
        yield from _kind_faults(screen)
        yield from _input_faults(screen)
        yield from _check_faults(screen)
        yield from rule_problems(screen, texts)
        yield from _list_faults(screen)
        yield from _choice_faults(screen)
        yield from _word_faults(screen)
        yield from _text_faults(screen, texts)
        for move, given in _moves(screen):
            yield from _move_problems(menu, move, given)
        yield from _mistake_problems(menu, screen)


def own_mistakes(screen: Screen) -> set[str]:
    """What may be refused here, before it is shown here or elsewhere."""
    found = {CHOICE_MISTAKE} if screen.kind in PAGED else set()
    if screen.kind == "confirm":
        found.add(UNREAD_MISTAKE)
    found |= set(reading_mistakes(screen))
    for verb in (screen.check, *(move.verb for move in screen.moves)):
        if (facts := facts_of(verb)) is not None:
            found |= set(facts.mistakes)
    return found


def without_impossible(menu: Menu) -> Menu:
    """The same without where mistakes lead that no verb of ours makes: a newer release's do."""
    screens = {name: _without_impossible(screen) for name, screen in menu.screens.items()}
    return msgspec.structs.replace(menu, screens=screens)


def _without_impossible(screen: Screen) -> Screen:
    possible = own_mistakes(screen)
    mistakes = {key: target for key, target in screen.mistakes.items() if key in possible}
    return msgspec.structs.replace(screen, mistakes=mistakes)


def _kind_faults(screen: Screen) -> Iterator[str]:
    kind = screen.kind
    if kind in ("choice", "confirm") and not screen.choices:
        yield f"{screen.where}: no choices"
    if kind in ("input", "end") and screen.choices:
        yield f"{screen.where}: a screen of kind `{kind}` has no choices"
    if screen.sensitive and kind != "input":
        yield f"{screen.where}: `sensitive` belongs to kind `input`"
    if screen.prompt is not None and not screen.sensitive:
        yield f"{screen.where}: `by_prompt` belongs to a `sensitive` screen"


def _input_faults(screen: Screen) -> Iterator[str]:
    if screen.kind == "input" and (screen.move is None or screen.reads is None):
        yield f"{screen.where}: an input needs `reads` and `next`"
    if screen.kind not in ("input", "list") and (screen.move or screen.reads):
        yield f"{screen.where}: `reads` and `next` belong to kinds `input` and `list`"
    if screen.kind == "list" and (screen.move is None) != (screen.reads is None):
        yield f"{screen.where}: `reads` and `next` go together"
    if screen.reads == "pin" and not screen.sensitive:
        yield f"{screen.where}: a PIN is asked, so it must be `sensitive: true`"


def _check_faults(screen: Screen) -> Iterator[str]:
    verb = screen.move.verb if screen.move is not None else None
    facts = facts_of(verb)
    if screen.sensitive and facts is not None and facts.keeps:
        yield f"{screen.where}: `{verb}` keeps what is typed, and here that is `sensitive`"
    if screen.check is None:
        return
    facts = facts_of(screen.check)
    if facts is None or facts.outcomes != SAYS_YES:
        able = [name for name, facts in VERBS.items() if facts.outcomes == SAYS_YES]
        yield f"{screen.where}: `{screen.check}` checks nothing; there are {', '.join(able)}"
    elif not facts.accepts(screen.reads):
        reads = screen.reads or "nothing"
        yield f"{screen.where}: `{screen.check}` checks {facts.takes}, here {reads} is read"


def _list_faults(screen: Screen) -> Iterator[str]:
    if (screen.kind == "list") != (screen.lists is not None and screen.pick is not None):
        yield f"{screen.where}: `lists` and `pick` belong to kind `list`, and a list needs them"
    reader = READERS.get(screen.reads or "")
    is_short = screen.rule is not None or (reader is not None and reader.is_short)
    if screen.lists is not None and is_short:
        yield f"{screen.where}: what `{screen.reads}` reads may be an item's number as well"
    if screen.lists is not None and [*screen.choices] != [*CHOICE_KEYS[: len(screen.choices)]]:
        yield f"{screen.where}: choices above a list are numbered 1, 2, ...: items go on from there"


def _choice_faults(screen: Screen) -> Iterator[str]:
    for choice in screen.choices.values():
        if not (len(choice.key) == 1 and choice.key in CHOICE_KEYS):
            yield (
                f"{choice.move.where}: choice {choice.key} clashes with back, home, paging or "
                "items: use 1 to 9"
            )
    labels: dict[str, Choice] = {}
    for choice in screen.choices.values():
        if choice.label in labels:
            twin = labels[choice.label].key
            yield f"{choice.move.where}: choice {choice.key} reads the same as {twin}"
        labels[choice.label] = choice


def _word_faults(screen: Screen) -> Iterator[str]:
    if screen.reads is not None and screen.rule is None and screen.reads not in READERS:
        able = f"{', '.join(READERS)}, and by a rule {', '.join(RULES)}"
        yield f"{screen.where}: nobody reads `{screen.reads}`; there are {able}"
    if screen.lists is not None and screen.lists not in LISTS:
        yield f"{screen.where}: nobody lists `{screen.lists}`; there are {', '.join(LISTS)}"
    if screen.about not in SUBJECTS:
        yield f"{screen.where}: about `{screen.about}`: there are {', '.join(SUBJECTS)}"
    for choice in screen.choices.values():
        if choice.when is not None and choice.when not in FACTS:
            yield f"{choice.move.where}: when `{choice.when}`: there are {', '.join(FACTS)}"


def _text_faults(screen: Screen, texts: Texts) -> Iterator[str]:
    labels = [choice.label for choice in screen.choices.values()]
    words = [*screen.rule.words.values()] if isinstance(screen.rule, OneOf) else []
    items = [LISTS[screen.lists]] if screen.lists and screen.lists in LISTS else []
    mistakes = sorted(own_mistakes(screen))
    for key in dict.fromkeys((screen.text, screen.again, *labels, *words, *items, *mistakes)):
        if not texts.has(key):
            yield f"{screen.where}: no text `{key}`"
    known = SUBJECTS.get(screen.about, {})
    for key in dict.fromkeys(key for key in (screen.text, screen.again) if texts.has(key)):
        for name in dict.fromkeys(texts.template(FALLBACK, key).names):
            if name not in known:
                yield f"{screen.where}: {{{name}}} of `{key}` is nothing a screen can show"
    for key in dict.fromkeys(label for label in labels if texts.has(label)):
        if texts.template(FALLBACK, key).names:
            yield f"{screen.where}: the label `{key}` has variables, and a line has none"


def _moves(screen: Screen) -> Iterator[tuple[Move, str | None]]:
    """Each move, and what its verb receives: a reader's value, an item, or nothing."""
    for choice in screen.choices.values():
        yield choice.move, None
    if screen.move is not None:
        yield screen.move, screen.reads
    if screen.pick is not None:
        yield screen.pick, f"item:{screen.lists}"
    if screen.prompt is not None:
        yield screen.prompt, None


def _move_problems(menu: Menu, move: Move, given: str | None) -> Iterator[str]:
    where = move.where
    outcomes: tuple[str, ...] = ("next",)
    if move.verb is not None:
        facts = VERBS.get(move.verb)
        if facts is None:
            yield f"{where}: no verb `{move.verb}`; there are {', '.join(VERBS)}"
            return
        outcomes = facts.outcomes
        if not facts.accepts(given):
            takes, gets = facts.takes or "nothing", given or "nothing"
            yield f"{where}: `{move.verb}` takes {takes}, not {gets}"
    if move.verb == RESUME and not menu.resumes:
        yield f"{where}: `{RESUME}`, but no journey says how it is taken up"
    if move.verb is None and set(move.targets) != set(outcomes):
        yield f"{where}: without `do`, `next` is one screen"
    elif set(move.targets) != set(outcomes):
        yield f"{where}: `next` must name exactly {', '.join(outcomes) or 'nothing'}"
    for target in move.targets.values():
        if target not in menu.screens:
            yield f"{where}: leads to {target}, which is not a screen"
        elif _is_left_empty(move, menu.screens[target]):
            lists = menu.screens[target].lists
            yield f"{where}: leads to {target}, but nothing fills its list `{lists}`"


def _is_left_empty(move: Move, target: Screen) -> bool:
    """A list that also reads what is typed may be empty; any other would be a dead end."""
    if target.lists is None or target.reads is not None:
        return False
    return move.verb is None or move.verb not in VERBS or VERBS[move.verb].fills != target.lists


def _mistake_problems(menu: Menu, screen: Screen) -> Iterator[str]:
    possible = own_mistakes(screen)
    for key, target in screen.mistakes.items():
        if key not in possible:
            yield f"{screen.where}: `{key}` cannot happen here"
        if target not in menu.screens:
            yield f"{screen.where}: {key} leads to {target}, which is not a screen"
        elif menu.screens[target].lists is not None and menu.screens[target].reads is None:
            yield f"{screen.where}: {key} leads to {target}, a list that nothing fills"

"""The journeys of `menus/*.yaml` as screens. Reads and shapes; `check.py` proves them sound."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from engine.menu.documents import Document, read_document, shaped
from engine.menu.folders import house_or_own, label_of, stray_problems
from engine.menu.own import without_left_out
from engine.menu.screens import (
    KEEP_SECONDS,
    KEEP_SECRET_SECONDS,
    BrokenMenu,
    Choice,
    Menu,
    Move,
    OneOf,
    Range,
    Regex,
    Rule,
    Screen,
)
from engine.menu.vocabulary import RESUME, RULES
from engine.menu.written import (
    WrittenChoice,
    WrittenJourney,
    WrittenOpening,
    WrittenRule,
    WrittenScreen,
    WrittenVerb,
)

NOT_JOURNEYS = {"networks.yaml", "deep_links.yaml"}

_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


class _Found(NamedTuple):
    """One screen as it is written."""

    document: Document
    name: str
    screen: WrittenScreen
    has_home: bool

    @property
    def full_name(self) -> str:
        return f"{Path(self.document.file).stem}.{self.name}"

    def at(self, *part: str) -> str:
        """Where a part of it stands: file, line and screen."""
        return f"{self.document.at('screens', self.name, *part)}: {self.name}"


class _Reading:
    """What has been read so far, faults included: all are told at once."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.screens: list[_Found] = []
        self.opens: tuple[str, WrittenOpening] | None = None
        self.resumes: dict[str, tuple[str, WrittenVerb]] = {}

    def journey(self, path: Path, label: str) -> None:
        say = self.problems.append
        document = read_document(path, say, label)
        if document is None:
            return
        # The screens one by one below, so that a fault in one hides no other.
        raw = document.values.pop("screens", None)
        journey = shaped(document, {**document.values, "screens": {}}, WrittenJourney, say)
        if not isinstance(raw, dict) or not raw:
            say(f"{document.at('screens')}: `screens` is missing")
        elif journey is not None:
            self._parts(document, path.stem, journey)
            self._screens(document, raw, has_home=journey.home)

    def _parts(self, document: Document, name: str, journey: WrittenJourney) -> None:
        if journey.opens is not None:
            where = f"{document.at('opens')}: opens"
            if self.opens is not None:
                self.problems.append(f"{where}: stands in {self.opens[0].split(':')[0]} already")
            self.opens = (where, journey.opens)
        if journey.resume is not None:
            self.resumes[name] = (f"{document.at('resume')}: resume", journey.resume)

    def _screens(self, document: Document, raw: dict[str, Any], *, has_home: bool) -> None:
        say = self.problems.append
        for name, part in raw.items():
            if _NAME.fullmatch(name) is None:
                say(f"{document.at('screens', name)}: `{name}`: write names in small letters")
            screen = shaped(document, part, WrittenScreen, say, "screens", name)
            if screen is None:
                continue
            found = _Found(document, name, screen, has_home)
            if isinstance(screen.reads, WrittenRule) and (fault := _rule_fault(screen.reads)):
                say(f"{found.at('reads')}: {fault}")
            else:
                self.screens.append(found)


def read_menu(folder: Path) -> Menu:
    """Read every journey of a folder, a tenant's own instead of the house's of the same name.

    Raises BrokenMenu with all that is misshapen.
    """
    reading = _Reading()
    reading.problems += stray_problems(folder)
    paths = [path for name, path in house_or_own(folder).items() if name not in NOT_JOURNEYS]
    for path in paths:
        reading.journey(path, label_of(folder, path))
    if not paths:
        reading.problems.append(f"{folder.name}: there are no journeys here")
    elif reading.opens is None and not reading.problems:
        reading.problems.append(f"{folder.name}: no journey has an `opens`: nobody could begin")
    if reading.problems or reading.opens is None:
        raise BrokenMenu(reading.problems)
    where, opening = reading.opens
    opens = Move("open", opening.do, opening.next, where)
    first = set(opens.targets.values())
    screens = {
        found.full_name: _screen(found, has_back=found.full_name not in first)
        for found in reading.screens
    }
    resumes = {
        journey: Move(f"{RESUME}_{journey}", raw.do, raw.next, where)
        for journey, (where, raw) in reading.resumes.items()
    }
    return without_left_out(Menu(opening.home, opens, screens, resumes))


def _screen(found: _Found, *, has_back: bool) -> Screen:
    raw = found.screen
    back = has_back and raw.kind != "end"
    reads, rule = _reader(raw.reads)
    return Screen(
        name=found.full_name,
        where=found.at(),
        kind=raw.kind,
        text=raw.text,
        again=raw.again or raw.text,
        about=raw.about,
        reads=reads,
        sensitive=raw.sensitive,
        lists=raw.lists,
        choices={
            key: Choice(key, choice.label, _move(key, choice, found.at("choices", key)),
                        choice.when)
            for key, choice in sorted(raw.choices.items())
        },
        move=_move("input", raw, found.at("next")) if raw.next is not None else None,
        pick=_move("pick", raw.pick, found.at("pick")) if raw.pick is not None else None,
        prompt=(
            _move("prompt", raw.by_prompt, found.at("by_prompt"))
            if raw.by_prompt is not None
            else None
        ),
        mistakes=raw.mistakes,
        has_back=back,
        has_home=back and found.has_home,
        rule=rule,
        check=raw.check,
        keep_seconds=raw.keep or (
            KEEP_SECRET_SECONDS if raw.sensitive else KEEP_SECONDS[raw.kind]
        ),
    )  # fmt: skip


def _rule_fault(raw: WrittenRule) -> str | None:
    """Why a rule says too little or too much to be one."""
    if sum(part is not None for part in (raw.regex, raw.range, raw.one_of)) != 1:
        return f"`reads` says how: a word, or exactly one of {', '.join(RULES)}"
    if raw.regex is not None and raw.complaint is None:
        return "a `regex` needs a `complaint`: nobody guesses what was meant"
    return None


def _reader(raw: str | WrittenRule | None) -> tuple[str | None, Rule | None]:
    """How what is typed is understood, by its name, and the rule it follows, if it has one."""
    if not isinstance(raw, WrittenRule):
        return raw, None
    if raw.regex is not None:
        return "regex", Regex(raw.regex, raw.complaint or "")
    if raw.range is not None:
        return "range", Range(raw.range.min, raw.range.max, raw.complaint)
    return "one_of", OneOf(raw.one_of or {}, raw.complaint)


def _move(event: str, raw: WrittenChoice | WrittenScreen | WrittenVerb, where: str) -> Move:
    targets = raw.next if isinstance(raw.next, dict) else {"next": str(raw.next)}
    return Move(event, raw.do, targets, where)

"""The journeys of `menus/*.yaml` as screens. Reads and shapes; `check.py` proves them sound."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from engine.errors import CappError

NOT_JOURNEYS = {"networks.yaml"}

Kind = Literal["choice", "input", "confirm", "info", "end"]


class BrokenMenu(CappError):
    """The menu must not be served; the message lists every fault with file, line and screen."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Move(msgspec.Struct, frozen=True):
    """What an input does: run a verb, if there is one, and go where its outcome leads.

    `event` is how the machine calls it: the choice's number, `input`, or `open`. Without a verb
    the only outcome is `next`.
    """

    event: str
    verb: str | None
    argument: str | None
    targets: Mapping[str, str]


class Choice(msgspec.Struct, frozen=True):
    """One numbered line of a screen."""

    key: str
    label: str
    move: Move


class Screen(msgspec.Struct, frozen=True):
    """One text on the phone and what may be typed there. `where` names it in an error."""

    name: str
    where: str
    kind: Kind
    text: str
    again: str
    about: str
    reads: str | None
    sensitive: bool
    choices: Mapping[str, Choice]
    move: Move | None
    mistakes: Mapping[str, str]
    has_back: bool
    has_home: bool

    @property
    def moves(self) -> Iterator[Move]:
        yield from (choice.move for choice in self.choices.values())
        if self.move is not None:
            yield self.move


class Menu(msgspec.Struct, frozen=True):
    """All screens of all journeys. `version` changes whenever a file does."""

    version: str
    home: str
    opens: Move
    screens: Mapping[str, Screen]


class _Choice(msgspec.Struct, forbid_unknown_fields=True):
    label: str
    next: str | dict[str, str]
    do: str | None = None
    argument: str | None = msgspec.field(name="with", default=None)


class _Screen(msgspec.Struct, forbid_unknown_fields=True):
    kind: Kind
    text: str
    again: str | None = None
    about: str = "price"
    reads: str | None = None
    sensitive: bool = False
    choices: dict[int, _Choice] = {}
    next: str | dict[str, str] | None = None
    do: str | None = None
    argument: str | None = msgspec.field(name="with", default=None)
    mistakes: dict[str, str] = {}


class _Opens(msgspec.Struct, forbid_unknown_fields=True):
    do: str
    next: dict[str, str]
    home: str


class _Reading:
    """What has been read so far, faults included: all are told at once."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.screens: dict[str, tuple[_Screen, str, bool]] = {}
        self.opens: _Opens | None = None

    def journey(self, path: Path, text: str) -> None:
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            journey = yaml.safe_load(text)
        except yaml.YAMLError as error:
            self.problems.append(f"{path.name}: {error}")
            return
        if not isinstance(journey, dict) or not isinstance(journey.get("screens"), dict):
            self.problems.append(f"{path.name}: `screens` is missing")
            return
        self.problems += _twice(path, root)
        known = {"screens", "opens", "home"}
        self.problems += [f"{path.name}: unknown part `{k}`" for k in journey if k not in known]
        if "opens" in journey:
            self._opening(path, journey["opens"])
        lines = _screen_lines(root)
        for name, raw in journey["screens"].items():
            where = f"{path.name}:{lines.get(name, 0)}: {name}"
            screen = self._convert(raw, _Screen, where)
            if screen is not None:
                home = bool(journey.get("home", True))
                self.screens[f"{path.stem}.{name}"] = (screen, where, home)

    def _opening(self, path: Path, raw: Any) -> None:
        if self.opens is not None:
            self.problems.append(f"{path.name}: a second `opens`")
        self.opens = self._convert(raw, _Opens, f"{path.name}: opens")

    def _convert(self, raw: Any, kind: type[Any], where: str) -> Any:
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            self.problems.append(f"{where}: {error}")
            return None


def read_menu(folder: Path) -> Menu:
    """Read every journey of a folder. Raises BrokenMenu with all that is misshapen."""
    reading, digest = _Reading(), hashlib.blake2b(digest_size=4)
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in NOT_JOURNEYS:
            content = path.read_bytes()
            digest.update(content)
            reading.journey(path, content.decode("utf-8"))
    if reading.opens is None:
        reading.problems.append("no journey has an `opens`: nobody could begin")
    if reading.problems or reading.opens is None:
        raise BrokenMenu(reading.problems)
    opens = Move("open", reading.opens.do, None, reading.opens.next)
    first = set(opens.targets.values())
    screens = {
        name: _screen(name, raw, where, has_back=name not in first, has_home=home)
        for name, (raw, where, home) in reading.screens.items()
    }
    return Menu(digest.hexdigest(), reading.opens.home, opens, screens)


def _screen(name: str, raw: _Screen, where: str, *, has_back: bool, has_home: bool) -> Screen:
    back = has_back and raw.kind != "end"
    return Screen(
        name=name,
        where=where,
        kind=raw.kind,
        text=raw.text,
        again=raw.again or raw.text,
        about=raw.about,
        reads=raw.reads,
        sensitive=raw.sensitive,
        choices={
            str(key): Choice(str(key), choice.label, _move(str(key), choice))
            for key, choice in sorted(raw.choices.items())
        },
        move=_move("input", raw) if raw.next is not None else None,
        mistakes=raw.mistakes,
        has_back=back,
        has_home=back and has_home,
    )


def _move(event: str, raw: _Choice | _Screen) -> Move:
    targets = raw.next if isinstance(raw.next, dict) else {"next": str(raw.next)}
    return Move(event, raw.do, raw.argument, targets)


def _screen_lines(root: Any) -> dict[str, int]:
    """Screen name -> line, from the composed document."""
    for key, value in root.value:
        if key.value == "screens":
            return {name.value: name.start_mark.line + 1 for name, _ in value.value}
    return {}


def _twice(path: Path, node: Any) -> Iterator[str]:
    """Keys that stand twice in one mapping: YAML would silently let the last one win."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield f"{path.name}:{key.start_mark.line + 1}: `{key.value}` stands twice"
            seen.add(key.value)
            yield from _twice(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _twice(path, value)

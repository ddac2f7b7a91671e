"""The shapes of a menu: screens, what may be pressed on them, where that leads. Values only."""

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec

from engine.errors import CappError

Kind = Literal["choice", "input", "list", "confirm", "info", "end"]

OWN = "own"
"""The folder beside the house's files where a tenant's own are laid."""

BACK_KEY, HOME_KEY, MORE_KEY = "0", "00", "98"
"""Pressed on any screen that shows them; no choice and no item may be called like one."""

PAGED: frozenset[Kind] = frozenset({"choice", "list", "confirm", "info"})
"""Kinds that go on over several pages. An input may not: what is typed could be `98` itself."""


KEEP_SECONDS: Mapping[Kind, int] = {
    "choice": 900, "input": 900, "list": 900, "info": 900, "end": 900,
    # Who has seen a price often puts money into the wallet before agreeing to it.
    "confirm": 1_800,
}  # fmt: skip
"""How long what a session got to is kept after its last turn, unless its screen says otherwise."""
KEEP_SECRET_SECONDS = 300
"""The same after a screen that asks a secret: a new PIN's seal is in the record of the next one."""
KEEP_SECONDS_MIN, KEEP_SECONDS_MAX = 60, 21_600
"""No phone is back sooner; nobody remembers longer, and an edition is kept for a day."""


class Regex(msgspec.Struct, frozen=True):
    """What is typed has this form as a whole (`patterns.py`), or `complaint` is told."""

    pattern: str
    complaint: str


class Range(msgspec.Struct, frozen=True):
    """A whole number from `lowest` to `highest`, both included."""

    lowest: int
    highest: int
    complaint: str | None = None


class OneOf(msgspec.Struct, frozen=True):
    """One of a few words: what each stands for -> the text that shows it, in the screen's order."""

    words: Mapping[str, str]
    complaint: str | None = None


Rule: TypeAlias = Regex | Range | OneOf


class BrokenMenu(CappError):
    """The menu must not be served; the message lists every fault with file, line and screen."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Move(msgspec.Struct, frozen=True):
    """What an input does: run a verb, if there is one, and go where its outcome leads.

    `event` is how the machine calls it: the choice's number, `input`, `pick`, `prompt`, `open` or
    `resume_<journey>`. Without a verb the only outcome is `next`. `where` names it in an error.
    """

    event: str
    verb: str | None
    targets: Mapping[str, str]
    where: str = ""


class Choice(msgspec.Struct, frozen=True):
    """One numbered line of a screen. It is there only `when` a fact of the session holds."""

    key: str
    label: str
    move: Move
    when: str | None = None


class Screen(msgspec.Struct, frozen=True):
    """One text on the phone and what may be typed there. `where` names it in an error.

    `move` takes what was typed (`reads` says how it is understood, by a `rule` if there is one,
    and `check` is a verb that must say yes to it), `pick` an item of the list,
    `prompt` replaces the screen where no secret may be asked (SMS). A session that ends here
    unfinished can be taken up for `keep_seconds`.
    """

    name: str
    where: str
    kind: Kind
    text: str
    again: str
    about: str
    reads: str | None
    sensitive: bool
    lists: str | None
    choices: Mapping[str, Choice]
    move: Move | None
    pick: Move | None
    prompt: Move | None
    mistakes: Mapping[str, str]
    has_back: bool
    has_home: bool
    keep_seconds: int = KEEP_SECONDS["choice"]
    rule: Rule | None = None
    check: str | None = None

    @property
    def journey(self) -> str:
        """The file it stands in, without its ending."""
        return self.name.partition(".")[0]

    @property
    def is_own(self) -> bool:
        """Whether it stands in a file of the tenant's, and not in one of the house's."""
        return self.where.startswith(f"{OWN}/")

    @property
    def moves(self) -> Iterator[Move]:
        """Every move that can leave this screen."""
        yield from (choice.move for choice in self.choices.values())
        yield from (move for move in (self.move, self.pick, self.prompt) if move is not None)


class Menu(msgspec.Struct, frozen=True):
    """All screens of all journeys. `resumes` is journey -> how it is taken up after a drop."""

    home: str
    opens: Move
    screens: Mapping[str, Screen]
    resumes: Mapping[str, Move]

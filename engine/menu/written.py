"""How a journey stands in its file: the shapes that YAML is read into and editors are told of.

What the words mean and whether they fit each other is not known here.
"""

from typing import Annotated

import msgspec

from engine.menu.screens import KEEP_SECONDS_MAX, KEEP_SECONDS_MIN, Kind

NUMBER_MAX = 999_999_999
"""With signs between its thousands no number is wider than {minimum} and {maximum}."""

Keep = Annotated[int, msgspec.Meta(ge=KEEP_SECONDS_MIN, le=KEEP_SECONDS_MAX)]


class WrittenVerb(msgspec.Struct, forbid_unknown_fields=True):
    """A verb and where each of its outcomes leads."""

    do: str
    next: dict[str, str]


class WrittenChoice(msgspec.Struct, forbid_unknown_fields=True):
    """One numbered line. Without `do`, `next` is one screen."""

    label: str
    next: str | dict[str, str]
    do: str | None = None
    when: str | None = None


class WrittenRange(msgspec.Struct, forbid_unknown_fields=True):
    """A whole number between two, both included."""

    min: Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]
    max: Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]


class WrittenRule(msgspec.Struct, forbid_unknown_fields=True):
    """What may be typed, as one of three rules; `complaint` is told for everything else."""

    regex: str | None = None
    range: WrittenRange | None = None
    one_of: dict[str, str] | None = None
    complaint: str | None = None


class WrittenScreen(msgspec.Struct, forbid_unknown_fields=True):
    """One screen; see `menus/README.md` for what each field means."""

    kind: Kind
    text: str
    again: str | None = None
    about: str = "price"
    reads: str | WrittenRule | None = None
    check: str | None = None
    sensitive: bool = False
    lists: str | None = None
    choices: dict[str, WrittenChoice] = {}
    next: str | dict[str, str] | None = None
    do: str | None = None
    pick: WrittenVerb | None = None
    by_prompt: WrittenVerb | None = None
    mistakes: dict[str, str] = {}
    keep: Keep | None = None


class WrittenOpening(msgspec.Struct, forbid_unknown_fields=True):
    """Where a dial begins, and the screen `00` leads to."""

    do: str
    next: dict[str, str]
    home: str


class WrittenJourney(msgspec.Struct, forbid_unknown_fields=True):
    """One file."""

    screens: dict[str, WrittenScreen]
    opens: WrittenOpening | None = None
    home: bool = True
    resume: WrittenVerb | None = None

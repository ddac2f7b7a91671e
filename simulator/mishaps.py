"""What a network can do wrong, and when it does: by chance, the same again for the same seed.

Pure: each place (whose phone, which dial, which turn) has draws of its own, so that neither the
time a turn takes nor what else is played moves a mishap to another place.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random, SystemRandom
from typing import NamedTuple

SEEDS = 10**6


class Mishap(StrEnum):
    """One thing that can go wrong between a phone and the server."""

    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    DELAY = "delay"
    HANG_UP = "hang_up"
    TRUNCATE = "truncate"
    GARBLE = "garble"
    LOST_END = "lost_end"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    TWIN = "twin"
    REUSE_SESSION = "reuse_session"
    PORTED = "ported"
    SMS_LOST = "sms_lost"
    SMS_LATE = "sms_late"
    SMS_TWICE = "sms_twice"


@dataclass(frozen=True)
class Kind:
    """What a mishap is, for people; whether the caller sees it; what its value means, if any."""

    meaning: str
    is_seen: bool = True
    at_dial: bool = False
    value: str | None = None  # when none is given
    unit: str = ""


# At most one strikes in a turn: the first in this order.
KINDS: Mapping[Mishap, Kind] = {
    Mishap.DROP_BEFORE: Kind("the turn never reaches the server"),
    Mishap.DROP_AFTER: Kind("the server's answer never reaches the phone"),
    Mishap.DELAY: Kind(
        "the phone gives up, and the turn arrives after that", value="0.5", unit="seconds"
    ),
    Mishap.HANG_UP: Kind("the caller hangs up on this screen"),
    Mishap.TRUNCATE: Kind("the screen is cut", value="60", unit="septets"),
    Mishap.GARBLE: Kind("characters of the screen are lost", value="8", unit="one in so many"),
    Mishap.LOST_END: Kind("the phone does not hear that the session has ended"),
    Mishap.DUPLICATE: Kind("the turn is delivered twice at once", is_seen=False),
    Mishap.REORDER: Kind("the turn before arrives once more, after this one", is_seen=False),
    Mishap.TWIN: Kind("another handset with the same number dials"),
    Mishap.REUSE_SESSION: Kind("the dialogue gets the id of the one before", at_dial=True),
    Mishap.PORTED: Kind(
        "the number is served by another network from now on", at_dial=True, value="",
        unit="network code",
    ),
    Mishap.SMS_LOST: Kind("the next SMS is accepted and never comes", at_dial=True),
    Mishap.SMS_LATE: Kind("the next SMS comes late", at_dial=True, value="2", unit="seconds"),
    Mishap.SMS_TWICE: Kind("the next SMS comes twice", at_dial=True),
}  # fmt: skip

SMS_MISHAPS = (Mishap.SMS_LOST, Mishap.SMS_LATE, Mishap.SMS_TWICE)
"""These are the SMS gateway's doing: its sandbox is told to."""

DIAL = 0
"""The turn under which a place stands for the dial itself."""


class Place(NamedTuple):
    """Where a mishap can strike. Dials and turns count from 1."""

    play: str
    phone: str
    dial: int
    turn: int

    def __str__(self) -> str:
        where = f"{self.phone}'s dial {self.dial}"
        return where if self.turn == DIAL else f"{where}, turn {self.turn}"


class Strike(NamedTuple):
    """One mishap at one place. `seed` decides what is left to chance about it."""

    mishap: Mishap
    place: Place
    value: str
    seed: str = ""
    by_chance: bool = True

    def __str__(self) -> str:
        return f"{self.mishap} at {self.place}"

    @property
    def number(self) -> float:
        """Its value as a number. Raises ValueError for what is none."""
        return float(self.value)


class Chance(NamedTuple):
    """How likely a mishap is at every place where it can strike, from 0 to 1."""

    mishap: Mishap
    probability: float
    value: str


@dataclass(frozen=True)
class Weather:
    """What goes wrong in one run. The same seed and chances strike the same places."""

    seed: int
    chances: tuple[Chance, ...] = ()

    def __str__(self) -> str:
        if not self.chances:
            return "calm"
        told = ",".join(_written(chance) for chance in self.chances)
        return f"--faults {told} --seed {self.seed}"

    def in_turn(self, place: Place) -> Strike | None:
        """What strikes this turn, if anything does."""
        return next(self._strikes(place, at_dial=False), None)

    def at_dial(self, place: Place) -> tuple[Strike, ...]:
        """What strikes this dial before its first turn."""
        return tuple(self._strikes(place._replace(turn=DIAL), at_dial=True))

    def _strikes(self, place: Place, *, at_dial: bool) -> Iterator[Strike]:
        for mishap, probability, value in self.chances:
            if KINDS[mishap].at_dial is not at_dial:
                continue
            if mishap is Mishap.REORDER and place.turn < 2:
                continue  # no turn stands before the first
            seed = f"{self.seed} {place!r} {mishap}"
            if Random(seed).random() < probability:
                yield Strike(mishap, place, value, seed)


CALM = Weather(0)


def read_chances(text: str) -> tuple[Chance, ...]:
    """`drop_after:0.1,truncate:0.05:120`: a name, its probability, and its value where it has one.

    Raises ValueError, naming what is wrong.
    """
    found: dict[Mishap, Chance] = {}
    for part in text.split(","):
        chance = _read_chance(part)
        if chance.mishap in found:
            raise ValueError(f"{chance.mishap} stands there twice")
        found[chance.mishap] = chance
    return tuple(found[mishap] for mishap in Mishap if mishap in found)


def read_mishap(name: str, value: str | None) -> tuple[Mishap, str]:
    """A mishap by its name, with its value or the usual one. Raises ValueError."""
    if name not in set(Mishap):
        raise ValueError(f"no network does {name!r}, only {', '.join(Mishap)}")
    mishap = Mishap(name)
    kind = KINDS[mishap]
    if kind.value is None and value is not None:
        raise ValueError(f"{mishap} takes no value")
    chosen = (kind.value or "") if value is None else value
    if kind.value and not _is_positive(chosen):
        raise ValueError(f"{mishap} takes {kind.unit}, not {chosen!r}")
    if mishap is Mishap.PORTED and not (chosen == "" or chosen.isdigit()):
        raise ValueError(f"{mishap} takes a network code, not {chosen!r}")
    return mishap, chosen


def add_options(parser: argparse.ArgumentParser) -> None:
    """The same options for everything that dials."""
    parser.add_argument(
        "--faults", metavar="NAME:CHANCE,...", default="",
        help=f"what the network does wrong, e.g. drop_after:0.1,truncate:0.05:120; {_explained()}",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, help="the same seed, the same faults (default: any)")


def from_options(options: argparse.Namespace) -> Weather:
    """What the options ask for; calm without `--faults`. Raises ValueError."""
    if not options.faults:
        return CALM
    seed = SystemRandom().randrange(SEEDS) if options.seed is None else options.seed
    return Weather(seed, read_chances(options.faults))


def _read_chance(part: str) -> Chance:
    name, _, rest = part.strip().partition(":")
    probability, _, value = rest.partition(":")
    mishap, chosen = read_mishap(name, value or None)
    try:
        chance = float(probability)
    except ValueError:
        chance = -1.0
    if not 0 <= chance <= 1:
        raise ValueError(f"{name} needs a chance from 0 to 1, as in {name}:0.1")
    return Chance(mishap, chance, chosen)


def _written(chance: Chance) -> str:
    value = f":{chance.value}" if chance.value else ""
    return f"{chance.mishap}:{chance.probability:g}{value}"


def _is_positive(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False


def _explained() -> str:
    return "; ".join(f"{mishap}: {kind.meaning}" for mishap, kind in KINDS.items())

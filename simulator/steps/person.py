"""Somebody with a phone, and the PINs made for them. The PINs are in no file and no output."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from simulator.network import Network
from simulator.steps.step import NotSo
from simulator.ussd import Line, Screen, UssdSession

PIN_NAMES = ("pin", "wrong_pin", "third_pin", "fourth_pin")
"""Four different PINs are enough to choose one, to err, and to change it twice."""

WEAK_PIN = "weak_pin"

DRAWS_MAX = 1_000
"""How often a number is drawn that somebody has already."""


@dataclass
class Person:
    """One phone and who holds it. `pins` exist for one run only."""

    name: str
    line: Line
    network: Network
    pins: dict[str, str] = field(repr=False)
    session: UssdSession | None = None
    screen: Screen | None = None
    twins: list[UssdSession] = field(default_factory=list)  # dialogues of other handsets

    @property
    def msisdn(self) -> str:
        return self.line.msisdn


def new_pins(random: Random, *, msisdn: str) -> dict[str, str]:
    """A PIN for every name, all different, none of them the end of that number."""
    made: list[str] = []
    while len(made) < len(PIN_NAMES):
        pin = new_pin(random)
        if pin not in made and not msisdn.endswith(pin):
            made.append(pin)
    return {**dict(zip(PIN_NAMES, made, strict=True)), WEAK_PIN: str(random.randrange(10)) * 4}


def new_pin(random: Random) -> str:
    """A PIN that no rule against weak ones refuses: no repetition, no series, no year."""
    while True:
        digits = random.sample(range(10), 4)
        strides = {(after - before) % 10 for before, after in pairwise(digits)}
        if len(strides) > 1 and digits[0] not in (1, 2):
            return "".join(map(str, digits))


def names_of(name: str, msisdn: str) -> Iterator[tuple[str, str]]:
    """How a person's number may be spelled in a transcript: a name, and what it stands for."""
    yield name, msisdn
    yield f"{name}_digits", msisdn.removeprefix("+")
    yield f"{name}_national", f"0{msisdn[4:]}"


def fill(pattern: str, random: Random, taken: set[str]) -> str:
    """A number with every `?` replaced by a digit of this run; `taken` has it from now on.

    A number without one is used as it is, by whoever says it. Raises NotSo when nearly all that
    the pattern has room for are taken.
    """
    if "?" not in pattern:
        return pattern
    for _ in range(DRAWS_MAX):
        drawn = "".join(str(random.randrange(10)) if sign == "?" else sign for sign in pattern)
        if drawn not in taken:
            taken.add(drawn)
            return drawn
    raise NotSo(f"all numbers like {pattern} are taken; give it more question marks")

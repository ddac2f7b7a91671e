"""Which float should move where. Pure: floats, their use and their marks in, proposals out.

Nothing moves by itself: what is decided here becomes proposals that people agree to and do. It
never takes a float below its own target, and leaves one alone that is merely below target but
has enough for now, so that money does not travel to and fro.
"""

from collections.abc import Sequence
from itertools import groupby

import msgspec

from engine.decisions import Decision
from engine.decisions import Kind as DecisionKind

COVER_DAYS = 3


class FloatFacts(msgspec.Struct, frozen=True):
    """One float and what is known of it. All amounts in minor units of `currency`."""

    operator: str
    currency: str
    minor: int
    use_per_day_minor: int
    low_minor: int = 0
    target_minor: int = 0
    unit_minor: int = 1  # the operator moves multiples of this


class Move(msgspec.Struct, frozen=True):
    """Float that people should move between two operators."""

    currency: str
    source: str
    target: str
    minor: int


class Shortage(msgspec.Struct, frozen=True):
    """What no other float of the currency can give: it has to be bought."""

    currency: str
    operator: str
    minor: int


class Advice(msgspec.Struct, frozen=True):
    """What should be done in one currency, and the decision to be kept with it."""

    currency: str
    moves: tuple[Move, ...]
    shortages: tuple[Shortage, ...]
    decision: Decision


class _Inputs(msgspec.Struct, frozen=True):
    floats: list[FloatFacts]
    cover_days: int
    move_minor_min: int


def forecast(days: Sequence[int]) -> int:
    """Use per day from that of the last days, oldest first: each newer day counts three tenths.

    Whole minor units, rounded down; zero without history.
    """
    if not days:
        return 0
    expected = days[0]
    for day in days[1:]:
        expected = (7 * expected + 3 * day) // 10
    return expected


def wanted_minor(float_: FloatFacts, cover_days: int) -> int:
    """How much should be there: the set target, or so many days of use if that is more."""
    return max(float_.target_minor, float_.use_per_day_minor * cover_days)


def is_short(float_: FloatFacts, cover_days: int) -> bool:
    """Below its low-water mark, or below half of the days it should cover."""
    return float_.minor < max(float_.low_minor, float_.use_per_day_minor * cover_days // 2)


def advise(
    floats: Sequence[FloatFacts], *, cover_days: int = COVER_DAYS, move_minor_min: int = 1
) -> list[Advice]:
    """One advice for each currency in which something should be done.

    The shortest float is served first, from the float with most to spare; ties go by name, so
    the same floats always lead to the same advice.
    """
    by_currency = sorted(floats, key=lambda f: (f.currency, f.operator))
    advice = []
    for currency, group in groupby(by_currency, key=lambda f: f.currency):
        inputs = _Inputs(list(group), cover_days, move_minor_min)
        moves, shortages = _decide(inputs)
        if moves or shortages:
            advice.append(Advice(currency, moves, shortages, _decision(inputs)))
    return advice


def replay(decision: Decision) -> Decision:
    """The decision that the inputs of a kept one lead to today."""
    return _decision(msgspec.convert(decision.inputs, _Inputs))


def _decision(inputs: _Inputs) -> Decision:
    return Decision(
        DecisionKind.LIQUIDITY, _told(*_decide(inputs)), _why(inputs), msgspec.to_builtins(inputs)
    )


def _decide(inputs: _Inputs) -> tuple[tuple[Move, ...], tuple[Shortage, ...]]:
    wanted = {f.operator: wanted_minor(f, inputs.cover_days) for f in inputs.floats}
    spare = {f.operator: max(f.minor - wanted[f.operator], 0) for f in inputs.floats}
    short = [f for f in inputs.floats if is_short(f, inputs.cover_days)]
    short.sort(key=lambda f: (f.minor - wanted[f.operator], f.operator))
    moves: list[Move] = []
    shortages: list[Shortage] = []
    for needy in short:
        need = wanted[needy.operator] - needy.minor
        for giver in sorted(inputs.floats, key=lambda f: (-spare[f.operator], f.operator)):
            unit = max(giver.unit_minor, needy.unit_minor)
            minor = min(need, spare[giver.operator]) // unit * unit
            if minor >= max(inputs.move_minor_min, 1):
                moves.append(Move(needy.currency, giver.operator, needy.operator, minor))
                spare[giver.operator] -= minor
                need -= minor
        if need > 0:
            shortages.append(Shortage(needy.currency, needy.operator, need))
    return tuple(moves), tuple(shortages)


def _told(moves: Sequence[Move], shortages: Sequence[Shortage]) -> str:
    told = [f"{m.source}>{m.target}:{m.minor}" for m in moves]
    return " ".join(told + [f"buy>{s.operator}:{s.minor}" for s in shortages])


def _why(inputs: _Inputs) -> str:
    short = [f.operator for f in inputs.floats if is_short(f, inputs.cover_days)]
    return f"below its mark or half of {inputs.cover_days} days of use: {', '.join(short)}"

"""A fitting call made less fitting: another signer, another value, too few arguments, odd bytes.

Often in more than one way: which of several reasons is given shows the order of the checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

from tests.move.differential.drawing import Drawn, encode, nothing
from tests.move.differential.picture import Picture

SHARE = 0.28
"""How many of all calls are spoilt, and"""
AGAIN = 0.45
"""how many of those once more, and of those once more."""

_TRIES = 4
_NUMBERS = {"u8": 2**8 - 1, "u64": 2**64 - 1}


def perhaps_spoilt(picture: Picture, drawn: Drawn) -> Drawn:
    """The call, or now and then one that is a little or entirely wrong."""
    if not picture.happens(SHARE):
        return drawn
    while picture.happens(AGAIN):
        drawn = picture.chance.choice([_other_signer, _other_value, _other_value])(picture, drawn)
    ways = [_other_signer, _other_value, _other_value, _other_value, _miscounted, _garbled]
    return replace(picture.chance.choice(ways)(picture, drawn), remember=nothing)


def doubly_spoilt(picture: Picture, drawn: Drawn) -> Iterator[Drawn]:
    """The call with two things wrong at once, for every two: only one can be the reason given."""
    places = range(-1, len(drawn.arguments))
    for one, other in combinations(places, 2):
        for _ in range(_TRIES):
            twice = _spoilt_at(picture, _spoilt_at(picture, drawn, one), other)
            yield replace(twice, remember=nothing)


def _spoilt_at(picture: Picture, drawn: Drawn, place: int) -> Drawn:
    if place < 0:
        return _other_signer(picture, drawn)
    kind, value = drawn.arguments[place]
    arguments = list(drawn.arguments)
    arguments[place] = kind, _another(picture, kind, value)
    return replace(drawn, arguments=tuple(arguments))


def _other_signer(picture: Picture, drawn: Drawn) -> Drawn:
    return replace(drawn, signers=tuple(picture.somebody() for _ in drawn.signers))


def _other_value(picture: Picture, drawn: Drawn) -> Drawn:
    return _spoilt_at(picture, drawn, picture.chance.randrange(len(drawn.arguments)))


def _miscounted(picture: Picture, drawn: Drawn) -> Drawn:
    match picture.chance.randrange(5):
        case 0:
            return replace(drawn, arguments=drawn.arguments[:-1])
        case 1:
            return replace(drawn, arguments=(*drawn.arguments, ("u64", 1)))
        case 2:
            return replace(drawn, signers=(*drawn.signers, picture.somebody()))
        case 3:
            return replace(drawn, signers=())
        case _:
            return replace(drawn, name=picture.chance.choice(_NO_ENTRIES))


_NO_ENTRIES = [
    "governance::owner",
    "settlement::no_such",
    "liquidity::total",
    "settlement::batch",
]


def _garbled(picture: Picture, drawn: Drawn) -> Drawn:
    kind, value = drawn.arguments[-1]
    written = encode(kind, value)
    odd = [written + b"\0", written[:-1], b"\xff" * 12, b"\x81\x00" + written[1:], b""]
    return replace(drawn, spoilt=picture.chance.choice(odd))


def _another(picture: Picture, kind: str, value: Any) -> Any:
    chance = picture.chance
    if kind in _NUMBERS:
        most = _NUMBERS[kind]
        return min(max(chance.choice([0, 1, value - 1, value + 1, value * 2, most]), 0), most)
    if kind == "bool":
        return not value
    if kind == "address" or kind.startswith("0x1::object::Object<"):
        zero, somebody = bytes(32), picture.somebody()
        return chance.choice([chance.choice(_places(picture)), somebody, zero])
    if kind == "vector<u8>":
        return chance.choice([b"", value[:-1], value + b"\0", chance.randbytes(len(value))])
    return _other_vector(picture, kind, value)


def _other_vector(picture: Picture, kind: str, value: Any) -> Any:
    items = list(value)
    item = kind.removeprefix("vector<").removesuffix(">")
    match picture.chance.randrange(5):
        case 0:
            items = items[:-1]
        case 1:
            items = [*items, *items[:1]]
        case 2:
            items.reverse()
        case 3 if items:
            place = picture.chance.randrange(len(items))
            items[place] = _another(picture, item, items[place])
        case _:
            items = []
    return tuple(items)


def _places(picture: Picture) -> list[bytes]:
    return [
        *picture.assets,
        *picture.all_pools(),
        *(corridor.address for corridor in picture.corridors),
        *(place for installation in picture.installations for place in installation),
    ]

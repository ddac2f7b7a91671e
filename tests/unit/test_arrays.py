import struct

import pytest

from engine.arrays import CODECS, FEW

EDGES = {"_int2": (15, "h"), "_int4": (31, "i"), "_int8": (63, "q")}


@pytest.mark.parametrize("times", [1, FEW], ids=["few", "many"])
@pytest.mark.parametrize("name", EDGES)
def test_numbers_lie_as_postgres_reads_them_whatever_the_machine(name: str, times: int) -> None:
    bits, code = EDGES[name]
    oid, encode, decode = CODECS[name]
    values = (0, 1, -1, 258, -(2**bits), 2**bits - 1) * times
    element = {1005: 21, 1007: 23, 1016: 20}[oid]
    one_by_one = struct.pack("!iiIii", 1, 0, element, len(values), 1) + b"".join(
        struct.pack(f"!i{code}", struct.calcsize(f"!{code}"), value) for value in values
    )
    assert encode(values) == encode(list(values)) == one_by_one
    assert tuple(decode(one_by_one)) == values


@pytest.mark.parametrize("name", EDGES)
def test_numbers_of_a_range_are_packed_like_a_list_of_them(name: str) -> None:
    _, encode, decode = CODECS[name]
    assert tuple(decode(encode(range(1, 251)))) == tuple(range(1, 251))


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("refused", ["above", "below", "text", "nothing", "fraction"])
@pytest.mark.parametrize("others", [1, FEW])
def test_what_is_no_such_number_is_refused_and_not_cut_off(
    name: str, refused: str, others: int
) -> None:
    bits, _ = EDGES[name]
    value = {"above": 2**bits, "below": -(2**bits) - 1, "text": "1", "nothing": None}.get(
        refused, 1.5
    )
    with pytest.raises((struct.error, OverflowError, TypeError)):
        CODECS[name][1]((1,) * others + (value,))


@pytest.mark.parametrize("name", CODECS)
def test_no_values_are_an_array_without_a_dimension(name: str) -> None:
    _, encode, decode = CODECS[name]
    assert encode(()) == encode([])
    assert struct.unpack("!iiI", encode(()))[:2] == (0, 0)
    assert list(decode(encode(()))) == []


def test_ids_and_texts_come_back_with_what_is_null() -> None:
    ids = ["0" * 32, None, "f" * 32]
    _, encode, decode = CODECS["_uuid"]
    assert list(decode(encode(ids))) == ids
    texts = ["", None, "ሰላም", "x" * 70_000]
    _, encode, decode = CODECS["_text"]
    assert list(decode(encode(texts))) == texts

"""Bad files. Each must be refused whole, and say where it went wrong."""

import io
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.compliance.lists.listed import ListFile
from engine.compliance.lists.ofac import read_sdn
from engine.compliance.lists.strict_xml import StrictReader
from engine.compliance.lists.un import read_un
from engine.errors import Unreadable
from tests.unit.compliance.lists_of_nobody import SDN, UN, Drip

Read = Callable[[io.BytesIO], ListFile]

BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE sdnList [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<sdnList><sdnEntry><lastName>&b;</lastName></sdnEntry></sdnList>"""
OUTSIDE = b"""<?xml version="1.0"?>
<!DOCTYPE sdnList [<!ENTITY x SYSTEM "file:///etc/passwd">]><sdnList>&x;</sdnList>"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (BOMB, "a document type"),
        (OUTSIDE, "a document type"),
        (b"<html><body>Service unavailable</body></html>", "expected <sdnList>"),
        (b"<sdnList>" + b"<a>" * 40, "nested too deeply"),
        (b"", "not well-formed, or cut off"),
        (b"PK\x03\x04 a zip file", "not well-formed, or cut off"),
        (b"<sdnList>&nbsp;</sdnList>", "not well-formed, or cut off"),
        (b"<sdnList></sdnList><sdnList></sdnList>", "not well-formed, or cut off"),
        (b"<sdnList></sdnList>", "no Publish_Date"),
    ],
)
def test_what_is_no_such_file_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read_sdn(io.BytesIO(body))


@pytest.mark.parametrize(("path", "read"), [(SDN, read_sdn), (UN, read_un)])
def test_a_file_cut_off_anywhere_is_refused(path: Path, read: Read) -> None:
    whole = path.read_bytes().rstrip()
    for length in range(0, len(whole), 151):
        with pytest.raises(Unreadable):
            read(io.BytesIO(whole[:length]))
    read(io.BytesIO(whole))


def test_an_entry_without_end_is_refused_before_it_fills_the_memory() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"<sdnList><sdnEntry><lastName>"
        while True:
            yield b"A" * 65_536

    endless = Drip(pieces())
    with pytest.raises(Unreadable, match="larger than any real one"):
        read_sdn(endless)
    assert endless.given < 2 * 1024 * 1024


def test_a_hundred_megabytes_are_read_in_little_memory() -> None:
    filler = b"<other>" + b"x" * 1_000_000 + b"</other>"

    def pieces() -> Iterator[bytes]:
        yield b"<sdnList>"
        for _ in range(100):
            yield filler
        yield b"<sdnEntry><uid>1</uid></sdnEntry></sdnList>"

    stream = Drip(pieces())
    tracemalloc.start()
    try:
        tags = [
            e.tag for e in StrictReader("test", "sdnList", frozenset({"sdnEntry"})).read(stream)
        ]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tags == ["sdnList", "sdnEntry"]
    assert stream.given > 100_000_000
    assert peak < 8_000_000


def test_the_fault_names_the_line_of_the_entry() -> None:
    body = SDN.read_bytes().replace(b"<sdnType>Vessel</sdnType>", b"<sdnType>Robot</sdnType>")
    line = body[: body.index(b"<uid>90004")].count(b"\n")  # where its element begins
    with pytest.raises(Unreadable, match=f"line {line}: entry 90004"):
        read_sdn(io.BytesIO(body))

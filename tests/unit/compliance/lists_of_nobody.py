"""Invented lists that the tests of this room share."""

from collections.abc import Iterator
from pathlib import Path

from engine.compliance.lists.listed import ListFile
from engine.compliance.lists.ofac import read_sdn
from engine.compliance.lists.un import read_un
from engine.compliance.matching import NameIndex
from engine.compliance.policy import read_policy

FOLDER = Path(__file__).parents[2] / "fixtures" / "lists"
SDN = FOLDER / "sdn_invented.xml"
UN = FOLDER / "un_invented.xml"


def sdn() -> ListFile:
    with SDN.open("rb") as stream:
        return read_sdn(stream)


def un() -> ListFile:
    with UN.open("rb") as stream:
        return read_un(stream)


def index() -> NameIndex:
    """Both lists under the house's own scoring."""
    entries = [(file.source, listed) for file in (sdn(), un()) for listed in file.entries]
    return NameIndex(entries, read_policy().screening)


def found(index: NameIndex, name: str) -> dict[str, int]:
    """Entry -> score."""
    return {match.entry_id: match.score for match in index.matches(name)}


class Drip:
    """A file that is made while it is read, so that a huge one costs no memory or disk."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.given = 0

    def read(self, _: int, /) -> bytes:
        piece = next(self._pieces, b"")
        self.given += len(piece)
        return piece
